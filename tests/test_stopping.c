/*
 * test_stopping.c - rungs and hopeless networks on thousands of scripted trials: the rule that the page states, what is
 * saved, what is kept, and whether a prediction comes true.
 *
 * Where every network grows from the start and the policy learns nothing, a search proposes the same networks whether
 * some are stopped or not, so that the two can be compared one by one.
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_bed.h"
#include "repeats.h"
#include "util/memory.h"

static const struct script one_slot = {.slots = 1};
enum { NETWORKS = 500 };

static struct search_options stopping_options(int64_t networks)
{
    struct search_options options = bed_options();
    options.parent = PARENT_START;
    options.wider = 4;
    options.deeper = 5;
    options.limit_flops = 0;
    options.networks = networks;
    options.epochs = options.start_epochs = 20;
    return options;
}

static double curve_at(const struct session_node *node, int epoch)
{
    return node->curve[epoch - 1].validation_accuracy;
}

/* Epochs that were trained, as a share of all that could have been. */
static double share_trained(const struct session_state *session)
{
    double trained = 0, planned = 0;
    for (int64_t i = 2; i <= session->node_count; i++) {
        trained += session_node(session, i)->curve_count;
        planned += session_node(session, i)->epochs;
    }
    return trained / planned;
}

static double final_accuracy(const struct session_node *node)
{
    struct arch arch;
    assert_int_equal(arch_parse(&arch, node->facts.arch, NULL), 0);
    return scripted_accuracy(&arch, scripted_data().input);
}

/* --- rungs --- */

/* With one trainer, networks 2 … n - 1 came to a rung before n. */
static bool should_stop(const struct session_state *session, int64_t number, int rung, double keep)
{
    int reached = 1, better = 0;
    double own = curve_at(session_node(session, number), rung);
    for (int64_t other = 2; other < number; other++) {
        const struct session_node *node = session_node(session, other);
        if (node->curve_count < rung)
            continue;
        reached++;
        better += curve_at(node, rung) > own;
    }
    return better >= (int)ceil(keep * reached);
}

static void test_rungs_keep_the_best_share(void **state)
{
    static const int rungs[] = {2, 5};
    struct search_options options = stopping_options(NETWORKS);
    strcpy(options.rungs, "2,5");
    options.rung_keep = 0.4;
    struct session_state *session = bed_search(&options, &one_slot);
    int stopped[2] = {0};
    for (int64_t number = 2; number <= session->node_count; number++) {
        const struct session_node *node = session_node(session, number);
        int epoch = 20;
        for (int r = 1; r >= 0; r--)
            if (node->curve_count >= rungs[r] && should_stop(session, number, rungs[r], 0.4))
                epoch = rungs[r];
        assert_int_equal(node->curve_count, epoch);
        assert_int_equal(node->stopped != NULL, epoch < 20);
        if (!node->stopped)
            continue;
        assert_int_equal(strncmp(node->stopped, epoch == 2 ? "rung 2: " : "rung 5: ", 8), 0);
        assert_true(node->accuracy == curve_at(node, epoch) && node->weights);
        stopped[epoch == 5]++;
    }
    print_message("# of %d: %d stopped at rung 2, %d at rung 5; %.0f %% of the epochs\n", NETWORKS - 1, stopped[0],
                  stopped[1], 100 * share_trained(session));
    assert_in_range(stopped[0], NETWORKS * 54 / 100, NETWORKS * 66 / 100); /* about 60 %, and 60 % of what is left */
    assert_in_range(stopped[1], NETWORKS * 18 / 100, NETWORKS * 30 / 100);
    assert_true(share_trained(session) < 0.35);
    session_state_free(session);
}

