/*
 * winograd.h - convolutions with stride 1 by minimal filtering (Winograd 1980; Lavin and Gray 2016).
 *
 * A tile of 4 x 4 outputs of one channel pair takes 36 multiplies instead of 144 with a kernel of 3 x 3, and 64 instead
 * of 400 with one of 5 x 5; a tile of 2 x 2 takes 16 instead of 36:
 *
 *     Y = At [ U * V ] A      U = G g Gt   V = Bt d B      g: the kernel, d: the inputs that the tile's outputs see
 *     dg = Gt [ D * V ] G     D = A dY At                  *: element by element, then summed over channels, or tiles
 *
 * For each point (16, 36 or 64) the sum over channels is a matrix product and the sum over tiles an outer product:
 * those of gemm.h, with tiles for pixels.  Each value is transformed once (winograd_transforms.h) and then multiplied
 * for all channels, so this is faster than the direct sums from some 8 channels on.
 *
 * Tiles may hang over the lower and right edge of the map; what is outside counts as zeros and is not written.
 *
 * Tiles are taken in chunks that stay in the cache, [point][channel][tile][image].  In bf16 the transformed values are
 * rounded, and tiles are 2 x 2, as those of 4 x 4 would multiply the rounding error: chunks and weights are
 * [point][pair of channels][tile][image], and for the weight gradient [point][channel][pair of tiles][image].
 */
#ifndef ESPALIER_BACKEND_CPU_WINOGRAD_H
#define ESPALIER_BACKEND_CPU_WINOGRAD_H

#include "backend/cpu/gemm.h"

#define winograd_gemm             ISA_SYMBOL(winograd_gemm)
#define winograd_outer            ISA_SYMBOL(winograd_outer)
#define winograd_weights          ISA_SYMBOL(winograd_weights)
#define winograd_weights_pair     ISA_SYMBOL(winograd_weights_pair)
#define winograd_weights_gradient ISA_SYMBOL(winograd_weights_gradient)

enum {
    GEMM_TILES = 12 / PARTS, /* in a chunk of a gemm: whole register tiles */
    OUTER_TILES = 32         /* at most, in a chunk of an outer product */
};

/* A convolution.  `in` distances are those of the input, `out` distances those of the output or its gradient. */
struct winograd {
    int tile, kernel;    /* outputs in a line of a tile, taps in a line of a kernel: 2 and 3, 4 and 3, or 4 and 5 */
    bool pairs;          /* multiply in bf16; `weights` are pairs */
    int inputs, outputs; /* channels */
    int blocks, height, width;
    size_t in_block, in_plane, in_pitch;
    size_t out_block, out_plane, out_pitch;
    const float *weights;                        /* [point][output][input or pair of them] */
    const float *bias;                           /* by output; NULL: 0 */
    const int32_t *gemm_offsets, *outer_offsets; /* of each input, or pair of them, in a chunk */
    float *in, *out;                             /* scratch: a chunk, transformed */
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

/* Tiles in a chunk of an outer product.  Its sums should be long, as each ends in a reduction, and its transformed
   values should stay in the cache. */
static inline int winograd_outer_tiles(int tile)
{
    return tile == 2 ? OUTER_TILES : 8;
}

/* From point to point in a chunk: an odd number of cache lines. */
static inline size_t winograd_point(int channels, int tiles)
{
    return ((size_t)channels * tiles * BLOCK) | BLOCK;
}

/* Multiplies of a map, for each of the inputs * outputs kernels: by tiles, or directly (0).  A transform counts as the
   multiplies that take as long (measured): that of a kernel, once a batch, as those of two tiles; that of a tile, for
   each channel, as `transforms`. */
static inline double winograd_cost(int tile, int kernel, int height, int width, int inputs, int outputs)
{
    if (!tile)
        return (double)kernel * kernel * height * width;
    int line = winograd_line(tile, kernel), tiles = winograd_tiles(tile, height, width);
    double transforms = line == 4 ? 100 : line == 6 ? 420 : 900;
    return line * line * (tiles + 2) + transforms * tiles * (1.0 / inputs + 1.0 / outputs);
}

/* The tile that takes the least time; 0: the direct sum does.  Pairs have tiles of 2, without overhang, from some 20 x
   20 channels on: by a count of instructions 10 x 10 is even, and for floats twice the counted channels proved to be
   even.
   */
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

/* From point to point of transformed weights or their gradient. */
static inline size_t winograd_weights_point(int channels, int others)
{
    return ((size_t)channels * others + BLOCK - 1) / BLOCK * BLOCK | BLOCK;
}

/* A matrix of kernels within canonical weights: its first tap, and distances to the next row, column and tap. */
struct kernels {
    int rows, columns;
    ptrdiff_t first, row, column, tap;
};

static inline struct kernels kernels_forward(int outputs, int inputs, int taps)
{
    return (struct kernels){outputs, inputs, 0, taps * (ptrdiff_t)inputs, taps, 1};
}

/* For the input gradient: inputs and outputs change places, and kernels are flipped. */
static inline struct kernels kernels_flipped(int outputs, int inputs, int taps)
{
    return (struct kernels){inputs, outputs, taps - 1, taps, taps * (ptrdiff_t)inputs, -1};
}

/* Writes U, [point][row][column], of canonical weights, rows first … last-1. */
void winograd_weights(int tile, int kernel, const struct kernels *k, int first, int last, const float *weights,
                      float *u);
/* Rounds U to pairs of columns, in place: rows get half as long, points stay as far apart. */
void winograd_weights_pair(int rows, int columns, float *u);
/* Writes the canonical gradient [output][input][kernel][kernel] of dU, kernels first … last-1; `first` is a multiple of
   VECTOR_WIDTH. */
void winograd_weights_gradient(int tile, int kernel, int outputs, int inputs, size_t first, size_t last, const float *u,
                               float *gradient);
/* `x`: the first input that the first output sees; `out`: the first output.  `moments`, of a single block, may be NULL.
 */
void winograd_gemm(const struct winograd *w, const float *x, float *out, const struct moments *moments);
/* Adds dU, [point][output][input], of inputs first … last-1 to `gradient`. */
void winograd_outer(const struct winograd *w, int first, int last, const float *x, const float *d, float *gradient);

#endif
