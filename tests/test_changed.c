/*
 * test_changed.c - a search that is resumed with other options: what changes, what is refused, and that the log says it.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine_bed.h"

static const struct script one_slot = {.slots = 1};

static struct search_options small_options(const char *policy)
{
    struct search_options options = bed_options();
    strcpy(options.policy, policy);
    options.networks = 0;
    options.episodes = 3;
    options.episode_networks = 3;
    options.epochs = 1;
    return options;
}

/* Cut a search at some events, and go on with other options; then cut that again at some events after the change.  What
   has a CHANGED event goes on as it would have without the second cut. */
static void check_changed(const struct search_options *before, const struct search_options *after, const char *option)
{
    char *folder = scratch_new(), *path = bed_path(folder, "changed"), *first = bed_path(folder, "whole");
    int64_t offsets[BED_EVENTS_MAX], later[BED_EVENTS_MAX];
    session_state_free(bed_run(folder, "whole", before, &one_slot));
    int count = bed_event_offsets(first, offsets);
    for (int i = 1; i < count; i += count / 6) {
        bed_cut(folder, "whole", "changed", offsets[i]);
        struct session_state *changed = bed_resume_changed(folder, "changed", after, &one_slot);
        char *story = bed_story(changed);
        assert_true(changed->changed.count > 0);
        bed_check(folder, "changed", changed);
        int events = bed_event_offsets(path, later);
        for (int k = i + 2; k < events; k += 9) { /* behind OPENED and CHANGED */
            bed_cut(folder, "changed", "cut", later[k]);
            struct session_state *resumed = bed_resume(folder, "cut", &one_slot);
            char *resumed_story = bed_story(resumed);
            assert_string_equal(story, resumed_story);
            assert_string_equal(session_option(resumed, option), session_option(changed, option));
            free(resumed_story);
            session_state_free(resumed);
        }
        free(story);
        session_state_free(changed);
    }
    free(path);
    free(first);
    scratch_remove(folder);
    free(folder);
}

/* From a policy that doesn't learn to one that does: it has an update of each episode.  And back. */
static void test_policy(void **state)
{
    struct search_options random = small_options("random"), learning = small_options("reinforce");
    check_changed(&random, &learning, "policy");
    check_changed(&learning, &random, "policy");
}

/* Only its own proposals teach it. */
static void test_policy_learns_from_its_own(void **state)
{
    struct search_options random = small_options("random"), learning = small_options("reinforce");
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    int64_t offsets[BED_EVENTS_MAX];
    session_state_free(bed_run(folder, "a", &random, &one_slot));
    int count = bed_event_offsets(path, offsets);
    bed_cut(folder, "a", "b", offsets[count / 2]);
    struct session_state *changed = bed_resume_changed(folder, "b", &learning, &one_slot);
    assert_int_equal(changed->policy_count, 3);
    assert_int_equal(changed->policies[0]->facts.networks, 0);
    assert_true(changed->policies[2]->facts.networks > 0);
    session_state_free(changed);
    free(path);
    scratch_remove(folder);
    free(folder);
}

/* No network that joins after the change is beyond the limits. */
static void test_limits(void **state)
{
    struct search_options before = small_options("random"), after = before;
    after.limit_parameters = 2500;
    after.limit_depth = 7;
    check_changed(&before, &after, "limit-params");
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    int64_t offsets[BED_EVENTS_MAX];
    session_state_free(bed_run(folder, "a", &before, &one_slot));
    int count = bed_event_offsets(path, offsets);
    bed_cut(folder, "a", "b", offsets[count / 2]);
    char *cut_path = bed_path(folder, "b");
    struct session_state *half, *changed;
    struct error warning, error;
    assert_int_equal(session_load(cut_path, &half, &warning, &error), 0);
    changed = bed_resume_changed(folder, "b", &after, &one_slot);
    for (int64_t i = half->node_count; i < changed->node_count; i++)
        assert_true(changed->nodes[i]->facts.parameters <= 2500);
    assert_true(changed->proposal_count > half->proposal_count);
    session_state_free(half);
    session_state_free(changed);
    free(cut_path);
    free(path);
    scratch_remove(folder);
    free(folder);
}

/* The same options are no change; a second change replaces the first; budgets, epochs and rate have their own events. */
static void test_facts(void **state)
{
    struct search_options options = small_options("random");
    char *folder = scratch_new();
    session_state_free(bed_run(folder, "a", &options, &one_slot));
    options.networks = 100;
    options.epochs = 9;
    struct session_state *same = bed_resume_changed(folder, "a", &options, &one_slot);
    assert_int_equal(same->changed.count, 0);
    options.attempts = 5;
    strcpy(options.data, "idx:/moved");
    session_state_free(bed_resume_changed(folder, "a", &options, &one_slot));
    options.attempts = 7;
    struct session_state *twice = bed_resume_changed(folder, "a", &options, &one_slot);
    assert_int_equal(twice->changed.count, 2);
    assert_string_equal(session_option(twice, "attempts"), "7");
    assert_string_equal(session_option(twice, "data"), "idx:/moved");
    assert_string_equal(session_option(twice, "networks"), "0");
    assert_false(hash_equal(session_digest(same), session_digest(twice)));
    struct session_state *copy = session_state_copy(twice);
    session_state_free(twice);
    assert_string_equal(session_option(copy, "attempts"), "7");
    session_state_free(copy);
    session_state_free(same);
    scratch_remove(folder);
    free(folder);
}

static void check_refused(const char *folder, const char *option, const char *value, const char *reason)
{
    char *path = bed_path(folder, "a");
    struct search_options options = small_options("random");
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&one_slot);
    struct engine *engine;
    struct error error, warning;
    assert_int_equal(options_set(&options, option, value, &error), 0);
    assert_int_equal(engine_resume_changed(path, &options, &data, evaluator, &engine, &warning, &error), -1);
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" should say \"%s\"", error.text, reason);
    evaluator->kind->free(evaluator);
    free(path);
}

static void test_refusals(void **state)
{
    struct search_options options = small_options("random");
    char *folder = scratch_new();
    session_state_free(bed_run(folder, "a", &options, &one_slot));
    check_refused(folder, "seed", "9", "--seed: can't change in a session: all that is random follows from it");
    check_refused(folder, "validation", "9", "compared on one split of the images; begin a new search");
    check_refused(folder, "episode-networks", "5", "its proposals are counted by it");
    check_refused(folder, "policy", "manual", "--policy manual: a session can't change to it");
    check_refused(folder, "policy", "random-flops", "--policy random-flops: a session can't change to it");
    check_refused(folder, "parent", "race", "--parent: a session can't change to a race");
    check_refused(folder, "limit-params", "10", "n1, from which networks grow: ");
    scratch_remove(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy),   cmocka_unit_test(test_policy_learns_from_its_own),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_facts),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