/* The first to reach a rung goes on, and the start network isn't asked. */
static void test_first_goes_on(void **state)
{
    struct search_options options = stopping_options(2);
    strcpy(options.rungs, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21");
    options.rung_keep = 0.01;
    struct session_state *session = bed_search(&options, &one_slot);
    for (int64_t i = 1; i <= 2; i++)
        assert_true(session_node(session, i)->curve_count == 20 && !session_node(session, i)->stopped);
    session_state_free(session);
}

/* --- what is lost --- */

static void compare(const char *what, const struct session_state *whole, const struct session_state *session,
                    double most_epochs)
{
    int false_stops = 0;
    double error = 0, bias = 0;
    int64_t stopped = 0;
    assert_int_equal(whole->node_count, session->node_count);
    for (int64_t i = 2; i <= session->node_count; i++) {
        const struct session_node *node = session_node(session, i);
        assert_string_equal(node->facts.arch, session_node(whole, i)->facts.arch);
        if (!node->stopped)
            continue;
        stopped++;
        error += fabs(node->predicted - final_accuracy(node));
        bias += node->predicted - final_accuracy(node);
        false_stops += final_accuracy(node) > session_node(session, session->best)->accuracy;
    }
    double best = session_node(session, session->best)->accuracy;
    double lost = session_node(whole, whole->best)->accuracy - best;
    print_message(
        "# %s: %.0f %% of the epochs, %d of %d stopped, best %.4f lower, predictions off by %.4f (bias %+.4f)\n", what,
        100 * share_trained(session), (int)stopped, (int)session->node_count - 1, lost, error / (double)stopped,
        bias / (double)stopped);
    assert_true(share_trained(session) < most_epochs);
    assert_int_equal(false_stops, 0);
    assert_true(lost == 0);
    assert_true(error / (double)stopped < 0.01 && fabs(bias) / (double)stopped < 0.007);
    for (int64_t i = 1; i <= session->node_count; i++) /* best is measured, whatever was predicted */
        assert_true(session_node(session, i)->accuracy <= best);
}

static void test_best_is_kept(void **state)
{
    struct search_options options = stopping_options(NETWORKS);
    struct session_state *whole = bed_search(&options, &one_slot);
    for (int kind = 0; kind < 3; kind++) {
        static const char *const names[] = {"rungs", "hopeless", "both"};
        strcpy(options.rungs, kind != 1 ? "2,5" : "");
        options.stop_hopeless = kind != 0 ? 0.02 : 0;
        struct session_state *session = bed_search(&options, &one_slot);
        compare(names[kind], whole, session, 0.5);
        session_state_free(session);
    }
    session_state_free(whole);
}

/* Until five networks were trained to the end, nothing is hopeless. */
static void test_hopeless_waits_for_references(void **state)
{
    struct search_options options = stopping_options(60);
    options.stop_hopeless = 0.4;
    struct session_state *session = bed_search(&options, &one_slot);
    int64_t first = 2;
    while (!session_node(session, first)->stopped)
        first++;
    assert_in_range(first, 7, 20);
    assert_int_equal(strncmp(session_node(session, first)->stopped, "epoch ", 6), 0);
    assert_non_null(strstr(session_node(session, first)->stopped, "hopeless"));
    session_state_free(session);
}

/* --- side by side, learned from, grown from, by hand --- */

static void test_one_seed_one_digest(void **state)
{
    struct search_options options = stopping_options(200);
    options.parent = PARENT_TOURNAMENT;
    options.wider = options.deeper = 1;
    strcpy(options.rungs, "2,5");
    options.stop_hopeless = 0.05;
    struct session_state *a = bed_search(&options, &one_slot);
    struct session_state *b = bed_search(&options, &(struct script){.slots = 1, .seed = 3});
    assert_true(hash_equal(session_digest(a), session_digest(b)));
    int64_t from_stopped = 0; /* the scripted evaluator looks into the parent's file */
    for (int64_t i = 2; i <= a->node_count; i++)
        from_stopped += session_node(a, session_node(a, i)->facts.parent)->stopped != NULL;
    assert_true(from_stopped > 0);
    session_state_free(a);
    session_state_free(b);
}

/* Many trainers: everything comes to an end, and no epoch is answered twice (the evaluator would notice). */
static void test_side_by_side(void **state)
{
    struct search_options options = stopping_options(REPEATS(200));
    strcpy(options.rungs, "2,5");
    options.stop_hopeless = 0.05;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct session_state *session = bed_search(&options, &(struct script){.slots = 8, .seed = seed});
        assert_int_equal(session->status_count[NODE_DONE], options.networks);
        assert_true(SANITIZED || share_trained(session) < 0.5);
        session_state_free(session);
    }
}

