/*
 * controller.c - from logits to probabilities under a mask, and back.
 *
 * Log-probabilities are computed from logits, which stays finite where a probability is 0 or 1 to machine
 * precision: an outcome may be learned from after the probabilities have moved.  With p the probability of a
 * coin or of a softmax choice, z its logit and H the entropy:
 *
 *     coin     d log P / dz = chosen - p        dH/dz = -z p (1 - p)
 *     softmax  d log P / dz = chosen - p        dH/dz = -p (log p + H)
 */
#include "policy/controller.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

static const struct {
    const char *embedding, *weight, *bias;
} names[DEEPER_LEVELS] = {
    [LEVEL_BLOCK] = {"deeper.start", "deeper.block.weight", "deeper.block.bias"},
    [LEVEL_LAYER] = {"deeper.block.words", "deeper.layer.weight", "deeper.layer.bias"},
    [LEVEL_KERNEL] = {"deeper.layer.words", "deeper.kernel.weight", "deeper.kernel.bias"},
};

/* The heads have as many outputs as the table in growth.h has places; the masks of a decision leave out what an
   architecture does not have. */
static void deeper_actor_init(struct deeper_actor *actor, struct parameters *parameters, struct random_stream *stream,
                              const struct space *space)
{
    const int choices[DEEPER_LEVELS] = {GROWTH_BLOCKS_MAX, GROWTH_BLOCK_LAYERS_MAX, space->kernel_count};
    lstm_init(&actor->lstm, parameters, stream, "deeper.weight", "deeper.bias", EMBEDDING, ENCODER_UNITS);
    for (int level = 0; level < DEEPER_LEVELS; level++) {
        int rows = level == 0 ? 1 : choices[level - 1];
        actor->embeddings[level] = parameters_add(parameters, names[level].embedding, rows, EMBEDDING);
        parameter_uniform(actor->embeddings[level], stream, sqrt(3));
        linear_init(&actor->heads[level], parameters, stream, names[level].weight, names[level].bias, ENCODER_UNITS,
                    choices[level]);
    }
}

struct controller *controller_new(const struct space *space, bool dense, uint64_t seed)
{
    struct controller *controller = memory_new(1, sizeof *controller);
    struct random_stream stream = random_stream_new(seed, RANDOM_CONTROLLER, 0, 0);
    encoder_init(&controller->encoder, &controller->parameters, &stream, space, dense);
    linear_init(&controller->wider, &controller->parameters, &stream, "wider.weight", "wider.bias", ENCODER_UNITS, 1);
    deeper_actor_init(&controller->deeper, &controller->parameters, &stream, space);
    encoder_add_features(&controller->encoder, &controller->parameters);
    return controller;
}

void controller_free(struct controller *controller)
{
    parameters_done(&controller->parameters);
    free(controller);
}

static void read_arch(void *context, const struct arch *arch)
{
    struct controller *controller = context;
    encoder_forward(&controller->encoder, arch, &controller->encoding, &controller->encoder_trace);
}

static void forward_wider(struct controller *controller, const struct arch *arch)
{
    read_arch(controller, arch);
    for (int i = 0; i < arch->layer_count; i++)
        linear_forward(&controller->wider, controller->encoding.outputs[i], &controller->wider_logits[i]);
}

static void forward_level(struct controller *controller, enum deeper_level level, int previous,
                          const struct level_choice *choice)
{
    const struct deeper_actor *actor = &controller->deeper;
    struct deeper_trace *trace = &controller->deeper_trace;
    const struct lstm_state *before = level == 0 ? &controller->encoding.last : &trace->states[level - 1];
    double *logits = controller->level_logits[level];
    trace->inputs[level] = previous;
    lstm_forward(&actor->lstm, actor->embeddings[level]->values + previous * EMBEDDING, before, &trace->states[level],
                 &trace->steps[level]);
    linear_forward(&actor->heads[level], trace->states[level].output, logits);
    controller->log_sums[level] =
        linear_softmax(logits, choice->offered, choice->count, controller->probabilities[level]);
}

static void choose_wider(void *context, const struct arch *arch, double probabilities[ARCH_LAYERS_MAX])
{
    struct controller *controller = context;
    forward_wider(controller, arch);
    for (int i = 0; i < arch->layer_count; i++)
        probabilities[i] = linear_sigmoid(controller->wider_logits[i]);
}

static void choose_level(void *context, enum deeper_level level, int previous, const struct level_choice *choice,
                         double probabilities[LEVEL_CHOICES_MAX])
{
    struct controller *controller = context;
    forward_level(controller, level, previous, choice);
    memcpy(probabilities, controller->probabilities[level], (size_t)choice->count * sizeof(double));
}

