/*
 * test_keeping.c - --keep best: few files of weights stay, and the search finds what it would have found.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "engine_bed.h"
#include "search/budget.h"
#include "search/rounds.h"
#include "sessions/manage.h"
#include "util/file.h"

static const struct script one_slot = {.slots = 1, .tests = true};

static struct search_options race(void)
{
    struct search_options options = bed_options();
    options.parent = PARENT_RACE;
    options.episode_networks = 3;
    options.networks = 20;
    options.epochs = 1;
    options.finish = 0.5;
    options.baseline = BASELINE_YES;
    options.limit_flops = 400000;
    return options;
}

static int64_t count_files(const char *folder, const char *name)
{
    char *path = bed_path(folder, name), *weights = file_join(path, "weights");
    DIR *directory = opendir(weights);
    int64_t count = 0;
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    free(path);
    free(weights);
    return count;
}

static int64_t count_dropped(const struct session_state *session)
{
    int64_t count = 0;
    for (int64_t i = 0; i < session->node_count; i++)
        count += session->nodes[i]->dropped;
    return count;
}

static void check_files(const char *folder, const char *name, const struct session_state *session, int64_t most)
{
    bed_check(folder, name, session);
    assert_int_equal(count_files(folder, name), session->status_count[NODE_DONE] - count_dropped(session));
    assert_true(count_files(folder, name) <= most);
    assert_false(session_node(session, session->best)->dropped);
    assert_false(session_node(session, 1)->dropped);
}

/* A race goes the same way; cut anywhere, too.  The files of all networks stand in for those that a later event drops.
 */
static void test_race(void **state)
{
    char *folder = scratch_new(), *kept_path = bed_path(folder, "best"), *cut_path = bed_path(folder, "cut");
    struct search_options options = race();
    struct session_state *all = bed_run(folder, "all", &options, &one_slot);
    options.keep = KEEP_BEST;
    struct session_state *best = bed_run(folder, "best", &options, &one_slot);
    char *story = bed_story(all), *kept_story = bed_story(best);
    int64_t offsets[BED_EVENTS_MAX];
    assert_string_equal(story, kept_story);
    assert_true(count_dropped(best) > 10);
    check_files(folder, "best", best, 9);
    int count = bed_event_offsets(kept_path, offsets);
    for (int i = 1; i < count; i += 5) {
        bed_cut(folder, "best", "cut", offsets[i]);
        struct text command = TEXT_EMPTY;
        text_add(&command, "cp '%s/all.esp/weights/'* '%s/weights'", folder, cut_path);
        assert_int_equal(system(text_string(&command)), 0);
        struct session_state *resumed = bed_resume(folder, "cut", &one_slot);
        char *resumed_story = bed_story(resumed);
        assert_string_equal(story, resumed_story);
        assert_int_equal(count_dropped(resumed), count_dropped(best));
        text_done(&command);
        free(resumed_story);
        session_state_free(resumed);
    }
    free(story);
    free(kept_story);
    session_state_free(all);
    session_state_free(best);
    free(kept_path);
    free(cut_path);
    scratch_remove(folder);
    free(folder);
}

static void test_tournament(void **state)
{
    char *folder = scratch_new();
    struct search_options options = bed_options();
    options.networks = 20;
    options.epochs = 1;
    options.population = 3;
    options.keep = KEEP_BEST;
    struct session_state *session = bed_run(folder, "a", &options, &one_slot);
    assert_int_equal(session->status_count[NODE_DONE], 20);
    check_files(folder, "a", session, 8);
    session_state_free(session);
    scratch_remove(folder);
    free(folder);
}

