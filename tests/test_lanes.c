/*
 * test_lanes.c - trainers of other machines, which come and go: hundreds of them, none at all, and reports of trials
 * that were given up.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine_bed.h"
#include "repeats.h"
#include "util/bug.h"

/* --- what must hold at every event --- */

enum { NODES_MAX = 2000 };
struct watch {
    const struct engine *engine;
    int ends[NODES_MAX + 1]; /* of each network: results, and failures for good */
    bool runs[NODES_MAX + 1];
    int64_t joined, lost, results, given_back, proposals_at_50, most_running;
};

static void start(struct watch *watch, const struct event_started *started)
{
    const struct session_device *device = session_device(engine_state(watch->engine), started->device);
    assert_true(device && device_is_present(device));
    assert_false(watch->runs[started->node]);
    assert_int_equal(watch->ends[started->node], 0);
    watch->runs[started->node] = true;
}

static void end(struct watch *watch, int64_t node, bool again)
{
    assert_true(watch->runs[node]);
    watch->runs[node] = false;
    watch->ends[node] += !again;
    watch->given_back += again;
}

static void look(void *context, const struct event *event)
{
    struct watch *watch = context;
    const struct session_state *state = engine_state(watch->engine);
    assert_true(state->node_count < NODES_MAX);
    if (event->kind == EVENT_STARTED)
        start(watch, &event->as.started);
    else if (event->kind == EVENT_EPOCH)
        assert_true(watch->runs[event->as.epoch.node]);
    else if (event->kind == EVENT_RESULT)
        end(watch, event->as.result.node, false);
    else if (event->kind == EVENT_FAILED && watch->runs[event->as.failed.node])
        end(watch, event->as.failed.node, event->as.failed.again);
    watch->joined += event->kind == EVENT_JOINED;
    watch->lost += event->kind == EVENT_LOST;
    watch->results += event->kind == EVENT_RESULT;
    if (watch->results == 50 && !watch->proposals_at_50)
        watch->proposals_at_50 = state->proposal_count;
    if (state->status_count[NODE_RUNNING] > watch->most_running)
        watch->most_running = state->status_count[NODE_RUNNING];
}

/* A search to its end, or to its error; the state is the log's. */
static struct session_state *play(const char *folder, const struct search_options *options, const struct script *script,
                                  struct watch *watch, struct error *failure)
{
    char *path = bed_path(folder, "lanes");
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(script);
    struct error error, warning = {.text = ""};
    struct session_state *state;
    struct engine *engine;
    if (options ? engine_create(options, path, &data, evaluator, &engine, &error)
                : engine_resume(path, &data, evaluator, &engine, &warning, &error))
        BUG(error.text);
    *watch = (struct watch){.engine = engine};
    for (int64_t i = 0; i < engine_state(engine)->node_count; i++)
        watch->ends[i + 1] = !node_is_pending(engine_state(engine)->nodes[i]);
    engine_add_sink(engine, (struct event_sink){look, watch});
    failure->text[0] = '\0';
    engine_run(engine, failure);
    struct hash live = session_digest(engine_state(engine));
    engine_free(engine);
    evaluator->kind->free(evaluator);
    if (session_load(path, &state, &warning, &error))
        BUG(error.text);
    assert_true(hash_equal(live, session_digest(state)));
    for (int64_t i = 1; i <= state->node_count && !failure->text[0]; i++)
        assert_int_equal(watch->ends[i], 1);
    free(path);
    return state;
}

static struct session_state *search(const struct search_options *options, const struct script *script,
                                    struct watch *watch)
{
    struct error failure;
    char *folder = scratch_new();
    struct session_state *state = play(folder, options, script, watch, &failure);
    assert_string_equal(failure.text, "");
    scratch_remove(folder);
    free(folder);
    return state;
}

/* --- coming and going --- */

static enum scripted_fate some_fail(void *context, const struct trial *trial)
{
    (void)context;
    return trial->node % 7 == 3 ? FATE_ERROR : trial->node % 11 == 5 ? FATE_LOSE_DEVICE : FATE_RESULT;
}

static void test_random_joins_and_losses(void **unused)
{
    int64_t lost = 0, given_back = 0;
    for (int seed = 1; seed <= REPEATS(6); seed++) {
        static struct watch watch;
        struct search_options options = bed_options();
        options.networks = 60;
        strcpy(options.policy, seed % 2 ? "reinforce" : "random");
        options.parent = seed % 3 ? PARENT_TOURNAMENT : PARENT_RACE;
        struct script script = {
            .slots = seed % 2, .remote = 3 + 4 * seed, .churn = 0.4, .seed = (uint64_t)seed, .fate = some_fail};
        struct session_state *state = search(&options, &script, &watch);
        assert_true(state->status_count[NODE_DONE] >= 20);
        lost += watch.lost;
        given_back += watch.given_back;
        session_state_free(state);
    }
    assert_true(lost > 50 * REPEATS(6) / 6 && given_back > 10 * REPEATS(6) / 6);
}

