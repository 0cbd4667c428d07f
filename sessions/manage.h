/*
 * manage.h - renames and removes sessions, and removes files of one that a person can do without.
 *
 * Each takes the session's lock, so none touches a session that a process writes.  Somebody else may have made the
 * folder: only what a session has is removed, by its name in that folder, and no link is followed (session_file.h).
 * Any thread.
 */
#ifndef ESPALIER_SESSIONS_MANAGE_H
#define ESPALIER_SESSIONS_MANAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

/* Rename FOLDER to NAME.esp beside it, and with it the link in the state folder.  `*renamed` is the caller's to free().
   -1: the name is taken or none, or a process writes the session. */
int session_rename(const char *folder, const char *name, char **renamed, struct error *error);

/* Remove a session: its checkpoints, its files of weights and of the policy, then its log.  `*others`: the folder has
   other files too, and stays with these.  -1: a process writes it, or something can't be removed; what is still there
   is a session, or nothing of it. */
int session_remove(const char *folder, bool *others, struct error *error);

/* Files of checkpoints, of weights and of the policy that are there. */
struct weights_report {
    int64_t kept, removed;
    double bytes; /* of those that are removed */
};
/* Remove the files that `espalier copy --weights best` leaves out: checkpoints, and all but the weights of the best and
   of the start network and the last state of the policy.  The log stays as it is; a search that is resumed says in it
   what is gone.  `dry`: count only, which needs no lock. */
int session_remove_weights(const char *folder, bool dry, struct weights_report *report, struct error *error);

#endif
