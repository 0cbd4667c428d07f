/*
 * dropout.h - the mask of OP_DROPOUT: a hash of (key, element), so that every backend drops the same values.
 *
 * Forward and backward compute the mask anew, so nothing is stored between them.  `element` is the value's number in
 * the plain [image][channel][y][x] order; wrapping past 2^32 is harmless.  The hash is two finalisers of murmur3, one
 * for each half of the key: 32-bit multiplications and shifts, which every vector unit has.
 */
#ifndef ESPALIER_NN_DROPOUT_H
#define ESPALIER_NN_DROPOUT_H

#include <stdbool.h>
#include <stdint.h>

static inline uint32_t dropout_mix(uint32_t word)
{
    word ^= word >> 16;
    word *= 0x85ebca6bu;
    word ^= word >> 13;
    word *= 0xc2b2ae35u;
    return word ^ word >> 16;
}

/* 24 uniform bits. */
static inline int32_t dropout_bits(uint64_t key, uint32_t element)
{
    return (int32_t)(dropout_mix(dropout_mix(element ^ (uint32_t)key) ^ (uint32_t)(key >> 32)) >> 8);
}

/* A value is kept when its bits reach this. */
static inline int32_t dropout_threshold(float drop)
{
    return (int32_t)(drop * (float)(1 << 24));
}

static inline bool dropout_keeps(uint64_t key, uint32_t element, int32_t threshold)
{
    return dropout_bits(key, element) >= threshold;
}

#endif
