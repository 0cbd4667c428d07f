/*
 * product.h - the two sums that nearly all of the time goes into, over places of a map given by a table.
 *
 *   product:  out[row][pixel]      = sum over columns of weight[row][column] * x[offset[column] + pixel]
 *   outer:    gradient[row][column] += sum over pixels of d[row][pixel] * x[offset[column] + pixel]
 *
 * A column is one weight of a row: (input channel, ky, kx) of a convolution, in the canonical order.  Its offset is
 * where its input lies relative to the output pixel.  So one loop serves every kernel, stride and border, and FC
 * layers, whose "pixels" are the groups of the batch.  Each value is 16 images wide.
 *
 * A tile keeps TILE_ROWS x TILE_PIXELS (or TILE_COLUMNS) vectors of sums in registers; remainders are spread over
 * smaller tiles as evenly as they go.  Columns are walked in blocks, so that what a tile reads again stays in the
 * first-level cache; between blocks the sums of `product` wait in `out`.
 *
 * The same sums over pairs of bf16 numbers (bf16.h): `x`, weights and `d` are then buffers of pairs, what comes out is
 * floats.
 */
#ifndef ESPALIER_BACKEND_CPU_PRODUCT_H
#define ESPALIER_BACKEND_CPU_PRODUCT_H

#include "backend/cpu/bf16.h"
#include "backend/cpu/layout.h"

/* Columns in a block, and columns times pixels that one tile function walks before the next rows come. */
enum { COLUMN_BLOCK = 144, SPAN = 864 };

struct product {
    bool pairs; /* weights and `x` are pairs of bf16 */
    int rows, columns;
    const float *weights;
    ptrdiff_t weight_row, weight_column; /* steps from row to row, from column to column */
    const int32_t *offsets;              /* of each column, in floats */
    const float *start;                  /* by row, what the sum starts from; NULL: 0 */
    /* Vectors of pixels: a pixel's PARTS vectors follow one another in a row, or, where pixels are not neighbours in
       `x`, are `parts` passes over the row. */
    int parts, height, width;
    ptrdiff_t x_pitch, x_step; /* in `x`: from row to row, from vector to vector */
    ptrdiff_t out_plane, out_pitch, out_step;
};

/* Sums over pixels of what comes out and of its square, for batch statistics: a vector a row, over all lanes.  In two
   levels, so that long sums stay exact: a row of pixels, then the rows. */
struct moments {
    float *sum, *square;         /* of the row of pixels at hand */
    float *sum_all, *square_all; /* of all before it */
};

static struct moments moments_new(struct pieces *pieces, int rows)
{
    size_t bytes = (size_t)rows * sizeof(vector);
    return (struct moments){piece(pieces, bytes), piece(pieces, bytes), piece(pieces, bytes), piece(pieces, bytes)};
}

/* One member's, of those of a team. */
static struct moments moments_of(const struct moments *all, int rows, int member)
{
    size_t at = (size_t)member * rows * VECTOR_WIDTH;
    return (struct moments){all->sum + at, all->square + at, all->sum_all + at, all->square_all + at};
}

static void moments_clear(const struct moments *moments, int rows)
{
    size_t bytes = (size_t)rows * sizeof(vector);
    memset(moments->sum, 0, bytes);
    memset(moments->square, 0, bytes);
    memset(moments->sum_all, 0, bytes);
    memset(moments->square_all, 0, bytes);
}

static void moments_fold(const struct moments *moments, int rows)
{
    for (size_t i = 0; i < (size_t)rows * VECTOR_WIDTH; i += VECTOR_WIDTH) {
        vector_store(moments->sum_all + i, vector_load(moments->sum_all + i) + vector_load(moments->sum + i));
        vector_store(moments->square_all + i, vector_load(moments->square_all + i) + vector_load(moments->square + i));
        vector_store(moments->sum + i, (vector){0});
        vector_store(moments->square + i, (vector){0});
    }
}

/* A span of tiles side by side: the same rows and columns, the next pixels. */
struct span {
    const struct product *product;
    int tiles, columns;
    const int32_t *offsets;
    const float *x, *weights;
    float *out;
    const float *start;  /* of the first row; NULL: 0, or what `out` holds when `resume` */
    bool resume;         /* a later block of columns */
    float *sum, *square; /* moments of the first row, or NULL */
};

