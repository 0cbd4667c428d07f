/*
 * deeper_actor.c - a decoder of up to three choices: block, layer in the block, kernel.
 *
 * The heads have as many outputs as the table in growth.h has places; the controller masks what an architecture doesn't
 * have.
 */
#include "policy/actors.h"

#include <math.h>

static const struct {
    const char *embedding, *weight, *bias;
} names[DEEPER_LEVELS] = {
    [LEVEL_BLOCK] = {"deeper.start", "deeper.block.weight", "deeper.block.bias"},
    [LEVEL_LAYER] = {"deeper.block.words", "deeper.layer.weight", "deeper.layer.bias"},
    [LEVEL_KERNEL] = {"deeper.layer.words", "deeper.kernel.weight", "deeper.kernel.bias"},
};

void deeper_actor_init(struct deeper_actor *actor, struct parameters *parameters, struct random_stream *stream,
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

void deeper_actor_forward(const struct deeper_actor *actor, const struct encoding *encoding, enum deeper_level level,
                          int previous, struct deeper_trace *trace, double logits[LEVEL_CHOICES_MAX])
{
    const struct lstm_state *before = level == 0 ? &encoding->last : &trace->states[level - 1];
    trace->inputs[level] = previous;
    lstm_forward(&actor->lstm, actor->embeddings[level]->values + previous * EMBEDDING, before, &trace->states[level],
                 &trace->steps[level]);
    linear_forward(&actor->heads[level], trace->states[level].output, logits);
}

void deeper_actor_backward(const struct deeper_actor *actor, const struct deeper_trace *trace, int level_count,
                           double logit_gradients[DEEPER_LEVELS][LEVEL_CHOICES_MAX], struct encoding *gradient)
{
    struct lstm_state state = {0};
    for (int level = level_count - 1; level >= 0; level--) {
        linear_backward(&actor->heads[level], trace->states[level].output, logit_gradients[level], state.output);
        lstm_backward(&actor->lstm, &trace->steps[level], &state,
                      actor->embeddings[level]->gradients + trace->inputs[level] * EMBEDDING);
    }
    for (int u = 0; u < ENCODER_UNITS; u++) {
        gradient->last.output[u] += state.output[u];
        gradient->last.cell[u] += state.cell[u];
    }
}
