/* random_action.h - any exact action that a network allows, for chains that must not grow large. */
#ifndef ESPALIER_TESTS_RANDOM_ACTION_H
#define ESPALIER_TESTS_RANDOM_ACTION_H

#include "arch/action.h"
#include "util/random.h"

/* Widen by one to three units a layer that has fewer than `units_max`, or make a kernel under 5 larger, or deepen,
   convolutions with a kernel of 1, 3 or 5. */
static inline struct action random_action(const struct arch *arch, int units_max, struct random_stream *stream)
{
    for (;;) {
        int index = (int)random_below(stream, (uint32_t)arch->layer_count);
        const struct layer *layer = &arch->layers[index];
        if (!layer_grows(layer))
            continue;
        if (random_below(stream, 2) && layer->units < units_max)
            return (struct action){ACTION_WIDEN, index, layer->units + 1 + (int)random_below(stream, 3), 0};
        if (layer->kind == LAYER_CONV && layer->kernel < 5 && !random_below(stream, 3))
            return (struct action){ACTION_KERNEL, index, 0, layer->kernel + 2 * (1 + (int)random_below(stream, 2))};
        int kernel = layer->kind == LAYER_CONV ? 1 + 2 * (int)random_below(stream, 3) : 0;
        return (struct action){ACTION_DEEPEN, index, 0, kernel};
    }
}

#endif
