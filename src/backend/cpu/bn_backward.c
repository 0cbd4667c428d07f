/* bn_backward.c - the gradients of BN and what follows it (bn.h), channel by channel and block by block. */
#include "backend/cpu/bn_parts.h"

/* --- sums --- */

/* d beta, and d gamma times std, of one channel. */
struct gradient_sums {
    vector beta, gamma;
};

INLINE void gradient_sums_add(struct gradient_sums *sums, enum activation activation, struct affine affine, vector mean,
                              vector value, vector dy)
{
    dy = activation_slope(activation, affine, value, dy);
    sums->beta += dy;
    sums->gamma += dy * (value - mean);
}

/* Where every output has one source: all values without a pool, the selected ones of a max pool. */
INLINE struct gradient_sums sum_plain(const struct map *to, enum activation activation, struct affine affine,
                                      float mean, const float *values, const float *dy)
{
    struct gradient_sums sums[PARTS] = {0};
    for (int row = 0; row < to->height; row++) {
        const float *d = dy + map_at(to, 0, row, 0);
        for (int i = 0; i < to->width * BLOCK; i += BLOCK)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++, values += VECTOR_WIDTH)
                gradient_sums_add(&sums[part], activation, affine, vector_all(mean), vector_load(values),
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
                        gradient_sums_add(&sums, ACTIVATION_RELU, affine, vector_all(mean),
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

static const float *dy_plane(const struct bn *bn, int block, int channel)
{
    return bn->dy + block * bn->dy_map.block_stride + (channel - bn->dy_first) * bn->dy_map.plane;
}

static void sum_plane(const struct bn *bn, int block, int k)
{
    const struct op_run *run = bn->run;
    const struct op *op = run->op;
    const struct map *from = &bn->in, *to = &bn->dy_map;
    const float *selected = selected_of(bn, block, k), *values = values_of(bn, block) + k * from->plane;
    const float *dy = dy_plane(bn, block, k);
    struct affine affine = affine_of(bn, k);
    struct gradient_sums channel;
    if (has_addend(bn))
        channel = sum_plain(to, ACTIVATION_NONE, affine, bn->mean[k], values, dy);
    else if (op->hard_swish)
        channel = sum_plain(to, ACTIVATION_HARD_SWISH, affine, bn->mean[k], values, dy);
    else if (op->pool == POOL_AVERAGE)
        channel = sum_average(from, to, op->pool_size, op->pool_stride, affine, bn->mean[k], values, dy);
    else
        channel = sum_plain(to, ACTIVATION_RELU, affine, bn->mean[k], selected ? selected : values, dy);
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

/* --- values --- */

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
                           const struct channel_gradient *g, enum activation activation, const float *values,
                           const float *dy, bool add, float *out)
{
    for (int row = 0; row < from->height; row++, values += from->pitch) {
        const float *d = dy + map_at(to, 0, row, 0);
        float *o = out + map_at(gradient, 0, row, 0);
        for (size_t i = 0; i < from->pitch; i += VECTOR_WIDTH) {
            vector value = vector_load(values + i), passed = vector_load(d + i);
            passed = activation_slope(activation, g->affine, value, passed) * vector_all(g->affine.scale);
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
    const struct map *from = &bn->in, *to = &bn->dy_map;
    const float *values = values_of(bn, block) + channel * from->plane, *selected = selected_of(bn, block, channel);
    const float *dy = dy_plane(bn, block, channel);
    int images = images_in(bn->run->count, block);
    bool covers = 2 * to->height == from->height && 2 * to->width == from->width;
    struct channel_gradient g = channel_gradient_of(bn, channel);
    if (has_addend(bn)) {
        backward_plain(from, to, gradient, &g, ACTIVATION_NONE, values, dy, false, out);
    } else if (op->hard_swish) {
        backward_plain(from, to, gradient, &g, ACTIVATION_HARD_SWISH, values, dy, false, out);
    } else if (op->adds_input_gradient[0]) {
        backward_plain(from, to, gradient, &g, ACTIVATION_RELU, values, dy, true, out);
    } else if (op->pool == POOL_NONE) {
        backward_plain(from, to, gradient, &g, ACTIVATION_RELU, values, dy, false, out);
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

void bn_backward_in_place(const struct bn *bn, int channel)
{
    for (int block = 0; block < bn->blocks; block++)
        bn_backward_plane(bn, block, channel, &bn->in,
                          bn->linear + block * bn->in.block_stride + channel * bn->in.plane);
}