/* A session that has kept all drops them when it is resumed with the option; nothing grows from them then. */
static void test_later(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = race();
    session_state_free(bed_run(folder, "a", &options, &one_slot));
    options.keep = KEEP_BEST;
    struct session_state *session = bed_resume_changed(folder, "a", &options, &one_slot);
    check_files(folder, "a", session, 9);
    assert_true(count_dropped(session) > 10);
    int64_t dropped = 2;
    while (!session_node(session, dropped)->dropped)
        dropped++;
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&one_slot);
    struct engine *engine;
    struct error error, warning;
    struct session_state *asked;
    char *grow = event_text("grow %lld widen:fc1", (long long)dropped),
         *pin = event_text("pin %lld", (long long)dropped);
    assert_int_equal(engine_resume(path, &data, evaluator, &engine, &warning, &error), 0);
    engine_command(engine, AUTHOR_USER, grow);
    engine_command(engine, AUTHOR_USER, pin);
    assert_int_equal(engine_run(engine, &error), 0);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    assert_int_equal(session_load(path, &asked, &warning, &error), 0);
    assert_int_equal(asked->node_count, session->node_count);
    assert_false(session_node(asked, dropped)->pinned);
    session_state_free(asked);
    session_state_free(session);
    free(grow);
    free(pin);
    free(path);
    scratch_remove(folder);
    free(folder);
}

/* Resume it with a command. */
static struct session_state *go_on(const char *path, const char *words, const struct script *script)
{
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(script);
    struct engine *engine;
    struct session_state *session;
    struct error error, warning;
    assert_int_equal(engine_resume(path, &data, evaluator, &engine, &warning, &error), 0);
    engine_command(engine, AUTHOR_USER, words);
    assert_int_equal(engine_run(engine, &error), 0);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    assert_int_equal(session_load(path, &session, &warning, &error), 0);
    return session;
}

static double worse_finishes(void *context, const struct trial *trial)
{
    return trial->test ? 0.99 - 0.01 * (double)trial->node : scripted_accuracy(&trial->arch, scripted_data().input);
}

/* Every finish stays, also one that is a little worse than an earlier one. */
static void test_finish(void **state)
{
    static const struct script script = {.slots = 1, .tests = true, .accuracy = worse_finishes};
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = race();
    options.keep = KEEP_BEST;
    session_state_free(bed_run(folder, "a", &options, &script));
    struct session_state *session = go_on(path, "budget networks +6", &script);
    const struct session_node *finish = session_node(session, session->node_count);
    assert_int_equal(finish->facts.by.value, AUTHOR_FINISH);
    assert_int_equal(finish->status, NODE_DONE);
    assert_true(session->best < finish->facts.node);
    assert_false(finish->dropped);
    session_state_free(session);
    free(path);
    scratch_remove(folder);
    free(folder);
}

static int64_t count_orphans(const struct session_state *session)
{
    int64_t count = 0;
    for (int64_t i = 0; i < session->node_count; i++)
        count += session->nodes[i]->status == NODE_FAILED && strstr(session->nodes[i]->failure, "are gone") != NULL;
    return count;
}

/* A person removes all weights but the best's and the start's, wherever the race is: it goes on from these, and ends
   with a finish. */
static void test_removed(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "all"), *cut_path = bed_path(folder, "cut");
    struct search_options options = race();
    int64_t offsets[BED_EVENTS_MAX], dropped = 0, orphans = 0;
    struct session_state *all = bed_run(folder, "all", &options, &one_slot);
    int count = bed_event_offsets(path, offsets);
    struct weights_report report;
    struct error error;
    for (int i = 3; i < count - 1; i += 7) {
        bed_cut(folder, "all", "cut", offsets[i]);
        assert_int_equal(session_remove_weights(cut_path, false, &report, &error), 0);
        struct session_state *resumed = bed_resume(folder, "cut", &one_slot);
        const struct session_node *last = session_node(resumed, resumed->node_count);
        bed_check(folder, "cut", resumed);
        assert_int_equal(resumed->failure_count, count_orphans(resumed));
        assert_true(count_orphans(resumed) <= 1);
        assert_true(last->facts.by.value == AUTHOR_FINISH && last->status == NODE_DONE);
        assert_int_equal(resumed->finish_reason.value, FINISH_BUDGET);
        dropped += count_dropped(resumed);
        orphans += count_orphans(resumed);
        session_state_free(resumed);
    }
    assert_true(dropped > 50 && orphans > 0);
    session_state_free(all);
    free(path);
    free(cut_path);
    scratch_remove(folder);
    free(folder);
}

static bool round_is_over(const struct session_state *session)
{
    return session->proposal_count == 6 && session->status_count[NODE_DONE] == session->node_count;
}

static bool first_round_has_begun(const struct session_state *session)
{
    return session->proposal_count == 1 && session->status_count[NODE_DONE] == 2;
}

