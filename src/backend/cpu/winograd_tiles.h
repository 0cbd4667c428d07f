/*
 * winograd_tiles.h - the transforms of minimal filtering (winograd.h), for tiles of 2 x 2 and of 4 x 4 outputs.
 *
 * Outputs of a line of `tile` pixels are values of polynomials at `tile` + 2 points, the last at infinity.  What is
 * done along columns is done along rows, so each transform is written once, of a line:
 *
 *     inputs:    v = Bt d    tile + 2 to tile + 2       kernel:     u = G g       3 to tile + 2
 *     outputs:   y = At m    tile + 2 to tile           gradient:   d = A dy      tile to tile + 2
 *                                                       of kernels: dg = Gt du    tile + 2 to 3
 *
 * Tiles of 2 have the points 0, 1, -1; tiles of 4 have 0, a, -a, b, -b with a = 3/4 and b = 3/2: they and their
 * products are exact in float32, and a b near 1 keeps the sums small.  The error is then twice that of a direct sum,
 * where the textbook's 1 and 2 have four times.
 */
#ifndef ESPALIER_BACKEND_CPU_WINOGRAD_TILES_H
#define ESPALIER_BACKEND_CPU_WINOGRAD_TILES_H

#include "backend/cpu/vector.h"

enum { TILE_MOST = 4, LINE_MOST = TILE_MOST + 2, POINTS_MOST = LINE_MOST * LINE_MOST };

#define POINT_A  0.75f
#define POINT_B  1.5f
#define SQUARE_A (POINT_A * POINT_A)
#define SQUARE_B (POINT_B * POINT_B)
/* What divides a kernel's value at a point: the product of its distances to the others. */
#define SCALE_0 (1 / (SQUARE_A * SQUARE_B))
#define SCALE_A (1 / (2 * SQUARE_A * (SQUARE_A - SQUARE_B)))
#define SCALE_B (1 / (2 * SQUARE_B * (SQUARE_B - SQUARE_A)))

typedef void line_transform(int tile, const vector *from, vector *to);

INLINE void line_of_inputs(int tile, const vector *d, vector *v)
{
    if (tile == 2) {
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[1] - d[3];
        return;
    }
    vector even_a = d[4] - SQUARE_B * d[2], odd_a = d[3] - SQUARE_B * d[1];
    vector even_b = d[4] - SQUARE_A * d[2], odd_b = d[3] - SQUARE_A * d[1];
    v[0] = d[4] - (SQUARE_A + SQUARE_B) * d[2] + SQUARE_A * SQUARE_B * d[0];
    v[1] = even_a + POINT_A * odd_a;
    v[2] = even_a - POINT_A * odd_a;
    v[3] = even_b + POINT_B * odd_b;
    v[4] = even_b - POINT_B * odd_b;
    v[5] = d[5] - (SQUARE_A + SQUARE_B) * d[3] + SQUARE_A * SQUARE_B * d[1];
}

INLINE void line_of_outputs(int tile, const vector *m, vector *y)
{
    if (tile == 2) {
        y[0] = m[0] + m[1] + m[2];
        y[1] = m[1] - m[2] - m[3];
        return;
    }
    vector even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + even_a + even_b;
    y[1] = POINT_A * odd_a + POINT_B * odd_b;
    y[2] = SQUARE_A * even_a + SQUARE_B * even_b;
    y[3] = m[5] + SQUARE_A * POINT_A * odd_a + SQUARE_B * POINT_B * odd_b;
}

INLINE void line_of_gradient(int tile, const vector *dy, vector *d)
{
    if (tile == 2) {
        d[0] = dy[0];
        d[1] = dy[0] + dy[1];
        d[2] = dy[0] - dy[1];
        d[3] = -dy[1];
        return;
    }
    vector even_a = dy[0] + SQUARE_A * dy[2], odd_a = dy[1] + SQUARE_A * dy[3];
    vector even_b = dy[0] + SQUARE_B * dy[2], odd_b = dy[1] + SQUARE_B * dy[3];
    d[0] = dy[0];
    d[1] = even_a + POINT_A * odd_a;
    d[2] = even_a - POINT_A * odd_a;
    d[3] = even_b + POINT_B * odd_b;
    d[4] = even_b - POINT_B * odd_b;
    d[5] = dy[3];
}

