/*
 * test_tensorboard.c - event files of TensorBoard, read here by another reader: its own sums, and its own walk over the
 * fields of the messages.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "export/tensorboard.h"

/* CRC-32C by a table of half bytes. */
static uint32_t sum_of(const unsigned char *bytes, size_t length)
{
    uint32_t table[16], crc = 0xffffffff;
    for (uint32_t i = 0; i < 16; i++) {
        table[i] = i;
        for (int bit = 0; bit < 4; bit++)
            table[i] = (table[i] >> 1) ^ (0x82f63b78 * (table[i] & 1));
    }
    for (size_t i = 0; i < length; i++) {
        crc = (crc >> 4) ^ table[(crc ^ bytes[i]) & 15];
        crc = (crc >> 4) ^ table[(crc ^ (uint32_t)(bytes[i] >> 4)) & 15];
    }
    return crc ^ 0xffffffff;
}

static uint32_t word_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void check_sum(const unsigned char *bytes, size_t length)
{
    uint32_t rotated = word_at(bytes + length) - 0xa282ead8;
    assert_int_equal(rotated << 15 | rotated >> 17, sum_of(bytes, length));
}

/* The next field of a message; `*value` points at its bytes, behind the length of one that has it. */
static int next_field(const unsigned char **at, const unsigned char **value, size_t *length)
{
    unsigned key = *(*at)++, type = key & 7;
    *length = type == 1 ? 8 : type == 5 ? 4 : 0;
    if (type == 2)
        *length = *(*at)++; /* all of them are below 128 */
    *value = *at;
    while (type == 0 && (*at)[(*length)++] & 0x80)
        continue;
    *at += *length;
    return (int)(key >> 3);
}

struct scalar {
    char tag[32];
    float value;
};

static struct scalar read_scalar(const unsigned char *at, size_t length)
{
    struct scalar scalar = {.tag = ""};
    const unsigned char *end = at + length, *value;
    while (at < end) {
        size_t bytes;
        int field = next_field(&at, &value, &bytes);
        if (field == 1)
            memcpy(scalar.tag, value, bytes);
        if (field == 2)
            memcpy(&scalar.value, value, sizeof scalar.value);
    }
    return scalar;
}

struct read_event {
    double time;
    int step, count;
    char version[32];
    struct scalar scalars[8];
};

static struct read_event read_event(const unsigned char *at, size_t length)
{
    struct read_event event = {.version = ""};
    const unsigned char *end = at + length, *value, *inner;
    while (at < end) {
        size_t bytes, size;
        int field = next_field(&at, &value, &bytes);
        if (field == 1)
            memcpy(&event.time, value, sizeof event.time);
        if (field == 2)
            event.step = value[0];
        if (field == 3)
            memcpy(event.version, value, bytes);
        for (const unsigned char *summary = value; field == 5 && summary < value + bytes;) {
            assert_int_equal(next_field(&summary, &inner, &size), 1);
            event.scalars[event.count++] = read_scalar(inner, size);
        }
    }
    return event;
}

static void test_curve(void **state)
{
    struct curve_point curve[] = {{0.1, 2.5, 0.25, 2.25, 0.375}, {0, 1.5, 0.5, 1.75, 0.625}};
    struct session_node node = {.curve = curve, .curve_count = 2};
    const double times[] = {1700000000.5, 1700000010.25};
    struct text bytes = TEXT_EMPTY;
    struct read_event events[3];
    int count = 0;
    export_tensorboard(&node, times, &bytes);
    for (const unsigned char *at = (const unsigned char *)bytes.bytes, *end = at + bytes.length; at < end;) {
        size_t length = word_at(at);
        assert_true(count < 3);
        assert_int_equal(word_at(at + 4), 0);
        check_sum(at, 8);
        check_sum(at + 12, length);
        events[count++] = read_event(at + 12, length);
        at += 12 + length + 4;
    }
    assert_int_equal(count, 3);
    assert_string_equal(events[0].version, "brain.Event:2");
    static const char *const tags[] = {"loss/train", "loss/validation", "accuracy/train", "accuracy/validation", "rate"};
    const float values[2][5] = {{2.5f, 2.25f, 0.25f, 0.375f, 0.1f}, {1.5f, 1.75f, 0.5f, 0.625f, 0}};
    for (int i = 0; i < 2; i++) {
        const struct read_event *event = &events[i + 1];
        assert_int_equal(event->step, i + 1);
        assert_true(event->time == times[i]);
        assert_int_equal(event->count, 5);
        for (int k = 0; k < 5; k++) {
            assert_string_equal(event->scalars[k].tag, tags[k]);
            assert_true(event->scalars[k].value == values[i][k]);
        }
    }
    text_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_curve)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