static bool finish_waits(const struct session_state *session)
{
    const struct session_node *last = session_node(session, session->node_count);
    return last && last->facts.by.value == AUTHOR_FINISH && last->status == NODE_QUEUED;
}

/* Cut the race "all" where that holds first, and remove the weights of one network: the resumed session. */
static struct session_state *lose(const char *folder, bool (*here)(const struct session_state *),
                                  int64_t (*which)(const struct session_state *), int64_t *lost)
{
    char *path = bed_path(folder, "all"), *cut_path = bed_path(folder, "cut");
    struct session_state *session = session_state_new();
    struct log_reader *reader;
    struct event event;
    struct error error;
    assert_int_equal(log_read(path, &reader, &error), 0);
    do {
        assert_int_equal(log_next(reader, &event, &error), LOG_EVENT);
        assert_int_equal(session_apply(session, &event, &error), 0);
        event_done(&event);
    } while (!here(session));
    bed_cut(folder, "all", "cut", log_offset(reader));
    log_reader_free(reader);
    *lost = which(session);
    struct text command = TEXT_EMPTY;
    text_add(&command, "rm '%s/weights/%s'", cut_path, session_node(session, *lost)->weights);
    assert_int_equal(system(text_string(&command)), 0);
    session_state_free(session);
    session = bed_resume(folder, "cut", &one_slot);
    bed_check(folder, "cut", session);
    assert_true(session_node(session, *lost)->dropped);
    text_done(&command);
    free(cut_path);
    free(path);
    return session;
}

static int64_t winner_of_round(const struct session_state *session)
{
    return rounds_winner(session, 3, 2);
}

static int64_t the_start(const struct session_state *session)
{
    return 1;
}

/* What takes the place of a network that a race needs next, and whose weights are gone. */
static void test_one_removed(void **state)
{
    char *folder = scratch_new();
    struct search_options options = race();
    int64_t lost;
    session_state_free(bed_run(folder, "all", &options, &one_slot));
    /* A round's winner: the next of that round. */
    struct session_state *session = lose(folder, round_is_over, winner_of_round, &lost);
    const struct session_node *parent = session_node(session, session->proposals[6]->facts.parent);
    assert_true(parent->facts.proposal >= 4 && parent->facts.proposal <= 6 && parent->facts.node != lost);
    session_state_free(session);
    /* The start network, in the first round: the best that there is. */
    session = lose(folder, first_round_has_begun, the_start, &lost);
    assert_int_equal(session->proposals[1]->facts.parent, 2);
    assert_int_equal(session->failure_count, 0);
    session_state_free(session);
    /* A winner before its finish: another has one. */
    session = lose(folder, finish_waits, budget_winner, &lost);
    assert_int_equal(count_orphans(session), 1);
    const struct session_node *finish = session_node(session, session->node_count);
    assert_true(finish->facts.by.value == AUTHOR_FINISH && finish->status == NODE_DONE && finish->facts.parent != lost);
    session_state_free(session);
    scratch_remove(folder);
    free(folder);
}

/* Without any weights nothing can grow: that is said at once.  Without the start network's, others go on. */
static void test_all_removed(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = race();
    struct text command = TEXT_EMPTY;
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&one_slot);
    struct engine *engine;
    struct error error, warning;
    session_state_free(bed_run(folder, "a", &options, &one_slot));
    text_add(&command, "rm '%s'/weights/n1-*", path);
    assert_int_equal(system(text_string(&command)), 0);
    struct session_state *session = go_on(path, "budget networks +6", &one_slot);
    assert_true(session_node(session, 1)->dropped && !session->failure_count);
    assert_true(session->node_count > 26);
    text_clear(&command);
    text_add(&command, "rm '%s'/weights/*", path);
    assert_int_equal(system(text_string(&command)), 0);
    assert_int_equal(engine_resume(path, &data, evaluator, &engine, &warning, &error), -1);
    assert_non_null(strstr(error.text, "no network that others may grow from has its weights"));
    evaluator->kind->free(evaluator);
    session_state_free(session);
    text_done(&command);
    free(path);
    scratch_remove(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_tournament),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_one_removed),
        cmocka_unit_test(test_all_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
