/*
 * arch.c - shapes, cost, limits and identity of an architecture.
 *
 * An architecture that arch_shapes() accepts for an input can be built: every function here that needs
 * shapes asserts it.
 */
#include "arch/arch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "util/bug.h"

bool layer_grows(const struct layer *layer)
{
    return layer_traits(layer)->widths != WIDTHS_NONE;
}

struct layer layer_average_of(struct shape map)
{
    int smaller = map.height < map.width ? map.height : map.width, larger = map.height + map.width - smaller;
    int stride = smaller;
    while ((larger - smaller) % stride)
        stride--;
    return (struct layer){.kind = LAYER_AVERAGE_POOL, .kernel = smaller, .stride = stride};
}

bool layer_is_flat(const struct layer *layer)
{
    return layer_traits(layer)->section != SECTION_MAPS;
}

int arch_channels(const struct arch *arch, int layer)
{
    struct shape at = {0, 1, 1};
    if (layer_is_flat(&arch->layers[layer]))
        return 0;
    for (int i = 0; i <= layer; i++) {
        struct layer_parts parts;
        layer_parts_of(arch, i, at, &parts);
        at.channels = parts.parts[parts.count - 1].out.channels;
    }
    return at.channels;
}

bool arch_is_modern(const struct arch *arch)
{
    for (int i = 0; i < arch->layer_count; i++)
        if (layer_traits(&arch->layers[i])->modern)
            return true;
    return false;
}

bool arch_is_dense(const struct arch *arch)
{
    for (int i = 0; i < arch->layer_count; i++)
        if (layer_traits(&arch->layers[i])->dense)
            return true;
    return false;
}

bool arch_equal(const struct arch *a, const struct arch *b)
{
    bool equal = a->layer_count == b->layer_count;
    for (int i = 0; i < a->layer_count && equal; i++) {
        struct layer one = a->layers[i], other = b->layers[i];
        const struct layer_argument *argument = layer_traits(&one)->arguments;
        equal = one.kind == other.kind && one.features == other.features;
        for (; argument->what && equal; argument++)
            equal = *layer_argument(&one, argument) == *layer_argument(&other, argument);
    }
    return equal;
}

struct hash arch_hash(const struct arch *arch)
{
    struct text text = TEXT_EMPTY;
    arch_print(arch, &text);
    struct hash hash = hash_of(text_string(&text), text.length);
    text_done(&text);
    return hash;
}

static int64_t values_of(struct shape shape)
{
    return (int64_t)shape.channels * shape.height * shape.width;
}

static int check_input(struct shape input, struct error *error)
{
    if (input.channels < 1 || input.channels > ARCH_UNITS_MAX || input.height < 1 || input.height > ARCH_SIDE_MAX ||
        input.width < 1 || input.width > ARCH_SIDE_MAX)
        return error_set(error,
                         "images of %d channels, %d x %d pixels; channels must lie in 1 to %d and sides in 1 to %d",
                         input.channels, input.height, input.width, ARCH_UNITS_MAX, ARCH_SIDE_MAX);
    if (values_of(input) > ARCH_VALUES_MAX)
        return error_set(error, "images of %d channels, %d x %d pixels; more than %d values can't be handled",
                         input.channels, input.height, input.width, ARCH_VALUES_MAX);
    return 0;
}

static int check_part(const struct arch *arch, int layer, const struct part *part, struct error *error)
{
    char what[120];
    if (part_is_pool(part) && (part->kernel > part->in.height || part->kernel > part->in.width)) {
        snprintf(what, sizeof(what),
                 "its pool of %d x %d doesn't fit into the map of %d x %d; use fewer pools or smaller ones",
                 part->kernel, part->kernel, part->in.height, part->in.width);
        return layer_error(arch, layer, error, what);
    }
    if (part->kind == PART_CONCAT && part->out.channels > ARCH_UNITS_MAX) {
        snprintf(what, sizeof(what), "the block has %d channels, more than %d; use smaller growth rates or a T",
                 part->out.channels, ARCH_UNITS_MAX);
        return layer_error(arch, layer, error, what);
    }
    return 0;
}

static int check_layer(const struct arch *arch, int layer, const struct layer_parts *parts, struct error *error)
{
    int64_t values = 0;
    char what[120];
    for (int p = 0; p < parts->count; p++) {
        int64_t own = values_of(parts->parts[p].out);
        if (check_part(arch, layer, &parts->parts[p], error))
            return -1;
        values = own > values ? own : values;
    }
    if (values <= ARCH_VALUES_MAX)
        return 0;
    snprintf(what, sizeof(what),
             "%" PRId64 " output values an image, more than %d; use fewer filters or a pool before it", values,
             ARCH_VALUES_MAX);
    return layer_error(arch, layer, error, what);
}

