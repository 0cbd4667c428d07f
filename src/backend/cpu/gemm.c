/*
 * gemm.c - the matrix products of gemm.h, in tiles of registers.
 *
 * A tile keeps TILE_ROWS x TILE_PIXELS (or x TILE_COLUMNS) vectors of sums in registers; what is left over is divided
 * into smaller tiles of nearly one size.  Columns are taken in panels, so that what the next tile reads again is still
 * in the first-level cache; between panels the sums wait in `out`.
 */
#include "backend/cpu/gemm.h"

enum { TILE_ROWS = 4 };
#if VECTOR_WIDTH == 16
enum { TILE_PIXELS = 4, TILE_COLUMNS = 5 };
#else
enum { TILE_PIXELS = 3, TILE_COLUMNS = 3 };
#endif
/* Columns of a panel; columns times pixels that a tile function does before the next rows. */
enum { PANEL = 144, SPAN = 864 };

/* A function for each size of tile, and the table of them: [pixels or columns - 1][rows - 1], in one row. */
#define TILES_OF(define, name, pairs, n)                                                                               \
    define(name, pairs, 1, n) define(name, pairs, 2, n) define(name, pairs, 3, n) define(name, pairs, 4, n)
#define TILES_TO_3(define, name, pairs)                                                                                \
    TILES_OF(define, name, pairs, 1) TILES_OF(define, name, pairs, 2) TILES_OF(define, name, pairs, 3)
#define TABLE_OF(name, n) name##_1x##n, name##_2x##n, name##_3x##n, name##_4x##n
#define TABLE_TO_3(name)  TABLE_OF(name, 1), TABLE_OF(name, 2), TABLE_OF(name, 3)
#if VECTOR_WIDTH == 16
#define PIXEL_TILES(define, name, pairs)  TILES_TO_3(define, name, pairs) TILES_OF(define, name, pairs, 4)
#define COLUMN_TILES(define, name, pairs) PIXEL_TILES(define, name, pairs) TILES_OF(define, name, pairs, 5)
#define PIXEL_TABLE(name)                 TABLE_TO_3(name), TABLE_OF(name, 4)
#define COLUMN_TABLE(name)                PIXEL_TABLE(name), TABLE_OF(name, 5)
#else
#define PIXEL_TILES  TILES_TO_3
#define COLUMN_TILES TILES_TO_3
#define PIXEL_TABLE  TABLE_TO_3
#define COLUMN_TABLE TABLE_TO_3
#endif

