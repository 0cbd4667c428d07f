/*
 * widen.c - Net2Wider: a layer gets copies of its own units, and the layers that read a unit divide its weight among
 * the copies.  Or the layer gets fresh units, whose outgoing weights are 0.  Narrowing is the same walk, with a map
 * that leaves units out.
 *
 * With the index map g from new units to old ones:
 *     row j of the layer          = row g(j) of the parent's, with gamma, beta, mean and variance
 *     a reader's weight of unit j = its weight of g(j), times share(j)
 * where the shares of all copies of a unit sum to 1, so that the reader sums to the same value as before.  Fresh units
 * have share 0, drawn rows, and the BN of a network from scratch: a copied one might be that of a dead unit.
 *
 * One walk from front to back does it, with the map of the channels that the layer reads (channels.h).  Pools and BN
 * leave the map as it is: a copy's statistics are its original's.  The linear part of a layer reads by this map, and
 * its outputs make the next one.  A dense layer appends its own channels to those that it read, so that every later
 * layer of the block divides weights too.  A transition keeps its reduction: where it reads more, it may have more
 * units itself, and these are copies again.
 *
 * A dense layer is widened with its bottleneck.  To deepen after one is a widening too: the new layer computes copies
 * of its outputs from the same channels by the same weights, and reads the old layer's own outputs with weight 0.  So
 * the block gets copies of channels, as if the old layer had been widened.
 */
#include <stdlib.h>
#include <string.h>

#include "morph/steps.h"
#include "util/bug.h"
#include "util/memory.h"

struct walk {
    const struct weights *parent;
    struct weights *child;
    const struct morph_options *options;
    struct random_stream *stream;
    const struct action *action;
    int from, to;                           /* the layers at hand, of parent and child */
    struct shape shape;                     /* that it reads in the parent */
    const struct channels *at;              /* that the part at hand reads */
    struct channels map;                    /* that the layer at hand reads */
    struct channels outputs[WEIGHTS_PARTS]; /* of its weights */
};

/* The outputs of a part: copies where the child has more than the parent, the most important ones where it has
   fewer. */
static void find_outputs(struct walk *walk, enum weights_part part, struct channels *outputs)
{
    int old_count = walk->parent->layout.parts[part][walk->from].outputs;
    int new_count = walk->child->layout.parts[part][walk->to].outputs;
    if (new_count > old_count)
        channels_widen(outputs, old_count, new_count, walk->options->split, walk->stream);
    else if (new_count < old_count)
        morph_most_important(walk->parent, walk->from, part, new_count, outputs);
    else
        channels_same(outputs, old_count);
}

static void copy_part(struct walk *walk, enum weights_part part, const struct channels *inputs,
                      const struct channels *outputs)
{
    channels_copy_part(walk->parent, walk->from, walk->child, walk->to, part, inputs, outputs);
}

/* The incoming weights of the units behind the first `old_count`, if any: those of copies move a little, so that
   training can tell them from their originals.  Fresh ones are drawn. */
static void begin_units(struct walk *walk, enum weights_part part, int old_count)
{
    const struct weights_layer *place = &walk->child->layout.parts[part][walk->to];
    int64_t row = morph_weight_count(place) / place->outputs, count = (place->outputs - old_count) * row;
    float *weight = walk->child->values + place->weight, *added = weight + old_count * row;
    if (walk->options->split == MORPH_SPLIT_FRESH) {
        morph_add_noise(added, count, weights_fresh_deviation(place), walk->stream);
    } else if (count > 0 && walk->options->widen_noise > 0) {
        float deviation = walk->options->widen_noise * morph_deviation(weight, old_count * row);
        morph_add_noise(added, count, deviation, walk->stream);
    }
}

/* The same for a part of a layer that is a copy, or fresh, as a whole. */
static void begin_part(struct walk *walk, enum weights_part part)
{
    const struct weights_layer *place = &walk->child->layout.parts[part][walk->to];
    if (place->weight < 0)
        return;
    if (walk->options->split == MORPH_SPLIT_FRESH) {
        begin_units(walk, part, 0);
    } else if (walk->options->deepen_noise > 0) {
        float *weight = walk->child->values + place->weight;
        int64_t count = morph_weight_count(place);
        morph_add_noise(weight, count, walk->options->deepen_noise * morph_deviation(weight, count), walk->stream);
    }
}

/* Add the new layer behind a dense one, whose outputs it computes again.  Its first BN also reads the old layer's
   outputs: for them it has the values of the next BN that does. */
