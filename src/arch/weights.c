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

static int64_t place(int64_t *end, int64_t count)
{
    int64_t offset = *end;
    *end += count;
    return offset;
}

static const struct weights_layer no_part = {
    .weight = -1, .bias = -1, .gamma = -1, .beta = -1, .mean = -1, .variance = -1};

/* Place what a part has.  A BN behind a weight shares its entry; one by itself has an entry with no weight. */
static void place_part(const struct part *part, struct weights_layer *at, int64_t *end)
{
    at->outputs = part->out.channels;
    if (part_is_bn(part)) {
        at->inputs = at->weight < 0 ? at->outputs : at->inputs;
        at->gamma = place(end, at->outputs);
        at->beta = place(end, at->outputs);
        return;
    }
    bool conv = part->kind == PART_CONV, all = part->kind == PART_LINEAR;
    at->inputs = all ? part->in.channels * part->in.height * part->in.width : part_channels_read(part);
    at->kernel = conv ? part->kernel : 1;
    at->weight = place(end, (int64_t)at->outputs * at->inputs * at->kernel * at->kernel);
    if (part->bias)
        at->bias = place(end, at->outputs);
}

void weights_layout_of(const struct arch *arch, struct shape input, struct weights_layout *layout)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    CHECK(arch_shapes(arch, input, shapes, NULL) == 0);
    memset(layout, 0, sizeof(*layout));
    int64_t end = 0;
    for (int part = 0; part < WEIGHTS_PARTS; part++)
        for (int i = 0; i < arch->layer_count; i++)
            layout->parts[part][i] = no_part;
    for (int i = 0; i < arch->layer_count; i++) {
        struct layer_parts parts;
        layer_parts_of(arch, i, i ? shapes[i - 1] : input, &parts);
        for (int p = 0; p < parts.count; p++)
            if (part_has_weights(&parts.parts[p]))
                place_part(&parts.parts[p], &layout->parts[parts.parts[p].weights][i], &end);
    }
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
    if (weights->raw)
        copy->raw = memcpy(memory_new_aligned(bytes), weights->raw, bytes);
    return copy;
}

void weights_use_raw(struct weights *weights)
{
    if (!weights->raw)
        return;
    free(weights->values);
    weights->values = weights->raw;
    weights->raw = NULL;
}

void weights_drop_raw(struct weights *weights)
{
    free(weights->raw);
    weights->raw = NULL;
}

void weights_free(struct weights *weights)
{
    if (!weights)
        return;
    free(weights->values);
    free(weights->raw);
    free(weights);
}
