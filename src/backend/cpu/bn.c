/* bn.c - BN, ReLU and pool, or BN and addend (bn.h), channel by channel and block by block. */
#include "backend/cpu/bn.h"

#include <math.h>

#include "backend/cpu/pool.h"

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
    if (training)
        take_saved(&(struct workspace){run->saved, 0}, op, &bn);
    bn.x = op->kind == OP_BN_RELU ? run->x : bn.linear;
    for (int k = 0; k < op->channels; k++)
        bn.minus_shift[k] = -shift_of(run->values[op->weights.mean + k]);
    return bn;
}

static bool has_addend(const struct bn *bn)
{
    return bn->run->op->kind == OP_CONV_BN_ADD;
}

/* A plane of the addend, or of its gradient. */
static float *addend_plane(const struct bn *bn, const void *tensor, int block, int channel)
{
    return (float *)tensor + block * bn->addend.block_stride + channel * bn->addend.plane;
}

static const float *values_of(const struct bn *bn, int block)
{
    return bn->x + block * bn->in.block_stride;
}

static float *selected_of(const struct bn *bn, int block, int channel)
{
    size_t plane = (size_t)bn->out.height * bn->out.width * BLOCK;
    return bn->selected ? bn->selected + block * bn->selected_block + channel * plane : NULL;
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

/* Adds a channel's sums of all blocks to those of the first, in the order of the blocks. */
static struct bn_sums reduce_sums(const struct bn *bn, int blocks, int channel)
{
    struct bn_sums *sums = bn->sums + channel;
    for (int block = 1; block < blocks; block++) {
        sums->sum += sums[block * bn->run->op->channels].sum;
        sums->square += sums[block * bn->run->op->channels].square;
    }
    return *sums;
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

static struct affine affine_of(const struct bn *bn, int channel)
{
    const struct op_run *run = bn->run;
    float scale = run->values[run->op->weights.gamma + channel] * bn->inverse_std[channel];
    return (struct affine){scale, run->values[run->op->weights.beta + channel] - bn->mean[channel] * scale};
}

static void forward_plain(const struct map *from, const struct map *to, struct affine affine, const float *values,
                          float *y)
{
    for (int row = 0; row < to->height; row++) {
        float *out = y + map_at(to, 0, row, 0);
        for (size_t i = 0; i < from->pitch; i += VECTOR_WIDTH)
            vector_store(out + i, activate(&affine, vector_load(values + i)));
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
    else if (op->pool == POOL_NONE)
        forward_plain(from, to, affine, values, y);
    else if (op->pool == POOL_AVERAGE)
        pool_average(from, to, op->pool_size, op->pool_stride, &affine, values, y);
    else if (op->pool_size == 2)
        pool_max(from, to, 2, op->pool_stride, &affine, values, y, selected);
    else
        pool_max(from, to, op->pool_size, op->pool_stride, &affine, values, y, selected);
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

/* --- backward: sums --- */

/* d beta, and d gamma times std, of one channel. */
struct gradient_sums {
    vector beta, gamma;
};

INLINE void gradient_sums_add(struct gradient_sums *sums, bool relu, struct affine affine, vector mean, vector value,
                              vector dy)
{
    if (relu)
        dy = vector_where(affine_apply(affine, value) > vector_all(0), dy);
    sums->beta += dy;
    sums->gamma += dy * (value - mean);
}

/* Where every output has one source: all values without a pool, the selected ones of a max pool. */
INLINE struct gradient_sums sum_plain(const struct map *to, bool relu, struct affine affine, float mean,
                                      const float *values, const float *dy)
{
    struct gradient_sums sums[PARTS] = {0};
    for (int row = 0; row < to->height; row++) {
        const float *d = dy + map_at(to, 0, row, 0);
        for (int i = 0; i < to->width * BLOCK; i += BLOCK)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++, values += VECTOR_WIDTH)
                gradient_sums_add(&sums[part], relu, affine, vector_all(mean), vector_load(values),
                                  vector_load(d + i + part * VECTOR_WIDTH));
    }
    for (int part = 1; part < PARTS; part++) {
        sums[0].beta += sums[part].beta;
        sums[0].gamma += sums[part].gamma;
    }
    return sums[0];
}

static struct gradient_sums sum_average(const struct map *from, const struct map *to, int size, int stride,
                                        struct affine affine, float mean, const float *values, const float *dy)
{
    struct gradient_sums sums = {{0}, {0}};
    float share = 1.0f / (float)(size * size);
    for (int row = 0; row < to->height; row++)
        for (int column = 0; column < to->width; column++)
            for (int part = 0; part < PARTS; part++) {
                vector d = vector_load(dy + map_at(to, 0, row, column) + part * VECTOR_WIDTH) * share;
                const float *window = values + map_at(from, 0, row * stride, column * stride) + part * VECTOR_WIDTH;
                for (int i = 0; i < size; i++)
                    for (int j = 0; j < size; j++)
                        gradient_sums_add(&sums, true, affine, vector_all(mean),
                                          vector_load(window + i * from->pitch + j * BLOCK), d);
            }
    return sums;
}

/* The addend's gradient is the output's. */
static void pass_gradient(const struct map *to, const struct map *other, const float *dy, bool add, float *out)
{
    for (int row = 0; row < to->height; row++) {
        const float *d = dy + map_at(to, 0, row, 0);
        float *o = out + map_at(other, 0, row, 0);
        for (int i = 0; i < to->width * BLOCK; i += VECTOR_WIDTH) {
            vector sum = vector_load(d + i);
            if (add)
                sum += vector_load(o + i);
            vector_store(o + i, sum);
        }
    }
}

static void sum_plane(const struct bn *bn, int block, int k)
{
    const struct op_run *run = bn->run;
    const struct op *op = run->op;
    const struct map *from = &bn->in, *to = &bn->out;
    const float *selected = selected_of(bn, block, k), *values = values_of(bn, block) + k * from->plane;
    const float *dy = (const float *)run->dy + block * to->block_stride + k * to->plane;
    struct affine affine = affine_of(bn, k);
    struct gradient_sums channel;
    if (has_addend(bn))
        channel = sum_plain(to, false, affine, bn->mean[k], values, dy);
    else if (op->pool == POOL_AVERAGE)
        channel = sum_average(from, to, op->pool_size, op->pool_stride, affine, bn->mean[k], values, dy);
    else
        channel = sum_plain(to, true, affine, bn->mean[k], selected ? selected : values, dy);
    if (has_addend(bn) && run->dx2)
        pass_gradient(to, &bn->addend, dy, op->adds_input_gradient[1], addend_plane(bn, run->dx2, block, k));
    bn->sums[block * op->channels + k] = (struct bn_sums){vector_sum(channel.beta), vector_sum(channel.gamma)};
}

static void set_gradients(const struct bn *bn, int k)
{
    const struct op_run *run = bn->run;
    struct bn_sums sums = reduce_sums(bn, bn->blocks, k);
    run->gradients[run->op->weights.beta + k] = (float)sums.sum;
    run->gradients[run->op->weights.gamma + k] = (float)(sums.square * bn->inverse_std[k]);
}

void bn_channel_sums(const struct bn *bn, int channel)
{
    for (int block = 0; block < bn->blocks; block++)
        sum_plane(bn, block, channel);
    set_gradients(bn, channel);
}

static void sums_item(void *context, int block, int member)
{
    const struct bn *bn = context;
    for (int k = 0; k < bn->run->op->channels; k++)
        sum_plane(bn, block, k);
}

void bn_gradient_sums(const struct bn *bn)
{
    team_do(bn->team, bn->blocks, sums_item, (void *)bn);
    for (int k = 0; k < bn->run->op->channels; k++)
        set_gradients(bn, k);
}

/* --- backward: values --- */

/* One channel's d c = scale * g + slope * (c - mean) + constant. */
struct channel_gradient {
    struct affine affine;
    float mean, slope, constant;
};

static struct channel_gradient channel_gradient_of(const struct bn *bn, int k)
{
    const struct op_run *run = bn->run;
    double n = (double)run->count * run->op->height * run->op->width, inverse = bn->inverse_std[k];
    struct affine affine = affine_of(bn, k);
    return (struct channel_gradient){
        .affine = affine,
        .mean = bn->mean[k],
        .slope = (float)(-affine.scale * bn->sums[k].square * inverse * inverse / n),
        .constant = (float)(-affine.scale * bn->sums[k].sum / n),
    };
}

INLINE vector statistics_gradient(const struct channel_gradient *g, vector values)
{
    return vector_all(g->slope) * (values - vector_all(g->mean)) + vector_all(g->constant);
}

/* Without a pool.  `add`: to what `out` holds. */
INLINE void backward_plain(const struct map *from, const struct map *to, const struct map *gradient,
                           const struct channel_gradient *g, bool relu, const float *values, const float *dy, bool add,
                           float *out)
{
    for (int row = 0; row < from->height; row++, values += from->pitch) {
        const float *d = dy + map_at(to, 0, row, 0);
        float *o = out + map_at(gradient, 0, row, 0);
        for (size_t i = 0; i < from->pitch; i += VECTOR_WIDTH) {
            vector value = vector_load(values + i), passed = vector_load(d + i);
            if (relu)
                passed = activation_gradient(&g->affine, value, passed);
            else
                passed *= vector_all(g->affine.scale);
            vector sum = statistics_gradient(g, value) + passed;
            if (add)
                sum += vector_load(o + i);
            vector_store(o + i, sum);
        }
    }
}

/* Max pool 2 x 2 with stride 2 that covers the map: every value is in one window, so one pass writes all. */
static void backward_max_2x2(const struct map *from, const struct map *to, const struct map *gradient,
                             struct channel_gradient g, const float *values, const float *selected, const float *dy,
                             float *out)
{
    const size_t steps[4] = {0, BLOCK, from->pitch, from->pitch + BLOCK};
    const size_t out_steps[4] = {0, BLOCK, gradient->pitch, gradient->pitch + BLOCK};
    int height = to->height, width = to->width;
    for (int row = 0; row < height; row++) {
        const float *window = values + 2 * (size_t)row * from->pitch, *d = dy + map_at(to, 0, row, 0);
        float *o = out + map_at(gradient, 0, 2 * row, 0);
        for (int column = 0; column < width; column++, window += BLOCK, o += BLOCK) {
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++, selected += VECTOR_WIDTH, d += VECTOR_WIDTH) {
                vector best = vector_load(selected);
                vector_bits left = (vector_bits)activation_gradient(&g.affine, best, vector_load(d));
#pragma GCC unroll 4
                for (int i = 0; i < 4; i++) {
                    vector value = vector_load(window + steps[i]);
                    vector_bits wins = (vector_bits)(value == best);
                    vector_store(o + out_steps[i], statistics_gradient(&g, value) + (vector)(left & wins));
                    left &= ~wins;
                }
                window += VECTOR_WIDTH;
                o += VECTOR_WIDTH;
            }
        }
    }
}

/* The gradient by way of mean and variance alone. */
static void backward_statistics(const struct map *from, const struct map *gradient, const struct channel_gradient *g,
                                const float *values, float *out)
{
    for (int row = 0; row < from->height; row++, values += from->pitch) {
        float *o = out + map_at(gradient, 0, row, 0);
        for (size_t i = 0; i < from->pitch; i += VECTOR_WIDTH)
            vector_store(o + i, statistics_gradient(g, vector_load(values + i)));
    }
}

static void clear_missing(const struct map *map, float *plane, int images)
{
    for (int y = 0; y < map->height; y++) {
        float *row = plane + map_at(map, 0, y, 0);
        for (int x = 0; x < map->width; x++)
            memset(row + x * BLOCK + images, 0, (size_t)(BLOCK - images) * sizeof *row);
    }
}

void bn_backward_plane(const struct bn *bn, int block, int channel, const struct map *gradient, float *out)
{
    const struct op *op = bn->run->op;
    const struct map *from = &bn->in, *to = &bn->out;
    const float *values = values_of(bn, block) + channel * from->plane, *selected = selected_of(bn, block, channel);
    const float *dy = (const float *)bn->run->dy + block * to->block_stride + channel * to->plane;
    int images = images_in(bn->run->count, block);
    bool covers = 2 * to->height == from->height && 2 * to->width == from->width;
    struct channel_gradient g = channel_gradient_of(bn, channel);
    if (has_addend(bn)) {
        backward_plain(from, to, gradient, &g, false, values, dy, false, out);
    } else if (op->adds_input_gradient[0]) {
        backward_plain(from, to, gradient, &g, true, values, dy, true, out);
    } else if (op->pool == POOL_NONE) {
        backward_plain(from, to, gradient, &g, true, values, dy, false, out);
    } else if (selected && op->pool_size == 2 && op->pool_stride == 2 && covers) {
        backward_max_2x2(from, to, gradient, g, values, selected, dy, out);
    } else {
        backward_statistics(from, gradient, &g, values, out);
        pool_gradient(from, to, gradient, op->pool_size, op->pool_stride, &g.affine, values, selected,
                      (size_t)to->width * BLOCK, dy, out);
    }
    if (images < BLOCK)
        clear_missing(gradient, out, images);
}

void bn_backward_block(const struct bn *bn, int block, const struct map *gradient, float *out)
{
    for (int k = 0; k < bn->run->op->channels; k++)
        bn_backward_plane(bn, block, k, gradient, out + k * gradient->plane);
}
