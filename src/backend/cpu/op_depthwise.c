/*
 * op_depthwise.c - OP_DEPTHWISE_BN_RELU: a convolution whose output channels read one input channel each, BN and ReLU.
 *
 * Channels are independent, statistics included.  So an item of a loop is one channel in all blocks: its planes stay in
 * the cache from the convolution to the ReLU, and in backward from BN's sums to both gradients.  No sum is shared.
 *
 * The input gradient is a convolution of the output's gradient with the flipped kernel.  With stride s the input's
 * pixels fall into s x s phases, as in conv.h: each is a pass with the taps that lead to it.
 *
 * In a walk this operation may apply the BN before it (bn.h), plane by plane, where the convolution and in backward the
 * weight gradient read it.  Then the gradient of the input stays in the cache as well: the BN's own backward pass over
 * the channel follows, and what it leaves takes the place of what the BN saved.
 *
 * It may also compute the gradients of the 1×1 convolution behind it.  Then an item of backward is a few channels: the
 * gradient of their output is a product of few rows, computed from the gradient of the 1×1 convolution's linear part,
 * which is small and stays in the cache from item to item.  It is written nowhere else.
 *
 * All of it is float32 whatever the precision: time goes into memory, and pairs would not make tensors smaller.
 */
#include "backend/cpu/operations.h"

#include "backend/cpu/bn.h"
#include "backend/cpu/depthwise.h"
#include "backend/cpu/gemm.h"
#include "util/bug.h"

enum { TAPS_MAX = ARCH_KERNEL_MAX * ARCH_KERNEL_MAX };

struct depthwise {
    const struct op_run *run;
    int kernel, stride;
    struct map in;
    struct map gradient; /* one channel of the output's, with the border that the input gradient wants */
    struct bn bn;
    float *planes; /* scratch: of map `gradient`, for each member */
    /* Where this operation applies the BN before it. */
    bool applies;
    struct bn writer;
    struct map applied;     /* one channel of the input */
    float *applied_planes;  /* scratch: for each member */
    float *input_gradients; /* scratch: of one channel in all blocks, for each member */
    /* Where it computes the gradients of the 1×1 convolution behind it. */
    const struct op_run *reader; /* or NULL */
    struct bn reader_bn;
    struct map group;        /* GROUP channels of the output's gradient */
    float *group_gradients;  /* scratch: in all blocks, for each member */
    struct map strip;        /* OUTER_STRIP pixels of GROUP channels of the output */
    float *strips;           /* scratch: for each member */
    int32_t *reader_offsets; /* scratch: of the gradient's channels */
    int32_t *strip_offsets;
};

/* Channels whose gradients are computed together: as many as a tile of gemm.h has rows. */
enum { GROUP = 4 };

static void take_group(struct workspace *scratch, const struct op *op, int blocks, int members, struct depthwise *layer)
{
    int rows = OUTER_STRIP / op->width;
    rows = rows < 1 ? 1 : rows < op->height ? rows : op->height;
    layer->group = map_new(GROUP, op->height, op->width, 0);
    layer->strip = map_new(GROUP, rows, op->width, 0);
    layer->group_gradients =
        workspace_take(scratch, (size_t)members * blocks * layer->group.block_stride * sizeof(float));
    layer->strips = workspace_take(scratch, members * layer->strip.block_stride * sizeof(float));
    layer->reader_offsets = workspace_take(scratch, op[1].channels * sizeof(int32_t));
    layer->strip_offsets = workspace_take(scratch, op->channels * sizeof(int32_t));
}

/* Takes the scratch but for bn's. */
static struct depthwise depthwise_new(struct workspace *scratch, const struct plan *plan, const struct op *op,
                                      int blocks, int members)
{
    struct depthwise layer = {.kernel = op->kernel, .stride = op->stride};
    layer.in = map_of(&plan->tensors[op->inputs[0]]);
    layer.gradient = map_new(1, op->height, op->width, op->kernel / 2);
    layer.planes = workspace_take(scratch, members * layer.gradient.plane * sizeof(float));
    layer.applied = map_new(1, layer.in.height, layer.in.width, layer.in.border);
    size_t plane = members * layer.applied.plane * sizeof(float);
    if (bn_writer_op(plan, op)) {
        layer.applied_planes = workspace_take(scratch, plane);
        layer.input_gradients = workspace_take(scratch, blocks * plane);
    }
    if (bn_reader_op(plan, op))
        take_group(scratch, op, blocks, members, &layer);
    ASSERT(layer.in.border >= op->kernel / 2 && layer.in.channels == op->channels);
    return layer;
}

