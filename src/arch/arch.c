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

bool layer_has_weights(const struct layer *layer)
{
    return layer->kind == LAYER_CONV || layer->kind == LAYER_FC || layer->kind == LAYER_SOFTMAX;
}

bool arch_equal(const struct arch *a, const struct arch *b)
{
    if (a->layer_count != b->layer_count)
        return false;
    for (int i = 0; i < a->layer_count; i++) {
        const struct layer *x = &a->layers[i], *y = &b->layers[i];
        if (x->kind != y->kind || x->units != y->units || x->kernel != y->kernel || x->stride != y->stride)
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
    if (input.channels >= 1 && input.channels <= ARCH_UNITS_MAX && input.height >= 1 && input.height <= ARCH_SIDE_MAX &&
        input.width >= 1 && input.width <= ARCH_SIDE_MAX)
        return 0;
    return error_set(error, "images of %d channels, %d x %d pixels; channels must lie in 1 to %d and sides in 1 to %d",
                     input.channels, input.height, input.width, ARCH_UNITS_MAX, ARCH_SIDE_MAX);
}

int arch_shapes(const struct arch *arch, struct shape input, struct shape shapes[ARCH_LAYERS_MAX], struct error *error)
{
    if (check_input(input, error) || arch_check(arch, error))
        return -1;
    struct shape shape = input;
    for (int i = 0; i < arch->layer_count; i++) {
        const struct layer *layer = &arch->layers[i];
        switch (layer->kind) {
        case LAYER_CONV:
            shape = (struct shape){layer->units, (shape.height - 1) / layer->stride + 1,
                                   (shape.width - 1) / layer->stride + 1};
            break;
        case LAYER_MAX_POOL:
        case LAYER_AVERAGE_POOL:
            if (layer->kernel > shape.height || layer->kernel > shape.width) {
                char what[120];
                snprintf(what, sizeof(what),
                         "the window doesn't fit into the map of %d x %d; use a smaller one or fewer pools",
                         shape.height, shape.width);
                return layer_error(arch, i, error, what);
            }
            shape.height = (shape.height - layer->kernel) / layer->stride + 1;
            shape.width = (shape.width - layer->kernel) / layer->stride + 1;
            break;
        case LAYER_FC:
        case LAYER_SOFTMAX:
            if (values_of(shape) > ARCH_INPUTS_MAX)
                return layer_error(arch, i, error, "the map before it is too large; put a pool between");
            shape = (struct shape){layer->units, 1, 1};
            break;
        }
        shapes[i] = shape;
    }
    return 0;
}

/* Add what one layer from shape `in` to shape `out` costs. */
static void add_layer_cost(const struct layer *layer, struct shape in, struct shape out, struct arch_cost *cost)
{
    int64_t window = (int64_t)layer->kernel * layer->kernel, values = values_of(out), weights;
    switch (layer->kind) {
    case LAYER_CONV:
        weights = window * in.channels * out.channels;
        cost->parameters += weights + 2 * (int64_t)out.channels;
        cost->flops += 2 * weights * out.height * out.width + 3 * values;
        break;
    case LAYER_MAX_POOL:
    case LAYER_AVERAGE_POOL:
        cost->flops += window * values;
        break;
    case LAYER_FC:
        weights = values_of(in) * values;
        cost->parameters += weights + 2 * values;
        cost->flops += 2 * weights + 3 * values;
        break;
    case LAYER_SOFTMAX:
        weights = values_of(in) * values;
        cost->parameters += weights + values;
        cost->flops += 2 * weights + values;
        break;
    }
    cost->activation_bytes += values * (int64_t)sizeof(float);
}

struct arch_cost arch_cost(const struct arch *arch, struct shape input)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    ASSERT(arch_shapes(arch, input, shapes, NULL) == 0);
    struct arch_cost cost = {0};
    for (int i = 0; i < arch->layer_count; i++)
        add_layer_cost(&arch->layers[i], i ? shapes[i - 1] : input, shapes[i], &cost);
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
        depth += layer_has_weights(&arch->layers[i]);
    if (within("layers with weights", depth, limits->depth, error) ||
        within("parameters", cost.parameters, limits->parameters, error) ||
        within("FLOPs an image", cost.flops, limits->flops, error) ||
        within("bytes of activations a batch", cost.activation_bytes * limits->batch, limits->memory, error))
        return -1;
    return 0;
}
