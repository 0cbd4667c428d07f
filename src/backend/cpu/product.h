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
 */
#ifndef ESPALIER_BACKEND_CPU_PRODUCT_H
#define ESPALIER_BACKEND_CPU_PRODUCT_H

#include "backend/cpu/layout.h"

enum { COLUMN_BLOCK = 144 };

struct product {
    int rows, columns;
    const float *weights;
    ptrdiff_t weight_row, weight_column; /* steps from row to row, from column to column */
    const int32_t *offsets;              /* of each column, in floats */
    int height, width;                   /* pixels */
    ptrdiff_t x_pitch, x_step;           /* in `x`: from row of pixels to row, from pixel to pixel */
    ptrdiff_t out_plane, out_pitch, out_step;
};

/* Sums for batch statistics, a group's lanes apart: of (value - shift) and of its square, [row][lane].  In two
   levels, so that long sums stay exact: a row of pixels, then the rows. */
struct moments {
    float *sum, *square;         /* of the row of pixels at hand */
    float *sum_all, *square_all; /* of all before it */
    const float *shift;          /* by row of the product */
};

static void moments_clear(struct moments *moments, int rows)
{
    size_t bytes = (size_t)rows * LANES * sizeof(float);
    memset(moments->sum, 0, bytes);
    memset(moments->square, 0, bytes);
    memset(moments->sum_all, 0, bytes);
    memset(moments->square_all, 0, bytes);
}

static void moments_fold(const struct moments *moments, int rows)
{
    for (size_t i = 0; i < (size_t)rows * LANES; i += VECTOR_WIDTH) {
        vector_store(moments->sum_all + i, vector_load(moments->sum_all + i) + vector_load(moments->sum + i));
        vector_store(moments->square_all + i, vector_load(moments->square_all + i) + vector_load(moments->square + i));
        vector_store(moments->sum + i, (vector){0});
        vector_store(moments->square + i, (vector){0});
    }
}

/* How a tile goes on: where its sums start, and whether they are final. */
struct tile {
    const struct product *product;
    int column, columns;
    const float *x, *weights;
    float *out;
    bool resume;
    const struct moments *moments; /* NULL, or at this tile's first row, part included */
    int row;
};

INLINE void tile_moments(int rows, int pixels, const struct tile *tile, vector sums[TILE_ROWS][TILE_PIXELS], int part)
{
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        size_t at = (size_t)(tile->row + r) * LANES + (size_t)part * VECTOR_WIDTH;
        vector sum = vector_load(tile->moments->sum + at), square = vector_load(tile->moments->square + at);
        vector shift = vector_all(tile->moments->shift[tile->row + r]);
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++) {
            vector d = sums[r][p] - shift;
            sum += d;
            square += d * d;
        }
        vector_store(tile->moments->sum + at, sum);
        vector_store(tile->moments->square + at, square);
    }
}

INLINE void product_tile(int rows, int pixels, const struct tile *tile, int part)
{
    const struct product *product = tile->product;
    ptrdiff_t out_plane = product->out_plane, out_step = product->out_step;
    float *out = tile->out;
    vector sums[TILE_ROWS][TILE_PIXELS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++)
            sums[r][p] = tile->resume ? vector_load(out + r * out_plane + p * out_step) : (vector){0};
    const float *w = tile->weights;
    const int32_t *offset = product->offsets + tile->column, *end = offset + tile->columns;
    ptrdiff_t step = product->x_step, weight_row = product->weight_row, weight_column = product->weight_column;
    const float *x = tile->x;
#pragma GCC unroll 3
    for (; offset < end; offset++, w += weight_column) {
        const float *at = x + *offset;
        vector in[TILE_PIXELS];
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++)
            in[p] = vector_load(at + p * step);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vector weight = vector_all(w[r * weight_row]);
#pragma GCC unroll 8
            for (int p = 0; p < pixels; p++)
                sums[r][p] += weight * in[p];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++)
            vector_store(out + r * out_plane + p * out_step, sums[r][p]);
    if (tile->moments)
        tile_moments(rows, pixels, tile, sums, part);
}

#define PRODUCT_TILE(rows, pixels)                                                                                     \
    static __attribute__((noinline)) void product_tile_##rows##x##pixels(const struct tile *tile, int part)            \
    {                                                                                                                  \
        product_tile(rows, pixels, tile, part);                                                                        \
    }
#define PRODUCT_TILES(pixels)                                                                                          \
    PRODUCT_TILE(1, pixels)                                                                                            \
    PRODUCT_TILE(2, pixels)                                                                                            \
    PRODUCT_TILE(3, pixels)                                                                                            \
    PRODUCT_TILE(4, pixels)
#define PRODUCT_TILE_ROW(pixels)                                                                                       \
    {                                                                                                                  \
        product_tile_1x##pixels, product_tile_2x##pixels, product_tile_3x##pixels, product_tile_4x##pixels             \
    }
PRODUCT_TILES(1)
PRODUCT_TILES(2)
PRODUCT_TILES(3)
#if TILE_PIXELS == 4
PRODUCT_TILES(4)
#endif

