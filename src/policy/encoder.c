/* encoder.c - the same loop twice, once from the first layer and once from the last. */
#include "policy/encoder.h"

#include <math.h>
#include <string.h>

void encoder_init(struct encoder *encoder, struct parameters *parameters, struct random_stream *stream,
                  const struct space *space, bool dense)
{
    encoder->space = space;
    encoder->embedding = parameters_add(parameters, "encoder.embedding", token_count(space, dense), EMBEDDING);
    parameter_uniform(encoder->embedding, stream, sqrt(3)); /* variance 1 */
    lstm_init(&encoder->forwards, parameters, stream, "encoder.forwards.weight", "encoder.forwards.bias", EMBEDDING,
              ENCODER_SIDE);
    lstm_init(&encoder->backwards, parameters, stream, "encoder.backwards.weight", "encoder.backwards.bias", EMBEDDING,
              ENCODER_SIDE);
}

/* One side writes its half of `encoding`, from `half` on. */
static void read_side(const struct encoder *encoder, const struct encoder_trace *trace, bool reverse,
                      const struct lstm *lstm, struct lstm_trace *traces, int half, struct encoding *encoding)
{
    struct lstm_state state = {0};
    for (int i = 0; i < trace->count; i++) {
        int layer = reverse ? trace->count - 1 - i : i;
        const double *word = encoder->embedding->values + trace->tokens[layer] * EMBEDDING;
        lstm_forward(lstm, word, &state, &state, &traces[layer]);
        memcpy(encoding->outputs[layer] + half, state.output, ENCODER_SIDE * sizeof(double));
    }
    memcpy(encoding->last.output + half, state.output, ENCODER_SIDE * sizeof(double));
    memcpy(encoding->last.cell + half, state.cell, ENCODER_SIDE * sizeof(double));
}

void encoder_forward(const struct encoder *encoder, const struct arch *arch, struct encoding *encoding,
                     struct encoder_trace *trace)
{
    trace->count = arch->layer_count;
    for (int i = 0; i < arch->layer_count; i++)
        trace->tokens[i] = token_of(encoder->space, &arch->layers[i]);
    read_side(encoder, trace, false, &encoder->forwards, trace->forwards, 0, encoding);
    read_side(encoder, trace, true, &encoder->backwards, trace->backwards, ENCODER_SIDE, encoding);
}

static void learn_side(const struct encoder *encoder, const struct encoder_trace *trace, bool reverse,
                       const struct lstm *lstm, const struct lstm_trace *traces, int half,
                       const struct encoding *gradient)
{
    struct lstm_state state = {0};
    memcpy(state.output, gradient->last.output + half, ENCODER_SIDE * sizeof(double));
    memcpy(state.cell, gradient->last.cell + half, ENCODER_SIDE * sizeof(double));
    for (int i = trace->count - 1; i >= 0; i--) {
        int layer = reverse ? trace->count - 1 - i : i;
        for (int u = 0; u < ENCODER_SIDE; u++)
            state.output[u] += gradient->outputs[layer][half + u];
        lstm_backward(lstm, &traces[layer], &state, encoder->embedding->gradients + trace->tokens[layer] * EMBEDDING);
    }
}

void encoder_backward(const struct encoder *encoder, const struct encoder_trace *trace, const struct encoding *gradient)
{
    learn_side(encoder, trace, false, &encoder->forwards, trace->forwards, 0, gradient);
    learn_side(encoder, trace, true, &encoder->backwards, trace->backwards, ENCODER_SIDE, gradient);
}
