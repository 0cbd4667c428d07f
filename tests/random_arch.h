/*
 * random_arch.h - random architectures for property tests: anything that arch_shapes() accepts for an input.
 *
 * Small enough to compute with, and of every form: odd sides, strides, pools that leave a rest, deep and flat ones.
 */
#ifndef ESPALIER_TESTS_RANDOM_ARCH_H
#define ESPALIER_TESTS_RANDOM_ARCH_H

#include "arch/arch.h"
#include "util/random.h"

static inline int random_between(struct random_stream *stream, int least, int most)
{
    return least + (int)random_below(stream, (uint32_t)(most - least + 1));
}

static inline struct shape random_input(struct random_stream *stream)
{
    return (struct shape){random_between(stream, 1, 4), random_between(stream, 1, 20), random_between(stream, 1, 20)};
}

/* A C, P or A behind a map of `side` (the smaller one) pixels. */
static inline struct layer random_map_layer(struct random_stream *stream, int side, bool convolution)
{
    if (convolution)
        return (struct layer){.kind = LAYER_CONV,
                              .units = random_between(stream, 1, 9),
                              .kernel = 2 * random_between(stream, 0, 2) + 1,
                              .stride = random_between(stream, 1, 8) == 1 ? 2 : 1};
    return (struct layer){.kind = random_below(stream, 2) ? LAYER_MAX_POOL : LAYER_AVERAGE_POOL,
                          .kernel = random_between(stream, 1, side < 4 ? side : 4),
                          .stride = random_between(stream, 1, 3)};
}

static inline struct arch random_arch(struct random_stream *stream, struct shape input)
{
    struct arch arch = {0};
    int maps = random_between(stream, 1, 8), convolution_at = random_between(stream, 0, maps - 1);
    int side = input.height < input.width ? input.height : input.width;
    for (int i = 0; i < maps; i++) {
        struct layer layer = random_map_layer(stream, side, i == convolution_at || random_below(stream, 3));
        arch.layers[arch.layer_count++] = layer;
        side = layer.kind == LAYER_CONV ? (side - 1) / layer.stride + 1 : (side - layer.kernel) / layer.stride + 1;
    }
    for (int i = random_between(stream, 0, 3); i > 0; i--)
        arch.layers[arch.layer_count++] = (struct layer){.kind = LAYER_FC, .units = random_between(stream, 1, 12)};
    arch.layers[arch.layer_count++] = (struct layer){.kind = LAYER_SOFTMAX, .units = random_between(stream, 2, 10)};
    return arch;
}

#endif
