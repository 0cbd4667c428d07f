/*
 * fuzz_exif.c - any bytes as a picture with EXIF data, and as EXIF data in each kind of picture.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "data/decoders.h"
#include "util/bug.h"
#include "util/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#ifdef HAVE_PICTURES

static void try_behind(const char *head, size_t head_length, const uint8_t *bytes, size_t length)
{
    uint8_t *whole = memory_new(head_length + length, 1);
    memcpy(whole, head, head_length);
    if (length)
        memcpy(whole + head_length, bytes, length);
    int orientation = exif_orientation(whole, head_length + length);
    ASSERT(orientation >= 1 && orientation <= 8);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char jpeg[] = "\xff\xd8\xff\xe1\1\0Exif\0", png[] = "\x89PNG\r\n\x1a\n\0\0\1\0eXIf",
                      webp[] = "RIFF\0\2\0\0WEBPEXIF\0\1\0";
    try_behind("", 0, bytes, length);
    try_behind(jpeg, sizeof jpeg, bytes, length);
    try_behind(png, sizeof png - 1, bytes, length);
    try_behind(webp, sizeof webp, bytes, length);
    return 0;
}

#else

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    return 0;
}

#endif