size_t depthwise_scratch_bytes(const struct plan *plan, const struct op *op, int blocks, int members)
{
    struct workspace scratch = {0};
    depthwise_new(&scratch, plan, op, blocks, members);
    bn_new(&scratch, plan, op, blocks);
    if (bn_writer_op(plan, op))
        bn_new(&scratch, plan, bn_writer_op(plan, op), blocks);
    if (bn_reader_op(plan, op))
        bn_new(&scratch, plan, bn_reader_op(plan, op), blocks);
    return scratch.used;
}

static void begin_group(struct workspace *scratch, struct depthwise *layer)
{
    layer->reader_bn = bn_begin(scratch, layer->reader, true);
    for (int k = 0; k < layer->reader->op->channels; k++)
        layer->reader_offsets[k] = k * (int32_t)layer->reader_bn.in.plane;
    for (int k = 0; k < layer->run->op->channels; k++)
        layer->strip_offsets[k] = k % GROUP * (int32_t)layer->strip.plane;
}

static struct depthwise depthwise_begin(const struct op_run *run, bool training)
{
    struct workspace scratch = {run->scratch, 0};
    struct depthwise layer = depthwise_new(&scratch, run->plan, run->op, blocks_of(run->count), run->members);
    layer.run = run;
    layer.bn = bn_begin(&scratch, run, training);
    layer.applies = bn_writer_of(run);
    if (layer.applies)
        layer.writer = bn_begin(&scratch, bn_writer_of(run), training);
    layer.reader = bn_reader_of(run);
    if (layer.reader && bn_leaves_gradients(layer.reader))
        begin_group(&scratch, &layer);
    else
        layer.reader = NULL;
    return layer;
}

static float *member_plane(const struct depthwise *layer, int member)
{
    return layer->planes + member * layer->gradient.plane;
}

static const float *kernel_of(const struct depthwise *layer, int channel)
{
    return layer->run->values + layer->run->op->weights.weight + (ptrdiff_t)channel * layer->kernel * layer->kernel;
}

/* Once an item. */
static void clear_applied(const struct depthwise *layer, int member)
{
    if (layer->applies)
        map_clear_border(&layer->applied, layer->applied_planes + member * layer->applied.plane);
}

/* A plane of the input, which may be the member's own. */
static const float *input_plane(const struct depthwise *layer, int block, int channel, int member)
{
    const struct map *in = &layer->in;
    if (!layer->applies)
        return (const float *)layer->run->x + block * in->block_stride + channel * in->plane;
    float *plane = layer->applied_planes + member * layer->applied.plane;
    bn_apply_rows(&layer->writer, block, channel, 0, in->height, &layer->applied, plane);
    return plane;
}

/* The plane of the BN before this operation that is read after this one. */
static const float *next_plane(const struct depthwise *layer, int block, int channel)
{
    const struct bn *writer = &layer->writer;
    if (!layer->applies || layer->stride > 1)
        return NULL;
    if (++block == writer->blocks) {
        block = 0;
        channel++;
    }
    return channel < writer->in.channels ? writer->linear + block * writer->in.block_stride + channel * writer->in.plane
                                         : NULL;
}

/* What the first tap multiplies for the first output. */
static const float *first_input(const struct depthwise *layer, int block, int channel, int member)
{
    const struct map *in = &layer->in;
    return input_plane(layer, block, channel, member) + (size_t)(in->border - layer->kernel / 2) * (in->pitch + BLOCK);
}

/* The convolution of one plane, less BN's shift (bn.h). */
static void linear_plane(const struct depthwise *layer, int block, int channel, int member, float *out)
{
    const struct map *linear = &layer->bn.in;
    slide_run(&(struct slide){.rows = layer->kernel,
                              .columns = layer->kernel,
                              .step = layer->stride,
                              .weights = kernel_of(layer, channel),
                              .bias = layer->bn.minus_shift[channel],
                              .height = linear->height,
                              .width = linear->width,
                              .x = first_input(layer, block, channel, member),
                              .x_pitch = layer->in.pitch,
                              .out = out,
                              .out_pitch = linear->pitch,
                              .out_step = BLOCK,
                              .ahead = next_plane(layer, block, channel)});
}

