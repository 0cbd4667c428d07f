/*
 * race_session.h - a search of rounds, always the same, for tests that look at screens: six rounds of a control and
 * three children on two devices, a baseline, a finish and its test.
 */
#ifndef ESPALIER_TESTS_RACE_SESSION_H
#define ESPALIER_TESTS_RACE_SESSION_H

#include "sessions/event.h"

/* The search up to this moment. */
enum race_moment {
    RACE_START,    /* the start network trains */
    RACE_GROWTH,   /* the last round, with a child in training and one queued */
    RACE_BASELINE, /* epoch 6 of the baseline */
    RACE_FINISH,   /* epoch 8 of the finish */
    RACE_END
};
/* Calls `sink` with every event of the search, in order; borrows. */
void race_session_play(enum race_moment moment, void (*sink)(void *context, const struct event *event), void *context);

#endif
