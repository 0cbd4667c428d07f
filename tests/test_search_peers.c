/*
 * test_search_peers.c - the policies beside the controller, in whole searches: which parents they grow from, what they
 * match.
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_bed.h"

static const struct script one_slot = {.slots = 1};

/* --- hillclimb --- */

/* With one trainer every network before this one has its result when it is proposed. */
static void test_hillclimb_climbs(void **state)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "hillclimb");
    options.parent = PARENT_START; /* what the policy needs goes before it */
    options.networks = 40;
    options.limit_flops = 0; /* so that the best can grow, and is never spent */
    struct session_state *session = bed_search(&options, &one_slot);
    int climbed = 0;
    int64_t best = 1;
    assert_string_equal(session_option(session, "parent"), "best");
    for (int64_t number = 2; number <= session->node_count; number++) {
        const struct session_node *node = session_node(session, number);
        assert_int_equal(node->facts.parent, best);
        assert_string_equal(author_name(&node->facts.by), "hillclimb");
        if (node->accuracy > session_node(session, best)->accuracy) {
            best = number;
            climbed++;
        }
    }
    assert_in_range(climbed, 5, 38); /* some were better, and some were not */
    session_state_free(session);
}

/* --- evolve --- */

/* With one trainer, networks 1 … n - 1 are trained when n is proposed: its parent is one of the last of them, and on
   the average a good one; the old ones, the start network too, have no more children. */
static void test_evolve_ages(void **state)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "evolve");
    options.networks = 150;
    options.population = 12;
    options.tournament = 4;
    options.limit_flops = 0; /* so that each of them can grow */
    struct session_state *session = bed_search(&options, &one_slot);
    double rank = 0;
    int ranked = 0;
    assert_string_equal(session_option(session, "parent"), "aging");
    for (int64_t number = 2; number <= session->node_count; number++) {
        const struct event_proposal *facts = &session_node(session, number)->facts;
        double parent = session_node(session, facts->parent)->accuracy;
        assert_true(facts->parent >= number - 12 && facts->steps.items[facts->steps.count - 1] == 0);
        if (number <= 13)
            continue;
        ranked++;
        for (int64_t other = number - 12; other < number; other++)
            rank += session_node(session, other)->accuracy <= parent;
    }
    rank /= ranked; /* the expected largest of 4 drawn from 1 … 12 with replacement: 10.07, deviation 1.95 */
    assert_true(fabs(rank - 10.07) < 5 * 1.95 / sqrt(ranked));
    session_state_free(session);
}

/* --- random-flops --- */

static void check_matched(const struct session_state *other, const struct session_state *session)
{
    assert_int_equal(session->facts.match.count, other->node_count - 1);
    int64_t k = 0;
    for (int64_t number = 2; number <= session->node_count; number++, k++) {
        const struct session_node *node = session_node(session, number);
        int64_t wanted = session_node(other, number)->facts.flops;
        assert_int_equal(session->facts.match.items[k], wanted);
        double ratio = (double)node->facts.flops / (double)wanted;
        if (fabs(log(ratio)) > log(1.1))
            fail_msg("network %d has %.2f times the FLOPs", (int)number, ratio);
    }
}

/* Each network has its counterpart's FLOPs; the other session isn't needed any more after the beginning. */
static void test_random_flops_matches(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "widen");
    struct search_options options = bed_options();
    options.parent = PARENT_START;
    options.wider = 4;
    options.deeper = 5;
    options.networks = 21;
    strcpy(options.policy, "widen");
    struct session_state *other = bed_run(folder, "widen", &options, &one_slot);

    strcpy(options.policy, "random-flops");
    strcpy(options.match, path);
    options.networks = 0;
    struct session_state *session = bed_run(folder, "matched", &options, &one_slot);
    check_matched(other, session);
    assert_int_equal(session->node_count, other->node_count);
    assert_string_equal(session->finish_message, "all 20 networks of --match are matched");

    options.networks = 8;
    struct session_state *half = bed_run(folder, "half", &options, &one_slot);
    session_state_free(half);
    strcpy(options.match, "");
    char *gone = bed_path(folder, "gone");
    assert_int_equal(rename(path, gone), 0);
    char *half_path = bed_path(folder, "half");
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&one_slot);
    struct engine *engine;
    struct error error, warning;
    assert_int_equal(engine_resume(half_path, &data, evaluator, &engine, &warning, &error), 0);
    engine_command(engine, AUTHOR_USER, "budget networks 0");
    assert_int_equal(engine_run(engine, &error), 0);
    char *whole = bed_story(session), *resumed = bed_story(engine_state(engine));
    assert_string_equal(whole, resumed);
    engine_free(engine);
    evaluator->kind->free(evaluator);

    session_state_free(other);
    session_state_free(session);
    free(whole);
    free(resumed);
    free(half_path);
    free(gone);
    free(path);
    scratch_remove(folder);
    free(folder);
}

static void test_match_messages(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a"), *unused = bed_path(folder, "b");
    struct search_options options = bed_options();
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&one_slot);
    struct engine *engine;
    struct error error;
    options.networks = 1; /* the start network alone */
    session_state_free(bed_run(folder, "a", &options, &one_slot));
    strcpy(options.policy, "random-flops");
    strcpy(options.match, path);
    assert_int_equal(engine_create(&options, unused, &data, evaluator, &engine, &error), -1);
    assert_non_null(strstr(error.text, "has grown no network there yet"));
    strcpy(options.match, "nothing-such");
    assert_int_equal(engine_create(&options, unused, &data, evaluator, &engine, &error), -1);
    assert_non_null(strstr(error.text, "--match: "));
    strcpy(options.match, path);
    data.input.channels = 3;
    assert_int_equal(engine_create(&options, unused, &data, evaluator, &engine, &error), -1);
    assert_non_null(strstr(error.text, "its images are 1,16,16, the data has 3,16,16"));
    evaluator->kind->free(evaluator);
    free(path);
    free(unused);
    scratch_remove(folder);
    free(folder);
}

/* --- parents whose weights are lost --- */

/* Lost before the search goes on: the others go on growing. */
static void test_lost_weights(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = bed_options();
    options.parent = PARENT_BEST;
    options.networks = 8;
    struct session_state *session = bed_run(folder, "a", &options, &one_slot);
    int64_t lost = session->best;
    struct text file = TEXT_EMPTY;
    text_add(&file, "%s/weights/%s", path, session_node(session, lost)->weights);
    assert_int_equal(remove(text_string(&file)), 0);
    text_done(&file);
    session_state_free(session);

    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&one_slot);
    struct engine *engine;
    struct error error, warning;
    assert_int_equal(engine_resume(path, &data, evaluator, &engine, &warning, &error), 0);
    engine_command(engine, AUTHOR_USER, "budget networks 12");
    assert_int_equal(engine_run(engine, &error), 0);
    assert_int_equal(engine_state(engine)->status_count[NODE_DONE], 12);
    for (int64_t number = 9; number <= 12; number++)
        assert_int_not_equal(session_node(engine_state(engine), number)->facts.parent, lost);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    free(path);
    scratch_remove(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hillclimb_climbs),     cmocka_unit_test(test_evolve_ages),
        cmocka_unit_test(test_random_flops_matches), cmocka_unit_test(test_match_messages),
        cmocka_unit_test(test_lost_weights),
    };
    return cmocka_run_group_tests_name("search peers", tests, NULL, NULL);
}
