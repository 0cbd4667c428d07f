/*
 * rounds.h - the rounds of --parent race: the children of one parent, and its control.
 *
 * Proposals are numbered from 1, and every `size` of them are one round, numbered from 1 too.  The first of a round is
 * the control: its parent trains on, without an action.  All functions are pure, of the session's state; `size` is the
 * option episode-networks.
 */
#ifndef ESPALIER_SEARCH_ROUNDS_H
#define ESPALIER_SEARCH_ROUNDS_H

#include "sessions/state.h"

/* Is this proposal a control? */
bool rounds_is_control(int64_t size, int64_t proposal);
/* The number of this proposal when controls don't count; of a control: the number of the next that isn't one. */
int64_t rounds_own_number(int64_t size, int64_t proposal);
/* Have all networks of the rounds before that of the next proposal ended? */
bool rounds_may_begin(const struct session_state *state, int64_t size);
/* The done network of a round with the lowest loss, the earlier of equals, the control included; pruned ones and those
   that were stopped early don't count.  0: there is none. */
int64_t rounds_winner(const struct session_state *state, int64_t size, int64_t round);
/* The parent of the next proposal: within a round that of its control; for a new round the winner of the one before or,
   when that has none, its parent.  The start network at first.  Networks whose weights are dropped don't count. */
int64_t rounds_parent(const struct session_state *state, int64_t size);
/* Is the next proposal one of a round that has begun, and whose parent isn't pruned? */
bool rounds_goes_on(const struct session_state *state, int64_t size);
/* How many rounds in a row, up to the last one that is complete, their control has won. */
int64_t rounds_won_by_control(const struct session_state *state, int64_t size);
/* How many in a row, up to the same one, have led to no new network beside the control. */
int64_t rounds_fruitless(const struct session_state *state, int64_t size);

#endif
