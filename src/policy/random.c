/*
 * random.c - the peer that a controller has to beat: every offered layer widens with probability one half, and an
 * insertion's block, layer and kernel are uniform among those offered (EAS, section 5.1).  It keeps nothing.
 */
#include "policy/kinds.h"

#include <stdlib.h>

#include "policy/decisions.h"
#include "util/memory.h"

struct policy {
    struct policy_options options;
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

static void wider(void *context, const struct arch *arch, double probabilities[ARCH_LAYERS_MAX])
{
    for (int i = 0; i < arch->layer_count; i++)
        probabilities[i] = 0.5;
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

static void propose(struct policy *policy, const struct arch *parent, struct random_stream *stream,
                    struct proposal *proposal)
{
    const struct chooser uniform = {.wider = wider, .deeper = deeper, .level = level};
    decisions_sample(&policy->options, &uniform, parent, stream, proposal);
}

const struct policy_kind policy_random = {
    .name = "random",
    .summary = "widen each layer with probability 1/2, deepen anywhere: no learning",
    .create = create,
    .destroy = destroy,
    .propose = propose,
};
