/*
 * op_conv.c - OP_CONV_BN_RELU: convolution, BN, ReLU and the pool behind them; OP_CONV_BN_ADD: convolution, BN and an
 * addend; OP_CONV: the convolution by itself.
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

/* The first items are the shares of the weight gradient, the others the blocks' input gradients. */
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

struct conv_layer {
    const struct op_run *run;
    struct map out;
    struct conv conv;
    struct pass pass;
    /* With a BN. */
    struct bn bn;
    float *member_linear;   /* scratch: in inference, a linear part for each member */
    struct moments moments; /* scratch: for each member */
};

/* Takes the scratch but for bn's. */
static struct conv_layer layer_new(struct workspace *scratch, const struct plan *plan, const struct op *op,
                                   enum precision precision, int blocks, int members)
{
    struct conv_layer layer = {.out = map_of(&plan->tensors[op->output])};
    if (op_has_bn(op)) {
        size_t linear = map_new(op->channels, op->height, op->width, 0).block_stride;
        layer.member_linear = workspace_take(scratch, members * linear * sizeof(float));
        layer.moments = moments_new(scratch, members * op->channels);
    }
    layer.conv = conv_new(scratch, plan, op, precision, blocks, members);
    return layer;
}

size_t conv_scratch_bytes(const struct plan *plan, const struct op *op, enum precision precision, int blocks,
                          int members)
{
    struct workspace scratch = {0};
    layer_new(&scratch, plan, op, precision, blocks, members);
    if (op_has_bn(op))
        bn_new(&scratch, plan, op, blocks);
    return scratch.used;
}

static struct conv_layer layer_begin(const struct op_run *run, bool training)
{
    struct workspace scratch = {run->scratch, 0};
    struct conv_layer layer =
        layer_new(&scratch, run->plan, run->op, run->precision, blocks_of(run->count), run->members);
    layer.run = run;
    if (op_has_bn(run->op))
        layer.bn = bn_begin(&scratch, run, training);
    return layer;
}

/* The convolution of one block.  Where a BN follows, its sums start from minus the BN's shift (bn.h). */
static void linear_part(const struct conv_layer *layer, int block, int member, float *out,
                        const struct moments *moments)
{
    const struct conv *c = &layer->conv;
    const float *x = (const float *)layer->run->x + map_at(&c->in, 0, 0, 0) + block * c->in.block_stride;
    conv_pass_run(c, &layer->pass, member, &c->in, x, out, moments);
}

static void infer_item(void *context, int block, int member)
{
    const struct conv_layer *layer = context;
    float *linear = layer->member_linear + member * layer->conv.linear.block_stride;
    linear_part(layer, block, member, linear, NULL);
    bn_forward_block(&layer->bn, block, linear);
}

static void train_item(void *context, int block, int member)
{
    const struct conv_layer *layer = context;
    int channels = layer->run->op->channels, images = images_in(layer->run->count, block);
    struct bn_sums *sums = layer->bn.sums + (size_t)block * channels;
    struct moments moments = moments_of(&layer->moments, channels, member);
    float *linear = layer->bn.linear + block * layer->conv.linear.block_stride;
    memset(sums, 0, (size_t)channels * sizeof *sums);
    moments_clear(&moments, channels);
    linear_part(layer, block, member, linear, images == BLOCK ? &moments : NULL);
    if (images == BLOCK)
        bn_add_moments(sums, channels, &moments);
    else
        bn_add_values(sums, &layer->conv.linear, linear, images);
}

void ISA_SYMBOL(conv_bn_relu_forward)(const struct op_run *run)
{
    struct conv_layer layer = layer_begin(run, run->training);
    layer.pass =
        conv_forward_begin(&layer.conv, run->values + run->op->weights.weight, layer.bn.minus_shift, run->team);
    if (run->training) {
        team_do(run->team, layer.bn.blocks, train_item, &layer);
        bn_batch_statistics(&layer.bn, layer.bn.blocks);
        bn_forward(&layer.bn);
    } else {
        bn_running_statistics(&layer.bn);
        team_do(run->team, layer.bn.blocks, infer_item, &layer);
    }
}

static void bn_gradient(const void *context, int block, float *out)
{
    const struct conv_layer *layer = context;
    bn_backward_block(&layer->bn, block, &layer->conv.gradient, out);
}

void ISA_SYMBOL(conv_bn_relu_backward)(const struct op_run *run)
{
    struct conv_layer layer = layer_begin(run, true);
    bn_gradient_sums(&layer.bn);
    gradients_run(run, &layer.conv, bn_gradient, &layer);
}

void ISA_SYMBOL(conv_bn_add_forward)(const struct op_run *run)
{
    ISA_SYMBOL(conv_bn_relu_forward)(run);
}

void ISA_SYMBOL(conv_bn_add_backward)(const struct op_run *run)
{
    ISA_SYMBOL(conv_bn_relu_backward)(run);
}

static void conv_item(void *context, int block, int member)
{
    const struct conv_layer *layer = context;
    float *y = (float *)layer->run->y + block * layer->out.block_stride;
    for (int k = 0; k < layer->out.channels; k++)
        map_clear_border(&layer->out, y + k * layer->out.plane);
    linear_part(layer, block, member, y, NULL);
}

void ISA_SYMBOL(conv_forward)(const struct op_run *run)
{
    struct conv_layer layer = layer_begin(run, run->training);
    ASSERT(layer.out.border == 0);
    layer.pass = conv_forward_begin(&layer.conv, run->values + run->op->weights.weight, NULL, run->team);
    team_do(run->team, blocks_of(run->count), conv_item, &layer);
}

/* A copy with the border that the input gradient wants. */
static void copy_gradient(const void *context, int block, float *to)
{
    const struct conv_layer *layer = context;
    const struct map *out = &layer->out, *gradient = &layer->conv.gradient;
    const float *from = (const float *)layer->run->dy + block * out->block_stride;
    for (int k = 0; k < out->channels; k++)
        for (int y = 0; y < out->height; y++)
            memcpy(to + map_at(gradient, k, y, 0), from + map_at(out, k, y, 0), out->pitch * sizeof *to);
}

void ISA_SYMBOL(conv_backward)(const struct op_run *run)
{
    struct conv_layer layer = layer_begin(run, true);
    gradients_run(run, &layer.conv, copy_gradient, &layer);
}
