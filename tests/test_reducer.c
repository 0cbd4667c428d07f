/*
 * test_reducer.c - single events: what each kind does, what is refused, and the forecast.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "sessions/forecast.h"
#include "sessions/steps.h"
#include "util/bug.h"

static void apply(struct session_state *state, const struct event *event)
{
    struct error error = {{0}};
    if (session_apply(state, event, &error))
        fail_msg("%s", error.text);
}

/* --- what is refused ----------------------------------------------------------------------------------------- */

/* A session with networks 1 (done), 2 (running), 3 (queued), 4 (known again), one refused proposal, one update. */
static struct session_state *small_session(void)
{
    struct session_state *state = session_state_new();
    struct event event = {.kind = EVENT_SESSION, .number = 1};
    event.as.session.format = 1;
    apply(state, &event);
    for (int64_t node = 1; node <= 3; node++) {
        event = (struct event){.kind = EVENT_NODE, .number = state->last_number + 1, .time = 1};
        event.as.node =
            (struct event_proposal){.node = node, .parent = node > 1, .proposal = node - 1, .episode = node > 1};
        apply(state, &event);
    }
    event = (struct event){.kind = EVENT_STARTED, .number = state->last_number + 1, .time = 1};
    event.as.started = (struct event_started){.node = 1, .attempt = 1, .epochs = 1, .device = (char[]){"cpu:0"}};
    apply(state, &event);
    event = (struct event){.kind = EVENT_RESULT, .number = state->last_number + 1, .time = 2};
    event.as.result = (struct event_result){.node = 1, .accuracy = 0.5, .weights = (char[]){"1.safetensors"}};
    apply(state, &event);
    event = (struct event){.kind = EVENT_STARTED, .number = state->last_number + 1, .time = 2};
    event.as.started = (struct event_started){.node = 2, .attempt = 1, .epochs = 3, .device = (char[]){"cpu:0"}};
    apply(state, &event);
    return state;
}

static void refuse(struct event event, const char *why)
{
    struct session_state *state = small_session();
    struct hash digest = session_digest(state);
    struct error error = {{0}};
    if (!event.number)
        event.number = state->last_number + event_is_durable(event.kind);
    if (event.time == 0)
        event.time = state->time;
    int64_t number = state->last_number, count = state->event_count;
    double time = state->time;
    if (!session_apply(state, &event, &error))
        fail_msg("taken, but should be refused: %s", why);
    if (!strstr(error.text, why))
        fail_msg("\"%s\" does not say \"%s\"", error.text, why);
    assert_int_equal(session_accepts(state, &event, NULL), -1);
    assert_true(hash_equal(digest, session_digest(state)));
    assert_true(state->last_number == number && state->event_count == count && state->time == time);
    session_state_free(state);
}

#define REFUSE(upper, field, why, ...) refuse((struct event){.kind = EVENT_##upper, .as.field = {__VA_ARGS__}}, why)

