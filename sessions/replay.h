/*
 * replay.h - a recorded session in which one can seek by event, by time, or to the next mark.
 *
 * A position is a number of events, transient ones too: at position p the first p events are folded.  replay_open()
 * reads the log once and makes an index and a few keyframes (copies of the state); a seek folds from the nearest
 * keyframe or from the current position.  One thread.
 */
#ifndef ESPALIER_SESSIONS_REPLAY_H
#define ESPALIER_SESSIONS_REPLAY_H

#include "sessions/log.h"

struct replay;

/* `warning` as session_load's.  A log that is damaged or contradicts itself is an error. */
int replay_open(const char *folder, struct replay **replay, struct error *warning, struct error *error);
void replay_free(struct replay *replay);

int64_t replay_count(const struct replay *replay); /* of all events: the last position */
int64_t replay_position(const struct replay *replay);
/* The state at the position: the replay's own, until the next call that moves.  session_state_copy() it to keep it. */
const struct session_state *replay_state(const struct replay *replay);

/* Is the event that leads to `position` (1 … count) durable? */
bool replay_is_durable(const struct replay *replay, int64_t position);
/* Time of the event that leads to `position` (1 … count); 0 for position 0. */
double replay_time(const struct replay *replay, int64_t position);
/* The last position whose events all happened at or before `time`. */
int64_t replay_position_at(const struct replay *replay, double time);

/* The time between durable events at a position: of the last one up to it, or the beginning; of the first one after it,
   or the end. */
void replay_wait(const struct replay *replay, int64_t position, double *begin, double *end);

/* What is marked at `position` (1 … count): bits of enum replay_mark below. */
unsigned replay_marks(const struct replay *replay, int64_t position);

/* Go to a position, which is clamped to 0 … count.  -1 only when the file can't be read or was changed: the position is
   then as far as it got. */
int replay_seek(struct replay *replay, int64_t position, struct error *error);
/* Go one event forward: LOG_EVENT with `*event` (event_done it), LOG_END at the end, -1 as replay_seek. */
int replay_step(struct replay *replay, struct event *event, struct error *error);
/* Read the event that leads to `position` (1 … count) without moving: 0, with `*event` (event_done it), or -1. */
int replay_event(struct replay *replay, int64_t position, struct event *event, struct error *error);

enum replay_mark {
    REPLAY_BEST = 1,    /* a network became the best */
    REPLAY_FAILURE = 2, /* an attempt failed; cancelled ones don't count */
    REPLAY_USER = 4     /* a person gave a command; events that follow it at once don't count again */
};
/* The nearest marked position after or before the current one, or -1.  Doesn't move. */
int64_t replay_next(const struct replay *replay, enum replay_mark mark);
int64_t replay_previous(const struct replay *replay, enum replay_mark mark);

#endif
