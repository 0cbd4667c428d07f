/*
 * zip.c - a ZIP archive ends with a record of 22 bytes and a comment, which says where the directory begins; the
 * directory has a record for each member with its lengths, checksum, name and place; at that place a short record with
 * the name again stands before the member's bytes (PKWARE's APPNOTE.TXT, 4.3).  The lengths are taken from the
 * directory: the short record may leave them out.
 */
#include "data/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "util/file.h"
#include "util/memory.h"

enum {
    END_BYTES = 22,
    COMMENT_MAX = UINT16_MAX,
    DIRECTORY_BYTES = 46,
    LOCAL_BYTES = 30,
    NAMES_LISTED_MAX = 10,
    FLAG_ENCRYPTED = 1,
    STORED = 0,
    DEFLATED = 8
};
#define END_MARK       0x06054b50u
#define DIRECTORY_MARK 0x02014b50u
#define LOCAL_MARK     0x04034b50u

static uint32_t read16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t read32(const uint8_t *at)
{
    return read16(at) | read16(at + 2) << 16;
}

/* The last record whose comment ends with the file. */
static const uint8_t *find_end(const uint8_t *bytes, size_t length)
{
    size_t least = length > END_BYTES + COMMENT_MAX ? length - END_BYTES - COMMENT_MAX : 0;
    for (size_t at = length < END_BYTES ? 0 : length - END_BYTES + 1; at-- > least;)
        if (read32(bytes + at) == END_MARK && at + END_BYTES + read16(bytes + at + 20) == length)
            return bytes + at;
    return NULL;
}

int zip_open(const void *bytes, size_t length, struct zip *zip, struct error *error)
{
    const uint8_t *end = find_end(bytes, length);
    if (!end)
        return error_set(error, "is no ZIP archive, or is cut short; copy it again");
    *zip =
        (struct zip){.bytes = bytes, .length = length, .directory = read32(end + 16), .count = (int)read16(end + 10)};
    if (read32(end + 4) || read16(end + 8) != read16(end + 10) || zip->directory == UINT32_MAX ||
        zip->count == UINT16_MAX)
        return error_set(error,
                         "is an archive of several files, or of more than 4 GiB (ZIP64), which isn't read; save it "
                         "again as one smaller file");
    if (zip->directory > (size_t)(end - zip->bytes))
        return error_set(error, "is damaged: its directory lies outside of it; copy it again");
    return 0;
}

/* The record at `*at` of the directory, and `*at` behind it; NULL: it doesn't fit into the archive. */
static const uint8_t *next_record(const struct zip *zip, size_t *at)
{
    const uint8_t *record = zip->bytes + *at;
    size_t left = zip->length - *at;
    if (left < DIRECTORY_BYTES || read32(record) != DIRECTORY_MARK)
        return NULL;
    size_t bytes = (size_t)DIRECTORY_BYTES + read16(record + 28) + read16(record + 30) + read16(record + 32);
    if (bytes > left)
        return NULL;
    *at += bytes;
    return record;
}

static int locate(const struct zip *zip, const uint8_t *record, struct zip_member *member, struct error *error)
{
    uint32_t flags = read16(record + 8), method = read16(record + 10), place = read32(record + 42);
    *member = (struct zip_member){.checksum = read32(record + 16),
                                  .packed_length = read32(record + 20),
                                  .length = read32(record + 24),
                                  .deflated = method == DEFLATED};
    if (flags & FLAG_ENCRYPTED || (method != STORED && method != DEFLATED))
        return error_set(error,
                         "is encrypted, or packed by a method that isn't read (%u); save it again by numpy.savez",
                         (unsigned)method);
    if (member->packed_length == UINT32_MAX || member->length == UINT32_MAX || place == UINT32_MAX)
        return error_set(error, "has 4 GiB or more (ZIP64), which isn't read; save a smaller one");
    if (place > zip->length || zip->length - place < LOCAL_BYTES || read32(zip->bytes + place) != LOCAL_MARK)
        return error_set(error, "is damaged: it isn't where the archive's directory says; copy the file again");
    size_t start = (size_t)place + LOCAL_BYTES + read16(zip->bytes + place + 26) + read16(zip->bytes + place + 28);
    if (start > zip->length || member->packed_length > zip->length - start)
        return error_set(error, "is cut short; copy the file again");
    if (!member->deflated && member->packed_length != member->length)
        return error_set(error, "is damaged: it has two lengths; copy the file again");
    member->packed = zip->bytes + start;
    return 0;
}

int zip_find(const struct zip *zip, const char *name, struct zip_member *member, struct error *error)
{
    const uint8_t *found = NULL, *record;
    size_t at = zip->directory, length = strlen(name);
    for (int i = 0; i < zip->count; i++) {
        if (!(record = next_record(zip, &at)))
            return error_set(error, "is damaged: entry %d of its directory can't be read; copy it again", i + 1);
        if (read16(record + 28) != length || memcmp(record + DIRECTORY_BYTES, name, length))
            continue;
        if (found)
            return error_set(error, "has %s twice; save it again by numpy.savez", name);
        found = record;
    }
    if (!found)
        return 0;
    return locate(zip, found, member, error) ? error_prefix(error, "%s", name) : 1;
}

void zip_names(const struct zip *zip, struct text *text)
{
    size_t at = zip->directory;
    for (int i = 0; i < zip->count && i < NAMES_LISTED_MAX; i++) {
        const uint8_t *record = next_record(zip, &at);
        if (!record)
            return;
        text_add(text, "%s", i ? ", " : "");
        text_add_bytes(text, (const char *)record + DIRECTORY_BYTES, read16(record + 28));
    }
    if (zip->count > NAMES_LISTED_MAX)
        text_add(text, " and %d more", zip->count - NAMES_LISTED_MAX);
}

static int inflate_member(const struct zip_member *member, uint8_t *out, struct error *error)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)member->packed,
                       .avail_in = (uInt)member->packed_length,
                       .next_out = out,
                       .avail_out = (uInt)member->length};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return error_set(error, "can't be unpacked (zlib has no memory)");
    int code = inflate(&stream, Z_FINISH);
    bool whole = code == Z_STREAM_END && !stream.avail_out && !stream.avail_in;
    inflateEnd(&stream);
    return whole ? 0 : error_set(error, "can't be unpacked: it is damaged; copy the file again");
}

int zip_read(const struct zip *zip, const struct zip_member *member, const uint8_t **content, void **unpacked,
             struct error *error)
{
    char size[TEXT_SHORT];
    *unpacked = NULL;
    *content = member->packed;
    if (member->deflated) {
        if (member->length > FILE_GZIP_FLOOR + FILE_GZIP_RATIO * zip->length || member->length > INT32_MAX)
            return error_set(error,
                             "unpacks to %s, more than 2 GiB or than %d bytes for each of the file's; save it by "
                             "numpy.savez, or save less",
                             text_bytes(size, (double)member->length), FILE_GZIP_RATIO);
        *content = *unpacked = memory_resize(NULL, member->length ? member->length : 1, 1);
        if (inflate_member(member, *unpacked, error))
            return -1;
    }
    if (crc32_z(crc32_z(0, NULL, 0), *content, member->length) == member->checksum)
        return 0;
    return error_set(error, "is damaged: its checksum is another; copy the file again");
}
