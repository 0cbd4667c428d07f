/*
 * winograd.h - 3 x 3 convolutions with stride 1 by minimal filtering (Winograd 1980; Lavin and Gray 2016, F(2x2,3x3)).
 *
 * A tile of 2 x 2 outputs of one channel pair takes 16 multiplies instead of 36:
 *
 *     Y = At [ U * V ] A      U = G g Gt   V = Bt d B      g: the kernel, d: the tile's 4 x 4 inputs
 *     dg = Gt [ D * V ] G     D = A dY At                  * is by element; sums over channels, or tiles, are inside
 *
 * For each of the 16 points the sum over channels is a plain matrix product, and the sum over tiles an outer product:
 * both are those of product.h, with tiles for pixels.  The transforms are additions only, and as each value is
 * transformed once and then multiplied by all channels, they are cheap from about 12 channels on.  The factors of G
 * are halves: nothing is lost that float32 did not lose before.
 *
 * Tiles are taken in chunks that stay in the cache, as [point][channel][tile][image].  In bf16, what the transforms
 * write is rounded: chunks and weights are [point][pair of channels][tile][image], and for the weight gradient
 * [point][channel][pair of tiles][image].
 */
#ifndef ESPALIER_BACKEND_CPU_WINOGRAD_H
#define ESPALIER_BACKEND_CPU_WINOGRAD_H

#include "backend/cpu/winograd_pairs.h"

enum {
    POINTS = 16,
    PRODUCT_TILES = 12 / PARTS > 0 ? 12 / PARTS : 1, /* in a chunk of a product: whole register tiles */
    OUTER_TILES = 32                                 /* of an outer product: long sums, as each ends in a reduction */
};

/* What is transformed, its tiles by their first pixel.  Inputs are at their first pixel less one row and column. */
struct winograd {
    bool pairs;          /* multiply in bf16; `weights` are pairs */
    int inputs, outputs; /* channels */
    int groups, tiles_y, tiles_x;
    size_t in_group, in_plane, in_pitch;
    size_t out_group, out_plane, out_pitch;
    const float *weights;   /* [point][output][input or pair of them] */
    const float *start;     /* by output, what sums start from; or NULL */
    const int32_t *offsets; /* of each input in a chunk of PRODUCT_TILES (or OUTER_TILES) */
    float *in, *out;        /* a chunk, transformed; scratch */
};

/* A chunk of the tiles of all groups, and where each begins. */
struct chunk {
    int tiles;
    size_t in[OUTER_TILES], out[OUTER_TILES];
};

static struct chunk chunk_at(const struct winograd *w, int first, int most)
{
    int each = w->tiles_y * w->tiles_x, left = w->groups * each - first;
    struct chunk chunk = {.tiles = left < most ? left : most};
    for (int t = 0; t < chunk.tiles; t++) {
        int tile = first + t, y = 2 * (tile % each / w->tiles_x), x = 2 * (tile % w->tiles_x);
        chunk.in[t] = tile / each * w->in_group + y * w->in_pitch + (size_t)x * LANES;
        chunk.out[t] = tile / each * w->out_group + y * w->out_pitch + (size_t)x * LANES;
    }
    return chunk;
}

/* From point to point in a chunk: an odd number of cache lines. */
static inline size_t winograd_point(int channels, int tiles)
{
    return ((size_t)channels * tiles * LANES) | LANES;
}

static inline bool winograd_fits(int kernel, int stride, int height, int width)
{
    return kernel == 3 && stride == 1 && height % 2 == 0 && width % 2 == 0;
}

/* Whether the products get shorter by more than the transforms cost.  For floats this is measured: 8 x 8 channels are
   even, where a count of instructions would have 4 x 4.  For pairs the same count has 10 x 10 (half the products, and
   transforms that also round), so some 20 x 20 are even. */