typedef void product_tile_function(const struct tile *tile, int part);
static product_tile_function *const product_tiles[TILE_PIXELS][TILE_ROWS] = {
    PRODUCT_TILE_ROW(1),
    PRODUCT_TILE_ROW(2),
    PRODUCT_TILE_ROW(3),
#if TILE_PIXELS == 4
    PRODUCT_TILE_ROW(4),
#endif
};

/* The next tile's size when `left` are left: as even as `most` allows. */
INLINE int tile_size(int left, int most)
{
    int tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

/* One row of pixels, one block of columns, one part. */
static void product_row(struct tile tile, int part)
{
    const struct product *product = tile.product;
    const float *weights = product->weights + tile.column * product->weight_column;
    float *out = tile.out;
    for (int pixel = 0, pixels; pixel < product->width; pixel += pixels) {
        pixels = tile_size(product->width - pixel, TILE_PIXELS);
        tile.weights = weights;
        tile.out = out;
        for (int row = 0, rows; row < product->rows; row += rows) {
            rows = tile_size(product->rows - row, TILE_ROWS);
            tile.row = row;
            product_tiles[pixels - 1][rows - 1](&tile, part);
            tile.weights += rows * product->weight_row;
            tile.out += rows * product->out_plane;
        }
        tile.x += pixels * product->x_step;
        out += pixels * product->out_step;
    }
}

/* `moments` may be NULL. */
static void product_run(const struct product *product, const float *x, float *out, const struct moments *moments)
{
    for (int y = 0; y < product->height; y++) {
        for (int column = 0; column == 0 || column < product->columns; column += COLUMN_BLOCK)
            for (int part = 0; part < PARTS; part++) {
                int left = product->columns - column;
                bool last = left <= COLUMN_BLOCK;
                product_row((struct tile){.product = product,
                                          .column = column,
                                          .columns = last ? left : COLUMN_BLOCK,
                                          .x = x + y * product->x_pitch + part * VECTOR_WIDTH,
                                          .out = out + y * product->out_pitch + part * VECTOR_WIDTH,
                                          .resume = column > 0,
                                          .moments = last ? moments : NULL},
                            part);
            }
        if (moments)
            moments_fold(moments, product->rows);
    }
}

struct outer {
    int rows, columns;
    float *gradient; /* [row][column] */
    const int32_t *offsets;
    int height, width;
    ptrdiff_t x_pitch, x_step;
    ptrdiff_t d_plane, d_pitch, d_step;
};

INLINE void outer_tile(int rows, int columns, const struct outer *outer, const int32_t *offsets, int height,
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
                    in[c] = vector_load(xs[c] + part * VECTOR_WIDTH);
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++) {
                    vector dr = vector_load(ds + r * plane + part * VECTOR_WIDTH);
#pragma GCC unroll 8
                    for (int c = 0; c < columns; c++)
                        sums[r][c] += dr * in[c];
                }
            }
#pragma GCC unroll 8
            for (int c = 0; c < columns; c++)
                xs[c] += x_step;
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int c = 0; c < columns; c++)
            gradient[(ptrdiff_t)r * outer->columns + c] += vector_sum(sums[r][c]);
}

#define OUTER_TILE(rows, columns)                                                                                      \
    static __attribute__((noinline)) void outer_tile_##rows##x##columns(                                               \
        const struct outer *outer, const int32_t *offsets, int height, const float *x, const float *d, float *g)       \
    {                                                                                                                  \
        outer_tile(rows, columns, outer, offsets, height, x, d, g);                                                    \
    }
#define OUTER_TILES(columns)                                                                                           \
    OUTER_TILE(1, columns)                                                                                             \
    OUTER_TILE(2, columns)                                                                                             \
    OUTER_TILE(3, columns)                                                                                             \
    OUTER_TILE(4, columns)
#define OUTER_TILE_ROW(columns)                                                                                        \
    {                                                                                                                  \
        outer_tile_1x##columns, outer_tile_2x##columns, outer_tile_3x##columns, outer_tile_4x##columns                 \
    }
OUTER_TILES(1)
OUTER_TILES(2)
OUTER_TILES(3)
#if TILE_COLUMNS == 5
OUTER_TILES(4)
OUTER_TILES(5)
#endif

typedef void outer_tile_function(const struct outer *outer, const int32_t *offsets, int height, const float *x,
                                 const float *d, float *gradient);
static outer_tile_function *const outer_tiles[TILE_COLUMNS][TILE_ROWS] = {
    OUTER_TILE_ROW(1), OUTER_TILE_ROW(2), OUTER_TILE_ROW(3),
#if TILE_COLUMNS == 5
    OUTER_TILE_ROW(4), OUTER_TILE_ROW(5),
#endif
};

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
            for (int column = 0, columns; column < outer->columns; column += columns) {
                columns = outer->columns - column < TILE_COLUMNS ? outer->columns - column : TILE_COLUMNS;
                outer_tiles[columns - 1][rows - 1](outer, outer->offsets + column, height, x + y * outer->x_pitch,
                                                   d + row * outer->d_plane + y * outer->d_pitch,
                                                   outer->gradient + (ptrdiff_t)row * outer->columns + column);
            }
        }
    }
}

#endif
