/*
 * widen.c - Net2Wider: a layer gets copies of its own units, and the layer that reads them shares out.
 *
 * With the index map g from new units to old ones:
 *     row j of the layer     = row g(j) of the parent's, with gamma, beta, mean and variance
 *     what the reader gives to unit j = what it gave to g(j), times share(j)
 * where the shares of all copies of a unit sum to 1, so that the reader sums to the same value as before.
 *
 * The reader is the next layer with weights: pools between pass channels through.  Its inputs are seen as
 * units × block, where a block is what one unit feeds there: the kernel's window for a convolution, the
 * whole map of a channel for the first FC, one value after an FC.  So one loop serves all three.
 */
#include <stdlib.h>
#include <string.h>

#include "morph/steps.h"
#include "util/bug.h"
#include "util/memory.h"

void morph_index_map(struct random_stream *stream, int old_units, int new_units, int32_t *map)
{
    ASSERT(old_units > 0 && new_units >= old_units);
    for (int i = 0; i < new_units; i++)
        map[i] = i < old_units ? i : (int32_t)random_below(stream, (uint32_t)old_units);
}

/* How much of its unit's outgoing weights each new unit gets.  Unequal parts are drawn from 0.5…1.5 before they are
   normalised, so that none is lost: of two copies each keeps at least a quarter. */
static void share_out(const int32_t *map, int old_units, int new_units, enum morph_split split,
                      struct random_stream *stream, double *shares)
{
    double *sums = memory_new((size_t)old_units, sizeof *sums);
    for (int i = 0; i < new_units; i++) {
        shares[i] = split == MORPH_SPLIT_EQUAL ? 1.0 : 0.5 + (double)random_uniform(stream);
        sums[map[i]] += shares[i];
    }
    for (int i = 0; i < new_units; i++)
        shares[i] /= sums[map[i]];
    free(sums);
}

static void copy_rows(const struct weights *parent, struct weights *child, int layer, const int32_t *map)
{
    const struct weights_layer *from = &parent->layout.layers[layer], *to = &child->layout.layers[layer];
    int64_t row = morph_weight_count(from) / from->outputs;
    for (int i = 0; i < to->outputs; i++)
        memcpy(child->values + to->weight + i * row, parent->values + from->weight + map[i] * row,
               (size_t)row * sizeof(float));
    morph_copy_units(parent, layer, map, child, layer);
}

/* The new copies' incoming weights move a little, so that training can tell them from their originals. */
static void disturb_copies(struct weights *child, int layer, int old_units, float noise, struct random_stream *stream)
{
    const struct weights_layer *place = &child->layout.layers[layer];
    int64_t row = morph_weight_count(place) / place->outputs;
    float *weight = child->values + place->weight;
    float deviation = noise * morph_deviation(weight, old_units * row);
    morph_add_noise(weight + old_units * row, (place->outputs - old_units) * row, deviation, stream);
}

static void share_inputs(const struct weights *parent, struct weights *child, int reader, int old_units, int new_units,
                         const int32_t *map, const double *shares)
{
    const struct weights_layer *from = &parent->layout.layers[reader], *to = &child->layout.layers[reader];
    int64_t block = morph_weight_count(from) / from->outputs / old_units;
    ASSERT(block * new_units * to->outputs == morph_weight_count(to));
    float *target = child->values + to->weight;
    for (int output = 0; output < to->outputs; output++) {
        const float *row = parent->values + from->weight + output * block * old_units;
        for (int unit = 0; unit < new_units; unit++)
            for (int64_t i = 0; i < block; i++)
                *target++ = (float)(row[map[unit] * block + i] * shares[unit]);
    }
    morph_copy_units(parent, reader, NULL, child, reader);
}

static int reader_of(const struct arch *arch, int layer)
{
    int reader = layer + 1;
    while (reader < arch->layer_count && !layer_has_weights(&arch->layers[reader]))
        reader++;
    ASSERT(reader < arch->layer_count); /* the classifier at the latest */
    return reader;
}

void morph_widen(const struct weights *parent, int layer, const struct morph_options *options,
                 struct random_stream *stream, struct weights *child)
{
    int old_units = parent->arch.layers[layer].units, new_units = child->arch.layers[layer].units;
    int reader = reader_of(&parent->arch, layer);
    int32_t *map = memory_new((size_t)new_units, sizeof *map);
    double *shares = memory_new((size_t)new_units, sizeof *shares);
    morph_index_map(stream, old_units, new_units, map);
    share_out(map, old_units, new_units, options->split, stream, shares);

    for (int i = 0; i < parent->arch.layer_count; i++)
        if (i != layer && i != reader)
            morph_copy_layer(parent, i, child, i);
    copy_rows(parent, child, layer, map);
    if (options->widen_noise > 0)
        disturb_copies(child, layer, old_units, options->widen_noise, stream);
    share_inputs(parent, child, reader, old_units, new_units, map, shares);
    free(shares);
    free(map);
}
