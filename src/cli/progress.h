/*
 * progress.h - a search without screens: a line for each finished network and a progress line with the time left, or
 * one JSON object for each durable event.
 *
 * Events come from a source, as the screens' do (tui/tui.h), and are folded into a state of its own.  One thread.
 */
#ifndef ESPALIER_CLI_PROGRESS_H
#define ESPALIER_CLI_PROGRESS_H

#include <stdio.h>

#include "tui/tui.h"

enum progress_kind {
    PROGRESS_LINES, /* a pipe or a file: the progress line is one more line, every 15 seconds */
    PROGRESS_BAR,   /* a terminal: the progress line is drawn in place */
    PROGRESS_JSON
};

struct progress;

/* JSON when asked for; else what fits the stream. */
enum progress_kind progress_kind_for(FILE *out, bool json);
/* Borrows the stream and the source. */
struct progress *progress_new(FILE *out, enum progress_kind kind, const struct tui_source *source);
void progress_free(struct progress *progress);

/* Fold the events that are there now, and print nothing.  -1: they contradict each other. */
int progress_skip(struct progress *progress, struct error *error);
/* Fold and print events until the source has ended or the descriptor `leave` (-1: none) becomes readable: 0.  -1: they
   contradict each other, or the source ended with an error.  The bar is cleared then. */
int progress_run(struct progress *progress, int leave, struct error *error);
/* As tui_source's. */
bool progress_ended(const struct progress *progress, struct error *error);
/* Print the progress line now. */
void progress_show(struct progress *progress);
/* The progress's own. */
const struct session_state *progress_state(const struct progress *progress);

#endif
