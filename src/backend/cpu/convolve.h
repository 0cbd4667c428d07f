/*
 * convolve.h - the linear part of OP_CONV: forward, input gradient and weight gradient, each by the best method.
 *
 * Any convolution can go through `product` and `outer` directly (product.h); those that fit and are wide enough go
 * through them by way of minimal filtering (winograd.h).  A `begin` prepares weights and tables; then groups of images
 * follow one another.
 *
 * The input gradient is a convolution of the output's gradient with the flipped, transposed kernel.  With stride s the
 * input's places fall into s x s phases (y mod s, x mod s): each phase meets only the kernel places that the forward
 * pass brought there, and is a dense convolution of its own.
 */
#ifndef ESPALIER_BACKEND_CPU_CONVOLVE_H
#define ESPALIER_BACKEND_CPU_CONVOLVE_H

#include "backend/cpu/winograd.h"
#include "nn/backend.h"
#include "util/bug.h"

struct convolution {
    int kernel, stride, inputs, outputs;
    struct map in, linear, gradient; /* `gradient`: the linear part's, with the border that the input gradient wants */
    bool filter_product, filter_input, filter_outer; /* by minimal filtering: forward, input and weight gradient */
    int together;                                    /* groups that the weight gradient takes at once */
    /* Scratch. */
    int32_t *offsets, *gradient_offsets, *tile_offsets;
    float *packed;            /* weights as the method at hand wants them */
    float *filtered_gradient; /* of the weights, transformed */
    float *tiles_in, *tiles_out;
};

static struct convolution convolution_new(struct pieces *pieces, const struct plan *plan, const struct op *op,
                                          int groups)
{
    struct convolution c = {.kernel = op->kernel, .stride = op->stride, .outputs = op->channels, .together = 1};
    c.in = map_of(&plan->tensors[op->input]);
    c.inputs = c.in.channels;
    c.linear = map_new(op->channels, op->height, op->width, 0);
    c.gradient = map_new(op->channels, op->height, op->width, op->kernel / 2);
    ASSERT(c.in.border >= op->kernel / 2);
    size_t taps = (size_t)c.kernel * c.kernel, inputs = (size_t)c.inputs, outputs = (size_t)c.outputs;
    c.offsets = piece(pieces, inputs * taps * sizeof(int32_t));
    c.gradient_offsets = piece(pieces, outputs * taps * sizeof(int32_t));
    if (!winograd_fits(c.kernel, c.stride, op->height, op->width)) {
        c.packed = piece(pieces, inputs * outputs * taps * sizeof(float));
        return c;
    }
    c.filter_product = winograd_pays(c.inputs, c.outputs);
    c.filter_input = winograd_pays(c.outputs, c.inputs);
    c.filter_outer = c.filter_product && c.filter_input;
    int most = c.inputs > c.outputs ? c.inputs : c.outputs, tiles = op->height * op->width / 4;
    c.packed = piece(pieces, POINTS * winograd_weights_point(c.inputs, c.outputs) * sizeof(float));
    if (c.filter_product || c.filter_input) {
        c.tile_offsets = piece(pieces, (size_t)most * sizeof(int32_t));
        c.tiles_in = piece(pieces, POINTS * winograd_point(most, OUTER_TILES) * sizeof(float));
        c.tiles_out = piece(pieces, POINTS * winograd_point(most, OUTER_TILES) * sizeof(float));
    }
    if (c.filter_outer) {
        c.filtered_gradient = piece(pieces, POINTS * winograd_weights_point(c.inputs, c.outputs) * sizeof(float));
        c.together = OUTER_TILES > tiles ? OUTER_TILES / tiles : 1;
        c.together = c.together < groups ? c.together : groups;
    }
    return c;
}

/* One direction of a convolution, ready to run: by `filter` or else by `product`. */
struct pass {
    bool filtered;
    struct product product;
    struct winograd filter;
};

/* From `in` to `out`, which both begin at their first pixel; `moments` may be NULL. */
static void pass_run(const struct pass *pass, const struct map *in, const float *x, float *out,
                     const struct moments *moments)
{
    if (pass->filtered)
        winograd_product(&pass->filter, x - in->pitch - LANES, out, moments);
    else
        product_run(&pass->product, x, out, moments);
}