static void test_contradictions_are_refused(void **unused)
{
    REFUSE(SESSION, session, "a second time", .format = 1);
    REFUSE(TEST, test, "no network 9", .node = 9);
    REFUSE(TEST, test, "not trained", .node = 3); /* it waits */
    REFUSE(NODE, node, "network 5 follows network 3", .node = 5, .parent = 1);
    REFUSE(NODE, node, "network 3 follows network 3", .node = 3, .parent = 1);
    REFUSE(NODE, node, "no network 4", .node = 4, .parent = 4);
    REFUSE(NODE, node, "no network -1", .node = 4, .parent = -1);
    REFUSE(NODE, node, "proposal 4 follows proposal 2", .node = 4, .parent = 1, .proposal = 4);
    REFUSE(NODE, node, "actions have 1 steps", .node = 4, .parent = 1, .steps = {1, (int64_t[]){0}});
    REFUSE(KNOWN, known, "no network 9", .node = 9, .parent = 1);
    REFUSE(KNOWN, known, "no network 0", .node = 2, .parent = 0);
    REFUSE(POLICY, policy, "no network 9", .update = 1, .asked = {1, (int64_t[]){9}});
    REFUSE(SETTINGS, settings, "can't train 0 epochs", .rate = 0.1);
    REFUSE(SETTINGS, settings, "can't train at rate -1", .epochs = 1, .rate = -1);
    REFUSE(REFUSED, refused, "no network 7", .parent = 7);
    REFUSE(REFUSED, refused, "proposal 1 follows proposal 2", .parent = 1, .proposal = 1);
    REFUSE(STARTED, started, "not in the queue", .node = 1, .attempt = 1);
    REFUSE(STARTED, started, "goes on after epoch 1, and has 0", .node = 3, .attempt = 1, .epochs = 3,
           .epochs_done = 1);
    REFUSE(STARTED, started, "goes on after epoch -1", .node = 3, .attempt = 1, .epochs = 3, .epochs_done = -1);
    REFUSE(CHANGED, changed, "\"seed\" is not an option", .options = {1, (char *[]){(char[]){"seed"}}});
    REFUSE(CHANGED, changed, "\"=3\" is not an option", .options = {1, (char *[]){(char[]){"=3"}}});
    REFUSE(STARTED, started, "not in the queue", .node = 2, .attempt = 1);
    REFUSE(STARTED, started, "no network 4", .node = 4, .attempt = 1);
    REFUSE(STARTED, started, "attempt 0", .node = 3, .attempt = 0);
    REFUSE(STARTED, started, "epochs", .node = 3, .attempt = 1, .epochs = INT64_MAX);
    REFUSE(EPOCH, epoch, "not in training", .node = 3, .epoch = 1);
    REFUSE(EPOCH, epoch, "epoch 2 of network 2 follows epoch 0", .node = 2, .epoch = 2);
    REFUSE(EPOCH, epoch, "no network 0", .node = 0, .epoch = 1);
    REFUSE(RESULT, result, "not in training", .node = 1);
    REFUSE(RESULT, result, "not in training", .node = 3);
    REFUSE(RESULT, result, "name of a file", .node = 2, .weights = (char[]){"../../etc/passwd"});
    REFUSE(RESULT, result, "name of a file", .node = 2, .weights = (char[]){".."});
    REFUSE(FAILED, failed, "neither in training nor in the queue", .node = 1);
    REFUSE(POLICY, policy, "update 2 of the policy follows update 0", .update = 2);
    REFUSE(POLICY, policy, "name of a file", .update = 1, .state = (char[]){"/tmp/x"});
    REFUSE(PINNED, pinned, "no network 4", .node = 4);
    REFUSE(PRUNED, pruned, "no network 0", .node = 0);
    REFUSE(NOTED, noted, "no network", .node = INT64_MIN);
    REFUSE(STEP, step, "no network 4", .node = 4);
    refuse((struct event){.kind = EVENT_PAUSED, .number = 1}, "it follows event");
    refuse((struct event){.kind = EVENT_SAMPLE, .number = 2}, "it follows event");
    refuse((struct event){.kind = EVENT_PAUSED, .time = 1.9}, "its time 1.9 comes before 2");
    refuse((struct event){.kind = EVENT_PAUSED, .time = (double)NAN}, "its time");
    refuse((struct event){.kind = EVENT_SAMPLE, .time = HUGE_VAL}, "its time");
}

static void test_first_event_is_the_session(void **unused)
{
    struct session_state *state = session_state_new();
    struct event event = {.kind = EVENT_OPENED, .number = 1};
    struct error error;
    assert_int_equal(session_apply(state, &event, &error), -1);
    assert_non_null(strstr(error.text, "before the session's first event"));
    event = (struct event){.kind = EVENT_SESSION, .number = 1};
    assert_int_equal(session_apply(state, &event, &error), -1); /* format 0 */
    session_state_free(state);
}

