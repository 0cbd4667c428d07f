/*
 * decisions.c - walks from the parent to the child, action by action, and draws each choice or reads it from the
 * recorded actions.
 *
 * Both use struct decision_walk for what is offered, so that they can't disagree on a mask.  A wider decision goes
 * through the layers in order, each on the architecture that is left by those before it: near a limit a layer may not
 * be offered because an earlier one was widened.  No proposal has more than PROPOSAL_ACTIONS_MAX actions: layers are
 * offered only while the deeper decisions still fit.
 */
#include "policy/decisions.h"

#include <math.h>
#include <string.h>

#include "policy/trades.h"
#include "util/bug.h"

struct decision_walk {
    const struct policy_options *options;
    struct arch arch; /* after `count` actions */
    int count;
};

static int walk_wider(const struct decision_walk *walk, int layer)
{
    if (walk->count >= PROPOSAL_ACTIONS_MAX - walk->options->deeper_decisions)
        return 0;
    return growth_wider(walk->options, &walk->arch, layer);
}

static void walk_take(struct decision_walk *walk, const struct action *action)
{
    struct arch child;
    if (action_apply(&walk->arch, action, &child, NULL))
        BUG("an action that was offered can't be applied");
    walk->arch = child;
    walk->count++;
}

/* What a level offers, once the levels above it are chosen. */
static void offer_blocks(const struct growth_insertions *insertions, struct level_choice *choice)
{
    *choice = (struct level_choice){.count = insertions->block_count};
    for (int i = 0; i < choice->count; i++)
        choice->offered[i] = growth_block_offered(&insertions->blocks[i]);
}

static void offer_layers(const struct growth_block *block, struct level_choice *choice)
{
    *choice = (struct level_choice){.count = block->count};
    for (int i = 0; i < choice->count; i++)
        choice->offered[i] = block->offered[i] != 0;
}

static void offer_kernels(const struct policy_options *options, const struct growth_block *block, int layer,
                          struct level_choice *choice)
{
    *choice = (struct level_choice){.count = options->space->kernel_count};
    for (int i = 0; i < choice->count; i++)
        choice->offered[i] = block->offered[layer] >> i & 1;
}

static bool any_offered(const struct level_choice *choice)
{
    for (int i = 0; i < choice->count; i++)
        if (choice->offered[i])
            return true;
    return false;
}

/* --- drawing --- */

struct sampler {
    struct decision_walk walk;
    const struct chooser *chooser;
    struct random_stream *stream;
    struct proposal *proposal;
};

static double entropy_term(double probability)
{
    return probability > 0 ? -probability * log(probability) : 0;
}

static void sampler_take(struct sampler *sampler, struct action action, int step, double probability)
{
    sampler->proposal->actions[sampler->proposal->count++] =
        (struct proposed_action){.action = action, .step = step, .probability = (float)probability};
    walk_take(&sampler->walk, &action);
}

static void sample_wider(struct sampler *sampler, int step)
{
    struct proposal *proposal = sampler->proposal;
    double probabilities[ARCH_LAYERS_MAX];
    sampler->chooser->wider(sampler->chooser->context, &sampler->walk.arch, probabilities);
    for (int layer = 0; layer < sampler->walk.arch.layer_count; layer++) {
        int units = walk_wider(&sampler->walk, layer);
        if (!units)
            continue;
        double probability = probabilities[layer];
        bool chosen = random_uniform(sampler->stream) < probability;
        proposal->log_probability += chosen ? log(probability) : log1p(-probability);
        proposal->entropy += entropy_term(probability) + entropy_term(1 - probability);
        if (chosen)
            sampler_take(sampler, growth_widen(layer, units), step, probability);
    }
}

