/*
 * fuzz_cifar.c - any bytes as a CIFAR file, read twice into one set: the first byte chooses CIFAR-10 or CIFAR-100.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "data/formats.h"
#include "util/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { PIXELS = 3 * 32 * 32 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (!length)
        return 0;
    int label_bytes = 1 + bytes[0] % 2;
    struct images images = {.classes = label_bytes == 1 ? 10 : 100};
    struct error error;
    if (!cifar_parse(bytes + 1, length - 1, label_bytes, &images, &error)) {
        int count = images.count;
        ASSERT((size_t)count * (size_t)(label_bytes + PIXELS) == length - 1);
        ASSERT(!cifar_parse(bytes + 1, length - 1, label_bytes, &images, &error));
        ASSERT(images.count == 2 * count);
        for (int i = 0; i < images.count; i++)
            ASSERT(images.labels[i] < images.classes);
        size_t half = (size_t)count * PIXELS;
        ASSERT(!memcmp(images.pixels, images.pixels + half, half));
    }
    images_done(&images);
    return 0;
}