/* --- single kinds -------------------------------------------------------------------------------------------- */

static void test_options_give_the_budget(void **unused)
{
    struct session_state *state = session_state_new();
    struct event event = {.kind = EVENT_SESSION, .number = 1};
    event.as.session.format = 1;
    event_texts_add(&event.as.session.options, "networks=40");
    event_texts_add(&event.as.session.options, "networks-per=9");
    event_texts_add(&event.as.session.options, "seconds=12.5");
    event_texts_add(&event.as.session.options, "epochs=6");
    event_texts_add(&event.as.session.options, "start=C(4,3,1)=x");
    apply(state, &event);
    event_done(&event);
    assert_int_equal(state->budget_networks, 40);
    assert_int_equal(state->budget_episodes, 0);
    assert_true(state->budget_seconds == 12.5);
    assert_true(state->epochs == 6 && state->rate == -1);
    assert_string_equal(session_option(state, "start"), "C(4,3,1)=x");
    assert_null(session_option(state, "network"));
    session_state_free(state);
}

static void test_a_second_attempt_starts_anew(void **unused)
{
    struct session_state *state = small_session();
    struct event event = {.kind = EVENT_EPOCH, .number = state->last_number + 1, .time = 3};
    event.as.epoch = (struct event_epoch){.node = 2, .epoch = 1, .epochs = 3, .validation_accuracy = 0.7};
    apply(state, &event);
    event = (struct event){.kind = EVENT_STEP, .number = state->last_number, .time = 3};
    event.as.step = (struct event_step){.node = 2, .epoch = 2, .step = 5, .steps = 10, .loss = 1};
    apply(state, &event);
    const struct session_node *node = session_node(state, 2);
    assert_true(node->accuracy == 0.7 && node->step == 5);
    event = (struct event){.kind = EVENT_FAILED, .number = state->last_number + 1, .time = 3};
    event.as.failed = (struct event_failed){
        .node = 2, .attempt = 1, .reason = {.value = FAILURE_MEMORY}, .message = (char[]){"8 GiB"}, .again = true};
    apply(state, &event);
    assert_int_equal(node->status, NODE_QUEUED);
    assert_string_equal(node->failure, "memory: 8 GiB");
    assert_int_equal(state->devices[0].node, 0);
    assert_int_equal(node->step, 0);
    event = (struct event){.kind = EVENT_STARTED, .number = state->last_number + 1, .time = 4};
    event.as.started = (struct event_started){.node = 2, .attempt = 2, .epochs = 3, .device = (char[]){"cpu:9"}};
    apply(state, &event);
    assert_true(node->curve_count == 0 && node->accuracy == 0 && !node->failure && node->attempts == 2);
    assert_int_equal(state->device_count, 2); /* one that the first event didn't name */
    assert_int_equal(state->devices[1].node, 2);
    session_state_free(state);
}

static void test_opening_again_brings_networks_back(void **unused)
{
    struct session_state *state = small_session();
    struct event event = {.kind = EVENT_OPENED, .number = state->last_number + 1, .time = 3};
    apply(state, &event);
    assert_int_equal(session_node(state, 2)->status, NODE_QUEUED);
    assert_int_equal(state->status_count[NODE_RUNNING], 0);
    assert_int_equal(state->devices[0].node, 0);
    session_state_free(state);
}

