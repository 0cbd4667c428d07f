/*
 * weights.c - where each value of a network lies, and the buffer that holds them.
 *
 * Order: for each layer its weight, then gamma and beta (or the classifier's bias); after the last layer, for each
 * layer its running mean and variance.  Nothing lies between two pieces.
 */
#include "arch/weights.h"

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

void weights_layout_of(const struct arch *arch, struct shape input, struct weights_layout *layout)
{
    struct shape shapes[ARCH_LAYERS_MAX], in = input;
    ASSERT(arch_shapes(arch, input, shapes, NULL) == 0);
    memset(layout, 0, sizeof(*layout));
    int64_t end = 0;
    for (int i = 0; i < arch->layer_count; in = shapes[i], i++) {
        const struct layer *layer = &arch->layers[i];
        struct weights_layer *at = &layout->layers[i];
        *at = (struct weights_layer){.weight = -1, .bias = -1, .gamma = -1, .beta = -1, .mean = -1, .variance = -1};
        if (!layer_has_weights(layer))
            continue;
        bool convolution = layer->kind == LAYER_CONV;
        at->inputs = convolution ? in.channels : in.channels * in.height * in.width;
        at->outputs = layer->units;
        at->kernel = convolution ? layer->kernel : 1;
        at->weight = place(&end, (int64_t)at->outputs * at->inputs * at->kernel * at->kernel);
        if (layer->kind == LAYER_SOFTMAX) {
            at->bias = place(&end, at->outputs);
        } else {
            at->gamma = place(&end, at->outputs);
            at->beta = place(&end, at->outputs);
        }
    }
    layout->trained = end;
    for (int i = 0; i < arch->layer_count; i++) {
        struct weights_layer *at = &layout->layers[i];
        if (at->gamma >= 0) {
            at->mean = place(&end, at->outputs);
            at->variance = place(&end, at->outputs);
        }
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
    for (int i = 0; i < arch->layer_count; i++) {
        const struct weights_layer *at = &weights->layout.layers[i];
        for (int unit = 0; at->gamma >= 0 && unit < at->outputs; unit++)
            weights->values[at->gamma + unit] = weights->values[at->variance + unit] = 1;
    }
    return weights;
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
