/* bn.c - BN, ReLU and pool, or BN and addend (bn.h), forward: channel by channel and block by block. */
#include "backend/cpu/bn_parts.h"

#include <math.h>

/* --- memory --- */

static void take_saved(struct workspace *saved, const struct op *op, struct bn *bn)
{
    if (op->kind != OP_BN_RELU)
        bn->linear = workspace_take(saved, bn->blocks * bn->in.block_stride * sizeof(float));
    if (op->pool == POOL_MAX)
        bn->selected = workspace_take(saved, bn->blocks * bn->selected_block * sizeof(float));
    bn->mean = workspace_take(saved, op->channels * sizeof(float));
    bn->inverse_std = workspace_take(saved, op->channels * sizeof(float));
}

struct bn bn_new(struct workspace *scratch, const struct plan *plan, const struct op *op, int blocks)
{
    struct bn bn = {.out = map_of(&plan->tensors[op->output]), .blocks = blocks};
    bn.in = op->kind == OP_BN_RELU ? map_of(&plan->tensors[op->inputs[0]])
                                   : map_new(op->channels, op->height, op->width, 0);
    bn.addend = map_of(&plan->tensors[op->inputs[1]]);
    bn.selected_block = (size_t)op->channels * bn.out.height * bn.out.width * BLOCK;
    bn.mean = workspace_take(scratch, op->channels * sizeof(float));
    bn.inverse_std = workspace_take(scratch, op->channels * sizeof(float));
    bn.minus_shift = workspace_take(scratch, op->channels * sizeof(float));
    bn.sums = workspace_take(scratch, (size_t)blocks * op->channels * sizeof *bn.sums);
    return bn;
}

size_t bn_saved_bytes(const struct plan *plan, const struct op *op, int batch)
{
    struct workspace saved = {0};
    struct bn bn = bn_new(&(struct workspace){0}, plan, op, blocks_of(batch));
    take_saved(&saved, op, &bn);
    return saved.used;
}

/* The running mean to 8 binary digits: near enough, and sums of few digits stay exact, equal values equal. */
static float shift_of(float running_mean)
{
    uint32_t bits;
    memcpy(&bits, &running_mean, sizeof bits);
    bits &= 0xffff0000u;
    memcpy(&running_mean, &bits, sizeof bits);
    return running_mean;
}

struct bn bn_begin(struct workspace *scratch, const struct op_run *run, bool training)
{
    const struct op *op = run->op;
    struct bn bn = bn_new(scratch, run->plan, op, blocks_of(run->count));
    bn.run = run;
    bn.team = run->team;
    bn.dy = run->dy;
    bn.dy_map = bn.out;
    if (training)
        take_saved(&(struct workspace){run->saved, 0}, op, &bn);
    bn.x = op->kind == OP_BN_RELU ? run->x : bn.linear;
    for (int k = 0; k < op->channels; k++)
        bn.minus_shift[k] = -shift_of(run->values[op->weights.mean + k]);
    return bn;
}

/* --- neighbours in a walk --- */

static bool reads_buffer(const struct plan *plan, const struct op *op, int buffer)
{
    for (int k = 0; k < op_input_count(op); k++)
        if (plan->tensors[op->inputs[k]].buffer == buffer)
            return true;
    return false;
}

const struct op *bn_writer_op(const struct plan *plan, const struct op *op)
{
    const struct op *writer = op - 1;
    const struct tensor *tensor = &plan->tensors[op->inputs[0]];
    bool leaves = op > plan->ops && writer->output == op->inputs[0] && writer->pool == POOL_NONE &&
                  (writer->kind == OP_CONV_BN_RELU || writer->kind == OP_DEPTHWISE_BN_RELU);
    bool takes = op->kind == OP_DEPTHWISE_BN_RELU ||
                 ((op->kind == OP_CONV_BN_RELU || op->kind == OP_CONV_BN_ADD) && op->kernel == 1 && op->stride == 1);
    if (!leaves || !takes || tensor_buffer_channels(tensor) != tensor->channels)
        return NULL;
    if (op->kind == OP_CONV_BN_ADD && plan->tensors[op->inputs[1]].buffer == tensor->buffer)
        return NULL;
    for (const struct op *other = op + 1; other < plan->ops + plan->op_count; other++)
        if (reads_buffer(plan, other, tensor->buffer))
            return NULL;
    return writer;
}