static void test_pruning_takes_the_branch(void **unused)
{
    struct session_state *state = small_session();
    struct event event = {.kind = EVENT_NODE, .number = state->last_number + 1, .time = 3};
    event.as.node = (struct event_proposal){.node = 4, .parent = 2};
    apply(state, &event);
    event = (struct event){.kind = EVENT_PRUNED, .number = state->last_number + 1, .time = 3, .as.pruned = {.node = 2}};
    apply(state, &event);
    assert_true(session_node(state, 2)->pruned && session_node(state, 4)->pruned);
    assert_false(session_node(state, 1)->pruned || session_node(state, 3)->pruned);
    assert_int_equal(session_node(state, 2)->status, NODE_RUNNING); /* until its trainer says so */
    assert_int_equal(session_node(state, 4)->status, NODE_CANCELLED);
    event = (struct event){.kind = EVENT_FAILED, .number = state->last_number + 1, .time = 3};
    event.as.failed = (struct event_failed){.node = 2, .reason = {.value = FAILURE_CANCELLED}};
    apply(state, &event);
    assert_int_equal(session_node(state, 2)->status, NODE_CANCELLED);
    assert_int_equal(state->failure_count, 0);
    session_state_free(state);
}

/* Each prune is taken back by itself; what stood below an earlier one stays pruned. */
static void test_a_prune_is_taken_back(void **unused)
{
    struct session_state *state = small_session();
    static const struct event_pruned prunes[] = {{.node = 3}, {.node = 1}, {.node = 1, .back = true}};
    struct event event = {.kind = EVENT_PRUNED, .time = 3};
    struct hash before = session_digest(state);
    for (size_t i = 0; i < COUNT_OF(prunes); i++) {
        event.number = state->last_number + 1;
        event.as.pruned = prunes[i];
        apply(state, &event);
        assert_int_equal(session_node(state, 1)->pruned, i == 1);
        assert_true(session_node(state, 3)->pruned && session_node(state, 3)->pruned_with == 3);
    }
    event.number = state->last_number + 1;
    assert_int_equal(session_accepts(state, &event, NULL), -1); /* n1 isn't pruned any more */
    event.as.pruned.node = 3;
    apply(state, &event);
    assert_false(session_node(state, 3)->pruned);
    assert_false(hash_equal(before, session_digest(state))); /* the history is another */
    session_state_free(state);
}

/* Propose network `node` from n1; 0: refused. */
static void propose(struct session_state *state, enum event_kind kind, int64_t node, struct event_word by)
{
    struct event event = {.kind = kind, .number = state->last_number + 1, .time = 3};
    event.as.node = (struct event_proposal){
        .node = node, .parent = 1, .by = by, .proposal = state->proposal_count + 1, .episode = 1};
    apply(state, &event);
}

/* What led to nothing new, in a row: of the search, and of a parent, which a network still in training may yet help. */
static void test_fruitless_proposals_are_counted(void **unused)
{
    struct session_state *state = small_session();
    const struct event_word policy = {.other = (char[]){"random"}};
    propose(state, EVENT_KNOWN, 1, policy);
    propose(state, EVENT_KNOWN, 2, policy); /* in training */
    propose(state, EVENT_REFUSED, 0, policy);
    propose(state, EVENT_REFUSED, 0, (struct event_word){.value = AUTHOR_REPAIR});
    assert_int_equal(session_node(state, 1)->fruitless_count, 2);
    assert_int_equal(state->not_new_count, 4);
    assert_true(state->proposals[2]->fruitless && !state->proposals[3]->fruitless && !state->proposals[5]->fruitless);
    struct event event = {.kind = EVENT_RESULT, .number = state->last_number + 1, .time = 3};
    event.as.result = (struct event_result){.node = 2, .accuracy = 0.4, .weights = (char[]){"2.safetensors"}};
    apply(state, &event);
    assert_int_equal(state->not_new_count, 0);
    assert_int_equal(session_node(state, 1)->fruitless_count, 2);
    propose(state, EVENT_KNOWN, 2, policy);
    assert_int_equal(state->not_new_count, 1);
    assert_int_equal(session_node(state, 1)->fruitless_count, 3);
    event = (struct event){.kind = EVENT_FINISHED, .number = state->last_number + 1, .time = 3};
    event.as.finished.reason.value = FINISH_EXHAUSTED;
    apply(state, &event);
    assert_int_equal(state->not_new_count, 0);
    propose(state, EVENT_NODE, 4, policy);
    assert_int_equal(session_node(state, 1)->fruitless_count, 0);
    session_state_free(state);
}