static inline bool winograd_pays(bool pairs, int inputs, int outputs)
{
    int least = pairs ? 16 : 8;
    return inputs >= least && outputs >= least && inputs * outputs >= 2 * least * least;
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

static struct kernels kernels_forward(int outputs, int inputs)
{
    return (struct kernels){outputs, inputs, 0, 9 * (ptrdiff_t)inputs, 9, 1};
}

/* For the input gradient inputs and outputs change places and the kernel is flipped. */
static struct kernels kernels_flipped(int outputs, int inputs)
{
    return (struct kernels){inputs, outputs, 8, 9, 9 * (ptrdiff_t)inputs, -1};
}

/* U = G g Gt of VECTOR_WIDTH kernels. */
INLINE void kernels_transform(vector g[3][3], vector u[4][4])
{
    vector rows[4][3];
#pragma GCC unroll 3
    for (int x = 0; x < 3; x++) {
        rows[0][x] = g[0][x];
        rows[1][x] = 0.5f * (g[0][x] + g[1][x] + g[2][x]);
        rows[2][x] = 0.5f * (g[0][x] - g[1][x] + g[2][x]);
        rows[3][x] = g[2][x];
    }
#pragma GCC unroll 4
    for (int y = 0; y < 4; y++) {
        u[y][0] = rows[y][0];
        u[y][1] = 0.5f * (rows[y][0] + rows[y][1] + rows[y][2]);
        u[y][2] = 0.5f * (rows[y][0] - rows[y][1] + rows[y][2]);
        u[y][3] = rows[y][2];
    }
}

/* [point][row][column] of canonical weights, rows first … last-1. */
static void winograd_weights(const struct kernels *k, int first, int last, const float *weights, float *u)
{
    size_t point = winograd_weights_point(k->rows, k->columns);
    for (int row = first; row < last; row++)
        for (int column = 0; column < k->columns; column += VECTOR_WIDTH) {
            int count = k->columns - column < VECTOR_WIDTH ? k->columns - column : VECTOR_WIDTH;
            const float *from = weights + k->first + row * k->row + column * k->column;
            vector taps[3][3] = {0}, transformed[4][4];
            for (int i = 0; i < count; i++, from += k->column)
                for (int tap = 0; tap < 9; tap++)
                    ((float *)taps)[tap * VECTOR_WIDTH + i] = from[tap * k->tap];
            kernels_transform(taps, transformed);
            float *to = u + (size_t)row * k->columns + column;
            for (int i = 0; i < POINTS; i++, to += point)
                memcpy(to, &transformed[i / 4][i % 4], (size_t)count * sizeof(float));
        }
}

/* In place: rows get half as long, the step from point to point stays. */
static void winograd_weights_pair(int rows, int columns, float *u)
{
    size_t point = winograd_weights_point(rows, columns);
    for (int i = 0; i < POINTS; i++, u += point)
        for (int row = 0; row < rows; row++)
            pairs_of_row(u + (size_t)row * columns, (size_t)columns, u + (size_t)row * winograd_columns(true, columns));
}

/* dg = Gt dU G of VECTOR_WIDTH kernels. */
INLINE void kernels_gradient(vector u[4][4], vector g[3][3])
{
    vector rows[3][4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; x++) {
        rows[0][x] = u[0][x] + 0.5f * (u[1][x] + u[2][x]);
        rows[1][x] = 0.5f * (u[1][x] - u[2][x]);
        rows[2][x] = 0.5f * (u[1][x] + u[2][x]) + u[3][x];
    }
#pragma GCC unroll 3
    for (int y = 0; y < 3; y++) {
        g[y][0] = rows[y][0] + 0.5f * (rows[y][1] + rows[y][2]);
        g[y][1] = 0.5f * (rows[y][1] - rows[y][2]);
        g[y][2] = 0.5f * (rows[y][1] + rows[y][2]) + rows[y][3];
    }
}

/* Canonical gradient [output][input][3][3] of [point][output][input], kernels first … last-1; `first` is a multiple of
   VECTOR_WIDTH. */
static void winograd_weights_gradient(int outputs, int inputs, size_t first, size_t last, const float *u,
                                      float *gradient)
{
    size_t point = winograd_weights_point(outputs, inputs);
    gradient += 9 * first;
    for (; first < last; first += VECTOR_WIDTH) {
        vector transformed[4][4], taps[3][3];
        for (int i = 0; i < POINTS; i++)
            transformed[i / 4][i % 4] = vector_load(u + i * point + first);
        kernels_gradient(transformed, taps);
        for (size_t i = 0; i < VECTOR_WIDTH && first + i < last; i++)
            for (int tap = 0; tap < 9; tap++)
                *gradient++ = ((float *)taps)[tap * VECTOR_WIDTH + i];
    }
}

/* V = Bt d B of one tile. */
INLINE void winograd_input(const float *d, size_t pitch, float *v, size_t point)
{
    vector rows[4][4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; x++) {
        vector a = vector_load(d + x * LANES), b = vector_load(d + pitch + x * LANES);
        vector c = vector_load(d + 2 * pitch + x * LANES), e = vector_load(d + 3 * pitch + x * LANES);
        rows[0][x] = a - c;
        rows[1][x] = b + c;
        rows[2][x] = c - b;
        rows[3][x] = b - e;
    }
#pragma GCC unroll 4
    for (int y = 0; y < 4; y++) {
        vector_store(v + (4 * y) * point, rows[y][0] - rows[y][2]);
        vector_store(v + (4 * y + 1) * point, rows[y][1] + rows[y][2]);
        vector_store(v + (4 * y + 2) * point, rows[y][2] - rows[y][1]);
        vector_store(v + (4 * y + 3) * point, rows[y][1] - rows[y][3]);
    }
}

/* D = A dY At of one tile. */
INLINE void winograd_gradient(const float *d, size_t pitch, float *out, size_t point)
{
    vector rows[4][2];
#pragma GCC unroll 2
    for (int x = 0; x < 2; x++) {
        vector a = vector_load(d + x * LANES), b = vector_load(d + pitch + x * LANES);
        rows[0][x] = a;
        rows[1][x] = a + b;
        rows[2][x] = a - b;
        rows[3][x] = -b;
    }
#pragma GCC unroll 4
    for (int y = 0; y < 4; y++) {
        vector_store(out + (4 * y) * point, rows[y][0]);
        vector_store(out + (4 * y + 1) * point, rows[y][0] + rows[y][1]);
        vector_store(out + (4 * y + 2) * point, rows[y][0] - rows[y][1]);
        vector_store(out + (4 * y + 3) * point, -rows[y][1]);
    }
}

/* Y = At m A + start of one tile. */
INLINE void winograd_output(const float *m, size_t point, vector start, vector y[2][2])
{
    vector rows[2][4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; x++) {
        vector a = vector_load(m + x * point), b = vector_load(m + (4 + x) * point);
        vector c = vector_load(m + (8 + x) * point), d = vector_load(m + (12 + x) * point);
        rows[0][x] = a + b + c;
        rows[1][x] = b - c - d;
    }
#pragma GCC unroll 2
    for (int r = 0; r < 2; r++) {
        y[r][0] = rows[r][0] + rows[r][1] + rows[r][2] + start;
        y[r][1] = rows[r][1] - rows[r][2] - rows[r][3] + start;
    }
}

/* Of channels first … last-1. */
static void winograd_inputs(const struct winograd *w, const struct chunk *chunk, int most, int first, int last,
                            const float *x)
{
    size_t point = winograd_point(w->inputs, most);
    for (int c = first; c < last; c++)
        for (int t = 0; t < chunk->tiles; t++) {
            const float *from = x + c * w->in_plane + chunk->in[t];
            float *to = w->in + ((size_t)c * most + t) * LANES;
#pragma GCC unroll 4
            for (int part = 0; part < LANES; part += VECTOR_WIDTH)
                winograd_input(from + part, w->in_pitch, to + part, point);
        }
}

/* Pairs of channels. */
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

/* Pairs of tiles, of inputs first … last-1 and of all gradients. */
static void winograd_outer_pairs(const struct winograd *w, const struct chunk *chunk, int first, int last,
                                 const float *x, const float *d)
{
    enum { MOST = OUTER_TILES / 2 };
    size_t in_point = winograd_point(w->inputs, MOST), out_point = winograd_point(w->outputs, MOST);
    x += first * w->in_plane;
    for (int c = first; c < last; c++, x += w->in_plane)
        for (int t = 0; t < chunk->tiles; t += 2)
            winograd_input_pairs(x + chunk->in[t], t + 1 < chunk->tiles ? x + chunk->in[t + 1] : NULL, w->in_pitch,
                                 w->in + ((size_t)c * MOST + t / 2) * LANES, in_point);
    for (int k = 0; k < w->outputs; k++, d += w->out_plane)
        for (int t = 0; t < chunk->tiles; t += 2)
            winograd_gradient_pairs(d + chunk->out[t], t + 1 < chunk->tiles ? d + chunk->out[t + 1] : NULL,
                                    w->out_pitch, w->out + ((size_t)k * MOST + t / 2) * LANES, out_point);
}

static void winograd_outputs(const struct winograd *w, const struct chunk *chunk, float *out,
                             const struct moments *moments)
{
    size_t point = winograd_point(w->outputs, PRODUCT_TILES);
    for (int k = 0; k < w->outputs; k++) {
        vector start = vector_all(w->start ? w->start[k] : 0), sum = {0}, square = {0};
        const float *m = w->out + (size_t)k * PRODUCT_TILES * LANES;
        for (int t = 0; t < chunk->tiles; t++) {
            float *to = out + k * w->out_plane + chunk->out[t];
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++, m += VECTOR_WIDTH, to += VECTOR_WIDTH) {
                vector y[2][2];
                winograd_output(m, point, start, y);
                vector_store(to, y[0][0]);
                vector_store(to + LANES, y[0][1]);
                vector_store(to + w->out_pitch, y[1][0]);
                vector_store(to + w->out_pitch + LANES, y[1][1]);
                sum += (y[0][0] + y[0][1]) + (y[1][0] + y[1][1]);
                square += y[0][0] * y[0][0] + y[0][1] * y[0][1] + (y[1][0] * y[1][0] + y[1][1] * y[1][1]);
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

static void winograd_gradients(const struct winograd *w, const struct chunk *chunk, const float *d)
{
    size_t point = winograd_point(w->outputs, OUTER_TILES);
    for (int k = 0; k < w->outputs; k++)
        for (int t = 0; t < chunk->tiles; t++) {
            const float *from = d + k * w->out_plane + chunk->out[t];
            float *to = w->out + ((size_t)k * OUTER_TILES + t) * LANES;
#pragma GCC unroll 4
            for (int part = 0; part < LANES; part += VECTOR_WIDTH)
                winograd_gradient(from + part, w->out_pitch, to + part, point);
        }
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
    for (int first = 0; first < w->groups * w->tiles_y * w->tiles_x; first += PRODUCT_TILES) {
        struct chunk chunk = chunk_at(w, first, PRODUCT_TILES);
        if (pairs)
            winograd_inputs_pairs(w, &chunk, PRODUCT_TILES, x);
        else
            winograd_inputs(w, &chunk, PRODUCT_TILES, 0, w->inputs, x);
        product.width = chunk.tiles * PARTS;
        for (int point = 0; point < POINTS; point++) {
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
    int most = pairs ? OUTER_TILES / 2 : OUTER_TILES;
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
    for (int first = 0; first < w->groups * w->tiles_y * w->tiles_x; first += OUTER_TILES) {
        struct chunk chunk = chunk_at(w, first, OUTER_TILES);
        if (pairs) {
            winograd_outer_pairs(w, &chunk, first_input, last_input, x, d);
        } else {
            winograd_inputs(w, &chunk, OUTER_TILES, first_input, last_input, x);
            winograd_gradients(w, &chunk, d);
        }
        outer.width = pairs ? (chunk.tiles + 1) / 2 : chunk.tiles;
        for (int point = 0; point < POINTS; point++) {
            outer.gradient = gradient + point * winograd_weights_point(w->outputs, w->inputs);
            outer_run(&outer, w->in + point * in_point, w->out + point * out_point);
        }
    }
}

#endif
