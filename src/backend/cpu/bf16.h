/*
 * bf16.h - pairs of bf16 numbers: made of floats, of a block of a map, and multiplied.
 *
 * A bf16 number is the upper half of a float.  A pair is two of them in the four bytes of a float, the first in the
 * lower half.  VDPBF16PS multiplies two vectors of pairs and adds both products to floats: two multiply-adds in each
 * lane.  So a sum has to have its terms in pairs.  A block of a map is paired in one of two ways:
 *
 *   by channel: for a sum over input channels.  [pair of channels][y][x][image]: the map with half the channels.
 *   by image:   for a sum over pixels and images, the weight gradient.  [channel][y][x][pair of images]: the map with
 *               all distances halved; a vector is two pixels.
 *
 * Vectors and buffers of pairs have the types of vectors and buffers of floats.
 *
 * BF16: whether this instruction set multiplies pairs, by its own instruction or, for tests, emulated (EMULATE_BF16).
 * Elsewhere this file compiles, and no code with pairs runs.
 */
#ifndef ESPALIER_BACKEND_CPU_BF16_H
#define ESPALIER_BACKEND_CPU_BF16_H

#include <stdbool.h>

#include "backend/cpu/layout.h"

#if defined VECTOR_AVX512 && defined __AVX512BF16__
#define VECTOR_BF16
#endif
#if defined VECTOR_BF16 || defined EMULATE_BF16
#define HAVE_BF16
enum { BF16 = 1 };
#else
enum { BF16 = 0 };
#endif

typedef uint32_t vector_words __attribute__((vector_size(4 * VECTOR_WIDTH), may_alias));
typedef uint32_t pair __attribute__((may_alias));

/* Rounds to nearest, ties to even; the result is in the lower half.  As with the instruction, a subnormal number
   becomes 0 and a NaN stays one. */
static inline uint32_t bf16_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        bits |= 0x400000u;
    else if (magnitude < 0x800000u)
        bits &= 0x80000000u;
    else
        bits += 0x7fffu + (bits >> 16 & 1);
    return bits >> 16;
}

static inline pair pair_of(float first, float second)
{
    return bf16_of(first) | bf16_of(second) << 16;
}

/* The result is in the upper half of each word; the lower half is not cleared. */
INLINE vector_words bf16_round(vector value)
{
    vector_words bits = (vector_words)value, magnitude = bits & 0x7fffffffu;
    vector_words subnormal = (vector_words)(magnitude < 0x800000u),
                 not_a_number = (vector_words)(magnitude > 0x7f800000u);
    vector_words rounded = bits + 0x7fffu + (bits >> 16 & 1);
    rounded = (rounded & ~not_a_number) | ((bits | 0x400000u) & not_a_number);
    return (rounded & ~subnormal) | (bits & 0x80000000u & subnormal);
}

/* Pair i: number i of both vectors. */
INLINE vector pairs_of(vector first, vector second)
{
#ifdef VECTOR_BF16
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return (vector)_mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
#else
    return (vector)(bf16_round(first) >> 16 | (bf16_round(second) & 0xffff0000u));
#endif
}

/* Pair i: numbers 2i and 2i + 1 of `a` followed by `b`. */
INLINE vector pairs_of_neighbours(vector a, vector b)
{
#ifdef VECTOR_BF16
    return (vector)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a);
#else
    vector_words low = bf16_round(a) >> 16, high = bf16_round(b) >> 16, pairs = {0};
    for (int i = 0; i < VECTOR_WIDTH / 2; i++) {
        pairs[i] = low[2 * i] | low[2 * i + 1] << 16;
        pairs[VECTOR_WIDTH / 2 + i] = high[2 * i] | high[2 * i + 1] << 16;
    }
    return (vector)pairs;
#endif
}

/* Pairs `count` neighbours; an odd last one with 0.  `to` may be `from`, or before it. */
static inline void pairs_of_row(const float *from, size_t count, float *to)
{
    size_t i = 0;
#pragma GCC unroll 4
    for (; i + 2 * VECTOR_WIDTH <= count; i += 2 * VECTOR_WIDTH)
        *(vector_unaligned *)(to + i / 2) =
            pairs_of_neighbours(vector_load_unaligned(from + i), vector_load_unaligned(from + i + VECTOR_WIDTH));
    for (; i < count; i += 2)
        ((pair *)to)[i / 2] = pair_of(from[i], i + 1 < count ? from[i + 1] : 0);
}

