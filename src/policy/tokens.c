/*
 * tokens.c - numbers the words: convolutions by filters and then kernel, FC, max pool, average pool, classifier; then,
 * in a dense space, transition and growth rates.
 */
#include "policy/tokens.h"

#include "util/bug.h"

/* The last of the ascending values that is not above `value`, or the first. */
static int bucket(const int *values, int count, int value)
{
    int found = 0;
    for (int i = 1; i < count; i++)
        if (values[i] <= value)
            found = i;
    return found;
}

static int plain_count(const struct space *space)
{
    return space->filter_count * space->kernel_count + space->unit_count + 3;
}

int token_count(const struct space *space, bool dense)
{
    return plain_count(space) + (dense ? 1 + space->growth_count : 0);
}

int token_of(const struct space *space, const struct layer *layer)
{
    int fc = space->filter_count * space->kernel_count, pools = fc + space->unit_count;
    switch (layer->kind) {
    case LAYER_CONV:
        return bucket(space->filters, space->filter_count, layer->units) * space->kernel_count +
               bucket(space->kernels, space->kernel_count, layer->kernel);
    case LAYER_FC:
        return fc + bucket(space->units, space->unit_count, layer->units);
    case LAYER_MAX_POOL:
        return pools;
    case LAYER_AVERAGE_POOL:
        return pools + 1;
    case LAYER_SOFTMAX:
        return pools + 2;
    case LAYER_TRANSITION:
        return plain_count(space);
    case LAYER_DENSE:
        return plain_count(space) + 1 + bucket(space->growths, space->growth_count, layer->units);
    }
    BUG("a layer of no kind");
}
