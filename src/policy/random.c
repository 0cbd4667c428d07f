/*
 * random.c - three policies that learn nothing, to compare the controller with.
 *
 *     random      every offered layer widens with probability one half, an insertion's block, layer and kernel are
 *                 uniform among those offered (EAS, section 5.1)
 *     widen       deepens as random does, but every offered layer widens in every wider decision: the simplest thing
 *                 that a controller may learn
 *     hillclimb   random's decisions on the best network so far; a child that is better takes its place (NASH: Elsken,
 *                 Metzen, Hutter 2017, section 3.2, with one neighbour at a time).  It is random with the parent choice
 *                 `best`
 */
#include "policy/random.h"

#include "policy/kinds.h"
#include "policy/trades.h"

static void wider(void *context, const struct arch *arch, double probabilities[ARCH_LAYERS_MAX])
{
    const double *widening = context;
    for (int i = 0; i < arch->layer_count; i++)
        probabilities[i] = *widening;
}

static void deeper(void *context, const struct arch *arch)
{
}

static void level(void *context, enum deeper_level number, int previous, const struct level_choice *choice,
                  double probabilities[LEVEL_CHOICES_MAX])
{
    int offered = 0;
    for (int i = 0; i < choice->count; i++)
        offered += choice->offered[i];
    for (int i = 0; i < choice->count; i++)
        probabilities[i] = choice->offered[i] ? 1.0 / offered : 0;
}

struct chooser random_chooser(const double *widening)
{
    return (struct chooser){.wider = wider, .deeper = deeper, .level = level, .context = (void *)widening};
}

static int propose_with(struct policy *policy, const struct proposal_request *request, double widening,
                        struct proposal *proposal)
{
    const struct chooser chooser = random_chooser(&widening);
    decisions_sample(&policy->options, &chooser, request->parent, request->stream, proposal);
    trades_add(&policy->options, request, proposal);
    return 0;
}

static int propose_random(struct policy *policy, const struct proposal_request *request, struct proposal *proposal,
                          struct error *error)
{
    return propose_with(policy, request, 0.5, proposal);
}

static int propose_widen(struct policy *policy, const struct proposal_request *request, struct proposal *proposal,
                         struct error *error)
{
    return propose_with(policy, request, 1, proposal);
}

const struct policy_kind policy_random = {
    .name = "random",
    .summary = "widen each layer with probability 1/2, deepen anywhere: no learning",
    .trades = true,
    .propose = propose_random,
};

const struct policy_kind policy_widen = {
    .name = "widen",
    .summary = "widen every layer that can be widened, deepen anywhere: no learning",
    .propose = propose_widen,
};

const struct policy_kind policy_hillclimb = {
    .name = "hillclimb",
    .summary = "as random, from the best network so far (sets --parent best)",
    .parent = "best",
    .trades = true,
    .propose = propose_random,
};
