/* winograd.c - minimal filtering (winograd.h): chunks of tiles, transformed, multiplied and transformed back. */
#include "backend/cpu/winograd.h"

#include "backend/cpu/winograd_bf16.h"
#include "backend/cpu/winograd_transforms.h"

/* A chunk of the tiles of all blocks: where each begins in inputs and outputs, and how much of it is in the map. */
struct chunk {
    int tiles;
    size_t in[OUTER_TILES], out[OUTER_TILES];
    int rows[OUTER_TILES], columns[OUTER_TILES];
};

/* Calls function(tile, kernel, …) with constants, so that the compiler unrolls the transforms. */
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
    int left = w->blocks * each - first;
    struct chunk chunk = {.tiles = left < most ? left : most};
    for (int t = 0; t < chunk.tiles; t++) {
        int tile = first + t, y = w->tile * (tile % each / across), x = w->tile * (tile % across);
        chunk.in[t] = tile / each * w->in_block + y * w->in_pitch + (size_t)x * BLOCK;
        chunk.out[t] = tile / each * w->out_block + y * w->out_pitch + (size_t)x * BLOCK;
        chunk.rows[t] = w->height - y < w->tile ? w->height - y : w->tile;
        chunk.columns[t] = w->width - x < w->tile ? w->width - x : w->tile;
    }
    return chunk;
}

/* Columns of a gemm: channels, or pairs of them. */
static inline int winograd_columns(bool pairs, int inputs)
{
    return pairs ? (inputs + 1) / 2 : inputs;
}

/* U = G g Gt, VECTOR_WIDTH kernels at once. */
INLINE void winograd_weights_of(int tile, int kernel, const struct kernels *k, int first, int last,
                                const float *weights, float *u)
{
    int line = winograd_line(tile, kernel);
    size_t point = winograd_weights_point(k->rows, k->columns);
    for (int row = first; row < last; row++)
        for (int column = 0; column < k->columns; column += VECTOR_WIDTH) {
            int count = k->columns - column < VECTOR_WIDTH ? k->columns - column : VECTOR_WIDTH;
            const float *from = weights + k->first + row * k->row + column * k->column;
            float taps[TAPS_MOST * BLOCK] __attribute__((aligned(64)));
            vector transformed[POINTS_MOST];
            for (int tap = 0; tap < kernel * kernel; tap++)
                for (int i = 0; i < VECTOR_WIDTH; i++)
                    taps[tap * BLOCK + i] = i < count ? from[tap * k->tap + i * k->column] : 0;
            map_to_points(line_of_kernel, line, kernel, taps, (size_t)kernel * BLOCK, (float *)transformed,
                          VECTOR_WIDTH);
            float *to = u + (size_t)row * k->columns + column;
            for (int i = 0; i < line * line; i++, to += point)
                memcpy(to, &transformed[i], (size_t)count * sizeof(float));
        }
}

void winograd_weights(int tile, int kernel, const struct kernels *k, int first, int last, const float *weights,
                      float *u)
{
    WINOGRAD_CALL(winograd_weights_of, tile, kernel, k, first, last, weights, u);
}

void winograd_weights_pair(int rows, int columns, float *u)
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

void winograd_weights_gradient(int tile, int kernel, int outputs, int inputs, size_t first, size_t last, const float *u,
                               float *gradient)
{
    WINOGRAD_CALL(winograd_weights_gradient_of, tile, kernel, outputs, inputs, first, last, u, gradient);
}

/* Pixels of one channel that a tile wants: in the map, or, where the tile hangs over, copied into `patch` with zeros.
 */
struct pixels {
    const float *from;
    size_t pitch;
    float patch[POINTS_MOST * BLOCK] __attribute__((aligned(64)));
};

/* `side` x `side` pixels, of which `rows` x `columns` exist. */
static void pixels_patch(struct pixels *pixels, int side, int rows, int columns)
{
    float *to = pixels->patch;
    size_t most = (size_t)side * BLOCK;
    for (int y = 0; y < side; y++, to += most) {
        size_t existing = y < rows ? (size_t)columns * BLOCK : 0;
        if (existing)
            memcpy(to, pixels->from + y * pixels->pitch, existing * sizeof *to);
        memset(to + existing, 0, (most - existing) * sizeof *to);
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
            float *to = w->in + ((size_t)c * most + t) * BLOCK;
            pixels.from = x + c * w->in_plane + chunk->in[t];
            pixels.pitch = w->in_pitch;
            if (chunk->rows[t] < tile || chunk->columns[t] < tile)
                pixels_patch(&pixels, line, chunk->rows[t] + kernel - 1, chunk->columns[t] + kernel - 1);
            for (int part = 0; part < BLOCK; part += VECTOR_WIDTH)
                map_to_points(line_of_inputs, line, line, pixels.from + part, pixels.pitch, to + part, point);
        }
}