/* --- none --- */

static void test_no_trainer_for_a_while(void **unused)
{
    static struct watch watch;
    struct search_options options = bed_options();
    struct script script = {.remote = 2, .absent = 20};
    struct session_state *state = search(&options, &script, &watch);
    assert_int_equal(state->status_count[NODE_DONE], 12);
    assert_int_equal(state->facts.devices.count, 0);
    assert_int_equal(watch.joined, 2);
    const struct session_device *device = session_device(state, "node0/test:1");
    assert_string_equal(device->host, "node0");
    assert_string_equal(device->speed_class, "scripted");
    session_state_free(state);
}

/* Where a network trains is no fact of the search. */
static void test_one_trainer_elsewhere_is_as_one_here(void **unused)
{
    static struct watch watch;
    struct search_options options = bed_options();
    strcpy(options.policy, "reinforce");
    struct session_state *here = search(&options, &(struct script){.slots = 1}, &watch),
                         *elsewhere = search(&options, &(struct script){.remote = 1, .absent = 3}, &watch);
    assert_int_equal(watch.joined, 1);
    assert_true(hash_equal(session_digest(here), session_digest(elsewhere)));
    session_state_free(here);
    session_state_free(elsewhere);
}

static struct evaluator *evaluator_to_break;

static void break_at_five(void *context, const struct trial *trial)
{
    (void)context;
    if (trial->node == 5)
        scripted_break(evaluator_to_break);
}

/* All of its trainers are gone when it is resumed; others come. */
static void test_a_search_is_resumed_elsewhere(void **unused)
{
    static struct watch watch;
    struct search_options options = bed_options();
    struct error failure, error;
    char *folder = scratch_new(), *path = bed_path(folder, "lanes");
    struct search_data data = scripted_data();
    evaluator_to_break = scripted_evaluator_new(&(struct script){.slots = 1, .remote = 5, .answered = break_at_five});
    struct engine *engine;
    if (engine_create(&options, path, &data, evaluator_to_break, &engine, &error))
        BUG(error.text);
    assert_int_equal(engine_run(engine, &error), -1);
    assert_string_equal(error.text, "the farm has another controller; see to the cause, then resume the session");
    assert_true(session_devices_present(engine_state(engine)) == 6);
    engine_free(engine);
    evaluator_to_break->kind->free(evaluator_to_break);

    struct session_state *state = play(folder, NULL, &(struct script){.remote = 1, .absent = 5}, &watch, &failure);
    assert_string_equal(failure.text, "");
    assert_int_equal(state->status_count[NODE_DONE], 12);
    assert_int_equal(session_devices_present(state), 1);
    assert_true(session_device(state, "node1/test:0")->left && !session_device(state, "node1/test:0")->lost);
    assert_true(session_device(state, "test:0")->left);
    bed_check(folder, "lanes", state);
    session_state_free(state);
    scratch_remove(folder);
    free(folder);
    free(path);
}

/* --- a network that kills its machine --- */

static enum scripted_fate third_kills(void *context, const struct trial *trial)
{
    (void)context;
    return trial->node == 3 ? FATE_LOSE_DEVICE : FATE_RESULT;
}

static void test_a_network_that_kills_machines(void **unused)
{
    static struct watch watch;
    struct search_options options = bed_options();
    options.attempts = 1;
    struct session_state *state =
        search(&options, &(struct script){.remote = 12, .seed = 3, .fate = third_kills}, &watch);
    const struct session_node *node = session_node(state, 3);
    assert_int_equal(node->status, NODE_FAILED);
    assert_int_equal(node->loss_count, 4);
    assert_int_equal(watch.lost, 4);
    assert_non_null(strstr(node->failure, "device: 4 devices were lost while it trained, node"));
    assert_non_null(strstr(node->failure, "; the last: as scripted"));
    assert_int_equal(state->status_count[NODE_DONE], 12);
    session_state_free(state);
}

static enum scripted_fate start_kills(void *context, const struct trial *trial)
{
    (void)context, (void)trial;
    return FATE_LOSE_DEVICE;
}

/* That is no matter of its rate. */
static void test_a_start_network_that_kills_machines(void **unused)
{
    static struct watch watch;
    struct search_options options = bed_options();
    struct script script = {.remote = 12, .fate = start_kills};
    struct error failure;
    char *folder = scratch_new();
    session_state_free(play(folder, &options, &script, &watch, &failure));
    assert_non_null(strstr(failure.text, "see to these devices, then begin a new search"));
    scratch_remove(folder);
    free(folder);
}

/* --- a trainer that says what can't be --- */

