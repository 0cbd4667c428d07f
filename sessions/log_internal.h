/* log_internal.h - what the files of the log share beyond log.h. */
#ifndef ESPALIER_SESSIONS_LOG_INTERNAL_H
#define ESPALIER_SESSIONS_LOG_INTERNAL_H

#include "sessions/log.h"

/* Number of the last durable event read, of unknown kinds too. */
int64_t log_reader_number(const struct log_reader *reader);
/* Fold all that is there: LOG_END, LOG_TORN or -1. */
int log_fold(struct log_reader *reader, struct session_state *state, struct error *error);

/* Lock a session's folder: the lock's file, which log_unlock() closes, or -1 with who has it. */
int log_lock(const char *folder, struct error *error);
void log_unlock(int lock);

#endif