/* What the policy is told of a stopped network is its prediction; the best of the batch is measured. */
static void test_predictions_are_rewards(void **state)
{
    struct search_options options = stopping_options(0);
    strcpy(options.policy, "reinforce");
    options.episodes = 4;
    options.episode_networks = 10;
    strcpy(options.rungs, "2,5");
    struct session_state *session = bed_search(&options, &one_slot);
    int stopped = 0;
    for (int64_t u = 0; u < session->policy_count; u++) {
        const struct event_policy *facts = &session->policies[u]->facts;
        double accuracy = 0, reward = 0, best = 0;
        for (int k = 0; k < facts->proposals.count; k++) {
            const struct session_node *node =
                session_node(session, session->proposals[facts->proposals.items[k] - 1]->facts.node);
            double told = node->stopped ? node->predicted : node->accuracy;
            accuracy += told / facts->proposals.count;
            reward += tan(told * acos(0)) / facts->proposals.count;
            best = fmax(best, node->accuracy);
            stopped += node->stopped != NULL;
        }
        assert_true(fabs(facts->accuracy_mean - accuracy) < 1e-12 && fabs(facts->reward_mean - reward) < 1e-9);
        assert_true(facts->accuracy_best == best);
    }
    assert_true(stopped > 10);
    session_state_free(session);
}

/* Who asked for a network wants to see it trained. */
static void test_a_persons_network_goes_on(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = stopping_options(40);
    strcpy(options.rungs, "2,5");
    session_state_free(bed_run(folder, "a", &options, &one_slot));
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&one_slot);
    struct engine *engine;
    struct error error, warning;
    assert_int_equal(engine_resume(path, &data, evaluator, &engine, &warning, &error), 0);
    engine_command(engine, AUTHOR_USER, "grow 1 widen:fc1"); /* the least that can be done */
    assert_int_equal(engine_run(engine, &error), 0);
    const struct session_node *node = session_node(engine_state(engine), 41);
    assert_int_equal(node->facts.by.value, AUTHOR_USER);
    assert_true(node->status == NODE_DONE && node->curve_count == 20 && !node->stopped);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    free(path);
    scratch_remove(folder);
    free(folder);
}

/* Of six epochs of a second, two fit into two and a half.  What the networks have then counts: rounds have winners.
   The start network and the finish have their own time. */
static void test_time_of_a_network(void **state)
{
    struct search_options options = stopping_options(9);
    options.parent = PARENT_RACE;
    options.episode_networks = 3;
    options.epochs = options.start_epochs = 6;
    options.network_seconds = 2.5;
    options.finish = 0.5;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 1, .epoch_seconds = 1});
    int64_t parents = 0;
    for (int64_t i = 1; i <= 9; i++) {
        const struct session_node *node = session_node(session, i);
        assert_true(node->status == NODE_DONE && !node->stopped);
        assert_int_equal(node->curve_count, i == 1 ? 6 : 2);
        assert_int_equal(node->epochs, 6);
        parents += node->facts.parent > 1;
    }
    assert_true(parents > 0);
    const struct session_node *finish = session_node(session, session->node_count);
    assert_int_equal(finish->facts.by.value, AUTHOR_FINISH);
    assert_int_equal(finish->curve_count, finish->epochs);
    session_state_free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rungs_keep_the_best_share),
        cmocka_unit_test(test_first_goes_on),
        cmocka_unit_test(test_best_is_kept),
        cmocka_unit_test(test_hopeless_waits_for_references),
        cmocka_unit_test(test_one_seed_one_digest),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_predictions_are_rewards),
        cmocka_unit_test(test_a_persons_network_goes_on),
        cmocka_unit_test(test_time_of_a_network),
    };
    return cmocka_run_group_tests_name("stopping", tests, NULL, NULL);
}
