/*
 * gather.h - reads the summaries of all sessions (session_list), in a thread of its own, and goes on looking for changes.
 *
 * The last written sessions come first.  A log is read again when it has been written or a process has begun or ended to
 * run it; a long one so rarely that reading takes a small share of the time.  All calls from one thread.
 */
#ifndef ESPALIER_CLI_GATHER_H
#define ESPALIER_CLI_GATHER_H

#include "sessions/summary.h"

struct gather;

struct gather_news {
    enum { GATHER_SUMMARY, GATHER_GONE, GATHER_ALL } kind; /* GATHER_ALL: every session has been read */
    struct session_summary summary; /* GATHER_SUMMARY: the receiver's; GATHER_GONE: only its folder, likewise */
};

/* NULL: the system has no thread for it. */
struct gather *gather_new(void);
void gather_free(struct gather *gather);
/* Readable when gather_next() has something. */
int gather_descriptor(const struct gather *gather);
bool gather_next(struct gather *gather, struct gather_news *news);
/* Stop looking, or go on, at once. */
void gather_hold(struct gather *gather, bool held);

#endif
