/*
 * template.c - stages of convolutions or of residual blocks, an average over what is left, and the classifier.
 *
 * The plain template has 3×3 convolutions, with max pools between the stages.
 * A stage halves the map's side until it would be smaller than SMALLEST_SIDE.  The first stage has one convolution,
 * since it works on the largest map; the last has one, since its convolutions have most of the parameters; those
 * between have two.  Widths grow from stage to stage by about the square root of 2: less than the usual doubling, which
 * puts nearly all parameters into the last stage of a network of few FLOPs.  docs/results.md compares shapes.
 *
 * The modern template has a convolution, then stages of inverted bottlenecks (M), which but for the first lie behind a
 * separable convolution with a stride of 2 (S), and a 1×1 convolution to twice the last stream, as the table below
 * says. The convolution has a stride of 2 too, unless images are smaller than STRIDE_SIDE: blocks on full maps take
 * most of the FLOPs and have few of the parameters.  Where the FLOPs allow it without a loss of parameters, the
 * template has the full maps nevertheless: for the same parameters such a network is several points better.
 */
#include "arch/template.h"

#include <string.h>

#include "util/bug.h"

enum { KERNEL = 3, WIDTH_STEP = 4, SMALLEST_SIDE = 3, STAGES_MAX = 10 };
static const double growth_of_stage = 1.4;

/* The modern template's stages: widths of the streams, relative to the first one's, and numbers of M. */
static const struct {
    double width;
    int blocks;
} modern_stages[] = {{1, 2}, {1.5, 2}, {2, 1}};
enum { STRIDE_SIDE = 24, MODERN_SMALLEST_SIDE = 4, EXPANSION = 3, HIDDEN_STEP = 8 };
static const double width_of_head = 2; /* relative to the last stream */

/* The modern template with full maps: kinds, widths relative to the first convolution's filters, kernels. */
static const struct {
    enum layer_kind kind;
    double width;
    int kernel;
} full_maps[] = {{LAYER_CONV, 1, 3},           {LAYER_MOBILE, 2, 3},        {LAYER_MAX_POOL, 0, 2},
                 {LAYER_MOBILE, 2, 5},         {LAYER_MOBILE, 2, 5},        {LAYER_SEPARABLE, 2, 3},
                 {LAYER_MAX_POOL, 0, 2},       {LAYER_MOBILE, 10.0 / 3, 5}, {LAYER_MOBILE, 10.0 / 3, 3},
                 {LAYER_SEPARABLE, 8.0 / 3, 3}};
static const double enough_parameters = 0.9; /* relative to the template with a stride of 2 */

static void add_layer(struct arch *arch, struct layer layer)
{
    ASSERT(arch->layer_count < ARCH_LAYERS_MAX);
    arch->layers[arch->layer_count++] = layer;
}

static int rounded(double width, int step)
{
    int units = step * (int)(width / step + 0.5);
    return units > 0 ? units : step;
}

static void add_convolution(struct arch *arch, double width)
{
    add_layer(arch,
              (struct layer){.kind = LAYER_CONV, .units = rounded(width, WIDTH_STEP), .kernel = KERNEL, .stride = 1});
}

static int stages_of(int side)
{
    int stages = 1;
    for (; side / 2 >= SMALLEST_SIDE && stages < STAGES_MAX; side /= 2)
        stages++;
    return stages;
}

/* The plain template whose first convolution has about `width` filters. */
static void build_plain(struct shape input, int classes, double width, struct arch *arch)
{
    int stages = stages_of(input.height < input.width ? input.height : input.width);
    memset(arch, 0, sizeof *arch);
    for (int stage = 0; stage < stages; stage++, width *= growth_of_stage) {
        if (stage > 0) {
            add_layer(arch, (struct layer){.kind = LAYER_MAX_POOL, .kernel = 2, .stride = 2});
            input.height /= 2;
            input.width /= 2;
        }
        add_convolution(arch, width);
        if (stage > 0 && stage < stages - 1)
            add_convolution(arch, width);
    }
    add_layer(arch, layer_average_of(input));
    add_layer(arch, (struct layer){.kind = LAYER_SOFTMAX, .units = classes});
}

