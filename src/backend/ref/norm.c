/*
 * norm.c - batch normalisation and activation behind a linear part (Ioffe and Szegedy, 2015): ReLU or hard-swish;
 * OP_CONV_BN_ADD has none.
 *
 * With x^ = (z - mean) / std and a = f(gamma x^ + beta), the gradient that reaches z through the batch's own
 * mean and variance is gamma / std * (g - mean(g) - x^ mean(g x^)), g being a's gradient times that of f.
 */
#include <math.h>

#include "backend/ref/ref.h"

struct ref_maps ref_maps_of(const struct op *op, int count)
{
    return (struct ref_maps){count, op->channels, op->height * op->width};
}

struct ref_saved ref_saved_of(const struct op *op, void *saved)
{
    float *values = saved;
    return (struct ref_saved){values, values + op->channels, values + 2 * op->channels};
}

static const float *plane(struct ref_maps maps, const float *values, int image, int channel)
{
    return values + ((size_t)image * maps.channels + channel) * maps.positions;
}

static void batch_statistics(struct ref_maps maps, const float *linear, int channel, double *mean, double *variance)
{
    double n = (double)maps.count * maps.positions, sum = 0, squares = 0;
    for (int image = 0; image < maps.count; image++)
        for (int i = 0; i < maps.positions; i++)
            sum += plane(maps, linear, image, channel)[i];
    *mean = sum / n;
    for (int image = 0; image < maps.count; image++)
        for (int i = 0; i < maps.positions; i++) {
            double d = plane(maps, linear, image, channel)[i] - *mean;
            squares += d * d;
        }
    *variance = squares / n;
}

static void move(float *running, float decay, double batch)
{
    *running = (float)(decay * (double)*running + (1 - (double)decay) * batch);
}

void ref_norm_statistics(const struct op_run *run, const float *linear, float *mean, float *inverse_std)
{
    struct ref_maps maps = ref_maps_of(run->op, run->count);
    float *running_mean = run->values + run->op->weights.mean;
    float *running_variance = run->values + run->op->weights.variance;
    for (int c = 0; c < maps.channels; c++) {
        double m = running_mean[c], v = running_variance[c];
        if (run->training) {
            double n = (double)maps.count * maps.positions;
            batch_statistics(maps, linear, c, &m, &v);
            move(&running_mean[c], run->bn_decay, m);
            if (n > 1)
                move(&running_variance[c], run->bn_decay, v * n / (n - 1));
        }
        mean[c] = (float)m;
        inverse_std[c] = (float)(1 / sqrt(v + BN_EPSILON));
    }
}

float ref_activate(const struct op *op, float value)
{
    if (op->kind == OP_CONV_BN_ADD)
        return value;
    if (op->hard_swish)
        return value <= -3 ? 0 : value >= 3 ? value : value * (value + 3) / 6;
    return value < 0 ? 0 : value;
}

float ref_activation_gradient(const struct op *op, float value)
{
    if (op->kind == OP_CONV_BN_ADD)
        return 1;
    if (op->hard_swish)
        return value <= -3 ? 0 : value >= 3 ? 1 : (2 * value + 3) / 6;
    return !(value <= 0);
}

void ref_norm_apply(const struct op_run *run, const float *linear, const float *mean, const float *inverse_std,
                    float *activation)
{
    struct ref_maps maps = ref_maps_of(run->op, run->count);
    const float *gamma = run->values + run->op->weights.gamma;
    const float *beta = run->values + run->op->weights.beta;
    for (int image = 0; image < maps.count; image++)
        for (int c = 0; c < maps.channels; c++) {
            const float *z = plane(maps, linear, image, c);
            float *a = activation + (z - linear);
            for (int i = 0; i < maps.positions; i++)
                a[i] = ref_activate(run->op, (z[i] - mean[c]) * inverse_std[c] * gamma[c] + beta[c]);
        }
}

void ref_norm_gradient(const struct op_run *run, struct ref_saved saved, float *gradient)
{
    struct ref_maps maps = ref_maps_of(run->op, run->count);
    const float *gamma = run->values + run->op->weights.gamma;
    float *gamma_gradient = run->gradients + run->op->weights.gamma;
    float *beta_gradient = run->gradients + run->op->weights.beta;
    const float *beta = run->values + run->op->weights.beta;
    double n = (double)maps.count * maps.positions;
    for (int c = 0; c < maps.channels; c++) {
        double sum = 0, product = 0, mean = saved.mean[c], scale = saved.inverse_std[c];
        for (int image = 0; image < maps.count; image++) {
            const float *z = plane(maps, saved.linear, image, c);
            float *g = gradient + (z - saved.linear);
            for (int i = 0; i < maps.positions; i++) {
                float value = (z[i] - saved.mean[c]) * saved.inverse_std[c] * gamma[c] + beta[c];
                g[i] *= ref_activation_gradient(run->op, value);
                sum += g[i];
                product += g[i] * ((z[i] - mean) * scale);
            }
        }
        beta_gradient[c] = (float)sum;
        gamma_gradient[c] = (float)product;
        for (int image = 0; image < maps.count; image++) {
            const float *z = plane(maps, saved.linear, image, c);
            float *g = gradient + (z - saved.linear);
            for (int i = 0; i < maps.positions; i++)
                g[i] = (float)(gamma[c] * scale * (g[i] - sum / n - (z[i] - mean) * scale * product / n));
        }
    }
}
