/*
 * conv.h - OP_CONV_BN_RELU: convolution, BN, ReLU and the pool behind it; and OP_CONV, the convolution by itself.
 *
 * Forward: all groups through the convolution, which also gathers the batch statistics, then all through BN.
 * Inference knows the statistics, so each group goes through both while it is in the cache.
 *
 * Backward: one pass over the groups for the sums that BN needs.  Then rounds of a few groups (when nobody helps, only
 * as many as the weight gradient takes at once): their gradients of the linear part are written once, into bordered
 * scratch maps that stay in the cache, and feed the weight gradient and the input gradients.
 *
 * Each loop over groups is one of a team's (util/team.h).  Sums over the batch are kept for each group and added in the
 * order of the groups.
 */
#ifndef ESPALIER_BACKEND_CPU_CONV_H
#define ESPALIER_BACKEND_CPU_CONV_H

#include "backend/cpu/convolve.h"
#include "backend/cpu/normalise.h"

/* --- weight and input gradients --- */

/* Lays the gradient of the linear part of one group into `out`, a map with the border of `c->gradient` (not written).
 */
typedef void gradient_writer(const void *context, int group, float *out);

struct round {
    const struct op_run *run;
    const struct convolution *convolution;
    gradient_writer *write;
    const void *context;
    struct pass pass;
    int shares;       /* of the weight gradient */
    int first, count; /* groups */
};

static float *round_gradient(const struct round *round, int group)
{
    return round->convolution->gradients + (group - round->first) * round->convolution->gradient.group;
}

static void round_write(void *context, int item, int member)
{
    const struct round *round = context;
    int group = round->first + item;
    round->write(round->context, group, round_gradient(round, group));
}

/* First the shares of the weight gradient, then the groups' input gradients. */
static void round_gradients(void *context, int item, int member)
{
    const struct round *round = context;
    const struct op_run *run = round->run;
    const struct convolution *c = round->convolution;
    float *weight_gradient = run->gradients + run->op->weights.weight;
    if (item >= round->shares) {
        int group = round->first + item - round->shares;
        input_gradient_run(c, &round->pass, member, round_gradient(round, group),
                           (float *)run->dx + group * c->in.group);
        return;
    }
    int last = round->first + round->count;
    for (int group = round->first, count; group < last; group += count) {
        count = last - group < c->together ? last - group : c->together;
        weight_gradient_run(c, item, round->shares, member, count, (const float *)run->x + group * c->in.group,
                            round_gradient(round, group), weight_gradient);
    }
}

static void round_end(void *context, int item, int member)
{
    const struct round *round = context;
    weight_gradient_end(round->convolution, item, round->shares,
                        round->run->gradients + round->run->op->weights.weight);
}

static void convolution_backward(const struct op_run *run, const struct convolution *c, gradient_writer *write,
                                 const void *context)
{
    struct round round = {.run = run, .convolution = c, .write = write, .context = context};
    int groups = groups_of(run->count), columns = c->inputs * (c->tile ? 1 : c->kernel * c->kernel);
    int present = team_size(run->team), step = present > 1 ? c->round : c->together;
    round.shares = present < columns ? present : columns;
    for (int plane = 0; plane < step * c->outputs; plane++)
        map_clear_border(&c->gradient, c->gradients + plane * c->gradient.plane);
    weight_gradient_begin(c, run->gradients + run->op->weights.weight);
    if (run->dx)
        round.pass = input_gradient_begin(c, run->values + run->op->weights.weight, run->team);
    for (; round.first < groups; round.first += round.count) {
        round.count = groups - round.first < step ? groups - round.first : step;
        team_do(run->team, round.count, round_write, &round);
        team_do(run->team, round.shares + (run->dx ? round.count : 0), round_gradients, &round);
    }
    team_do(run->team, round.shares, round_end, &round);
}

/* --- OP_CONV_BN_RELU --- */

struct conv {
    const struct op_run *run;
    struct map out;
    int groups;
    struct kept kept;          /* in training what is saved, in inference in scratch: a linear part for each member */
    struct moments moments;    /* for each member */
    struct channel_sums *sums; /* [group][channel] */
    float *start;
    struct convolution convolution;
    struct pass pass;
};

static struct conv conv_new(struct pieces *pieces, const struct plan *plan, const struct op *op,
                            enum precision precision, int groups, int members)
{
    struct conv conv = {.out = map_of(&plan->tensors[op->output]), .groups = groups};
    size_t outputs = (size_t)op->channels;
    conv.kept = kept_new(pieces, op, &conv.out, members, false);
    conv.moments = moments_new(pieces, members * op->channels);
    conv.start = piece(pieces, outputs * sizeof(float));
    conv.sums = piece(pieces, (size_t)groups * outputs * sizeof *conv.sums);
    conv.convolution = convolution_new(pieces, plan, op, precision, groups, members);
    return conv;
}

static struct conv conv_begin(const struct op_run *run, enum precision precision, bool training)
{
    const struct op *op = run->op;
    int groups = groups_of(run->count);
    struct conv conv = conv_new(&(struct pieces){run->scratch, 0}, run->plan, op, precision, groups, run->members);
    conv.run = run;
    if (training)
        conv.kept = kept_new(&(struct pieces){run->saved, 0}, op, &conv.out, groups, op->pool == POOL_MAX);
    return conv;
}

/* The linear part of one group. */
static float *conv_linear(const struct conv *conv, int group)
{
    return conv->kept.linear + group * conv->convolution.linear.group;
}

static void conv_pass(const struct conv *conv, int group, int member, float *linear, const struct moments *moments)
{
    const struct convolution *c = &conv->convolution;
    const float *x = (const float *)conv->run->x + map_at(&c->in, 0, 0, 0) + group * c->in.group;
    pass_run(c, &conv->pass, member, &c->in, x, linear, moments);
}

