/*
 * test_salvage.c - whatever events of a search are lost, the repaired session can be resumed to its end.
 *
 * A search on the scripted evaluator; then, for each of its events in turn, that frame and perhaps some after it are
 * damaged, the log is repaired, and the search resumed.  Only two events can't be missed: the session's first and the
 * start network's.
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

#include "engine_bed.h"
#include "sessions/frame.h"
#include "sessions/log.h"
#include "util/file.h"
#include "util/memory.h"

struct bed {
    char *folder, *session, *log;
    unsigned char *bytes;
    size_t length;
};

static void bed_init(struct bed *bed, const struct search_options *options, const struct script *script)
{
    void *bytes;
    struct error error;
    bed->folder = scratch_new();
    session_state_free(bed_run(bed->folder, "search", options, script));
    bed->session = bed_path(bed->folder, "search");
    bed->log = file_join(bed->session, LOG_FILE);
    assert_int_equal(file_read(bed->log, 1 << 24, &bytes, &bed->length, &error), 0);
    bed->bytes = bytes;
}

static void bed_done(struct bed *bed)
{
    scratch_remove(bed->folder);
    free(bed->folder);
    free(bed->session);
    free(bed->log);
    free(bed->bytes);
}

/* Every network has an end, and none in training or waiting. */
static void check_end(const struct session_state *state, int64_t networks)
{
    assert_true(state->finished);
    assert_true(state->node_count >= networks);
    for (int64_t i = 0; i < state->node_count; i++)
        assert_true(state->nodes[i]->status != NODE_QUEUED && state->nodes[i]->status != NODE_RUNNING);
    for (int64_t i = 0; i < state->policy_count; i++)
        assert_int_equal(state->policies[i]->facts.update, i + 1);
}

/* Damage the frame at `offset` and the next ones, `count` in all; repair; resume. */
static void lose(struct bed *bed, size_t offset, int count, const struct script *script)
{
    struct fsck_report report;
    struct text findings = TEXT_EMPTY;
    struct error error;
    unsigned char *damaged = memcpy(memory_new(bed->length, 1), bed->bytes, bed->length);
    for (size_t payload; count > 0 && offset < bed->length; count--, offset += FRAME_HEADER + payload) {
        assert_int_equal(frame_check(bed->bytes + offset, bed->length - offset, &payload), FRAME_GOOD);
        damaged[offset + FRAME_HEADER + 1] ^= 0x55;
    }
    assert_int_equal(file_write(bed->log, damaged, bed->length, &error), 0);
    free(damaged);
    if (session_check(bed->session, true, &report, &findings, &error))
        fail_msg("%s", error.text);
    struct session_state *before;
    assert_int_equal(session_load(bed->session, &before, NULL, &error), 0);
    struct session_state *after = bed_resume(bed->folder, "search", script);
    check_end(after, before->node_count);
    session_state_free(before);
    session_state_free(after);
    text_done(&findings);
    char *kept = file_join(bed->session, LOG_FILE ".damaged");
    remove(kept);
    free(kept);
}

static void check_every_event(const struct search_options *options, const struct script *script)
{
    struct bed bed;
    bed_init(&bed, options, script);
    size_t payload;
    int starts = 0, lost = 0;
    for (size_t offset = LOG_HEADER; offset < bed.length; offset += FRAME_HEADER + payload) {
        struct event event;
        assert_int_equal(frame_check(bed.bytes + offset, bed.length - offset, &payload), FRAME_GOOD);
        assert_int_equal(event_decode(bed.bytes + offset + FRAME_HEADER, payload, &event, NULL), EVENT_DECODED);
        bool needed = event.kind == EVENT_SESSION || (event.kind == EVENT_NODE && event.as.node.node == 1);
        starts += needed;
        event_done(&event);
        if (starts < 2 || needed)
            continue;
        lose(&bed, offset, 1, script);
        lose(&bed, offset, 2 + lost % 7, script);
        lost++;
    }
    assert_int_equal(starts, 2);
    assert_true(lost > 60);
    bed_done(&bed);
}

static size_t offset_of_start(const struct bed *bed)
{
    size_t payload;
    for (size_t offset = LOG_HEADER;; offset += FRAME_HEADER + payload) {
        struct event event;
        assert_int_equal(frame_check(bed->bytes + offset, bed->length - offset, &payload), FRAME_GOOD);
        assert_int_equal(event_decode(bed->bytes + offset + FRAME_HEADER, payload, &event, NULL), EVENT_DECODED);
        bool found = event.kind == EVENT_NODE;
        event_done(&event);
        if (found)
            return offset;
    }
}

static enum scripted_fate often_fail(void *context, const struct trial *trial)
{
    return trial->node > 1 && trial->node % 4 == 0 ? FATE_DIVERGE : FATE_RESULT;
}

static void test_any_event_of_a_deep_tree(void **unused)
{
    struct search_options options = bed_options();
    struct script script = {.slots = 1, .seed = 1};
    options.networks = 14;
    check_every_event(&options, &script);
}

static void test_any_event_of_a_search_that_learns(void **unused)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "reinforce");
    options.parent = PARENT_START;
    options.networks = 0;
    options.episodes = 4;
    options.episode_networks = 4;
    struct script script = {.slots = 1, .seed = 2};
    check_every_event(&options, &script);
}

static void test_any_event_with_failures_and_three_slots(void **unused)
{
    struct search_options options = bed_options();
    struct script script = {.slots = 3, .seed = 3, .fate = often_fail};
    options.networks = 14;
    check_every_event(&options, &script);
}

/* Without its start network nothing can grow.  The other results are kept, and a resume says what to do. */
static void test_the_event_of_the_start_network(void **unused)
{
    struct search_options options = bed_options();
    struct script script = {.slots = 1, .seed = 4};
    struct bed bed;
    struct fsck_report report;
    struct text findings = TEXT_EMPTY;
    struct session_state *state;
    struct search_data data = scripted_data();
    struct engine *engine;
    struct error error, warning;
    options.networks = 6;
    bed_init(&bed, &options, &script);
    const size_t offset = offset_of_start(&bed);
    bed.bytes[offset + FRAME_HEADER + 1] ^= 0x55;
    assert_int_equal(file_write(bed.log, bed.bytes, bed.length, &error), 0);
    assert_int_equal(session_check(bed.session, true, &report, &findings, &error), 0);
    assert_int_equal(session_load(bed.session, &state, NULL, &error), 0);
    for (int64_t i = 2; i <= 6; i++)
        assert_int_equal(session_node(state, i)->status, NODE_DONE);
    struct evaluator *evaluator = scripted_evaluator_new(&script);
    assert_int_equal(engine_resume(bed.session, &data, evaluator, &engine, &warning, &error), -1);
    assert_non_null(strstr(error.text, "start network was lost"));
    evaluator->kind->free(evaluator);
    session_state_free(state);
    text_done(&findings);
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_event_of_a_deep_tree),
        cmocka_unit_test(test_any_event_of_a_search_that_learns),
        cmocka_unit_test(test_any_event_with_failures_and_three_slots),
        cmocka_unit_test(test_the_event_of_the_start_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
