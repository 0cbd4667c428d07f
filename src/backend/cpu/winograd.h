/*
 * winograd.h - convolutions with stride 1 by minimal filtering (Winograd 1980; Lavin and Gray 2016).
 *
 * A tile of 4 x 4 outputs of one channel pair takes 36 multiplies instead of 144 with a kernel of 3 x 3, and 64 instead
 * of 400 with one of 5 x 5; a tile of 2 x 2 takes 16 instead of 36:
 *
 *     Y = At [ U * V ] A      U = G g Gt   V = Bt d B      g: the kernel, d: the inputs that the tile's outputs see
 *     dg = Gt [ D * V ] G     D = A dY At                  * is by element; sums over channels, or tiles, are inside
 *
 * For each point (16, 36 or 64) the sum over channels is a plain matrix product, and the sum over tiles an outer
 * product: both are those of product.h, with tiles for pixels.  As each value is transformed once (winograd_tiles.h)
 * and then multiplied by all channels, that is cheap from some 8 channels on.
 *
 * Tiles may hang over the map's lower and right edge; what is outside counts as zeros and is not written.
 *
 * Tiles are taken in chunks that stay in the cache, as [point][channel][tile][image].  In bf16, what the transforms
 * write is rounded, and tiles are 2 x 2, as those of 4 x 4 would multiply the error: chunks and weights are
 * [point][pair of channels][tile][image], and for the weight gradient [point][channel][pair of tiles][image].
 */
#ifndef ESPALIER_BACKEND_CPU_WINOGRAD_H
#define ESPALIER_BACKEND_CPU_WINOGRAD_H

#include "backend/cpu/winograd_pairs.h"
#include "backend/cpu/winograd_tiles.h"

enum {
    PRODUCT_TILES = 12 / PARTS, /* in a chunk of a product: whole register tiles */
    OUTER_TILES = 32            /* at most, in a chunk of an outer product */
};

/* What is transformed, its tiles by their first pixel.  Inputs are at the first that the first output sees. */
struct winograd {
    int tile, kernel;    /* outputs in a line of a tile, taps in a line of a kernel: 2 and 3, 4 and 3, or 4 and 5 */
    bool pairs;          /* multiply in bf16; `weights` are pairs */
    int inputs, outputs; /* channels */
    int groups, height, width;
    size_t in_group, in_plane, in_pitch;
    size_t out_group, out_plane, out_pitch;
    const float *weights;   /* [point][output][input or pair of them] */
    const float *start;     /* by output, what sums start from; or NULL */
    const int32_t *offsets; /* of each input in a chunk of a product (or outer product) */
    float *in, *out;        /* a chunk, transformed; scratch */
};

/* A chunk of the tiles of all groups: where each begins, and how many of its outputs are in the map. */
struct chunk {
    int tiles;
    size_t in[OUTER_TILES], out[OUTER_TILES];
    int rows[OUTER_TILES], columns[OUTER_TILES];
};

static inline int tiles_across(int tile, int pixels)
{
    return (pixels + tile - 1) / tile;
}

/* Tiles of a map. */
static inline int winograd_tiles(int tile, int height, int width)
{
    return tiles_across(tile, height) * tiles_across(tile, width);
}

static inline int winograd_line(int tile, int kernel)
{
    return tile + kernel - 1;
}

static inline int winograd_points(int tile, int kernel)
{
    return winograd_line(tile, kernel) * winograd_line(tile, kernel);
}

/* function(tile, kernel, …) with constants. */
#define WINOGRAD_CALL(function, tile, kernel, ...)                                                                     \
    do {                                                                                                               \
        if ((kernel) == 5)                                                                                             \
            function(4, 5, __VA_ARGS__);                                                                               \
        else if ((tile) == 4)                                                                                          \
            function(4, 3, __VA_ARGS__);                                                                               \
        else                                                                                                           \
            function(2, 3, __VA_ARGS__);                                                                               \
    } while (0)

static struct chunk chunk_at(const struct winograd *w, int first, int most)
{
    int across = tiles_across(w->tile, w->width), each = winograd_tiles(w->tile, w->height, w->width);
    int left = w->groups * each - first;
    struct chunk chunk = {.tiles = left < most ? left : most};
    for (int t = 0; t < chunk.tiles; t++) {
        int tile = first + t, y = w->tile * (tile % each / across), x = w->tile * (tile % across);
        chunk.in[t] = tile / each * w->in_group + y * w->in_pitch + (size_t)x * LANES;
        chunk.out[t] = tile / each * w->out_group + y * w->out_pitch + (size_t)x * LANES;
        chunk.rows[t] = w->height - y < w->tile ? w->height - y : w->tile;
        chunk.columns[t] = w->width - x < w->tile ? w->width - x : w->tile;
    }
    return chunk;
}

