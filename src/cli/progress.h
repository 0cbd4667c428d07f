/*
 * progress.h - what a search prints while it runs without the terminal's screens: a line a finished network and
 * a progress line with the time left; or one JSON object a durable event.
 */
#ifndef ESPALIER_CLI_PROGRESS_H
#define ESPALIER_CLI_PROGRESS_H

#include <stdio.h>

#include "search/engine.h"

enum progress_kind {
    PROGRESS_LINES, /* a pipe or a file: the progress line is one more line, every 15 seconds */
    PROGRESS_BAR,   /* a terminal: the progress line is drawn in place */
    PROGRESS_JSON
};

struct progress;

/* Borrows the stream and the engine.  progress_free() ends the bar. */
struct progress *progress_new(FILE *out, enum progress_kind kind, const struct engine *engine);
struct engine_sink progress_sink(struct progress *progress);
void progress_free(struct progress *progress);

#endif
