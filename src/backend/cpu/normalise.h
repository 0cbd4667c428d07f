/*
 * normalise.h - BN, ReLU and the pool behind a convolution, an FC layer or nothing, one group of images at a time.
 *
 * The linear part is kept less a shift near the running mean: sums of squares then lose no digits to a large mean. With
 * c such a value, r = relu(scale * c + offset).  The scale's sign is known, so the largest r of a window is at its
 * largest (or smallest) c: forward keeps that c, `selected`, and needs the rest of the window only to send the gradient
 * back to the first place that equals it.  A mask is never stored.
 *
 * Backward, with g the gradient of scale * c + offset (0 where r is 0), n values a channel and x^ = (c - mean) / std:
 *     d beta = sum g    d gamma = sum g x^    d c = scale * (g - d beta / n - x^ d gamma / n)
 */
#ifndef ESPALIER_BACKEND_CPU_NORMALISE_H
#define ESPALIER_BACKEND_CPU_NORMALISE_H

#include <math.h>

#include "backend/cpu/product.h"
#include "nn/backend.h"

/* What forward keeps for backward, in `saved`; in inference only what is needed, in scratch. */
struct kept {
    float *linear;             /* [group][channel][y][x]: before BN, less the shift, no border; none of OP_BN_RELU */
    float *selected;           /* max pools, [group][channel][y][x] of the output: the linear value that won; or NULL */
    size_t selected_group;     /* floats of `selected` a group */
    float *mean, *inverse_std; /* of `linear` as it is kept */
};

/* The linear part's map, without border. */
static struct map linear_map(const struct op *op)
{
    return map_new(op->channels, op->height, op->width, 0);
}

static struct kept kept_new(struct pieces *pieces, const struct op *op, const struct map *out, int groups, bool select)
{
    size_t linear = linear_map(op).group, selected = (size_t)op->channels * out->height * out->width * LANES;
    struct kept kept = {.selected_group = selected};
    if (op->kind != OP_BN_RELU)
        kept.linear = piece(pieces, groups * linear * sizeof(float));
    if (select)
        kept.selected = piece(pieces, groups * selected * sizeof(float));
    kept.mean = piece(pieces, op->channels * sizeof(float));
    kept.inverse_std = piece(pieces, op->channels * sizeof(float));
    return kept;
}

