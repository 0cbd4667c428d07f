/*
 * test_log.c - the log: what is written is read, whole or cut anywhere; and followed.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log_bed.h"
#include "random_event.h"
#include "sessions/frame.h"
#include "util/memory.h"

static struct event_list generate(uint64_t seed, int networks)
{
    struct session_recipe recipe = session_recipe_default(seed);
    struct event_list list = {0};
    recipe.networks = networks;
    session_generate(&recipe, event_list_add, &list);
    return list;
}

static struct hash digest_of(const struct event_list *list, size_t count)
{
    struct session_state *state = session_state_new();
    for (size_t i = 0; i < count; i++)
        assert_int_equal(session_apply(state, &list->items[i], NULL), 0);
    struct hash digest = session_digest(state);
    session_state_free(state);
    return digest;
}

static struct event pause_event(void)
{
    return (struct event){.kind = EVENT_PAUSED, .time = 1e6, .as.paused = {.paused = true}};
}

/* --- there and back ------------------------------------------------------------------------------------------ */

static void test_what_is_appended_is_read(void **unused)
{
    struct event_list list = generate(3, 12);
    char *folder = folder_new();
    struct log_writer *writer;
    OK(log_create(folder, &writer, &error));
    assert_string_equal(log_folder(writer), folder);
    for (size_t i = 0; i < list.count; i++) {
        struct event event;
        event_copy(&list.items[i], &event);
        event.number = -7; /* the log numbers */
        OK(log_append(writer, &event, &error));
        assert_int_equal(event.number, list.items[i].number);
        event_done(&event);
    }
    log_close(writer);
    struct log_reader *reader;
    OK(log_read(folder, &reader, &error));
    for (size_t i = 0; i < list.count; i++) {
        struct event event;
        assert_int_equal(log_next(reader, &event, NULL), LOG_EVENT);
        assert_true(event_equal(&event, &list.items[i]));
        event_done(&event);
    }
    struct event event;
    assert_int_equal(log_next(reader, &event, NULL), LOG_END);
    assert_int_equal(log_offset(reader), log_size(folder));
    log_reader_free(reader);
    struct session_state *state;
    struct error warning;
    OK(session_load(folder, &state, &warning, &error));
    assert_string_equal(warning.text, "");
    assert_true(hash_equal(session_digest(state), digest_of(&list, list.count)));
    session_state_free(state);
    folder_remove(folder);
    free(folder);
    event_list_done(&list);
}

static void test_a_reopened_log_goes_on(void **unused)
{
    struct event_list list = generate(4, 8);
    char *folder = folder_new();
    struct log_writer *writer;
    struct session_state *state;
    struct error warning;
    OK(log_create(folder, &writer, &error));
    for (size_t i = 0; i < list.count; i++) {
        if (i % 7 == 6) {
            log_close(writer);
            OK(log_open(folder, &writer, &state, &warning, &error));
            assert_string_equal(warning.text, "");
            assert_true(hash_equal(session_digest(state), digest_of(&list, i)));
            session_state_free(state);
        }
        OK(log_append(writer, &list.items[i], &error));
    }
    log_close(writer);
    OK(session_load(folder, &state, NULL, &error));
    assert_true(hash_equal(session_digest(state), digest_of(&list, list.count)));
    session_state_free(state);
    folder_remove(folder);
    free(folder);
    event_list_done(&list);
}

/* --- cut anywhere -------------------------------------------------------------------------------------------- */

/* Every prefix of a log is a session of the events that are whole in it. */
static void test_every_prefix_loads(void **unused)
{
    struct event_list list = generate(5, 2);
    size_t *offsets, whole = 0;
    unsigned char *bytes = log_bytes(&list, &offsets);
    char *folder = folder_new();
    struct hash *digests = memory_new(list.count + 1, sizeof *digests);
    for (size_t i = 1; i <= list.count; i++)
        digests[i] = digest_of(&list, i);
    for (size_t cut = 0; cut <= offsets[list.count]; cut++) {
        struct session_state *state;
        struct error warning;
        while (whole < list.count && offsets[whole + 1] <= cut)
            whole++;
        log_put(folder, bytes, cut);
        if (!whole) {
            FAILS(session_load(folder, &state, &warning, &error), "has no events");
        } else {
            OK(session_load(folder, &state, &warning, &error));
            assert_true(hash_equal(session_digest(state), digests[whole]));
            assert_int_equal(warning.text[0] != 0, cut != offsets[whole]);
            session_state_free(state);
        }
    }
    free(digests);
    free(bytes);
    free(offsets);
    folder_remove(folder);
    free(folder);
    event_list_done(&list);
}

