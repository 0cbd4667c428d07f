/*
 * winograd_transforms.h - the transforms of minimal filtering (winograd.h).
 *
 * A line of `tile` outputs of a kernel of `kernel` taps is the product of two polynomials, computed from their values
 * at n = tile + kernel - 1 points, the last of which is infinity (Winograd 1980; Lavin and Gray 2016).  Rows are
 * transformed as columns are, so each transform is written once, for a line:
 *
 *     inputs      v = Bt d     n to n          a matrix of n points alone
 *     kernel      u = G g      kernel to n     values of the polynomial g at the points, scaled
 *     outputs     y = At m     n to tile       sums of m times powers of the points
 *     gradient    d = A dy     tile to n       values of the polynomial dy at the points
 *     of kernels  dg = Gt du   n to kernel     sums of du times powers of the points, scaled
 *
 * The points are 0, pairs of either sign, and infinity: 1 for n = 4; 3/4 and 3/2 for n = 6; 1/2, 1 and 2 for n = 8.
 * They and their powers are exact in float32, and their products are near 1, which keeps the sums small.  With 64
 * channels the error of outputs is twice that of direct sums for n = 6 (the textbook's 1 and 2: four times), and five
 * times for n = 8; the error of the weight gradient is three and thirteen times.
 */
#ifndef ESPALIER_BACKEND_CPU_WINOGRAD_TRANSFORMS_H
#define ESPALIER_BACKEND_CPU_WINOGRAD_TRANSFORMS_H

#include "backend/cpu/vector.h"

enum { LINE_MOST = 8, POINTS_MOST = LINE_MOST * LINE_MOST, TAPS_MOST = 25 };

/* Pair `i` of the points, the positive one. */
INLINE float line_point(int n, int i)
{
    return n == 4 ? 1.0f : n == 6 ? 0.75f * (float)(1 << i) : 0.5f * (float)(1 << i);
}

INLINE int line_pairs(int n)
{
    return n / 2 - 1;
}

/* The factors x^2 - p^2 of all pairs but `skip` (-1: of all), multiplied: coefficients of 1, x^2, ...; returns how
 * many. */
INLINE int line_factors(int n, int skip, float coefficients[LINE_MOST / 2])
{
    int count = 1;
    coefficients[0] = 1;
#pragma GCC unroll 3
    for (int i = 0; i < line_pairs(n); i++)
        if (i != skip) {
            float square = line_point(n, i) * line_point(n, i);
            coefficients[count] = coefficients[count - 1];
#pragma GCC unroll 3
            for (int k = count - 1; k > 0; k--)
                coefficients[k] = coefficients[k - 1] - square * coefficients[k];
            coefficients[0] *= -square;
            count++;
        }
    return count;
}

/* A kernel's value at the points of pair `of` (-1: at 0) is divided by this: the product of distances to the other
   points. */
INLINE float line_distances(int n, int of)
{
    float product = 1, square = of < 0 ? 0 : line_point(n, of) * line_point(n, of);
#pragma GCC unroll 3
    for (int i = 0; i < line_pairs(n); i++)
        if (i != of)
            product *= square - line_point(n, i) * line_point(n, i);
    return of < 0 ? product : 2 * square * product;
}

/* `count`: the length of the side that isn't n.  Lines of 4 have the usual signs of F(2x2,3x3). */
typedef void line_transform(int n, int count, const vector *from, vector *to);

INLINE void line_of_inputs(int n, int count, const vector *d, vector *v)
{
    if (n == 4) {
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[1] - d[3];
        return;
    }
    float c[LINE_MOST / 2];
    int factors = line_factors(n, -1, c);
    v[0] = d[n - 2];
    v[n - 1] = d[n - 1];
#pragma GCC unroll 4
    for (int k = factors - 2; k >= 0; k--) {
        v[0] += c[k] * d[2 * k];
        v[n - 1] += c[k] * d[2 * k + 1];
    }
#pragma GCC unroll 3
    for (int i = 0; i < line_pairs(n); i++) {
        factors = line_factors(n, i, c);
        vector even = d[n - 2], odd = d[n - 3];
#pragma GCC unroll 3
        for (int k = factors - 2; k >= 0; k--) {
            even += c[k] * d[2 * k + 2];
            odd += c[k] * d[2 * k + 1];
        }
        v[1 + 2 * i] = even + line_point(n, i) * odd;
        v[2 + 2 * i] = even - line_point(n, i) * odd;
    }
}

/* Values at the points of a polynomial with `count` coefficients. */
INLINE void line_of_gradient(int n, int count, const vector *dy, vector *d)
{
    if (n == 4) {
        d[0] = dy[0];
        d[1] = dy[0] + dy[1];
        d[2] = dy[0] - dy[1];
        d[3] = -dy[1];
        return;
    }
    d[0] = dy[0];
    d[n - 1] = dy[count - 1];
#pragma GCC unroll 3
    for (int i = 0; i < line_pairs(n); i++) {
        float point = line_point(n, i), power = 1;
        vector even = dy[0], odd = dy[1];
#pragma GCC unroll 4
        for (int k = 2; k < count; k++) {
            power *= k % 2 ? 1 : point * point;
            if (k % 2)
                odd += power * dy[k];
            else
                even += power * dy[k];
        }
        d[1 + 2 * i] = even + point * odd;
        d[2 + 2 * i] = even - point * odd;
    }
}