INLINE vector pairs_all(pair value)
{
    return (vector)((vector_words){0} + value);
}

#ifndef VECTOR_BF16
INLINE vector bf16_flush(vector value)
{
    vector_words bits = (vector_words)value;
    vector_words normal = (vector_words)((bits & 0x7fffffffu) >= 0x800000u);
    return (vector)(bits & (normal | 0x80000000u));
}

/* To the bit what the instruction does (Intel's manual): two fused multiply-adds, that of the upper halves first, each
   rounded to nearest and flushed to 0 when subnormal.  A product of two bf16 numbers is exact in a float unless it is
   below 2^-133; there this rounds twice.  Not inlined: the tiles of gemm.c would be huge. */
static __attribute__((noinline, unused)) void pairs_dot_emulated(vector *sum, const vector *a, const vector *b)
{
    vector_words x = (vector_words)*a, y = (vector_words)*b;
    vector second = bf16_flush((vector)(x & 0xffff0000u)) * bf16_flush((vector)(y & 0xffff0000u));
    vector first = bf16_flush((vector)(x << 16)) * bf16_flush((vector)(y << 16));
    *sum = bf16_flush(bf16_flush(bf16_flush(*sum) + second) + first);
}
#endif

/* sum + a.second * b.second + a.first * b.first */
INLINE vector pairs_dot(vector sum, vector a, vector b)
{
#ifdef VECTOR_BF16
    return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    pairs_dot_emulated(&sum, &a, &b);
    return sum;
#endif
}

/* sum + a * b, of floats or of pairs. */
INLINE vector multiply_add(bool pairs, vector sum, vector a, vector b)
{
    if (pairs)
        return pairs_dot(sum, a, b);
    return sum + a * b;
}

/* A weight, or a pair of them, in all lanes. */
INLINE vector weight_all(bool pairs, const float *weight)
{
    return pairs ? pairs_all(*(const pair *)weight) : vector_all(*weight);
}

/* --- blocks of a map --- */

_Static_assert(!BF16 || PARTS == 1, "two pixels of pairs are one vector");

/* A NULL `second` stands for zeros. */
INLINE void pair_planes(const float *first, const float *second, size_t size, float *to)
{
#pragma GCC unroll 4
    for (size_t i = 0; i < size; i += VECTOR_WIDTH)
        vector_store(to + i, pairs_of(vector_load(first + i), second ? vector_load(second + i) : (vector){0}));
}

/* With the borders.  An odd last channel is paired with zeros. */
static inline void pair_by_channel(const struct map *map, const float *block, float *to)
{
    for (int c = 0; c < map->channels; c += 2, block += 2 * map->plane, to += map->plane)
        if (c + 1 < map->channels)
            pair_planes(block, block + map->plane, map->plane, to);
        else
            pair_planes(block, NULL, map->plane, to);
}

/* Channels first … last-1.  A vector at the last pixel reads one pixel more, which is zero here.  `to` has room for
   half of block + BLOCK floats. */
static inline void pair_by_image(const struct map *map, int first, int last, const float *block, float *to)
{
    pairs_of_row(block + first * map->plane, (size_t)(last - first) * map->plane, to + first * map->plane / 2);
    memset(to + last * map->plane / 2, 0, BLOCK / 2 * sizeof *to);
}

/* The map of pair_by_pixel: no border; a row with an odd number of pixels has one more, of zeros. */
static inline struct map map_of_pixel_pairs(const struct map *map)
{
    return map_new(map->channels, map->height, (map->width + 1) / 2, 0);
}

/* Images are paired, two pixels a vector. */
static inline void pair_by_pixel(const struct map *map, const float *block, float *to)
{
    struct map pixels = map_of_pixel_pairs(map);
    for (int c = 0; c < map->channels; c++)
        for (int y = 0; y < map->height; y++) {
            const float *row = block + map_at(map, c, y, 0);
            float *out = to + map_at(&pixels, c, y, 0);
            for (int x = 0; x < map->width; x += 2, row += 2 * BLOCK, out += BLOCK)
                vector_store(out, pairs_of_neighbours(vector_load(row),
                                                      x + 1 < map->width ? vector_load(row + BLOCK) : (vector){0}));
        }
}

#endif
