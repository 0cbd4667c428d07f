/*
 * test_events.c - every kind of event there and back through msgpack and JSON, and what decoding refuses.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "random_event.h"
#include "sessions/log_internal.h"
#include "util/bug.h"
#include "util/memory.h"

enum { ROUNDS = 40 };

static struct random_stream stream_of(uint32_t test)
{
    return random_stream_new(7, RANDOM_TEST, test, 0);
}

static void test_msgpack_there_and_back(void **unused)
{
    struct random_stream stream = stream_of(1);
    for (int round = 0; round < ROUNDS; round++) {
        for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
            struct event event = random_event(&stream, (enum event_kind)kind), back, copy;
            void *bytes;
            size_t length;
            struct error error = {{0}};
            event_encode(&event, &bytes, &length);
            int decoded = event_decode(bytes, length, &back, &error);
            assert_string_equal(error.text, "");
            assert_int_equal(decoded, EVENT_DECODED);
            assert_true(event_equal(&event, &back));
            event_copy(&event, &copy);
            event_done(&event);
            assert_true(event_equal(&copy, &back));
            event_done(&copy);
            event_done(&back);
            free(bytes);
        }
    }
}

static void check_json_real(const json_t *json, double value)
{
    if (isfinite(value))
        assert_true(json_is_number(json) && json_number_value(json) == value);
    else
        assert_true(json_is_null(json));
}

static void check_json(const json_t *json, enum event_field_type type, const void *value)
{
    assert_non_null(json);
    struct field_list list;
    if (field_list_get(type, value, &list)) {
        assert_int_equal(json_array_size(json), list.count);
        for (int i = 0; i < list.count; i++)
            check_json(json_array_get(json, (size_t)i), list.element, field_list_item(&list, i));
    } else if (type == EVENT_FIELD_INTEGER)
        assert_true(json_is_integer(json) && json_integer_value(json) == *(const int64_t *)value);
    else if (type == EVENT_FIELD_REAL)
        check_json_real(json, *(const double *)value);
    else if (type == EVENT_FIELD_BOOL)
        assert_true(json_is_boolean(json) && json_boolean_value(json) == *(const bool *)value);
    else
        assert_string_equal(json_string_value(json), event_field_text(type, value));
}

static void test_json_says_every_field(void **unused)
{
    struct random_stream stream = stream_of(2);
    for (int round = 0; round < ROUNDS; round++) {
        for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
            struct event event = random_event(&stream, (enum event_kind)kind);
            struct text text = TEXT_EMPTY;
            event_print_json(&event, &text);
            assert_null(strchr(text.bytes, '\n'));
            json_error_t error;
            json_t *json = json_loadb(text.bytes, text.length, JSON_REJECT_DUPLICATES, &error);
            assert_non_null(json);
            assert_true(json_integer_value(json_object_get(json, "n")) == event.number);
            check_json_real(json_object_get(json, "t"), event.time);
            assert_string_equal(json_string_value(json_object_get(json, "k")), event_kind_name(event.kind));
            int count;
            const struct event_field *fields = event_fields(event.kind, &count);
            assert_int_equal(json_object_size(json), count + 3);
            for (int i = 0; i < count; i++)
                check_json(json_object_get(json, fields[i].name), fields[i].type,
                           event_field_of(&fields[i], &event.as));
            json_decref(json);
            text_done(&text);
            event_done(&event);
        }
    }
}

static void check_json_text(const char *contents, const char *expected)
{
    struct event event = {.kind = EVENT_PINNED, .number = 3, .time = 0.1};
    event.as.pinned.by = author_of(contents);
    struct text text = TEXT_EMPTY, whole = TEXT_EMPTY;
    event_print_json(&event, &text);
    text_add(&whole, "{\"n\":3,\"t\":0.1,\"k\":\"pinned\",\"node\":0,\"pinned\":false,\"by\":\"%s\"}", expected);
    assert_string_equal(text.bytes, whole.bytes);
    text_done(&text);
    text_done(&whole);
    event_done(&event);
}

static void test_json_of_bytes_that_are_not_utf8(void **unused)
{
    check_json_text("a\"\\\t\x1b", "a\\\"\\\\\\u0009\\u001b");
    check_json_text("\xc3\xa4", "\xc3\xa4");
    check_json_text("\xc3", "\\ufffd");
    check_json_text("\x80x", "\\ufffdx");
    check_json_text("\xc0\x80", "\\ufffd\\ufffd");                       /* overlong */
    check_json_text("\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd");            /* a surrogate */
    check_json_text("\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"); /* past the last code point */
    check_json_text("\xf0\x9f\x98", "\\ufffd\\ufffd\\ufffd");            /* cut */
}

