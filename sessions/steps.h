/*
 * steps.h - what persons did, step by step, and what takes each step back.
 *
 * A step is a command that was not refused, other than `undo`, with the event that followed it (state.h). To take a step
 * back is a command too, which the engine checks and logs like any other: `undo 3` of the third step, `pin 5`, does
 * what `unpin 5` does, and says in its event which step it took back.
 *
 * Steps on the same thing (one budget, the rate, one network's pin) are taken back from the newest on. Only budgets that
 * were changed by +N or -N can be taken back in any order.
 */
#ifndef ESPALIER_SESSIONS_STEPS_H
#define ESPALIER_SESSIONS_STEPS_H

#include "sessions/state.h"

/* A step by its place, from 1; NULL when there is none. */
const struct session_step *session_step(const struct session_state *state, int64_t step);
/* The newest step of an author that is not taken back and changed something that can be, even if no longer; 0: none. */
int64_t session_step_last(const struct session_state *state, enum event_author by);
/* Add the command that takes the step back.  -1: it is taken back, or can't be; the message says why. */
int session_step_reverse(const struct session_state *state, int64_t step, struct text *words, struct error *error);
/* "`unprune 3` takes it back", "taken back", or why it can't be; nothing for a step that changed nothing of the kind. */
void session_step_describe(const struct session_state *state, int64_t step, struct text *text);

#endif