INLINE void product_span(bool pairs, int rows, int pixels, const struct span *span)
{
    const struct product *product = span->product;
    ptrdiff_t step = product->x_step, weight_row = product->weight_row, weight_column = product->weight_column;
    ptrdiff_t out_plane = product->out_plane, out_step = product->out_step;
    const int32_t *end = span->offsets + span->columns;
    const float *x = span->x, *start = span->start;
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
        } else if (start) {
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
                for (int p = 0; p < pixels; p++)
                    sums[r][p] = vector_all(start[r]);
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

#define PRODUCT_SPAN(name, pairs, rows, pixels)                                                                        \
    static __attribute__((noinline)) void name##_span_##rows##x##pixels(const struct span *span)                       \
    {                                                                                                                  \
        product_span(pairs, rows, pixels, span);                                                                       \
    }
#define PRODUCT_SPANS(name, pairs, pixels)                                                                             \
    PRODUCT_SPAN(name, pairs, 1, pixels)                                                                               \
    PRODUCT_SPAN(name, pairs, 2, pixels)                                                                               \
    PRODUCT_SPAN(name, pairs, 3, pixels)                                                                               \
    PRODUCT_SPAN(name, pairs, 4, pixels)
#define PRODUCT_SPAN_ROW(name, pixels)                                                                                 \
    {                                                                                                                  \
        name##_span_1x##pixels, name##_span_2x##pixels, name##_span_3x##pixels, name##_span_4x##pixels                 \
    }
typedef void product_span_function(const struct span *span);
#if TILE_PIXELS == 4
#define PRODUCT_TABLE(name, pairs)                                                                                     \
    PRODUCT_SPANS(name, pairs, 1)                                                                                      \
    PRODUCT_SPANS(name, pairs, 2)                                                                                      \
    PRODUCT_SPANS(name, pairs, 3)                                                                                      \
    PRODUCT_SPANS(name, pairs, 4)                                                                                      \
    static product_span_function *const name##_spans[TILE_PIXELS][TILE_ROWS] = {                                       \
        PRODUCT_SPAN_ROW(name, 1), PRODUCT_SPAN_ROW(name, 2), PRODUCT_SPAN_ROW(name, 3), PRODUCT_SPAN_ROW(name, 4)};
#else
#define PRODUCT_TABLE(name, pairs)                                                                                     \
    PRODUCT_SPANS(name, pairs, 1)                                                                                      \
    PRODUCT_SPANS(name, pairs, 2)                                                                                      \
    PRODUCT_SPANS(name, pairs, 3)                                                                                      \
    static product_span_function *const name##_spans[TILE_PIXELS][TILE_ROWS] = {                                       \
        PRODUCT_SPAN_ROW(name, 1), PRODUCT_SPAN_ROW(name, 2), PRODUCT_SPAN_ROW(name, 3)};
#endif
PRODUCT_TABLE(product, false)
#if defined VECTOR_BF16 || defined EMULATE_BF16
PRODUCT_TABLE(product_pairs, true)
#else
#define product_pairs_spans product_spans /* none: nothing comes in pairs */
#endif

/* The next tile's size when `left` are left: as even as `most` allows, the larger ones first. */
INLINE int tile_size(int left, int most)
{
    int tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

/* How many tiles of the size that tile_size gives come now. */
INLINE int tiles_of_size(int left, int most)
{
    int tiles = (left + most - 1) / most, small = left / tiles;
    return left - small * tiles ? left - small * tiles : tiles;
}

/* One row of pixels, one block of columns. */
static void product_row(const struct product *product, int column, const float *x, float *out,
                        const struct moments *moments)
{
    int columns = product->columns - column;
    bool last = columns <= COLUMN_BLOCK;
    struct span span = {.product = product, .columns = last ? columns : COLUMN_BLOCK, .resume = column > 0};
    span.offsets = product->offsets + column;
    int longest = span.columns * TILE_PIXELS > SPAN ? 1 : SPAN / (span.columns * TILE_PIXELS + 1) + 1;
    for (int pixel = 0, pixels; pixel < product->width; pixel += span.tiles * pixels) {
        pixels = tile_size(product->width - pixel, TILE_PIXELS);
        span.tiles = tiles_of_size(product->width - pixel, TILE_PIXELS);
        span.tiles = span.tiles < longest ? span.tiles : longest;
        span.x = x + pixel * product->x_step;
        for (int row = 0, rows; row < product->rows; row += rows) {
            rows = tile_size(product->rows - row, TILE_ROWS);
            span.weights = product->weights + row * product->weight_row + column * product->weight_column;
            span.out = out + row * product->out_plane + pixel * product->out_step;
            span.start = product->start && !column ? product->start + row : NULL;
            span.sum = moments && last ? moments->sum + row * VECTOR_WIDTH : NULL;
            span.square = moments && last ? moments->square + row * VECTOR_WIDTH : NULL;
            if (BF16 && product->pairs)
                product_pairs_spans[pixels - 1][rows - 1](&span);
            else
                product_spans[pixels - 1][rows - 1](&span);
        }
    }
}

/* `moments` may be NULL. */
static void product_run(const struct product *product, const float *x, float *out, const struct moments *moments)
{
    for (int y = 0; y < product->height; y++, x += product->x_pitch, out += product->out_pitch) {
        for (int column = 0; column == 0 || column < product->columns; column += COLUMN_BLOCK)
            for (int part = 0; part < product->parts; part++)
                product_row(product, column, x + part * VECTOR_WIDTH, out + part * VECTOR_WIDTH, moments);
        if (moments)
            moments_fold(moments, product->rows);
    }
}

struct outer {
    bool pairs; /* `x` and `d` are pairs of bf16, of neighbouring lanes or pixels; `x` need not be aligned */
    int rows, columns;
    int first, last; /* columns that are summed: first … last-1 */
    float *gradient; /* [row][column] */
    const int32_t *offsets;
    int height, width;
    ptrdiff_t x_pitch, x_step;
    ptrdiff_t d_plane, d_pitch, d_step;
};

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

#define OUTER_TILE(name, pairs, rows, columns)                                                                         \
    static __attribute__((noinline)) void name##_tile_##rows##x##columns(                                              \
        const struct outer *outer, const int32_t *offsets, int height, const float *x, const float *d, float *g)       \
    {                                                                                                                  \
        outer_tile(pairs, rows, columns, outer, offsets, height, x, d, g);                                             \
    }