INLINE void line_of_kernel(int n, int count, const vector *g, vector *u)
{
    if (n == 4) {
        u[0] = g[0];
        u[1] = 0.5f * (g[0] + g[1] + g[2]);
        u[2] = 0.5f * (g[0] - g[1] + g[2]);
        u[3] = g[2];
        return;
    }
    line_of_gradient(n, count, g, u);
    u[0] *= 1 / line_distances(n, -1);
#pragma GCC unroll 3
    for (int i = 0; i < line_pairs(n); i++) {
        u[1 + 2 * i] *= 1 / line_distances(n, i);
        u[2 + 2 * i] *= 1 / line_distances(n, i);
    }
}

/* Sums of `m` times the points' powers 0 ... count-1. */
INLINE void line_of_outputs(int n, int count, const vector *m, vector *y)
{
    if (n == 4) {
        y[0] = m[0] + m[1] + m[2];
        y[1] = m[1] - m[2] - m[3];
        return;
    }
    y[0] = m[0];
    y[count - 1] = m[n - 1];
#pragma GCC unroll 3
    for (int i = 0; i < line_pairs(n); i++) {
        float power = 1;
        vector sums[2] = {m[1 + 2 * i] + m[2 + 2 * i], m[1 + 2 * i] - m[2 + 2 * i]}; /* of even powers, of odd ones */
#pragma GCC unroll 5
        for (int k = 0; k < count; k++, power *= line_point(n, i)) {
            vector term = power * sums[k % 2];
            if (i == 0 && k > 0 && k < count - 1)
                y[k] = term;
            else
                y[k] += term;
        }
    }
}

INLINE void line_of_kernel_gradient(int n, int count, const vector *du, vector *dg)
{
    if (n == 4) {
        dg[0] = du[0] + 0.5f * (du[1] + du[2]);
        dg[1] = 0.5f * (du[1] - du[2]);
        dg[2] = 0.5f * (du[1] + du[2]) + du[3];
        return;
    }
    vector scaled[LINE_MOST];
    scaled[0] = du[0] * (1 / line_distances(n, -1));
    scaled[n - 1] = du[n - 1];
#pragma GCC unroll 3
    for (int i = 0; i < line_pairs(n); i++) {
        scaled[1 + 2 * i] = du[1 + 2 * i] * (1 / line_distances(n, i));
        scaled[2 + 2 * i] = du[2 + 2 * i] * (1 / line_distances(n, i));
    }
    line_of_outputs(n, count, scaled, dg);
}

/* at + step, hidden from the compiler, which would otherwise compute the addresses of all points before a loop, keep
   them in memory and load each. */
INLINE const float *further(const float *at, size_t step)
{
    at += step;
    __asm__("" : "+r"(at));
    return at;
}

/* L X Lt, where L is the transform: from `in` x `in` pixels of a map to n x n points, `point` apart. */
INLINE void map_to_points(line_transform *line, int n, int in, const float *from, size_t pitch, float *to, size_t point)
{
    const float *rows[LINE_MOST];
    vector half[LINE_MOST][LINE_MOST];
#pragma GCC unroll 8
    for (int y = 0; y < in; y++)
        rows[y] = from + y * pitch;
#pragma GCC unroll 8
    for (int x = 0; x < in; x++) {
        vector column[LINE_MOST], transformed[LINE_MOST];
#pragma GCC unroll 8
        for (int y = 0; y < in; y++)
            column[y] = vector_load(rows[y] + x * BLOCK);
        line(n, in, column, transformed);
#pragma GCC unroll 8
        for (int y = 0; y < n; y++)
            half[y][x] = transformed[y];
    }
#pragma GCC unroll 8
    for (int y = 0; y < n; y++) {
        vector transformed[LINE_MOST];
        line(n, in, half[y], transformed);
#pragma GCC unroll 8
        for (int x = 0; x < n; x++, to = (float *)further(to, point))
            vector_store(to, transformed[x]);
    }
}

/* L X Lt, where L is the transform: from n x n points, `point` apart, to a square of `out` x `out`. */
INLINE void points_to_square(line_transform *line, int n, int out, const float *from, size_t point,
                             vector to[LINE_MOST][LINE_MOST])
{
    vector half[LINE_MOST][LINE_MOST];
#pragma GCC unroll 8
    for (int y = 0; y < n; y++) {
        vector row[LINE_MOST];
#pragma GCC unroll 8
        for (int x = 0; x < n; x++, from = further(from, point))
            row[x] = vector_load(from);
        line(n, out, row, half[y]);
    }
#pragma GCC unroll 8
    for (int x = 0; x < out; x++) {
        vector column[LINE_MOST], transformed[LINE_MOST];
#pragma GCC unroll 8
        for (int y = 0; y < n; y++)
            column[y] = half[y][x];
        line(n, out, column, transformed);
#pragma GCC unroll 8
        for (int y = 0; y < out; y++)
            to[y][x] = transformed[y];
    }
}

#endif
