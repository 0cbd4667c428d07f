/*
 * morph_bed.h - what the tests of the transformations share: networks at random, and a measurement in doubles.
 */
#ifndef ESPALIER_TESTS_MORPH_BED_H
#define ESPALIER_TESTS_MORPH_BED_H

#include "morph/morph.h"

enum { MEASURE_IMAGES = 8 };

struct random_stream test_stream(uint32_t a, uint32_t b);
void fill_normal(float *values, int64_t count, float mean, float deviation, struct random_stream *stream);
/* Weights and statistics as a trained network may have them, some gammas negative. */
struct weights *random_weights(const char *notation, struct shape input, struct random_stream *stream);
int64_t image_size(const struct weights *weights);

/* Where measure_naively gets its MEASURE_IMAGES images, and how often it was called. */
struct measuring {
    const float *images;
    int calls;
};
int measure_naively(void *context, const struct weights *network, int layer, float *mean, float *variance,
                    struct error *error);

/* morph_apply(), which must succeed. */
struct weights *apply(const struct weights *parent, struct action action, const struct morph_options *options,
                      const struct morph_measure *measure, struct random_stream *stream);

/* Two actions that give random weights back to the bit. */
void assert_undone(const char *notation, struct action there, struct action back, const struct morph_options *options);

#endif