/* Trainable values: weights, the classifier's bias, gamma and beta. */
static int64_t parameters_of(const struct part *part)
{
    int64_t outputs = part->out.channels;
    switch (part->kind) {
    case PART_CONV:
        return outputs * part_channels_read(part) * part->kernel * part->kernel;
    case PART_LINEAR:
        return outputs * (values_of(part->in) + part->bias);
    case PART_SQUEEZE:
    case PART_EXCITE:
        return outputs * (part->in.channels + part->bias);
    case PART_BN_RELU:
    case PART_BN:
        return 2 * outputs;
    default:
        return 0;
    }
}

int arch_shapes(const struct arch *arch, struct shape input, struct shape shapes[ARCH_LAYERS_MAX], struct error *error)
{
    if (check_input(input, error) || arch_check(arch, error))
        return -1;
    struct layer_parts parts;
    int64_t parameters = 0;
    for (int i = 0; i < arch->layer_count; i++) {
        layer_parts_of(arch, i, i ? shapes[i - 1] : input, &parts);
        if (check_layer(arch, i, &parts, error))
            return -1;
        shapes[i] = parts.parts[parts.count - 1].out;
        for (int p = 0; p < parts.count; p++)
            parameters += parameters_of(&parts.parts[p]);
    }
    if (parameters > ARCH_PARAMETERS_MAX)
        return error_set(error, "%" PRId64 " parameters, more than %d, the most there can be; use a smaller network",
                         parameters, ARCH_PARAMETERS_MAX);
    return 0;
}

/* A weight is used once for each pixel of the output; BN and ReLU take 3 a value.  A gate takes 4, as a hard-swish. */
static int64_t flops_of(const struct part *part)
{
    int64_t values = values_of(part->out), window = (int64_t)part->kernel * part->kernel;
    switch (part->kind) {
    case PART_CONV:
        return 2 * window * part_channels_read(part) * values;
    case PART_LINEAR:
        return (2 * values_of(part->in) + part->bias) * values;
    case PART_BN_RELU:
        return (part->hard_swish ? 6 : 3) * values;
    case PART_SQUEEZE: /* a sum of the map, then a bias and a ReLU for each squeezed value */
        return values_of(part->in) + (2 * (int64_t)part->in.channels + 2) * part->out.channels;
    case PART_EXCITE:
        return (2 * (int64_t)part->in.channels + 1 + 4) * part->out.channels + values;
    case PART_BN:
        return 2 * values;
    case PART_MAX_POOL:
    case PART_AVERAGE_POOL:
        return window * values;
    case PART_ADD:
        return values;
    case PART_CONCAT:
        return 0;
    }
    BUG("part");
}

struct arch_cost arch_cost(const struct arch *arch, struct shape input)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    CHECK(arch_shapes(arch, input, shapes, NULL) == 0);
    struct arch_cost cost = {0};
    for (int i = 0; i < arch->layer_count; i++) {
        struct layer_parts parts;
        layer_parts_of(arch, i, i ? shapes[i - 1] : input, &parts);
        for (int p = 0; p < parts.count; p++) {
            const struct part *part = &parts.parts[p];
            bool stored = part->kind != PART_CONCAT && (p + 1 == parts.count || !part_joins(part, part + 1));
            cost.parameters += parameters_of(part);
            cost.flops += flops_of(part);
            cost.activation_bytes += stored ? values_of(part->out) * (int64_t)sizeof(float) : 0;
            cost.depth += part_is_linear(part);
        }
    }
    return cost;
}

static int within(const char *what, const char *option, int64_t value, int64_t limit, struct error *error)
{
    if (!limit || value <= limit)
        return 0;
    return error_set(error,
                     "%" PRId64 " %s, %" PRId64 " over the limit of %" PRId64 "; use a smaller network or raise --%s",
                     value, what, value - limit, limit, option);
}

int arch_within(const struct arch *arch, struct shape input, const struct arch_limits *limits, struct error *error)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    if (arch_shapes(arch, input, shapes, error))
        return -1;
    struct arch_cost cost = arch_cost(arch, input);
    if (within("layers with weights", "limit-depth", cost.depth, limits->depth, error) ||
        within("parameters", "limit-params", cost.parameters, limits->parameters, error) ||
        within("FLOPs an image", "limit-flops", cost.flops, limits->flops, error) ||
        within("bytes of activations a batch", "limit-memory", cost.activation_bytes * limits->batch, limits->memory,
               error))
        return -1;
    return 0;
}
