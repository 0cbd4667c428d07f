/*
 * test_replay.c - fold(all) = fold(keyframe + tail), wherever one goes; and the jumps.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "random_event.h"
#include "session_folder.h"
#include "sessions/forecast.h"
#include "sessions/replay.h"
#include "util/memory.h"

/* A session long enough for many keyframes, and what a fold from the first event gives. */
struct bed {
    struct event_list list;
    char *folder;
    struct replay *replay;
};

static void bed_init(struct bed *bed, uint64_t seed, int networks, int steps)
{
    struct session_recipe recipe = session_recipe_default(seed);
    recipe.networks = networks;
    recipe.steps = steps;
    recipe.failures = 0.2;
    *bed = (struct bed){.folder = folder_new()};
    session_generate(&recipe, event_list_add, &bed->list);
    size_t *offsets;
    unsigned char *bytes = log_bytes(&bed->list, &offsets);
    log_put(bed->folder, bytes, offsets[bed->list.count]);
    free(bytes);
    free(offsets);
    struct error error, warning;
    if (replay_open(bed->folder, &bed->replay, &warning, &error))
        fail_msg("%s", error.text);
    assert_string_equal(warning.text, "");
}

static void bed_done(struct bed *bed)
{
    replay_free(bed->replay);
    event_list_done(&bed->list);
    folder_remove(bed->folder);
    free(bed->folder);
}

/* Fold on from position `from`, which `state` is at. */
static void fold(const struct bed *bed, struct session_state *state, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        assert_int_equal(session_apply(state, &bed->list.items[i], NULL), 0);
}

static void go(struct bed *bed, int64_t position)
{
    struct error error;
    if (replay_seek(bed->replay, position, &error))
        fail_msg("%s", error.text);
}

static void assert_same(const struct session_state *a, const struct session_state *b)
{
    char left[HASH_TEXT], right[HASH_TEXT];
    assert_string_equal(hash_print(session_digest(a), left), hash_print(session_digest(b), right));
    assert_true(a->last_number == b->last_number && a->time == b->time && a->event_count == b->event_count);
    for (int i = 0; i < a->device_count; i++)
        assert_true(a->devices[i].node == b->devices[i].node && a->devices[i].sampled == b->devices[i].sampled);
    for (int64_t i = 0; i < a->node_count; i++) /* transient things too */
        assert_true(a->nodes[i]->step == b->nodes[i]->step && a->nodes[i]->step_loss == b->nodes[i]->step_loss);
}

