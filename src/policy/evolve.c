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
#include <stdlib.h>

#include "policy/kinds.h"
#include "policy/random.h"
#include "util/memory.h"

struct policy {
    struct policy_options wider, deeper; /* the options, with one decision of the kind alone */
    int wider_share, deeper_share;
    double widening;
};

static struct policy *create(const struct policy_options *options)
{
    struct policy *policy = memory_new(1, sizeof *policy);
    policy->wider = policy->deeper = *options;
    policy->wider.wider_decisions = policy->deeper.deeper_decisions = 1;
    policy->wider.deeper_decisions = policy->deeper.wider_decisions = 0;
    policy->wider_share = options->wider_decisions;
    policy->deeper_share = options->deeper_decisions;
    policy->widening = 0.5;
    return policy;
}

static void destroy(struct policy *policy)
{
    free(policy);
}

static bool can_mutate(const struct policy *policy, const struct arch *parent)
{
    return (policy->wider_share && growth_possible(&policy->wider, parent)) ||
           (policy->deeper_share && growth_possible(&policy->deeper, parent));
}

static int propose(struct policy *policy, const struct proposal_request *request, struct proposal *proposal,
                   struct error *error)
{
    const struct chooser chooser = random_chooser(&policy->widening);
    *proposal = (struct proposal){0};
    if (!can_mutate(policy, request->parent))
        return 0;
    while (!proposal->count) {
        uint32_t drawn = random_below(request->stream, (uint32_t)(policy->wider_share + policy->deeper_share));
        bool wider = drawn < (uint32_t)policy->wider_share;
        decisions_sample(wider ? &policy->wider : &policy->deeper, &chooser, request->parent, request->stream,
                         proposal);
    }
    proposal->log_probability = proposal->entropy = 0;
    return 0;
}

const struct policy_kind policy_evolve = {
    .name = "evolve",
    .summary = "aging evolution: one random decision on the best of a sample (sets --parent aging)",
    .parent = "aging",
    .create = create,
    .destroy = destroy,
    .propose = propose,
};