/* A writer cuts the torn frame off, wherever it is torn, and goes on with the number after the last whole event. */
static void test_a_writer_goes_on_after_every_cut_of_the_last_two_frames(void **unused)
{
    struct event_list list = generate(6, 2);
    size_t *offsets, count = list.count;
    unsigned char *bytes = log_bytes(&list, &offsets);
    char *folder = folder_new();
    for (size_t cut = offsets[count - 2]; cut <= offsets[count]; cut++) {
        size_t whole = cut == offsets[count] ? count : cut >= offsets[count - 1] ? count - 1 : count - 2;
        struct log_writer *writer;
        struct session_state *state;
        struct error warning;
        log_put(folder, bytes, cut);
        OK(log_open(folder, &writer, &state, &warning, &error));
        assert_int_equal(warning.text[0] != 0, cut != offsets[whole]);
        assert_int_equal(log_size(folder), offsets[whole]);
        assert_true(hash_equal(session_digest(state), digest_of(&list, whole)));
        struct event event = pause_event();
        OK(log_append(writer, &event, &error));
        assert_int_equal(event.number, state->last_number + 1);
        assert_int_equal(session_apply(state, &event, NULL), 0);
        log_close(writer);
        struct session_state *loaded;
        OK(session_load(folder, &loaded, &warning, &error));
        assert_string_equal(warning.text, "");
        assert_true(hash_equal(session_digest(state), session_digest(loaded)));
        session_state_free(loaded);
        session_state_free(state);
    }
    free(bytes);
    free(offsets);
    folder_remove(folder);
    free(folder);
    event_list_done(&list);
}

/* A power cut may leave zeros where the last frame should be. */
static void test_zeros_at_the_end_are_torn(void **unused)
{
    struct event_list list = generate(7, 2);
    size_t *offsets;
    unsigned char *bytes = log_bytes(&list, &offsets);
    size_t length = offsets[list.count];
    unsigned char *longer = memory_new(length + 5000, 1);
    memcpy(longer, bytes, length);
    char *folder = folder_new();
    log_put(folder, longer, length + 5000);
    struct log_writer *writer;
    struct session_state *state;
    struct error warning;
    OK(log_open(folder, &writer, &state, &warning, &error));
    assert_non_null(strstr(warning.text, "cut off"));
    assert_int_equal(log_size(folder), length);
    session_state_free(state);
    log_close(writer);
    free(longer);
    free(bytes);
    free(offsets);
    folder_remove(folder);
    free(folder);
    event_list_done(&list);
}

/* --- followers ----------------------------------------------------------------------------------------------- */

static void test_a_reader_follows_a_growing_log(void **unused)
{
    char *folder = folder_new();
    struct log_writer *writer = begin_session(folder);
    struct log_reader *reader;
    struct event event;
    OK(log_read(folder, &reader, &error));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(log_next(reader, &event, NULL), LOG_EVENT);
        event_done(&event);
    }
    for (int round = 0; round < 50; round++) {
        assert_int_equal(log_next(reader, &event, NULL), LOG_END);
        for (int i = 0; i < round; i++) {
            struct event paused = pause_event();
            OK(log_append(writer, &paused, &error));
        }
        for (int i = 0; i < round; i++) {
            assert_int_equal(log_next(reader, &event, NULL), LOG_EVENT);
            assert_int_equal(event.kind, EVENT_PAUSED);
            event_done(&event);
        }
    }
    log_reader_free(reader);
    log_close(writer);
    folder_remove(folder);
    free(folder);
}

/* A log whose last frame but one is half written, and a reader of it. */
struct torn {
    struct event_list list;
    size_t *offsets, count;
    unsigned char *bytes;
    char *folder;
    struct log_reader *reader;
};

static struct torn torn_new(void)
{
    struct torn torn = {.list = generate(8, 2), .folder = folder_new()};
    torn.count = torn.list.count;
    torn.bytes = log_bytes(&torn.list, &torn.offsets);
    log_put(torn.folder, torn.bytes, torn.offsets[torn.count - 2] + 11);
    OK(log_read(torn.folder, &torn.reader, &error));
    return torn;
}

static void torn_done(struct torn *torn)
{
    log_reader_free(torn->reader);
    free(torn->bytes);
    free(torn->offsets);
    folder_remove(torn->folder);
    free(torn->folder);
    event_list_done(&torn->list);
}

/* Another frame comes in its place: the reader must not keep the first one's bytes. */
static void test_a_torn_frame_may_be_replaced(void **unused)
{
    struct torn torn = torn_new();
    size_t whole = torn.offsets[torn.count - 2];
    struct event event;
    for (size_t i = 0; i < torn.count - 2; i++) {
        assert_int_equal(log_next(torn.reader, &event, NULL), LOG_EVENT);
        event_done(&event);
    }
    assert_int_equal(log_next(torn.reader, &event, NULL), LOG_TORN);
    assert_int_equal(log_offset(torn.reader), whole);
    struct text other = TEXT_EMPTY;
    text_add_bytes(&other, (const char *)torn.bytes, whole);
    struct event paused = pause_event();
    paused.number = torn.list.items[torn.count - 3].number + 1;
    void *payload;
    size_t length;
    event_encode(&paused, &payload, &length);
    log_add_frame(&other, payload, length);
    log_put(torn.folder, other.bytes, other.length);
    assert_int_equal(log_next(torn.reader, &event, NULL), LOG_EVENT);
    assert_int_equal(event.kind, EVENT_PAUSED);
    event_done(&event);
    assert_int_equal(log_next(torn.reader, &event, NULL), LOG_END);
    free(payload);
    text_done(&other);
    torn_done(&torn);
}

