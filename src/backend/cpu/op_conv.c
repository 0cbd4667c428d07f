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
 * In a walk a 1×1 convolution may apply the BN of the operation before it (bn.h).  Then it makes the input in strips of
 * rows, as many as the weight gradient takes at once (gemm.c).  Where a reader applies this operation's BN, forward
 * ends with the statistics, and backward finds the gradient of the linear part where that was saved.
 *
 * Each loop over blocks is a team's (util/team.h).  Sums over the batch are made for each block and added in the order
 * of the blocks.
 */
#include "backend/cpu/operations.h"

#include "backend/cpu/bn.h"
#include "backend/cpu/conv.h"
#include "util/bug.h"

struct conv_layer {
    const struct op_run *run;
    struct map in, out;
    struct conv conv;
    struct pass pass;
    /* With a BN. */
    struct bn bn;
    float *member_linear;   /* scratch: in inference, a linear part for each member */
    struct moments moments; /* scratch: for each member */
    /* Where this operation applies the BN before it. */
    bool applies;
    struct bn writer;
    struct map strip; /* of the input */
    float *strips;    /* scratch: for each member */
};

/* Writes the output gradient of one block to `out`, of map `conv.gradient`, but for its border. */
typedef void gradient_writer(const struct conv_layer *layer, int block, float *out);

struct round {
    const struct conv_layer *layer;
    gradient_writer *write; /* NULL: the gradient is in its place */
    struct pass pass;
    int shares;       /* of the weight gradient */
    int first, count; /* blocks */
};

static float *round_gradient(const struct round *round, int block)
{
    const struct conv *c = &round->layer->conv;
    if (!round->write)
        return round->layer->bn.linear + block * c->gradient.block_stride;
    return c->gradients + (block - round->first) * c->gradient.block_stride;
}

/* Rows `y` to y + rows - 1 of one block of the input, channels `first` … `last` - 1. */
static const float *apply_strip(const struct conv_layer *layer, int block, int member, int y, int rows, int first,
                                int last)
{
    float *strip = layer->strips + member * layer->strip.block_stride;
    for (int k = first; k < last; k++)
        bn_apply_rows(&layer->writer, block, k, y, rows, &layer->strip, strip + k * layer->strip.plane);
    return strip;
}

/* Rows of the strip from row `y` on. */
static int strip_rows(const struct conv_layer *layer, int y)
{
    int left = layer->conv.linear.height - y;
    return left < layer->strip.height ? left : layer->strip.height;
}

static void weight_gradient_strips(const struct round *round, int share, int member, int block)
{
    const struct conv_layer *layer = round->layer;
    struct conv c = layer->conv;
    const float *gradient = round_gradient(round, block);
    int height = c.linear.height, first = conv_share(c.inputs, 1, share, round->shares),
        last = conv_share(c.inputs, 1, share + 1, round->shares);
    for (int y = 0; y < height; y += layer->strip.height) {
        c.linear.height = strip_rows(layer, y);
        conv_weight_gradient_run(
            &c, share, round->shares, member, 1, apply_strip(layer, block, member, y, c.linear.height, first, last),
            gradient + (size_t)y * c.gradient.pitch, layer->run->gradients + layer->run->op->weights.weight);
    }
}

static void round_write_item(void *context, int item, int member)
{
    const struct round *round = context;
    int block = round->first + item;
    round->write(round->layer, block, round_gradient(round, block));
}

/* The first items are the shares of the weight gradient, the others the blocks' input gradients. */
static void round_gradients_item(void *context, int item, int member)
{
    const struct round *round = context;
    const struct op_run *run = round->layer->run;
    const struct conv *c = &round->layer->conv;
    if (item >= round->shares) {
        int block = round->first + item - round->shares;
        struct conv whole = *c;
        whole.in = round->layer->in;
        conv_input_gradient_run(&whole, &round->pass, member, round_gradient(round, block),
                                (float *)run->dx + block * round->layer->in.block_stride);
        return;
    }
    int last = round->first + round->count;
    for (int block = round->first, count; block < last; block += count) {
        if (round->layer->applies) {
            weight_gradient_strips(round, item, member, block);
            count = 1;
            continue;
        }
        count = last - block < c->blocks_at_once ? last - block : c->blocks_at_once;
        conv_weight_gradient_run(c, item, round->shares, member, count,
                                 (const float *)run->x + block * c->in.block_stride, round_gradient(round, block),
                                 run->gradients + run->op->weights.weight);
    }
}

static void round_end_item(void *context, int item, int member)
{
    const struct round *round = context;
    const struct op_run *run = round->layer->run;
    conv_weight_gradient_end(&round->layer->conv, item, round->shares, run->gradients + run->op->weights.weight);
}

