/*
 * test_fsck.c - damage: what is found, where, and what is left after a repair; and the files beside the log.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session_folder.h"
#include "sessions/frame.h"
#include "sessions/log.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/random.h"

/* A generated session as bytes, and a folder to damage it in. */
struct bed {
    struct event_list list;
    size_t *offsets, length;
    unsigned char *bytes;
    char *folder;
    struct fsck_report report;
    struct text findings;
    struct error error;
};

static void bed_init(struct bed *bed, uint64_t seed, int networks)
{
    struct session_recipe recipe = session_recipe_default(seed);
    recipe.networks = networks;
    *bed = (struct bed){.folder = folder_new()};
    session_generate(&recipe, event_list_add, &bed->list);
    bed->bytes = log_bytes(&bed->list, &bed->offsets);
    bed->length = bed->offsets[bed->list.count];
}

static void bed_done(struct bed *bed)
{
    event_list_done(&bed->list);
    free(bed->offsets);
    free(bed->bytes);
    folder_remove(bed->folder);
    free(bed->folder);
    text_done(&bed->findings);
}

static int check(struct bed *bed, bool repair)
{
    text_clear(&bed->findings);
    return session_check(bed->folder, repair, &bed->report, &bed->findings, &bed->error);
}

static void check_ok(struct bed *bed, bool repair)
{
    if (check(bed, repair))
        fail_msg("%s", bed->error.text);
}

static struct session_state *load(struct bed *bed)
{
    struct session_state *state;
    struct error warning;
    if (session_load(bed->folder, &state, &warning, &bed->error))
        fail_msg("%s", bed->error.text);
    assert_string_equal(warning.text, "");
    return state;
}

static size_t find_kind(const struct event_list *list, enum event_kind kind, int which)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind == kind && !which--)
            return i;
    fail_msg("no event %s is in the session", event_kind_name(kind));
    return 0;
}

static void finds(const struct bed *bed, const char *what)
{
    if (!strstr(text_string(&bed->findings), what))
        fail_msg("\"%s\" is not in:\n%s", what, text_string(&bed->findings));
}

/* After a repair: it loads, a second check has nothing more to say of the log, and the damaged one is kept. */
static struct session_state *repair(struct bed *bed, const unsigned char *damaged)
{
    check_ok(bed, true);
    struct session_state *state = load(bed);
    struct fsck_report first = bed->report;
    check_ok(bed, false);
    assert_int_equal(bed->report.frames_bad + bed->report.bytes_skipped, 0);
    bed->report = first;
    char *path = file_join(bed->folder, LOG_FILE ".damaged");
    void *kept;
    size_t length;
    assert_int_equal(file_read(path, bed->length, &kept, &length, NULL), 0);
    assert_int_equal(length, bed->length);
    assert_memory_equal(kept, damaged, length);
    free(kept);
    assert_int_equal(file_exists(path), 1);
    remove(path);
    free(path);
    return state;
}

/* --- one byte ------------------------------------------------------------------------------------------------ */

static void test_a_good_log_is_clean(void **unused)
{
    struct bed bed;
    bed_init(&bed, 1, 20);
    log_put(bed.folder, bed.bytes, bed.length);
    check_ok(&bed, true);
    assert_int_equal(bed.report.frames_good, bed.list.count);
    assert_int_equal(bed.report.frames_bad + bed.report.bytes_skipped, 0);
    char *kept = file_join(bed.folder, LOG_FILE ".damaged");
    assert_false(file_exists(kept)); /* nothing was repaired */
    free(kept);
    bed_done(&bed);
}

