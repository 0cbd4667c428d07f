/* tensorboard.c - see tensorboard.h. */
#include "export/tensorboard.h"

#include <stdlib.h>

#include "export/tensorboard.pb-c.h"
#include "util/bug.h"
#include "util/memory.h"

/* CRC-32C (Castagnoli), reflected, bit by bit: a curve has a few kilobytes. */
static uint32_t crc32c(const uint8_t *bytes, size_t length)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void add_number(struct text *bytes, uint64_t number, int length)
{
    for (int i = 0; i < length; i++) {
        char byte = (char)(number >> 8 * i);
        text_add_bytes(bytes, &byte, 1);
    }
}

/* TensorFlow masks sums, so that one over bytes that contain one is good too. */
static void add_sum(struct text *bytes, const void *summed, size_t length)
{
    uint32_t crc = crc32c(summed, length);
    add_number(bytes, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
}

static void add_record(struct text *bytes, const Tensorboard__Event *event)
{
    size_t length = tensorboard__event__get_packed_size(event);
    uint8_t *packed = memory_new(length, 1);
    tensorboard__event__pack(event, packed);
    size_t begin = bytes->length;
    add_number(bytes, length, 8);
    add_sum(bytes, bytes->bytes + begin, 8);
    text_add_bytes(bytes, (const char *)packed, length);
    add_sum(bytes, packed, length);
    free(packed);
}

static Tensorboard__Event event_at(double time, int64_t step)
{
    Tensorboard__Event event = TENSORBOARD__EVENT__INIT;
    event.has_wall_time = event.has_step = true;
    event.wall_time = time;
    event.step = step;
    return event;
}

static void add_epoch(struct text *bytes, const struct curve_point *point, double time, int64_t epoch)
{
    const struct {
        const char *tag;
        double value;
    } scalars[] = {{"loss/train", point->train_loss},
                   {"loss/validation", point->validation_loss},
                   {"accuracy/train", point->train_accuracy},
                   {"accuracy/validation", point->validation_accuracy},
                   {"rate", point->rate}};
    Tensorboard__Summary__Value values[COUNT_OF(scalars)], *list[COUNT_OF(scalars)];
    Tensorboard__Summary summary = TENSORBOARD__SUMMARY__INIT;
    Tensorboard__Event event = event_at(time, epoch);
    for (size_t i = 0; i < COUNT_OF(scalars); i++) {
        tensorboard__summary__value__init(&values[i]);
        values[i].tag = (char *)scalars[i].tag;
        values[i].has_simple_value = true;
        values[i].simple_value = (float)scalars[i].value;
        list[i] = &values[i];
    }
    summary.n_value = COUNT_OF(scalars);
    summary.value = list;
    event.summary = &summary;
    add_record(bytes, &event);
}

void export_tensorboard(const struct session_node *node, const double *times, struct text *bytes)
{
    Tensorboard__Event version = event_at(node->curve_count ? times[0] : 0, 0);
    version.file_version = (char[]){"brain.Event:2"};
    add_record(bytes, &version);
    for (int i = 0; i < node->curve_count; i++)
        add_epoch(bytes, &node->curve[i], times[i], i + 1);
}
