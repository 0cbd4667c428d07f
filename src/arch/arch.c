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

#include "arch/arch_internal.h"
#include "util/bug.h"

bool layer_is_pool(const struct layer *layer)
{
    return layer->kind == LAYER_MAX_POOL || layer->kind == LAYER_AVERAGE_POOL;
}

bool layer_has_weights(const struct layer *layer)
{
    return !layer_is_pool(layer);
}

bool layer_grows(const struct layer *layer)
{
    return layer->kind == LAYER_CONV || layer->kind == LAYER_DENSE || layer->kind == LAYER_FC;
}

bool layer_is_dense(const struct layer *layer)
{
    return layer->kind == LAYER_DENSE || layer->kind == LAYER_TRANSITION;
}

bool arch_is_dense(const struct arch *arch)
{
    for (int i = 0; i < arch->layer_count; i++)
        if (layer_is_dense(&arch->layers[i]))
            return true;
    return false;
}

bool layer_begins_with_norm(const struct arch *arch, int layer)
{
    const struct layer *at = &arch->layers[layer];
    return layer_is_dense(at) || (layer && layer_is_pool(at) && layer_is_dense(at - 1));
}

int layer_bottleneck(const struct layer *layer)
{
    return layer->bottleneck * layer->units;
}

bool arch_equal(const struct arch *a, const struct arch *b)
{
    if (a->layer_count != b->layer_count)
        return false;
    for (int i = 0; i < a->layer_count; i++) {
        const struct layer *x = &a->layers[i], *y = &b->layers[i];
        if (x->kind != y->kind || x->units != y->units || x->kernel != y->kernel || x->stride != y->stride ||
            x->bottleneck != y->bottleneck || x->percent != y->percent)
            return false;
    }
    return true;
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

/* The shape that layer number `index` makes of `shape`. */
static int next_shape(const struct arch *arch, int index, struct shape *shape, struct error *error)
{
    const struct layer *layer = &arch->layers[index];
    char what[120];
    switch (layer->kind) {
    case LAYER_CONV:
        *shape = (struct shape){layer->units, (shape->height - 1) / layer->stride + 1,
                                (shape->width - 1) / layer->stride + 1};
        break;
    case LAYER_MAX_POOL:
    case LAYER_AVERAGE_POOL:
        if (layer->kernel > shape->height || layer->kernel > shape->width) {
            snprintf(what, sizeof(what),
                     "the window doesn't fit into the map of %d x %d; use a smaller one or fewer pools", shape->height,
                     shape->width);
            return layer_error(arch, index, error, what);
        }
        shape->height = (shape->height - layer->kernel) / layer->stride + 1;
        shape->width = (shape->width - layer->kernel) / layer->stride + 1;
        break;
    case LAYER_FC:
    case LAYER_SOFTMAX:
        *shape = (struct shape){layer->units, 1, 1};
        break;
    case LAYER_DENSE:
        shape->channels += layer->units;
        if (shape->channels > ARCH_UNITS_MAX) {
            snprintf(what, sizeof(what), "the block has %d channels, more than %d; use smaller growth rates or a T",
                     shape->channels, ARCH_UNITS_MAX);
            return layer_error(arch, index, error, what);
        }
        break;
    case LAYER_TRANSITION:
        if (shape->height < TRANSITION_POOL || shape->width < TRANSITION_POOL) {
            snprintf(what, sizeof(what), "its pool doesn't fit into the map of %d x %d; use fewer pools", shape->height,
                     shape->width);
            return layer_error(arch, index, error, what);
        }
        *shape = (struct shape){shape->channels * layer->percent / 100, shape->height / TRANSITION_POOL,
                                shape->width / TRANSITION_POOL};
        shape->channels += !shape->channels;
        break;
    }
    if (values_of(*shape) <= ARCH_VALUES_MAX)
        return 0;
    snprintf(what, sizeof(what),
             "%" PRId64 " output values an image, more than %d; use fewer filters or a pool before it",
             values_of(*shape), ARCH_VALUES_MAX);
    return layer_error(arch, index, error, what);
}

/* Trainable values of a layer that makes a map of shape `out` of one of shape `in`: its weights, and gamma and beta or
   the classifier's bias. */
static int64_t parameters_of(const struct arch *arch, int index, struct shape in, struct shape out)
{
    const struct layer *layer = &arch->layers[index];
    int64_t units = layer->units, inputs = in.channels, bottleneck = layer_bottleneck(layer);
    int64_t norm = layer_begins_with_norm(arch, index) ? 2 * inputs : 0;
    switch (layer->kind) {
    case LAYER_CONV:
        return units * layer->kernel * layer->kernel * inputs + 2 * units;
    case LAYER_FC:
        return units * values_of(in) + 2 * units;
    case LAYER_SOFTMAX:
        return units * values_of(in) + units;
    case LAYER_DENSE:
        if (bottleneck)
            return norm + inputs * bottleneck + 2 * bottleneck + bottleneck * units * DENSE_KERNEL * DENSE_KERNEL;
        return norm + inputs * units * DENSE_KERNEL * DENSE_KERNEL;
    case LAYER_TRANSITION:
        return norm + inputs * out.channels;
    default:
        return norm;
    }
}

int arch_shapes(const struct arch *arch, struct shape input, struct shape shapes[ARCH_LAYERS_MAX], struct error *error)
{
    if (check_input(input, error) || arch_check(arch, error))
        return -1;
    struct shape shape = input;
    int64_t parameters = 0;
    for (int i = 0; i < arch->layer_count; i++) {
        struct shape in = shape;
        if (next_shape(arch, i, &shape, error))
            return -1;
        shapes[i] = shape;
        parameters += parameters_of(arch, i, in, shape);
    }
    if (parameters > ARCH_PARAMETERS_MAX)
        return error_set(error, "%" PRId64 " parameters, more than %d, the most there can be; use a smaller network",
                         parameters, ARCH_PARAMETERS_MAX);
    return 0;
}

/* FLOPs of a layer from shape `in` to shape `out`.  A weight is used once for each pixel of the output; BN and ReLU
   take 3 a value. */
static int64_t flops_of(const struct arch *arch, int index, struct shape in, struct shape out)
{
    const struct layer *layer = &arch->layers[index];
    int64_t window = (int64_t)layer->kernel * layer->kernel, values = values_of(out), pixels = out.height * out.width;
    int64_t norm = layer_begins_with_norm(arch, index) ? 3 * values_of(in) : 0;
    int64_t inputs = in.channels, added = layer->units * pixels, bottleneck = layer_bottleneck(layer);
    switch (layer->kind) {
    case LAYER_CONV:
        return 2 * window * inputs * values + 3 * values;
    case LAYER_FC:
        return 2 * values_of(in) * values + 3 * values;
    case LAYER_SOFTMAX:
        return 2 * values_of(in) * values + values;
    case LAYER_DENSE:
        if (bottleneck)
            norm += (2 * inputs + 3) * bottleneck * pixels;
        return norm + 2 * DENSE_KERNEL * DENSE_KERNEL * (bottleneck ? bottleneck : inputs) * added;
    case LAYER_TRANSITION:
        return norm + TRANSITION_POOL * TRANSITION_POOL * inputs * pixels + 2 * inputs * values;
    default:
        return norm + window * values;
    }
}

/* Values that a layer computes for one image. */
static int64_t outputs_of(const struct layer *layer, struct shape in, struct shape out)
{
    int64_t pixels = out.height * out.width;
    if (layer->kind == LAYER_DENSE)
        return (in.channels + layer_bottleneck(layer) + layer->units) * pixels;
    return values_of(out) + (layer->kind == LAYER_TRANSITION ? in.channels * pixels : 0);
}

struct arch_cost arch_cost(const struct arch *arch, struct shape input)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    ASSERT(arch_shapes(arch, input, shapes, NULL) == 0);
    struct arch_cost cost = {0};
    for (int i = 0; i < arch->layer_count; i++) {
        struct shape in = i ? shapes[i - 1] : input;
        cost.parameters += parameters_of(arch, i, in, shapes[i]);
        cost.flops += flops_of(arch, i, in, shapes[i]);
        cost.activation_bytes += outputs_of(&arch->layers[i], in, shapes[i]) * (int64_t)sizeof(float);
    }
    return cost;
}

static int within(const char *what, int64_t value, int64_t limit, struct error *error)
{
    if (!limit || value <= limit)
        return 0;
    return error_set(
        error, "%" PRId64 " %s, %" PRId64 " over the limit of %" PRId64 "; use a smaller network or raise the limit",
        value, what, value - limit, limit);
}

int arch_within(const struct arch *arch, struct shape input, const struct arch_limits *limits, struct error *error)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    if (arch_shapes(arch, input, shapes, error))
        return -1;
    struct arch_cost cost = arch_cost(arch, input);
    int64_t depth = 0;
    for (int i = 0; i < arch->layer_count; i++)
        depth += layer_has_weights(&arch->layers[i]) + (layer_bottleneck(&arch->layers[i]) > 0);
    if (within("layers with weights", depth, limits->depth, error) ||
        within("parameters", cost.parameters, limits->parameters, error) ||
        within("FLOPs an image", cost.flops, limits->flops, error) ||
        within("bytes of activations a batch", cost.activation_bytes * limits->batch, limits->memory, error))
        return -1;
    return 0;
}
