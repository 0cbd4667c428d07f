/*
 * conv.h - OP_CONV: convolution, BN, ReLU and the pool behind it; and OP_CONV_ALONE, the convolution by itself.
 *
 * Forward: all groups through the convolution, which also gathers the batch statistics, then all through BN.
 * Inference knows the statistics, so each group goes through both while it is in the cache.
 *
 * Backward: one pass over the groups for the sums that BN needs, then for each group (or a few, of small maps) the
 * gradient of the linear part is written once, into a bordered scratch map that stays in the cache, and feeds the
 * weight gradient and the input gradient.
 */
#ifndef ESPALIER_BACKEND_CPU_CONV_H
#define ESPALIER_BACKEND_CPU_CONV_H

#include "backend/cpu/convolve.h"
#include "backend/cpu/normalise.h"

struct conv_scratch {
    struct kept kept; /* inference only */
    struct moments moments;
    struct channel_sums *sums;
    float *start;
    float *gradient; /* of `convolution.together` groups */
    struct convolution convolution;
};

static struct conv_scratch conv_scratch_new(struct pieces *pieces, const struct plan *plan, const struct op *op,
                                            int groups)
{
    struct map out = map_of(&plan->tensors[op->output]);
    size_t outputs = (size_t)op->channels;
    struct conv_scratch scratch = {.kept = kept_new(pieces, op, &out, 1, false)};
    scratch.moments = moments_new(pieces, op->channels);
    scratch.start = piece(pieces, outputs * sizeof(float));
    scratch.sums = piece(pieces, outputs * sizeof *scratch.sums);
    scratch.convolution = convolution_new(pieces, plan, op, groups);
    scratch.gradient = piece(pieces, scratch.convolution.together * scratch.convolution.gradient.group * sizeof(float));
    return scratch;
}

static void conv_forward(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map out = map_of(&run->plan->tensors[op->output]);
    int groups = groups_of(run->count);
    struct conv_scratch scratch = conv_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op, groups);
    const struct convolution *c = &scratch.convolution;
    start_from_shift(run, scratch.start);
    struct pass pass = forward_begin(c, run->values + op->weights.weight, scratch.start);
    const float *x = (const float *)run->x + map_at(&c->in, 0, 0, 0);
    float *y = run->y;
    if (!run->training) {
        running_statistics(run, &scratch.kept);
        for (int g = 0; g < groups; g++) {
            pass_run(&pass, &c->in, x + g * c->in.group, scratch.kept.linear, NULL);
            normalise_forward(run, &scratch.kept, scratch.kept.linear, y + g * out.group, NULL);
        }
        return;
    }
    struct kept kept = kept_new(&(struct pieces){run->saved, 0}, op, &out, groups, op->pool == POOL_MAX);
    memset(scratch.sums, 0, (size_t)op->channels * sizeof *scratch.sums);
    for (int g = 0; g < groups; g++) {
        bool whole = lanes_of(run->count, g) == LANES;
        float *linear = kept.linear + g * c->linear.group;
        moments_clear(&scratch.moments, op->channels);
        pass_run(&pass, &c->in, x + g * c->in.group, linear, whole ? &scratch.moments : NULL);
        if (whole)
            channel_sums_add(scratch.sums, op->channels, &scratch.moments);
        else
            channel_sums_add_lanes(scratch.sums, &c->linear, linear, lanes_of(run->count, g));
    }
    batch_statistics(run, scratch.sums, &kept);
    /* The last group is still in the cache, and the next operation begins with the first. */
    for (int g = groups - 1; g >= 0; g--)
        normalise_forward(run, &kept, kept.linear + g * c->linear.group, y + g * out.group, selected_of(&kept, g));
}

