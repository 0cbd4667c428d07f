/*
 * average.c - a += (1 - decay) * (w - a), for every value of a network.
 */
#include "nn/average.h"

#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"

void average_init(struct average *average, const struct weights *weights, const struct average *before, double decay)
{
    size_t count = (size_t)weights->layout.total;
    ASSERT(!before || before->count == weights->layout.total);
    *average = (struct average){.count = weights->layout.total, .decay = decay, .steps = before ? before->steps : 0};
    average->values = memory_new_aligned(count * sizeof *average->values);
    memcpy(average->values, before ? before->values : weights->values, count * sizeof *average->values);
}

void average_done(struct average *average)
{
    free(average->values);
    *average = (struct average){0};
}

float *average_take(struct average *average)
{
    float *values = average->values;
    *average = (struct average){0};
    return values;
}

float average_share(struct average *average, bool from_scratch)
{
    double t = (double)average->steps++, ramp = (1 + t) / ((from_scratch ? 10 : 4) + t);
    return (float)(1 - (ramp < average->decay ? ramp : average->decay));
}

void average_add(struct average *average, const struct weights *weights, float share)
{
    ASSERT(average->count == weights->layout.total);
    for (int64_t i = 0; i < average->count; i++)
        average->values[i] += share * (weights->values[i] - average->values[i]);
}

void average_swap(struct average *average, struct weights *weights)
{
    ASSERT(average->count == weights->layout.total);
    for (int64_t i = 0; i < average->count; i++) {
        float value = average->values[i];
        average->values[i] = weights->values[i];
        weights->values[i] = value;
    }
}