static void test_empty_event_is_empty_texts(void **unused)
{
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        struct event event = {.kind = (enum event_kind)kind}, back;
        void *bytes;
        size_t length;
        event_encode(&event, &bytes, &length);
        assert_int_equal(event_decode(bytes, length, &back, NULL), EVENT_DECODED);
        assert_true(event_equal(&event, &back));
        int count;
        const struct event_field *fields = event_fields(event.kind, &count);
        for (int i = 0; i < count; i++)
            if (fields[i].type == EVENT_FIELD_TEXT)
                assert_string_equal(*(char **)event_field_of(&fields[i], &back.as), "");
        event_done(&back);
        free(bytes);
    }
}

/* The words of enums, and one that this program doesn't know, which is written again as it was read. */
static void test_words(void **unused)
{
    struct event event = {.kind = EVENT_FINISHED, .number = 1}, back;
    void *bytes;
    size_t length;
    struct event_word user = author_of("user"), policy = author_of("random"), longer = author_of("users");
    assert_true(user.value == AUTHOR_USER && !user.other);
    assert_true(policy.value == AUTHOR_POLICY && longer.value == AUTHOR_POLICY && author_of("").value == AUTHOR_POLICY);
    assert_string_equal(author_name(&policy), "random");
    free(policy.other);
    free(longer.other);
    event.as.finished.reason.value = FINISH_EXHAUSTED;
    event_encode(&event, &bytes, &length);
    assert_non_null(memmem(bytes, length, "exhausted", 9));
    ((char *)memmem(bytes, length, "exhausted", 9))[0] = 'E';
    assert_int_equal(event_decode(bytes, length, &back, NULL), EVENT_DECODED);
    free(bytes);
    assert_int_equal(back.as.finished.reason.value, FINISH_UNKNOWN);
    event_encode(&back, &bytes, &length);
    assert_non_null(memmem(bytes, length, "Exhausted", 9));
    assert_string_equal(finish_name(&back.as.finished.reason), "Exhausted");
    free(bytes);
    event_done(&back);
}

/* Whose it is: the field `by`, wherever it stands. */
static void test_author(void **unused)
{
    struct event event = {.kind = EVENT_REFUSED};
    event.as.refused.by.value = AUTHOR_REPAIR;
    assert_int_equal(event_author(&event), AUTHOR_REPAIR);
    event = (struct event){.kind = EVENT_SETTINGS, .as.settings.by.value = AUTHOR_USER};
    assert_int_equal(event_author(&event), AUTHOR_USER);
    event = (struct event){.kind = EVENT_STEP, .as.step.node = AUTHOR_USER};
    assert_int_equal(event_author(&event), AUTHOR_POLICY);
}

/* --- maps by hand -------------------------------------------------------------------------------------------- */

struct map {
    msgpack_sbuffer buffer;
    msgpack_packer packer;
};

static void map_begin(struct map *map, size_t size)
{
    msgpack_sbuffer_init(&map->buffer);
    msgpack_packer_init(&map->packer, &map->buffer, msgpack_sbuffer_write);
    msgpack_pack_map(&map->packer, size);
}

static void map_text(struct map *map, const char *text)
{
    msgpack_pack_str_with_body(&map->packer, text, strlen(text));
}

static void map_head(struct map *map, size_t fields, const char *kind)
{
    map_begin(map, fields + 3);
    map_text(map, "n");
    msgpack_pack_int(&map->packer, 4);
    map_text(map, "t");
    msgpack_pack_double(&map->packer, 1.5);
    map_text(map, "k");
    map_text(map, kind);
}

static int map_decode(struct map *map, struct event *event, struct error *error)
{
    int result = event_decode(map->buffer.data, map->buffer.size, event, error);
    msgpack_sbuffer_destroy(&map->buffer);
    return result;
}

static void refuse(struct map *map, const char *why)
{
    struct event event;
    struct error error = {{0}};
    assert_int_equal(map_decode(map, &event, &error), -1);
    if (!strstr(error.text, why))
        fail_msg("\"%s\" does not say \"%s\"", error.text, why);
}