static void conv_backward(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map out = map_of(&run->plan->tensors[op->output]);
    int groups = groups_of(run->count);
    struct conv_scratch scratch = conv_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op, groups);
    const struct convolution *c = &scratch.convolution;
    struct kept kept = kept_new(&(struct pieces){run->saved, 0}, op, &out, groups, op->pool == POOL_MAX);
    const float *x = run->x, *dy = run->dy, *weights = run->values + op->weights.weight;
    float *dx = run->dx, *weight_gradient = run->gradients + op->weights.weight;
    memset(scratch.sums, 0, (size_t)op->channels * sizeof *scratch.sums);
    for (int g = 0; g < groups; g++)
        normalise_sums(run, &kept, kept.linear + g * c->linear.group, selected_of(&kept, g), dy + g * out.group,
                       scratch.sums);
    parameter_gradients(run, &kept, scratch.sums);
    for (int plane = 0; plane < c->together * c->outputs; plane++)
        map_clear_border(&c->gradient, scratch.gradient + plane * c->gradient.plane);
    weight_gradient_begin(c, weight_gradient);
    struct pass pass = {0};
    if (dx)
        pass = input_gradient_begin(c, weights);
    for (int first = 0, count; first < groups; first += count) {
        count = groups - first < c->together ? groups - first : c->together;
        for (int i = 0; i < count; i++) {
            int g = first + i;
            normalise_backward(run, &kept, scratch.sums, &c->gradient, lanes_of(run->count, g),
                               kept.linear + g * c->linear.group, selected_of(&kept, g), dy + g * out.group,
                               scratch.gradient + i * c->gradient.group);
        }
        weight_gradient_run(c, count, x + first * c->in.group, scratch.gradient, weight_gradient);
        for (int i = 0; dx && i < count; i++)
            input_gradient_run(c, &pass, weights, scratch.gradient + i * c->gradient.group,
                               dx + (first + i) * c->in.group);
    }
    weight_gradient_end(c, weight_gradient);
}

/* OP_CONV_ALONE: what it reads and writes lies as the linear part does, but for the border that the input gradient
   wants around the output's: so the gradient goes through a bordered map in scratch here too. */
struct alone_scratch {
    struct convolution convolution;
    float *gradient; /* of `convolution.together` groups */
};

static struct alone_scratch alone_scratch_new(struct pieces *pieces, const struct plan *plan, const struct op *op,
                                              int groups)
{
    struct alone_scratch scratch = {.convolution = convolution_new(pieces, plan, op, groups)};
    const struct convolution *c = &scratch.convolution;
    ASSERT(plan->tensors[op->output].border == 0);
    scratch.gradient = piece(pieces, c->together * c->gradient.group * sizeof(float));
    return scratch;
}

static void alone_forward(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map out = map_of(&run->plan->tensors[op->output]);
    int groups = groups_of(run->count);
    struct alone_scratch scratch = alone_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op, groups);
    const struct convolution *c = &scratch.convolution;
    struct pass pass = forward_begin(c, run->values + op->weights.weight, NULL);
    const float *x = (const float *)run->x + map_at(&c->in, 0, 0, 0);
    for (int g = 0; g < groups; g++) {
        float *y = (float *)run->y + g * out.group;
        for (int k = 0; k < out.channels; k++)
            map_clear_border(&out, y + k * out.plane);
        pass_run(&pass, &c->in, x + g * c->in.group, y, NULL);
    }
}

static void alone_backward(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map out = map_of(&run->plan->tensors[op->output]);
    int groups = groups_of(run->count);
    struct alone_scratch scratch = alone_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op, groups);
    const struct convolution *c = &scratch.convolution;
    const float *x = run->x, *dy = run->dy, *weights = run->values + op->weights.weight;
    float *dx = run->dx, *weight_gradient = run->gradients + op->weights.weight;
    for (int plane = 0; plane < c->together * c->outputs; plane++)
        map_clear_border(&c->gradient, scratch.gradient + plane * c->gradient.plane);
    weight_gradient_begin(c, weight_gradient);
    struct pass pass = {0};
    if (dx)
        pass = input_gradient_begin(c, weights);
    for (int first = 0, count; first < groups; first += count) {
        count = groups - first < c->together ? groups - first : c->together;
        for (int i = 0; i < count * c->outputs; i++) {
            const float *from = dy + (first + i / c->outputs) * out.group + i % c->outputs * out.plane;
            float *to = scratch.gradient + i * c->gradient.plane;
            for (int y = 0; y < out.height; y++)
                memcpy(to + map_at(&c->gradient, 0, y, 0), from + map_at(&out, 0, y, 0), out.pitch * sizeof *to);
        }
        weight_gradient_run(c, count, x + first * c->in.group, scratch.gradient, weight_gradient);
        for (int i = 0; dx && i < count; i++)
            input_gradient_run(c, &pass, weights, scratch.gradient + i * c->gradient.group,
                               dx + (first + i) * c->in.group);
    }
    weight_gradient_end(c, weight_gradient);
}

#endif
