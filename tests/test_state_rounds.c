/*
 * test_state_rounds.c - what the networks of a state say of its search: phase, cost, gain, test, and how far it is.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "sessions/fields.h"
#include "sessions/forecast.h"
#include "sessions/state.h"

static void apply(struct session_state *state, const struct event *event)
{
    struct error error = {{0}};
    if (session_apply(state, event, &error))
        fail_msg("%s", error.text);
}

static void join(struct session_state *state, enum event_author by, int64_t parent, int64_t episode)
{
    struct event event = {.kind = EVENT_NODE, .number = state->last_number + 1, .time = 20};
    event.as.node = (struct event_proposal){.node = state->node_count + 1,
                                            .parent = parent,
                                            .by = {.value = (int)by},
                                            .proposal = episode ? state->proposal_count + 1 : 0,
                                            .episode = episode,
                                            .flops = 100};
    apply(state, &event);
}

static void train_node(struct session_state *state, int64_t node, int epochs, double accuracy)
{
    struct event event = {.kind = EVENT_STARTED, .number = state->last_number + 1, .time = 20};
    event.as.started = (struct event_started){.node = node, .attempt = 1, .epochs = epochs};
    apply(state, &event);
    for (int epoch = 1; epoch <= epochs; epoch++) {
        event = (struct event){.kind = EVENT_EPOCH, .number = state->last_number + 1, .time = 20};
        event.as.epoch = (struct event_epoch){.node = node, .epoch = epoch, .epochs = epochs};
        apply(state, &event);
    }
    event = (struct event){.kind = EVENT_RESULT, .number = state->last_number + 1, .time = 20};
    event.as.result = (struct event_result){.node = node, .accuracy = accuracy, .weights = (char[]){"w"}};
    apply(state, &event);
}

/* A session of 50 images whose start network is trained. */
static struct session_state *session_of_rounds(void)
{
    struct session_state *state = session_state_new();
    struct event event = {.kind = EVENT_SESSION, .number = 1};
    event.as.session.format = 1;
    event.as.session.train_images = 50;
    apply(state, &event);
    assert_int_equal(session_phase(state), PHASE_START);
    join(state, AUTHOR_START, 0, 0);
    assert_int_equal(session_phase(state), PHASE_START);
    train_node(state, 1, 4, 0.5);
    return state;
}

static void test_phases_follow_from_the_networks(void **unused)
{
    struct session_state *state = session_of_rounds();
    assert_int_equal(session_phase(state), PHASE_GROWTH);
    join(state, AUTHOR_CONTROL, 1, 1);
    train_node(state, 2, 1, 0.6);
    assert_int_equal(session_phase(state), PHASE_GROWTH);
    join(state, AUTHOR_BASELINE, 0, 0);
    join(state, AUTHOR_USER, 1, 0);
    assert_int_equal(session_phase(state), PHASE_BASELINE);
    join(state, AUTHOR_FINISH, 2, 0);
    assert_int_equal(session_phase(state), PHASE_FINISH);
    join(state, AUTHOR_USER, 1, 0);
    assert_int_equal(session_phase(state), PHASE_FINISH);
    join(state, AUTHOR_POLICY, 2, 2); /* the budget is larger now */
    assert_int_equal(session_phase(state), PHASE_GROWTH);
    session_state_free(state);
}

static void test_flops_count_epochs_of_training(void **unused)
{
    struct session_state *state = session_of_rounds();
    assert_true(session_flops(state) == 3 * 100 * 50 * 4);
    join(state, AUTHOR_CONTROL, 1, 1);
    assert_true(session_flops(state) == 3 * 100 * 50 * 4);
    train_node(state, 2, 2, 0.6);
    assert_true(session_flops(state) == 3 * 100 * 50 * 6);
    session_state_free(state);
}

static void assert_gain(const struct session_state *state, int64_t node, double gain, int64_t over)
{
    double found = -1;
    int64_t other = -1;
    assert_true(session_gain(state, node, &found, &other));
    assert_true(fabs(found - gain) < 1e-12);
    assert_int_equal(other, over);
}

static void test_gain_is_over_the_control_of_the_round(void **unused)
{
    struct session_state *state = session_of_rounds();
    double gain;
    int64_t over;
    join(state, AUTHOR_CONTROL, 1, 1);
    join(state, AUTHOR_POLICY, 1, 1);
    join(state, AUTHOR_USER, 1, 0);
    assert_false(session_gain(state, 1, &gain, &over)); /* it has no parent */
    assert_false(session_gain(state, 3, &gain, &over)); /* it isn't trained */
    train_node(state, 3, 1, 0.75);
    train_node(state, 4, 1, 0.625);
    assert_gain(state, 3, 0.25, 1); /* its control isn't trained yet */
    train_node(state, 2, 1, 0.5625);
    assert_int_equal(session_control(state, 3), 2);
    assert_int_equal(session_control(state, 2), 0);
    assert_int_equal(session_control(state, 4), 0);
    assert_int_equal(session_control(state, 99), 0);
    assert_gain(state, 3, 0.1875, 2);
    assert_gain(state, 2, 0.0625, 1);
    assert_gain(state, 4, 0.125, 1);
    join(state, AUTHOR_POLICY, 3, 2); /* a round without a control: that of another isn't its own */
    train_node(state, 5, 1, 0.5);
    assert_gain(state, 5, -0.25, 3);
    session_state_free(state);
}

