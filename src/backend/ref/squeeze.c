/*
 * squeeze.c - OP_SQUEEZE_EXCITE: each channel of an image times a gate, which two small linear layers make of the averages
 * of all channels.  backend.h has the formulas; its names are used here.
 *
 * What the gates are made of is saved for each image: the averages m, the squeezed values a, and s before the gate.  In
 * inference it lies in scratch.  Backward has the gradients of s, of a and of m in scratch, in this order.
 */
#include <string.h>

#include "backend/ref/ref.h"

/* Of one image. */
struct gates {
    int channels, units, pixels;
    float *m, *a, *s;
};

static struct gates gates_of(const struct op *op, float *values, int image)
{
    struct gates gates = {op->channels, op->weights.outputs, op->height * op->width, NULL, NULL, NULL};
    gates.m = values + (size_t)image * (2 * gates.channels + gates.units);
    gates.a = gates.m + gates.channels;
    gates.s = gates.a + gates.units;
    return gates;
}

size_t ref_squeeze_saved(const struct op *op, int batch)
{
    return (size_t)batch * (2 * op->channels + op->weights.outputs);
}

static float gate(float s)
{
    return s <= -3 ? 0 : s >= 3 ? 2 : 1 + s / 3;
}

/* y = weight x + bias, of a weight of outputs × inputs. */
static void linear(const struct op_run *run, const struct weights_layer *at, const float *x, float *y)
{
    const float *weight = run->values + at->weight;
    for (int o = 0; o < at->outputs; o++) {
        double sum = run->values[at->bias + o];
        for (int i = 0; i < at->inputs; i++)
            sum += (double)*weight++ * x[i];
        y[o] = (float)sum;
    }
}

void ref_squeeze_forward(const struct op_run *run)
{
    const float *x = run->x;
    float *y = run->y;
    for (int image = 0; image < run->count; image++) {
        struct gates g = gates_of(run->op, run->training ? run->saved : run->scratch, image);
        for (int k = 0; k < g.channels; k++) {
            double sum = 0;
            for (int i = 0; i < g.pixels; i++)
                sum += x[k * g.pixels + i];
            g.m[k] = (float)(sum / g.pixels);
        }
        linear(run, &run->op->weights, g.m, g.a);
        for (int r = 0; r < g.units; r++)
            g.a[r] = g.a[r] < 0 ? 0 : g.a[r];
        linear(run, &run->op->excite, g.a, g.s);
        for (int k = 0; k < g.channels; k++)
            for (int i = 0; i < g.pixels; i++)
                *y++ = gate(g.s[k]) * *x++;
    }
}

/* Adds one image's gradients of weight and bias; writes that of the layer's input. */
static void linear_backward(const struct op_run *run, const struct weights_layer *at, const float *x, const float *dy,
                            float *dx)
{
    const float *weight = run->values + at->weight;
    float *gradient = run->gradients + at->weight;
    memset(dx, 0, (size_t)at->inputs * sizeof *dx);
    for (int o = 0; o < at->outputs; o++) {
        run->gradients[at->bias + o] += dy[o];
        for (int i = 0; i < at->inputs; i++) {
            *gradient++ += dy[o] * x[i];
            dx[i] += *weight++ * dy[o];
        }
    }
}

static void clear_gradients(const struct op_run *run, const struct weights_layer *at)
{
    memset(run->gradients + at->weight, 0, (size_t)at->outputs * at->inputs * sizeof(float));
    memset(run->gradients + at->bias, 0, (size_t)at->outputs * sizeof(float));
}

void ref_squeeze_backward(const struct op_run *run)
{
    const struct op *op = run->op;
    const float *x = run->x, *dy = run->dy;
    float *dx = run->dx;
    clear_gradients(run, &op->weights);
    clear_gradients(run, &op->excite);
    for (int image = 0; image < run->count; image++) {
        struct gates g = gates_of(op, run->saved, image), d = gates_of(op, run->scratch, 0);
        for (int k = 0; k < g.channels; k++) {
            double sum = 0;
            for (int i = 0; i < g.pixels; i++)
                sum += (double)x[k * g.pixels + i] * dy[k * g.pixels + i];
            d.s[k] = g.s[k] > -3 && g.s[k] < 3 ? (float)(sum / 3) : 0;
        }
        linear_backward(run, &op->excite, g.a, d.s, d.a);
        for (int r = 0; r < g.units; r++)
            d.a[r] = g.a[r] > 0 ? d.a[r] : 0;
        linear_backward(run, &op->weights, g.m, d.a, d.m);
        for (int i = 0; dx && i < g.channels * g.pixels; i++)
            *dx++ = gate(g.s[i / g.pixels]) * dy[i] + d.m[i / g.pixels] / (float)g.pixels;
        x += g.channels * g.pixels;
        dy += g.channels * g.pixels;
    }
}