/* A flipped byte anywhere: the message has the frame's offset, and a repair keeps nearly all. */
static void test_a_flipped_byte_is_found_and_salvaged(void **unused)
{
    struct bed bed;
    bed_init(&bed, 2, 30);
    struct random_stream stream = random_stream_new(3, RANDOM_TEST, 3, 0);
    for (int round = 0; round < 150; round++) {
        size_t frame = 1 + random_below(&stream, (uint32_t)bed.list.count - 2); /* not the first, not the last */
        size_t size = bed.offsets[frame + 1] - bed.offsets[frame];
        size_t at = bed.offsets[frame] + (round % 2 ? random_below(&stream, 8) : random_below(&stream, (uint32_t)size));
        unsigned char flip = (unsigned char)(1 + random_below(&stream, 255)), *byte = &bed.bytes[at];
        struct session_state *state;
        char where[64];
        *byte ^= flip;
        log_put(bed.folder, bed.bytes, bed.length);
        assert_int_equal(session_load(bed.folder, &state, NULL, &bed.error), -1);
        snprintf(where, sizeof where, "damaged at byte %zu ", bed.offsets[frame]);
        if (!strstr(bed.error.text, where))
            fail_msg("\"%s\" does not say \"%s\"", bed.error.text, where);
        struct log_writer *writer;
        assert_int_equal(log_open(bed.folder, &writer, &state, NULL, &bed.error), -1);
        check_ok(&bed, false);
        assert_true(bed.report.frames_bad >= 1);
        assert_int_equal(log_size(bed.folder), bed.length); /* only looked */
        state = repair(&bed, bed.bytes);
        assert_int_equal(bed.report.bytes_skipped >= (int64_t)size, 1);
        /* What the frame said is lost, and what leant on it; the rest of the tree is there. */
        assert_true(state->node_count >= 29 && state->node_count <= 31);
        assert_true(bed.report.frames_good + 45 >= (int64_t)bed.list.count); /* two attempts of a network, at most */
        session_state_free(state);
        *byte ^= flip;
    }
    bed_done(&bed);
}

static void test_the_first_event_can_not_be_replaced(void **unused)
{
    struct bed bed;
    bed_init(&bed, 3, 5);
    bed.bytes[bed.offsets[0] + 20] ^= 1;
    log_put(bed.folder, bed.bytes, bed.length);
    assert_int_equal(check(&bed, true), -1);
    assert_non_null(strstr(bed.error.text, "first event is lost"));
    assert_int_equal(log_size(bed.folder), bed.length);
    bed_done(&bed);
}

static void test_a_damaged_header_is_mended(void **unused)
{
    struct bed bed;
    bed_init(&bed, 4, 5);
    bed.bytes[2] ^= 0x40;
    log_put(bed.folder, bed.bytes, bed.length);
    struct session_state *state = repair(&bed, bed.bytes);
    assert_int_equal(bed.report.frames_good, bed.list.count);
    session_state_free(state);
    bed.bytes[2] ^= 0x40;
    bed.bytes[7] = 9;
    log_put(bed.folder, bed.bytes, bed.length);
    assert_int_equal(check(&bed, true), -1);
    assert_non_null(strstr(bed.error.text, "newer espalier"));
    bed_done(&bed);
}

static void test_a_torn_end_is_cut_by_a_repair(void **unused)
{
    struct bed bed;
    bed_init(&bed, 5, 5);
    bed.length -= 3;
    log_put(bed.folder, bed.bytes, bed.length);
    check_ok(&bed, false);
    assert_int_equal(bed.report.frames_bad, 0); /* a crash is no damage */
    assert_true(bed.report.bytes_skipped > 0);
    finds(&bed, "the last event is incomplete");
    session_state_free(repair(&bed, bed.bytes));
    bed_done(&bed);
}

/* --- lost events --------------------------------------------------------------------------------------------- */

/* Take frames first … last out of the bed's bytes, and repair; with `hole`, leave as many zeros in their place. */
static struct session_state *without(struct bed *bed, size_t first, size_t last, bool hole)
{
    size_t begin = bed->offsets[first], end = bed->offsets[last + 1], whole = bed->length;
    unsigned char *damaged = memory_new(whole, 1);
    memcpy(damaged, bed->bytes, whole);
    if (hole)
        memset(damaged + begin, 0, end - begin);
    else
        memmove(damaged + begin, damaged + end, whole - end);
    bed->length = hole ? whole : whole - (end - begin);
    log_put(bed->folder, damaged, bed->length);
    struct session_state *state;
    assert_int_equal(session_load(bed->folder, &state, NULL, &bed->error), -1);
    state = repair(bed, damaged);
    bed->length = whole;
    free(damaged);
    return state;
}