/* Channels first … last-1. */
static void winograd_inputs(const struct winograd *w, const struct chunk *chunk, int most, int first, int last,
                            const float *x)
{
    WINOGRAD_CALL(winograd_inputs_of, w->tile, w->kernel, w, chunk, most, first, last, x);
}

/* Transforms pairs of channels; tiles have 2 x 2 outputs, none of them outside of the map. */
static void winograd_inputs_pairs(const struct winograd *w, const struct chunk *chunk, int most, const float *x)
{
    size_t point = winograd_point(winograd_columns(true, w->inputs), most);
    for (int c = 0; c < w->inputs; c += 2)
        for (int t = 0; t < chunk->tiles; t++) {
            const float *from = x + c * w->in_plane + chunk->in[t];
            winograd_input_pairs(from, c + 1 < w->inputs ? from + w->in_plane : NULL, w->in_pitch,
                                 w->in + ((size_t)c / 2 * most + t) * BLOCK, point);
        }
}

/* In pairs of such tiles: inputs first … last-1 and all gradients.  A chunk has room for `most` pairs. */
static void winograd_outer_pairs(const struct winograd *w, const struct chunk *chunk, int most, int first, int last,
                                 const float *x, const float *d)
{
    size_t in_point = winograd_point(w->inputs, most), out_point = winograd_point(w->outputs, most);
    x += first * w->in_plane;
    for (int c = first; c < last; c++, x += w->in_plane)
        for (int t = 0; t < chunk->tiles; t += 2)
            winograd_input_pairs(x + chunk->in[t], t + 1 < chunk->tiles ? x + chunk->in[t + 1] : NULL, w->in_pitch,
                                 w->in + ((size_t)c * most + t / 2) * BLOCK, in_point);
    for (int k = 0; k < w->outputs; k++, d += w->out_plane)
        for (int t = 0; t < chunk->tiles; t += 2)
            winograd_gradient_pairs(d + chunk->out[t], t + 1 < chunk->tiles ? d + chunk->out[t + 1] : NULL,
                                    w->out_pitch, w->out + ((size_t)k * most + t / 2) * BLOCK, out_point);
}

/* Adds `bias` to a tile, writes the part that is in the map, and adds its values and their squares to two sums. */
INLINE void tile_store(int tile, int rows, int columns, vector y[LINE_MOST][LINE_MOST], vector bias, float *to,
                       size_t pitch, vector *sum, vector *square)
{
#pragma GCC unroll 4
    for (int r = 0; r < tile; r++)
        if (r < rows) {
            vector row_sum = {0}, row_square = {0};
#pragma GCC unroll 4
            for (int c = 0; c < tile; c++)
                if (c < columns) {
                    vector value = y[r][c] + bias;
                    vector_store(to + r * pitch + c * BLOCK, value);
                    row_sum += value;
                    row_square += value * value;
                }
            *sum += row_sum;
            *square += row_square;
        }
}

/* Y = At m A. */
INLINE void winograd_outputs(int tile, int kernel, const struct winograd *w, const struct chunk *chunk, float *out,
                             const struct moments *moments)
{
    size_t point = winograd_point(w->outputs, GEMM_TILES);
    for (int k = 0; k < w->outputs; k++) {
        vector bias = vector_all(w->bias ? w->bias[k] : 0), sum = {0}, square = {0};
        const float *m = w->out + (size_t)k * GEMM_TILES * BLOCK;
        for (int t = 0; t < chunk->tiles; t++) {
            float *to = out + k * w->out_plane + chunk->out[t];
            int rows = chunk->rows[t], columns = chunk->columns[t];
            for (int part = 0; part < PARTS; part++, m += VECTOR_WIDTH, to += VECTOR_WIDTH) {
                vector y[LINE_MOST][LINE_MOST];
                points_to_square(line_of_outputs, winograd_line(tile, kernel), tile, m, point, y);
                if (rows == tile && columns == tile)
                    tile_store(tile, tile, tile, y, bias, to, w->out_pitch, &sum, &square);
                else
                    tile_store(tile, rows, columns, y, bias, to, w->out_pitch, &sum, &square);
            }
        }
        if (moments) {
            vector_store(moments->sum + k * VECTOR_WIDTH, sum);
            vector_store(moments->square + k * VECTOR_WIDTH, square);
        }
    }
    if (moments)
        moments_end_row(moments, w->outputs);
}

