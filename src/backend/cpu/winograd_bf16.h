/*
 * winograd_bf16.h - the transforms of minimal filtering whose results are pairs of bf16 numbers.
 *
 * Two tiles are transformed side by side in float32 and rounded as they are paired: tiles of two channels for a gemm,
 * which sums over channels; two neighbouring tiles for an outer product, which sums over tiles.  A missing second tile
 * counts as zeros.  A row is transformed at a time, since two whole tiles don't fit the registers.
 */
#ifndef ESPALIER_BACKEND_CPU_WINOGRAD_BF16_H
#define ESPALIER_BACKEND_CPU_WINOGRAD_BF16_H

#include "backend/cpu/bf16.h"
#include "backend/cpu/winograd_transforms.h"

/* Row `y` of V = Bt d B of one tile. */
INLINE void winograd_input_row(const float *d, size_t pitch, int y, vector v[4])
{
    static const int minuends[4] = {0, 1, 2, 1}, subtrahends[4] = {2, 2, 1, 3};
    const float *from = d + minuends[y] * pitch, *less = d + subtrahends[y] * pitch;
    vector row[4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; x++) {
        vector a = vector_load(from + x * BLOCK), b = vector_load(less + x * BLOCK);
        row[x] = y == 1 ? a + b : a - b;
    }
    line_of_inputs(4, 4, row, v);
}

/* Row `y` of D = A dY At of one tile. */
INLINE void winograd_gradient_row(const float *d, size_t pitch, int y, vector v[4])
{
    vector row[2];
#pragma GCC unroll 2
    for (int x = 0; x < 2; x++) {
        const float *at = d + x * BLOCK;
        row[x] = y < 3 ? vector_load(at) : (vector){0};
        if (y == 1)
            row[x] += vector_load(at + pitch);
        else if (y > 1)
            row[x] -= vector_load(at + pitch);
    }
    line_of_gradient(4, 2, row, v);
}

INLINE void store_pairs(const vector first[4], const vector second[4], float *to, size_t point)
{
#pragma GCC unroll 4
    for (int x = 0; x < 4; x++)
        vector_store(to + x * point, pairs_of(first[x], second[x]));
}

/* Tiles at `a` and `b`; a NULL `b` stands for zeros. */
INLINE void winograd_input_pairs(const float *a, const float *b, size_t pitch, float *v, size_t point)
{
#pragma GCC unroll 4
    for (int y = 0; y < 4; y++) {
        vector first[4], second[4] = {0};
        winograd_input_row(a, pitch, y, first);
        if (b)
            winograd_input_row(b, pitch, y, second);
        store_pairs(first, second, v + 4 * y * point, point);
    }
}

INLINE void winograd_gradient_pairs(const float *a, const float *b, size_t pitch, float *out, size_t point)
{
#pragma GCC unroll 4
    for (int y = 0; y < 4; y++) {
        vector first[4], second[4] = {0};
        winograd_gradient_row(a, pitch, y, first);
        if (b)
            winograd_gradient_row(b, pitch, y, second);
        store_pairs(first, second, out + 4 * y * point, point);
    }
}

#endif