static void test_a_missing_frame_is_noticed_by_its_number(void **unused)
{
    struct bed bed;
    bed_init(&bed, 6, 10);
    size_t epoch = find_kind(&bed.list, EVENT_EPOCH, 4);
    struct session_state *state = without(&bed, epoch, epoch, false);
    assert_non_null(strstr(bed.error.text, "so events are missing"));
    assert_true(bed.report.frames_bad >= 1);
    check_ok(&bed, false);
    session_state_free(state);
    bed_done(&bed);
}

/* One finding for each place: a gap in the numbers after damaged bytes is explained by them. */
static void test_findings_are_one_a_place(void **unused)
{
    struct bed bed;
    bed_init(&bed, 6, 10);
    size_t epoch = find_kind(&bed.list, EVENT_EPOCH, 4);
    bed.bytes[bed.offsets[epoch] + 30] ^= 8;
    log_put(bed.folder, bed.bytes, bed.length);
    check_ok(&bed, false);
    char line[80];
    snprintf(line, sizeof line, "bytes %zu to %zu are damaged\n", bed.offsets[epoch], bed.offsets[epoch + 1] - 1);
    finds(&bed, line);
    assert_null(strstr(bed.findings.bytes, "are missing"));
    memmove(bed.bytes + bed.offsets[epoch], bed.bytes + bed.offsets[epoch + 1], bed.length - bed.offsets[epoch + 1]);
    log_put(bed.folder, bed.bytes, bed.length - (bed.offsets[epoch + 1] - bed.offsets[epoch]));
    check_ok(&bed, false);
    snprintf(line, sizeof line, "byte %zu: events %lld to %lld are missing", bed.offsets[epoch],
             (long long)bed.list.items[epoch].number, (long long)bed.list.items[epoch].number);
    finds(&bed, line);
    bed_done(&bed);
}

static void test_a_second_repair_keeps_both_old_logs(void **unused)
{
    struct bed bed;
    bed_init(&bed, 6, 10);
    for (int round = 0; round < 3; round++) {
        bed.bytes[bed.offsets[20 + round] + 30] ^= 8;
        log_put(bed.folder, bed.bytes, bed.length);
        check_ok(&bed, true);
    }
    static const char *const kept[] = {LOG_FILE ".damaged", LOG_FILE ".damaged.2", LOG_FILE ".damaged.3"};
    void *old[3];
    size_t length;
    for (int i = 0; i < 3; i++) {
        char *path = file_join(bed.folder, kept[i]);
        assert_int_equal(file_read(path, 1 << 24, &old[i], &length, NULL), 0);
        assert_int_equal(length, bed.length);
        free(path);
    }
    assert_memory_equal(old[2], bed.bytes, bed.length);
    assert_memory_not_equal(old[0], bed.bytes, bed.length);
    for (int i = 0; i < 3; i++)
        free(old[i]);
    bed_done(&bed);
}

static void test_a_lost_network_gets_a_placeholder(void **unused)
{
    for (int hole = 0; hole < 2; hole++) {
        struct bed bed;
        bed_init(&bed, 7, 30);
        size_t at = find_kind(&bed.list, EVENT_NODE, 3);
        struct session_state *state = without(&bed, at, at, hole);
        assert_int_equal(state->node_count, 30);
        const struct session_node *lost = session_node(state, 4), *start = session_node(state, 1);
        assert_int_equal(lost->facts.by.value, AUTHOR_REPAIR);
        assert_string_equal(lost->facts.arch, start->facts.arch);
        assert_true(lost->pruned && lost->status == NODE_CANCELLED);
        assert_true(state->proposals[2]->facts.node == 0 || state->proposals[2]->facts.node != 4);
        for (int64_t i = 5; i <= 30; i++) { /* the others are what they were */
            const struct session_node *node = session_node(state, i);
            assert_int_equal(node->facts.node, i);
            assert_true(node->facts.parent != 4); /* but those that grew from it don't know their origin */
            assert_int_equal(node->facts.actions.count > 0, node->facts.parent > 0);
            assert_true(node->status == NODE_DONE || node->status == NODE_FAILED || node->status == NODE_CANCELLED);
        }
        session_state_free(state);
        bed_done(&bed);
    }
}

