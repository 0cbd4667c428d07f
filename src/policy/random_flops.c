/*
 * random_flops.c - random at equal FLOPs: is a network better because it was chosen well, or because it is large?
 *
 * It aims at a number of FLOPs (of a network of another session) by rejection.  A draw first takes a probability of
 * widening, uniform between 0 and 1, and then makes all decisions that the options say, as random does with that
 * probability.  The first draw whose child is within 2 % of the aim is the proposal; when 1024 draws have none, the one
 * nearest to it by ratio.  So the networks are as deep as any other policy's; their widths, and the places and sizes of
 * the inserted layers, are what is matched.
 *
 * A proposal's log-probability is not known: it is written as 0.
 */
#include "policy/random.h"

#include <math.h>

#include "policy/kinds.h"
#include "util/bug.h"

enum { DRAWS = 1024 };
#define NEAR_ENOUGH 0.02

static bool ends_before(const struct policy *policy, int64_t proposal, int64_t network, struct error *reason)
{
    if (network <= policy->options.match_count)
        return false;
    error_set(reason, "all %d networks of --match are matched", policy->options.match_count);
    return true;
}

/* How far the draw's child is from the aim: |log(its FLOPs / the aim)|.  With no aim (0) every draw is as good. */
static double distance(const struct proposal *draw, const struct arch *parent, struct shape input, int64_t aim)
{
    struct arch child;
    if (proposal_apply(parent, draw, &child, NULL))
        BUG("a draw that can't be built");
    return aim > 0 ? fabs(log((double)arch_cost(&child, input).flops / (double)aim)) : 0;
}

static int propose(struct policy *policy, const struct proposal_request *request, struct proposal *proposal,
                   struct error *error)
{
    bool aims = request->network > 0 && request->network <= policy->options.match_count;
    int64_t aim = aims ? policy->options.match[request->network - 1] : 0;
    double nearest = INFINITY;
    struct proposal draw;
    for (int i = 0; i < DRAWS && nearest > log1p(NEAR_ENOUGH); i++) {
        double widening = random_uniform(request->stream);
        struct chooser chooser = random_chooser(&widening);
        decisions_sample(&policy->options, &chooser, request->parent, request->stream, &draw);
        double far = distance(&draw, request->parent, policy->options.input, aim);
        if (far >= nearest)
            continue;
        nearest = far;
        *proposal = draw;
    }
    proposal->log_probability = proposal->entropy = 0;
    return 0;
}

const struct policy_kind policy_random_flops = {
    .name = "random-flops",
    .summary = "as random, each network as large as its counterpart in the session of --match",
    .takes_match = true,
    .ends_before = ends_before,
    .propose = propose,
};