static void test_unknown_kinds_and_keys_are_skipped(void **unused)
{
    struct map map;
    struct event event;
    map_head(&map, 1, "grafted");
    map_text(&map, "onto");
    msgpack_pack_int(&map.packer, 5);
    assert_int_equal(map_decode(&map, &event, NULL), EVENT_UNKNOWN);
    assert_int_equal(event.number, 4);
    assert_true(event.time == 1.5);

    map_head(&map, 3, "pinned");
    map_text(&map, "mood");
    msgpack_pack_map(&map.packer, 1);
    msgpack_pack_nil(&map.packer);
    msgpack_pack_array(&map.packer, 2);
    msgpack_pack_float(&map.packer, 1);
    msgpack_pack_bin_with_body(&map.packer, "abc", 3);
    map_text(&map, "node");
    msgpack_pack_int(&map.packer, 9);
    msgpack_pack_int(&map.packer, 77); /* keys need not be texts */
    msgpack_pack_true(&map.packer);
    assert_int_equal(map_decode(&map, &event, NULL), EVENT_DECODED);
    assert_int_equal(event.kind, EVENT_PINNED);
    assert_int_equal(event.as.pinned.node, 9);
    assert_string_equal(author_name(&event.as.pinned.by), "");
    event_done(&event);
}

static void test_whole_numbers_are_reals(void **unused)
{
    struct map map;
    struct event event;
    map_head(&map, 2, "budget");
    map_text(&map, "seconds");
    msgpack_pack_int(&map.packer, -3);
    map_text(&map, "by");
    map_text(&map, "x");
    assert_int_equal(map_decode(&map, &event, NULL), EVENT_DECODED);
    assert_true(event.as.budget.seconds == -3);
    event_done(&event);
}

/* Every field of every kind, given each wrong type in turn; arrays also with one wrong element. */
static void test_wrong_types_are_refused(void **unused)
{
    enum { NIL, TRUTH, NUMBER, REAL, TEXT, LIST, MAP, WRONGS };
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        int count;
        const struct event_field *fields = event_fields((enum event_kind)kind, &count);
        for (int i = 0; i < count; i++) {
            for (int wrong = 0; wrong < WRONGS; wrong++) {
                enum event_field_type type = fields[i].type;
                if ((wrong == TRUTH && type == EVENT_FIELD_BOOL) || (wrong == TEXT && (type == EVENT_FIELD_TEXT || type >= EVENT_FIELD_AUTHOR)) ||
                    (wrong == NUMBER && (type == EVENT_FIELD_INTEGER || type == EVENT_FIELD_REAL)) ||
                    (wrong == REAL && type == EVENT_FIELD_REAL))
                    continue;
                struct map map;
                map_head(&map, 1, event_kind_name((enum event_kind)kind));
                map_text(&map, fields[i].name);
                if (wrong == NIL)
                    msgpack_pack_nil(&map.packer);
                else if (wrong == TRUTH)
                    msgpack_pack_true(&map.packer);
                else if (wrong == NUMBER)
                    msgpack_pack_int(&map.packer, 1);
                else if (wrong == REAL)
                    msgpack_pack_double(&map.packer, 1);
                else if (wrong == TEXT)
                    map_text(&map, "1");
                else if (wrong == MAP)
                    msgpack_pack_map(&map.packer, 0);
                else { /* right elements first, then a wrong one */
                    msgpack_pack_array(&map.packer, 3);
                    for (int element = 0; element < 2; element++)
                        type == EVENT_FIELD_TEXTS ? map_text(&map, "x") : (void)msgpack_pack_int(&map.packer, 1);
                    msgpack_pack_nil(&map.packer);
                }
                refuse(&map, fields[i].name);
            }
        }
    }
}

