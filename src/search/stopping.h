/*
 * stopping.h - which networks aren't worth the rest of their training.  Pure: a function of the session's state.
 */
#ifndef ESPALIER_SEARCH_STOPPING_H
#define ESPALIER_SEARCH_STOPPING_H

#include "search/options.h"
#include "sessions/state.h"

/* Why a network isn't trained to the end, and what accuracy it would have reached.  One whose time is over has no reason
   and no prediction: all networks have as much time, and what it has reached in it counts. */
struct early_stop {
    double predicted;
    struct error reason;
};

/* Is stopping_check() asked about this network after each epoch? */
bool stopping_applies(const struct search_options *options, const struct session_node *node);
/* Should it stop now, after the last epoch of its curve?  Then `stop` says why. */
bool stopping_check(const struct session_state *state, const struct search_options *options, int64_t node,
                    struct early_stop *stop);

#endif
