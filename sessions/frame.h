/*
 * frame.h - the frames of events.log as bytes: length (u32, little endian), CRC-32 of the payload (zlib's, u32),
 * payload.  A payload is one msgpack map whose first key is "n"; frame_find() knows the next good frame in damaged
 * bytes by that and by its checksum.  Pure; borrows all bytes.
 */
#ifndef ESPALIER_SESSIONS_FRAME_H
#define ESPALIER_SESSIONS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_FILE  "events.log"
#define LOCK_FILE "lock"
#define LOG_MAGIC "ESPALOG"
enum { LOG_VERSION = 1, LOG_HEADER = 8, FRAME_HEADER = 8, FRAME_PAYLOAD_MAX = 1 << 24 };

/* FRAME_GOOD with the payload's length; FRAME_SHORT: `length` bytes are not all of it (`*payload` more than are
   there are wanted after the header, or 0 when the header itself is cut); FRAME_BAD: no length of a frame, or a
   wrong checksum. */
enum frame_status { FRAME_GOOD, FRAME_SHORT, FRAME_BAD };
enum frame_status frame_check(const unsigned char *bytes, size_t length, size_t *payload);

void frame_write_header(unsigned char header[FRAME_HEADER], const void *payload, size_t length);

/* Does a payload begin as every event does, with a map whose first key is "n"?  Then `*number` (when not NULL) is the
   offset of that key's value. */
bool frame_begins_event(const unsigned char *payload, size_t length, size_t *number);

/* Offset of the first good frame at or after `offset`, or `length` when there is none. */
size_t frame_find(const unsigned char *bytes, size_t length, size_t offset);

#endif
