/* state_internal.h - what the files of the reducer share beyond state.h. */
#ifndef ESPALIER_SESSIONS_STATE_INTERNAL_H
#define ESPALIER_SESSIONS_STATE_INTERNAL_H

#include "sessions/state.h"

/* The network `node`, which is there, for a change: this state's own from now on, however many share it. */
struct session_node *session_node_own(struct session_state *state, int64_t node);
/* Set the control of a proposal that is about to be added: the last one before it that has the same parent, among
   proposals in a row of its episode. */
void proposal_find_control(struct session_state *state, struct proposal_record *record);

#endif
