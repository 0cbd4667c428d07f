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

#include <stdlib.h>

#include "policy/kinds.h"
#include "util/memory.h"

struct policy {
    struct policy_options options;
    double widening;
};

static struct policy *create_with(const struct policy_options *options, double widening)
{
    struct policy *policy = memory_new(1, sizeof *policy);
    policy->options = *options;
    policy->widening = widening;
    return policy;
}

static struct policy *create_random(const struct policy_options *options)
{
    return create_with(options, 0.5);
}

static struct policy *create_widen(const struct policy_options *options)
{
    return create_with(options, 1);
}

static void destroy(struct policy *policy)
{
    free(policy);
}

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

struct chooser random_chooser(double *widening)
{
    return (struct chooser){.wider = wider, .deeper = deeper, .level = level, .context = widening};
}

static int propose(struct policy *policy, const struct proposal_request *request, struct proposal *proposal,
                   struct error *error)
{
    const struct chooser chooser = random_chooser(&policy->widening);
    decisions_sample(&policy->options, &chooser, request->parent, request->stream, proposal);
    return 0;
}

const struct policy_kind policy_random = {
    .name = "random",
    .summary = "widen each layer with probability 1/2, deepen anywhere: no learning",
    .create = create_random,
    .destroy = destroy,
    .propose = propose,
};

const struct policy_kind policy_widen = {
    .name = "widen",
    .summary = "widen every layer that can be widened, deepen anywhere: no learning",
    .create = create_widen,
    .destroy = destroy,
    .propose = propose,
};

const struct policy_kind policy_hillclimb = {
    .name = "hillclimb",
    .summary = "as random, from the best network so far (sets --parent best)",
    .parent = "best",
    .create = create_random,
    .destroy = destroy,
    .propose = propose,
};
