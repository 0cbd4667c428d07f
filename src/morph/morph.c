/*
 * morph.c - from a parent and an action to a child: checks, then the file of its kind.
 *
 * The child is built whole beside the parent, which is never written.  action_apply decides what is allowed;
 * here only the child's shapes are checked.
 */
#include "morph/morph.h"

#include <math.h>
#include <string.h>

#include "morph/steps.h"
#include "util/bug.h"

int64_t morph_weight_count(const struct weights_layer *layer)
{
    return (int64_t)layer->outputs * layer->inputs * layer->kernel * layer->kernel;
}

float morph_deviation(const float *values, int64_t count)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    double mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++)
        square += (values[i] - mean) * (values[i] - mean);
    return (float)sqrt(square / (double)count);
}

void morph_add_noise(float *values, int64_t count, float deviation, struct random_stream *stream)
{
    for (int64_t i = 0; i < count; i++)
        values[i] += deviation * random_normal(stream);
}

int morph_apply(const struct weights *parent, const struct action *action, const struct morph_options *options,
                const struct morph_measure *measure, struct random_stream *stream, struct weights **child,
                struct error *error)
{
    struct arch arch;
    struct shape shapes[ARCH_LAYERS_MAX];
    *child = NULL;
    if (action_apply(&parent->arch, action, &arch, error) < 0 || arch_shapes(&arch, parent->input, shapes, error) < 0)
        return -1;

    struct weights *grown = weights_new(&arch, parent->input);
    int status = 0;
    switch (action->kind) {
    case ACTION_WIDEN:
        morph_widen(parent, action, options, stream, grown);
        break;
    case ACTION_NARROW:
        morph_narrow(parent, action, options, stream, grown);
        break;
    case ACTION_DEEPEN:
        if (action->block)
            morph_insert_block(parent, action->layer, stream, grown);
        else if (layer_traits(&parent->arch.layers[action->layer])->widens_to_deepen)
            morph_widen(parent, action, options, stream, grown);
        else
            status = morph_deepen(parent, action->layer, options, measure, stream, grown, error);
        break;
    case ACTION_REMOVE:
        morph_remove(parent, action->layer, grown);
        break;
    case ACTION_KERNEL:
        morph_resize_kernel(parent, grown);
        break;
    case ACTION_SQUEEZE:
        morph_squeeze(parent, action->layer, stream, grown);
        break;
    case ACTION_KINDS:
        BUG("an action's kind");
    }
    if (status)
        weights_free(grown);
    else
        *child = grown;
    return status;
}
