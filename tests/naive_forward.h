/*
 * naive_forward.h - a network in inference mode, computed as its definition reads, in doubles.
 *
 * Slow and short: an oracle that shares no code with nn/ and the backends.
 */
#ifndef ESPALIER_TESTS_NAIVE_FORWARD_H
#define ESPALIER_TESTS_NAIVE_FORWARD_H

#include "arch/weights.h"

/* What layer `layer` computes for an image ([channel][y][x]) before its BN; for a pool, D or T, what it gives; for the
   last layer, the logits.  free() it. */
double *naive_forward(const struct weights *weights, int layer, const float *image, struct shape *shape);

/* Mean and biased variance per channel of that, over `count` images one after the other. */
void naive_statistics(const struct weights *weights, int layer, const float *images, int count, float *mean,
                      float *variance);

#endif
