/*
 * frame.h - the frames of events.log as bytes: length (u32, little endian), CRC-32 of the payload (zlib's, u32),
 * payload.  A payload is one msgpack map whose first key is "n"; by that and by the checksum frame_search_next()
 * recognises the next good frame in damaged bytes.  Pure; borrows all bytes.
 */
#ifndef ESPALIER_SESSIONS_FRAME_H
#define ESPALIER_SESSIONS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_FILE    "events.log"
#define LOCK_FILE   "lock"
#define OUTPUT_FILE "output.log" /* of a search in the background */
#define SOCKET_FILE "socket"     /* of a search that runs, or was killed */
#define HOOKS_FILE  "hooks.log"  /* what a person's commands print */
#define LOG_MAGIC   "ESPALOG"

#define CHECKPOINTS_PLACE "checkpoints" /* the folder of those of the networks in training */

enum { LOG_VERSION = 1, LOG_HEADER = 8, FRAME_HEADER = 8, FRAME_PAYLOAD_MAX = 1 << 24 };
#define LOG_HEADER_BYTES LOG_MAGIC "\1" /* what a log begins with: the name and LOG_VERSION */

/* FRAME_GOOD: `*payload` is its length.  FRAME_SHORT: `length` bytes are not the whole frame; `*payload` is the length
   that the header gives, 0 when the header is cut.  FRAME_BAD: an impossible length or a wrong checksum. */
enum frame_status { FRAME_GOOD, FRAME_SHORT, FRAME_BAD };
enum frame_status frame_check(const unsigned char *bytes, size_t length, size_t *payload);

void frame_write_header(unsigned char header[FRAME_HEADER], const void *payload, size_t length);

/* Does a payload begin with a map whose first key is "n", as every event does?  `*number` (if not NULL) is then the
   offset of that key's value. */
bool frame_begins_event(const unsigned char *payload, size_t length, size_t *number);

/* A search for frames in bytes that may be made to look like frames everywhere.  It takes time linear in `length`, all
   calls together: each checksum follows from two sums of the bytes' beginnings.  Borrows the bytes; other fields begin
   as zero. */
struct frame_search {
    const unsigned char *bytes;
    size_t length;
    uint32_t *sums; /* sums[i]: of the first i * FRAME_SUM_STEP bytes; owned */
    size_t sum_count, sum_capacity;
};
enum { FRAME_SUM_STEP = 256 };
/* As frame_check() at `offset`. */
enum frame_status frame_search_check(struct frame_search *search, size_t offset, size_t *payload);
/* Offset of the first good frame at or after `offset`, or `length` when there is none. */
size_t frame_search_next(struct frame_search *search, size_t offset);
void frame_search_done(struct frame_search *search);

#endif