/* Tiles in a chunk of an outer product.  Its sums should be long, as each ends in a reduction, and what is transformed
   should stay in the cache. */
static inline int winograd_outer_tiles(int tile)
{
    return tile == 2 ? OUTER_TILES : 8;
}

/* From point to point in a chunk: an odd number of cache lines. */
static inline size_t winograd_point(int channels, int tiles)
{
    return ((size_t)channels * tiles * LANES) | LANES;
}

/* Multiplies of a map, for each of the inputs * outputs kernels: by tiles, or directly (0).  Transforms count as the
   multiplies that take as long, which was measured: the kernel's, once for the few groups of a batch, as those of two
   tiles; a tile's, for each channel, as `transforms`. */
static inline double winograd_cost(int tile, int kernel, int height, int width, int inputs, int outputs)
{
    if (!tile)
        return (double)kernel * kernel * height * width;
    int line = winograd_line(tile, kernel), tiles = winograd_tiles(tile, height, width);
    double transforms = line == 4 ? 100 : line == 6 ? 420 : 900;
    return line * line * (tiles + 2) + transforms * tiles * (1.0 / inputs + 1.0 / outputs);
}

/* The tile that takes the least time; 0: directly is faster.  Pairs have 2, without overhang, from some 20 x 20
   channels on: a count of instructions has 10 x 10 even, and of floats twice as many channels were even as were
   counted. */
static inline int winograd_tile(bool pairs, int kernel, int stride, int height, int width, int inputs, int outputs)
{
    if ((kernel != 3 && kernel != 5) || stride != 1)
        return 0;
    if (pairs)
        return kernel == 3 && height % 2 == 0 && width % 2 == 0 && inputs >= 16 && outputs >= 16 &&
                       inputs * outputs >= 512
                   ? 2
                   : 0;
    int best = 0;
    for (int tile = kernel == 3 ? 2 : 4; tile <= 4; tile += 2)
        if (winograd_cost(tile, kernel, height, width, inputs, outputs) <
            winograd_cost(best, kernel, height, width, inputs, outputs))
            best = tile;
    return best;
}

/* Columns of a product: channels, or pairs of them. */
static inline int winograd_columns(bool pairs, int inputs)
{
    return pairs ? (inputs + 1) / 2 : inputs;
}

/* From point to point of transformed weights or their gradient. */
static inline size_t winograd_weights_point(int channels, int others)
{
    return ((size_t)channels * others + LANES - 1) / LANES * LANES | LANES;
}

/* A matrix of kernels inside canonical weights, [row][column]: the first tap, steps to the next row, column and tap. */
struct kernels {
    int rows, columns;
    ptrdiff_t first, row, column, tap;
};

static struct kernels kernels_forward(int outputs, int inputs, int taps)
{
    return (struct kernels){outputs, inputs, 0, taps * (ptrdiff_t)inputs, taps, 1};
}

/* For the input gradient inputs and outputs change places and the kernel is flipped. */
static struct kernels kernels_flipped(int outputs, int inputs, int taps)
{
    return (struct kernels){inputs, outputs, taps - 1, taps, taps * (ptrdiff_t)inputs, -1};
}

/* U = G g Gt of some rows of kernels, VECTOR_WIDTH of them at once. */
INLINE void winograd_weights_of(int tile, int kernel, const struct kernels *k, int first, int last,
                                const float *weights, float *u)
{
    int line = winograd_line(tile, kernel);
    size_t point = winograd_weights_point(k->rows, k->columns);
    for (int row = first; row < last; row++)
        for (int column = 0; column < k->columns; column += VECTOR_WIDTH) {
            int count = k->columns - column < VECTOR_WIDTH ? k->columns - column : VECTOR_WIDTH;
            const float *from = weights + k->first + row * k->row + column * k->column;
            float taps[TAPS_MOST * LANES] __attribute__((aligned(64)));
            vector transformed[POINTS_MOST];
            for (int tap = 0; tap < kernel * kernel; tap++)
                for (int i = 0; i < VECTOR_WIDTH; i++)
                    taps[tap * LANES + i] = i < count ? from[tap * k->tap + i * k->column] : 0;
            map_to_points(line_of_kernel, line, kernel, taps, (size_t)kernel * LANES, (float *)transformed,
                          VECTOR_WIDTH);
            float *to = u + (size_t)row * k->columns + column;
            for (int i = 0; i < line * line; i++, to += point)
                memcpy(to, &transformed[i], (size_t)count * sizeof(float));
        }
}