static float *selected_of(const struct kept *kept, int group)
{
    return kept->selected ? kept->selected + group * kept->selected_group : NULL;
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

/* What the sums of the linear part start from. */
static void start_from_shift(const struct op_run *run, float *start)
{
    for (int k = 0; k < run->op->channels; k++)
        start[k] = -shift_of(run->values[run->op->weights.mean + k]);
}

/* Sums of one channel over the batch, of a value and its square. */
struct channel_sums {
    double sum, square;
};

static void channel_sums_add(struct channel_sums *sums, int channels, const struct moments *moments)
{
    for (int k = 0; k < channels; k++) {
        sums[k].sum += vector_sum(vector_load(moments->sum_all + k * VECTOR_WIDTH));
        sums[k].square += vector_sum(vector_load(moments->square_all + k * VECTOR_WIDTH));
    }
}

/* The same from the values of one group, of which only the first `lanes` images count. */
static void channel_sums_add_lanes(struct channel_sums *sums, const struct map *map, const float *linear, int lanes)
{
    for (int k = 0; k < map->channels; k++)
        for (int y = 0; y < map->height; y++)
            for (int x = 0; x < map->width; x++)
                for (int lane = 0; lane < lanes; lane++) {
                    double value = linear[map_at(map, k, y, x) + lane];
                    sums[k].sum += value;
                    sums[k].square += value * value;
                }
}

/* Sums of each group, [group][channel], to sums over all in the first: in the order of the groups. */
static void channel_sums_fold(struct channel_sums *sums, int channels, int groups)
{
    for (int i = channels; i < groups * channels; i++) {
        sums[i % channels].sum += sums[i].sum;
        sums[i % channels].square += sums[i].square;
    }
}

/* Batch statistics from the sums of `linear`; the running ones move. */
static void batch_statistics(const struct op_run *run, const struct channel_sums *sums, struct kept *kept)
{
    float *running_mean = run->values + run->op->weights.mean;
    float *running_variance = run->values + run->op->weights.variance;
    double n = (double)run->count * run->op->height * run->op->width, decay = run->bn_decay;
    for (int k = 0; k < run->op->channels; k++) {
        double mean = sums[k].sum / n, variance = sums[k].square / n - mean * mean;
        variance = variance < 0 ? 0 : variance;
        kept->mean[k] = (float)mean;
        kept->inverse_std[k] = (float)(1 / sqrt(variance + BN_EPSILON));
        mean += shift_of(running_mean[k]);
        running_mean[k] = (float)(decay * running_mean[k] + (1 - decay) * mean);
        if (n > 1)
            running_variance[k] = (float)(decay * running_variance[k] + (1 - decay) * variance * n / (n - 1));
    }
}

/* In inference. */
static void running_statistics(const struct op_run *run, struct kept *kept)
{
    for (int k = 0; k < run->op->channels; k++) {
        float mean = run->values[run->op->weights.mean + k];
        kept->mean[k] = mean - shift_of(mean);
        kept->inverse_std[k] = 1 / sqrtf(run->values[run->op->weights.variance + k] + BN_EPSILON);
    }
}

/* One channel's r = relu(scale * c + offset). */
struct affine {
    float scale, offset;
};

static struct affine affine_of(const struct op_run *run, const struct kept *kept, int channel)
{
    float scale = run->values[run->op->weights.gamma + channel] * kept->inverse_std[channel];
    return (struct affine){scale, run->values[run->op->weights.beta + channel] - kept->mean[channel] * scale};
}

INLINE vector affine_apply(struct affine affine, vector value)
{
    return vector_all(affine.scale) * value + vector_all(affine.offset);
}

/* The winner of a window; the sign flips so that it is always the largest. */
INLINE vector select_largest(const float *window, int size_y, int size_x, size_t pitch, vector_bits flip)
{
    vector best = (vector)((vector_bits)vector_load(window) ^ flip);
    for (int y = 0; y < size_y; y++)
        for (int x = 0; x < size_x; x++)
            best = vector_max((vector)((vector_bits)vector_load(window + y * pitch + x * LANES) ^ flip), best);
    return (vector)((vector_bits)best ^ flip);
}

/* One plane, max pool.  Inlined with a constant size for the common 2 x 2. */
INLINE void forward_max(const struct map *from, const struct map *to, int size, int stride, struct affine affine,
                        const float *linear, float *y, float *selected)
{
    vector_bits flip = (vector_bits){0} + (affine.scale < 0 ? INT32_MIN : 0);
    for (int row = 0; row < to->height; row++)
        for (int column = 0; column < to->width; column++) {
            const float *window = linear + (size_t)row * stride * from->pitch + (size_t)column * stride * LANES;
            float *out = y + map_at(to, 0, row, column);
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++, window += VECTOR_WIDTH, out += VECTOR_WIDTH) {
                vector best = select_largest(window, size, size, from->pitch, flip);
                vector_store(out, vector_relu(affine_apply(affine, best)));
                if (selected) {
                    vector_store(selected, best);
                    selected += VECTOR_WIDTH;
                }
            }
        }
}

static void forward_average(const struct map *from, const struct map *to, int size, int stride, struct affine affine,
                            const float *linear, float *y)
{
    float share = 1.0f / (float)(size * size);
    for (int row = 0; row < to->height; row++)
        for (int column = 0; column < to->width; column++) {
            const float *window = linear + (size_t)row * stride * from->pitch + (size_t)column * stride * LANES;
            float *out = y + map_at(to, 0, row, column);
            for (int part = 0; part < PARTS; part++, window += VECTOR_WIDTH, out += VECTOR_WIDTH) {
                vector sum = {0};
                for (int i = 0; i < size; i++)
                    for (int j = 0; j < size; j++)
                        sum += vector_relu(affine_apply(affine, vector_load(window + i * from->pitch + j * LANES)));
                vector_store(out, sum * share);
            }
        }
}

