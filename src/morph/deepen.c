/*
 * deepen.c - Net2Deeper: a new layer whose output is its input.
 *
 * The new layer stands right behind `layer`, with as many units, stride 1 and the identity for a kernel (the centre
 * of the window for its own channel, else 0).  Its BN would change the values, so it is set to undo itself: with the
 * running mean m and variance v of its input, gamma = sqrt(v + eps) and beta = m give
 *     gamma * (x - m) / sqrt(v + eps) + beta = x
 * for any m and v.  When m and v are measured, this also holds in training, which normalises with the statistics of the
 * batch.  The input comes out of a ReLU, so a second ReLU changes nothing.
 *
 * The measurement sees the exact identity; noise is added after it.
 *
 * A residual block is the identity when the BN in front of its addition gives 0: with gamma 0 and beta 0, whatever its
 * other weights are.  These are those of a network from scratch, and the first step of training moves gamma (Goyal et
 * al. 2017, section 5.1, start all residual blocks so).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "morph/steps.h"
#include "util/bug.h"
#include "util/memory.h"

/* All layers of the parent, with a place behind `layer`. */
static void copy_layers(const struct weights *parent, int layer, struct weights *child)
{
    for (int i = 0; i < parent->arch.layer_count; i++)
        morph_copy_layer(parent, i, child, i <= layer ? i : i + 1);
}

void morph_insert_block(const struct weights *parent, int layer, struct random_stream *stream, struct weights *child)
{
    copy_layers(parent, layer, child);
    for (int part = 0; part < WEIGHTS_PARTS; part++) {
        const struct weights_layer *place = &child->layout.parts[part][layer + 1];
        if (place->weight >= 0)
            morph_add_noise(child->values + place->weight, morph_weight_count(place), weights_fresh_deviation(place),
                            stream);
    }
    const struct weights_layer *last = &child->layout.layers[layer + 1];
    memset(child->values + last->gamma, 0, (size_t)last->outputs * sizeof(float));
}

static void set_identity(struct weights *child, int layer)
{
    const struct weights_layer *place = &child->layout.layers[layer];
    ASSERT(place->inputs == place->outputs);
    int64_t window = (int64_t)place->kernel * place->kernel;
    for (int i = 0; i < place->outputs; i++)
        child->values[place->weight + ((int64_t)i * place->inputs + i) * window + window / 2] = 1;
}

/* Running statistics from the measurement; without one they stay as weights_new() made them, 0 and 1. */
static int measure_statistics(struct weights *child, int layer, const struct morph_measure *measure,
                              struct error *error)
{
    const struct weights_layer *place = &child->layout.layers[layer];
    size_t units = (size_t)place->outputs;
    float *mean = memory_new(units, sizeof *mean), *variance = memory_new(units, sizeof *variance);
    int status = measure->measure(measure->context, child, layer, mean, variance, error);
    for (size_t i = 0; i < units && !status; i++)
        if (!isfinite(mean[i]) || !isfinite(variance[i]) || variance[i] < 0) {
            char name[LAYER_NAME_MAX];
            layer_name(&child->arch, layer, name);
            status = error_set(error, "the statistics measured for %s are not finite: its network has diverged", name);
        }
    if (!status) {
        memcpy(child->values + place->mean, mean, units * sizeof *mean);
        memcpy(child->values + place->variance, variance, units * sizeof *variance);
    }
    free(mean);
    free(variance);
    return status;
}

static void undo_normalisation(struct weights *child, int layer)
{
    const struct weights_layer *place = &child->layout.layers[layer];
    for (int i = 0; i < place->outputs; i++) {
        child->values[place->gamma + i] = sqrtf(child->values[place->variance + i] + BN_EPSILON);
        child->values[place->beta + i] = child->values[place->mean + i];
    }
}

int morph_deepen(const struct weights *parent, int layer, const struct morph_options *options,
                 const struct morph_measure *measure, struct random_stream *stream, struct weights *child,
                 struct error *error)
{
    int inserted = layer + 1;
    copy_layers(parent, layer, child);
    set_identity(child, inserted);
    if (measure && measure_statistics(child, inserted, measure, error) < 0)
        return -1;
    undo_normalisation(child, inserted);
    if (options->deepen_noise > 0) {
        const struct weights_layer *place = &child->layout.layers[inserted];
        float *weight = child->values + place->weight;
        int64_t count = morph_weight_count(place);
        morph_add_noise(weight, count, options->deepen_noise * morph_deviation(weight, count), stream);
    }
    return 0;
}