/* Called before a reader's read number `meanwhile_at`, counted from 0. */
static void (*meanwhile)(void);
static int meanwhile_at;

ssize_t pread(int file, void *bytes, size_t length, off_t offset)
{
    if (meanwhile && !meanwhile_at--)
        meanwhile();
    return syscall(SYS_pread64, file, bytes, length, offset);
}

static struct {
    const char *folder;
    const unsigned char *bytes;
    size_t length;
} growing;

static void grow(void)
{
    meanwhile = NULL;
    log_put(growing.folder, growing.bytes, growing.length);
}

/* While the reader looks what comes behind it, it becomes whole and another is there. */
static void becomes_whole_at(int read)
{
    struct torn torn = torn_new();
    struct event event;
    growing.folder = torn.folder;
    growing.bytes = torn.bytes;
    growing.length = torn.offsets[torn.count];
    for (size_t i = 0; i < torn.count; i++) {
        meanwhile = i == torn.count - 2 ? grow : NULL;
        meanwhile_at = read;
        int result = log_next(torn.reader, &event, NULL);
        if (result == LOG_TORN) { /* it saw nothing of it */
            if (meanwhile)
                meanwhile();
            OK(log_next(torn.reader, &event, &error) != LOG_EVENT);
        } else
            assert_int_equal(result, LOG_EVENT);
        assert_true(event_equal(&event, &torn.list.items[i]));
        event_done(&event);
    }
    assert_null(meanwhile);
    assert_int_equal(log_next(torn.reader, &event, NULL), LOG_END);
    torn_done(&torn);
}

static void test_a_torn_frame_may_become_whole(void **unused)
{
    for (int read = 0; read < 8; read++)
        becomes_whole_at(read);
}

/* --- newer programs ------------------------------------------------------------------------------------------ */

/* {"n": number, "t": 1e6, "k": "grafted", "onto": 3} */
static void add_unknown(struct text *text, int number)
{
    char payload[64] = "\x84\xa1n?\xa1t\xcb\x41\x2e\x84\x80\0\0\0\0\xa1k\xa7grafted\xa4onto\x03";
    payload[3] = (char)number;
    log_add_frame(text, payload, 31);
}

static void test_unknown_kinds_count_and_are_skipped(void **unused)
{
    struct text text = TEXT_EMPTY;
    struct event events[] = {{.kind = EVENT_SESSION, .number = 1, .as.session.format = 1},
                             {.kind = EVENT_PAUSED, .number = 3, .time = 2e6, .as.paused.paused = true}};
    size_t *offsets;
    unsigned char *bytes = log_bytes(&(struct event_list){.items = events, .count = 1}, &offsets);
    text_add_bytes(&text, (const char *)bytes, offsets[1]);
    add_unknown(&text, 2); /* durable: it has the next number */
    add_unknown(&text, 2); /* transient: it repeats it */
    void *payload;
    size_t length;
    event_encode(&events[1], &payload, &length);
    log_add_frame(&text, payload, length);
    char *folder = folder_new();
    log_put(folder, text.bytes, text.length);
    struct log_writer *writer;
    struct session_state *state;
    OK(log_open(folder, &writer, &state, NULL, &error));
    assert_true(state->paused);
    assert_int_equal(state->event_count, 2);
    session_state_free(state);
    struct event event = pause_event();
    event.time = 3e6;
    OK(log_append(writer, &event, &error));
    assert_int_equal(event.number, 4);
    log_close(writer);

    text.length -= FRAME_HEADER + length; /* ends with an unknown durable one: its number is taken */
    add_unknown(&text, 3);
    log_put(folder, text.bytes, text.length);
    OK(log_open(folder, &writer, &state, NULL, &error));
    event = pause_event();
    OK(log_append(writer, &event, &error));
    assert_int_equal(event.number, 4);
    log_close(writer);
    session_state_free(state);
    free(payload);
    free(bytes);
    free(offsets);
    text_done(&text);
    folder_remove(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_appended_is_read),
        cmocka_unit_test(test_a_reopened_log_goes_on),
        cmocka_unit_test(test_every_prefix_loads),
        cmocka_unit_test(test_a_writer_goes_on_after_every_cut_of_the_last_two_frames),
        cmocka_unit_test(test_zeros_at_the_end_are_torn),
        cmocka_unit_test(test_a_reader_follows_a_growing_log),
        cmocka_unit_test(test_a_torn_frame_may_be_replaced),
        cmocka_unit_test(test_a_torn_frame_may_become_whole),
        cmocka_unit_test(test_unknown_kinds_count_and_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
