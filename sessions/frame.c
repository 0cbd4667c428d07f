/* frame.c - writes, checks and finds frames. */
#include "sessions/frame.h"

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
    if (size < 1 || size > FRAME_PAYLOAD_MAX) /* zeros, which a crash can leave at the end of a file, are not a frame */
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

bool frame_begins_event(const unsigned char *payload, size_t length, size_t *number)
{
    if (!length)
        return false;
    size_t head = payload[0] == 0xdf ? 5 : payload[0] == 0xde ? 3 : (payload[0] & 0xf0) == 0x80 ? 1 : 0;
    if (number)
        *number = head + 2;
    return head && length > head + 2 && payload[head] == 0xa1 && payload[head + 1] == 'n';
}

/* Checking the payload's first bytes avoids nearly all checksums. */
size_t frame_find(const unsigned char *bytes, size_t length, size_t offset)
{
    size_t payload;
    for (; offset + FRAME_HEADER < length; offset++)
        if (frame_begins_event(bytes + offset + FRAME_HEADER, length - offset - FRAME_HEADER, NULL) &&
            frame_check(bytes + offset, length - offset, &payload) == FRAME_GOOD)
            return offset;
    return length;
}