static void test_a_lost_start_still_gives_the_result(void **unused)
{
    struct bed bed;
    bed_init(&bed, 8, 20);
    size_t at = find_kind(&bed.list, EVENT_STARTED, 5);
    int64_t node = bed.list.items[at].as.started.node;
    struct session_state *state = without(&bed, at, at, true);
    assert_int_equal(session_node(state, node)->status, NODE_DONE);
    assert_true(session_node(state, node)->accuracy > 0.1);
    session_state_free(state);
    bed_done(&bed);
}

static void test_a_lost_epoch_leaves_a_hole_in_the_curve(void **unused)
{
    struct bed bed;
    bed_init(&bed, 6, 10);
    size_t at = find_kind(&bed.list, EVENT_EPOCH, 4);
    const struct event_epoch *lost = &bed.list.items[at].as.epoch;
    struct session_state *state = without(&bed, at, at, true);
    const struct session_node *node = session_node(state, lost->node);
    assert_int_equal(node->curve_count, lost->epochs);
    for (int64_t i = 0; i < lost->epochs; i++)
        assert_int_equal(isnan(node->curve[i].validation_accuracy), i + 1 == lost->epoch);
    assert_int_equal(node->status, NODE_DONE);
    session_state_free(state);
    bed_done(&bed);
}

static void test_a_lost_update_keeps_the_numbers_of_the_others(void **unused)
{
    struct bed bed;
    bed_init(&bed, 9, 40);
    size_t at = find_kind(&bed.list, EVENT_POLICY, 1);
    struct session_state *state = without(&bed, at, at, true);
    assert_true(state->policy_count >= 3);
    for (int64_t i = 0; i < state->policy_count; i++)
        assert_int_equal(state->policies[i]->facts.update, i + 1);
    assert_string_equal(state->policies[1]->facts.state, "");
    session_state_free(state);
    bed_done(&bed);
}

/* A block of a disk is gone.  Whatever was in it, what is left is a session, and most of it. */
static void test_blocks_of_zeros(void **unused)
{
    struct bed bed;
    bed_init(&bed, 10, 60);
    struct random_stream stream = random_stream_new(4, RANDOM_TEST, 4, 0);
    unsigned char *damaged = memory_new(bed.length, 1);
    for (int round = 0; round < 40; round++) {
        size_t size = 512u << random_below(&stream, 4);
        size_t at = bed.offsets[1] + random_below(&stream, (uint32_t)(bed.length - bed.offsets[1] - size));
        memcpy(damaged, bed.bytes, bed.length);
        memset(damaged + at, 0, size);
        log_put(bed.folder, damaged, bed.length);
        struct session_state *state = repair(&bed, damaged);
        assert_true(bed.report.frames_good > (int64_t)bed.list.count / 2);
        assert_true(state->node_count <= 60);
        session_state_free(state);
    }
    free(damaged);
    bed_done(&bed);
}

/* Frames twice over, as after a careless copy: the second ones are left out. */
static void test_repeated_frames_are_left_out(void **unused)
{
    struct bed bed;
    bed_init(&bed, 11, 10);
    struct session_state *whole = session_state_new(), *state;
    for (size_t i = 0; i < bed.list.count; i++)
        assert_int_equal(session_apply(whole, &bed.list.items[i], NULL), 0);
    size_t half = bed.list.count / 2, last = bed.list.count - 1;
    const size_t again[][2] = {{half, 3}, {last + 1, last}}; /* after the first number of frames, from the second on */
    for (size_t i = 0; i < COUNT_OF(again); i++) {
        struct text text = TEXT_EMPTY;
        size_t from = bed.offsets[again[i][1]], length = bed.length;
        text_add_bytes(&text, (const char *)bed.bytes, bed.offsets[again[i][0]]);
        text_add_bytes(&text, (const char *)bed.bytes + from, length - from);
        log_put(bed.folder, text.bytes, text.length);
        bed.length = text.length;
        state = repair(&bed, (unsigned char *)text.bytes);
        assert_true(hash_equal(session_digest(whole), session_digest(state)));
        bed.length = length;
        session_state_free(state);
        text_done(&text);
    }
    session_state_free(whole);
    bed_done(&bed);
}

