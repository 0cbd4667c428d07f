/*
 * event_line.h - an event as one line of text: for the log pane and for what a search prints without screens.
 *
 * Pure.  The state is the one that the event was folded into.
 */
#ifndef ESPALIER_TUI_EVENT_LINE_H
#define ESPALIER_TUI_EVENT_LINE_H

#include "sessions/state.h"
#include "tui/canvas.h"

struct event_line {
    enum style style;
    const char *word; /* static: "best", "fail", "policy", "you" */
    char text[700];
};

/* False: the event has no line; other parts of the screen show it. */
bool event_line(const struct session_state *state, const struct event *event, struct event_line *line);

#endif