/* Returns the probability of what it drew. */
static double sample_level(struct sampler *sampler, enum deeper_level level, int previous, struct level_choice *choice)
{
    double probabilities[LEVEL_CHOICES_MAX];
    sampler->chooser->level(sampler->chooser->context, level, previous, choice, probabilities);
    double draw = random_uniform(sampler->stream), sum = 0;
    choice->choice = -1;
    for (int i = 0; i < choice->count; i++) {
        if (probabilities[i] <= 0)
            continue;
        sampler->proposal->entropy += entropy_term(probabilities[i]);
        if (choice->choice < 0 || draw >= sum) /* rounding may leave the sum under 1: the last is then taken */
            choice->choice = i;
        sum += probabilities[i];
    }
    ASSERT(choice->choice >= 0 && choice->offered[choice->choice]);
    sampler->proposal->log_probability += log(probabilities[choice->choice]);
    return probabilities[choice->choice];
}

static void sample_deeper(struct sampler *sampler, int step)
{
    const struct policy_options *options = sampler->walk.options;
    struct growth_insertions insertions;
    struct level_choice choice;
    growth_insertions(options, &sampler->walk.arch, &insertions);
    offer_blocks(&insertions, &choice);
    if (!any_offered(&choice))
        return;
    sampler->chooser->deeper(sampler->chooser->context, &sampler->walk.arch);
    double probability = sample_level(sampler, LEVEL_BLOCK, 0, &choice);
    int number = choice.choice;
    const struct growth_block *block = &insertions.blocks[number];
    offer_layers(block, &choice);
    probability *= sample_level(sampler, LEVEL_LAYER, number, &choice);
    int layer = choice.choice, kernel = 0;
    if (growth_block_kernels(block)) {
        offer_kernels(options, block, layer, &choice);
        probability *= sample_level(sampler, LEVEL_KERNEL, layer, &choice);
        kernel = choice.choice;
    }
    sampler_take(sampler, growth_deepen(options, &sampler->walk.arch, block, layer, kernel), step, probability);
}

void decisions_sample(const struct policy_options *options, const struct chooser *chooser, const struct arch *parent,
                      struct random_stream *stream, struct proposal *proposal)
{
    memset(proposal, 0, sizeof *proposal);
    struct sampler sampler = {
        .walk = {.options = options, .arch = *parent}, .chooser = chooser, .stream = stream, .proposal = proposal};
    for (int step = 0; step < options->wider_decisions; step++)
        sample_wider(&sampler, step);
    for (int i = 0; i < options->deeper_decisions; i++)
        sample_deeper(&sampler, options->wider_decisions + i);
}

/* --- reading back --- */

static bool same_action(const struct action *a, const struct action *b)
{
    return a->kind == b->kind && a->layer == b->layer && a->units == b->units && a->kernel == b->kernel &&
           a->block == b->block && a->features == b->features;
}

/* The next recorded action, if it belongs to this step. */
static const struct action *next_action(const struct decision_walk *walk, const struct proposal *proposal, int step)
{
    if (walk->count == proposal->count || proposal->actions[walk->count].step != step)
        return NULL;
    return &proposal->actions[walk->count].action;
}

static void recover_wider(struct decision_walk *walk, const struct proposal *proposal, int step,
                          struct decision *decision)
{
    for (int layer = 0; layer < walk->arch.layer_count; layer++) {
        int units = walk_wider(walk, layer);
        if (!units)
            continue;
        decision->offered[layer] = true;
        struct action widen = growth_widen(layer, units);
        const struct action *action = next_action(walk, proposal, step);
        if (action && same_action(action, &widen)) {
            decision->chosen[layer] = true;
            walk_take(walk, &widen);
        }
    }
}