/* [point][row][column] of canonical weights, rows first … last-1. */
static void winograd_weights(int tile, int kernel, const struct kernels *k, int first, int last, const float *weights,
                             float *u)
{
    WINOGRAD_CALL(winograd_weights_of, tile, kernel, k, first, last, weights, u);
}

/* In place: rows get half as long, the step from point to point stays. */
static void winograd_weights_pair(int rows, int columns, float *u)
{
    size_t point = winograd_weights_point(rows, columns);
    for (int i = 0; i < winograd_points(2, 3); i++, u += point)
        for (int row = 0; row < rows; row++)
            pairs_of_row(u + (size_t)row * columns, (size_t)columns, u + (size_t)row * winograd_columns(true, columns));
}

/* dg = Gt dU G, VECTOR_WIDTH kernels at once. */
INLINE void winograd_weights_gradient_of(int tile, int kernel, int outputs, int inputs, size_t first, size_t last,
                                         const float *u, float *gradient)
{
    size_t point = winograd_weights_point(outputs, inputs);
    gradient += (size_t)(kernel * kernel) * first;
    for (; first < last; first += VECTOR_WIDTH) {
        vector taps[LINE_MOST][LINE_MOST];
        points_to_square(line_of_kernel_gradient, winograd_line(tile, kernel), kernel, u + first, point, taps);
        for (size_t i = 0; i < VECTOR_WIDTH && first + i < last; i++)
            for (int tap = 0; tap < kernel * kernel; tap++)
                *gradient++ = taps[tap / kernel][tap % kernel][i];
    }
}

/* Canonical gradient [output][input][kernel][kernel] of [point][output][input], kernels first … last-1; `first` is a
   multiple of VECTOR_WIDTH. */
static void winograd_weights_gradient(int tile, int kernel, int outputs, int inputs, size_t first, size_t last,
                                      const float *u, float *gradient)
{
    WINOGRAD_CALL(winograd_weights_gradient_of, tile, kernel, outputs, inputs, first, last, u, gradient);
}

/* Pixels of one channel's map, or where they are laid out afresh: those that a tile wants and are not there, as zeros.
 */
struct pixels {
    const float *from;
    size_t pitch;
    float patch[POINTS_MOST * LANES] __attribute__((aligned(64)));
};

/* `side` x `side` pixels, `rows` x `columns` of which are there. */
static void pixels_patch(struct pixels *pixels, int side, int rows, int columns)
{
    float *to = pixels->patch;
    size_t most = (size_t)side * LANES;
    for (int y = 0; y < side; y++, to += most) {
        size_t there = y < rows ? (size_t)columns * LANES : 0;
        if (there)
            memcpy(to, pixels->from + y * pixels->pitch, there * sizeof *to);
        memset(to + there, 0, (most - there) * sizeof *to);
    }
    pixels->from = pixels->patch;
    pixels->pitch = most;
}

/* V = Bt d B. */
INLINE void winograd_inputs_of(int tile, int kernel, const struct winograd *w, const struct chunk *chunk, int most,
                               int first, int last, const float *x)
{
    int line = winograd_line(tile, kernel);
    size_t point = winograd_point(w->inputs, most);
    struct pixels pixels;
    for (int c = first; c < last; c++)
        for (int t = 0; t < chunk->tiles; t++) {
            float *to = w->in + ((size_t)c * most + t) * LANES;
            pixels.from = x + c * w->in_plane + chunk->in[t];
            pixels.pitch = w->in_pitch;
            if (chunk->rows[t] < tile || chunk->columns[t] < tile)
                pixels_patch(&pixels, line, chunk->rows[t] + kernel - 1, chunk->columns[t] + kernel - 1);
            for (int part = 0; part < LANES; part += VECTOR_WIDTH)
                map_to_points(line_of_inputs, line, line, pixels.from + part, pixels.pitch, to + part, point);
        }
}

/* Of channels first … last-1. */
static void winograd_inputs(const struct winograd *w, const struct chunk *chunk, int most, int first, int last,
                            const float *x)
{
    WINOGRAD_CALL(winograd_inputs_of, w->tile, w->kernel, w, chunk, most, first, last, x);
}

