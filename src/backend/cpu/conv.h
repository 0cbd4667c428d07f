/*
 * conv.h - OP_CONV: convolution, BN, ReLU and the pool behind it.
 *
 * Forward: all groups through `product`, which also gathers the batch statistics, then all through `normalise`.
 * Inference knows the statistics, so each group goes through both while it is in the cache.
 *
 * Backward: one pass over the groups for the sums that BN needs, then for each group the gradient of the linear part
 * is written once, into a bordered scratch map that stays in the cache, and feeds the weight gradient (`outer`) and
 * the input gradient (`product`).
 *
 * The input gradient is a convolution of that map with the flipped, transposed kernel.  With stride s the input's
 * places fall into s x s phases (y mod s, x mod s): each phase meets only the kernel places that the forward pass
 * brought there, and is a dense convolution of its own.
 */
#ifndef ESPALIER_BACKEND_CPU_CONV_H
#define ESPALIER_BACKEND_CPU_CONV_H

#include "backend/cpu/normalise.h"
#include "util/bug.h"

struct conv_scratch {
    struct kept kept; /* inference only */
    struct moments moments;
    struct channel_sums *sums;
    float *start;
    int32_t *offsets, *gradient_offsets; /* of the forward columns; of one phase's */
    float *gradient, *phase_weights;
};

static struct conv_scratch conv_scratch_new(struct pieces *pieces, const struct plan *plan, const struct op *op)
{
    struct map out = map_of(&plan->tensors[op->output]);
    struct map gradient = map_new(op->channels, op->height, op->width, op->kernel / 2);
    size_t inputs = (size_t)plan->tensors[op->input].channels, taps = (size_t)op->kernel * op->kernel;
    size_t outputs = (size_t)op->channels;
    struct conv_scratch scratch = {.kept = kept_new(pieces, op, &out, 1, false)};
    scratch.moments.sum = piece(pieces, outputs * LANES * sizeof(float));
    scratch.moments.square = piece(pieces, outputs * LANES * sizeof(float));
    scratch.moments.sum_all = piece(pieces, outputs * LANES * sizeof(float));
    scratch.moments.square_all = piece(pieces, outputs * LANES * sizeof(float));
    scratch.start = piece(pieces, outputs * sizeof(float));
    scratch.sums = piece(pieces, outputs * sizeof *scratch.sums);
    scratch.offsets = piece(pieces, inputs * taps * sizeof(int32_t));
    scratch.gradient_offsets = piece(pieces, outputs * taps * sizeof(int32_t));
    scratch.gradient = piece(pieces, gradient.group * sizeof(float));
    scratch.phase_weights = piece(pieces, inputs * outputs * taps * sizeof(float));
    return scratch;
}

static void forward_offsets(const struct map *in, int kernel, int32_t *offsets)
{
    for (int c = 0; c < in->channels; c++)
        for (int y = 0; y < kernel; y++)
            for (int x = 0; x < kernel; x++)
                *offsets++ = (int32_t)map_at(in, c, y - kernel / 2, x - kernel / 2);
}

static struct product conv_product(const struct op_run *run, const struct map *in, const struct conv_scratch *scratch)
{
    const struct op *op = run->op;
    struct map linear = linear_map(op);
    int columns = in->channels * op->kernel * op->kernel;
    return (struct product){
        .rows = op->channels,
        .columns = columns,
        .weights = run->values + op->weights.weight,
        .weight_row = columns,
        .weight_column = 1,
        .offsets = scratch->offsets,
        .start = scratch->start,
        .height = op->height,
        .width = op->width,
        .x_pitch = (ptrdiff_t)in->pitch * op->stride,
        .x_step = (ptrdiff_t)op->stride * LANES,
        .out_plane = (ptrdiff_t)linear.plane,
        .out_pitch = (ptrdiff_t)linear.pitch,
        .out_step = LANES,
    };
}

static void conv_forward(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map in = map_of(&run->plan->tensors[op->input]), out = map_of(&run->plan->tensors[op->output]);
    size_t linear = linear_map(op).group, selected = (size_t)op->channels * out.height * out.width * LANES;
    struct conv_scratch scratch = conv_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op);
    int groups = groups_of(run->count);
    ASSERT(in.border >= op->kernel / 2);
    forward_offsets(&in, op->kernel, scratch.offsets);
    start_from_shift(run, scratch.start);
    struct product product = conv_product(run, &in, &scratch);
    const float *x = run->x;
    float *y = run->y;
    if (!run->training) {
        running_statistics(run, &scratch.kept);
        for (int g = 0; g < groups; g++) {
            product_run(&product, x + g * in.group, scratch.kept.linear, NULL);
            normalise_forward(run, &scratch.kept, scratch.kept.linear, y + g * out.group, NULL);
        }
        return;
    }
    struct kept kept = kept_new(&(struct pieces){run->saved, 0}, op, &out, groups, op->pool == POOL_MAX);
    memset(scratch.sums, 0, (size_t)op->channels * sizeof *scratch.sums);
    for (int g = 0; g < groups; g++) {
        moments_clear(&scratch.moments, op->channels);
        product_run(&product, x + g * in.group, kept.linear + g * linear, &scratch.moments);
        channel_sums_add(scratch.sums, op->channels, lanes_of(run->count, g), &scratch.moments);
    }
    batch_statistics(run, scratch.sums, &kept);
    for (int g = 0; g < groups; g++)
        normalise_forward(run, &kept, kept.linear + g * linear, y + g * out.group,
                          kept.selected ? kept.selected + g * selected : NULL);
}

