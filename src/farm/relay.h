/*
 * relay.h - a worker: finds a search that it can serve, and carries trials and reports between the database and the
 * local evaluator, which trains.
 *
 * The caller opens images and devices for the search, and has the local evaluator (src/cli/commands/worker.c).  One
 * thread makes all calls; another, or a signal handler, sets `stop`.
 */
#ifndef ESPALIER_FARM_RELAY_H
#define ESPALIER_FARM_RELAY_H

#include <stdatomic.h>

#include "farm/db.h"
#include "search/evaluator.h"

/* A search as its row says it.  farm_search_done() it. */
struct farm_search {
    int64_t id;
    char *session, *host; /* where it runs */
    char *program;
    char *options; /* "NAME=VALUE" lines, as options_set() takes them */
    char *data, *data_hash;
    char *instructions; /* what its processors train with: another set rounds otherwise */
    char *kinds;        /* which devices may train: "cpu", "gpu" or "any" */
};
void farm_search_done(struct farm_search *search);

/* An open search that is none of `refused` (count of them): one that runs now, with the fewest lanes.  1, 0: there is
   none, or -1. */
int farm_find_search(struct db *db, const int64_t *refused, int count, struct farm_search *search, struct error *error);
/* Let whoever runs the search know why this machine can't serve it. */
int farm_refuse_search(struct db *db, const struct farm_search *search, const char *reason, struct error *error);

struct relay_options {
    double idle;                                  /* seconds without a trial after which it leaves; 0: never */
    const atomic_bool *stop;                      /* hand back what trains, and leave */
    double patience;                              /* without a trial, before it asks whether the search runs; 0: 30 */
    void (*say)(void *context, const char *line); /* what happens, for the person at the terminal */
    void *context;
};
enum relay_end { RELAY_FAILED = -1, RELAY_CLOSED, RELAY_IDLE, RELAY_STOPPED };
/* Serve the search until it is closed or nobody runs it (RELAY_CLOSED), nothing came for `idle` seconds, or `stop`.
   `input` is the shape of its images. RELAY_FAILED: trying again is no use; the message says why. */
enum relay_end relay_run(struct db *db, const struct farm_search *search, struct evaluator *local, struct shape input,
                         const struct relay_options *options, struct error *error);

#endif
