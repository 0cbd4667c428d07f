/*
 * weights.c - where each value of a network lies, and the buffer that holds them.
 *
 * Order: for each layer and part its weight, then gamma and beta (or the classifier's bias); after the last layer, for
 * each likewise its running mean and variance.  Nothing lies between two pieces.
 */
#include "arch/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"

/* Hand out `count` values at the end of what is in use. */
static int64_t place(int64_t *end, int64_t count)
{
    int64_t offset = *end;
    *end += count;
    return offset;
}

static const struct weights_layer no_part = {
    .weight = -1, .bias = -1, .gamma = -1, .beta = -1, .mean = -1, .variance = -1};

static struct weights_layer linear(int inputs, int outputs, int kernel, int64_t *end)
{
    struct weights_layer part = no_part;
    part.inputs = inputs;
    part.outputs = outputs;
    part.kernel = kernel;
    part.weight = place(end, (int64_t)outputs * inputs * kernel * kernel);
    return part;
}

static void add_norm(struct weights_layer *part, int64_t *end)
{
    part->gamma = place(end, part->outputs);
    part->beta = place(end, part->outputs);
}

static struct weights_layer norm(int channels, int64_t *end)
{
    struct weights_layer part = no_part;
    part.inputs = part.outputs = channels;
    add_norm(&part, end);
    return part;
}

static void place_layer(const struct arch *arch, int index, struct shape in, struct shape out,
                        struct weights_layout *layout, int64_t *end)
{
    const struct layer *layer = &arch->layers[index];
    struct weights_layer *main = &layout->layers[index], *bottleneck = &layout->bottlenecks[index];
    int inputs = in.channels;
    if (layer_begins_with_norm(arch, index))
        layout->norms[index] = norm(inputs, end);
    switch (layer->kind) {
    case LAYER_CONV:
        *main = linear(inputs, layer->units, layer->kernel, end);
        add_norm(main, end);
        break;
    case LAYER_FC:
        *main = linear(inputs * in.height * in.width, layer->units, 1, end);
        add_norm(main, end);
        break;
    case LAYER_SOFTMAX:
        *main = linear(inputs * in.height * in.width, layer->units, 1, end);
        main->bias = place(end, main->outputs);
        break;
    case LAYER_DENSE:
        if (layer->bottleneck) {
            *bottleneck = linear(inputs, layer_bottleneck(layer), 1, end);
            add_norm(bottleneck, end);
            inputs = bottleneck->outputs;
        }
        *main = linear(inputs, layer->units, DENSE_KERNEL, end);
        break;
    case LAYER_TRANSITION:
        *main = linear(inputs, out.channels, 1, end);
        break;
    case LAYER_MAX_POOL:
    case LAYER_AVERAGE_POOL:
        break;
    }
}

void weights_layout_of(const struct arch *arch, struct shape input, struct weights_layout *layout)
{
    struct shape shapes[ARCH_LAYERS_MAX], in = input;
    ASSERT(arch_shapes(arch, input, shapes, NULL) == 0);
    memset(layout, 0, sizeof(*layout));
    int64_t end = 0;
    for (int part = 0; part < WEIGHTS_PARTS; part++)
        for (int i = 0; i < arch->layer_count; i++)
            layout->parts[part][i] = no_part;
    for (int i = 0; i < arch->layer_count; in = shapes[i], i++)
        place_layer(arch, i, in, shapes[i], layout, &end);
    layout->trained = end;
    for (int i = 0; i < arch->layer_count; i++)
        for (int part = 0; part < WEIGHTS_PARTS; part++) {
            struct weights_layer *at = &layout->parts[part][i];
            if (at->gamma < 0)
                continue;
            at->mean = place(&end, at->outputs);
            at->variance = place(&end, at->outputs);
        }
    layout->total = end;
}

struct weights *weights_new(const struct arch *arch, struct shape input)
{
    struct weights *weights = memory_new(1, sizeof(*weights));
    weights->arch = *arch;
    weights->input = input;
    weights_layout_of(arch, input, &weights->layout);
    weights->values = memory_new_aligned((size_t)weights->layout.total * sizeof(float));
    for (int part = 0; part < WEIGHTS_PARTS; part++)
        for (int i = 0; i < arch->layer_count; i++) {
            const struct weights_layer *at = &weights->layout.parts[part][i];
            for (int unit = 0; at->gamma >= 0 && unit < at->outputs; unit++)
                weights->values[at->gamma + unit] = weights->values[at->variance + unit] = 1;
        }
    return weights;
}

float weights_fresh_deviation(const struct weights_layer *part)
{
    return sqrtf(2.0f / (float)((int64_t)part->inputs * part->kernel * part->kernel));
}

struct weights *weights_copy(const struct weights *weights)
{
    struct weights *copy = memory_new(1, sizeof(*copy));
    *copy = *weights;
    size_t bytes = (size_t)weights->layout.total * sizeof(float);
    copy->values = memcpy(memory_new_aligned(bytes), weights->values, bytes);
    return copy;
}

void weights_free(struct weights *weights)
{
    if (!weights)
        return;
    free(weights->values);
    free(weights);
}