static int compare_positions(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Thirty places, visited in order (near a keyframe or from where it stands) and then in disorder (back and forth). */
static void test_every_place_is_the_fold_up_to_it(void **unused)
{
    enum { PLACES = 30 };
    struct bed bed;
    bed_init(&bed, 1, 400, 60); /* past 32 keyframes: they are thinned */
    assert_int_equal(replay_count(bed.replay), bed.list.count);
    assert_true(bed.list.count > 33 * 4096);
    assert_int_equal(replay_position(bed.replay), 0);
    struct random_stream stream = random_stream_new(5, RANDOM_TEST, 5, 0);
    int64_t places[PLACES];
    struct session_state *states[PLACES], *state = session_state_new();
    for (int i = 0; i < PLACES; i++)
        places[i] = random_below(&stream, (uint32_t)bed.list.count + 1);
    places[0] = 0;
    places[1] = (int64_t)bed.list.count;
    places[2] = 8192;
    qsort(places, PLACES, sizeof *places, compare_positions);
    for (int i = 0; i < PLACES; i++) {
        fold(&bed, state, i ? places[i - 1] : 0, places[i]);
        states[i] = session_state_copy(state);
        go(&bed, places[i]);
        assert_int_equal(replay_position(bed.replay), places[i]);
        assert_same(replay_state(bed.replay), states[i]);
    }
    for (int round = 0; round < 2 * PLACES; round++) {
        int i = (int)random_below(&stream, PLACES);
        go(&bed, places[i]);
        assert_same(replay_state(bed.replay), states[i]);
    }
    for (int i = 0; i < PLACES; i++)
        session_state_free(states[i]);
    session_state_free(state);
    bed_done(&bed);
}

static void test_steps_give_the_events(void **unused)
{
    struct bed bed;
    bed_init(&bed, 2, 15, 2);
    struct event event;
    for (size_t i = 0; i < bed.list.count; i++) {
        assert_int_equal(replay_step(bed.replay, &event, NULL), LOG_EVENT);
        assert_true(event_equal(&event, &bed.list.items[i]));
        event_done(&event);
    }
    assert_int_equal(replay_step(bed.replay, &event, NULL), LOG_END);
    struct session_state *state = session_state_new();
    fold(&bed, state, 0, (int64_t)bed.list.count);
    assert_same(replay_state(bed.replay), state);
    session_state_free(state);
    /* One back, and looking elsewhere moves nothing. */
    go(&bed, replay_count(bed.replay) - 1);
    assert_int_equal(replay_event(bed.replay, 3, &event, NULL), 0);
    assert_true(event_equal(&event, &bed.list.items[2]));
    event_done(&event);
    assert_int_equal(replay_position(bed.replay), bed.list.count - 1);
    assert_int_equal(replay_step(bed.replay, &event, NULL), LOG_EVENT);
    assert_int_equal(event.kind, EVENT_FINISHED);
    event_done(&event);
    go(&bed, -5);
    assert_int_equal(replay_position(bed.replay), 0);
    assert_int_equal(replay_state(bed.replay)->event_count, 0);
    go(&bed, INT64_MAX);
    assert_int_equal(replay_position(bed.replay), bed.list.count);
    bed_done(&bed);
}

static void test_times_find_their_place(void **unused)
{
    struct bed bed;
    bed_init(&bed, 3, 20, 2);
    int64_t count = replay_count(bed.replay);
    struct random_stream stream = random_stream_new(6, RANDOM_TEST, 6, 0);
    double length = replay_time(bed.replay, count);
    assert_int_equal(replay_position_at(bed.replay, -1), 0);
    assert_int_equal(replay_position_at(bed.replay, length), count);
    assert_int_equal(replay_position_at(bed.replay, length + 1), count);
    for (int round = 0; round < 200; round++) {
        double time = length * (double)random_uniform(&stream);
        if (round % 2)
            time = bed.list.items[random_below(&stream, (uint32_t)count)].time;
        int64_t expected = 0;
        while (expected < count && bed.list.items[expected].time <= time)
            expected++;
        assert_int_equal(replay_position_at(bed.replay, time), expected);
    }
    bed_done(&bed);
}

/* Follow one mark through the session by a count that doesn't use the marks. */
static void test_jumps_to_what_matters(void **unused)
{
    struct bed bed;
    bed_init(&bed, 4, 80, 2);
    struct session_state *state = session_state_new();
    int64_t best = 0, failure = 0, bests = 0, failures = 0;
    for (size_t i = 0; i < bed.list.count; i++) {
        int64_t best_before = state->best, failures_before = state->failure_count;
        fold(&bed, state, (int64_t)i, (int64_t)i + 1);
        if (state->best != best_before) {
            go(&bed, best);
            assert_int_equal(replay_next(bed.replay, REPLAY_BEST), i + 1);
            int64_t before = best;
            best = (int64_t)i + 1;
            go(&bed, best);
            assert_int_equal(replay_previous(bed.replay, REPLAY_BEST), before ? before : -1);
            assert_int_equal(replay_state(bed.replay)->best, state->best);
            bests++;
        }
        if (state->failure_count != failures_before) {
            go(&bed, failure);
            assert_int_equal(replay_next(bed.replay, REPLAY_FAILURE), i + 1);
            failure = (int64_t)i + 1;
            failures++;
        }
    }
    assert_true(bests > 3 && failures > 3);
    go(&bed, best);
    assert_int_equal(replay_next(bed.replay, REPLAY_BEST), -1);
    go(&bed, 0);
    assert_int_equal(replay_previous(bed.replay, REPLAY_BEST), -1);
    session_state_free(state);
    bed_done(&bed);
}

static void test_a_command_and_what_follows_is_one_jump(void **unused)
{
    struct bed bed;
    bed_init(&bed, 4, 80, 2);
    int64_t jumps = 0, pins = 0;
    for (int64_t position; (position = replay_next(bed.replay, REPLAY_USER)) > 0; jumps++) {
        const struct event *event = &bed.list.items[position - 1];
        const struct event *next = &bed.list.items[position];
        if (event->kind == EVENT_COMMAND && next->kind == EVENT_PINNED) {
            pins++;
            go(&bed, position);
            assert_true(replay_next(bed.replay, REPLAY_USER) != position + 1);
        }
        go(&bed, position);
    }
    assert_true(jumps > 3 && pins > 0);
    bed_done(&bed);
}

static void test_what_can_not_be_replayed_says_so(void **unused)
{
    char *folder = folder_new();
    struct replay *replay;
    struct error error;
    assert_int_equal(replay_open(folder, &replay, NULL, &error), -1);
    assert_non_null(strstr(error.text, "not a session"));
    log_put(folder, "ESPALOG\1", 8);
    assert_int_equal(replay_open(folder, &replay, NULL, &error), -1);
    assert_non_null(strstr(error.text, "no events"));
    folder_remove(folder);
    free(folder);

    struct bed bed;
    bed_init(&bed, 5, 10, 2);
    size_t *offsets, count = bed.list.count;
    unsigned char *bytes = log_bytes(&bed.list, &offsets);
    log_put(bed.folder, bytes, offsets[count] - 1);
    struct error warning;
    assert_int_equal(replay_open(bed.folder, &replay, &warning, &error), 0);
    assert_non_null(strstr(warning.text, "incomplete"));
    assert_int_equal(replay_count(replay), count - 1);
    replay_free(replay);
    log_put(bed.folder, bytes, offsets[20]); /* cut while it is open */
    assert_int_equal(replay_seek(bed.replay, (int64_t)count, &error), -1);
    assert_int_equal(replay_position(bed.replay), 20);
    assert_int_equal(replay_seek(bed.replay, 10, &error), 0);
    assert_int_equal(replay_position(bed.replay), 10);
    bytes[offsets[7] + 10] ^= 1;
    log_put(bed.folder, bytes, offsets[count]);
    assert_int_equal(replay_open(bed.folder, &replay, &warning, &error), -1);
    assert_non_null(strstr(error.text, "damaged at byte"));
    free(bytes);
    free(offsets);
    bed_done(&bed);
}

/* A recorded search whose networks become ten times as dear: from early on, its end lies within what was forecast. */
static void test_a_growing_search_is_forecast(void **unused)
{
    const char *source = getenv("top_srcdir");
    struct text folder = TEXT_EMPTY;
    struct error error, warning;
    struct replay *replay;
    text_add(&folder, "%s/sessions/gallery/cifar10-dense.esp", source ? source : ".");
    if (replay_open(text_string(&folder), &replay, &warning, &error))
        fail_msg("%s", error.text);
    double end = replay_time(replay, replay_count(replay));
    for (double share = 0.15; share < 0.92; share += 0.05) {
        assert_int_equal(replay_seek(replay, replay_position_at(replay, share * end), &error), 0);
        struct forecast forecast = session_forecast(replay_state(replay));
        double left = end - replay_state(replay)->time;
        assert_true(forecast.seconds_left > 0 && forecast.seconds_left < 1.3 * left);
        assert_true(forecast.seconds_most > 0.8 * left && forecast.seconds_most < 1.5 * left);
    }
    replay_free(replay);
    text_done(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_place_is_the_fold_up_to_it),
        cmocka_unit_test(test_steps_give_the_events),
        cmocka_unit_test(test_times_find_their_place),
        cmocka_unit_test(test_jumps_to_what_matters),
        cmocka_unit_test(test_a_command_and_what_follows_is_one_jump),
        cmocka_unit_test(test_what_can_not_be_replayed_says_so),
        cmocka_unit_test(test_a_growing_search_is_forecast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
