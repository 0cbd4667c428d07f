/*
 * learner.h - the policy of a search: made from the options, restored from its last update, taught by outcomes.
 *
 * The engine's thread only.  It borrows what it is made with.
 */
#ifndef ESPALIER_SEARCH_LEARNER_H
#define ESPALIER_SEARCH_LEARNER_H

#include "search/journal.h"
#include "search/options.h"

struct learner {
    struct journal *journal;
    const struct search_options *options;
    struct policy *policy; /* the space and the limits in its options are those of the search */
};

/* `match`: FLOPs of the networks of --match, which outlive the learner. */
void learner_init(struct learner *learner, struct journal *journal, const struct search_options *options,
                  struct shape input, const struct event_integers *match);
void learner_done(struct learner *learner);
/* The policy as its last update left it. */
int learner_restore(struct learner *learner, struct error *error);
/* Must the next proposal wait until the policy has learned from those before it?  The paper's barrier: an episode isn't
   proposed before the update of the one before. */
bool learner_must_learn(const struct learner *learner);
/* Let the policy learn from every batch that is complete. */
void learner_learn(struct learner *learner);

#endif