static void build_modern(struct shape input, int classes, double width, struct arch *arch)
{
    int stream = 0;
    memset(arch, 0, sizeof *arch);
    for (size_t stage = 0; stage < COUNT_OF(modern_stages) &&
                           (!stage || (input.height > MODERN_SMALLEST_SIDE && input.width > MODERN_SMALLEST_SIDE));
         stage++) {
        int side = input.height < input.width ? input.height : input.width,
            stride = stage || side >= STRIDE_SIDE ? 2 : 1;
        stream = rounded(width * modern_stages[stage].width, WIDTH_STEP);
        add_layer(arch, (struct layer){.kind = stage ? LAYER_SEPARABLE : LAYER_CONV,
                                       .units = stream,
                                       .kernel = KERNEL,
                                       .stride = stride});
        input.height = (input.height + stride - 1) / stride;
        input.width = (input.width + stride - 1) / stride;
        for (int block = 0; block < modern_stages[stage].blocks; block++)
            add_layer(arch, (struct layer){.kind = LAYER_MOBILE,
                                           .units = rounded(EXPANSION * stream, HIDDEN_STEP),
                                           .kernel = KERNEL});
    }
    add_layer(arch,
              (struct layer){
                  .kind = LAYER_CONV, .units = rounded(width_of_head * stream, WIDTH_STEP), .kernel = 1, .stride = 1});
    add_layer(arch, layer_average_of(input));
    add_layer(arch, (struct layer){.kind = LAYER_SOFTMAX, .units = classes});
}

/* The modern template whose first convolution has about `width` filters and works, with a block behind it, on full
 * maps. */
static void build_full_maps(struct shape input, int classes, double width, struct arch *arch)
{
    memset(arch, 0, sizeof *arch);
    for (size_t i = 0; i < COUNT_OF(full_maps); i++) {
        struct layer layer = {.kind = full_maps[i].kind, .kernel = full_maps[i].kernel, .stride = 1};
        int step = layer.kind == LAYER_MOBILE ? HIDDEN_STEP : WIDTH_STEP;
        if (layer.kind == LAYER_MAX_POOL) {
            layer.stride = 2;
            input.height /= 2;
            input.width /= 2;
        } else {
            layer.units = rounded(width * full_maps[i].width, step);
        }
        if (layer.kind == LAYER_MOBILE)
            layer.stride = 0;
        add_layer(arch, layer);
    }
    add_layer(arch, layer_average_of(input));
    add_layer(arch, (struct layer){.kind = LAYER_SOFTMAX, .units = classes});
}

/* Widen the convolutions by a step each, the last first, where the limits allow it. */
static void fill(struct shape input, const struct arch_limits *limits, struct arch *arch)
{
    for (int layer = arch->layer_count - 1; layer >= 0; layer--) {
        struct arch wider = *arch;
        wider.layers[layer].units += WIDTH_STEP;
        if (arch->layers[layer].kind == LAYER_CONV && wider.layers[layer].units <= ARCH_UNITS_MAX &&
            !arch_within(&wider, input, limits, NULL))
            *arch = wider;
    }
}

int arch_template_narrowest(struct shape input, int classes, bool modern, struct arch *arch, struct error *error)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    (modern ? build_modern : build_plain)(input, classes, WIDTH_STEP, arch);
    return arch_shapes(arch, input, shapes, error);
}

typedef void build_function(struct shape input, int classes, double width, struct arch *arch);

/* The widest of its shape within the limits, and its parameters; 0 parameters when even the narrowest is too large. */
static int64_t widest(build_function *build, struct shape input, int classes, const struct arch_limits *limits,
                      struct arch *arch)
{
    struct arch wider;
    struct shape shapes[ARCH_LAYERS_MAX];
    int64_t parameters = 0;
    for (double width = WIDTH_STEP; width < ARCH_UNITS_MAX / 64; width += 0.25) {
        build(input, classes, width, &wider);
        if (arch_shapes(&wider, input, shapes, NULL) || arch_within(&wider, input, limits, NULL))
            break;
        *arch = wider;
        parameters = arch_cost(arch, input).parameters;
    }
    return parameters;
}

int arch_template(struct shape input, int classes, bool modern, const struct arch_limits *limits, struct arch *arch,
                  struct error *error)
{
    struct arch_limits own = *limits;
    struct arch full;
    if (!own.parameters && !own.flops)
        own.flops = TEMPLATE_FLOPS;
    if (arch_template_narrowest(input, classes, modern, arch, error) || arch_within(arch, input, &own, error))
        return -1;
    int64_t parameters = widest(modern ? build_modern : build_plain, input, classes, &own, arch);
    if (!modern)
        fill(input, &own, arch);
    else if ((input.height < input.width ? input.height : input.width) >= STRIDE_SIDE &&
             widest(build_full_maps, input, classes, &own, &full) >= enough_parameters * parameters)
        *arch = full;
    return 0;
}
