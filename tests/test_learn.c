/*
 * test_learn.c - what the policy is given to learn from: batches with and without the barrier, the best to imitate.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_bed.h"
#include "util/memory.h"

static struct search_options learning_options(void)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "reinforce");
    options.networks = 0;
    options.episodes = 6;
    options.episode_networks = 5;
    options.parent = PARENT_START;
    options.wider = options.deeper = 2;
    return options;
}

static char *story_of(const struct search_options *options, const struct script *script)
{
    struct session_state *session = bed_search(options, script);
    char *story = bed_story(session);
    session_state_free(session);
    return story;
}

/* --- the barrier and without it --- */

/* With one trainer every outcome is there before the next proposal: the barrier never holds. */
static void test_one_trainer_needs_no_barrier(void **state)
{
    struct search_options options = learning_options();
    char *barrier = story_of(&options, &(struct script){.slots = 1});
    options.asynchronous = true;
    char *asynchronous = story_of(&options, &(struct script){.slots = 1});
    assert_string_equal(barrier, asynchronous);
    free(barrier);
    free(asynchronous);
}

struct watch {
    int64_t running, joined, results, idle; /* idle: results that came while a trainer had nothing to do */
    int slots;
    int64_t networks; /* after which nothing new is proposed */
};

static void look(void *context, const struct event *event)
{
    struct watch *watch = context;
    watch->joined += event->kind == EVENT_NODE;
    watch->running += event->kind == EVENT_STARTED;
    if (event->kind != EVENT_RESULT)
        return;
    bool all_may_work = watch->results > 0 && watch->joined < watch->networks; /* after the start network */
    watch->idle += all_may_work && watch->running < watch->slots;
    watch->running--;
    watch->results++;
}

static struct session_state *watched(const struct search_options *options, const struct script *script,
                                     struct watch *watch)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(script);
    struct engine *engine;
    struct error error;
    assert_int_equal(engine_create(options, path, &data, evaluator, &engine, &error), 0);
    *watch = (struct watch){.slots = script->slots, .networks = options->networks};
    engine_add_sink(engine, (struct event_sink){look, watch});
    assert_int_equal(engine_run(engine, &error), 0);
    struct session_state *state = session_state_copy(engine_state(engine));
    engine_free(engine);
    evaluator->kind->free(evaluator);
    scratch_remove(folder);
    free(folder);
    free(path);
    return state;
}

/* Each proposal is learned from once at most, each batch has the number that was asked for. */
static void check_batches(const struct session_state *session, int size)
{
    bool *learned = memory_new((size_t)session->proposal_count, sizeof *learned);
    assert_true(session->policy_count == session->proposal_count / size);
    for (int64_t i = 0; i < session->policy_count; i++) {
        const struct event_integers *proposals = &session->policies[i]->facts.proposals;
        assert_int_equal(proposals->count, size);
        for (int k = 0; k < size; k++) {
            assert_true(k == 0 || proposals->items[k] > proposals->items[k - 1]);
            assert_false(learned[proposals->items[k] - 1]);
            learned[proposals->items[k] - 1] = true;
        }
    }
    free(learned);
}

static void test_trainers_never_wait(void **state)
{
    const struct script script = {.slots = 4, .seed = 5};
    struct search_options options = learning_options();
    struct watch watch;
    options.episodes = 0;
    options.networks = 60;
    struct session_state *session = watched(&options, &script, &watch);
    assert_true(watch.idle > 10);
    check_batches(session, 5);
    session_state_free(session);

    options.asynchronous = true;
    session = watched(&options, &script, &watch);
    assert_int_equal(watch.idle, 0);
    check_batches(session, 5);
    bool mixed = false; /* a batch that isn't an episode: a later proposal was done before an earlier one */
    for (int64_t i = 0; i < session->policy_count; i++)
        mixed |= session->policies[i]->facts.proposals.items[4] != 5 * (i + 1);
    assert_true(mixed);
    session_state_free(session);
}

/* Sessions of before POLICY events named their batch: by the episode it is the same. */
static void test_older_logs(void **state)
{
    const struct script script = {.slots = 1};
    char *folder = scratch_new(), *path = bed_path(folder, "half"), *old_path = bed_path(folder, "old");
    struct search_options options = learning_options();
    char *story = story_of(&options, &script);
    options.episodes = 3;
    session_state_free(bed_run(folder, "half", &options, &script));

    struct log_reader *reader;
    struct log_writer *writer;
    struct event event;
    struct error error;
    assert_int_equal(log_read(path, &reader, &error), 0);
    assert_int_equal(log_create(old_path, &writer, &error), 0);
    while (log_next(reader, &event, &error) == LOG_EVENT) {
        if (event.kind == EVENT_POLICY)
            event.as.policy.proposals.count = 0;
        assert_int_equal(log_append(writer, &event, &error), 0);
        event_done(&event);
    }
    log_reader_free(reader);
    log_close(writer);
    struct text command = TEXT_EMPTY;
    text_add(&command, "cp -r '%s/weights' '%s/policy' '%s'", path, path, old_path);
    assert_int_equal(system(text_string(&command)), 0);
    text_done(&command);

    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&script);
    struct engine *engine;
    struct error warning;
    assert_int_equal(engine_resume(old_path, &data, evaluator, &engine, &warning, &error), 0);
    engine_command(engine, AUTHOR_USER, "budget episodes 6");
    assert_int_equal(engine_run(engine, &error), 0);
    char *resumed = bed_story(engine_state(engine));
    assert_string_equal(story, resumed);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    free(resumed);
    free(story);
    free(path);
    free(old_path);
    scratch_remove(folder);
    free(folder);
}

/* --- imitation --- */

/* It changes what is learned, from the first update on, and as much as its weight says. */
static void test_imitation_has_a_weight(void **state)
{
    struct search_options options = learning_options();
    char *without = story_of(&options, &(struct script){.slots = 1});
    options.imitate = 3;
    options.imitate_weight = 0;
    char *nothing = story_of(&options, &(struct script){.slots = 1});
    options.imitate_weight = 1;
    char *with = story_of(&options, &(struct script){.slots = 1});
    assert_string_equal(without, nothing);
    assert_string_not_equal(without, with);
    free(without);
    free(nothing);
    free(with);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_trainer_needs_no_barrier),
        cmocka_unit_test(test_trainers_never_wait),
        cmocka_unit_test(test_older_logs),
        cmocka_unit_test(test_imitation_has_a_weight),
    };
    return cmocka_run_group_tests_name("learn", tests, NULL, NULL);
}