/* Pairs of channels; with tiles of 2, none of which hangs over. */
static void winograd_inputs_pairs(const struct winograd *w, const struct chunk *chunk, int most, const float *x)
{
    size_t point = winograd_point(winograd_columns(true, w->inputs), most);
    for (int c = 0; c < w->inputs; c += 2)
        for (int t = 0; t < chunk->tiles; t++) {
            const float *from = x + c * w->in_plane + chunk->in[t];
            winograd_input_pairs(from, c + 1 < w->inputs ? from + w->in_plane : NULL, w->in_pitch,
                                 w->in + ((size_t)c / 2 * most + t) * LANES, point);
        }
}

/* Pairs of such tiles, of inputs first … last-1 and of all gradients; `most` pairs in a chunk. */
static void winograd_outer_pairs(const struct winograd *w, const struct chunk *chunk, int most, int first, int last,
                                 const float *x, const float *d)
{
    size_t in_point = winograd_point(w->inputs, most), out_point = winograd_point(w->outputs, most);
    x += first * w->in_plane;
    for (int c = first; c < last; c++, x += w->in_plane)
        for (int t = 0; t < chunk->tiles; t += 2)
            winograd_input_pairs(x + chunk->in[t], t + 1 < chunk->tiles ? x + chunk->in[t + 1] : NULL, w->in_pitch,
                                 w->in + ((size_t)c * most + t / 2) * LANES, in_point);
    for (int k = 0; k < w->outputs; k++, d += w->out_plane)
        for (int t = 0; t < chunk->tiles; t += 2)
            winograd_gradient_pairs(d + chunk->out[t], t + 1 < chunk->tiles ? d + chunk->out[t + 1] : NULL,
                                    w->out_pitch, w->out + ((size_t)k * most + t / 2) * LANES, out_point);
}

/* Adds `start` to a tile, writes what of it is in the map, and adds that and its square to two sums. */
INLINE void tile_store(int tile, int rows, int columns, vector y[LINE_MOST][LINE_MOST], vector start, float *to,
                       size_t pitch, vector *sum, vector *square)
{
#pragma GCC unroll 4
    for (int r = 0; r < tile; r++)
        if (r < rows) {
            vector row_sum = {0}, row_square = {0};
#pragma GCC unroll 4
            for (int c = 0; c < tile; c++)
                if (c < columns) {
                    vector value = y[r][c] + start;
                    vector_store(to + r * pitch + c * LANES, value);
                    row_sum += value;
                    row_square += value * value;
                }
            *sum += row_sum;
            *square += row_square;
        }
}

/* Y = At m A. */
INLINE void winograd_outputs_of(int tile, int kernel, const struct winograd *w, const struct chunk *chunk, float *out,
                                const struct moments *moments)
{
    size_t point = winograd_point(w->outputs, PRODUCT_TILES);
    for (int k = 0; k < w->outputs; k++) {
        vector start = vector_all(w->start ? w->start[k] : 0), sum = {0}, square = {0};
        const float *m = w->out + (size_t)k * PRODUCT_TILES * LANES;
        for (int t = 0; t < chunk->tiles; t++) {
            float *to = out + k * w->out_plane + chunk->out[t];
            int rows = chunk->rows[t], columns = chunk->columns[t];
            for (int part = 0; part < PARTS; part++, m += VECTOR_WIDTH, to += VECTOR_WIDTH) {
                vector y[LINE_MOST][LINE_MOST];
                points_to_square(line_of_outputs, winograd_line(tile, kernel), tile, m, point, y);
                if (rows == tile && columns == tile)
                    tile_store(tile, tile, tile, y, start, to, w->out_pitch, &sum, &square);
                else
                    tile_store(tile, rows, columns, y, start, to, w->out_pitch, &sum, &square);
            }
        }
        if (moments) {
            vector_store(moments->sum + k * VECTOR_WIDTH, sum);
            vector_store(moments->square + k * VECTOR_WIDTH, square);
        }
    }
    if (moments)
        moments_fold(moments, w->outputs);
}

static void winograd_outputs(const struct winograd *w, const struct chunk *chunk, float *out,
                             const struct moments *moments)
{
    WINOGRAD_CALL(winograd_outputs_of, w->tile, w->kernel, w, chunk, out, moments);
}

