/* initialise.c - weights from scratch (He, Zhang, Ren, Sun, 2015): keeps the variance through layers of ReLU. */
#include <math.h>

#include "nn/trainer.h"

void weights_initialise(struct weights *weights, struct random_stream *stream)
{
    for (int i = 0; i < weights->arch.layer_count; i++) {
        if (!layer_has_weights(&weights->arch.layers[i]))
            continue;
        const struct weights_layer *layer = &weights->layout.layers[i];
        int64_t fan_in = (int64_t)layer->inputs * layer->kernel * layer->kernel;
        float std = sqrtf(2.0f / (float)fan_in);
        for (int64_t k = 0; k < layer->outputs * fan_in; k++)
            weights->values[layer->weight + k] = std * random_normal(stream);
    }
}
