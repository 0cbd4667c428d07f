/*
 * phases.h - growth, baseline, finish: what a search trains next.
 *
 * With --finish a search doesn't end with its growth.  When that has ended and nothing waits or trains any more, its
 * winner is the network with the lowest loss.  In a race networks train from scratch then, with as many FLOPs as the
 * winner and those that it grew from: the baseline, which is the template of the limits, unless the search began with
 * it; and where --baseline asks for it, the winner's architecture (a retrained network), which shows what its inherited
 * weights are worth.  The best of them is finished: it trains with a falling rate for the rest of the budget.
 *
 * A function of the session's state, so a resumed search goes on where it was.  When a budget becomes larger the search
 * grows again, and has another finish.  The engine's thread only.
 */
#ifndef ESPALIER_SEARCH_PHASES_H
#define ESPALIER_SEARCH_PHASES_H

#include "search/proposals.h"

/* Put the next network into the queue.  False: none joined; phases_end() says whether more may come. */
bool phases_make(struct proposals *proposals);
/* Why the search ends, with `message`; FINISH_UNKNOWN: more networks may come. */
enum finish_reason phases_end(const struct proposals *proposals, struct error *message);

#endif
