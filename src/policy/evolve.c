/*
 * evolve.c - aging evolution (regularised evolution: Real, Aggarwal, Huang, Le; AAAI 2019).
 *
 * The population is the youngest trained networks.  The best of a sample of it is mutated; the child joins, and the
 * oldest leaves, however good it is.  Population and sample are the parent choice `aging` (search/parents.c), which
 * this policy sets.  The mutation is one decision of the policy random, a wider one or a deeper one, in the ratio of
 * their numbers in the options.  A draw that changes nothing is drawn again, so that an empty proposal means that
 * nothing can grow.
 *
 * Two things differ from the paper: the first population grows from the start network, which dies too, and a child
 * inherits its parent's weights.
 *
 * A proposal's log-probability is not known: it is written as 0.
 */
#include "policy/kinds.h"
#include "policy/random.h"

static int propose(struct policy *policy, const struct proposal_request *request, struct proposal *proposal,
                   struct error *error)
{
    const int wider_share = policy->options.wider_decisions, deeper_share = policy->options.deeper_decisions;
    const double widening = 0.5;
    const struct chooser chooser = random_chooser(&widening);
    struct policy_options wider = policy->options, deeper = policy->options; /* with one decision of the kind alone */
    wider.wider_decisions = deeper.deeper_decisions = 1;
    wider.deeper_decisions = deeper.wider_decisions = 0;
    *proposal = (struct proposal){0};
    if (!(wider_share && growth_possible(&wider, request->parent)) &&
        !(deeper_share && growth_possible(&deeper, request->parent)))
        return 0;
    while (!proposal->count) {
        uint32_t drawn = random_below(request->stream, (uint32_t)(wider_share + deeper_share));
        decisions_sample(drawn < (uint32_t)wider_share ? &wider : &deeper, &chooser, request->parent, request->stream,
                         proposal);
    }
    proposal->log_probability = proposal->entropy = 0;
    return 0;
}

const struct policy_kind policy_evolve = {
    .name = "evolve",
    .summary = "aging evolution: one random decision on the best of a sample (sets --parent aging)",
    .parent = "aging",
    .propose = propose,
};
