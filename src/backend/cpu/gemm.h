/*
 * gemm.h - the two matrix products that take nearly all of the time.
 *
 *     gemm:   out[row][pixel]      = sum over columns of weight[row][column] * x[offset[column] + pixel]
 *     outer:  gradient[row][column] += sum over pixels of d[row][pixel] * x[offset[column] + pixel]
 *
 * A column is one weight of a row: (input channel, ky, kx) of a convolution, in the canonical order.  Its offset leads
 * from an output pixel's place to the input pixel that it is multiplied with (Dukhan 2019, The Indirect Convolution
 * Algorithm, has a table of pointers instead).  So one loop serves every kernel, stride and border, and FC layers too,
 * whose "pixels" are the blocks of the batch.  Each value is a block: 16 images.
 *
 * Distances are in floats.  With `pairs`, weights, `x` and `d` are pairs of bf16 numbers (bf16.h); results are floats.
 */
#ifndef ESPALIER_BACKEND_CPU_GEMM_H
#define ESPALIER_BACKEND_CPU_GEMM_H

#include "backend/cpu/bf16.h"

#define gemm_run  ISA_SYMBOL(gemm_run)
#define outer_run ISA_SYMBOL(outer_run)

struct gemm {
    bool pairs;
    int rows, columns;
    const float *weights;
    ptrdiff_t weight_row, weight_column; /* from row to row, from column to column */
    const int32_t *offsets;              /* by column */
    const float *bias;                   /* by row: what the sum starts from; NULL: 0 */
    int height, width;                   /* in pixels */
    ptrdiff_t x_pitch, x_step;           /* in `x`: from row to row, from pixel to pixel */
    ptrdiff_t out_plane, out_pitch, out_step;
};

/* Sums of what gemm_run writes and of its squares, for batch statistics: a vector for each row.  The sums of a row of
   pixels are added to those of all rows before it, so that long sums lose no digits. */
struct moments {
    float *sum, *square;         /* of this row of pixels */
    float *sum_all, *square_all; /* of the rows before it */
};

static inline struct moments moments_new(struct workspace *workspace, int rows)
{
    size_t bytes = (size_t)rows * sizeof(vector);
    struct moments moments;
    moments.sum = workspace_take(workspace, bytes);
    moments.square = workspace_take(workspace, bytes);
    moments.sum_all = workspace_take(workspace, bytes);
    moments.square_all = workspace_take(workspace, bytes);
    return moments;
}

/* The part of one member of a team. */
static inline struct moments moments_of(const struct moments *all, int rows, int member)
{
    size_t at = (size_t)member * rows * VECTOR_WIDTH;
    return (struct moments){all->sum + at, all->square + at, all->sum_all + at, all->square_all + at};
}

static inline void moments_clear(const struct moments *moments, int rows)
{
    size_t bytes = (size_t)rows * sizeof(vector);
    memset(moments->sum, 0, bytes);
    memset(moments->square, 0, bytes);
    memset(moments->sum_all, 0, bytes);
    memset(moments->square_all, 0, bytes);
}

/* Called at the end of a row of pixels. */
static inline void moments_end_row(const struct moments *moments, int rows)
{
    for (size_t i = 0; i < (size_t)rows * VECTOR_WIDTH; i += VECTOR_WIDTH) {
        vector_store(moments->sum_all + i, vector_load(moments->sum_all + i) + vector_load(moments->sum + i));
        vector_store(moments->square_all + i, vector_load(moments->square_all + i) + vector_load(moments->square + i));
        vector_store(moments->sum + i, (vector){0});
        vector_store(moments->square + i, (vector){0});
    }
}

/* `moments` may be NULL. */
void gemm_run(const struct gemm *gemm, const float *x, float *out, const struct moments *moments);

struct outer {
    bool pairs; /* of neighbouring images or pixels; then `x` need not be aligned */
    int rows, columns;
    int first, last; /* only columns first … last-1 are summed */
    float *gradient; /* [row][column] */
    const int32_t *offsets;
    int height, width;
    ptrdiff_t x_pitch, x_step;
    ptrdiff_t d_plane, d_pitch, d_step;
};

/* Pixels of a strip: outer_run sums each strip of rows by itself, and adds it to `gradient`. */
enum { OUTER_STRIP = 64 };
void outer_run(const struct outer *outer, const float *x, const float *d);

#endif
