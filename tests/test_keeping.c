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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_tournament),
        cmocka_unit_test(test_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