const struct op *bn_reader_op(const struct plan *plan, const struct op *op)
{
    const struct op *reader = op + 1;
    return reader < plan->ops + plan->op_count && bn_writer_op(plan, reader) ? reader : NULL;
}

const struct op_run *bn_writer_of(const struct op_run *run)
{
    if (!run->walk || run->precision != PRECISION_F32)
        return NULL;
    const struct op *writer = bn_writer_op(run->plan, run->op);
    return writer ? &run->walk[writer - run->plan->ops] : NULL;
}

const struct op_run *bn_reader_of(const struct op_run *run)
{
    if (!run->walk || run->precision != PRECISION_F32)
        return NULL;
    const struct op *reader = bn_reader_op(run->plan, run->op);
    return reader ? &run->walk[reader - run->plan->ops] : NULL;
}

bool bn_leaves_gradients(const struct op_run *run)
{
    enum { CACHED = 5 << 18 }; /* bytes: most of a second-level cache of 2 MiB */
    const struct op_run *writer = bn_writer_of(run);
    struct map linear = map_new(run->op->channels, run->op->height, run->op->width, 0);
    return writer && writer->op->kind == OP_DEPTHWISE_BN_RELU && run->op->kind != OP_DEPTHWISE_BN_RELU &&
           run->op->pool == POOL_NONE && blocks_of(run->count) * linear.block_stride * sizeof(float) <= CACHED;
}

/* --- statistics --- */

void bn_add_moments(struct bn_sums *sums, int channels, const struct moments *moments)
{
    for (int k = 0; k < channels; k++) {
        sums[k].sum += vector_sum(vector_load(moments->sum_all + k * VECTOR_WIDTH));
        sums[k].square += vector_sum(vector_load(moments->square_all + k * VECTOR_WIDTH));
    }
}

void bn_add_values(struct bn_sums *sums, const struct map *map, const float *values, int images)
{
    for (int k = 0; k < map->channels; k++)
        for (int y = 0; y < map->height; y++)
            for (int x = 0; x < map->width; x++)
                for (int image = 0; image < images; image++) {
                    double value = values[map_at(map, k, y, x) + image];
                    sums[k].sum += value;
                    sums[k].square += value * value;
                }
}

struct bn_sums bn_sum_plane(const struct map *map, const float *plane, float bias, int images)
{
    int32_t mask[BLOCK] __attribute__((aligned(64)));
    vector sum = {0}, square = {0};
    for (int image = 0; image < BLOCK; image++)
        mask[image] = image < images ? -1 : 0;
    for (int y = 0; y < map->height; y++, plane += map->pitch) {
        vector row_sum[PARTS], row_square[PARTS];
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++)
            row_sum[part] = row_square[part] = (vector){0};
        for (size_t i = 0; i < map->pitch; i += BLOCK)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
                vector_bits real = *(const vector_bits *)(mask + part * VECTOR_WIDTH);
                vector value = vector_load(plane + i + part * VECTOR_WIDTH) + vector_all(bias);
                value = vector_where(real, value);
                row_sum[part] += value;
                row_square[part] += value * value;
            }
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++) {
            sum += row_sum[part];
            square += row_square[part];
        }
    }
    return (struct bn_sums){vector_sum(sum), vector_sum(square)};
}

void bn_channel_statistics(const struct bn *bn, int blocks, int channel)
{
    const struct op_run *run = bn->run;
    const struct op *op = run->op;
    float *running_mean = run->values + op->weights.mean + channel;
    float *running_variance = run->values + op->weights.variance + channel;
    double n = (double)run->count * op->height * op->width, decay = run->bn_decay;
    struct bn_sums sums = reduce_sums(bn, blocks, channel);
    double mean = sums.sum / n, variance = sums.square / n - mean * mean;
    variance = variance < 0 ? 0 : variance;
    bn->mean[channel] = (float)mean;
    bn->inverse_std[channel] = (float)(1 / sqrt(variance + BN_EPSILON));
    mean += shift_of(*running_mean);
    *running_mean = (float)(decay * *running_mean + (1 - decay) * mean);
    if (n > 1)
        *running_variance = (float)(decay * *running_variance + (1 - decay) * variance * n / (n - 1));
}

void bn_batch_statistics(const struct bn *bn, int blocks)
{
    for (int k = 0; k < bn->run->op->channels; k++)
        bn_channel_statistics(bn, blocks, k);
}