static void test_heads_are_needed_once(void **unused)
{
    struct map map;
    map_begin(&map, 2);
    map_text(&map, "n");
    msgpack_pack_int(&map.packer, 1);
    map_text(&map, "k");
    map_text(&map, "pinned");
    refuse(&map, "needs \"n\", \"t\" and \"k\"");

    map_head(&map, 1, "pinned");
    map_text(&map, "n");
    msgpack_pack_int(&map.packer, 5);
    refuse(&map, "\"n\" is there twice");

    map_head(&map, 2, "pinned");
    map_text(&map, "by");
    map_text(&map, "a");
    map_text(&map, "by");
    map_text(&map, "b");
    refuse(&map, "\"by\" is there twice");

    map_head(&map, 1, "pinned");
    map_text(&map, "by");
    msgpack_pack_str_with_body(&map.packer, "a\0b", 3);
    refuse(&map, "\"by\" is not a text");

    map_head(&map, 1, "pinned");
    map_text(&map, "node");
    msgpack_pack_uint64(&map.packer, UINT64_MAX);
    refuse(&map, "\"node\" is not an integer");

    msgpack_sbuffer_init(&map.buffer);
    msgpack_packer_init(&map.packer, &map.buffer, msgpack_sbuffer_write);
    map_text(&map, "pinned");
    refuse(&map, "map");
}

/* Heads that promise more than there is must not be believed: the library would allocate what they say. */
static void test_cut_and_lying_bytes(void **unused)
{
    struct random_stream stream = stream_of(3);
    struct event event = random_event(&stream, EVENT_KNOWN), back;
    void *bytes;
    size_t length;
    struct error error;
    event_encode(&event, &bytes, &length);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(event_decode(bytes, cut, &back, &error), -1);
    char *longer = memory_new(length + 1, 1);
    memcpy(longer, bytes, length);
    assert_int_equal(event_decode(longer, length + 1, &back, &error), -1);
    free(longer);
    free(bytes);
    event_done(&event);
    static const unsigned char lies[][6] = {{0xdd, 0xff, 0xff, 0xff, 0xff, 0},
                                            {0xdf, 0xff, 0xff, 0xff, 0xff, 0},
                                            {0xdb, 0xff, 0xff, 0xff, 0xff, 0},
                                            {0xc9, 0xff, 0xff, 0xff, 0xff, 0},
                                            {0xc1, 0, 0, 0, 0, 0}};
    for (size_t i = 0; i < COUNT_OF(lies); i++)
        assert_int_equal(event_decode(lies[i], sizeof lies[i], &back, &error), -1);
    unsigned char deep[5000];
    memset(deep, 0x91, sizeof deep - 1);
    deep[sizeof deep - 1] = 0xc0;
    assert_int_equal(event_decode(deep, sizeof deep, &back, &error), -1);
}

static void test_renumbering_keeps_the_rest(void **unused)
{
    static const int64_t numbers[] = {0, 1, 127, 128, 300, 70000, INT64_MAX};
    struct random_stream stream = stream_of(4);
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        for (size_t i = 0; i < COUNT_OF(numbers); i++) {
            struct event event = random_event(&stream, (enum event_kind)kind), back;
            void *bytes;
            size_t length;
            struct text text = TEXT_EMPTY;
            event_encode(&event, &bytes, &length);
            event_renumber(bytes, length, numbers[i], &text);
            assert_int_equal(event_decode(text.bytes, text.length, &back, NULL), EVENT_DECODED);
            event.number = numbers[i];
            assert_true(event_equal(&event, &back));
            event_done(&event);
            event_done(&back);
            text_done(&text);
            free(bytes);
        }
    }
}

static void test_tables(void **unused)
{
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        int count, facts = 0;
        const struct event_field *fields = event_fields((enum event_kind)kind, &count);
        for (int i = 0; i < count; i++) {
            assert_true(strlen(fields[i].name) > 1); /* "n", "t" and "k" are taken */
            facts += fields[i].fact;
            for (int j = 0; j < i; j++)
                assert_string_not_equal(fields[i].name, fields[j].name);
        }
        assert_int_equal(event_has_facts((enum event_kind)kind), facts > 0);
    }
    assert_true(event_is_durable(EVENT_EPOCH));
    assert_false(event_is_durable(EVENT_STEP));
    assert_false(event_is_durable(EVENT_SAMPLE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_msgpack_there_and_back),
        cmocka_unit_test(test_json_says_every_field),
        cmocka_unit_test(test_json_of_bytes_that_are_not_utf8),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_author),
        cmocka_unit_test(test_empty_event_is_empty_texts),
        cmocka_unit_test(test_unknown_kinds_and_keys_are_skipped),
        cmocka_unit_test(test_whole_numbers_are_reals),
        cmocka_unit_test(test_wrong_types_are_refused),
        cmocka_unit_test(test_heads_are_needed_once),
        cmocka_unit_test(test_cut_and_lying_bytes),
        cmocka_unit_test(test_renumbering_keeps_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
