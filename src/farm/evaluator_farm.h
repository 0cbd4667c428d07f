/*
 * evaluator_farm.h - trials on other machines, behind the interface of search/evaluator.h.
 *
 * A thread of its own talks to the database: no call of the engine's thread waits for SQL, but evaluator_farm_take().
 * Its slots are the lanes of workers; they join and leave.  While the server is away the search stands: what trains
 * goes on, nothing is lost, and a warning says so in the session's log.
 */
#ifndef ESPALIER_FARM_EVALUATOR_FARM_H
#define ESPALIER_FARM_EVALUATOR_FARM_H

#include "search/journal.h"
#include "search/record.h"

/* Seconds after which a worker that gave no sign of life is given up, unless another number is asked for. */
#define FARM_LEASE     30.0
#define FARM_LEASE_MIN 3.0 /* a worker beats once a second */

/* Connect to the farm at `url`, check it, and start the thread.  Copies what it is given.  `test` is the
   checksum of the test images, zero without any.  `lease`: FARM_LEASE or
   another.  NULL: there is no server, no farm, or not of this program; the message says what to do. */
struct evaluator *evaluator_farm_new(const char *url, double lease, const struct search_options *options,
                                     const struct search_data *data, struct hash test, struct error *error);
/* Take the search of a session that is resumed, before the engine runs.  -1: another process has it (the message says
   which, and where), or this is an older copy of a session that went on elsewhere, or the server doesn't answer for
   half a minute.  A new session is taken when its first event is written. */
int evaluator_farm_take(struct evaluator *evaluator, const struct session_state *state, const char *folder,
                        struct error *error);
/* The engine must tell the evaluator of its events: what has been written may be forgotten by the farm.  `folder` is
   that of the session. */
struct event_sink evaluator_farm_sink(struct evaluator *evaluator, const char *folder);
/* The engine has ended: remove from the farm what it has of the search, and end the thread; then free() alone may be
   called, which does the same otherwise.  -1: the farm still has rows of it; the message says what removes them. */
int evaluator_farm_end(struct evaluator *evaluator, struct error *error);

#endif
