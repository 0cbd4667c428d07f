/* initialise.c - weights from scratch (He, Zhang, Ren, Sun, 2015): keeps the variance through layers of ReLU. */
#include "nn/trainer.h"

void weights_initialise(struct weights *weights, struct random_stream *stream)
{
    for (int i = 0; i < weights->arch.layer_count; i++)
        for (int p = 0; p < WEIGHTS_PARTS; p++) {
            const struct weights_layer *part = &weights->layout.parts[p][i];
            if (part->weight < 0)
                continue;
            int64_t fan_in = (int64_t)part->inputs * part->kernel * part->kernel;
            float std = weights_fresh_deviation(part);
            for (int64_t k = 0; k < part->outputs * fan_in; k++)
                weights->values[part->weight + k] = std * random_normal(stream);
        }
}
