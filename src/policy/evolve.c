/*
 * evolve.c - aging evolution (regularised evolution: Real, Aggarwal, Huang, Le; AAAI 2019).
 *
 * A population of the youngest trained networks; the best of a sample of them is mutated; the child joins, the oldest
 * leaves, however good it is.  Population and sample are a parent choice (`aging`: search/parents.c), which this policy
 * needs; what is here is the mutation, one decision of random's: a wider one (each layer with probability 1/2) or a
 * deeper one, as often as the options' numbers of the two are to each other.  A draw that changes nothing (no layer
 * widens, no insertion is offered) is drawn again, so that an empty proposal means that nothing can grow.
 *
 * What isn't the paper's: the first population isn't random networks but what grows from the start network, which dies
 * too; and a child inherits its parent's weights.
 *
 * The log-probability isn't that of the last draw alone: it is 0.
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