static struct winograd filter_of(const struct convolution *c, const struct map *in, const struct map *out)
{
    return (struct winograd){
        .inputs = in->channels,
        .outputs = out->channels,
        .groups = 1,
        .tiles_y = c->linear.height / 2,
        .tiles_x = c->linear.width / 2,
        .in_group = in->group,
        .in_plane = in->plane,
        .in_pitch = in->pitch,
        .out_group = out->group,
        .out_plane = out->plane,
        .out_pitch = out->pitch,
        .weights = c->packed,
        .offsets = c->tile_offsets,
        .in = c->tiles_in,
        .out = c->tiles_out,
    };
}

static void tile_offsets(const struct convolution *c, int channels, int tiles)
{
    for (int i = 0; i < channels; i++)
        c->tile_offsets[i] = i * tiles * LANES;
}

/* Offsets of the forward columns from the input's pixel. */
static void forward_offsets(const struct convolution *c)
{
    int32_t *offset = c->offsets, origin = (int32_t)map_at(&c->in, 0, 0, 0);
    for (int channel = 0; channel < c->inputs; channel++)
        for (int y = 0; y < c->kernel; y++)
            for (int x = 0; x < c->kernel; x++)
                *offset++ = (int32_t)map_at(&c->in, channel, y - c->kernel / 2, x - c->kernel / 2) - origin;
}

/* Forward; `start` is what each channel's sums start from. */
static struct pass forward_begin(const struct convolution *c, const float *weights, const float *start)
{
    struct pass pass = {.filtered = c->filter_product};
    int columns = c->inputs * c->kernel * c->kernel;
    if (pass.filtered) {
        struct kernels kernels = kernels_forward(c->outputs, c->inputs);
        winograd_weights(&kernels, weights, c->packed);
        tile_offsets(c, c->inputs, PRODUCT_TILES);
        pass.filter = filter_of(c, &c->in, &c->linear);
        pass.filter.start = start;
        return pass;
    }
    forward_offsets(c);
    pass.product = (struct product){
        .rows = c->outputs,
        .columns = columns,
        .weights = weights,
        .weight_row = columns,
        .weight_column = 1,
        .offsets = c->offsets,
        .start = start,
        .parts = c->stride == 1 ? 1 : PARTS,
        .height = c->linear.height,
        .width = c->linear.width * (c->stride == 1 ? PARTS : 1),
        .x_pitch = (ptrdiff_t)c->in.pitch * c->stride,
        .x_step = c->stride == 1 ? VECTOR_WIDTH : (ptrdiff_t)c->stride * LANES,
        .out_plane = (ptrdiff_t)c->linear.plane,
        .out_pitch = (ptrdiff_t)c->linear.pitch,
        .out_step = c->stride == 1 ? VECTOR_WIDTH : LANES,
    };
    return pass;
}

/* The input gradient of one phase: rows are input channels, columns (output channel, the kernel places that lead
   here). */
static struct product phase_product(const struct convolution *c, const float *weights, int phase_y, int phase_x)
{
    int kernel = c->kernel, pad = kernel / 2, stride = c->stride, columns = 0, count = 0;
    int taps[ARCH_KERNEL_MAX * ARCH_KERNEL_MAX], places[ARCH_KERNEL_MAX * ARCH_KERNEL_MAX];
    int origin = (int)map_at(&c->gradient, 0, 0, 0);
    for (int ky = 0; ky < kernel; ky++)
        for (int kx = 0; kx < kernel; kx++) {
            int y = phase_y + pad - ky, x = phase_x + pad - kx;
            if (y % stride || x % stride)
                continue;
            taps[count] = ky * kernel + kx;
            places[count++] = (int)map_at(&c->gradient, 0, y / stride, x / stride) - origin;
        }
    for (int k = 0; k < c->outputs; k++)
        for (int t = 0; t < count; t++)
            c->gradient_offsets[columns++] = (int32_t)(k * c->gradient.plane) + places[t];
    float *packed = c->packed;
    for (int i = 0; i < c->inputs; i++)
        for (int k = 0; k < c->outputs; k++)
            for (int t = 0; t < count; t++)
                *packed++ = weights[((size_t)k * c->inputs + i) * kernel * kernel + taps[t]];
    return (struct product){
        .rows = c->inputs,
        .columns = columns,
        .weights = c->packed,
        .weight_row = columns,
        .weight_column = 1,
        .offsets = c->gradient_offsets,
        .parts = stride == 1 ? 1 : PARTS,
        .height = (c->in.height - phase_y + stride - 1) / stride,
        .width = (c->in.width - phase_x + stride - 1) / stride * (stride == 1 ? PARTS : 1),
        .x_pitch = (ptrdiff_t)c->gradient.pitch,
        .x_step = stride == 1 ? VECTOR_WIDTH : LANES,
        .out_plane = (ptrdiff_t)c->in.plane,
        .out_pitch = (ptrdiff_t)c->in.pitch * stride,
        .out_step = stride == 1 ? VECTOR_WIDTH : (ptrdiff_t)LANES * stride,
    };
}