static void test_best_is_the_first_of_the_highest(void **unused)
{
    static const double accuracies[] = {(double)NAN, 0.4, 0.6, 0.6, 0.5};
    static const int64_t best[] = {0, 2, 3, 3, 3};
    struct session_state *state = session_state_new();
    struct event event = {.kind = EVENT_SESSION, .number = 1};
    event.as.session.format = 1;
    apply(state, &event);
    for (size_t i = 0; i < COUNT_OF(accuracies); i++) {
        int64_t node = (int64_t)i + 1;
        event = (struct event){.kind = EVENT_NODE, .number = state->last_number + 1, .as.node = {.node = node}};
        apply(state, &event);
        event = (struct event){.kind = EVENT_STARTED, .number = state->last_number + 1};
        event.as.started = (struct event_started){.node = node, .attempt = 1};
        apply(state, &event);
        event = (struct event){.kind = EVENT_RESULT, .number = state->last_number + 1};
        event.as.result = (struct event_result){.node = node, .accuracy = accuracies[i]};
        apply(state, &event);
        assert_int_equal(state->best, best[i]);
    }
    session_state_free(state);
}

static void test_numbers_may_jump_over_unknown_kinds(void **unused)
{
    struct session_state *state = small_session();
    struct event event = {
        .kind = EVENT_PAUSED, .number = state->last_number + 5, .time = 3, .as.paused = {.paused = true}};
    apply(state, &event);
    assert_true(state->paused);
    session_state_free(state);
}

static void test_what_a_person_takes_back_is_gone(void **unused)
{
    struct session_state *state = small_session();
    for (int on = 1; on >= 0; on--) {
        struct event event = {.kind = EVENT_PAUSED, .number = state->last_number + 1, .time = 3};
        event.as.paused.paused = on;
        apply(state, &event);
        event = (struct event){.kind = EVENT_PINNED, .number = state->last_number + 1, .time = 3};
        event.as.pinned = (struct event_pinned){.node = 2, .pinned = on};
        apply(state, &event);
        event = (struct event){.kind = EVENT_NOTED, .number = state->last_number + 1, .time = 3};
        event.as.noted = (struct event_noted){.node = 2, .note = on ? (char[]){"odd"} : (char[]){""}};
        apply(state, &event);
        event = (struct event){.kind = EVENT_BUDGET, .number = state->last_number + 1, .time = 3};
        event.as.budget = (struct event_budget){.episodes = 3 * on, .networks = 4 * on, .seconds = 5 * on};
        apply(state, &event);
        event = (struct event){.kind = EVENT_SETTINGS, .number = state->last_number + 1, .time = 3};
        event.as.settings = (struct event_settings){.epochs = 7 + on, .rate = 0.5 * on};
        apply(state, &event);
        assert_true(state->epochs == 7 + on && state->rate == 0.5 * on);
        assert_int_equal(state->paused, on);
        assert_int_equal(session_node(state, 2)->pinned, on);
        assert_string_equal(session_node(state, 2)->note, on ? "odd" : "");
        assert_true(state->budget_episodes == 3 * on && state->budget_networks == 4 * on);
        assert_true(state->budget_seconds == 5 * on);
    }
    session_state_free(state);
}

static void command(struct session_state *state, const char *words, int64_t undoes)
{
    struct event event = {.kind = EVENT_COMMAND, .number = state->last_number + 1, .time = 3};
    event.as.command =
        (struct event_command){.by = {.value = AUTHOR_USER}, .words = (char *)(uintptr_t)words, .undoes = undoes};
    apply(state, &event);
}

static void pruned(struct session_state *state, int64_t node, bool back)
{
    struct event event = {.kind = EVENT_PRUNED, .number = state->last_number + 1, .time = 3};
    event.as.pruned = (struct event_pruned){.node = node, .by = {.value = AUTHOR_USER}, .back = back};
    apply(state, &event);
}