static void test_a_test_is_of_a_trained_network(void **unused)
{
    struct session_state *state = session_of_rounds();
    struct event event = {.kind = EVENT_TEST, .number = state->last_number + 1, .time = 30};
    event.as.test = (struct event_test){.node = 1, .accuracy = 0.5, .loss = 1.5, .images = 100};
    assert_int_equal(state->test.node, 0);
    apply(state, &event);
    assert_true(state->test.node == 1 && state->test.accuracy == 0.5 && state->test.loss == 1.5);
    assert_true(state->test.images == 100 && state->test.time == 30);
    session_state_free(state);
}

/* A field that the logs of before don't have changes no digest while it is 0. */
static void test_a_later_field_counts_where_it_is_set(void **unused)
{
    struct session_state *states[2] = {session_of_rounds(), session_of_rounds()};
    struct hash before = session_digest(states[0]);
    struct event event = {.kind = EVENT_BUDGET, .number = states[0]->last_number + 1, .time = 30};
    for (int i = 0; i < 2; i++) {
        event.as.budget = (struct event_budget){.networks = 5, .flops = 1e12 * i};
        apply(states[i], &event);
        assert_true(states[i]->budget_flops == 1e12 * i);
    }
    assert_false(hash_equal(before, session_digest(states[0])));
    assert_false(hash_equal(session_digest(states[0]), session_digest(states[1])));
    struct text none = TEXT_EMPTY, some = TEXT_EMPTY;
    event_fields_add_facts(EVENT_BUDGET, &(struct event_budget){.networks = 5}, &none);
    event_fields_add_facts(EVENT_BUDGET, &(struct event_budget){.networks = 5, .flops = 1}, &some);
    assert_int_equal(some.length, none.length + sizeof(double));
    text_done(&none);
    text_done(&some);
    for (int i = 0; i < 2; i++)
        session_state_free(states[i]);
}

/* The growth is the first part of a search with a finish, whose epochs are the second. */
static void test_forecast_of_a_finish(void **unused)
{
    struct session_state *state = session_state_new();
    struct event event = {.kind = EVENT_SESSION, .number = 1};
    event.as.session = (struct event_session){.format = 1, .train_images = 50};
    event_texts_add(&event.as.session.options, "networks=2");
    event_texts_add(&event.as.session.options, "finish=0.75");
    event_texts_add(&event.as.session.devices, "cpu:0");
    apply(state, &event);
    event_done(&event);
    join(state, AUTHOR_START, 0, 0);
    train_node(state, 1, 4, 0.5);
    assert_true(fabs(session_forecast(state).share - 0.125) < 1e-12);
    join(state, AUTHOR_POLICY, 1, 1);
    train_node(state, 2, 4, 0.6);
    join(state, AUTHOR_BASELINE, 0, 0);
    train_node(state, 3, 4, 0.6);
    assert_true(fabs(session_forecast(state).share - 0.25) < 1e-12);
    join(state, AUTHOR_FINISH, 2, 0);
    event = (struct event){.kind = EVENT_STARTED, .number = state->last_number + 1, .time = 20};
    event.as.started = (struct event_started){.node = 4, .attempt = 1, .epochs = 4, .device = (char[]){"cpu:0"}};
    apply(state, &event);
    assert_true(fabs(session_forecast(state).share - 0.25) < 1e-12);
    event = (struct event){.kind = EVENT_EPOCH, .number = state->last_number + 1, .time = 20};
    event.as.epoch = (struct event_epoch){.node = 4, .epoch = 1, .epochs = 4};
    apply(state, &event);
    assert_true(fabs(session_forecast(state).share - (0.25 + 0.75 / 4)) < 1e-12);
    event = (struct event){.kind = EVENT_RESULT, .number = state->last_number + 1, .time = 20};
    event.as.result = (struct event_result){.node = 4, .accuracy = 0.9, .weights = (char[]){"w"}};
    apply(state, &event);
    assert_true(session_forecast(state).share == 1);
    session_state_free(state);
    state = session_of_rounds();
    event = (struct event){.kind = EVENT_BUDGET, .number = state->last_number + 1, .time = 20};
    event.as.budget = (struct event_budget){.flops = 3 * 100 * 50 * 8};
    apply(state, &event);
    assert_true(fabs(session_forecast(state).share - 0.5) < 1e-12);
    session_state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases_follow_from_the_networks),
        cmocka_unit_test(test_flops_count_epochs_of_training),
        cmocka_unit_test(test_gain_is_over_the_control_of_the_round),
        cmocka_unit_test(test_a_test_is_of_a_trained_network),
        cmocka_unit_test(test_a_later_field_counts_where_it_is_set),
        cmocka_unit_test(test_forecast_of_a_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
