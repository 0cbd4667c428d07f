/*
 * reports.h - what comes back from the trainers, as events.
 *
 * The engine's thread only.
 */
#ifndef ESPALIER_SEARCH_REPORTS_H
#define ESPALIER_SEARCH_REPORTS_H

#include "search/trials.h"

/* Write what a report says; it is taken over, and one of a trial that was given up is dropped.  The network when it failed
   for good, else 0. */
int64_t reports_take(struct trials *trials, struct report *report);

#endif