/* A log of before `undoes` says what an undo took back by its effect only; a copy has steps of its own. */
static void test_steps_of_persons(void **unused)
{
    for (int old = 0; old < 2; old++) {
        struct session_state *state = small_session(), *copy;
        struct text words = TEXT_EMPTY;
        struct error error;
        command(state, "prune 1", 0);
        pruned(state, 1, false);
        command(state, "stop", 0);
        assert_int_equal(session_step_last(state, AUTHOR_USER), 1);
        assert_int_equal(session_step_last(state, AUTHOR_RESUME), 0);
        assert_int_equal(session_step_reverse(state, 1, &words, &error), 0);
        assert_string_equal(text_string(&words), "unprune 1");
        copy = session_state_copy(state);
        command(state, "undo", old ? 0 : session_step(state, 1)->number);
        pruned(state, 1, true);
        assert_int_equal(state->step_count, 2);
        assert_int_equal(session_step(state, 1)->undone_by, state->last_number - 1);
        assert_int_equal(session_step_last(state, AUTHOR_USER), 0);
        assert_int_equal(session_step_reverse(state, 1, &words, &error), -1);
        assert_int_equal(session_step(copy, 1)->undone_by, 0);
        session_state_free(copy);
        session_state_free(state);
        text_done(&words);
    }
}

static void test_epochs_add_up_until_the_result(void **unused)
{
    struct session_state *state = small_session();
    const struct session_node *node = session_node(state, 2);
    for (int epoch = 1; epoch <= 3; epoch++) {
        struct event event = {.kind = EVENT_EPOCH, .number = state->last_number + 1, .time = 3};
        event.as.epoch = (struct event_epoch){.node = 2,
                                              .epoch = epoch,
                                              .epochs = 3,
                                              .rate = 0.1 * epoch,
                                              .train_loss = epoch,
                                              .train_accuracy = 2 * epoch,
                                              .validation_loss = 3 * epoch,
                                              .validation_accuracy = 4 * epoch,
                                              .seconds = 10,
                                              .images_per_second = 5 * epoch};
        apply(state, &event);
        assert_int_equal(node->curve_count, epoch);
        assert_true(node->seconds == 10 * epoch && node->images_per_second == 5 * epoch);
        assert_true(node->accuracy == 4 * epoch && node->loss == 3 * epoch);
        const struct curve_point *point = &node->curve[epoch - 1];
        assert_true(point->rate == 0.1 * epoch && point->train_loss == epoch && point->train_accuracy == 2 * epoch &&
                    point->validation_loss == 3 * epoch && point->validation_accuracy == 4 * epoch);
    }
    struct event event = {.kind = EVENT_RESULT, .number = state->last_number + 1, .time = 4};
    event.as.result =
        (struct event_result){.node = 2, .accuracy = 0.7, .loss = 0.6, .seconds = 31, .images_per_second = 9};
    apply(state, &event);
    assert_true(node->accuracy == 0.7 && node->loss == 0.6 && node->seconds == 31 && node->images_per_second == 9);
    assert_true(node->ended == 4 && state->best == 2 && state->best_time == 4 && node->step == 0);
    session_state_free(state);
}

static void test_what_the_policy_was_shown(void **unused)
{
    struct session_state *state = small_session();
    struct event event = {.kind = EVENT_POLICY, .number = state->last_number + 1, .time = 3};
    event.as.policy = (struct event_policy){.update = 1, .episode = 1, .asked = {1, (int64_t[]){2}}};
    apply(state, &event);
    struct session_state *copy = session_state_copy(state);
    assert_true(session_node(copy, 2)->observed && !session_node(copy, 1)->observed &&
                !session_node(copy, 3)->observed);
    assert_int_equal(copy->policies[0]->facts.asked.items[0], 2);
    session_state_free(state);
    session_state_free(copy);
}

