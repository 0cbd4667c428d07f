/*
 * random.c - Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 *
 * A block of four words is a keyed bijection of a 128-bit counter: the key is the session's seed, and the
 * counter's words are
 *     [0] number of the block in its stream, low 32 bits
 *     [1] purpose (16 bits), number of the block, high 16 bits
 *     [2] a    [3] b
 * so no two streams of one seed ever share a block, and a stream has 2^50 words.  All arithmetic before
 * random_uniform() is on integers, so the bits are the same on every machine.
 */
#include "util/random.h"

#include <math.h>

#include "util/bug.h"

enum { PHILOX_ROUNDS = 10, PURPOSE_BITS = 16 };

static void philox_block(const uint32_t key[2], const uint32_t counter[4], uint32_t block[4])
{
    uint32_t key0 = key[0], key1 = key[1];
    uint32_t word0 = counter[0], word1 = counter[1], word2 = counter[2], word3 = counter[3];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t product0 = (uint64_t)0xD2511F53u * word0;
        uint64_t product1 = (uint64_t)0xCD9E8D57u * word2;
        word0 = (uint32_t)(product1 >> 32) ^ word1 ^ key0;
        word1 = (uint32_t)product1;
        word2 = (uint32_t)(product0 >> 32) ^ word3 ^ key1;
        word3 = (uint32_t)product0;
        key0 += 0x9E3779B9u; /* the golden ratio */
        key1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    block[0] = word0;
    block[1] = word1;
    block[2] = word2;
    block[3] = word3;
}

struct random_stream random_stream_new(uint64_t seed, enum random_purpose purpose, uint32_t a, uint32_t b)
{
    ASSERT((uint32_t)purpose < 1u << PURPOSE_BITS);
    return (struct random_stream){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, (uint32_t)purpose, a, b},
        .used = 4,
    };
}

uint32_t random_word(struct random_stream *stream)
{
    if (stream->used == 4) {
        philox_block(stream->key, stream->counter, stream->block);
        stream->used = 0;
        if (++stream->counter[0] == 0)
            stream->counter[1] += 1u << PURPOSE_BITS;
    }
    return stream->block[stream->used++];
}

/* Lemire, "Fast random integer generation in an interval" (2019): the high half of word × bound.  A word whose low half
   would make some values more likely than others is drawn again. */
uint32_t random_below(struct random_stream *stream, uint32_t bound)
{
    ASSERT(bound >= 1);
    uint64_t product = (uint64_t)random_word(stream) * bound;
    if ((uint32_t)product < bound) {
        uint32_t refused = -bound % bound; /* 2^32 mod bound */
        while ((uint32_t)product < refused)
            product = (uint64_t)random_word(stream) * bound;
    }
    return (uint32_t)(product >> 32);
}

float random_uniform(struct random_stream *stream)
{
    return (float)(random_word(stream) >> 8) * 0x1p-24f;
}

float random_normal(struct random_stream *stream)
{
    if (stream->has_spare) {
        stream->has_spare = 0;
        return stream->spare;
    }
    float radius = sqrtf(-2.0f * logf(1.0f - random_uniform(stream))); /* 1 - u lies in (0, 1]: no log(0) */
    float angle = 6.28318530718f * random_uniform(stream);
    stream->spare = radius * sinf(angle);
    stream->has_spare = 1;
    return radius * cosf(angle);
}

void random_shuffle(struct random_stream *stream, int32_t *items, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int j = (int)random_below(stream, (uint32_t)i + 1);
        int32_t item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}
