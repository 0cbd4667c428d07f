/*
 * resume.h - what a resumed search takes from the folded state of its session.
 *
 * The state was folded from a file, so everything is checked here that the rest of the engine takes for granted: that
 * architectures, actions and options can be read and are of this search, that parents were trained, that the data is
 * the same.
 *
 * Options may change when a search is resumed, but for those that what it has done rests on.  The differences to the
 * options in force so far become a CHANGED event.  Budgets, epochs and rate are changed by commands (changes.h), and the
 * devices are those of each process.
 */
#ifndef ESPALIER_SEARCH_RESUME_H
#define ESPALIER_SEARCH_RESUME_H

#include "search/proposals.h"

/* Read the session's options, and check that its data is `data`.  `wanted`: the options that are to hold from now on;
   NULL: they stay.  `changes`: texts "name=value", the caller's to free. */
int resume_options(const struct session_state *state, const struct search_data *data,
                   const struct search_options *wanted, struct search_options *options, struct event_texts *changes,
                   struct error *error);
/* Why an option of that name can't change in a session; NULL: it can. */
const char *resume_fixed(const char *name);
/* After resume_networks(): with changed limits, can something still grow? */
int resume_check_limits(const struct proposals *proposals, const struct event_texts *changes, struct error *error);
/* Check every network, proposal and update; fill the index of networks and the queue. */
int resume_networks(struct proposals *proposals, const struct search_data *data, struct error *error);

#endif
