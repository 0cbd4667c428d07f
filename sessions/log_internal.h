/* log_internal.h - what the files of the log share beyond log.h. */
#ifndef ESPALIER_SESSIONS_LOG_INTERNAL_H
#define ESPALIER_SESSIONS_LOG_INTERNAL_H

#include "sessions/log.h"

/* Of weights and of a policy's state, the most that is read. */
#define SESSION_FILE_MAX ((size_t)1 << 30)

/* Number of the last durable event read, of unknown kinds too. */
int64_t log_reader_number(const struct log_reader *reader);
/* log_next() of one frame of any kind, and that frame, which is the reader's until it is asked again.  LOG_UNKNOWN: an
   event of a kind that we don't know, `event` is not set. */
enum { LOG_UNKNOWN = 3 };
int log_next_frame(struct log_reader *reader, struct event *event, const void **frame, size_t *length,
                   struct error *error);
/* Go on at the frame at `offset`; `number` is that of the last durable event before it. */
void log_seek(struct log_reader *reader, int64_t offset, int64_t number);
/* Fold all that is there: LOG_END, LOG_TORN or -1. */
int log_fold(struct log_reader *reader, struct session_state *state, struct error *error);

/* Add an event's msgpack map, which can be decoded and begins with its number, to `out` with another number and
   everything else as it is, unknown keys too. */
void event_renumber(const void *payload, size_t length, int64_t number, struct text *out);

/* log_close() of a session that log_create() made, and remove it. */
void log_remove(struct log_writer *writer);

/* Lock a session's folder: the lock's file, which log_unlock() closes, or -1 with who has it. */
int log_lock(const char *folder, struct error *error);
void log_unlock(int lock);

/* Walk over all bytes of an events.log, good or damaged: fold what can be folded into the new `state`, add what was
   found to `report` and `findings`, and make `log`, the bytes of a whole log that gives that state.  -1 when there is
   nothing in it. */
int log_salvage(const void *bytes, size_t length, struct session_state *state, struct fsck_report *report,
                struct text *findings, struct text *log, struct error *error);

/* When `event` can't follow `state` because events before it are lost: make the next one that has to stand in for
   them (event_done it).  False: nothing can help, the event is lost too. */
bool bridge_before(const struct session_state *state, const struct event *event, struct event *bridge);
/* An event that leans on a lost network: `*changed` when it was cut off from it, -1 when it means nothing without. */
int bridge_orphan(const struct session_state *state, struct event *event, bool *changed, struct error *error);
/* The one that has to follow the bridge `before` at once: a lost network is never trained. */
bool bridge_after(const struct event *before, struct event *bridge);
/* After the last event: the next one that has to follow it, or false. */
bool bridge_end(const struct session_state *state, struct event *bridge);

#endif
