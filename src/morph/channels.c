/* channels.c - maps of channels, and weights copied along them. */
#include "morph/channels.h"

#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"

void morph_index_map(struct random_stream *stream, int old_units, int new_units, int32_t *map)
{
    ASSERT(old_units > 0 && new_units >= old_units);
    for (int i = 0; i < new_units; i++)
        map[i] = i < old_units ? i : (int32_t)random_below(stream, (uint32_t)old_units);
}

void channels_same(struct channels *channels, int count)
{
    ASSERT(count <= ARCH_UNITS_MAX);
    channels->old_count = channels->new_count = count;
    channels->same = true;
    for (int i = 0; i < count; i++) {
        channels->from[i] = i;
        channels->share[i] = 1;
    }
}

/* The share of one copy, before the shares of all copies are scaled to sum to 1.  Unequal ones are drawn from 0.5…1.5,
   so that of two copies each has at least a quarter. */
static double draw_share(enum morph_split split, bool is_old, struct random_stream *stream)
{
    switch (split) {
    case MORPH_SPLIT_EQUAL:
        return 1;
    case MORPH_SPLIT_UNEQUAL:
        return 0.5 + (double)random_uniform(stream);
    case MORPH_SPLIT_FRESH:
        return is_old;
    }
    BUG("split");
}

void channels_widen(struct channels *channels, int old_count, int new_count, enum morph_split split,
                    struct random_stream *stream)
{
    ASSERT(new_count <= ARCH_UNITS_MAX);
    double *sums = memory_new((size_t)old_count, sizeof *sums);
    channels->old_count = old_count;
    channels->new_count = new_count;
    channels->same = false;
    morph_index_map(stream, old_count, new_count, channels->from);
    for (int i = 0; i < new_count; i++) {
        channels->share[i] = draw_share(split, i < old_count, stream);
        sums[channels->from[i]] += channels->share[i];
    }
    for (int i = 0; i < new_count; i++)
        channels->share[i] /= sums[channels->from[i]];
    free(sums);
}

void channels_narrow(struct channels *channels, int old_count, int new_count, const double *importance)
{
    ASSERT(new_count > 0 && new_count <= old_count && old_count <= ARCH_UNITS_MAX);
    channels->old_count = old_count;
    channels->new_count = 0;
    channels->same = false;
    for (int i = 0; i < old_count; i++) {
        int better = 0;
        for (int k = 0; k < old_count; k++)
            better += importance[k] > importance[i] || (importance[k] == importance[i] && k < i);
        if (better >= new_count)
            continue;
        channels->from[channels->new_count] = i;
        channels->share[channels->new_count++] = 1;
    }
    ASSERT(channels->new_count == new_count);
}

void channels_append(struct channels *channels, const struct channels *added)
{
    ASSERT(channels->new_count + added->new_count <= ARCH_UNITS_MAX);
    for (int i = 0; i < added->new_count; i++) {
        channels->from[channels->new_count + i] = channels->old_count + added->from[i];
        channels->share[channels->new_count + i] = added->share[i];
    }
    channels->old_count += added->old_count;
    channels->new_count += added->new_count;
    channels->same = channels->same && added->same;
}

static void copy_row(const float *from, float *to, int64_t block, const struct channels *inputs)
{
    for (int unit = 0; unit < inputs->new_count; unit++)
        for (int64_t i = 0; i < block; i++)
            *to++ = (float)(from[inputs->from[unit] * block + i] * inputs->share[unit]);
}

static void copy_weight(const struct weights *parent, const struct weights_layer *from, struct weights *child,
                        const struct weights_layer *to, const struct channels *inputs, const struct channels *outputs)
{
    int64_t from_row = (int64_t)from->inputs * from->kernel * from->kernel;
    int64_t to_row = (int64_t)to->inputs * to->kernel * to->kernel;
    int64_t block = inputs ? from_row / inputs->old_count : from_row;
    ASSERT(inputs ? block * inputs->old_count == from_row && block * inputs->new_count <= to_row : from_row == to_row);
    ASSERT(to->outputs == outputs->new_count);
    for (int i = 0; i < to->outputs; i++)
        if (outputs->share[i] != 0) {
            const float *source = parent->values + from->weight + outputs->from[i] * from_row;
            float *target = child->values + to->weight + i * to_row;
            if (!inputs || inputs->same)
                memcpy(target, source, (size_t)from_row * sizeof *target);
            else
                copy_row(source, target, block, inputs);
        }
}

void channels_copy_part(const struct weights *parent, int parent_layer, struct weights *child, int child_layer,
                        enum weights_part part, const struct channels *inputs, const struct channels *outputs)
{
    const struct weights_layer *from = &parent->layout.parts[part][parent_layer];
    const struct weights_layer *to = &child->layout.parts[part][child_layer];
    const int64_t pairs[][2] = {{from->bias, to->bias},
                                {from->gamma, to->gamma},
                                {from->beta, to->beta},
                                {from->mean, to->mean},
                                {from->variance, to->variance}};
    if (from->weight >= 0)
        copy_weight(parent, from, child, to, inputs, outputs);
    for (size_t p = 0; p < COUNT_OF(pairs); p++) {
        ASSERT((pairs[p][0] < 0) == (pairs[p][1] < 0));
        for (int i = 0; i < outputs->new_count && pairs[p][0] >= 0; i++)
            if (outputs->share[i] != 0)
                child->values[pairs[p][1] + i] = parent->values[pairs[p][0] + outputs->from[i]];
    }
}