static void insert_copy(struct walk *walk)
{
    const struct weights *parent = walk->parent;
    struct channels *outputs = &walk->outputs[WEIGHTS_MAIN];
    int growth = outputs->old_count, channels = walk->map.new_count;
    struct channels *copies = memory_new(1, sizeof *copies), *all = memory_new(1, sizeof *all);
    channels_widen(outputs, growth, 2 * growth, walk->options->split, walk->stream);
    *copies = (struct channels){.old_count = growth, .new_count = growth};
    memcpy(copies->from, outputs->from + growth, (size_t)growth * sizeof *copies->from);
    memcpy(copies->share, outputs->share + growth, (size_t)growth * sizeof *copies->share);
    channels_same(all, channels + growth);

    walk->to++;
    channels_copy_part(parent, walk->from + 1, walk->child, walk->to, WEIGHTS_NORM, NULL, all);
    copy_part(walk, WEIGHTS_NORM, NULL, &walk->map);
    bool bottleneck = parent->layout.parts[WEIGHTS_BOTTLENECK][walk->from].weight >= 0;
    if (bottleneck && walk->options->split != MORPH_SPLIT_FRESH)
        copy_part(walk, WEIGHTS_BOTTLENECK, &walk->map, &walk->outputs[WEIGHTS_BOTTLENECK]);
    copy_part(walk, WEIGHTS_MAIN, bottleneck ? &walk->outputs[WEIGHTS_BOTTLENECK] : &walk->map, copies);
    begin_part(walk, WEIGHTS_BOTTLENECK);
    begin_part(walk, WEIGHTS_MAIN);
    free(copies);
    free(all);
}

/* A linear part; the next part reads its outputs.  The outputs of a depthwise convolution have the map of the channels
   that it reads; outputs that are added to the layer's input have the map of that input. */
static void carry_linear(struct walk *walk, const struct part *part, bool added)
{
    struct channels *outputs = &walk->outputs[part->weights];
    if (part->depthwise)
        *outputs = *walk->at;
    else if (added)
        *outputs = walk->map;
    else
        find_outputs(walk, part->weights, outputs);
    copy_part(walk, part->weights, part->depthwise ? NULL : walk->at, outputs);
    if (outputs->new_count > outputs->old_count)
        begin_units(walk, part->weights, outputs->old_count);
    walk->at = outputs;
}

/* The channels that it reads keep their map: each has its gate. */
static void carry_squeeze(struct walk *walk, const struct part *part)
{
    struct channels *squeezed = &walk->outputs[part->weights];
    find_outputs(walk, part->weights, squeezed);
    copy_part(walk, part->weights, walk->at, squeezed);
    copy_part(walk, part[1].weights, squeezed, walk->at);
    begin_units(walk, part->weights, squeezed->old_count);
}

/* `added`: the layer ends in an addition, and this is its last convolution. */
static void carry_part(struct walk *walk, const struct part *part, bool added)
{
    switch (part->kind) {
    case PART_CONV:
    case PART_LINEAR:
        carry_linear(walk, part, added);
        break;
    case PART_BN_RELU:
    case PART_BN:
        if (walk->parent->layout.parts[part->weights][walk->from].weight < 0)
            copy_part(walk, part->weights, NULL, walk->at);
        break;
    case PART_CONCAT:
        if (walk->action->kind == ACTION_DEEPEN && walk->action->layer == walk->from)
            insert_copy(walk);
        channels_append(&walk->map, walk->at);
        walk->at = &walk->map;
        break;
    case PART_SQUEEZE:
        carry_squeeze(walk, part);
        break;
    case PART_EXCITE:
    case PART_MAX_POOL:
    case PART_AVERAGE_POOL:
    case PART_ADD:
        break;
    }
}

static void carry_layer(struct walk *walk)
{
    struct layer_parts parts;
    layer_parts_of(&walk->parent->arch, walk->from, walk->shape, &parts);
    const struct part *last = &parts.parts[parts.count - 1];
    walk->at = &walk->map;
    for (int p = 0; p < parts.count; p++)
        carry_part(walk, &parts.parts[p], last->kind == PART_ADD && parts.parts[p].weights == WEIGHTS_MAIN);
    walk->shape = last->out;
    if (walk->at != &walk->map)
        walk->map = *walk->at;
}

void morph_widen(const struct weights *parent, const struct action *action, const struct morph_options *options,
                 struct random_stream *stream, struct weights *child)
{
    struct walk *walk = memory_new(1, sizeof *walk);
    *walk = (struct walk){.parent = parent,
                          .child = child,
                          .options = options,
                          .stream = stream,
                          .action = action,
                          .shape = parent->input};
    channels_same(&walk->map, parent->input.channels);
    for (; walk->from < parent->arch.layer_count; walk->from++, walk->to++)
        carry_layer(walk);
    ASSERT(walk->to == child->arch.layer_count);
    free(walk);
}