static struct pass input_gradient_begin(const struct convolution *c, const float *weights)
{
    struct pass pass = {.filtered = c->filter_input};
    if (pass.filtered) {
        struct kernels kernels = kernels_flipped(c->outputs, c->inputs);
        winograd_weights(&kernels, weights, c->packed);
        pass.filter = filter_of(c, &c->gradient, &c->in);
    } else if (c->stride == 1) {
        pass.product = phase_product(c, weights, 0, 0);
    }
    return pass;
}

/* One group: `gradient` is the linear part's, `dx` the input's; both with their borders. */
static void input_gradient_run(const struct convolution *c, struct pass *pass, const float *weights,
                               const float *gradient, float *dx)
{
    if (pass->filtered)
        tile_offsets(c, c->outputs, PRODUCT_TILES);
    for (int phase = 0; phase < c->stride * c->stride; phase++) {
        int y = phase / c->stride, x = phase % c->stride;
        if (c->stride > 1)
            pass->product = phase_product(c, weights, y, x);
        pass_run(pass, &c->gradient, gradient + map_at(&c->gradient, 0, 0, 0), dx + map_at(&c->in, 0, y, x), NULL);
    }
}

static void weight_gradient_begin(const struct convolution *c, float *out)
{
    forward_offsets(c);
    memset(out, 0, (size_t)c->outputs * c->inputs * c->kernel * c->kernel * sizeof *out);
    if (c->filter_outer)
        memset(c->filtered_gradient, 0, POINTS * winograd_weights_point(c->outputs, c->inputs) * sizeof(float));
}

/* Some groups: inputs `x` and the linear part's `gradient`, both with their borders. */
static void weight_gradient_run(const struct convolution *c, int groups, const float *x, const float *gradient,
                                float *out)
{
    const float *first = gradient + map_at(&c->gradient, 0, 0, 0), *pixel = x + map_at(&c->in, 0, 0, 0);
    if (c->filter_outer) {
        struct winograd filter = filter_of(c, &c->in, &c->gradient);
        filter.groups = groups;
        tile_offsets(c, c->inputs, OUTER_TILES);
        winograd_outer(&filter, pixel - c->in.pitch - LANES, first, c->filtered_gradient);
        return;
    }
    struct outer outer = {
        .rows = c->outputs,
        .columns = c->inputs * c->kernel * c->kernel,
        .gradient = out,
        .offsets = c->offsets,
        .height = c->linear.height,
        .width = c->linear.width,
        .x_pitch = (ptrdiff_t)c->in.pitch * c->stride,
        .x_step = (ptrdiff_t)c->stride * LANES,
        .d_plane = (ptrdiff_t)c->gradient.plane,
        .d_pitch = (ptrdiff_t)c->gradient.pitch,
        .d_step = LANES,
    };
    for (int g = 0; g < groups; g++)
        outer_run(&outer, pixel + g * c->in.group, first + g * c->gradient.group);
}

static void weight_gradient_end(const struct convolution *c, float *out)
{
    if (c->filter_outer)
        winograd_weights_gradient(c->outputs, c->inputs, c->filtered_gradient, out);
}

#endif