static void forward_plain(const struct map *from, const struct map *to, struct affine affine, const float *linear,
                          float *y)
{
    for (int row = 0; row < to->height; row++) {
        float *out = y + map_at(to, 0, row, 0);
        for (size_t i = 0; i < from->pitch; i += VECTOR_WIDTH)
            vector_store(out + i, vector_relu(affine_apply(affine, vector_load(linear + i))));
        linear += from->pitch;
    }
}

/* One group: `linear` to `y`; `selected` may be NULL. */
static void normalise_forward(const struct op_run *run, const struct kept *kept, const float *linear, float *y,
                              float *selected)
{
    const struct op *op = run->op;
    struct map from = linear_map(op), to = map_of(&run->plan->tensors[op->output]);
    for (int k = 0; k < op->channels; k++, linear += from.plane, y += to.plane) {
        struct affine affine = affine_of(run, kept, k);
        map_clear_border(&to, y);
        if (op->pool == POOL_NONE)
            forward_plain(&from, &to, affine, linear, y);
        else if (op->pool == POOL_AVERAGE)
            forward_average(&from, &to, op->pool_size, op->pool_stride, affine, linear, y);
        else if (op->pool_size == 2)
            forward_max(&from, &to, 2, op->pool_stride, affine, linear, y, selected);
        else
            forward_max(&from, &to, op->pool_size, op->pool_stride, affine, linear, y, selected);
        if (selected)
            selected += (size_t)to.height * to.width * LANES;
    }
}

/* Backward's two sums of one channel, in vectors. */
struct gradient_sums {
    vector beta, gamma;
};

INLINE void gradient_sums_add(struct gradient_sums *sums, struct affine affine, vector mean, vector linear, vector dy)
{
    dy = vector_where(affine_apply(affine, linear) > vector_all(0), dy);
    sums->beta += dy;
    sums->gamma += dy * (linear - mean);
}

/* Where every output has one source: no pool (`linear`), or a max pool (`selected`). */
static struct gradient_sums sum_plain(const struct map *to, struct affine affine, float mean, const float *linear,
                                      const float *dy)
{
    struct gradient_sums sums[PARTS] = {0};
    for (int row = 0; row < to->height; row++) {
        const float *d = dy + map_at(to, 0, row, 0);
        for (int i = 0; i < to->width * LANES; i += LANES)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++, linear += VECTOR_WIDTH)
                gradient_sums_add(&sums[part], affine, vector_all(mean), vector_load(linear),
                                  vector_load(d + i + part * VECTOR_WIDTH));
    }
    for (int part = 1; part < PARTS; part++) {
        sums[0].beta += sums[part].beta;
        sums[0].gamma += sums[part].gamma;
    }
    return sums[0];
}

static struct gradient_sums sum_average(const struct map *from, const struct map *to, int size, int stride,
                                        struct affine affine, float mean, const float *linear, const float *dy)
{
    struct gradient_sums sums = {{0}, {0}};
    float share = 1.0f / (float)(size * size);
    for (int row = 0; row < to->height; row++)
        for (int column = 0; column < to->width; column++)
            for (int part = 0; part < PARTS; part++) {
                vector d = vector_load(dy + map_at(to, 0, row, column) + part * VECTOR_WIDTH) * share;
                const float *window =
                    linear + (size_t)row * stride * from->pitch + (size_t)column * stride * LANES + part * VECTOR_WIDTH;
                for (int i = 0; i < size; i++)
                    for (int j = 0; j < size; j++)
                        gradient_sums_add(&sums, affine, vector_all(mean),
                                          vector_load(window + i * from->pitch + j * LANES), d);
            }
    return sums;
}