static void infer_item(void *context, int channel, int member)
{
    const struct depthwise *layer = context;
    for (int block = 0; block < layer->bn.blocks; block++) {
        linear_plane(layer, block, channel, member, member_plane(layer, member));
        bn_forward_plane(&layer->bn, block, channel, member_plane(layer, member));
    }
}

/* BN takes the last block first: it is still in the cache. */
static void train_item(void *context, int channel, int member)
{
    const struct depthwise *layer = context;
    const struct bn *bn = &layer->bn;
    float *linear = bn->linear + channel * bn->in.plane;
    clear_applied(layer, member);
    for (int block = 0; block < bn->blocks; block++) {
        float *plane = linear + block * bn->in.block_stride;
        linear_plane(layer, block, channel, member, plane);
        bn->sums[block * bn->in.channels + channel] =
            bn_sum_plane(&bn->in, plane, 0, images_in(layer->run->count, block));
    }
    bn_channel_statistics(bn, bn->blocks, channel);
    for (int block = bn->blocks - 1; block >= 0 && !bn_reader_of(layer->run); block--)
        bn_forward_plane(bn, block, channel, linear + block * bn->in.block_stride);
}

void ISA_SYMBOL(depthwise_forward)(const struct op_run *run)
{
    struct depthwise layer = depthwise_begin(run, run->training);
    if (!run->training)
        bn_running_statistics(&layer.bn);
    team_do(run->team, run->op->channels, run->training ? train_item : infer_item, &layer);
}

/* The taps that lead to one phase of the input's rows (or columns), the last tap first: last, last - stride, …  Output
   `first` + i is what the last multiplies for the phase's pixel i. */
struct phase {
    int last, count, first;
};

static struct phase phase_of(int kernel, int stride, int phase)
{
    int pad = kernel / 2, lowest = (phase + pad) % stride;
    if (lowest >= kernel)
        return (struct phase){0};
    int count = (kernel - 1 - lowest) / stride + 1, last = lowest + (count - 1) * stride;
    return (struct phase){last, count, (phase + pad - last) / stride};
}

static void input_gradient_phase(const struct depthwise *layer, int block, int channel, int y, int x,
                                 const float *gradient, float *dx)
{
    int kernel = layer->kernel, stride = layer->stride;
    struct phase rows = phase_of(kernel, stride, y), columns = phase_of(kernel, stride, x);
    const float *from = kernel_of(layer, channel);
    float weights[TAPS_MAX], *to = weights;
    for (int row = 0; row < rows.count; row++)
        for (int column = 0; column < columns.count; column++)
            *to++ = from[(rows.last - row * stride) * kernel + columns.last - column * stride];
    slide_run(&(struct slide){.rows = rows.count,
                              .columns = columns.count,
                              .step = 1,
                              .weights = weights,
                              .height = (layer->in.height - y + stride - 1) / stride,
                              .width = (layer->in.width - x + stride - 1) / stride,
                              .x = gradient + map_at(&layer->gradient, 0, rows.first, columns.first),
                              .x_pitch = layer->gradient.pitch,
                              .out = dx + map_at(&layer->in, 0, y, x),
                              .out_pitch = layer->in.pitch * (size_t)stride,
                              .out_step = (size_t)BLOCK * (size_t)stride,
                              .ahead = next_plane(layer, block, channel)});
}

static void weight_gradient_plane(const struct depthwise *layer, int block, int channel, int member,
                                  const float *gradient, double *sums)
{
    const struct map *map = &layer->gradient;
    outer_product_run(&(struct outer_product){.step = layer->stride,
                                              .height = map->height,
                                              .width = map->width,
                                              .x = first_input(layer, block, channel, member),
                                              .x_pitch = layer->in.pitch,
                                              .d = gradient + map_at(map, 0, 0, 0),
                                              .d_pitch = map->pitch,
                                              .sums = sums,
                                              .ahead = channel + GROUP < layer->bn.in.channels
                                                           ? layer->bn.linear + block * layer->bn.in.block_stride +
                                                                 (channel + GROUP) * layer->bn.in.plane
                                                           : NULL},
                      layer->kernel);
}

/* --- the gradients of the 1×1 convolution behind this one, channels `first` … `last` - 1 of its input --- */

