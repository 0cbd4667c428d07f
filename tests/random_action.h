/* random_action.h - any exact action that a network allows, for chains that must not grow large. */
#ifndef ESPALIER_TESTS_RANDOM_ACTION_H
#define ESPALIER_TESTS_RANDOM_ACTION_H

#include "arch/action.h"
#include "arch/kinds.h"
#include "util/random.h"

/* A residual block behind a layer, with up to four hidden channels and a kernel of 1, 3 or 5, and any features. */
static inline struct action random_block(int layer, struct random_stream *stream)
{
    return (struct action){.kind = ACTION_DEEPEN,
                           .features = (int)random_below(stream, 4),
                           .layer = layer,
                           .units = 1 + (int)random_below(stream, 4),
                           .kernel = 1 + 2 * (int)random_below(stream, 3),
                           .block = random_below(stream, 2) ? LAYER_RESIDUAL : LAYER_MOBILE};
}

/* Widen by one to three units a layer that has fewer than `units_max`, or make a kernel under 5 larger, or deepen,
   convolutions with a kernel of 1, 3 or 5; in a network with R, M or S also by a block behind any map, or
   insert se. */
static inline struct action random_action(const struct arch *arch, int units_max, struct random_stream *stream)
{
    for (;;) {
        int index = (int)random_below(stream, (uint32_t)arch->layer_count);
        const struct layer *layer = &arch->layers[index];
        if (arch_is_modern(arch) && arch_channels(arch, index) && !random_below(stream, 4))
            return random_block(index, stream);
        if (layer_traits(layer)->features & ~layer->features & LAYER_SQUEEZE && !random_below(stream, 4))
            return (struct action){.kind = ACTION_SQUEEZE, .layer = index};
        if (!layer_grows(layer))
            continue;
        if (random_below(stream, 2) && layer->units < units_max)
            return (struct action){
                .kind = ACTION_WIDEN, .layer = index, .units = layer->units + 1 + (int)random_below(stream, 3)};
        if (layer_traits(layer)->has_kernel && layer->kernel < 5 && !random_below(stream, 3))
            return (struct action){.kind = ACTION_KERNEL,
                                   .layer = index,
                                   .kernel = layer->kernel + 2 * (1 + (int)random_below(stream, 2))};
        int kernel = layer->kind == LAYER_CONV ? 1 + 2 * (int)random_below(stream, 3) : 0;
        if (!layer_traits(layer)->modern)
            return (struct action){.kind = ACTION_DEEPEN, .layer = index, .kernel = kernel};
    }
}

#endif