static void test_wrong_reports(void **unused)
{
    static struct watch watch;
    struct search_options options = bed_options();
    options.attempts = 1;
    struct session_state *state =
        search(&options, &(struct script){.remote = 4, .seed = 3, .wrong_epoch = 3, .wrong_weights = 5}, &watch);
    assert_string_equal(session_node(state, 3)->failure, "error: its trainer reported an epoch out of order");
    assert_string_equal(session_node(state, 5)->failure, "error: its trainer delivered the weights of another network");
    assert_int_equal(state->status_count[NODE_DONE], 12);
    session_state_free(state);
}

/* --- many --- */

/* At first there is one parent, and soon all of its children are in training: a proposal then waits for a result, from
   which others can grow, and isn't made again and again. */
static void test_no_proposals_without_end(void **unused)
{
    static struct watch watch;
    struct search_options options = bed_options();
    options.networks = 80;
    options.deeper = 0; /* few children */
    struct script script = {.remote = 100, .seed = 2, .no_epochs = true, .seconds = 0.3};
    session_state_free(search(&options, &script, &watch));
    assert_true(watch.proposals_at_50 > 0 && watch.proposals_at_50 <= 80 + 51 * 10);
}

/* The policy never waits, and learns from a quarter as many networks as there are trainers. */
static void test_many_trainers(void **unused)
{
    static struct watch watch;
    struct search_options options = bed_options();
    strcpy(options.policy, "reinforce");
    options.networks = 300;
    struct session_state *state =
        search(&options, &(struct script){.remote = 100, .seed = 2, .no_epochs = true}, &watch);
    assert_true(watch.most_running > 50);
    assert_true(session_is_asynchronous(state));
    assert_int_equal(session_update_size(state), 25);
    assert_true(state->policy_count > 2);
    for (int64_t i = 0; i < state->policy_count; i++)
        assert_int_equal(state->policies[i]->facts.proposals.count, 25);
    session_state_free(state);
}

/* Then few are left, and the barrier holds again: it must not wait for updates that were larger. */
static void test_the_barrier_comes_back(void **unused)
{
    static struct watch watch;
    struct search_options options = bed_options();
    struct error failure;
    char *folder = scratch_new();
    strcpy(options.policy, "reinforce");
    options.networks = 150;
    struct session_state *state = play(folder, &options, &(struct script){.remote = 80, .seed = 2}, &watch, &failure);
    int64_t updates = state->policy_count;
    assert_int_equal(state->policies[0]->facts.proposals.count, 20);
    session_state_free(state);
    char *path = bed_path(folder, "lanes");
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 2, .seed = 3});
    struct engine *engine;
    struct error error, warning;
    if (engine_resume(path, &data, evaluator, &engine, &warning, &error))
        BUG(error.text);
    engine_command(engine, AUTHOR_USER, "budget networks 180");
    assert_int_equal(engine_run(engine, &error), 0);
    assert_int_equal(engine_state(engine)->status_count[NODE_DONE], 180);
    assert_false(session_is_asynchronous(engine_state(engine)));
    assert_true(engine_state(engine)->policy_count >= updates + 4);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    free(path);
    scratch_remove(folder);
    free(folder);
}

/* The engine's processor time for each result, by the number of trainers; `espalier` itself measures nothing. */
static void test_processor_time(void **unused)
{
    static const int slots[] = {10, 100, 500};
    if (!getenv("ESPALIER_TEST_LONG"))
        skip();
    for (size_t i = 0; i < COUNT_OF(slots); i++) {
        static struct watch watch;
        struct timespec time, before;
        struct search_options options = bed_options();
        options.networks = 1500;
        double inside = scripted_seconds();
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        session_state_free(search(&options, &(struct script){.remote = slots[i], .seed = 2}, &watch));
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        double seconds = (double)(time.tv_sec - before.tv_sec) + (double)(time.tv_nsec - before.tv_nsec) * 1e-9;
        print_message("%d trainers: %.3f ms of the engine a result (%lld results, at most %lld at once)\n", slots[i],
                      1000 * (seconds - scripted_seconds() + inside) / (double)watch.results, (long long)watch.results,
                      (long long)watch.most_running);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_joins_and_losses),
        cmocka_unit_test(test_no_trainer_for_a_while),
        cmocka_unit_test(test_one_trainer_elsewhere_is_as_one_here),
        cmocka_unit_test(test_a_search_is_resumed_elsewhere),
        cmocka_unit_test(test_a_network_that_kills_machines),
        cmocka_unit_test(test_a_start_network_that_kills_machines),
        cmocka_unit_test(test_wrong_reports),
        cmocka_unit_test(test_no_proposals_without_end),
        cmocka_unit_test(test_many_trainers),
        cmocka_unit_test(test_the_barrier_comes_back),
        cmocka_unit_test(test_processor_time),
    };
    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