static void test_late_step_is_ignored(void **unused)
{
    struct session_state *state = small_session();
    struct event event = {.kind = EVENT_STEP, .number = state->last_number, .time = 3};
    event.as.step = (struct event_step){.node = 1, .step = 3, .steps = 9};
    apply(state, &event);
    assert_int_equal(session_node(state, 1)->step, 0);
    session_state_free(state);
}

static void test_pauses_are_not_counted(void **unused)
{
    static const struct {
        double time;
        bool paused;
        double active;
    } steps[] = {
        {10, true, 10}, {14, true, 10}, {20, false, 10}, {21, false, 11}, {25, true, 15}, {30, false, 15},
    };
    struct session_state *state = small_session();
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct event event = {.kind = EVENT_PAUSED, .number = state->last_number + 1, .time = steps[i].time};
        event.as.paused.paused = steps[i].paused;
        apply(state, &event);
        assert_true(session_active_seconds(state, state->time) == steps[i].active);
    }
    assert_true(session_active_seconds(state, 33) == 18);
    session_state_free(state);
}

/* --- the forecast -------------------------------------------------------------------------------------------- */

static void test_forecast_is_by_the_nearest_limit(void **unused)
{
    struct session_state *state = small_session(); /* 1 done, 2 about to train for 3 epochs, at 2 s */
    struct forecast forecast = session_forecast(state);
    assert_true(forecast.share == 0 && forecast.seconds_left < 0);
    struct event event = {.kind = EVENT_EPOCH, .number = state->last_number + 1, .time = 10};
    event.as.epoch = (struct event_epoch){.node = 2, .epoch = 1, .epochs = 4};
    apply(state, &event);
    event = (struct event){.kind = EVENT_STEP, .number = state->last_number, .time = 10};
    event.as.step = (struct event_step){.node = 2, .step = 5, .steps = 5};
    apply(state, &event);
    event = (struct event){.kind = EVENT_BUDGET, .number = state->last_number + 1, .time = 10};
    event.as.budget = (struct event_budget){.networks = 3};
    apply(state, &event);
    forecast = session_forecast(state); /* one and a half networks of three */
    assert_true(fabs(forecast.share - 0.5) < 1e-12 && fabs(forecast.seconds_left - 10) < 1e-9);
    event.number++;
    event.as.budget.seconds = 12.5;
    apply(state, &event);
    forecast = session_forecast(state);
    assert_true(fabs(forecast.share - 0.8) < 1e-12 && fabs(forecast.seconds_left - 2.5) < 1e-9);
    event.number++;
    event.as.budget.seconds = 5;
    apply(state, &event);
    forecast = session_forecast(state);
    assert_true(forecast.share == 1 && forecast.seconds_left == 0);
    session_state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contradictions_are_refused),
        cmocka_unit_test(test_first_event_is_the_session),
        cmocka_unit_test(test_options_give_the_budget),
        cmocka_unit_test(test_a_second_attempt_starts_anew),
        cmocka_unit_test(test_opening_again_brings_networks_back),
        cmocka_unit_test(test_pruning_takes_the_branch),
        cmocka_unit_test(test_a_prune_is_taken_back),
        cmocka_unit_test(test_fruitless_proposals_are_counted),
        cmocka_unit_test(test_best_is_the_first_of_the_highest),
        cmocka_unit_test(test_numbers_may_jump_over_unknown_kinds),
        cmocka_unit_test(test_what_a_person_takes_back_is_gone),
        cmocka_unit_test(test_steps_of_persons),
        cmocka_unit_test(test_epochs_add_up_until_the_result),
        cmocka_unit_test(test_what_the_policy_was_shown),
        cmocka_unit_test(test_late_step_is_ignored),
        cmocka_unit_test(test_pauses_are_not_counted),
        cmocka_unit_test(test_forecast_is_by_the_nearest_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