static void test_a_repair_wants_the_session_for_itself(void **unused)
{
    struct bed bed;
    bed_init(&bed, 12, 5);
    log_put(bed.folder, bed.bytes, bed.length);
    struct log_writer *writer;
    struct session_state *state;
    assert_int_equal(log_open(bed.folder, &writer, &state, NULL, &bed.error), 0);
    assert_int_equal(check(&bed, true), -1);
    assert_non_null(strstr(bed.error.text, "writes this session"));
    check_ok(&bed, false); /* looking is free */
    session_state_free(state);
    log_close(writer);
    bed_done(&bed);
}

/* --- files --------------------------------------------------------------------------------------------------- */

static void put_file(const char *folder, const char *place, const char *name, const char *contents)
{
    char *inside = file_join(folder, place), *path = file_join(inside, name);
    assert_int_equal(file_make_folder(inside, NULL), 0);
    assert_int_equal(file_write(path, contents, strlen(contents), NULL), 0);
    free(path);
    free(inside);
}

/* Give every file that the events name contents and the hash of them. */
static void put_files(struct bed *bed)
{
    for (size_t i = 0; i < bed->list.count; i++) {
        struct event *event = &bed->list.items[i];
        bool result = event->kind == EVENT_RESULT;
        if (event->kind == EVENT_DROPPED)
            event->as.dropped.nodes.count = 0; /* here every file is there */
        if (!result && event->kind != EVENT_POLICY)
            continue;
        const char *name = result ? event->as.result.weights : event->as.policy.state;
        char **hash = result ? &event->as.result.weights_hash : &event->as.policy.state_hash, text[HASH_TEXT];
        put_file(bed->folder, result ? "weights" : "policy", name, name);
        free(*hash);
        *hash = memory_copy_text(hash_print(hash_of(name, strlen(name)), text));
    }
    free(bed->offsets);
    free(bed->bytes);
    bed->bytes = log_bytes(&bed->list, &bed->offsets);
    bed->length = bed->offsets[bed->list.count];
    log_put(bed->folder, bed->bytes, bed->length);
}

static void test_files_are_compared_with_their_events(void **unused)
{
    struct bed bed;
    bed_init(&bed, 12, 25);
    put_files(&bed);
    check_ok(&bed, false);
    assert_string_equal(text_string(&bed.findings), "");
    assert_int_equal(bed.report.weights_missing + bed.report.weights_wrong + bed.report.orphans, 0);

    put_file(bed.folder, "weights", "2.safetensors", "3.safetensors");
    put_file(bed.folder, "policy", "u1.safetensors", "");
    put_file(bed.folder, "weights", "stray", "");
    put_file(bed.folder, "policy", "u99.safetensors", "");
    char *path = file_join(bed.folder, "weights/1.safetensors");
    remove(path);
    free(path);
    check_ok(&bed, false);
    assert_int_equal(bed.report.weights_missing, 1);
    assert_int_equal(bed.report.weights_wrong, 2);
    assert_int_equal(bed.report.orphans, 2);
    finds(&bed, "weights/1.safetensors: missing\n");
    finds(&bed, "weights/2.safetensors: its content is not what was saved\n");
    finds(&bed, "policy/u1.safetensors: its content");
    finds(&bed, "weights/stray: no event names this file\n");
    finds(&bed, "policy/u99.safetensors: no event names this file\n");
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_log_is_clean),
        cmocka_unit_test(test_a_flipped_byte_is_found_and_salvaged),
        cmocka_unit_test(test_the_first_event_can_not_be_replaced),
        cmocka_unit_test(test_a_damaged_header_is_mended),
        cmocka_unit_test(test_a_torn_end_is_cut_by_a_repair),
        cmocka_unit_test(test_a_missing_frame_is_noticed_by_its_number),
        cmocka_unit_test(test_findings_are_one_a_place),
        cmocka_unit_test(test_a_second_repair_keeps_both_old_logs),
        cmocka_unit_test(test_a_lost_network_gets_a_placeholder),
        cmocka_unit_test(test_a_lost_start_still_gives_the_result),
        cmocka_unit_test(test_a_lost_epoch_leaves_a_hole_in_the_curve),
        cmocka_unit_test(test_a_lost_update_keeps_the_numbers_of_the_others),
        cmocka_unit_test(test_blocks_of_zeros),
        cmocka_unit_test(test_repeated_frames_are_left_out),
        cmocka_unit_test(test_a_repair_wants_the_session_for_itself),
        cmocka_unit_test(test_files_are_compared_with_their_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