/* Which offered insertion is this action?  False: none. */
static bool find_insertion(const struct policy_options *options, const struct growth_insertions *insertions,
                           const struct action *action, struct decision *decision)
{
    struct level_choice *levels = decision->levels;
    for (int b = 0; b < insertions->block_count; b++) {
        const struct growth_block *block = &insertions->blocks[b];
        int layer = action->layer - block->first;
        if (layer < 0 || layer >= block->count)
            continue;
        for (int kernel = 0; kernel < options->space->kernel_count; kernel++) {
            struct action deepen = growth_deepen(options, &decision->arch, block, layer, kernel);
            if (!(block->offered[layer] >> kernel & 1) || !same_action(action, &deepen))
                continue;
            offer_layers(block, &levels[LEVEL_LAYER]);
            offer_kernels(options, block, layer, &levels[LEVEL_KERNEL]);
            levels[LEVEL_BLOCK].choice = b;
            levels[LEVEL_LAYER].choice = layer;
            levels[LEVEL_KERNEL].choice = kernel;
            decision->level_count = growth_block_kernels(block) ? DEEPER_LEVELS : DEEPER_LEVELS - 1;
            return true;
        }
    }
    return false;
}

/* `action`: NULL when nothing was inserted. */
static bool recover_deeper(struct decision_walk *walk, const struct action *action, struct decision *decision)
{
    struct growth_insertions insertions;
    growth_insertions(walk->options, &walk->arch, &insertions);
    offer_blocks(&insertions, &decision->levels[LEVEL_BLOCK]);
    if (!any_offered(&decision->levels[LEVEL_BLOCK]))
        return !action;
    if (!action || !find_insertion(walk->options, &insertions, action, decision))
        return false;
    walk_take(walk, action);
    return true;
}

bool decisions_recover(const struct policy_options *options, const struct arch *parent, const struct proposal *proposal,
                       struct decision *decisions)
{
    struct decision_walk walk = {.options = options, .arch = *parent};
    int count = options->wider_decisions + options->deeper_decisions;
    for (int step = 0; step < count; step++) {
        struct decision *decision = &decisions[step];
        *decision = (struct decision){.arch = walk.arch, .deeper = step >= options->wider_decisions};
        if (!decision->deeper)
            recover_wider(&walk, proposal, step, decision);
        else if (!recover_deeper(&walk, next_action(&walk, proposal, step), decision))
            return false;
    }
    return walk.count == proposal->count || trades_begins(options, proposal, walk.count);
}

/* --- of a person's actions --- */

/* One wider decision, of this layer alone and not past `units`. */
static bool widen_alone(struct decision_walk *walk, const struct action *wanted, struct decision *decision)
{
    for (int layer = 0; layer < walk->arch.layer_count; layer++) {
        int units = walk_wider(walk, layer);
        decision->offered[layer] = units != 0;
        if (layer != wanted->layer)
            continue;
        if (!units || units > wanted->units)
            return false;
        struct action widen = growth_widen(layer, units);
        decision->chosen[layer] = true;
        walk_take(walk, &widen);
    }
    return true;
}

/* The next of the decisions that together make `action`; the walk takes it.  No decision narrows, removes or changes a
   kernel: such an action has a width below the layer's next, or none. */
static bool next_decision(struct decision_walk *walk, const struct action *action, struct decision *decision)
{
    *decision = (struct decision){.arch = walk->arch, .deeper = action->kind == ACTION_DEEPEN};
    return decision->deeper ? recover_deeper(walk, action, decision) : widen_alone(walk, action, decision);
}

static bool is_reached(const struct decision_walk *walk, const struct action *action)
{
    return action->kind == ACTION_DEEPEN || walk->arch.layers[action->layer].units == action->units;
}

int decisions_of_person(const struct policy_options *options, const struct arch *parent,
                        const struct proposal *proposal, struct decision decisions[DECISIONS_OF_PERSON_MAX])
{
    struct decision_walk walk = {.options = options, .arch = *parent};
    int count = 0;
    for (int i = 0; i < proposal->count; i++)
        do
            if (count == DECISIONS_OF_PERSON_MAX ||
                !next_decision(&walk, &proposal->actions[i].action, &decisions[count++]))
                return 0;
        while (!is_reached(&walk, &proposal->actions[i].action));
    return count;
}
