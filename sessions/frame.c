/* frame.c - frames of the log: see frame.h. */
#include "sessions/frame.h"

#include <stdbool.h>
#include <zlib.h>

#include "util/bug.h"

static uint32_t read_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void write_u32(unsigned char *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
}

enum frame_status frame_check(const unsigned char *bytes, size_t length, size_t *payload)
{
    *payload = 0;
    if (length < FRAME_HEADER)
        return FRAME_SHORT;
    uint32_t size = read_u32(bytes);
    if (size < 1 || size > FRAME_PAYLOAD_MAX) /* zeros, as a crash leaves them at the end of a file, are no frame */
        return FRAME_BAD;
    *payload = size;
    if (size > length - FRAME_HEADER)
        return FRAME_SHORT;
    return crc32(0, bytes + FRAME_HEADER, size) == read_u32(bytes + 4) ? FRAME_GOOD : FRAME_BAD;
}

void frame_write_header(unsigned char header[FRAME_HEADER], const void *payload, size_t length)
{
    ASSERT(length >= 1 && length <= FRAME_PAYLOAD_MAX);
    write_u32(header, (uint32_t)length);
    write_u32(header + 4, (uint32_t)crc32(0, payload, (uInt)length));
}

/* Does a payload begin as every event does?  Cheap, and spares nearly all checksums of the search. */
static bool begins_event(const unsigned char *bytes, size_t length)
{
    size_t head = bytes[0] == 0xdf ? 5 : bytes[0] == 0xde ? 3 : (bytes[0] & 0xf0) == 0x80 ? 1 : 0;
    return head && length >= head + 2 && bytes[head] == 0xa1 && bytes[head + 1] == 'n';
}

size_t frame_find(const unsigned char *bytes, size_t length, size_t offset)
{
    size_t payload;
    for (; offset + FRAME_HEADER < length; offset++)
        if (begins_event(bytes + offset + FRAME_HEADER, length - offset - FRAME_HEADER) &&
            frame_check(bytes + offset, length - offset, &payload) == FRAME_GOOD)
            return offset;
    return length;
}
