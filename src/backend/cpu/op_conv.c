/*
 * op_conv.c - OP_CONV_BN_RELU: convolution, BN, ReLU and the pool behind them; OP_CONV: the convolution by itself.
 *
 * Forward: all blocks go through the convolution, which also gathers the batch statistics, then all through BN.  In
 * inference the statistics are known, so each block goes through both while it is in the cache.
 *
 * Backward: one pass over the blocks for the sums that BN needs.  Then rounds of a few blocks (without helpers only as
 * many as the weight gradient takes at once): their output gradients are written into bordered scratch maps that stay
 * in the cache, and are read by the weight gradient and the input gradient.
 *
 * Each loop over blocks is a team's (util/team.h).  Sums over the batch are made for each block and added in the order
 * of the blocks.
 */
#include "backend/cpu/operations.h"

#include "backend/cpu/bn.h"
#include "backend/cpu/conv.h"
#include "util/bug.h"

/* --- weight and input gradients --- */

/* Writes the output gradient of one block to `out`, of map `c->gradient`, but for its border. */
typedef void gradient_writer(const void *context, int block, float *out);

struct round {
    const struct op_run *run;
    const struct conv *conv;
    gradient_writer *write;
    const void *context;
    struct pass pass;
    int shares;       /* of the weight gradient */
    int first, count; /* blocks */
};

static float *round_gradient(const struct round *round, int block)
{
    return round->conv->gradients + (block - round->first) * round->conv->gradient.block_stride;
}

static void round_write_item(void *context, int item, int member)
{
    const struct round *round = context;
    int block = round->first + item;
    round->write(round->context, block, round_gradient(round, block));
}

/* First the shares of the weight gradient, then the blocks' input gradients. */
static void round_gradients_item(void *context, int item, int member)
{
    const struct round *round = context;
    const struct op_run *run = round->run;
    const struct conv *c = round->conv;
    if (item >= round->shares) {
        int block = round->first + item - round->shares;
        conv_input_gradient_run(c, &round->pass, member, round_gradient(round, block),
                                (float *)run->dx + block * c->in.block_stride);
        return;
    }
    int last = round->first + round->count;
    for (int block = round->first, count; block < last; block += count) {
        count = last - block < c->blocks_at_once ? last - block : c->blocks_at_once;
        conv_weight_gradient_run(c, item, round->shares, member, count,
                                 (const float *)run->x + block * c->in.block_stride, round_gradient(round, block),
                                 run->gradients + run->op->weights.weight);
    }
}

static void round_end_item(void *context, int item, int member)
{
    const struct round *round = context;
    conv_weight_gradient_end(round->conv, item, round->shares, round->run->gradients + round->run->op->weights.weight);
}

static void gradients_run(const struct op_run *run, const struct conv *c, gradient_writer *write, const void *context)
{
    struct round round = {.run = run, .conv = c, .write = write, .context = context};
    int blocks = blocks_of(run->count), columns = c->inputs * (c->tile ? 1 : c->kernel * c->kernel);
    int present = team_size(run->team), step = present > 1 ? c->round_blocks : c->blocks_at_once;
    round.shares = present < columns ? present : columns;
    for (int plane = 0; plane < step * c->outputs; plane++)
        map_clear_border(&c->gradient, c->gradients + plane * c->gradient.plane);
    conv_weight_gradient_begin(c, run->gradients + run->op->weights.weight);
    if (run->dx)
        round.pass = conv_input_gradient_begin(c, run->values + run->op->weights.weight, run->team);
    for (; round.first < blocks; round.first += round.count) {
        round.count = blocks - round.first < step ? blocks - round.first : step;
        team_do(run->team, round.count, round_write_item, &round);
        team_do(run->team, round.shares + (run->dx ? round.count : 0), round_gradients_item, &round);
    }
    team_do(run->team, round.shares, round_end_item, &round);
}

/* --- OP_CONV_BN_RELU --- */

struct conv_bn_relu {
    struct bn bn;
    struct conv conv;
    struct pass pass;
    float *member_linear;   /* scratch: in inference, a linear part for each member */
    struct moments moments; /* scratch: for each member */
};

static void take_scratch(struct workspace *scratch, const struct plan *plan, const struct op *op,
                         enum precision precision, int blocks, int members, struct conv_bn_relu *all)
{
    size_t linear = map_new(op->channels, op->height, op->width, 0).block_stride;
    all->member_linear = workspace_take(scratch, members * linear * sizeof(float));
    all->moments = moments_new(scratch, members * op->channels);
    all->conv = conv_new(scratch, plan, op, precision, blocks, members);
}

size_t conv_bn_relu_scratch_bytes(const struct plan *plan, const struct op *op, enum precision precision, int blocks,
                                  int members)
{
    struct workspace scratch = {0};
    struct conv_bn_relu all;
    bn_new(&scratch, plan, op, blocks);
    take_scratch(&scratch, plan, op, precision, blocks, members, &all);
    return scratch.used;
}

