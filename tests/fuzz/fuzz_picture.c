/*
 * fuzz_picture.c - any bytes as a picture, scaled to a small square and to another shape, by every rule.
 */
#include <stddef.h>
#include <stdint.h>

#include "data/picture.h"
#include "util/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct picture_rules rules = {.background = {255, 255, 255}};
    for (int first = 0; first < 2; first++) {
        struct picture picture;
        struct error error = {""};
        uint8_t planes[3 * 8 * 8];
        rules.first = first;
        if (picture_decode(bytes, length, &rules, &picture, &error)) {
            ASSERT(*error.text && !picture.pixels);
            continue;
        }
        ASSERT(picture.width > 0 && picture.height > 0);
        picture_fit(&picture, 8, 8, 3, planes);
        picture_fit(&picture, 8, 5, 1, planes);
        picture_done(&picture);
    }
    return 0;
}