static void conv_infer_group(void *context, int group, int member)
{
    const struct conv *conv = context;
    conv_pass(conv, group, member, conv_linear(conv, member), NULL);
    normalise_forward(conv->run, &conv->kept, conv_linear(conv, member),
                      (float *)conv->run->y + group * conv->out.group, NULL);
}

static void conv_train_group(void *context, int group, int member)
{
    const struct conv *conv = context;
    int channels = conv->run->op->channels, lanes = lanes_of(conv->run->count, group);
    struct channel_sums *sums = conv->sums + (size_t)group * channels;
    struct moments moments = moments_of(&conv->moments, channels, member);
    memset(sums, 0, (size_t)channels * sizeof *sums);
    moments_clear(&moments, channels);
    conv_pass(conv, group, member, conv_linear(conv, group), lanes == LANES ? &moments : NULL);
    if (lanes == LANES)
        channel_sums_add(sums, channels, &moments);
    else
        channel_sums_add_lanes(sums, &conv->convolution.linear, conv_linear(conv, group), lanes);
}

/* The last group is still in the cache, and the next operation begins with the first. */
static void conv_normalise_group(void *context, int item, int member)
{
    const struct conv *conv = context;
    int group = conv->groups - 1 - item;
    normalise_forward(conv->run, &conv->kept, conv_linear(conv, group), (float *)conv->run->y + group * conv->out.group,
                      selected_of(&conv->kept, group));
}

static void conv_forward(const struct op_run *run, enum precision precision)
{
    struct conv conv = conv_begin(run, precision, run->training);
    start_from_shift(run, conv.start);
    conv.pass = forward_begin(&conv.convolution, run->values + run->op->weights.weight, conv.start, run->team);
    if (!run->training) {
        running_statistics(run, &conv.kept);
        team_do(run->team, conv.groups, conv_infer_group, &conv);
        return;
    }
    team_do(run->team, conv.groups, conv_train_group, &conv);
    channel_sums_fold(conv.sums, run->op->channels, conv.groups);
    batch_statistics(run, conv.sums, &conv.kept);
    team_do(run->team, conv.groups, conv_normalise_group, &conv);
}

static void conv_sums_group(void *context, int group, int member)
{
    const struct conv *conv = context;
    int channels = conv->run->op->channels;
    struct channel_sums *sums = conv->sums + (size_t)group * channels;
    memset(sums, 0, (size_t)channels * sizeof *sums);
    normalise_sums(conv->run, &conv->kept, conv_linear(conv, group), selected_of(&conv->kept, group),
                   (const float *)conv->run->dy + group * conv->out.group, sums);
}

static void conv_gradient_group(const void *context, int group, float *out)
{
    const struct conv *conv = context;
    const struct op_run *run = conv->run;
    normalise_backward(run, &conv->kept, conv->sums, &conv->convolution.gradient, lanes_of(run->count, group),
                       conv_linear(conv, group), selected_of(&conv->kept, group),
                       (const float *)run->dy + group * conv->out.group, out);
}

static void conv_backward(const struct op_run *run, enum precision precision)
{
    struct conv conv = conv_begin(run, precision, true);
    team_do(run->team, conv.groups, conv_sums_group, &conv);
    channel_sums_fold(conv.sums, run->op->channels, conv.groups);
    parameter_gradients(run, &conv.kept, conv.sums);
    convolution_backward(run, &conv.convolution, conv_gradient_group, &conv);
}

/* --- OP_CONV: what it reads and writes lies as the linear part does, but for the border that the input gradient
   wants around the output's: so the gradient goes through a bordered map in scratch here too --- */

struct alone {
    const struct op_run *run;
    struct map out;
    struct convolution convolution;
    struct pass pass;
};

static struct alone alone_begin(const struct op_run *run, enum precision precision)
{
    struct alone alone = {.run = run, .out = map_of(&run->plan->tensors[run->op->output])};
    ASSERT(alone.out.border == 0);
    alone.convolution = convolution_new(&(struct pieces){run->scratch, 0}, run->plan, run->op, precision,
                                        groups_of(run->count), run->members);
    return alone;
}

static void alone_forward_group(void *context, int group, int member)
{
    const struct alone *alone = context;
    const struct convolution *c = &alone->convolution;
    float *y = (float *)alone->run->y + group * alone->out.group;
    for (int k = 0; k < alone->out.channels; k++)
        map_clear_border(&alone->out, y + k * alone->out.plane);
    pass_run(c, &alone->pass, member, &c->in,
             (const float *)alone->run->x + map_at(&c->in, 0, 0, 0) + group * c->in.group, y, NULL);
}

static void alone_forward(const struct op_run *run, enum precision precision)
{
    struct alone alone = alone_begin(run, precision);
    alone.pass = forward_begin(&alone.convolution, run->values + run->op->weights.weight, NULL, run->team);
    team_do(run->team, groups_of(run->count), alone_forward_group, &alone);
}

static void alone_gradient_group(const void *context, int group, float *to)
{
    const struct alone *alone = context;
    const struct map *out = &alone->out, *gradient = &alone->convolution.gradient;
    const float *from = (const float *)alone->run->dy + group * out->group;
    for (int k = 0; k < out->channels; k++)
        for (int y = 0; y < out->height; y++)
            memcpy(to + map_at(gradient, k, y, 0), from + map_at(out, k, y, 0), out->pitch * sizeof *to);
}

static void alone_backward(const struct op_run *run, enum precision precision)
{
    struct alone alone = alone_begin(run, precision);
    convolution_backward(run, &alone.convolution, alone_gradient_group, &alone);
}

#endif
