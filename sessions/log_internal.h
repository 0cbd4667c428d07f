/* log_internal.h - shared by the files of the log, and by no others. */
#ifndef ESPALIER_SESSIONS_LOG_INTERNAL_H
#define ESPALIER_SESSIONS_LOG_INTERNAL_H

#include "sessions/log.h"

/* Largest file of weights or of a policy's state that is read. */
#define SESSION_FILE_MAX ((size_t)1 << 30)

/* Number of the last durable event read, of unknown kinds too. */
int64_t log_reader_number(const struct log_reader *reader);
/* As log_next(), also for unknown kinds (LOG_UNKNOWN: `event` is not set), with the frame's bytes, which are the
   reader's until the next call. */
enum { LOG_UNKNOWN = 3 };
int log_next_frame(struct log_reader *reader, struct event *event, const void **frame, size_t *length,
                   struct error *error);
/* Go on at the frame at `offset`; `number` is that of the last durable event before it. */
void log_seek(struct log_reader *reader, int64_t offset, int64_t number);
/* Fold all remaining events: LOG_END, LOG_TORN or -1. */
int log_fold(struct log_reader *reader, struct session_state *state, struct error *error);

/* Add an event's msgpack map to `out` with another number; everything else, unknown keys too, stays as it is. */
void event_renumber(const void *payload, size_t length, int64_t number, struct text *out);

/* Close and remove a session that log_create() made, with nothing but its empty folders beside the log. */
void log_remove(struct log_writer *writer);

/* Lock a session's folder and, if it has one, its log, which is open to be written then.  -1 with a message that names
   the holder; both are -1 then. */
struct log_lock {
    int owner, log; /* descriptors of `lock` and of events.log; -1: none */
};
int log_lock(const char *folder, struct log_lock *lock, struct error *error);
void log_unlock(struct log_lock *lock);

/* -1 with the reason when these are not the first bytes of a log that this program reads. */
int log_check_header(const void *bytes, size_t length, struct error *error);
bool log_is_compressed(const void *bytes, size_t length);
/* The message of a session whose run ended before its first event. */
int log_without_events(const char *folder, struct error *error);

/* -1 with a message when a file that `state` names is in the folder, but isn't one of its own (session_file.h). */
int session_check_places(const char *folder, const struct session_state *state, struct error *error);

/* Read all bytes of an events.log, good or damaged: fold what can be folded into a new `state`, add the findings to
   `report` and `findings`, and make `log`, the bytes of a log that gives that state.  -1 when no event is good. */
int log_salvage(const void *bytes, size_t length, struct session_state *state, struct fsck_report *report,
                struct text *findings, struct text *log, struct error *error);

/* When `event` can't follow `state` because events before it are lost: make the next event that takes the place of a
   lost one (event_done it).  False: there is none, and `event` is lost too. */
bool placeholder_before(const struct session_state *state, const struct event *event, struct event *placeholder);
/* For an event that refers to a lost network: remove the reference (`*changed`), or -1 when the event is nothing
   without it. */
int placeholder_detach(const struct session_state *state, struct event *event, bool *changed, struct error *error);
/* The event that must follow the placeholder `before` at once, if any: a lost network is pruned. */
bool placeholder_after(const struct event *before, struct event *placeholder);
/* After the last event: the next event that must follow it, or false.  `*number` begins at 1 and is
   placeholder_end()'s: the network to look at next. */
bool placeholder_end(const struct session_state *state, int64_t *number, struct event *placeholder);

#endif
