/* tokens.c - numbers the words: kinds in the order of their token_place, in a kind widths, in a width kernels. */
#include "policy/tokens.h"

/* The last of the ascending values that is not above `value`, or the first. */
static int bucket(const int *values, int count, int value)
{
    int found = 0;
    for (int i = 1; i < count; i++)
        if (values[i] <= value)
            found = i;
    return found;
}

static int words_of(const struct space *space, enum layer_kind kind)
{
    const struct layer_traits *traits = layer_kind_traits(kind);
    int widths = space->widths[traits->widths].count;
    return (widths ? widths : 1) * (traits->has_kernel ? space->kernel_count : 1);
}

int token_count(const struct space *space, bool dense)
{
    int count = 0;
    for (int kind = 0; kind < LAYER_KINDS; kind++)
        if (dense || !layer_kind_traits((enum layer_kind)kind)->dense)
            count += words_of(space, (enum layer_kind)kind);
    return count;
}

int token_of(const struct space *space, const struct layer *layer)
{
    const struct layer_traits *traits = layer_traits(layer);
    const struct space_widths *widths = space_widths(space, layer);
    int token = bucket(widths->values, widths->count, layer->units);
    if (traits->has_kernel)
        token = token * space->kernel_count + bucket(space->kernels, space->kernel_count, layer->kernel);
    for (int kind = 0; kind < LAYER_KINDS; kind++)
        if (layer_kind_traits((enum layer_kind)kind)->token_place < traits->token_place)
            token += words_of(space, (enum layer_kind)kind);
    return token;
}
