/*
 * importance.c - which units a narrowing keeps.
 *
 * The importance of a unit is |gamma| of its BN (network slimming: Liu, Li, Shen, Huang, Yan, Zhang, ICCV 2017) times
 * the norm of the weights by which the next layers read it.  A unit with a small gamma has
 * small outputs, whatever its incoming weights; a unit with small outgoing weights changes little.  No images are
 * needed.
 *
 * The output of a dense layer or a transition has not been through a BN.  Its readers begin with one, and that gamma
 * counts.  Each residual block adds to the channels that it reads: the squares of the gammas of all blocks add up, and
 * so do those of all readers.  A depthwise convolution between a unit and its reader has a BN of its own, whose gamma
 * is a factor.  A gate counts as 1; of the squeezed values behind the gates the weights by which gates read them count.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "morph/steps.h"
#include "util/bug.h"
#include "util/memory.h"

static double square(double x)
{
    return x * x;
}

/* Add to sums[i] the squares of what the part reads of channel first + i, times scale[i].  `importance`, of the part's
   own units, is a factor too; NULL: all are alike. */
static void add_read(const struct weights *weights, const struct weights_layer *reader, int channels, int first,
                     int count, const double *scale, const double *importance, double *sums)
{
    int64_t row = morph_weight_count(reader) / reader->outputs, block = row / channels;
    ASSERT(block * channels == row);
    for (int output = 0; output < reader->outputs; output++) {
        const float *at = weights->values + reader->weight + output * row + first * block;
        double factor = importance ? square(importance[output]) : 1;
        for (int i = 0; i < count; i++)
            for (int64_t k = 0; k < block; k++, at++)
                sums[i] += factor * scale[i] * square((double)*at);
    }
}

/* scale[i] times the square of gamma of channel first + i; as it is where the part has no BN. */
static void scale_by(const struct weights *weights, const struct weights_layer *part, int first, int count,
                     const double *scale, double *scaled)
{
    for (int i = 0; i < count; i++)
        scaled[i] = scale[i] * (part->gamma < 0 ? 1 : square((double)weights->values[part->gamma + first + i]));
}

bool morph_hands_on(const struct weights *weights, int layer)
{
    struct layer_parts parts;
    layer_parts_of(&weights->arch, layer, (struct shape){1, 1, 1}, &parts);
    enum part_kind last = parts.parts[parts.count - 1].kind;
    return last == PART_CONCAT || last == PART_ADD;
}

/* Add what the layers behind `layer` read of `count` channels of its output, from `first` on. */
static void add_readers(const struct weights *weights, int layer, int first, int count, double *scale, double *sums)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    double *scaled = memory_new((size_t)count, sizeof *scaled);
    CHECK(!arch_shapes(&weights->arch, weights->input, shapes, NULL));
    for (bool again = true; again;) {
        int channels = shapes[layer++].channels;
        const struct weights_layer *bottleneck = &weights->layout.parts[WEIGHTS_BOTTLENECK][layer];
        const struct weights_layer *linear = &weights->layout.parts[WEIGHTS_MAIN][layer];
        const struct weights_layer *reader = bottleneck->weight >= 0 ? bottleneck : linear;
        bool pool = reader->weight < 0, adds = !pool && layer_traits(&weights->arch.layers[layer])->modern;
        scale_by(weights, &weights->layout.parts[WEIGHTS_NORM][layer], first, count, scale, scaled);
        if (bottleneck->weight < 0) /* an S begins with its depthwise convolution */
            scale_by(weights, &weights->layout.parts[WEIGHTS_DEPTHWISE][layer], first, count, scaled, scaled);
        if (pool)
            memcpy(scale, scaled, (size_t)count * sizeof *scale);
        else
            add_read(weights, reader, channels, first, count, scaled, NULL, sums);
        for (int i = 0; i < count && adds && morph_hands_on(weights, layer); i++)
            scale[i] += square((double)weights->values[linear->gamma + i]);
        again = pool || morph_hands_on(weights, layer);
    }
    free(scaled);
}

/* `importance` is zeros before.  In a network that has diverged the importance of a unit may be no number: it stays 0.
 */
static void find_importance(const struct weights *weights, int layer, enum weights_part part, double *importance)
{
    const struct weights_layer *at = &weights->layout.parts[part][layer];
    int count = at->outputs;
    double *scale = memory_new((size_t)count, sizeof *scale);
    for (int i = 0; i < count; i++)
        scale[i] = 1;
    scale_by(weights, at, 0, count, scale, scale);
    if (part == WEIGHTS_SQUEEZE) {
        add_read(weights, &weights->layout.parts[WEIGHTS_EXCITE][layer], count, 0, count, scale, NULL, importance);
    } else if (part == WEIGHTS_BOTTLENECK && layer_traits(&weights->arch.layers[layer])->modern) {
        scale_by(weights, &weights->layout.parts[WEIGHTS_DEPTHWISE][layer], 0, count, scale, scale);
        add_read(weights, &weights->layout.layers[layer], count, 0, count, scale, NULL, importance);
    } else if (part == WEIGHTS_BOTTLENECK) {
        /* It is narrowed together with the layer's outputs: only those that stay should count. */
        const struct weights_layer *reader = &weights->layout.parts[WEIGHTS_MAIN][layer];
        double *outputs = memory_new((size_t)reader->outputs, sizeof *outputs);
        find_importance(weights, layer, WEIGHTS_MAIN, outputs);
        add_read(weights, reader, count, 0, count, scale, outputs, importance);
        free(outputs);
    } else {
        struct shape shapes[ARCH_LAYERS_MAX];
        CHECK(!arch_shapes(&weights->arch, weights->input, shapes, NULL));
        /* A dense layer's own channels stand behind those that it read. */
        add_readers(weights, layer, shapes[layer].channels - count, count, scale, importance);
    }
    for (int i = 0; i < count; i++)
        importance[i] = isnan(importance[i]) ? 0 : sqrt(importance[i]);
    free(scale);
}

void morph_most_important(const struct weights *weights, int layer, enum weights_part part, int count,
                          struct channels *kept)
{
    int all = weights->layout.parts[part][layer].outputs;
    double *importance = memory_new((size_t)all, sizeof *importance);
    find_importance(weights, layer, part, importance);
    channels_narrow(kept, all, count, importance);
    free(importance);
}
