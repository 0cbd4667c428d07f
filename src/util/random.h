/*
 * random.h - counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011).
 *
 * Every draw comes from a stream that four numbers name: (seed, purpose, a, b).  Two streams that differ in any of them
 * are independent.  A stream can be made anew at any time and place, so nothing has to be saved for a resume.  A struct
 * random_stream is a plain value; a copy remembers a place in the stream.
 */
#ifndef ESPALIER_UTIL_RANDOM_H
#define ESPALIER_UTIL_RANDOM_H

#include <stdint.h>

/* What a stream is for.  The numbers are part of the session format: never renumber, only add. */
enum random_purpose {
    RANDOM_SPLIT = 1,      /* train/validation split and --train-subset; a, b: 0 */
    RANDOM_INITIALISE = 2, /* weights from scratch; a: node */
    RANDOM_ORDER = 3,      /* order of the images; a: node, b: epoch */
    RANDOM_AUGMENT = 4,    /* crop and flip; a: node, b: epoch */
    RANDOM_DROPOUT = 5,    /* a: node, b: step */
    RANDOM_MORPH = 6,      /* index maps and noise; a: node, b: index of the action */
    RANDOM_POLICY = 7,     /* sampled decisions; a: proposal */
    RANDOM_PARENT = 8,     /* parent choice; a: proposal */
    RANDOM_CONTROLLER = 9, /* initial weights of the controller's networks */
    RANDOM_MEASURE = 10,   /* batches that measure BN statistics for a deepened layer; a: node, b: action */
    RANDOM_MIXUP = 11,     /* which batches are mixed, and how much of each image; a: node, b: step */
    RANDOM_TEST = 100      /* tests and benchmarks */
};

struct random_stream {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int used;    /* words of `block` handed out; 4: the next draw computes a new block */
    float spare; /* second value of the last Box-Muller pair */
    int has_spare;
};

struct random_stream random_stream_new(uint64_t seed, enum random_purpose purpose, uint32_t a, uint32_t b);
uint32_t random_word(struct random_stream *stream);
/* Uniform in 0 … bound-1, unbiased; bound >= 1. */
uint32_t random_below(struct random_stream *stream, uint32_t bound);
/* Uniform in [0, 1), 24 bits. */
float random_uniform(struct random_stream *stream);
/* Normal with mean 0 and standard deviation 1 (Box-Muller). */
float random_normal(struct random_stream *stream);
/* Fisher-Yates. */
void random_shuffle(struct random_stream *stream, int32_t *items, int count);

#endif