void bn_running_statistics(const struct bn *bn)
{
    const struct op_run *run = bn->run;
    for (int k = 0; k < run->op->channels; k++) {
        float mean = run->values[run->op->weights.mean + k];
        bn->mean[k] = mean - shift_of(mean);
        bn->inverse_std[k] = 1 / sqrtf(run->values[run->op->weights.variance + k] + BN_EPSILON);
    }
}

/* --- forward --- */

INLINE void forward_plain(const struct map *from, const struct map *to, enum activation activation,
                          struct affine affine, const float *values, float *y)
{
    for (int row = 0; row < to->height; row++) {
        float *out = y + map_at(to, 0, row, 0);
        for (size_t i = 0; i < from->pitch; i += VECTOR_WIDTH)
            vector_store(out + i, activation_apply(activation, affine, vector_load(values + i)));
        values += from->pitch;
    }
}

static void forward_add(const struct map *from, const struct map *other, const struct map *to, struct affine affine,
                        const float *values, const float *addend, float *y)
{
    for (int row = 0; row < to->height; row++, values += from->pitch) {
        const float *add = addend + map_at(other, 0, row, 0);
        float *out = y + map_at(to, 0, row, 0);
        for (size_t i = 0; i < from->pitch; i += VECTOR_WIDTH)
            vector_store(out + i, affine_apply(affine, vector_load(values + i)) + vector_load(add + i));
    }
}

void bn_forward_plane(const struct bn *bn, int block, int channel, const float *values)
{
    const struct op *op = bn->run->op;
    const struct map *from = &bn->in, *to = &bn->out;
    struct affine affine = affine_of(bn, channel);
    float *y = (float *)bn->run->y + block * to->block_stride + channel * to->plane;
    float *selected = selected_of(bn, block, channel);
    map_clear_border(to, y);
    if (has_addend(bn))
        forward_add(from, &bn->addend, to, affine, values, addend_plane(bn, bn->run->x2, block, channel), y);
    else if (op->hard_swish)
        forward_plain(from, to, ACTIVATION_HARD_SWISH, affine, values, y);
    else if (op->pool == POOL_NONE)
        forward_plain(from, to, ACTIVATION_RELU, affine, values, y);
    else if (op->pool == POOL_AVERAGE)
        pool_average(from, to, op->pool_size, op->pool_stride, &affine, values, y);
    else if (op->pool_size == 2)
        pool_max(from, to, 2, op->pool_stride, &affine, values, y, selected);
    else
        pool_max(from, to, op->pool_size, op->pool_stride, &affine, values, y, selected);
}

INLINE void apply_rows(enum activation activation, struct affine affine, int rows, size_t run, size_t step,
                       const float *values, float *y)
{
    for (; rows > 0; rows--, values += run, y += step)
        for (size_t i = 0; i < run; i += VECTOR_WIDTH)
            vector_store(y + i, activation_apply(activation, affine, vector_load(values + i)));
}

void bn_apply_rows(const struct bn *bn, int block, int channel, int first, int rows, const struct map *to, float *y)
{
    size_t pitch = bn->in.pitch, run = pitch, step = to->pitch;
    const float *values = values_of(bn, block) + channel * bn->in.plane + (size_t)first * pitch;
    struct affine affine = affine_of(bn, channel);
    if (step == pitch) {
        run = rows * pitch;
        rows = 1;
    }
    y += map_at(to, 0, 0, 0);
    if (bn->run->op->hard_swish)
        apply_rows(ACTIVATION_HARD_SWISH, affine, rows, run, step, values, y);
    else
        apply_rows(ACTIVATION_RELU, affine, rows, run, step, values, y);
}

void bn_forward_block(const struct bn *bn, int block, const float *values)
{
    for (int k = 0; k < bn->run->op->channels; k++)
        bn_forward_plane(bn, block, k, values + k * bn->in.plane);
}

/* The last block comes first: it is still in the cache.  The next operation begins with the first block. */
static void forward_item(void *context, int item, int member)
{
    const struct bn *bn = context;
    int block = bn->blocks - 1 - item;
    bn_forward_block(bn, block, values_of(bn, block));
}

void bn_forward(const struct bn *bn)
{
    team_do(bn->team, bn->blocks, forward_item, (void *)bn);
}
