/*
 * health.c - one batch forward and backward, with a watcher that sees what each operation made of it.
 *
 * A layer may have several operations: its ReLU outputs are counted together, and the use of units is that of the last
 * operation whose outputs a widening adds to, where the added ones stand last (morph/widen.c).  So the hidden units of
 * an M are seen behind its depthwise convolution: the BN there takes out what scales one of them, before which their
 * sums of output times gradient would be 0.
 */
#include "nn/health.h"

#include <math.h>
#include <stdlib.h>

#include "util/memory.h"

struct measurement {
    const struct arch *arch;
    const int *units_before;
    struct layer_health *health;
    int channels[ARCH_LAYERS_MAX], dead[ARCH_LAYERS_MAX]; /* behind ReLUs */
};

static bool has_relu(const struct op *op)
{
    return op->kind == OP_CONV_BN_RELU || op->kind == OP_FC_BN_RELU || op->kind == OP_BN_RELU ||
           op->kind == OP_DEPTHWISE_BN_RELU;
}

/* The values of one channel of one image. */
static const float *place_of(const float *values, const struct tensor *tensor, int image, int channel)
{
    size_t map = (size_t)tensor->height * (size_t)tensor->width;
    return values + ((size_t)image * (size_t)tensor->channels + (size_t)channel) * map;
}

static bool is_dead(const float *output, const struct tensor *tensor, int count, int channel)
{
    for (int image = 0; image < count; image++) {
        const float *at = place_of(output, tensor, image, channel);
        for (int i = 0; i < tensor->height * tensor->width; i++)
            if (at[i] != 0)
                return false;
    }
    return true;
}

static double use_of(const float *output, const float *gradient, const struct tensor *tensor, int count, int channel)
{
    double use = 0;
    for (int image = 0; image < count; image++) {
        const float *y = place_of(output, tensor, image, channel), *dy = place_of(gradient, tensor, image, channel);
        double sum = 0;
        for (int i = 0; i < tensor->height * tensor->width; i++)
            sum += (double)y[i] * (double)dy[i];
        use += fabs(sum);
    }
    return use / count;
}

/* Mean use of the units from `before` on over that of those before it; NaN where the latter is 0. */
static double fresh_use(const float *output, const float *gradient, const struct tensor *tensor, int count, int before)
{
    double old = 0, fresh = 0;
    for (int channel = 0; channel < tensor->channels; channel++)
        *(channel < before ? &old : &fresh) += use_of(output, gradient, tensor, count, channel);
    double ratio = fresh / (tensor->channels - before) / (old / before);
    return isfinite(ratio) ? ratio : NAN;
}

static void see(void *context, const struct op *op, const struct tensor *tensor, int count, const float *output,
                const float *gradient)
{
    struct measurement *measurement = context;
    const struct layer *layer = &measurement->arch->layers[op->layer];
    int before = measurement->units_before ? measurement->units_before[op->layer] : 0;
    double *fresh = &measurement->health[op->layer].fresh;
    bool hidden = layer_traits(layer)->widths == WIDTHS_HIDDEN;
    bool widened = op_is_trained(op) && hidden == (op->part != WEIGHTS_MAIN);
    if (has_relu(op)) {
        measurement->channels[op->layer] += tensor->channels;
        for (int channel = 0; channel < tensor->channels; channel++)
            measurement->dead[op->layer] += is_dead(output, tensor, count, channel);
    }
    if (gradient && widened && isnan(*fresh) && before > 0 && before < layer->units && tensor->channels == layer->units)
        *fresh = fresh_use(output, gradient, tensor, count, before);
}

static double squares(const float *values, int64_t first, int64_t count)
{
    double sum = 0;
    for (int64_t i = first; first >= 0 && i < first + count; i++)
        sum += (double)values[i] * (double)values[i];
    return sum;
}

/* Of all that is trained in a layer; NaN where nothing is. */
static double norm_of(const struct weights_layout *layout, int layer, const float *values)
{
    double sum = 0;
    bool trained = false;
    for (int part = 0; part < WEIGHTS_PARTS; part++) {
        const struct weights_layer *at = &layout->parts[part][layer];
        sum += squares(values, at->weight, (int64_t)at->outputs * at->inputs * at->kernel * at->kernel);
        sum += squares(values, at->bias, at->outputs) + squares(values, at->gamma, at->outputs) +
               squares(values, at->beta, at->outputs);
        trained |= at->outputs > 0;
    }
    return trained ? sqrt(sum) : NAN;
}

void network_health(struct network *network, const struct weights *weights, const struct view *view,
                    const int *units_before, uint64_t dropout_key, struct layer_health *health)
{
    struct measurement measurement = {.arch = &weights->arch, .units_before = units_before, .health = health};
    struct network_watcher watcher = {&measurement, see};
    int32_t index[HEALTH_IMAGES];
    int count = network_batch(network) < HEALTH_IMAGES ? network_batch(network) : HEALTH_IMAGES;
    count = count < view->count ? count : view->count;
    for (int i = 0; i < count; i++)
        index[i] = view->index[(int64_t)i * view->count / count];
    for (int layer = 0; layer < weights->arch.layer_count; layer++)
        health[layer] = (struct layer_health){NAN, NAN, NAN, NAN};
    struct batch batch = {.view = view, .index = index, .count = count};
    const float *gradient = network_watch(network, &batch, dropout_key, &watcher);
    for (int layer = 0; layer < weights->arch.layer_count; layer++) {
        health[layer].weight_norm = norm_of(&weights->layout, layer, weights->values);
        health[layer].gradient_norm = norm_of(&weights->layout, layer, gradient);
        if (measurement.channels[layer])
            health[layer].dead = (double)measurement.dead[layer] / measurement.channels[layer];
    }
}
