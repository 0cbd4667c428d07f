/*
 * summary.h - what a list of sessions shows of one: its state, who runs it, its best network, and how large it is.
 *
 * A plain value that keeps none of the session's state, so that hundreds can be held.  It is read from the folder, which
 * somebody else may have made (session_file.h), and only from there; a lock that names a process is asked
 * whether it is held.  Any thread.
 */
#ifndef ESPALIER_SESSIONS_SUMMARY_H
#define ESPALIER_SESSIONS_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "util/error.h"

/* name, word */
#define SUMMARY_STATUSES(S) \
    S(RUNNING, "running") S(PAUSED, "paused") S(DIED, "died") S(STOPPED, "stopped") S(FAILED, "failed") \
    S(FINISHED, "finished") S(DAMAGED, "damaged")

enum summary_status {
#define SUMMARY_ENUM(name, word) SUMMARY_##name,
    SUMMARY_STATUSES(SUMMARY_ENUM)
#undef SUMMARY_ENUM
    SUMMARY_STATUS_COUNT
};

enum { SUMMARY_CURVE = 8 };

struct session_summary {
    char *folder, *name;
    char *data, *policy;         /* NULL: unknown */
    enum summary_status status;
    struct error error;          /* SUMMARY_DAMAGED: why it can't be read */
    bool readable;               /* what follows from the log is known: all of the second half */
    long process;                /* that runs it; 0: none does */
    bool here;                   /* that process is one of this machine */
    char host[256], user[64];    /* whose it is; "": unknown */
    time_t written;              /* the last write to the log */
    int64_t log_bytes;
    double bytes;                /* on the disk, with all its files */

    int64_t networks, pending;   /* trained; in training or queued */
    int64_t best, parameters;    /* 0: none is trained */
    double accuracy;
    double seconds, created;     /* of search, without pauses; when it began, in seconds since 1970 */
    double curve[SUMMARY_CURVE]; /* the best accuracy so far at these places of the search */
    int curve_count;
};

/* `folder` becomes the summary's.  A session that can't be read is SUMMARY_DAMAGED, with the reason. */
void session_summary_read(struct session_summary *summary, char *folder);
void session_summary_done(struct session_summary *summary);
/* Has its log been written since, or begun or ended to be run by a process?  Reads no log. */
bool session_summary_is_old(const struct session_summary *summary);
/* The last write to the log in a folder; 0: there is none. */
time_t session_summary_written(const char *folder);
const char *session_summary_word(enum summary_status status);
/* Does a process run it? */
bool session_summary_is_running(const struct session_summary *summary);

/* A session's name, without its path and ".esp".  free() it. */
char *session_short_name(const char *folder);

#endif
