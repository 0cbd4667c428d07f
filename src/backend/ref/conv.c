/*
 * conv.c - OP_CONV_BN_RELU: convolution with zero padding kernel/2, then BN, ReLU and the pool joined to it; the two
 * halves, OP_CONV and OP_BN_RELU; OP_DEPTHWISE_BN_RELU, whose outputs read one input each; and OP_CONV_BN_ADD, which
 * has an addend in place of the ReLU.
 *
 * Scratch is two maps before the pool: the linear part's output (inference) or its gradient (backward), and the
 * activation when a pool follows or backward needs it again.
 */
#include <string.h>

#include "backend/ref/ref.h"

/* One convolution: where in the input and in the kernel a sum runs.  `depth`: the inputs that an output reads. */
struct geometry {
    int inputs, depth, outputs, kernel, stride, pad;
    int in_height, in_width, out_height, out_width;
};

static struct geometry geometry_of(const struct op_run *run)
{
    const struct op *op = run->op;
    const struct tensor *input = &run->plan->tensors[op->inputs[0]];
    int depth = op->kind == OP_DEPTHWISE_BN_RELU ? 1 : input->channels;
    return (struct geometry){input->channels, depth,         op->channels, op->kernel, op->stride,
                             op->kernel / 2,  input->height, input->width, op->height, op->width};
}

static int first_input(const struct geometry *g, int output)
{
    return g->depth < g->inputs ? output : 0;
}

/* `input` counts from the output's first. */
static size_t weight_at(const struct geometry *g, int output, int input, int ky, int kx)
{
    return (((size_t)output * g->depth + input) * g->kernel + ky) * g->kernel + kx;
}

/* The value of the input map that tap (ky, kx) multiplies for output (y, x): 0 in the padding. */
static float under(const struct geometry *g, const float *map, int y, int x, int ky, int kx)
{
    int iy = y * g->stride - g->pad + ky, ix = x * g->stride - g->pad + kx;
    return iy < 0 || iy >= g->in_height || ix < 0 || ix >= g->in_width ? 0 : map[iy * g->in_width + ix];
}

static double convolve(const struct geometry *g, const float *image, const float *weights, int output, int y, int x)
{
    double sum = 0;
    for (int input = 0; input < g->depth; input++) {
        const float *map = image + (size_t)(first_input(g, output) + input) * g->in_height * g->in_width;
        for (int ky = 0; ky < g->kernel; ky++)
            for (int kx = 0; kx < g->kernel; kx++)
                sum += (double)weights[weight_at(g, output, input, ky, kx)] * under(g, map, y, x, ky, kx);
    }
    return sum;
}

static void linear_forward(const struct op_run *run, float *linear)
{
    struct geometry g = geometry_of(run);
    const float *weights = run->values + run->op->weights.weight;
    for (int n = 0; n < run->count; n++) {
        const float *image = (const float *)run->x + (size_t)n * g.inputs * g.in_height * g.in_width;
        for (int output = 0; output < g.outputs; output++)
            for (int y = 0; y < g.out_height; y++)
                for (int x = 0; x < g.out_width; x++)
                    *linear++ = (float)convolve(&g, image, weights, output, y, x);
    }
}

static double correlate(const struct op_run *run, const struct geometry *g, const float *gradient, int output,
                        int input, int ky, int kx)
{
    int map_number = first_input(g, output) + input;
    double sum = 0;
    for (int n = 0; n < run->count; n++) {
        const float *map = (const float *)run->x + ((size_t)n * g->inputs + map_number) * g->in_height * g->in_width;
        const float *dz = gradient + ((size_t)n * g->outputs + output) * g->out_height * g->out_width;
        for (int y = 0; y < g->out_height; y++)
            for (int x = 0; x < g->out_width; x++)
                sum += (double)*dz++ * under(g, map, y, x, ky, kx);
    }
    return sum;
}

static void weight_gradient(const struct op_run *run, const float *gradient)
{
    struct geometry g = geometry_of(run);
    float *weights = run->gradients + run->op->weights.weight;
    for (int output = 0; output < g.outputs; output++)
        for (int input = 0; input < g.depth; input++)
            for (int ky = 0; ky < g.kernel; ky++)
                for (int kx = 0; kx < g.kernel; kx++)
                    weights[weight_at(&g, output, input, ky, kx)] =
                        (float)correlate(run, &g, gradient, output, input, ky, kx);
}

