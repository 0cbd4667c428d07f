/*
 * trades.h - how a network goes on that is as large as its limits allow: a trade makes something smaller and lets
 * something else grow into the room.
 *
 * A trade is one action that makes room (a narrower layer, a smaller kernel, a layer less), then one to
 * TRADE_GROWTHS_MAX that grow.  The first of these didn't fit before, by more than a two hundredth of a limit.  Which
 * layer gives way is drawn: policies see no weights, and the network's training decides.  The policy's gradient doesn't
 * see a trade: its actions have probability 1 and a step of their own behind the decisions.
 *
 * In a modern space squeeze-and-excitation (se) is among what grows in a trade; and every fourth proposal without a
 * trade inserts it into one layer more, likewise behind the decisions: it costs little and changes nothing at first, so
 * that where it stands is no decision that waits for another.  Pure, any thread.
 */
#ifndef ESPALIER_POLICY_TRADES_H
#define ESPALIER_POLICY_TRADES_H

#include "policy/policy.h"

enum { TRADE_GROWTHS_MAX = 3 };

/* Is there a trade within the space and the limits? */
bool trades_possible(const struct policy_options *options, const struct arch *arch);
/* Add a trade to a sampled proposal, if the options allow trades and the limits keep at least half of the parent's
   layers from widening: always to an empty proposal, else to every second one.  Or an insertion of se. */
void trades_add(const struct policy_options *options, const struct proposal_request *request,
                struct proposal *proposal);
/* Is the proposal's action number `index` the first of a trade, or an insertion of se behind the decisions? */
bool trades_begins(const struct policy_options *options, const struct proposal *proposal, int index);

#endif