static struct conv_bn_relu begin(const struct op_run *run, bool training)
{
    struct workspace scratch = {run->scratch, 0};
    struct conv_bn_relu all = {.bn = bn_begin(&scratch, run, training)};
    take_scratch(&scratch, run->plan, run->op, run->precision, all.bn.blocks, run->members, &all);
    return all;
}

static void linear_part(const struct op_run *run, const struct conv *c, const struct pass *pass, int block, int member,
                        float *out, const struct moments *moments)
{
    const float *x = (const float *)run->x + map_at(&c->in, 0, 0, 0) + block * c->in.block_stride;
    conv_pass_run(c, pass, member, &c->in, x, out, moments);
}

static void infer_item(void *context, int block, int member)
{
    const struct conv_bn_relu *all = context;
    float *linear = all->member_linear + member * all->conv.linear.block_stride;
    linear_part(all->bn.run, &all->conv, &all->pass, block, member, linear, NULL);
    bn_forward_block(&all->bn, block, linear);
}

static void train_item(void *context, int block, int member)
{
    const struct conv_bn_relu *all = context;
    const struct op_run *run = all->bn.run;
    int channels = run->op->channels, images = images_in(run->count, block);
    struct bn_sums *sums = all->bn.sums + (size_t)block * channels;
    struct moments moments = moments_of(&all->moments, channels, member);
    float *linear = all->bn.linear + block * all->conv.linear.block_stride;
    memset(sums, 0, (size_t)channels * sizeof *sums);
    moments_clear(&moments, channels);
    linear_part(run, &all->conv, &all->pass, block, member, linear, images == BLOCK ? &moments : NULL);
    if (images == BLOCK)
        bn_add_moments(sums, channels, &moments);
    else
        bn_add_values(sums, &all->conv.linear, linear, images);
}

void ISA_SYMBOL(conv_bn_relu_forward)(const struct op_run *run)
{
    struct conv_bn_relu all = begin(run, run->training);
    all.pass = conv_forward_begin(&all.conv, run->values + run->op->weights.weight, all.bn.minus_shift, run->team);
    if (run->training) {
        team_do(run->team, all.bn.blocks, train_item, &all);
        bn_batch_statistics(&all.bn, all.bn.blocks);
        bn_forward(&all.bn);
    } else {
        bn_running_statistics(&all.bn);
        team_do(run->team, all.bn.blocks, infer_item, &all);
    }
}

static void bn_gradient(const void *context, int block, float *out)
{
    const struct conv_bn_relu *all = context;
    bn_backward_block(&all->bn, block, &all->conv.gradient, out);
}

void ISA_SYMBOL(conv_bn_relu_backward)(const struct op_run *run)
{
    struct conv_bn_relu all = begin(run, true);
    bn_gradient_sums(&all.bn);
    gradients_run(run, &all.conv, bn_gradient, &all);
}

/* --- OP_CONV --- */

size_t conv_scratch_bytes(const struct plan *plan, const struct op *op, enum precision precision, int blocks,
                          int members)
{
    struct workspace scratch = {0};
    conv_new(&scratch, plan, op, precision, blocks, members);
    return scratch.used;
}

struct conv_alone {
    const struct op_run *run;
    struct map out;
    struct conv conv;
    struct pass pass;
};

static struct conv_alone conv_begin(const struct op_run *run)
{
    struct conv_alone all = {.run = run, .out = map_of(&run->plan->tensors[run->op->output])};
    ASSERT(all.out.border == 0);
    all.conv = conv_new(&(struct workspace){run->scratch, 0}, run->plan, run->op, run->precision, blocks_of(run->count),
                        run->members);
    return all;
}

static void conv_item(void *context, int block, int member)
{
    const struct conv_alone *all = context;
    float *y = (float *)all->run->y + block * all->out.block_stride;
    for (int k = 0; k < all->out.channels; k++)
        map_clear_border(&all->out, y + k * all->out.plane);
    linear_part(all->run, &all->conv, &all->pass, block, member, y, NULL);
}

void ISA_SYMBOL(conv_forward)(const struct op_run *run)
{
    struct conv_alone all = conv_begin(run);
    all.pass = conv_forward_begin(&all.conv, run->values + run->op->weights.weight, NULL, run->team);
    team_do(run->team, blocks_of(run->count), conv_item, &all);
}

/* A copy with the border that the input gradient wants. */
static void copy_gradient(const void *context, int block, float *to)
{
    const struct conv_alone *all = context;
    const struct map *out = &all->out, *gradient = &all->conv.gradient;
    const float *from = (const float *)all->run->dy + block * out->block_stride;
    for (int k = 0; k < out->channels; k++)
        for (int y = 0; y < out->height; y++)
            memcpy(to + map_at(gradient, k, y, 0), from + map_at(out, k, y, 0), out->pitch * sizeof *to);
}

void ISA_SYMBOL(conv_backward)(const struct op_run *run)
{
    struct conv_alone all = conv_begin(run);
    gradients_run(run, &all.conv, copy_gradient, &all);
}