/* Adds one group's sums of d beta and d gamma * std to `sums`. */
static void normalise_sums(const struct op_run *run, const struct kept *kept, const float *linear,
                           const float *selected, const float *dy, struct channel_sums *sums)
{
    const struct op *op = run->op;
    struct map from = linear_map(op), to = map_of(&run->plan->tensors[op->output]);
    for (int k = 0; k < op->channels; k++, linear += from.plane, dy += to.plane) {
        struct affine affine = affine_of(run, kept, k);
        struct gradient_sums group;
        if (op->pool == POOL_AVERAGE)
            group = sum_average(&from, &to, op->pool_size, op->pool_stride, affine, kept->mean[k], linear, dy);
        else
            group = sum_plain(&to, affine, kept->mean[k], selected ? selected : linear, dy);
        if (selected)
            selected += (size_t)to.height * to.width * LANES;
        sums[k].sum += vector_sum(group.beta);
        sums[k].square += vector_sum(group.gamma);
    }
}

/* One channel's d c = scale * g + slope * (c - mean) + constant, where g is the gradient behind the ReLU. */
struct linear_gradient {
    struct affine affine;
    float mean, slope, constant;
};

static struct linear_gradient linear_gradient_of(const struct op_run *run, const struct kept *kept, int channel,
                                                 const struct channel_sums *sums)
{
    double n = (double)run->count * run->op->height * run->op->width, inverse = kept->inverse_std[channel];
    struct affine affine = affine_of(run, kept, channel);
    return (struct linear_gradient){
        .affine = affine,
        .mean = kept->mean[channel],
        .slope = (float)(-affine.scale * sums[channel].square * inverse * inverse / n),
        .constant = (float)(-affine.scale * sums[channel].sum / n),
    };
}

/* d gamma and d beta, from the sums over all groups. */
static void parameter_gradients(const struct op_run *run, const struct kept *kept, const struct channel_sums *sums)
{
    for (int k = 0; k < run->op->channels; k++) {
        run->gradients[run->op->weights.beta + k] = (float)sums[k].sum;
        run->gradients[run->op->weights.gamma + k] = (float)(sums[k].square * kept->inverse_std[k]);
    }
}

INLINE vector statistics_gradient(const struct linear_gradient *g, vector linear)
{
    return vector_all(g->slope) * (linear - vector_all(g->mean)) + vector_all(g->constant);
}

INLINE vector relu_gradient(const struct linear_gradient *g, vector linear, vector dy)
{
    return vector_where(affine_apply(g->affine, linear) > vector_all(0), dy) * vector_all(g->affine.scale);
}

/* `add`: to what is there. */
INLINE void backward_plain(const struct map *from, const struct map *to, const struct map *gradient,
                           const struct linear_gradient *g, const float *linear, const float *dy, bool add, float *out)
{
    for (int row = 0; row < from->height; row++, linear += from->pitch) {
        const float *d = dy + map_at(to, 0, row, 0);
        float *o = out + map_at(gradient, 0, row, 0);
        for (size_t i = 0; i < from->pitch; i += VECTOR_WIDTH) {
            vector value = vector_load(linear + i);
            vector sum = statistics_gradient(g, value) + relu_gradient(g, value, vector_load(d + i));
            if (add)
                sum += vector_load(o + i);
            vector_store(o + i, sum);
        }
    }
}