/* The sum over all outputs that input value (iy, ix) of map `input` went into. */
static double gather(const struct geometry *g, const float *gradient, const float *weights, int input, int iy, int ix)
{
    double sum = 0;
    for (int ky = 0; ky < g->kernel; ky++)
        for (int kx = 0; kx < g->kernel; kx++) {
            int y = iy + g->pad - ky, x = ix + g->pad - kx;
            if (y < 0 || x < 0 || y % g->stride || x % g->stride)
                continue;
            y /= g->stride;
            x /= g->stride;
            if (y >= g->out_height || x >= g->out_width)
                continue;
            for (int output = 0; output < g->outputs; output++) {
                int place = input - first_input(g, output);
                if (place >= 0 && place < g->depth)
                    sum += (double)weights[weight_at(g, output, place, ky, kx)] *
                           gradient[((size_t)output * g->out_height + y) * g->out_width + x];
            }
        }
    return sum;
}

static void input_gradient(const struct op_run *run, const float *gradient)
{
    struct geometry g = geometry_of(run);
    const float *weights = run->values + run->op->weights.weight;
    float *dx = run->dx;
    for (int n = 0; n < run->count; n++, gradient += (size_t)g.outputs * g.out_height * g.out_width)
        for (int input = 0; input < g.inputs; input++)
            for (int y = 0; y < g.in_height; y++)
                for (int x = 0; x < g.in_width; x++)
                    *dx++ = (float)gather(&g, gradient, weights, input, y, x);
}

/* BN, ReLU and the pool, or BN and the addend, of what lies in `saved.linear`. */
static void norm_forward(const struct op_run *run, struct ref_saved saved)
{
    const struct op *op = run->op;
    struct ref_maps maps = ref_maps_of(op, run->count);
    float *activation = op->pool ? (float *)run->scratch + 2 * op->channels + ref_maps_size(maps) : run->y;
    ref_norm_statistics(run, saved.linear, saved.mean, saved.inverse_std);
    ref_norm_apply(run, saved.linear, saved.mean, saved.inverse_std, activation);
    if (op->pool)
        ref_pool_forward(op, run->count * op->channels, op->height, op->width, activation, run->y);
    for (size_t i = 0; op->kind == OP_CONV_BN_ADD && i < ref_maps_size(maps); i++)
        activation[i] += ((const float *)run->x2)[i];
}

/* The gradient of saved.linear, in scratch. */
static float *norm_backward(const struct op_run *run, struct ref_saved saved)
{
    const struct op *op = run->op;
    struct ref_maps maps = ref_maps_of(op, run->count);
    float *gradient = run->scratch, *activation = gradient + ref_maps_size(maps);
    ref_norm_apply(run, saved.linear, saved.mean, saved.inverse_std, activation);
    if (op->pool)
        ref_pool_backward(op, run->count * op->channels, op->height, op->width, activation, run->dy, gradient);
    else
        memcpy(gradient, run->dy, ref_maps_size(maps) * sizeof *gradient);
    ref_norm_gradient(run, saved, gradient);
    return gradient;
}

/* In inference nothing is saved: the statistics and the maps lie in scratch, as `saved` would have them. */
static struct ref_saved find_saved(const struct op_run *run)
{
    return ref_saved_of(run->op, run->training ? run->saved : run->scratch);
}

void ref_conv_bn_relu_forward(const struct op_run *run)
{
    struct ref_saved saved = find_saved(run);
    linear_forward(run, saved.linear);
    norm_forward(run, saved);
}

void ref_conv_bn_relu_backward(const struct op_run *run)
{
    const float *gradient = norm_backward(run, ref_saved_of(run->op, run->saved));
    weight_gradient(run, gradient);
    if (run->dx)
        input_gradient(run, gradient);
    if (run->op->kind == OP_CONV_BN_ADD && run->dx2)
        memcpy(run->dx2, run->dy, ref_maps_size(ref_maps_of(run->op, run->count)) * sizeof(float));
}

void ref_conv_forward(const struct op_run *run)
{
    linear_forward(run, run->y);
}

void ref_conv_backward(const struct op_run *run)
{
    weight_gradient(run, run->dy);
    if (run->dx)
        input_gradient(run, run->dy);
}

void ref_bn_relu_forward(const struct op_run *run)
{
    struct ref_saved saved = find_saved(run);
    memcpy(saved.linear, run->x, ref_maps_size(ref_maps_of(run->op, run->count)) * sizeof *saved.linear);
    norm_forward(run, saved);
}

void ref_bn_relu_backward(const struct op_run *run)
{
    const float *gradient = norm_backward(run, ref_saved_of(run->op, run->saved));
    if (run->dx)
        memcpy(run->dx, gradient, ref_maps_size(ref_maps_of(run->op, run->count)) * sizeof *gradient);
}
