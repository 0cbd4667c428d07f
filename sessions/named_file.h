/*
 * named_file.h - the files that a session's events name: weights of networks and states of the policy.
 *
 * Pure, but for session_check_places() (log_internal.h).  Shared by the files of sessions/.
 */
#ifndef ESPALIER_SESSIONS_NAMED_FILE_H
#define ESPALIER_SESSIONS_NAMED_FILE_H

#include "sessions/state.h"

struct named_file {
    const char *place, *name, *hash; /* borrowed from the state; `hash`: the text that its content must have */
    int64_t node;                    /* whose weights; 0: a state of the policy */
    bool last;                       /* the last state of the policy */
};

/* named_file_at() for 0 to named_file_count() - 1; false: this network or update names no file. */
int64_t named_file_count(const struct session_state *state);
bool named_file_at(const struct session_state *state, int64_t index, struct named_file *file);
/* Is it one of COPY_BEST (log.h)? */
bool named_file_is_of_best(const struct session_state *state, const struct named_file *file);
/* FOLDER/PLACE/NAME in new memory. */
char *named_file_path(const char *folder, const struct named_file *file);

#endif
