/*
 * session_input.h - any bytes as the log of a session: for the fuzz targets that begin with one.
 *
 * The log is written with every frame's checksum made right, so that what is inside a frame is reached.  When the last
 * bit of the input says so, a few fields of its events get other values too, such as infinities, huge numbers and
 * escapes.
 */
#ifndef ESPALIER_TESTS_FUZZ_SESSION_INPUT_H
#define ESPALIER_TESTS_FUZZ_SESSION_INPUT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../random_event.h"
#include "../session_folder.h"
#include "sessions/frame.h"
#include "sessions/log.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/print.h"
#include "util/random.h"

/* Frames are where their lengths say; each gets the checksum of what is in it. */
static inline void mend_checksums(uint8_t *bytes, size_t length)
{
    size_t payload;
    for (size_t offset = LOG_HEADER; offset + FRAME_HEADER < length; offset += FRAME_HEADER + payload) {
        if (frame_check(bytes + offset, length - offset, &payload) == FRAME_SHORT || !payload)
            return;
        frame_write_header(bytes + offset, bytes + offset + FRAME_HEADER, payload);
    }
}

/* A log of the same events, of which a few have another value in a field. */
static inline void change_fields(const uint8_t *bytes, size_t length, struct text *log)
{
    size_t payload, count = 0;
    struct hash hash = hash_of(bytes, length);
    struct random_stream stream = random_stream_new(hash.low, RANDOM_TEST, hash.high, 0);
    for (size_t at = LOG_HEADER; frame_check(bytes + at, length - at, &payload) == FRAME_GOOD;
         at += FRAME_HEADER + payload)
        count++;
    text_add_bytes(log, (const char *)bytes, LOG_HEADER);
    for (size_t at = LOG_HEADER; frame_check(bytes + at, length - at, &payload) == FRAME_GOOD;
         at += FRAME_HEADER + payload) {
        struct event event;
        int fields;
        void *encoded = NULL;
        size_t encoded_length;
        const uint8_t *frame = bytes + at + FRAME_HEADER;
        if (random_below(&stream, (uint32_t)count) > 1 || event_decode(frame, payload, &event, NULL) != EVENT_DECODED) {
            log_add_frame(log, frame, payload);
            continue;
        }
        const struct event_field *field = event_fields(event.kind, &fields);
        if (fields)
            random_field(&stream, field + random_below(&stream, (uint32_t)fields), &event);
        event_encode(&event, &encoded, &encoded_length);
        log_add_frame(log, encoded, encoded_length);
        free(encoded);
        event_done(&event);
    }
}

static inline void session_input_put(const char *folder, const uint8_t *bytes, size_t length)
{
    uint8_t *mended = memcpy(memory_new(length + 1, 1), bytes, length);
    mend_checksums(mended, length);
    struct text log = TEXT_EMPTY;
    if (length > LOG_HEADER && bytes[length - 1] & 1)
        change_fields(mended, length, &log);
    else
        text_add_bytes(&log, (const char *)mended, length);
    log_put(folder, log.bytes, log.length);
    text_done(&log);
    free(mended);
}

/* Nothing in it that a terminal would obey, lines apart. */
static inline void assert_plain_lines(const char *text)
{
    while (*text) {
        size_t plain = print_plain_length(text);
        ASSERT(!text[plain] || text[plain] == '\n');
        text += plain + (text[plain] == '\n');
    }
}

#endif
