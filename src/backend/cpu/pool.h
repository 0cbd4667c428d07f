/*
 * pool.h - max and average pools over one plane: of values as they are (OP_POOL), or of values after BN and ReLU.
 *
 * Windows may overlap, and the rest of a map that fills no window is ignored.  `affine` is BN's transform, followed by
 * a ReLU; NULL means neither.  All functions are inlined, so that the compiler sees which it is.
 */
#ifndef ESPALIER_BACKEND_CPU_POOL_H
#define ESPALIER_BACKEND_CPU_POOL_H

#include "backend/cpu/layout.h"

/* One channel's scale * value + offset. */
struct affine {
    float scale, offset;
};

INLINE vector affine_apply(struct affine affine, vector value)
{
    return vector_all(affine.scale) * value + vector_all(affine.offset);
}

INLINE vector activate(const struct affine *affine, vector value)
{
    if (affine)
        value = vector_relu(affine_apply(*affine, value));
    return value;
}

/* What follows BN's transform where no pool does. */
enum activation { ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_HARD_SWISH };

/* A NaN passes. */
INLINE vector activation_apply(enum activation activation, struct affine affine, vector value)
{
    value = affine_apply(affine, value);
    if (activation == ACTIVATION_RELU)
        value = vector_relu(value);
    if (activation == ACTIVATION_HARD_SWISH)
        value *= vector_min(vector_all(6), vector_relu(value + vector_all(3))) * vector_all(1.0f / 6);
    return value;
}

/* `d` times the gradient of the activation where the transform gives that of `value`. */
INLINE vector activation_slope(enum activation activation, struct affine affine, vector value, vector d)
{
    if (activation == ACTIVATION_RELU)
        d = vector_where(affine_apply(affine, value) > vector_all(0), d);
    if (activation == ACTIVATION_HARD_SWISH) {
        value = affine_apply(affine, value);
        vector_bits high = (vector_bits)(value >= vector_all(3)), low = (vector_bits)(value > vector_all(-3));
        vector slope = value * vector_all(1.0f / 3) + vector_all(0.5f);
        d = vector_where(high, d) + vector_where(low & ~high, d * slope);
    }
    return d;
}

/* The gradient of `value` from that of activate(value). */
INLINE vector activation_gradient(const struct affine *affine, vector value, vector d)
{
    if (affine)
        d = vector_where(affine_apply(*affine, value) > vector_all(0), d) * vector_all(affine->scale);
    return d;
}

/* The value of a window whose activation is largest: the largest value, or the smallest where `affine` has a negative
   scale.  Then `flip` holds sign bits. */
INLINE vector window_select(const float *window, int size, size_t pitch, vector_bits flip)
{
    vector best = (vector)((vector_bits)vector_load(window) ^ flip);
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++)
            best = vector_max((vector)((vector_bits)vector_load(window + y * pitch + x * BLOCK) ^ flip), best);
    return (vector)((vector_bits)best ^ flip);
}

/* `selected`: where the selected values go, [y][x]; or NULL. */
INLINE void pool_max(const struct map *from, const struct map *to, int size, int stride, const struct affine *affine,
                     const float *values, float *y, float *selected)
{
    vector_bits flip = (vector_bits){0} + (affine && affine->scale < 0 ? INT32_MIN : 0);
    for (int row = 0; row < to->height; row++) {
        const float *window = values + map_at(from, 0, row * stride, 0);
        float *out = y + map_at(to, 0, row, 0);
        for (int column = 0; column < to->width; column++, window += (stride - 1) * BLOCK)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++, window += VECTOR_WIDTH, out += VECTOR_WIDTH) {
                vector best = window_select(window, size, from->pitch, flip);
                vector_store(out, activate(affine, best));
                if (selected) {
                    vector_store(selected, best);
                    selected += VECTOR_WIDTH;
                }
            }
    }
}

INLINE void pool_average(const struct map *from, const struct map *to, int size, int stride,
                         const struct affine *affine, const float *values, float *y)
{
    float share = 1.0f / (float)(size * size);
    for (int row = 0; row < to->height; row++) {
        const float *window = values + map_at(from, 0, row * stride, 0);
        float *out = y + map_at(to, 0, row, 0);
        for (int column = 0; column < to->width; column++, window += (stride - 1) * BLOCK)
            for (int part = 0; part < PARTS; part++, window += VECTOR_WIDTH, out += VECTOR_WIDTH) {
                vector sum = {0};
                for (int i = 0; i < size; i++)
                    for (int j = 0; j < size; j++)
                        sum += activate(affine, vector_load(window + i * from->pitch + j * BLOCK));
                vector_store(out, sum * share);
            }
    }
}

/* Adds to `out`, of map `gradient`, the gradient of `values`.  `selected`: the selected values of a max pool, the first
   row of windows, and from row to row; NULL for an average pool. */
INLINE void pool_gradient(const struct map *from, const struct map *to, const struct map *gradient, int size,
                          int stride, const struct affine *affine, const float *values, const float *selected,
                          size_t selected_pitch, const float *dy, float *out)
{
    float share = 1.0f / (float)(size * size);
    for (int row = 0; row < to->height; row++)
        for (int column = 0; column < to->width; column++)
            for (int part = 0; part < BLOCK; part += VECTOR_WIDTH) {
                const float *window = values + map_at(from, 0, row * stride, column * stride) + part;
                float *o = out + map_at(gradient, 0, row * stride, column * stride) + part;
                vector d = vector_load(dy + map_at(to, 0, row, column) + part), best = {0};
                if (selected) {
                    best = vector_load(selected + row * selected_pitch + (size_t)column * BLOCK + part);
                    d = activation_gradient(affine, best, d);
                }
                for (int y = 0; y < size; y++)
                    for (int x = 0; x < size; x++) {
                        vector value = vector_load(window + y * from->pitch + x * BLOCK), add;
                        if (selected) {
                            vector_bits wins = (vector_bits)(value == best); /* the first of equal values takes all */
                            add = vector_where(wins, d);
                            d = vector_where(~wins, d);
                        } else {
                            add = activation_gradient(affine, value, d * share);
                        }
                        float *at = o + y * gradient->pitch + x * BLOCK;
                        vector_store(at, vector_load(at) + add);
                    }
            }
}

#endif
