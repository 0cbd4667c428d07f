/*
 * resume.h - what a resumed search takes from the folded state of its session.
 *
 * The state was folded from a file, so everything is checked here that the rest of the engine takes for granted: that
 * architectures, actions and options can be read and are of this search, that parents were trained, that the data is
 * the same.
 */
#ifndef ESPALIER_SEARCH_RESUME_H
#define ESPALIER_SEARCH_RESUME_H

#include "search/proposals.h"

/* Read the session's options, and check that its data is `data`. */
int resume_options(const struct session_state *state, const struct search_data *data, struct search_options *options,
                   struct error *error);
/* Check every network, proposal and update; fill the index of networks and the queue. */
int resume_networks(struct proposals *proposals, const struct search_data *data, struct error *error);

#endif
