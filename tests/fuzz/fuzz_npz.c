/*
 * fuzz_npz.c - any bytes as an archive of arrays, and as a single array.  What the parsers accept must have the values
 * that it claims.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "data/formats.h"
#include "data/npy.h"
#include "util/bug.h"
#include "util/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void as_archive(const uint8_t *bytes, size_t length, enum data_part part)
{
    struct images images = {0};
    struct error error = {""};
    if (!npz_parse(bytes, length, part, &images, &error)) {
        const struct shape *shape = &images.shape;
        size_t pixels = (size_t)images.count * shape->channels * shape->height * shape->width, sum = 0;
        ASSERT(images.count > images.validation && images.validation >= 0 && shape->channels <= IMAGES_CHANNELS_MAX);
        for (size_t i = 0; i < pixels; i++)
            sum += images.pixels[i];
        ASSERT(sum <= 255 * pixels);
        for (int i = 0; i < images.count; i++)
            ASSERT(images.labels[i] < images.classes);
        for (int i = 0; images.class_names && i < images.classes; i++)
            ASSERT(print_plain_length(images.class_names[i]) == strlen(images.class_names[i]));
    } else {
        ASSERT(*error.text);
    }
    images_done(&images);
}

static void as_array(const uint8_t *bytes, size_t length)
{
    struct npy npy;
    struct error error = {""};
    char text[100];
    if (npy_parse(bytes, length, &npy, &error)) {
        ASSERT(*error.text);
        return;
    }
    size_t last = 0;
    for (int i = 0; i < npy.dimensions; i++)
        last += (npy.sizes[i] - 1) * npy.strides[i];
    npy_shape_name(&npy, text);
    npy_type_name(&npy, text);
    if ((npy.kind == 'u' || npy.kind == 'i') && npy.bytes <= 8 && !(npy.bytes & (npy.bytes - 1))) {
        ASSERT(npy.values + (last + 1) * (size_t)npy.bytes == bytes + length);
        ASSERT(npy_integer(&npy, last) >= 0 || npy.kind == 'i');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    as_archive(bytes, length, DATA_TRAIN);
    as_archive(bytes, length, DATA_TEST);
    as_array(bytes, length);
    return 0;
}
