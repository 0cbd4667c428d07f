/* space.c - the table of search spaces; everything else here reads a row of it. */
#include "arch/space.h"

#include <string.h>

#include "util/bug.h"

#define HIDDEN_COUNT 18
#define HIDDEN       8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384

static const struct space spaces[] = {
    {
        .name = "small",
        .widths[WIDTHS_FILTERS] = {10, {4, 8, 12, 16, 20, 24, 28, 32, 36, 40}},
        .widths[WIDTHS_UNITS] = {10, {8, 16, 24, 32, 40, 48, 56, 64, 72, 80}},
        .widths[WIDTHS_GROWTHS] = {23, {4,  6,  8,  10, 12, 14, 16, 18, 20, 22, 24, 26,
                                        28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48}},
        .widths[WIDTHS_HIDDEN] = {HIDDEN_COUNT, {HIDDEN}},
        .kernel_count = 3,
        .kernels = {1, 3, 5},
    },
    {
        .name = "paper",
        .widths[WIDTHS_FILTERS] = {13, {16, 32, 64, 96, 128, 192, 256, 320, 384, 448, 512, 576, 640}},
        .widths[WIDTHS_UNITS] = {11, {64, 128, 256, 384, 512, 640, 768, 896, 1024, 1152, 1280}},
        .widths[WIDTHS_GROWTHS] = {7, {40, 44, 48, 52, 56, 60, 64}},
        .widths[WIDTHS_HIDDEN] = {HIDDEN_COUNT, {HIDDEN}},
        .kernel_count = 3,
        .kernels = {1, 3, 5},
    },
    {
        .name = "modern",
        .widths[WIDTHS_FILTERS] = {15, {8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128}},
        .widths[WIDTHS_UNITS] = {8, {16, 32, 48, 64, 96, 128, 192, 256}},
        .widths[WIDTHS_GROWTHS] = {7, {4, 8, 12, 16, 20, 24, 32}},
        .widths[WIDTHS_HIDDEN] = {HIDDEN_COUNT, {HIDDEN}},
        .kernel_count = 3,
        .kernels = {3, 5, 7},
        .modern = true,
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

int space_narrower(const struct space *space, const struct layer *layer)
{
    const struct space_widths *widths = space_widths(space, layer);
    for (int i = widths->count; i-- > 0;)
        if (widths->values[i] < layer->units)
            return widths->values[i];
    return 0;
}

int space_larger_kernel(const struct space *space, const struct layer *layer)
{
    for (int i = 0; i < space->kernel_count && layer_traits(layer)->has_kernel; i++)
        if (space->kernels[i] > layer->kernel)
            return space->kernels[i];
    return 0;
}

/* Hidden channels of a new M for each of its stream (MobileNetV2 has 6). */
enum { EXPANSION = 3 };

/* The widest candidate of at most EXPANSION times the channels that the block reads, or the narrowest. */
static int hidden_channels(const struct space *space, const struct arch *arch, int layer)
{
    const struct layer block = {.kind = LAYER_MOBILE, .units = EXPANSION * arch_channels(arch, layer) + 1};
    int units = space_narrower(space, &block);
    return units ? units : space->widths[WIDTHS_HIDDEN].values[0];
}

struct action space_deepen(const struct space *space, const struct arch *arch, int layer, int kernel)
{
    const struct layer *at = &arch->layers[layer];
    bool modern = space->modern && !layer_is_flat(at) && !arch_is_dense(arch);
    struct action action = {.kind = ACTION_DEEPEN, .layer = layer};
    if (modern || layer_traits(at)->modern) {
        action.block = LAYER_MOBILE;
        action.units = hidden_channels(space, arch, layer);
        action.features = at->features;
    }
    if (action.block || layer_traits(at)->has_kernel)
        action.kernel = kernel;
    return action;
}

int space_complete(const struct space *space, const struct arch *arch, struct action *action, struct error *error)
{
    const struct layer *layer = &arch->layers[action->layer];
    bool has_kernel = layer_traits(layer)->has_kernel;
    char name[LAYER_NAME_MAX];
    layer_name(arch, action->layer, name);
    switch (action->kind) {
    case ACTION_DEEPEN:
        if (!action->block && !action->kernel)
            *action = space_deepen(space, arch, action->layer, 3);
        action->kernel = action->block && !action->kernel ? 3 : action->kernel;
        if (action->block && !action->units)
            action->units = hidden_channels(space, arch, action->layer);
        return 0;
    case ACTION_WIDEN:
        if (action->units || (action->units = space_wider(space, layer)))
            return 0;
        return error_set(error, "%s has %d already, the widest of the %s space; name a width to go past it", name,
                         layer->units, space->name);
    case ACTION_NARROW:
        if (action->units || (action->units = space_narrower(space, layer)))
            return 0;
        return error_set(error, "%s has %d, and the %s space has nothing narrower; name a width to go below it", name,
                         layer->units, space->name);
    case ACTION_KERNEL:
        if (action->kernel || !has_kernel || (action->kernel = space_larger_kernel(space, layer)))
            return 0;
        return error_set(error, "%s has kernel %d already, the largest of the %s space; name a kernel", name,
                         layer->kernel, space->name);
    case ACTION_REMOVE:
    case ACTION_SQUEEZE:
    case ACTION_KINDS:
        break;
    }
    return 0;
}

enum { SMALLEST_MAP = 2 };

/* Does half of a map still have SMALLEST_MAP pixels a side? */
static bool can_halve(struct shape map)
{
    return map.height / 2 >= SMALLEST_MAP && map.width / 2 >= SMALLEST_MAP;
}

static void halve(struct shape *map)
{
    map->height /= 2;
    map->width /= 2;
}

static void add_average(struct shape map, struct text *text)
{
    struct layer pool = layer_average_of(map);
    layer_print(&pool, text);
}

/* Parse and free `text`.  Numbers out of range are read too: arch_shapes refuses them. */
static void read_start(struct text *text, struct arch *arch)
{
    arch_parse(arch, text_string(text), NULL);
    text_done(text);
}

void space_start(const struct space *space, struct shape map, int classes, struct arch *arch)
{
    enum { BLOCKS = 4 };
    struct text text = TEXT_EMPTY;
    int filters = space->widths[WIDTHS_FILTERS].values[0];
    text_add(&text, "C(%d,3,1) ", filters);
    for (int block = 1; block < BLOCKS && can_halve(map); block++, halve(&map))
        text_add(&text, "P(2,2) C(%d,3,1) ", filters);
    add_average(map, &text);
    text_add(&text, " FC(%d) SM(%d)", space->widths[WIDTHS_UNITS].values[0], classes);
    read_start(&text, arch);
}

void space_start_dense(const struct space *space, struct shape map, int classes, struct arch *arch)
{
    enum { DENSE_BLOCKS = 3, BOTTLENECK = 4 };
    struct text text = TEXT_EMPTY;
    int growth = space->widths[WIDTHS_GROWTHS].values[0];
    text_add(&text, "C(%d,3,1) ", 2 * growth);
    if (can_halve(map)) {
        text_add(&text, "P(2,2) ");
        halve(&map);
    }
    text_add(&text, "D(%d,[%d]) ", BOTTLENECK, growth);
    for (int block = 1; block < DENSE_BLOCKS && can_halve(map); block++, halve(&map)) /* TRANSITION_POOL is 2 */
        text_add(&text, "T(0.5) D(%d,[%d]) ", BOTTLENECK, growth);
    add_average(map, &text);
    text_add(&text, " SM(%d)", classes);
    read_start(&text, arch);
}

void space_start_modern(const struct space *space, struct shape map, int classes, struct arch *arch)
{
    enum { STAGES = 3 };
    struct text text = TEXT_EMPTY;
    int filters = space->widths[WIDTHS_FILTERS].values[0];
    text_add(&text, "C(%d,3,1) M(%d,3) ", filters, EXPANSION * filters);
    for (int stage = 1; stage < STAGES && can_halve(map); stage++) {
        text_add(&text, "S(%d,3,2) M(%d,3) ", filters, EXPANSION * filters);
        map.height = (map.height + 1) / 2;
        map.width = (map.width + 1) / 2;
    }
    add_average(map, &text);
    text_add(&text, " SM(%d)", classes);
    read_start(&text, arch);
}
