/* state_internal.h - what the files of the reducer share beyond state.h. */
#ifndef ESPALIER_SESSIONS_STATE_INTERNAL_H
#define ESPALIER_SESSIONS_STATE_INTERNAL_H

#include "sessions/state.h"

/* The network `node`, which is there, for a change: this state's own from now on, however many share it. */
struct session_node *session_node_own(struct session_state *state, int64_t node);

#endif
