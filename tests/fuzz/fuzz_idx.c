/*
 * fuzz_idx.c - any bytes as an IDX file of images, and as one of labels.  What the parsers accept must have the
 * bytes that it claims and labels below the number of classes.
 */
#include <stddef.h>
#include <stdint.h>

#include "data/formats.h"
#include "util/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void as_images(const struct data_format *format, const uint8_t *bytes, size_t length)
{
    struct images images = {0};
    struct error error;
    if (!idx_parse_images(format, bytes, length, &images, &error)) {
        const struct shape *shape = &images.shape;
        size_t pixels = (size_t)images.count * shape->channels * shape->height * shape->width, sum = 0;
        ASSERT(images.count > 0 && shape->channels <= IMAGES_CHANNELS_MAX);
        ASSERT(pixels + 4 + 4 * (size_t)bytes[3] == length);
        for (size_t i = 0; i < pixels; i++)
            sum += images.pixels[i];
        ASSERT(sum <= 255 * pixels);
    }
    images_done(&images);
}

static void as_labels(const struct data_format *format, const uint8_t *bytes, size_t length)
{
    struct images images = {.classes = 10, .count = length > 8 ? (int)(length - 8) : 0};
    struct error error;
    bool accepted = !idx_parse_labels(format, bytes, length, &images, &error);
    for (int i = 0; accepted && i < images.count; i++)
        ASSERT(images.labels[i] < 10);
    images_done(&images);

    struct images set = {0};
    if (!idx_parse_classes(format, bytes, length, &set, &error)) {
        ASSERT(set.classes > 0 && set.classes <= IMAGES_CLASSES_MAX);
        set.count = (int)((uint32_t)bytes[4] << 24 | (uint32_t)bytes[5] << 16 | (uint32_t)bytes[6] << 8 | bytes[7]);
        ASSERT(!idx_parse_labels(format, bytes, length, &set, &error)); /* in range by its own count */
    } else {
        ASSERT(!accepted);
    }
    images_done(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct data_format letters = {.transposed = true, .first_label = 1};
    as_images(&(struct data_format){0}, bytes, length);
    as_labels(&(struct data_format){0}, bytes, length);
    as_images(&letters, bytes, length);
    as_labels(&letters, bytes, length);
    return 0;
}
