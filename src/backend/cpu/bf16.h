/*
 * bf16.h - pairs of bf16 numbers: made of floats, and summed as a product of pairs.
 *
 * A bf16 number is a float's upper half.  A pair is two of them in the four bytes of a float, the first in the lower
 * half.  VDPBF16PS multiplies pairs and adds both products to a float: two multiply-adds in each lane.  So what is
 * summed over has to come in pairs: of channels, or of pixels.  Vectors of pairs have the type of vectors of floats,
 * and buffers of them lie as buffers of floats do; only their numbers may not be computed with.
 *
 * BF16 says whether this instruction set does it: the processor's own instructions where the compiler has them, else in
 * plain C for tests (EMULATE_BF16).  Elsewhere all of it compiles and none is called.
 */
#ifndef ESPALIER_BACKEND_CPU_BF16_H
#define ESPALIER_BACKEND_CPU_BF16_H

#include <stdbool.h>

#include "backend/cpu/vector.h"

#if defined VECTOR_AVX512 && defined __AVX512BF16__
#define VECTOR_BF16
#endif
#if defined VECTOR_BF16 || defined EMULATE_BF16
enum { BF16 = 1 };
#else
enum { BF16 = 0 };
#endif

typedef uint32_t vector_words __attribute__((vector_size(4 * VECTOR_WIDTH), may_alias));
typedef uint32_t pair __attribute__((may_alias));

/* To the nearest, halves to even, in the lower half of the result.  As the instruction does it, a number below the
   smallest normal one becomes 0, and a NaN stays one. */
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

/* The same in the upper half; the lower one is anything. */
INLINE vector_words bf16_round(vector value)
{
    vector_words bits = (vector_words)value, magnitude = bits & 0x7fffffffu;
    vector_words subnormal = (vector_words)(magnitude < 0x800000u),
                 not_a_number = (vector_words)(magnitude > 0x7f800000u);
    vector_words rounded = bits + 0x7fffu + (bits >> 16 & 1);
    rounded = (rounded & ~not_a_number) | ((bits | 0x400000u) & not_a_number);
    return (rounded & ~subnormal) | (bits & 0x80000000u & subnormal);
}

/* Pairs of the lanes of two vectors. */
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

/* Pairs of neighbours within each. */
INLINE vector pairs_of_neighbours(vector a, vector b)
{
#ifdef VECTOR_BF16
    return (vector)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a);
#else
    vector_words low = bf16_round(a) >> 16, high = bf16_round(b) >> 16, pairs;
    for (int i = 0; i < VECTOR_WIDTH / 2; i++) {
        pairs[i] = low[2 * i] | low[2 * i + 1] << 16;
        pairs[VECTOR_WIDTH / 2 + i] = high[2 * i] | high[2 * i + 1] << 16;
    }
    return (vector)pairs;
#endif
}

/* Pairs of `count` neighbours, the last one of a number and 0 where `count` is odd.  `to` may be `from`, or before it.
 */
static void pairs_of_row(const float *from, size_t count, float *to)
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

/* Bit by bit as the instruction does it (Intel's manual): two fused multiply-adds, the second halves first, each
   rounded to the nearest and flushed to 0 below the smallest normal number.  A product of two bf16 numbers is exact in
   a float above 2^-133; below, and only there, this rounds once more.  Not inlined: the tiles would be huge. */
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

/* One multiply-add of a sum: of floats, or of pairs. */
INLINE vector multiply_add(bool pairs, vector sum, vector a, vector b)
{
    if (pairs)
        return pairs_dot(sum, a, b);
    return sum + a * b;
}

/* A weight in all lanes. */
INLINE vector weight_all(bool pairs, const float *weight)
{
    return pairs ? pairs_all(*(const pair *)weight) : vector_all(*weight);
}

#endif