struct chooser controller_chooser(struct controller *controller)
{
    return (struct chooser){.wider = choose_wider, .deeper = read_arch, .level = choose_level, .context = controller};
}

static struct decision_score score_wider(struct controller *controller, const struct decision *decision)
{
    struct decision_score score = {0};
    int offered = 0;
    forward_wider(controller, &decision->arch);
    for (int i = 0; i < decision->arch.layer_count; i++) {
        if (!decision->offered[i])
            continue;
        double logit = controller->wider_logits[i], probability = linear_sigmoid(logit);
        offered++;
        score.log_probability += linear_log_sigmoid(decision->chosen[i] ? logit : -logit);
        score.entropy -= probability * linear_log_sigmoid(logit) + (1 - probability) * linear_log_sigmoid(-logit);
    }
    if (offered)
        score.entropy /= offered;
    return score;
}

static double log_probability(const struct controller *controller, int level, int choice)
{
    return controller->level_logits[level][choice] - controller->log_sums[level];
}

static double level_entropy(const struct controller *controller, int level, const struct level_choice *choice)
{
    double entropy = 0;
    for (int i = 0; i < choice->count; i++)
        if (choice->offered[i])
            entropy -= controller->probabilities[level][i] * log_probability(controller, level, i);
    return entropy;
}

static struct decision_score score_deeper(struct controller *controller, const struct decision *decision)
{
    struct decision_score score = {0};
    if (!decision->level_count)
        return score;
    read_arch(controller, &decision->arch);
    for (int level = 0; level < decision->level_count; level++) {
        const struct level_choice *choice = &decision->levels[level];
        forward_level(controller, level, level == 0 ? 0 : decision->levels[level - 1].choice, choice);
        score.log_probability += log_probability(controller, level, choice->choice);
        score.entropy += level_entropy(controller, level, choice) / decision->level_count;
    }
    return score;
}

struct decision_score controller_score(struct controller *controller, const struct decision *decision)
{
    return decision->deeper ? score_deeper(controller, decision) : score_wider(controller, decision);
}

static void learn_wider(struct controller *controller, const struct decision *decision, double advantage, double bonus)
{
    double gradients[ARCH_LAYERS_MAX] = {0};
    int count = decision->arch.layer_count, offered = 0;
    for (int i = 0; i < count; i++)
        offered += decision->offered[i];
    for (int i = 0; i < count; i++) {
        if (!decision->offered[i])
            continue;
        double logit = controller->wider_logits[i], probability = linear_sigmoid(logit);
        double log_gradient = (decision->chosen[i] ? 1 : 0) - probability;
        double entropy_gradient = -logit * probability * (1 - probability) / offered;
        gradients[i] = -advantage * log_gradient - bonus * entropy_gradient;
    }
    for (int i = 0; i < count; i++)
        linear_backward(&controller->wider, controller->encoding.outputs[i], &gradients[i],
                        controller->gradient.outputs[i]);
}

static void learn_deeper(struct controller *controller, const struct decision *decision, double advantage, double bonus)
{
    double gradients[DEEPER_LEVELS][LEVEL_CHOICES_MAX] = {{0}};
    for (int level = 0; level < decision->level_count; level++) {
        const struct level_choice *choice = &decision->levels[level];
        double entropy = level_entropy(controller, level, choice);
        for (int i = 0; i < choice->count; i++) {
            if (!choice->offered[i])
                continue;
            double probability = controller->probabilities[level][i];
            double log_gradient = (i == choice->choice ? 1 : 0) - probability;
            double entropy_gradient =
                -probability * (log_probability(controller, level, i) + entropy) / decision->level_count;
            gradients[level][i] = -advantage * log_gradient - bonus * entropy_gradient;
        }
    }
    const struct deeper_actor *actor = &controller->deeper;
    const struct deeper_trace *trace = &controller->deeper_trace;
    struct lstm_state state = {0};
    for (int level = decision->level_count - 1; level >= 0; level--) {
        linear_backward(&actor->heads[level], trace->states[level].output, gradients[level], state.output);
        lstm_backward(&actor->lstm, &trace->steps[level], &state,
                      actor->embeddings[level]->gradients + trace->inputs[level] * EMBEDDING);
    }
    controller->gradient.last = state;
}

void controller_learn(struct controller *controller, const struct decision *decision, double advantage, double bonus)
{
    if (decision->deeper && !decision->level_count)
        return;
    memset(&controller->gradient, 0, sizeof controller->gradient);
    if (decision->deeper)
        learn_deeper(controller, decision, advantage, bonus);
    else
        learn_wider(controller, decision, advantage, bonus);
    encoder_backward(&controller->encoder, &controller->encoder_trace, &controller->gradient);
}
