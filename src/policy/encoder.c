/* encoder.c - two LSTMs over the layers' embeddings, one from the first layer on and one from the last. */
#include "policy/encoder.h"

#include <math.h>
#include <string.h>

/* The last of the ascending values that is not above `value`, or the first. */
static int bucket(const int *values, int count, int value)
{
    int found = 0;
    for (int i = 1; i < count; i++)
        if (values[i] <= value)
            found = i;
    return found;
}

static int words_of(const struct space *space, enum layer_kind kind)
{
    const struct layer_traits *traits = layer_kind_traits(kind);
    int widths = space->widths[traits->widths].count;
    return (widths ? widths : 1) * (traits->has_kernel ? space->kernel_count : 1);
}

static bool is_read(const struct space *space, bool dense, const struct layer_traits *traits)
{
    return space->modern || (!traits->modern && (dense || !traits->dense));
}

int token_count(const struct space *space, bool dense)
{
    int count = 0;
    for (int kind = 0; kind < LAYER_KINDS; kind++)
        if (is_read(space, dense, layer_kind_traits((enum layer_kind)kind)))
            count += words_of(space, (enum layer_kind)kind);
    return count;
}

int token_of(const struct space *space, const struct layer *layer)
{
    const struct layer_traits *traits = layer_traits(layer);
    const struct space_widths *widths = space_widths(space, layer);
    int token = bucket(widths->values, widths->count, layer->units);
    if (traits->has_kernel)
        token = token * space->kernel_count + bucket(space->kernels, space->kernel_count, layer->kernel);
    for (int kind = 0; kind < LAYER_KINDS; kind++)
        if (layer_kind_traits((enum layer_kind)kind)->token_place < traits->token_place)
            token += words_of(space, (enum layer_kind)kind);
    return token;
}

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

void encoder_add_features(struct encoder *encoder, struct parameters *parameters)
{
    if (!encoder->space->modern)
        return;
    encoder->features = parameters_add(parameters, "encoder.features", LAYER_SQUEEZE + LAYER_HARD_SWISH, EMBEDDING);
    encoder->features->optional = true;
}

/* What one side reads of a layer. */
static void read_word(const struct encoder *encoder, const struct encoder_trace *trace, int layer, double *word)
{
    int features = trace->features[layer];
    memcpy(word, encoder->embedding->values + trace->tokens[layer] * EMBEDDING, EMBEDDING * sizeof *word);
    for (int i = 0; features && i < EMBEDDING; i++)
        word[i] += encoder->features->values[(features - 1) * EMBEDDING + i];
}

static void learn_word(const struct encoder *encoder, const struct encoder_trace *trace, int layer,
                       const double *gradient)
{
    int features = trace->features[layer];
    for (int i = 0; i < EMBEDDING; i++) {
        encoder->embedding->gradients[trace->tokens[layer] * EMBEDDING + i] += gradient[i];
        if (features)
            encoder->features->gradients[(features - 1) * EMBEDDING + i] += gradient[i];
    }
}

/* One side writes its half of `encoding`, from `half` on. */
static void read_side(const struct encoder *encoder, const struct encoder_trace *trace, bool reverse,
                      const struct lstm *lstm, struct lstm_trace *traces, int half, struct encoding *encoding)
{
    struct lstm_state state = {0};
    for (int i = 0; i < trace->count; i++) {
        int layer = reverse ? trace->count - 1 - i : i;
        double word[EMBEDDING];
        read_word(encoder, trace, layer, word);
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
    for (int i = 0; i < arch->layer_count; i++) {
        trace->tokens[i] = token_of(encoder->space, &arch->layers[i]);
        trace->features[i] = encoder->features ? arch->layers[i].features : 0;
    }
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
        double gradient_of_word[EMBEDDING] = {0};
        lstm_backward(lstm, &traces[layer], &state, gradient_of_word);
        learn_word(encoder, trace, layer, gradient_of_word);
    }
}

void encoder_backward(const struct encoder *encoder, const struct encoder_trace *trace, const struct encoding *gradient)
{
    learn_side(encoder, trace, false, &encoder->forwards, trace->forwards, 0, gradient);
    learn_side(encoder, trace, true, &encoder->backwards, trace->backwards, ENCODER_SIDE, gradient);
}
