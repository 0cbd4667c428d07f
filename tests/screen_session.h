/*
 * screen_session.h - one search, always the same, for tests that look at screens: some fifty networks on four devices, real
 * architectures and actions, a failure, a person who steers; it stops in the middle of the work.
 */
#ifndef ESPALIER_TESTS_SCREEN_SESSION_H
#define ESPALIER_TESTS_SCREEN_SESSION_H

#include "arch/arch.h"
#include "sessions/event.h"

/* Calls `sink` with every event up to `seconds`, in order; borrows. */
void screen_session_play(double seconds, void (*sink)(void *context, const struct event *event), void *context);
/* Everything: the search has ended. */
#define SCREEN_SESSION_END 1e9
/* A good moment to look: work on every device, something in the queue. */
#define SCREEN_SESSION_MIDDLE 600.0
/* Apply actions of the space `small`, with blanks between them, and record them in a proposal as an engine does. */
void screen_session_actions(const char *words, struct arch *arch, struct event_proposal *node);

#endif
