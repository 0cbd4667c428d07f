/*
 * progress.h - what a search prints while it runs without the terminal's screens: a line a finished network and
 * a progress line with the time left; or one JSON object a durable event.
 */
#ifndef ESPALIER_CLI_PROGRESS_H
#define ESPALIER_CLI_PROGRESS_H

#include <stdio.h>

#include "sessions/state.h"

enum progress_kind {
    PROGRESS_LINES, /* a pipe or a file: the progress line is one more line, every 15 seconds */
    PROGRESS_BAR,   /* a terminal: the progress line is drawn in place */
    PROGRESS_JSON
};

struct progress;

/* JSON when asked for; else what fits the stream. */
enum progress_kind progress_kind_for(FILE *out, bool json);
/* Borrows the stream and the state that the events are folded into.  progress_free() ends the bar. */
struct progress *progress_new(FILE *out, enum progress_kind kind, const struct session_state *state);
/* Print what an event means that `state` has folded; made to be an engine's sink. */
void progress_event(void *progress, const struct event *event);
/* Print the progress line now. */
void progress_show(struct progress *progress);
void progress_free(struct progress *progress);

#endif
