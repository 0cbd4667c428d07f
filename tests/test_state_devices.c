/*
 * test_state_devices.c - the devices of a session: lost ones, and those of other machines, which come and go.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sessions/state.h"

static void apply(struct session_state *state, const struct event *event)
{
    struct error error = {{0}};
    if (session_apply(state, event, &error))
        fail_msg("%s", error.text);
}

static struct session_state *new_session(void)
{
    struct session_state *state = session_state_new();
    struct event event = {.kind = EVENT_SESSION, .number = 1};
    event.as.session.format = 1;
    apply(state, &event);
    return state;
}

static const struct session_device *device_of(const struct session_state *state, const char *id)
{
    const struct session_device *device = session_device(state, id);
    assert_non_null(device);
    return device;
}

static void test_a_lost_device_is_lost_with_all_its_trainers(void **unused)
{
    struct session_state *state = new_session();
    char *ids[] = {"cuda:1", "cuda:1.1", "cuda:10", "cpu:0"}, *names[] = {"one", "two"};
    struct event event = {.kind = EVENT_OPENED, .number = state->last_number + 1, .time = 3};
    event.as.opened = (struct event_opened){.devices = {4, ids}, .device_names = {2, names}};
    apply(state, &event);
    assert_string_equal(device_of(state, "cuda:1.1")->name, "two");
    event = (struct event){.kind = EVENT_LOST, .number = state->last_number + 1, .time = 3};
    event.as.lost = (struct event_lost){.device = "cuda:1", .message = "fell off the bus"};
    apply(state, &event);
    assert_true(device_of(state, "cuda:1")->lost && device_of(state, "cuda:1.1")->lost);
    assert_true(!device_of(state, "cuda:10")->lost && !device_of(state, "cpu:0")->lost);
    event = (struct event){.kind = EVENT_OPENED, .number = state->last_number + 1, .time = 4};
    apply(state, &event);
    assert_false(device_of(state, "cuda:1")->lost);
    session_state_free(state);
}

static void join(struct session_state *state, char *id)
{
    struct event event = {.kind = EVENT_JOINED, .number = state->last_number + 1, .time = 3};
    event.as.joined = (struct event_joined){.device = id, .host = "farm", .name = "a CPU", .speed_class = "slow"};
    apply(state, &event);
}

static void lose(struct session_state *state, char *id, bool left)
{
    struct event event = {.kind = EVENT_LOST, .number = state->last_number + 1, .time = 3};
    event.as.lost = (struct event_lost){.device = id, .message = "no sign of life", .left = left};
    apply(state, &event);
}

static void test_devices_of_other_machines_come_and_go(void **unused)
{
    struct session_state *state = new_session();
    char *ids[] = {"cpu:0"};
    struct event event = {.kind = EVENT_OPENED, .number = state->last_number + 1, .time = 3};
    event.as.opened = (struct event_opened){.devices = {1, ids}};
    apply(state, &event);
    assert_int_equal(session_devices_present(state), 1);
    join(state, "a.b/cpu:0");
    join(state, "a.b/cpu:0.1"); /* of another machine each is by itself */
    assert_int_equal(session_devices_present(state), 3);
    lose(state, "a.b/cpu:0", false);
    assert_true(device_of(state, "a.b/cpu:0")->lost && device_is_present(device_of(state, "a.b/cpu:0.1")));
    join(state, "a.b/cpu:0");
    lose(state, "a.b/cpu:0.1", true);
    assert_true(device_of(state, "a.b/cpu:0.1")->left && !device_of(state, "a.b/cpu:0.1")->lost);
    assert_string_equal(device_of(state, "a.b/cpu:0")->speed_class, "slow");
    event = (struct event){.kind = EVENT_OPENED, .number = state->last_number + 1, .time = 4};
    event.as.opened.instructions = "avx2"; /* it has no device of its own, and the others have not joined it yet */
    apply(state, &event);
    assert_int_equal(session_devices_present(state), 0);
    assert_true(session_waits_for_device(state));
    event =
        (struct event){.kind = EVENT_PAUSED, .number = state->last_number + 1, .time = 10, .as.paused.paused = true};
    apply(state, &event);
    event = (struct event){.kind = EVENT_JOINED, .number = state->last_number + 1, .time = 20};
    event.as.joined = (struct event_joined){.device = "c/cpu:0", .host = "c"};
    apply(state, &event);
    assert_true(session_active_seconds(state, 21) == 4); /* neither without a device nor paused */
    event = (struct event){.kind = EVENT_PAUSED, .number = state->last_number + 1, .time = 30};
    apply(state, &event);
    assert_true(session_active_seconds(state, 31) == 5);
    session_state_free(state);
}

/* A processor takes the place of the last GPU, and is in no event until it trains; so a search on this machine waits for
   nobody, and its time is counted; not even when workers trained for an earlier process. */
static void test_without_a_gpu_this_machine_trains(void **unused)
{
    struct session_state *state = new_session();
    char *ids[] = {"cuda:0"};
    struct event local = {.kind = EVENT_OPENED, .time = 3};
    local.as.opened = (struct event_opened){.devices = {1, ids}, .instructions = "avx2"};
    for (int i = 0; i < 2; i++) {
        local.number = state->last_number + 1;
        apply(state, &local);
        lose(state, "cuda:0", false);
        assert_int_equal(session_devices_present(state), 0);
        assert_false(session_waits_for_device(state));
        assert_true(session_active_seconds(state, 10) == 10);
        join(state, "a/cpu:0");
        lose(state, "a/cpu:0", true);
        assert_true(session_waits_for_device(state));
    }
    struct event event = {.kind = EVENT_OPENED, .number = state->last_number + 1, .time = 3};
    apply(state, &event); /* as the oldest logs have it */
    assert_false(session_waits_for_device(state));
    session_state_free(state);
}

/* Of more than a session keeps, the devices that are gone are forgotten, and a copy is like the original. */
static void test_devices_are_forgotten(void **unused)
{
    struct session_state *state = new_session();
    struct error error;
    char id[32];
    int local = state->device_count;
    for (int i = 0; i < 2 * SESSION_DEVICES_MAX; i++) {
        snprintf(id, sizeof id, "node/%d", i);
        join(state, id);
        if (i != 7)
            lose(state, id, true);
    }
    assert_int_equal(state->device_count, SESSION_DEVICES_MAX);
    assert_int_equal(session_devices_present(state), local + 1);
    struct session_state *copy = session_state_copy(state);
    session_state_free(state);
    assert_non_null(session_device(copy, "node/7"));
    assert_null(session_device(copy, "node/8"));
    assert_non_null(session_device(copy, id));
    for (int i = local + 1; i < SESSION_DEVICES_MAX; i++) {
        snprintf(id, sizeof id, "new/%d", i);
        join(copy, id);
    }
    struct event event = {.kind = EVENT_JOINED, .number = copy->last_number + 1, .time = copy->time};
    event.as.joined.device = "one/more";
    assert_int_equal(session_apply(copy, &event, &error), -1);
    assert_non_null(strstr(error.text, "a session has at most 4096 devices"));
    session_state_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lost_device_is_lost_with_all_its_trainers),
        cmocka_unit_test(test_devices_of_other_machines_come_and_go),
        cmocka_unit_test(test_without_a_gpu_this_machine_trains),
        cmocka_unit_test(test_devices_are_forgotten),
    };
    return cmocka_run_group_tests_name("state_devices", tests, NULL, NULL);
}