/* D = A dY At. */
INLINE void winograd_gradients_of(int tile, int kernel, const struct winograd *w, const struct chunk *chunk,
                                  const float *dy)
{
    int most = winograd_outer_tiles(tile);
    size_t point = winograd_point(w->outputs, most);
    struct pixels pixels;
    for (int k = 0; k < w->outputs; k++)
        for (int t = 0; t < chunk->tiles; t++) {
            float *to = w->out + ((size_t)k * most + t) * LANES;
            pixels.from = dy + k * w->out_plane + chunk->out[t];
            pixels.pitch = w->out_pitch;
            if (chunk->rows[t] < tile || chunk->columns[t] < tile)
                pixels_patch(&pixels, tile, chunk->rows[t], chunk->columns[t]);
            for (int part = 0; part < LANES; part += VECTOR_WIDTH)
                map_to_points(line_of_gradient, winograd_line(tile, kernel), tile, pixels.from + part, pixels.pitch,
                              to + part, point);
        }
}

static void winograd_gradients(const struct winograd *w, const struct chunk *chunk, const float *dy)
{
    WINOGRAD_CALL(winograd_gradients_of, w->tile, w->kernel, w, chunk, dy);
}

/* A convolution.  With `moments`, of one group. */
static void winograd_product(const struct winograd *w, const float *x, float *out, const struct moments *moments)
{
    bool pairs = BF16 && w->pairs;
    int columns = winograd_columns(pairs, w->inputs);
    size_t in_point = winograd_point(columns, PRODUCT_TILES), out_point = winograd_point(w->outputs, PRODUCT_TILES);
    struct product product = {
        .pairs = pairs,
        .rows = w->outputs,
        .columns = columns,
        .weight_row = columns,
        .weight_column = 1,
        .offsets = w->offsets,
        .height = 1,
        .x_step = VECTOR_WIDTH,
        .out_plane = PRODUCT_TILES * LANES,
        .out_step = VECTOR_WIDTH,
    };
    for (int first = 0; first < w->groups * winograd_tiles(w->tile, w->height, w->width); first += PRODUCT_TILES) {
        struct chunk chunk = chunk_at(w, first, PRODUCT_TILES);
        if (pairs)
            winograd_inputs_pairs(w, &chunk, PRODUCT_TILES, x);
        else
            winograd_inputs(w, &chunk, PRODUCT_TILES, 0, w->inputs, x);
        product.width = chunk.tiles * PARTS;
        for (int point = 0; point < winograd_points(w->tile, w->kernel); point++) {
            product.weights = w->weights + point * winograd_weights_point(w->outputs, w->inputs);
            for (int column = 0; column < columns; column += COLUMN_BLOCK)
                product_row(&product, column, w->in + point * in_point, w->out + point * out_point, NULL);
        }
        winograd_outputs(w, &chunk, out, moments);
    }
}

/* Adds dU, [point][output][input], of inputs first_input … last_input-1, to `gradient`; `out` holds D. */
static void winograd_outer(const struct winograd *w, int first_input, int last_input, const float *x, const float *d,
                           float *gradient)
{
    bool pairs = BF16 && w->pairs;
    int tiles = winograd_outer_tiles(w->tile), most = pairs ? tiles / 2 : tiles;
    size_t in_point = winograd_point(w->inputs, most), out_point = winograd_point(w->outputs, most);
    struct outer outer = {
        .pairs = pairs,
        .rows = w->outputs,
        .columns = w->inputs,
        .first = first_input,
        .last = last_input,
        .offsets = w->offsets,
        .height = 1,
        .x_step = LANES,
        .d_plane = (ptrdiff_t)most * LANES,
        .d_step = LANES,
    };
    for (int first = 0; first < w->groups * winograd_tiles(w->tile, w->height, w->width); first += tiles) {
        struct chunk chunk = chunk_at(w, first, tiles);
        if (pairs) {
            winograd_outer_pairs(w, &chunk, most, first_input, last_input, x, d);
        } else {
            winograd_inputs(w, &chunk, most, first_input, last_input, x);
            winograd_gradients(w, &chunk, d);
        }
        outer.width = pairs ? (chunk.tiles + 1) / 2 : chunk.tiles;
        for (int point = 0; point < winograd_points(w->tile, w->kernel); point++) {
            outer.gradient = gradient + point * winograd_weights_point(w->outputs, w->inputs);
            outer_run(&outer, w->in + point * in_point, w->out + point * out_point);
        }
    }
}

#endif
