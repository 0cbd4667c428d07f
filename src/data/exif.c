/*
 * exif.c - finds the orientation in a picture's EXIF data, and reads nothing else of them.
 *
 * EXIF data are a TIFF file: a byte order, and the offset of a directory whose entries of 12 bytes have a tag, a type,
 * a count and a value.  A JPEG has them in a segment APP1, a PNG in the chunk eXIf, a WebP in the chunk EXIF.  Every
 * walk goes forward only, so time is linear in the file's length.  What is damaged has the orientation 1.
 */
#include "config.h"

#include <string.h>

#include "data/decoders.h"

#ifdef HAVE_PICTURES

struct exif_block {
    const uint8_t *bytes;
    size_t length;
};

static uint32_t number(const uint8_t *bytes, int count, bool big_endian)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[big_endian ? i : count - 1 - i];
    return value;
}

static struct exif_block find_in_jpeg(const uint8_t *bytes, size_t length)
{
    enum { START = 0xd8, SCAN = 0xda, APP1 = 0xe1, NAME = 6 };
    for (size_t at = jpeg_next_marker(bytes, length, 0); at + 4 <= length; at = jpeg_next_marker(bytes, length, at)) {
        uint8_t marker = bytes[at + 1];
        at += 2;
        if (marker == SCAN)
            break;
        if (marker == START)
            continue;
        size_t size = number(bytes + at, 2, true);
        if (marker == APP1 && size >= 2 + NAME && size <= length - at && !memcmp(bytes + at + 2, "Exif\0", NAME))
            return (struct exif_block){bytes + at + 2 + NAME, size - 2 - NAME};
        at += size;
    }
    return (struct exif_block){NULL, 0};
}

/* The chunk of that name from `at` on.  In front of a chunk's content are its length and its name, in a PNG in this
   order, in a WebP in the other. */
static struct exif_block find_chunk(const uint8_t *bytes, size_t length, size_t at, const char *name, bool png)
{
    enum { HEAD = 8, CHECKSUM = 4 };
    while (length - at >= HEAD) {
        size_t size = number(bytes + at + (png ? 0 : 4), 4, png);
        bool found = !memcmp(bytes + at + (png ? 4 : 0), name, 4);
        at += HEAD;
        if (size > length - at)
            break;
        if (found)
            return (struct exif_block){bytes + at, size};
        size += png ? CHECKSUM : size % 2;
        if (size > length - at)
            break;
        at += size;
    }
    return (struct exif_block){NULL, 0};
}

static struct exif_block find_block(const uint8_t *bytes, size_t length)
{
    enum { PNG_HEAD = 8, WEBP_HEAD = 12 };
    if (length >= 2 && bytes[0] == 0xff && bytes[1] == 0xd8)
        return find_in_jpeg(bytes, length);
    if (length >= PNG_HEAD && bytes[0] == 0x89)
        return find_chunk(bytes, length, PNG_HEAD, "eXIf", true);
    if (length >= WEBP_HEAD && !memcmp(bytes, "RIFF", 4))
        return find_chunk(bytes, length, WEBP_HEAD, "EXIF", false);
    return (struct exif_block){NULL, 0};
}

/* The first directory's orientation. */
static int read_block(struct exif_block block)
{
    enum { HEAD = 8, ENTRY = 12, ORIENTATION = 0x0112, SHORT_INTEGER = 3 };
    if (block.length < HEAD)
        return 1;
    bool big_endian = !memcmp(block.bytes, "MM\0*", 4);
    if (!big_endian && memcmp(block.bytes, "II*\0", 4))
        return 1;
    size_t at = number(block.bytes + 4, 4, big_endian);
    if (block.length < 2 || at > block.length - 2)
        return 1;
    size_t entries = number(block.bytes + at, 2, big_endian);
    at += 2;
    for (; entries && block.length - at >= ENTRY; entries--, at += ENTRY) {
        const uint8_t *entry = block.bytes + at;
        if (number(entry, 2, big_endian) != ORIENTATION)
            continue;
        uint32_t value = number(entry + 8, 2, big_endian);
        return number(entry + 2, 2, big_endian) == SHORT_INTEGER && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

int exif_orientation(const uint8_t *bytes, size_t length)
{
    struct exif_block block = find_block(bytes, length);
    if (block.length >= 6 && !memcmp(block.bytes, "Exif\0", 6)) /* as some programs write it in a WebP */
        block = (struct exif_block){block.bytes + 6, block.length - 6};
    return read_block(block);
}

#endif
