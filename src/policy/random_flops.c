/*
 * random_flops.c - random at equal FLOPs: is a network better because it was chosen well, or because it is large?
 *
 * It aims at a number of FLOPs (of a network of another session) by rejection.  A draw first takes a probability of
 * widening, uniform between 0 and 1, and then makes all decisions that the options say, as random does with that
 * probability.  The first draw whose child is within 2 % of the aim is the proposal; when 1024 draws have none, the one
 * nearest to it by ratio.  So the depth is that of every other policy's networks, and what is matched is the width, and
 * where and how large the inserted layers are.
 *
 * A proposal's log-probability is not that of its decisions alone, and not known: it is 0.
 */
#include "policy/random.h"

#include <math.h>
#include <stdlib.h>

#include "policy/kinds.h"
#include "util/bug.h"
#include "util/memory.h"

enum { DRAWS = 1024 };
#define NEAR_ENOUGH 0.02

struct policy {
    struct policy_options options;
    double aim; /* FLOPs; 0: the first draw is as good as any */
    struct proposal draw;
};

static struct policy *create(const struct policy_options *options)
{
    struct policy *policy = memory_new(1, sizeof *policy);
    policy->options = *options;
    return policy;
}

static void destroy(struct policy *policy)
{
    free(policy);
}

static void aim(struct policy *policy, int64_t flops)
{
    policy->aim = (double)flops;
}

/* How far the draw's child is from the aim: |log(its FLOPs / the aim)|. */
static double distance(const struct policy *policy, const struct arch *parent)
{
    struct arch child;
    ASSERT(proposal_apply(parent, &policy->draw, &child, NULL) == 0);
    return policy->aim > 0 ? fabs(log((double)arch_cost(&child, policy->options.input).flops / policy->aim)) : 0;
}

static void propose(struct policy *policy, const struct arch *parent, struct random_stream *stream,
                    struct proposal *proposal)
{
    double nearest = INFINITY;
    for (int i = 0; i < DRAWS && nearest > log1p(NEAR_ENOUGH); i++) {
        double widening = random_uniform(stream);
        struct chooser chooser = random_chooser(&widening);
        decisions_sample(&policy->options, &chooser, parent, stream, &policy->draw);
        double far = distance(policy, parent);
        if (far >= nearest)
            continue;
        nearest = far;
        *proposal = policy->draw;
    }
    proposal->log_probability = proposal->entropy = 0;
}

const struct policy_kind policy_random_flops = {
    .name = "random-flops",
    .summary = "as random, each network as large as its counterpart in the session of --match",
    .create = create,
    .destroy = destroy,
    .aim = aim,
    .propose = propose,
};