static void reader_weight_gradient(const struct depthwise *layer, int block, int first, int last, int member)
{
    const struct map *from = &layer->reader_bn.in;
    const struct op *op = layer->reader->op;
    float *strip = layer->strips + member * layer->strip.block_stride;
    struct outer outer = {
        .rows = op->channels,
        .columns = layer->run->op->channels,
        .first = first,
        .last = last,
        .gradient = layer->run->gradients + op->weights.weight,
        .offsets = layer->strip_offsets,
        .width = from->width,
        .x_pitch = (ptrdiff_t)layer->strip.pitch,
        .x_step = BLOCK,
        .d_plane = (ptrdiff_t)from->plane,
        .d_pitch = (ptrdiff_t)from->pitch,
        .d_step = BLOCK,
    };
    for (int y = 0; y < from->height; y += outer.height) {
        outer.height = from->height - y < layer->strip.height ? from->height - y : layer->strip.height;
        for (int k = first; k < last; k++)
            bn_apply_rows(&layer->bn, block, k, y, outer.height, &layer->strip, strip + layer->strip_offsets[k]);
        outer_run(&outer, strip, layer->reader_bn.linear + block * from->block_stride + (size_t)y * from->pitch);
    }
}

static void reader_input_gradient(const struct depthwise *layer, int block, int first, int last, float *dx)
{
    const struct map *from = &layer->reader_bn.in;
    const struct op *op = layer->reader->op;
    struct gemm gemm = {
        .rows = last - first,
        .columns = op->channels,
        .weights = layer->run->values + op->weights.weight + first,
        .weight_row = 1,
        .weight_column = layer->run->op->channels,
        .offsets = layer->reader_offsets,
        .height = from->height,
        .width = from->width,
        .x_pitch = (ptrdiff_t)from->pitch,
        .x_step = BLOCK,
        .out_plane = (ptrdiff_t)layer->group.plane,
        .out_pitch = (ptrdiff_t)layer->group.pitch,
        .out_step = BLOCK,
    };
    gemm_run(&gemm, layer->reader_bn.linear + block * from->block_stride, dx, NULL);
}

/* --- backward --- */

static void backward_channel(const struct depthwise *layer, const struct bn *bn, int channel, int member)
{
    const struct op_run *run = layer->run;
    int taps = layer->kernel * layer->kernel, stride = layer->stride;
    float *gradient = member_plane(layer, member);
    float *weights = run->gradients + run->op->weights.weight + (ptrdiff_t)channel * taps;
    double sums[TAPS_MAX] = {0};
    struct map to = layer->in; /* of the input's gradient */
    float *dx = (float *)run->dx + (run->dx ? channel * to.plane : 0);
    if (layer->applies) {
        to.block_stride = layer->applied.plane;
        dx = layer->input_gradients + member * layer->writer.blocks * to.block_stride;
    }
    bn_channel_sums(bn, channel);
    map_clear_border(&layer->gradient, gradient);
    for (int block = 0; block < bn->blocks; block++) {
        bn_backward_plane(bn, block, channel, &layer->gradient, gradient);
        weight_gradient_plane(layer, block, channel, member, gradient, sums);
        for (int phase = 0; run->dx && phase < stride * stride; phase++)
            input_gradient_phase(layer, block, channel, phase / stride, phase % stride, gradient,
                                 dx + block * to.block_stride);
    }
    for (int tap = 0; tap < taps; tap++)
        weights[tap] = (float)sums[tap];
    if (!layer->applies)
        return;
    struct bn writer = layer->writer;
    writer.dy = dx;
    writer.dy_map = to;
    writer.dy_first = channel;
    bn_channel_sums(&writer, channel);
    bn_backward_in_place(&writer, channel);
}

static void backward_item(void *context, int item, int member)
{
    const struct depthwise *layer = context;
    int channels = layer->run->op->channels, first = item * GROUP;
    int last = first + GROUP < channels ? first + GROUP : channels;
    struct bn bn = layer->bn;
    clear_applied(layer, member);
    if (layer->reader) {
        float *gradients = layer->group_gradients + member * bn.blocks * layer->group.block_stride;
        for (int block = 0; block < bn.blocks; block++) {
            reader_weight_gradient(layer, block, first, last, member);
            reader_input_gradient(layer, block, first, last, gradients + block * layer->group.block_stride);
        }
        bn.dy = gradients;
        bn.dy_map = layer->group;
        bn.dy_first = first;
    }
    for (int channel = first; channel < last; channel++)
        backward_channel(layer, &bn, channel, member);
}

void ISA_SYMBOL(depthwise_backward)(const struct op_run *run)
{
    struct depthwise layer = depthwise_begin(run, true);
    team_do(run->team, (run->op->channels + GROUP - 1) / GROUP, backward_item, &layer);
}