/* How large the next tile is when `left` are left: as even as `most` allows, the larger tiles first. */
INLINE int tile_size(int left, int most)
{
    int tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

/* How many tiles of that size follow one another. */
INLINE int tiles_of_size(int left, int most)
{
    int tiles = (left + most - 1) / most, small = left / tiles;
    return left - small * tiles ? left - small * tiles : tiles;
}

/* --- gemm --- */

/* Tiles side by side: the same rows and columns, pixel after pixel, each pixel a vector. */
struct span {
    const struct gemm *gemm;
    ptrdiff_t x_step, out_step; /* from vector to vector */
    int tiles, columns;
    const int32_t *offsets;
    const float *x, *weights;
    float *out;
    const float *bias;   /* of the first row; NULL: 0, or what `out` holds when `resume` */
    bool resume;         /* not the first panel */
    float *sum, *square; /* moments of the first row, or NULL */
};

INLINE void span_run(bool pairs, int rows, int pixels, const struct span *span)
{
    const struct gemm *gemm = span->gemm;
    ptrdiff_t step = span->x_step, weight_row = gemm->weight_row, weight_column = gemm->weight_column;
    ptrdiff_t out_plane = gemm->out_plane, out_step = span->out_step;
    const int32_t *end = span->offsets + span->columns;
    const float *x = span->x, *bias = span->bias;
    float *out = span->out, *sum = span->sum, *square = span->square;
    bool resume = span->resume;
    for (int tile = span->tiles; tile > 0; tile--, x += pixels * step, out += pixels * out_step) {
        vector sums[TILE_ROWS][TILE_PIXELS];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
            for (int p = 0; p < pixels; p++)
                sums[r][p] = (vector){0};
        if (resume) {
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
                for (int p = 0; p < pixels; p++)
                    sums[r][p] = vector_load(out + r * out_plane + p * out_step);
        } else if (bias) {
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
                for (int p = 0; p < pixels; p++)
                    sums[r][p] = vector_all(bias[r]);
        }
        const float *w = span->weights;
#pragma GCC unroll 3
        for (const int32_t *offset = span->offsets; offset < end; offset++, w += weight_column) {
            const float *at = x + *offset;
            vector in[TILE_PIXELS];
#pragma GCC unroll 8
            for (int p = 0; p < pixels; p++)
                in[p] = vector_load(at + p * step);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                vector weight = weight_all(pairs, w + r * weight_row);
#pragma GCC unroll 8
                for (int p = 0; p < pixels; p++)
                    sums[r][p] = multiply_add(pairs, sums[r][p], weight, in[p]);
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
            for (int p = 0; p < pixels; p++)
                vector_store(out + r * out_plane + p * out_step, sums[r][p]);
        if (!sum)
            continue;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vector total = vector_load(sum + r * VECTOR_WIDTH), squares = vector_load(square + r * VECTOR_WIDTH);
#pragma GCC unroll 8
            for (int p = 0; p < pixels; p++) {
                total += sums[r][p];
                squares += sums[r][p] * sums[r][p];
            }
            vector_store(sum + r * VECTOR_WIDTH, total);
            vector_store(square + r * VECTOR_WIDTH, squares);
        }
    }
}

#define SPAN_FUNCTION(name, pairs, rows, pixels)                                                                       \
    static __attribute__((noinline)) void name##_##rows##x##pixels(const struct span *span)                            \
    {                                                                                                                  \
        span_run(pairs, rows, pixels, span);                                                                           \
    }
typedef void span_function(const struct span *span);
PIXEL_TILES(SPAN_FUNCTION, span, false)
#ifdef HAVE_BF16
PIXEL_TILES(SPAN_FUNCTION, span_pairs, true)
static span_function *const span_functions[2][TILE_PIXELS * TILE_ROWS] = {{PIXEL_TABLE(span)},
                                                                          {PIXEL_TABLE(span_pairs)}};
#else
static span_function *const span_functions[1][TILE_PIXELS * TILE_ROWS] = {{PIXEL_TABLE(span)}};
#endif

/* One row of `vectors` vectors of pixels, the panel from `column` on. */
static void panel_run(struct span *span, int vectors, int column, const float *x, float *out,
                      const struct moments *moments)
{
    const struct gemm *gemm = span->gemm;
    int columns = gemm->columns - column;
    bool last = columns <= PANEL;
    span->columns = last ? columns : PANEL;
    span->resume = column > 0;
    span->offsets = gemm->offsets + column;
    int longest = span->columns * TILE_PIXELS > SPAN ? 1 : SPAN / (span->columns * TILE_PIXELS + 1) + 1;
    for (int pixel = 0, pixels; pixel < vectors; pixel += span->tiles * pixels) {
        pixels = tile_size(vectors - pixel, TILE_PIXELS);
        span->tiles = tiles_of_size(vectors - pixel, TILE_PIXELS);
        span->tiles = span->tiles < longest ? span->tiles : longest;
        span->x = x + pixel * span->x_step;
        for (int row = 0, rows; row < gemm->rows; row += rows) {
            rows = tile_size(gemm->rows - row, TILE_ROWS);
            span->weights = gemm->weights + row * gemm->weight_row + column * gemm->weight_column;
            span->out = out + row * gemm->out_plane + pixel * span->out_step;
            span->bias = gemm->bias && !column ? gemm->bias + row : NULL;
            span->sum = moments && last ? moments->sum + row * VECTOR_WIDTH : NULL;
            span->square = moments && last ? moments->square + row * VECTOR_WIDTH : NULL;
            span_functions[BF16 && gemm->pairs][(pixels - 1) * TILE_ROWS + rows - 1](span);
        }
    }
}

/* Where pixels are neighbours in `x` and `out`, all vectors of a row are one run; elsewhere each part of the pixels is.
 */
void gemm_run(const struct gemm *gemm, const float *x, float *out, const struct moments *moments)
{
    bool adjacent = gemm->x_step == BLOCK && gemm->out_step == BLOCK;
    int runs = adjacent ? 1 : PARTS, vectors = adjacent ? gemm->width * PARTS : gemm->width;
    struct span span = {.gemm = gemm,
                        .x_step = adjacent ? VECTOR_WIDTH : gemm->x_step,
                        .out_step = adjacent ? VECTOR_WIDTH : gemm->out_step};
    for (int y = 0; y < gemm->height; y++, x += gemm->x_pitch, out += gemm->out_pitch) {
        for (int column = 0; column == 0 || column < gemm->columns; column += PANEL)
            for (int run = 0; run < runs; run++)
                panel_run(&span, vectors, column, x + run * VECTOR_WIDTH, out + run * VECTOR_WIDTH, moments);
        if (moments)
            moments_end_row(moments, gemm->rows);
    }
}

/* --- outer --- */

INLINE void outer_tile(bool pairs, int rows, int columns, const struct outer *outer, const int32_t *offsets, int height,
                       const float *x, const float *d, float *gradient)
{
    vector sums[TILE_ROWS][TILE_COLUMNS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int c = 0; c < columns; c++)
            sums[r][c] = (vector){0};
    ptrdiff_t plane = outer->d_plane, x_step = outer->x_step, d_step = outer->d_step;
    for (int y = 0; y < height; y++) {
        const float *xs[TILE_COLUMNS], *ds = d + y * outer->d_pitch, *end = ds + outer->width * d_step;
#pragma GCC unroll 8
        for (int c = 0; c < columns; c++)
            xs[c] = x + y * outer->x_pitch + offsets[c];
        for (; ds < end; ds += d_step) {
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
                vector in[TILE_COLUMNS];
#pragma GCC unroll 8
                for (int c = 0; c < columns; c++)
                    in[c] = pairs ? vector_load_unaligned(xs[c] + part * VECTOR_WIDTH)
                                  : vector_load(xs[c] + part * VECTOR_WIDTH);
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++) {
                    vector dr = vector_load(ds + r * plane + part * VECTOR_WIDTH);
#pragma GCC unroll 8
                    for (int c = 0; c < columns; c++)
                        sums[r][c] = multiply_add(pairs, sums[r][c], dr, in[c]);
                }
            }
#pragma GCC unroll 8
            for (int c = 0; c < columns; c++)
                xs[c] += x_step;
        }
    }
    ptrdiff_t gradient_row = outer->columns;
