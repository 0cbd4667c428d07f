/*
 * status.h - what a farm is doing, as JSON: for `espalier farm status`.
 *
 * On the thread of the `struct db`.
 */
#ifndef ESPALIER_FARM_STATUS_H
#define ESPALIER_FARM_STATUS_H

#include "farm/db.h"

/* An object: `postgresql` (version), `bytes` (of the database), `connections`, `connections_max`, and `searches`, each
   with `session`, `host`, `process`, `running` (a process has it), `paused`, `ended`, `data`, `instructions`, `devices`
   (the kinds that may train), `results` (that the log has), `results_an_hour` (by the last few dozens),
   `offered`, `training`, `reported` (trials by state), `lanes`, `images_per_second` and `hosts`: an object for each
   host, with `workers` (that move), `silent`, `left`, `lanes`, `lanes_lost`, `training`, `images_per_second`,
   `lanes_on` (names of devices) and `refused` (reasons).  Waits up to a few seconds, until every worker has moved:
   those that have not are the silent ones.  The caller's to free().
 */
int farm_status_read(struct db *db, char **json, struct error *error);

/* The session of a search that a process has, among those with this session (NULL: all); "" if there is none.  The
   caller's to free(). */
int farm_status_running(struct db *db, const char *session, char **running, struct error *error);

/* Remove the searches of this session, and all that they have left: `*count` searches. */
int farm_status_remove(struct db *db, const char *session, int *count, struct error *error);

#endif
