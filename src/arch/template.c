/*
 * template.c - 3×3 convolutions in stages with max pools between, an average over what is left, and the classifier.
 *
 * A stage halves the map's side until it would be smaller than SMALLEST_SIDE.  The first stage has one convolution,
 * since it works on the largest map; the last has one, since its convolutions have most of the parameters; those
 * between have two.  Widths grow from stage to stage by about the square root of 2: less than the usual doubling, which
 * puts nearly all parameters into the last stage of a network of few FLOPs.  docs/results.md compares shapes.
 */
#include "arch/template.h"

#include <string.h>

#include "util/bug.h"

enum { KERNEL = 3, WIDTH_STEP = 4, SMALLEST_SIDE = 3, STAGES_MAX = 10 };
static const double growth_of_stage = 1.4;

static void add_layer(struct arch *arch, struct layer layer)
{
    ASSERT(arch->layer_count < ARCH_LAYERS_MAX);
    arch->layers[arch->layer_count++] = layer;
}

static void add_convolution(struct arch *arch, double width)
{
    int units = WIDTH_STEP * (int)(width / WIDTH_STEP + 0.5);
    add_layer(arch, (struct layer){
                        .kind = LAYER_CONV, .units = units > 0 ? units : WIDTH_STEP, .kernel = KERNEL, .stride = 1});
}

static int stages_of(int side)
{
    int stages = 1;
    for (; side / 2 >= SMALLEST_SIDE && stages < STAGES_MAX; side /= 2)
        stages++;
    return stages;
}

/* The template whose first convolution has about `width` filters. */
static void build(struct shape input, int classes, double width, struct arch *arch)
{
    int side = input.height < input.width ? input.height : input.width, stages = stages_of(side);
    memset(arch, 0, sizeof *arch);
    for (int stage = 0; stage < stages; stage++, width *= growth_of_stage) {
        if (stage > 0) {
            add_layer(arch, (struct layer){.kind = LAYER_MAX_POOL, .kernel = 2, .stride = 2});
            side /= 2;
        }
        add_convolution(arch, width);
        if (stage > 0 && stage < stages - 1)
            add_convolution(arch, width);
    }
    add_layer(arch, (struct layer){.kind = LAYER_AVERAGE_POOL, .kernel = side, .stride = side});
    add_layer(arch, (struct layer){.kind = LAYER_SOFTMAX, .units = classes});
}

static int64_t share_of(int64_t limit, double share)
{
    int64_t part = (int64_t)((double)limit * share);
    return limit && part < 1 ? 1 : part; /* 0 would be no limit */
}

int arch_template(struct shape input, int classes, const struct arch_limits *limits, double share, struct arch *arch,
                  struct error *error)
{
    ASSERT(share > 0 && share <= 1);
    struct arch_limits own = *limits;
    struct arch wider;
    struct shape shapes[ARCH_LAYERS_MAX];
    if (!own.parameters && !own.flops)
        own.flops = TEMPLATE_FLOPS;
    own.parameters = share_of(own.parameters, share);
    own.flops = share_of(own.flops, share);
    build(input, classes, WIDTH_STEP, arch);
    if (arch_shapes(arch, input, shapes, error) || arch_within(arch, input, &own, error))
        return -1;
    for (double width = WIDTH_STEP; width < ARCH_UNITS_MAX / 64; width += 0.25) {
        build(input, classes, width, &wider);
        if (arch_shapes(&wider, input, shapes, NULL) || arch_within(&wider, input, &own, NULL))
            break;
        *arch = wider;
    }
    return 0;
}
