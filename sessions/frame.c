/* frame.c - writes, checks and finds frames. */
#include "sessions/frame.h"

#include <stdlib.h>
#include <zlib.h>

#include "util/bug.h"
#include "util/memory.h"

static uint32_t read_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void write_u32(unsigned char *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
}

/* FRAME_GOOD when only the checksum remains to be compared. */
static enum frame_status check_header(const unsigned char *bytes, size_t length, size_t *payload)
{
    *payload = 0;
    if (length < FRAME_HEADER)
        return FRAME_SHORT;
    uint32_t size = read_u32(bytes);
    if (size < 1 || size > FRAME_PAYLOAD_MAX) /* zeros, which a crash can leave at the end of a file, are not a frame */
        return FRAME_BAD;
    *payload = size;
    return size > length - FRAME_HEADER ? FRAME_SHORT : FRAME_GOOD;
}

static uint32_t checksum(const unsigned char *bytes, size_t length)
{
    return (uint32_t)crc32(0, bytes, (uInt)length);
}

enum frame_status frame_check(const unsigned char *bytes, size_t length, size_t *payload)
{
    enum frame_status status = check_header(bytes, length, payload);
    if (status != FRAME_GOOD)
        return status;
    return checksum(bytes + FRAME_HEADER, *payload) == read_u32(bytes + 4) ? FRAME_GOOD : FRAME_BAD;
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

/* --- search -------------------------------------------------------------------------------------------------- */

/* Of the first `length` bytes. */
static uint32_t sum_to(struct frame_search *search, size_t length)
{
    size_t index = length / FRAME_SUM_STEP;
    while (search->sum_count <= index) {
        size_t count = search->sum_count;
        search->sums = memory_grow(search->sums, count, &search->sum_capacity, sizeof *search->sums);
        search->sums[count] = count ? (uint32_t)crc32(search->sums[count - 1],
                                                      search->bytes + (count - 1) * FRAME_SUM_STEP, FRAME_SUM_STEP)
                                    : checksum(NULL, 0);
        search->sum_count++;
    }
    return (uint32_t)crc32(search->sums[index], search->bytes + index * FRAME_SUM_STEP,
                           (uInt)(length - index * FRAME_SUM_STEP));
}

/* crc32_combine(): the sum of `end` bytes is that of `begin` bytes, moved over those between, plus the sum of these. */
static uint32_t sum_between(struct frame_search *search, size_t begin, size_t end)
{
    uint32_t before = sum_to(search, begin);
    return sum_to(search, end) ^ (uint32_t)crc32_combine(before, 0, (z_off_t)(end - begin));
}

enum frame_status frame_search_check(struct frame_search *search, size_t offset, size_t *payload)
{
    const unsigned char *frame = search->bytes + offset;
    enum frame_status status = check_header(frame, search->length - offset, payload);
    if (status != FRAME_GOOD)
        return status;
    size_t begin = offset + FRAME_HEADER;
    uint32_t sum = *payload <= 2 * FRAME_SUM_STEP ? checksum(frame + FRAME_HEADER, *payload)
                                                  : sum_between(search, begin, begin + *payload);
    return sum == read_u32(frame + 4) ? FRAME_GOOD : FRAME_BAD;
}

/* Looking at the payload's first bytes avoids nearly all checksums. */
size_t frame_search_next(struct frame_search *search, size_t offset)
{
    size_t payload;
    for (; offset + FRAME_HEADER < search->length; offset++)
        if (frame_begins_event(search->bytes + offset + FRAME_HEADER, search->length - offset - FRAME_HEADER, NULL) &&
            frame_search_check(search, offset, &payload) == FRAME_GOOD)
            return offset;
    return search->length;
}

void frame_search_done(struct frame_search *search)
{
    free(search->sums);
}