#pragma GCC unroll 8
    for (int c = 0; c < columns; c++) {
        if (rows == 4) {
            quad column = vector_sum_four(sums[0][c], sums[1][c], sums[2][c], sums[3][c]);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                gradient[r * gradient_row + c] += column[r];
        } else {
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++)
                gradient[r * gradient_row + c] += vector_sum(sums[r][c]);
        }
    }
}

#define OUTER_FUNCTION(name, pairs, rows, columns)                                                                     \
    static __attribute__((noinline)) void name##_##rows##x##columns(                                                   \
        const struct outer *outer, const int32_t *offsets, int height, const float *x, const float *d, float *g)       \
    {                                                                                                                  \
        outer_tile(pairs, rows, columns, outer, offsets, height, x, d, g);                                             \
    }
typedef void outer_function(const struct outer *outer, const int32_t *offsets, int height, const float *x,
                            const float *d, float *gradient);
COLUMN_TILES(OUTER_FUNCTION, outer, false)
#ifdef HAVE_BF16
COLUMN_TILES(OUTER_FUNCTION, outer_pairs, true)
static outer_function *const outer_functions[2][TILE_COLUMNS * TILE_ROWS] = {{COLUMN_TABLE(outer)},
                                                                             {COLUMN_TABLE(outer_pairs)}};
#else
static outer_function *const outer_functions[1][TILE_COLUMNS * TILE_ROWS] = {{COLUMN_TABLE(outer)}};
#endif

/* Rows of pixels are walked in strips, so that a strip of TILE_ROWS planes of `d` stays in the cache while all columns
   pass over it. */
void outer_run(const struct outer *outer, const float *x, const float *d)
{
    int strip = OUTER_STRIP / outer->width;
    if (strip < 1)
        strip = 1;
    for (int y = 0; y < outer->height; y += strip) {
        int height = outer->height - y < strip ? outer->height - y : strip;
        for (int row = 0, rows; row < outer->rows; row += rows) {
            rows = tile_size(outer->rows - row, TILE_ROWS);
            for (int column = outer->first, columns; column < outer->last; column += columns) {
                columns = tile_size(outer->last - column, TILE_COLUMNS);
                outer_functions[BF16 && outer->pairs][(columns - 1) * TILE_ROWS + rows - 1](
                    outer, outer->offsets + column, height, x + y * outer->x_pitch,
                    d + row * outer->d_plane + y * outer->d_pitch,
                    outer->gradient + (ptrdiff_t)row * outer->columns + column);
            }
        }
    }
}