static void gradients_run(const struct conv_layer *layer, gradient_writer *write)
{
    const struct op_run *run = layer->run;
    const struct conv *c = &layer->conv;
    struct round round = {.layer = layer, .write = write};
    int blocks = blocks_of(run->count), columns = c->inputs * (c->tile ? 1 : c->kernel * c->kernel);
    int present = team_size(run->team), step = present > 1 ? c->round_blocks : c->blocks_at_once;
    round.shares = present < columns ? present : columns;
    for (int plane = 0; write && plane < step * c->outputs; plane++)
        map_clear_border(&c->gradient, c->gradients + plane * c->gradient.plane);
    conv_weight_gradient_begin(c, run->gradients + run->op->weights.weight);
    if (run->dx)
        round.pass = conv_input_gradient_begin(c, run->values + run->op->weights.weight, run->team);
    for (; round.first < blocks; round.first += round.count) {
        round.count = blocks - round.first < step ? blocks - round.first : step;
        if (write)
            team_do(run->team, round.count, round_write_item, &round);
        team_do(run->team, round.shares + (run->dx ? round.count : 0), round_gradients_item, &round);
    }
    team_do(run->team, round.shares, round_end_item, &round);
}

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
    layer.in = layer.conv.in;
    if (bn_writer_op(plan, op)) {
        int rows = OUTER_STRIP / op->width;
        rows = rows < 1 ? 1 : rows < op->height ? rows : op->height;
        layer.strip = map_new(layer.conv.inputs, rows, op->width, 0);
        layer.strips = workspace_take(scratch, members * layer.strip.block_stride * sizeof(float));
    }
    return layer;
}

size_t conv_scratch_bytes(const struct plan *plan, const struct op *op, enum precision precision, int blocks,
                          int members)
{
    struct workspace scratch = {0};
    layer_new(&scratch, plan, op, precision, blocks, members);
    if (op_has_bn(op))
        bn_new(&scratch, plan, op, blocks);
    if (bn_writer_op(plan, op))
        bn_new(&scratch, plan, bn_writer_op(plan, op), blocks);
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
    layer.applies = bn_writer_of(run);
    if (layer.applies) {
        layer.writer = bn_begin(&scratch, bn_writer_of(run), training);
        layer.conv.in = layer.strip;
    }
    return layer;
}

/* The convolution of one block.  Where a BN follows, its sums start from minus the BN's shift (bn.h). */
static void linear_part(const struct conv_layer *layer, int block, int member, float *out,
                        const struct moments *moments)
{
    const struct conv *c = &layer->conv;
    struct pass pass = layer->pass;
    if (!layer->applies) {
        const float *x = (const float *)layer->run->x + map_at(&c->in, 0, 0, 0) + block * c->in.block_stride;
        conv_pass_run(c, &pass, member, &c->in, x, out, moments);
        return;
    }
    for (int y = 0; y < c->linear.height; y += pass.gemm.height) {
        pass.gemm.height = strip_rows(layer, y);
        const float *x = apply_strip(layer, block, member, y, pass.gemm.height, 0, c->inputs);
        conv_pass_run(c, &pass, member, &c->in, x, out + (size_t)y * c->linear.pitch, moments);
    }
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
        if (!bn_reader_of(run))
            bn_forward(&layer.bn);
    } else {
        bn_running_statistics(&layer.bn);
        team_do(run->team, layer.bn.blocks, infer_item, &layer);
    }
}

static void bn_gradient(const struct conv_layer *layer, int block, float *out)
{
    bn_backward_block(&layer->bn, block, &layer->conv.gradient, out);
}

/* A copy with the border that the input gradient wants; `from` is of map `map`. */
static void copy_block(const struct map *map, const float *from, const struct map *gradient, float *to)
{
    for (int k = 0; k < map->channels; k++)
        for (int y = 0; y < map->height; y++)
            memcpy(to + map_at(gradient, k, y, 0), from + map_at(map, k, y, 0), map->pitch * sizeof *to);
}

static void copy_linear(const struct conv_layer *layer, int block, float *to)
{
    const struct map *linear = &layer->bn.in;
    copy_block(linear, layer->bn.linear + block * linear->block_stride, &layer->conv.gradient, to);
}

/* The operation before this one does the rest. */
static void leave_gradients(const struct conv_layer *layer, bool in_place)
{
    const struct op_run *run = layer->run;
    conv_weight_gradient_begin(&layer->conv, run->gradients + run->op->weights.weight);
    for (int k = 0; k < run->op->channels && !in_place; k++)
        bn_backward_in_place(&layer->bn, k);
}

void ISA_SYMBOL(conv_bn_relu_backward)(const struct op_run *run)
{
    struct conv_layer layer = layer_begin(run, true);
    const struct op_run *reader = bn_reader_of(run);
    bool in_place = reader && reader->op->kind == OP_DEPTHWISE_BN_RELU;
    if (!in_place)
        bn_gradient_sums(&layer.bn);
    if (bn_leaves_gradients(run)) {
        leave_gradients(&layer, in_place);
    } else if (in_place && run->op->kernel == 1) {
        layer.conv.gradient = layer.bn.in;
        gradients_run(&layer, NULL);
    } else {
        gradients_run(&layer, in_place ? copy_linear : bn_gradient);
    }
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

static void copy_gradient(const struct conv_layer *layer, int block, float *to)
{
    copy_block(&layer->out, (const float *)layer->run->dy + block * layer->out.block_stride, &layer->conv.gradient, to);
}

void ISA_SYMBOL(conv_backward)(const struct op_run *run)
{
    struct conv_layer layer = layer_begin(run, true);
    gradients_run(&layer, copy_gradient);
}