INLINE void line_of_kernel(int tile, const vector *g, vector *u)
{
    if (tile == 2) {
        u[0] = g[0];
        u[1] = 0.5f * (g[0] + g[1] + g[2]);
        u[2] = 0.5f * (g[0] - g[1] + g[2]);
        u[3] = g[2];
        return;
    }
    vector even_a = SCALE_A * (g[0] + SQUARE_A * g[2]), even_b = SCALE_B * (g[0] + SQUARE_B * g[2]);
    u[0] = SCALE_0 * g[0];
    u[1] = even_a + SCALE_A * POINT_A * g[1];
    u[2] = even_a - SCALE_A * POINT_A * g[1];
    u[3] = even_b + SCALE_B * POINT_B * g[1];
    u[4] = even_b - SCALE_B * POINT_B * g[1];
    u[5] = g[2];
}

INLINE void line_of_kernel_gradient(int tile, const vector *du, vector *dg)
{
    if (tile == 2) {
        dg[0] = du[0] + 0.5f * (du[1] + du[2]);
        dg[1] = 0.5f * (du[1] - du[2]);
        dg[2] = 0.5f * (du[1] + du[2]) + du[3];
        return;
    }
    vector even_a = SCALE_A * (du[1] + du[2]), even_b = SCALE_B * (du[3] + du[4]);
    dg[0] = SCALE_0 * du[0] + even_a + even_b;
    dg[1] = SCALE_A * POINT_A * (du[1] - du[2]) + SCALE_B * POINT_B * (du[3] - du[4]);
    dg[2] = SQUARE_A * even_a + SQUARE_B * even_b + du[5];
}

/* The place `step` further.  Said so that the compiler takes it one after another: it would work out all 36 places of
   the points ahead of a loop, keep them in memory and load each. */
INLINE const float *further(const float *at, size_t step)
{
    at += step;
    __asm__("" : "+r"(at));
    return at;
}

/* L X Lt of a transform L, from `in` x `in` pixels of a map to `out` x `out` points, one after another. */
INLINE void map_to_points(line_transform *line, int tile, int in, int out, const float *from, size_t pitch, float *to,
                          size_t point)
{
    const float *rows[LINE_MOST];
    vector half[LINE_MOST][LINE_MOST];
#pragma GCC unroll 6
    for (int y = 0; y < in; y++)
        rows[y] = from + y * pitch;
#pragma GCC unroll 6
    for (int x = 0; x < in; x++) {
        vector column[LINE_MOST], transformed[LINE_MOST];
#pragma GCC unroll 6
        for (int y = 0; y < in; y++)
            column[y] = vector_load(rows[y] + x * LANES);
        line(tile, column, transformed);
#pragma GCC unroll 6
        for (int y = 0; y < out; y++)
            half[y][x] = transformed[y];
    }
#pragma GCC unroll 6
    for (int y = 0; y < out; y++) {
        vector transformed[LINE_MOST];
        line(tile, half[y], transformed);
#pragma GCC unroll 6
        for (int x = 0; x < out; x++, to = (float *)further(to, point))
            vector_store(to, transformed[x]);
    }
}

/* L X Lt of a transform L, from `in` x `in` points, one after another, to out[out][out]. */
INLINE void points_to_square(line_transform *line, int tile, int in, int out, const float *from, size_t point,
                             vector to[LINE_MOST][LINE_MOST])
{
    vector half[LINE_MOST][LINE_MOST];
#pragma GCC unroll 6
    for (int y = 0; y < in; y++) {
        vector row[LINE_MOST];
#pragma GCC unroll 6
        for (int x = 0; x < in; x++, from = further(from, point))
            row[x] = vector_load(from);
        line(tile, row, half[y]);
    }
#pragma GCC unroll 6
    for (int x = 0; x < out; x++) {
        vector column[LINE_MOST], transformed[LINE_MOST];
#pragma GCC unroll 6
        for (int y = 0; y < in; y++)
            column[y] = half[y][x];
        line(tile, column, transformed);
#pragma GCC unroll 6
        for (int y = 0; y < out; y++)
            to[y][x] = transformed[y];
    }
}

/* V = Bt d B of one tile. */
INLINE void tile_of_inputs(int tile, const float *d, size_t pitch, float *v, size_t point)
{
    map_to_points(line_of_inputs, tile, tile + 2, tile + 2, d, pitch, v, point);
}

/* D = A dY At of one tile. */
INLINE void tile_of_gradient(int tile, const float *dy, size_t pitch, float *d, size_t point)
{
    map_to_points(line_of_gradient, tile, tile, tile + 2, dy, pitch, d, point);
}

/* Y = At m A of one tile. */
INLINE void tile_of_outputs(int tile, const float *m, size_t point, vector y[LINE_MOST][LINE_MOST])
{
    points_to_square(line_of_outputs, tile, tile + 2, tile, m, point, y);
}

#endif
