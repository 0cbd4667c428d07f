/*
 * npz_file.h - writes arrays as NumPy does, for tests: a ZIP archive of .npy files, stored or deflated.
 */
#ifndef ESPALIER_TESTS_NPZ_FILE_H
#define ESPALIER_TESTS_NPZ_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "util/text.h"

struct npz_file {
    struct text bytes, directory;
    int count;
    bool deflated;
};

static inline void npz_put(struct text *text, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        text_add_bytes(text, (const char[]){(char)(value >> 8 * i)}, 1);
}

/* What the two records of a member share: from version or flags on to the lengths of its name. */
static inline void npz_put_record(struct text *text, bool deflated, uint32_t checksum, size_t packed, size_t length,
                                  size_t name)
{
    npz_put(text, 20, 2);
    npz_put(text, 0, 2);
    npz_put(text, deflated ? 8 : 0, 2);
    npz_put(text, 0, 4);
    npz_put(text, checksum, 4);
    npz_put(text, (uint32_t)packed, 4);
    npz_put(text, (uint32_t)length, 4);
    npz_put(text, (uint32_t)name, 2);
    npz_put(text, 0, 2);
}

static inline void npz_add(struct npz_file *file, const char *name, const void *content, size_t length)
{
    static unsigned char packed[1 << 16];
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)content,
                       .avail_in = (uInt)length,
                       .next_out = packed,
                       .avail_out = sizeof packed};
    size_t place = file->bytes.length, bytes = length;
    if (file->deflated) {
        deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
        deflate(&stream, Z_FINISH);
        deflateEnd(&stream);
        bytes = stream.total_out;
    }
    uint32_t checksum = (uint32_t)crc32(0, content, (uInt)length);
    npz_put(&file->bytes, 0x04034b50, 4);
    npz_put_record(&file->bytes, file->deflated, checksum, bytes, length, strlen(name));
    text_add(&file->bytes, "%s", name);
    text_add_bytes(&file->bytes, file->deflated ? (const char *)packed : content, bytes);
    npz_put(&file->directory, 0x02014b50, 4);
    npz_put(&file->directory, 20, 2);
    npz_put_record(&file->directory, file->deflated, checksum, bytes, length, strlen(name));
    npz_put(&file->directory, 0, 4);
    npz_put(&file->directory, 0, 4);
    npz_put(&file->directory, 0, 2);
    npz_put(&file->directory, (uint32_t)place, 4);
    text_add(&file->directory, "%s", name);
    file->count++;
}

/* An array: NumPy's header of this dictionary, then the values. */
static inline void npz_array(struct npz_file *file, const char *name, const char *header, const void *values,
                             size_t length)
{
    struct text array = TEXT_EMPTY, member = TEXT_EMPTY;
    text_add_bytes(&array, "\x93NUMPY\1\0", 8);
    npz_put(&array, (uint32_t)strlen(header) + 1, 2);
    text_add(&array, "%s\n", header);
    text_add_bytes(&array, values, length);
    text_add(&member, "%s.npy", name);
    npz_add(file, text_string(&member), array.bytes, array.length);
    text_done(&array);
    text_done(&member);
}

/* Puts the directory behind the members. */
static inline void npz_end(struct npz_file *file)
{
    size_t place = file->bytes.length;
    text_add_bytes(&file->bytes, file->directory.bytes, file->directory.length);
    npz_put(&file->bytes, 0x06054b50, 4);
    npz_put(&file->bytes, 0, 4);
    npz_put(&file->bytes, (uint32_t)file->count, 2);
    npz_put(&file->bytes, (uint32_t)file->count, 2);
    npz_put(&file->bytes, (uint32_t)file->directory.length, 4);
    npz_put(&file->bytes, (uint32_t)place, 4);
    npz_put(&file->bytes, 0, 2);
    text_done(&file->directory);
}

#endif
