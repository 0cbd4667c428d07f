/*
 * fuzz_picture.c - any bytes as a picture, scaled to a small square.
 */
#include <stddef.h>
#include <stdint.h>

#include "data/picture.h"
#include "util/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct picture picture;
    struct error error = {""};
    uint8_t planes[3 * 8 * 8];
    if (picture_decode(bytes, length, &picture, &error)) {
        ASSERT(*error.text);
        return 0;
    }
    ASSERT(picture.width > 0 && picture.height > 0);
    picture_fit(&picture, 8, 8, 3, planes);
    picture_fit(&picture, 8, 4, 1, planes);
    picture_done(&picture);
    return 0;
}
