/*
 * reinforce.c - the paper's policy (EAS, section 3): the controller samples, and REINFORCE (Williams 1992)
 * makes likelier what had a high reward.
 *
 *     reward     tan(accuracy * pi / 2): a point of accuracy counts the more the higher it is;
 *                in a race 100 * gain: points of accuracy over the control, which had the same training
 *     advantage  reward - baseline, the moving average of the batches' mean rewards
 *     loss       -(mean over networks of advantage * log P) - bonus * (mean over decisions of their entropy)
 *     update     one step of Adam a batch, nothing else
 *
 * It keeps parameters, Adam's moments and count, and the baseline, all of them values that float32 holds; they
 * are what save() writes.  Sampled decisions are recovered from the outcomes (decisions.h) and scored again with
 * the parameters at hand, so it makes no difference how long ago or by which process they were sampled.
 * An outcome that this policy can't have sampled is left out.
 *
 * A person's network is scored as the decisions that the controller would have made to get there (decisions.h), and its
 * advantage is taken over the same baseline.  It doesn't move the baseline, which is the mean of the controller's own.
 *
 * In an asynchronous search some outcomes are of the controller before the last update.  They are not corrected for
 * that: on scripted searches with 8 and 16 trainers, weights of P now / P then, truncated at 1 or not, changed nothing.
 *
 * An outcome to imitate adds -(weight * mean of log P) to the loss, without reward or baseline: priority queue training
 * (Abolafia et al. 2018) beside the policy gradient.
 *
 * Baselines: in the paper's text the baseline moves by 1 - decay of the difference, after it was subtracted.  It starts
 * at the first batch's mean: from 0 every choice of that batch would be rewarded.  In the published code it starts at
 * 0, and moves by decay of the difference before it is subtracted.
 */
#include <math.h>
#include <stdlib.h>

#include "policy/controller.h"
#include "policy/kinds.h"
#include "policy/parameters.h"
#include "policy/trades.h"
#include "util/bug.h"
#include "util/memory.h"

struct reinforce {
    struct controller *controller;
    bool has_baseline;
    double baseline;
};

static int decision_count(const struct policy *policy)
{
    return policy->options.wider_decisions + policy->options.deeper_decisions;
}

static void create(struct policy *policy)
{
    const struct policy_options *options = &policy->options;
    struct reinforce *state = policy->state = memory_new(1, sizeof *state);
    ASSERT(options->wider_decisions >= 0 && options->deeper_decisions >= 0);
    ASSERT(decision_count(policy) <= PROPOSAL_STEPS_MAX);
    state->controller = controller_new(options->space, options->dense, options->seed);
}

static void destroy(struct policy *policy)
{
    struct reinforce *state = policy->state;
    controller_free(state->controller);
    free(state);
}

static int propose(struct policy *policy, const struct proposal_request *request, struct proposal *proposal,
                   struct error *error)
{
    const struct reinforce *state = policy->state;
    struct chooser chooser = controller_chooser(state->controller);
    decisions_sample(&policy->options, &chooser, request->parent, request->stream, proposal);
    trades_add(&policy->options, request, proposal);
    return 0;
}

/* tan has a pole at accuracy 1: one wrong image in 10,000 is as good as none. */
static double reward_of(const struct outcome *outcome)
{
    const double half_pi = 1.57079632679489661923;
    ASSERT(outcome->accuracy >= 0 && outcome->accuracy <= 1);
    return outcome->has_gain ? 100 * outcome->gain : tan(fmin(outcome->accuracy, 0.9999) * half_pi);
}

/* Returns what to subtract from this batch's rewards. */
static double move_baseline(struct policy *policy, double mean)
{
    struct reinforce *state = policy->state;
    double decay = policy->options.baseline_decay, subtracted;
    if (policy->options.baseline_released) {
        state->baseline = (float)(state->baseline + decay * (mean - state->baseline));
        subtracted = state->baseline;
    } else {
        subtracted = state->has_baseline ? state->baseline : mean;
        state->baseline = (float)(decay * subtracted + (1 - decay) * mean);
    }
    state->has_baseline = true;
    return subtracted;
}

/* One outcome to learn from; its decisions end where those of the next example begin. */
struct example {
    const struct outcome *outcome;
    double reward;
    int first;
};

/* The outcomes that it can learn from, by their role: `own` that the policy sampled, then those of a person, up to
   `rewarded`; then those to imitate.  After the last example there is one more, whose `first` is the end. */
struct example_batch {
    int own, rewarded, count;
    struct example *examples;
    struct decision *decisions;
};