/* Max pool 2 x 2 with stride 2: every value is in at most one window, so one pass writes it all. */
static void backward_max_2x2(const struct map *from, const struct map *to, const struct map *gradient,
                             struct linear_gradient g, const float *linear, const float *selected, const float *dy,
                             float *out)
{
    const size_t steps[4] = {0, LANES, from->pitch, from->pitch + LANES};
    const size_t out_steps[4] = {0, LANES, gradient->pitch, gradient->pitch + LANES};
    int height = to->height, width = to->width;
    for (int row = 0; row < height; row++) {
        const float *window = linear + 2 * (size_t)row * from->pitch, *d = dy + map_at(to, 0, row, 0);
        float *o = out + map_at(gradient, 0, 2 * row, 0);
        for (int column = 0; column < width; column++, window += LANES, o += LANES) {
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++, selected += VECTOR_WIDTH, d += VECTOR_WIDTH) {
                vector best = vector_load(selected);
                vector_bits left = (vector_bits)relu_gradient(&g, best, vector_load(d));
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

/* The gradient through the statistics alone. */
static void backward_statistics(const struct map *from, const struct map *gradient, const struct linear_gradient *g,
                                const float *linear, float *out)
{
    for (int row = 0; row < from->height; row++, linear += from->pitch) {
        float *o = out + map_at(gradient, 0, row, 0);
        for (size_t i = 0; i < from->pitch; i += VECTOR_WIDTH)
            vector_store(o + i, statistics_gradient(g, vector_load(linear + i)));
    }
}

/* Any pool: windows may overlap, so each adds its share. */
static void backward_windows(const struct op *op, const struct map *from, const struct map *to,
                             const struct map *gradient, const struct linear_gradient *g, const float *linear,
                             const float *selected, const float *dy, float *out)
{
    int size = op->pool_size, stride = op->pool_stride;
    float share = 1.0f / (float)(size * size);
    backward_statistics(from, gradient, g, linear, out);
    for (int row = 0; row < to->height; row++)
        for (int column = 0; column < to->width; column++)
            for (int part = 0; part < PARTS; part++) {
                size_t lane = (size_t)part * VECTOR_WIDTH;
                const float *window = linear + (size_t)row * stride * from->pitch + (size_t)column * stride * LANES;
                float *o = out + map_at(gradient, 0, row * stride, column * stride) + lane;
                vector d = vector_load(dy + map_at(to, 0, row, column) + lane), best = {0};
                if (selected) {
                    best = vector_load(selected);
                    selected += VECTOR_WIDTH;
                    d = relu_gradient(g, best, d);
                }
                for (int y = 0; y < size; y++)
                    for (int x = 0; x < size; x++) {
                        vector value = vector_load(window + lane + y * from->pitch + x * LANES), add;
                        if (selected) {
                            vector_bits wins = (vector_bits)(value == best);
                            add = vector_where(wins, d);
                            d = vector_where(~wins, d);
                        } else {
                            add = relu_gradient(g, value, d * share);
                        }
                        float *at = o + y * gradient->pitch + x * LANES;
                        vector_store(at, vector_load(at) + add);
                    }
            }
}

static void clear_lanes(const struct map *map, float *group, int lanes)
{
    for (int c = 0; c < map->channels; c++)
        for (int y = 0; y < map->height; y++) {
            float *row = group + map_at(map, c, y, 0);
            for (int x = 0; x < map->width; x++)
                memset(row + x * LANES + lanes, 0, (size_t)(LANES - lanes) * sizeof *row);
        }
}

/* One group: the gradient of the linear part into `out`, or added to it, a map with the border of `gradient` (not
   written); lanes from `lanes` on are zero. */
static void normalise_backward(const struct op_run *run, const struct kept *kept, const struct channel_sums *sums,
                               const struct map *gradient, int lanes, const float *linear, const float *selected,
                               const float *dy, float *out)
{
    const struct op *op = run->op;
    struct map from = linear_map(op), to = map_of(&run->plan->tensors[op->output]);
    bool covers = 2 * to.height == from.height && 2 * to.width == from.width;
    for (int k = 0; k < op->channels; k++) {
        struct linear_gradient g = linear_gradient_of(run, kept, k, sums);
        const float *l = linear + k * from.plane, *d = dy + k * to.plane;
        const float *s = selected ? selected + (size_t)k * to.height * to.width * LANES : NULL;
        float *o = out + k * gradient->plane;
        if (op->adds_input_gradient[0])
            backward_plain(&from, &to, gradient, &g, l, d, true, o);
        else if (op->pool == POOL_NONE)
            backward_plain(&from, &to, gradient, &g, l, d, false, o);
        else if (s && op->pool_size == 2 && op->pool_stride == 2 && covers)
            backward_max_2x2(&from, &to, gradient, g, l, s, d, o);
        else
            backward_windows(op, &from, &to, gradient, &g, l, s, d, o);
    }
    if (lanes < LANES)
        clear_lanes(gradient, out, lanes);
}

#endif