/* The product of one phase: rows are input channels, columns (output channel, those kernel places that lead here). */
static struct product phase_product(const struct op_run *run, const struct map *in, const struct map *gradient,
                                    int phase_y, int phase_x, struct conv_scratch *scratch)
{
    const struct op *op = run->op;
    int kernel = op->kernel, pad = kernel / 2, stride = op->stride, columns = 0;
    int taps[ARCH_KERNEL_MAX * ARCH_KERNEL_MAX], places[ARCH_KERNEL_MAX * ARCH_KERNEL_MAX], count = 0;
    for (int ky = 0; ky < kernel; ky++)
        for (int kx = 0; kx < kernel; kx++) {
            int y = phase_y + pad - ky, x = phase_x + pad - kx;
            if (y % stride || x % stride)
                continue;
            taps[count] = ky * kernel + kx;
            places[count++] = (int)map_at(gradient, 0, y / stride, x / stride);
        }
    for (int k = 0; k < op->channels; k++)
        for (int t = 0; t < count; t++)
            scratch->gradient_offsets[columns++] = (int32_t)(k * gradient->plane) + places[t];
    const float *weights = run->values + op->weights.weight;
    float *packed = scratch->phase_weights;
    for (int c = 0; c < in->channels; c++)
        for (int k = 0; k < op->channels; k++)
            for (int t = 0; t < count; t++)
                *packed++ = weights[((size_t)k * in->channels + c) * kernel * kernel + taps[t]];
    return (struct product){
        .rows = in->channels,
        .columns = columns,
        .weights = scratch->phase_weights,
        .weight_row = columns,
        .weight_column = 1,
        .offsets = scratch->gradient_offsets,
        .height = (in->height - phase_y + stride - 1) / stride,
        .width = (in->width - phase_x + stride - 1) / stride,
        .x_pitch = (ptrdiff_t)gradient->pitch,
        .x_step = LANES,
        .out_plane = (ptrdiff_t)in->plane,
        .out_pitch = (ptrdiff_t)in->pitch * stride,
        .out_step = (ptrdiff_t)LANES * stride,
    };
}

static struct outer conv_outer(const struct op_run *run, const struct map *in, const struct map *gradient,
                               const int32_t *offsets)
{
    const struct op *op = run->op;
    return (struct outer){
        .rows = op->channels,
        .columns = in->channels * op->kernel * op->kernel,
        .gradient = run->gradients + op->weights.weight,
        .offsets = offsets,
        .height = op->height,
        .width = op->width,
        .x_pitch = (ptrdiff_t)in->pitch * op->stride,
        .x_step = (ptrdiff_t)op->stride * LANES,
        .d_plane = (ptrdiff_t)gradient->plane,
        .d_pitch = (ptrdiff_t)gradient->pitch,
        .d_step = LANES,
    };
}

static void conv_backward(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map in = map_of(&run->plan->tensors[op->input]), out = map_of(&run->plan->tensors[op->output]);
    struct map gradient = map_new(op->channels, op->height, op->width, op->kernel / 2);
    size_t linear = linear_map(op).group, selected = (size_t)op->channels * out.height * out.width * LANES;
    int groups = groups_of(run->count);
    struct conv_scratch scratch = conv_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op);
    struct kept kept = kept_new(&(struct pieces){run->saved, 0}, op, &out, groups, op->pool == POOL_MAX);
    const float *x = run->x, *dy = run->dy;
    float *dx = run->dx;
    memset(scratch.sums, 0, (size_t)op->channels * sizeof *scratch.sums);
    for (int g = 0; g < groups; g++)
        normalise_sums(run, &kept, kept.linear + g * linear, kept.selected ? kept.selected + g * selected : NULL,
                       dy + g * out.group, scratch.sums);
    parameter_gradients(run, &kept, scratch.sums);
    forward_offsets(&in, op->kernel, scratch.offsets);
    struct outer outer = conv_outer(run, &in, &gradient, scratch.offsets);
    memset(outer.gradient, 0, (size_t)outer.rows * outer.columns * sizeof(float));
    for (int k = 0; k < op->channels; k++)
        map_clear_border(&gradient, scratch.gradient + k * gradient.plane);
    struct product product;
    if (dx && op->stride == 1)
        product = phase_product(run, &in, &gradient, 0, 0, &scratch);
    for (int g = 0; g < groups; g++) {
        normalise_backward(run, &kept, scratch.sums, &gradient, lanes_of(run->count, g), kept.linear + g * linear,
                           kept.selected ? kept.selected + g * selected : NULL, dy + g * out.group, scratch.gradient);
        outer_run(&outer, x + g * in.group, scratch.gradient + map_at(&gradient, 0, 0, 0));
        for (int phase = 0; dx && phase < op->stride * op->stride; phase++) {
            int phase_y = phase / op->stride, phase_x = phase % op->stride;
            if (op->stride > 1)
                product = phase_product(run, &in, &gradient, phase_y, phase_x, &scratch);
            product_run(&product, scratch.gradient, dx + g * in.group + map_at(&in, 0, phase_y, phase_x), NULL);
        }
    }
}

#endif