#define OUTER_TILES_OF(name, pairs, columns)                                                                           \
    OUTER_TILE(name, pairs, 1, columns)                                                                                \
    OUTER_TILE(name, pairs, 2, columns)                                                                                \
    OUTER_TILE(name, pairs, 3, columns)                                                                                \
    OUTER_TILE(name, pairs, 4, columns)
#define OUTER_TILE_ROW(name, columns)                                                                                  \
    {                                                                                                                  \
        name##_tile_1x##columns, name##_tile_2x##columns, name##_tile_3x##columns, name##_tile_4x##columns             \
    }
typedef void outer_tile_function(const struct outer *outer, const int32_t *offsets, int height, const float *x,
                                 const float *d, float *gradient);
#if TILE_COLUMNS == 5
#define OUTER_TABLE(name, pairs)                                                                                       \
    OUTER_TILES_OF(name, pairs, 1)                                                                                     \
    OUTER_TILES_OF(name, pairs, 2)                                                                                     \
    OUTER_TILES_OF(name, pairs, 3)                                                                                     \
    OUTER_TILES_OF(name, pairs, 4)                                                                                     \
    OUTER_TILES_OF(name, pairs, 5)                                                                                     \
    static outer_tile_function *const name##_tiles[TILE_COLUMNS][TILE_ROWS] = {                                        \
        OUTER_TILE_ROW(name, 1), OUTER_TILE_ROW(name, 2), OUTER_TILE_ROW(name, 3), OUTER_TILE_ROW(name, 4),            \
        OUTER_TILE_ROW(name, 5)};
#else
#define OUTER_TABLE(name, pairs)                                                                                       \
    OUTER_TILES_OF(name, pairs, 1)                                                                                     \
    OUTER_TILES_OF(name, pairs, 2)                                                                                     \
    OUTER_TILES_OF(name, pairs, 3)                                                                                     \
    static outer_tile_function *const name##_tiles[TILE_COLUMNS][TILE_ROWS] = {                                        \
        OUTER_TILE_ROW(name, 1), OUTER_TILE_ROW(name, 2), OUTER_TILE_ROW(name, 3)};
#endif
OUTER_TABLE(outer, false)
#if defined VECTOR_BF16 || defined EMULATE_BF16
OUTER_TABLE(outer_pairs, true)
#else
#define outer_pairs_tiles outer_tiles
#endif

/* Adds to `gradient`.  Walks rows of pixels in strips, so that a strip of TILE_ROWS planes of `d` stays in the cache
   while all columns pass over it. */
static void outer_run(const struct outer *outer, const float *x, const float *d)
{
    enum { STRIP_PIXELS = 64 };
    int strip = STRIP_PIXELS / outer->width;
    if (strip < 1)
        strip = 1;
    for (int y = 0; y < outer->height; y += strip) {
        int height = outer->height - y < strip ? outer->height - y : strip;
        for (int row = 0, rows; row < outer->rows; row += rows) {
            rows = tile_size(outer->rows - row, TILE_ROWS);
            for (int column = outer->first, columns; column < outer->last; column += columns) {
                columns = tile_size(outer->last - column, TILE_COLUMNS);
                outer_tile_function *tile = outer_tiles[columns - 1][rows - 1];
                if (BF16 && outer->pairs)
                    tile = outer_pairs_tiles[columns - 1][rows - 1];
                tile(outer, outer->offsets + column, height, x + y * outer->x_pitch,
                     d + row * outer->d_plane + y * outer->d_pitch,
                     outer->gradient + (ptrdiff_t)row * outer->columns + column);
            }
        }
    }
}

#endif
