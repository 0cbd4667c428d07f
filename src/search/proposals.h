/*
 * proposals.h - proposals and where they lead.
 *
 * The engine's thread only.  It borrows what it is made with.
 */
#ifndef ESPALIER_SEARCH_PROPOSALS_H
#define ESPALIER_SEARCH_PROPOSALS_H

#include "search/arch_index.h"
#include "search/learner.h"
#include "search/parents.h"
#include "search/trials.h"

struct proposals {
    struct journal *journal;
    const struct search_options *options;
    struct shape input;
    struct learner *learner;
    struct parents *parents;
    struct trials *trials;
    struct arch_index known; /* the networks of the tree, but for controls, baselines and finishes */
};

/* A network that actions on a parent lead to, whoever proposes them. */
struct candidate {
    int64_t parent;
    struct arch parent_arch, arch;
    struct proposal proposal;
    int64_t known;        /* EVENT_KNOWN: the node */
    struct error refusal; /* EVENT_REFUSED: the reason */
};
/* Where its proposal leads: EVENT_NODE (a new network), EVENT_KNOWN or EVENT_REFUSED.  Fills in the rest of it. */
enum event_kind proposals_check(const struct proposals *proposals, struct candidate *candidate);
/* Does the index hold what this author makes?  Not a network that is in training for another reason than its
   architecture: a control, a baseline, a finish. */
bool proposals_indexes(const struct event_word *by);
/* A new network joins tree, index and queue.  `by` is taken over. */
void proposals_join(struct proposals *proposals, const struct candidate *candidate, struct event_word by);

/* Propose until a new network is in the queue, but not without a limit.  False: none joined; proposals_end() says
   whether more may come. */
bool proposals_make(struct proposals *proposals);
/* The first reason of these for which no more networks will be proposed: a budget is spent, or the policy has made all
   that it can (FINISH_BUDGET); the space is exhausted; network after network fails.  `reason` then says it to the
   person.  FINISH_UNKNOWN: more may come, and `reason` is not written. */
enum finish_reason proposals_end(const struct proposals *proposals, struct error *reason);
void proposals_done(struct proposals *proposals);

#endif