static void batch_add(const struct policy *policy, const struct outcome *outcome, struct example_batch *batch)
{
    int begin = batch->examples[batch->count].first, steps = decision_count(policy);
    bool by_person = outcome->role == OUTCOME_BY_PERSON;
    int capacity = by_person ? DECISIONS_OF_PERSON_MAX : steps, added = steps;
    batch->decisions = memory_resize(batch->decisions, (size_t)(begin + capacity), sizeof *batch->decisions);
    struct decision *decisions = batch->decisions + begin;
    if (by_person)
        added = decisions_of_person(&policy->options, outcome->parent, outcome->proposal, decisions);
    else if (!decisions_recover(&policy->options, outcome->parent, outcome->proposal, decisions))
        added = 0;
    if (!added)
        return;
    struct example *example = &batch->examples[batch->count++];
    example->outcome = outcome;
    example->reward = reward_of(outcome);
    example[1].first = begin + added;
    batch->own += outcome->role == OUTCOME_SAMPLED;
    batch->rewarded += outcome->role != OUTCOME_TO_IMITATE;
}

static struct example_batch batch_of(const struct policy *policy, const struct outcome *outcomes, int count)
{
    struct example_batch batch = {.examples = memory_new((size_t)count + 1, sizeof *batch.examples)};
    for (enum outcome_role role = OUTCOME_SAMPLED; role <= OUTCOME_TO_IMITATE; role++)
        for (int i = 0; i < count; i++)
            if (outcomes[i].role == role)
                batch_add(policy, &outcomes[i], &batch);
    return batch;
}

static void batch_done(struct example_batch *batch)
{
    free(batch->examples);
    free(batch->decisions);
}

/* Add the gradients of all examples, and their loss and entropy to `update`. */
static void add_gradients(struct policy *policy, const struct example_batch *batch, double baseline,
                          struct policy_update *update)
{
    struct controller *controller = ((struct reinforce *)policy->state)->controller;
    int rewarded_decisions = batch->examples[batch->rewarded].first;
    for (int i = 0; i < batch->count; i++) {
        const struct example *example = &batch->examples[i];
        bool rewarded = i < batch->rewarded;
        double weight = rewarded ? (example->reward - baseline) / batch->rewarded
                                 : policy->options.imitate_weight / (batch->count - batch->rewarded);
        double bonus = rewarded ? policy->options.entropy_bonus / rewarded_decisions : 0;
        for (int d = example->first; d < example[1].first; d++) {
            struct decision_score score = controller_score(controller, &batch->decisions[d]);
            controller_learn(controller, &batch->decisions[d], weight, bonus);
            update->loss -= weight * score.log_probability + bonus * score.entropy;
            update->entropy += rewarded ? score.entropy / rewarded_decisions : 0;
        }
    }
}

static void observe(struct policy *policy, const struct outcome *outcomes, int count, struct policy_update *update)
{
    struct example_batch batch = batch_of(policy, outcomes, count);
    const struct reinforce *state = policy->state;
    struct parameters *parameters = &state->controller->parameters;
    *update = (struct policy_update){.baseline = state->baseline};
    if (batch.own) {
        update->reward_best = batch.examples[0].reward;
        for (int i = 0; i < batch.own; i++) {
            update->reward_mean += batch.examples[i].reward / batch.own;
            update->reward_best = fmax(update->reward_best, batch.examples[i].reward);
        }
        double baseline = move_baseline(policy, update->reward_mean);
        parameters_clear_gradients(parameters);
        add_gradients(policy, &batch, baseline, update);
        update->baseline = state->baseline;
        update->gradient_norm = parameters_gradient_norm(parameters);
        parameters_adam_step(parameters, policy->options.rate);
    }
    batch_done(&batch);
}

/* What is saved beside the parameters. */
enum { NUMBER_HAS_BASELINE, NUMBER_BASELINE, NUMBERS };

static void save(const struct policy *policy, void **bytes, size_t *length)
{
    const struct reinforce *state = policy->state;
    const double numbers[NUMBERS] = {[NUMBER_HAS_BASELINE] = state->has_baseline, [NUMBER_BASELINE] = state->baseline};
    parameters_encode(&state->controller->parameters, numbers, NUMBERS, bytes, length);
}

static int load(struct policy *policy, const void *bytes, size_t length, struct error *error)
{
    struct reinforce *state = policy->state;
    double numbers[NUMBERS];
    if (parameters_decode(&state->controller->parameters, numbers, NUMBERS, bytes, length, error) != 0)
        return -1;
    state->has_baseline = numbers[NUMBER_HAS_BASELINE] != 0;
    state->baseline = numbers[NUMBER_BASELINE];
    return 0;
}

const struct policy_kind policy_reinforce = {
    .name = "reinforce",
    .summary = "the paper's controller: an LSTM that learns by REINFORCE what to widen and deepen",
    .trades = true,
    .create = create,
    .destroy = destroy,
    .propose = propose,
    .observe = observe,
    .save = save,
    .load = load,
};