/* D = A dY At. */
INLINE void winograd_gradients(int tile, int kernel, const struct winograd *w, const struct chunk *chunk,
                               const float *dy)
{
    int most = winograd_outer_tiles(tile);
    size_t point = winograd_point(w->outputs, most);
    struct pixels pixels;
    for (int k = 0; k < w->outputs; k++)
        for (int t = 0; t < chunk->tiles; t++) {
            float *to = w->out + ((size_t)k * most + t) * BLOCK;
            pixels.from = dy + k * w->out_plane + chunk->out[t];
            pixels.pitch = w->out_pitch;
            if (chunk->rows[t] < tile || chunk->columns[t] < tile)
                pixels_patch(&pixels, tile, chunk->rows[t], chunk->columns[t]);
            for (int part = 0; part < BLOCK; part += VECTOR_WIDTH)
                map_to_points(line_of_gradient, winograd_line(tile, kernel), tile, pixels.from + part, pixels.pitch,
                              to + part, point);
        }
}

void winograd_gemm(const struct winograd *w, const float *x, float *out, const struct moments *moments)
{
    bool pairs = BF16 && w->pairs;
    int columns = winograd_columns(pairs, w->inputs);
    size_t in_point = winograd_point(columns, GEMM_TILES), out_point = winograd_point(w->outputs, GEMM_TILES);
    struct gemm gemm = {
        .pairs = pairs,
        .rows = w->outputs,
        .columns = columns,
        .weight_row = columns,
        .weight_column = 1,
        .offsets = w->gemm_offsets,
        .height = 1,
        .x_step = BLOCK,
        .out_plane = GEMM_TILES * BLOCK,
        .out_step = BLOCK,
    };
    for (int first = 0; first < w->blocks * winograd_tiles(w->tile, w->height, w->width); first += GEMM_TILES) {
        struct chunk chunk = chunk_at(w, first, GEMM_TILES);
        if (pairs)
            winograd_inputs_pairs(w, &chunk, GEMM_TILES, x);
        else
            winograd_inputs(w, &chunk, GEMM_TILES, 0, w->inputs, x);
        gemm.width = chunk.tiles;
        for (int point = 0; point < winograd_points(w->tile, w->kernel); point++) {
            gemm.weights = w->weights + point * winograd_weights_point(w->outputs, w->inputs);
            gemm_run(&gemm, w->in + point * in_point, w->out + point * out_point, NULL);
        }
        WINOGRAD_CALL(winograd_outputs, w->tile, w->kernel, w, &chunk, out, moments);
    }
}

/* `in` holds V, `out` holds D. */
void winograd_outer(const struct winograd *w, int first_channel, int last_channel, const float *x, const float *d,
                    float *gradient)
{
    bool pairs = BF16 && w->pairs;
    int tiles = winograd_outer_tiles(w->tile), most = pairs ? tiles / 2 : tiles;
    size_t in_point = winograd_point(w->inputs, most), out_point = winograd_point(w->outputs, most);
    struct outer outer = {
        .pairs = pairs,
        .rows = w->outputs,
        .columns = w->inputs,
        .first = first_channel,
        .last = last_channel,
        .offsets = w->outer_offsets,
        .height = 1,
        .x_step = BLOCK,
        .d_plane = (ptrdiff_t)most * BLOCK,
        .d_step = BLOCK,
    };
    for (int first = 0; first < w->blocks * winograd_tiles(w->tile, w->height, w->width); first += tiles) {
        struct chunk chunk = chunk_at(w, first, tiles);
        if (pairs) {
            winograd_outer_pairs(w, &chunk, most, first_channel, last_channel, x, d);
        } else {
            winograd_inputs(w, &chunk, most, first_channel, last_channel, x);
            WINOGRAD_CALL(winograd_gradients, w->tile, w->kernel, w, &chunk, d);
        }
        outer.width = pairs ? (chunk.tiles + 1) / 2 : chunk.tiles;
        for (int point = 0; point < winograd_points(w->tile, w->kernel); point++) {
            outer.gradient = gradient + point * winograd_weights_point(w->outputs, w->inputs);
            outer_run(&outer, w->in + point * in_point, w->out + point * out_point);
        }
    }
}
