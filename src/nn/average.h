/*
 * average.h - the moving average of a network's weights while it trains (Polyak averaging; Izmailov et al. 2018 say
 * why it generalises better than the weights themselves).
 *
 * At a steady learning rate the weights jump around the place that they have reached; their average lies in the middle.
 * So a network can be judged at any time without lowering the rate.  BN's running statistics are averaged too.
 * One thread at a time; borrows nothing.
 */
#ifndef ESPALIER_NN_AVERAGE_H
#define ESPALIER_NN_AVERAGE_H

#include "arch/weights.h"

struct average {
    int64_t count; /* of values: those of the network, its statistics included */
    float *values;
    double decay;  /* of each step, below 1 */
    int64_t steps; /* averaged so far */
};

/* Start an average as these weights, or go on from `before` unless that is NULL.  average_done() it. */
void average_init(struct average *average, const struct weights *weights, const struct average *before, double decay);
void average_done(struct average *average);
/* Its values, the caller's to free(); what is left is done. */
float *average_take(struct average *average);
/* The share that the weights get in the average after the next step of training; call it once for each.  An average
   that has begun forgets its first steps soon: the decay of step t is at most (1 + t) / (4 + t), an average over the
   last third of the steps.  A network that started from scratch changes faster: (1 + t) / (10 + t), over the last
   ninth. */
float average_share(struct average *average, bool from_scratch);
/* Call it after the step. */
void average_add(struct average *average, const struct weights *weights, float share);
/* Exchange the average with the network's weights; a second call undoes it. */
void average_swap(struct average *average, struct weights *weights);

#endif
