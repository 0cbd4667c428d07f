/*
 * vector.h - the one vector type of this instruction set, and what C can't say about it.
 *
 * Every file of this folder but cpu.c is compiled once for each instruction set, with these macros (room.am):
 *
 *     ISA             its name: what is visible outside its file ends in it (ISA_SYMBOL)
 *     VECTOR_WIDTH    floats in a vector register: 16 (AVX-512), 8 (AVX2), 4 (SSE2, NEON)
 *     EMULATE_BF16    for tests: bf16 in plain C (bf16.h)
 *
 * The innermost dimension of every tensor is a block of 16 images: PARTS vectors.  All code is written over them and
 * knows nothing else of the instruction set, so any width compiles for any processor.
 */
#ifndef ESPALIER_BACKEND_CPU_VECTOR_H
#define ESPALIER_BACKEND_CPU_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ISA_PASTE(name, isa)        name##_##isa
#define ISA_PASTE_VALUES(name, isa) ISA_PASTE(name, isa)
#define ISA_SYMBOL(name)            ISA_PASTE_VALUES(name, ISA)
#define ISA_QUOTE(isa)              #isa
#define ISA_QUOTE_VALUE(isa)        ISA_QUOTE(isa)
#define ISA_NAME                    ISA_QUOTE_VALUE(ISA)

/* Where the processor has vectors of this width, a few functions use its own instructions. */
#if VECTOR_WIDTH == 16 && defined __AVX512F__ && defined __AVX512DQ__
#define VECTOR_AVX512
#elif VECTOR_WIDTH == 8 && defined __AVX2__
#define VECTOR_AVX2
#elif VECTOR_WIDTH == 4 && defined __SSE2__
#define VECTOR_SSE2
#endif
#if defined VECTOR_AVX512 || defined VECTOR_AVX2 || defined VECTOR_SSE2
#include <immintrin.h>
#endif

enum { BLOCK = 16 /* images */, PARTS = BLOCK / VECTOR_WIDTH };

typedef float vector __attribute__((vector_size(4 * VECTOR_WIDTH), may_alias));
typedef float vector_unaligned __attribute__((vector_size(4 * VECTOR_WIDTH), may_alias, aligned(4)));
typedef int32_t vector_bits __attribute__((vector_size(4 * VECTOR_WIDTH), may_alias));

#define INLINE static inline __attribute__((always_inline, unused))

INLINE vector vector_load(const float *from)
{
    return *(const vector *)from;
}

INLINE vector vector_load_unaligned(const float *from)
{
    return *(const vector_unaligned *)from;
}

INLINE void vector_store(float *to, vector value)
{
    *(vector *)to = value;
}

INLINE vector vector_all(float value)
{
    return value - (vector){0};
}

/* The larger of each pair; `b` where either is NaN. */
INLINE vector vector_max(vector a, vector b)
{
#if defined VECTOR_AVX512
    return (vector)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined VECTOR_AVX2
    return (vector)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined VECTOR_SSE2
    return (vector)_mm_max_ps((__m128)a, (__m128)b);
#else
    vector_bits larger = a > b;
    return (vector)(((vector_bits)a & larger) | ((vector_bits)b & ~larger));
#endif
}

/* The smaller of each pair; `b` where either is NaN. */
INLINE vector vector_min(vector a, vector b)
{
    return -vector_max(-a, -b);
}

/* A NaN passes, so that a diverged network is seen in its loss. */
INLINE vector vector_relu(vector value)
{
    return vector_max((vector){0}, value);
}

/* `value` where the mask is set, else 0. */
INLINE vector vector_where(vector_bits mask, vector value)
{
    return (vector)((vector_bits)value & mask);
}

/* VECTOR_WIDTH bytes, as floats. */
INLINE vector vector_from_bytes(const uint8_t *from)
{
#if defined VECTOR_AVX512
    return (vector)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from)));
#elif defined VECTOR_AVX2
    return (vector)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from)));
#else
    vector value;
    for (int i = 0; i < VECTOR_WIDTH; i++)
        value[i] = from[i];
    return value;
#endif
}

typedef float quad __attribute__((vector_size(16), may_alias));

/* Four sums, each over every fourth lane. */
INLINE quad vector_fold(vector value)
{
#if defined VECTOR_AVX512
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256((__m512)value), _mm512_extractf32x8_ps((__m512)value, 1));
    return (quad)_mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
#elif defined VECTOR_AVX2
    return (quad)_mm_add_ps(_mm256_castps256_ps128((__m256)value), _mm256_extractf128_ps((__m256)value, 1));
#elif VECTOR_WIDTH == 4
    return (quad)value;
#else
    quad sums = {0};
    for (int i = 0; i < VECTOR_WIDTH; i++)
        sums[i % 4] += value[i];
    return sums;
#endif
}

INLINE float vector_sum(vector value)
{
    quad four = vector_fold(value);
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* The sums of four vectors. */
INLINE quad vector_sum_four(vector a, vector b, vector c, vector d)
{
    quad e = vector_fold(a), f = vector_fold(b), g = vector_fold(c), h = vector_fold(d);
    quad ef = __builtin_shufflevector(e, f, 0, 4, 1, 5) + __builtin_shufflevector(e, f, 2, 6, 3, 7);
    quad gh = __builtin_shufflevector(g, h, 0, 4, 1, 5) + __builtin_shufflevector(g, h, 2, 6, 3, 7);
    return __builtin_shufflevector(ef, gh, 0, 1, 4, 5) + __builtin_shufflevector(ef, gh, 2, 3, 6, 7);
}

#endif
