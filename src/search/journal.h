/*
 * journal.h - the session that a search writes: its log, the state that the log folds to, and who watches.
 *
 * Only journal_emit() numbers, appends and folds events.  An event is in the log before anything happens because of it,
 * and a file is on disk before the event that names it.  A full disk is often full for a moment only: a write that
 * failed is tried again, and nothing trains meanwhile.  When it can't be written the journal is `broken`: nothing is
 * written any more, and the session on disk is intact.
 *
 * The engine's thread only.  It borrows the evaluator and the flag.
 */
#ifndef ESPALIER_SEARCH_JOURNAL_H
#define ESPALIER_SEARCH_JOURNAL_H

#include <stdatomic.h>

#include "search/evaluator.h"
#include "sessions/log.h"

/* Sees every event, in order.  Must not block for long; copies what it keeps. */
struct event_sink {
    void (*event)(void *context, const struct event *event);
    void *context;
};
enum { JOURNAL_SINKS_MAX = 8 };

struct journal {
    struct log_writer *log;
    struct session_state *state;
    struct event_sink sinks[JOURNAL_SINKS_MAX];
    int sink_count;
    double time_before, opened;  /* event time when this process took the session, and the clock then */
    struct evaluator *evaluator; /* is paused while the disk is full */
    const atomic_bool *stop;     /* ends the waiting for a full disk */
    int disk_tries;              /* after a write that failed; disk_wait seconds apart */
    double disk_wait;
    bool broken;
    struct error trouble; /* why */
};

void journal_init(struct journal *journal, struct evaluator *evaluator, const atomic_bool *stop);
void journal_done(struct journal *journal);
/* A new session, or one that is there, with its state; then the clock of events starts with journal_start(). */
int journal_create(struct journal *journal, const char *folder, struct error *error);
int journal_open(struct journal *journal, const char *folder, struct error *warning, struct error *error);
void journal_start(struct journal *journal);

/* Seconds that the search has been open, over all its processes. */
double journal_time(const struct journal *journal);
/* Number, write, fold and show an event, which is taken over.  -1: the journal is broken. */
int journal_emit(struct journal *journal, struct event *event);
/* Write FOLDER/NAME of the session.  -1: the journal is broken. */
int journal_write(struct journal *journal, const char *folder, const char *name, const void *bytes, size_t length);
/* The path of FOLDER/NAME of the session; the caller's to free(). */
char *journal_path(const struct journal *journal, const char *folder, const char *name);
/* The architecture of a network of the tree. */
void journal_arch(const struct journal *journal, int64_t node, struct arch *arch);

#endif
