/* space.c - the table of search spaces; everything else here reads a row of it. */
#include "arch/space.h"

#include <string.h>

#include "util/bug.h"

static const struct space spaces[] = {
    {
        .name = "small",
        .widths[WIDTHS_FILTERS] = {10, {4, 8, 12, 16, 20, 24, 28, 32, 36, 40}},
        .widths[WIDTHS_UNITS] = {10, {8, 16, 24, 32, 40, 48, 56, 64, 72, 80}},
        .widths[WIDTHS_GROWTHS] = {23, {4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48}},
        .kernel_count = 3,
        .kernels = {1, 3, 5},
    },
    {
        .name = "paper",
        .widths[WIDTHS_FILTERS] = {13, {16, 32, 64, 96, 128, 192, 256, 320, 384, 448, 512, 576, 640}},
        .widths[WIDTHS_UNITS] = {11, {64, 128, 256, 384, 512, 640, 768, 896, 1024, 1152, 1280}},
        .widths[WIDTHS_GROWTHS] = {7, {40, 44, 48, 52, 56, 60, 64}},
        .kernel_count = 3,
        .kernels = {1, 3, 5},
    },
};

const struct space *space_at(int index)
{
    return index >= 0 && (size_t)index < COUNT_OF(spaces) ? &spaces[index] : NULL;
}

const struct space *space_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(spaces); i++)
        if (strcmp(spaces[i].name, name) == 0)
            return &spaces[i];
    return NULL;
}

const struct space_widths *space_widths(const struct space *space, const struct layer *layer)
{
    return &space->widths[layer_traits(layer)->widths];
}

int space_wider(const struct space *space, const struct layer *layer)
{
    const struct space_widths *widths = space_widths(space, layer);
    for (int i = 0; i < widths->count; i++)
        if (widths->values[i] > layer->units)
            return widths->values[i];
    return 0;
}

int space_step(const struct layer *layer)
{
    const struct space_widths *widths = space_widths(&spaces[0], layer);
    return widths->values[1] - widths->values[0];
}

int space_complete(const struct space *space, const struct arch *arch, struct action *action, struct error *error)
{
    const struct layer *layer = &arch->layers[action->layer];
    if (action->kind == ACTION_DEEPEN) {
        if (!action->kernel && layer_traits(layer)->has_kernel)
            action->kernel = 3;
        return 0;
    }
    if (action->units)
        return 0;
    action->units = space_wider(space, layer);
    if (action->units)
        return 0;
    char name[LAYER_NAME_MAX];
    layer_name(arch, action->layer, name);
    return error_set(error, "%s has %d already, the widest of the %s space; name a width to go past it", name,
                     layer->units, space->name);
}

static void add_layer(struct arch *arch, enum layer_kind kind, int units, int kernel, int stride)
{
    arch->layers[arch->layer_count++] =
        (struct layer){.kind = kind, .units = units, .kernel = kernel, .stride = stride};
}

enum { SMALLEST_MAP = 2 };

static int smaller_side(struct shape input)
{
    return input.height < input.width ? input.height : input.width;
}

void space_start(const struct space *space, struct shape input, int classes, struct arch *arch)
{
    enum { BLOCKS = 4 };
    int side = smaller_side(input);
    memset(arch, 0, sizeof(*arch));
    add_layer(arch, LAYER_CONV, space->widths[WIDTHS_FILTERS].values[0], 3, 1);
    for (int block = 1; block < BLOCKS && side / 2 >= SMALLEST_MAP; block++) {
        add_layer(arch, LAYER_MAX_POOL, 0, 2, 2);
        side /= 2;
        add_layer(arch, LAYER_CONV, space->widths[WIDTHS_FILTERS].values[0], 3, 1);
    }
    add_layer(arch, LAYER_AVERAGE_POOL, 0, side, side);
    add_layer(arch, LAYER_FC, space->widths[WIDTHS_UNITS].values[0], 0, 0);
    add_layer(arch, LAYER_SOFTMAX, classes, 0, 0);
}

void space_start_dense(const struct space *space, struct shape input, int classes, struct arch *arch)
{
    enum { DENSE_BLOCKS = 3, BOTTLENECK = 4, REDUCTION_PERCENT = 50 };
    int side = smaller_side(input), growth = space->widths[WIDTHS_GROWTHS].values[0];
    memset(arch, 0, sizeof(*arch));
    const struct layer dense = {.kind = LAYER_DENSE, .units = growth, .bottleneck = BOTTLENECK};
    const struct layer transition = {.kind = LAYER_TRANSITION, .percent = REDUCTION_PERCENT};
    add_layer(arch, LAYER_CONV, 2 * growth, 3, 1);
    if (side / 2 >= SMALLEST_MAP) {
        add_layer(arch, LAYER_MAX_POOL, 0, 2, 2);
        side /= 2;
    }
    arch->layers[arch->layer_count++] = dense;
    for (int block = 1; block < DENSE_BLOCKS && side / 2 >= SMALLEST_MAP; block++) {
        arch->layers[arch->layer_count++] = transition;
        side /= TRANSITION_POOL;
        arch->layers[arch->layer_count++] = dense;
    }
    add_layer(arch, LAYER_AVERAGE_POOL, 0, side, side);
    add_layer(arch, LAYER_SOFTMAX, classes, 0, 0);
}
