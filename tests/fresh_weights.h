/*
 * fresh_weights.h - a network as a training from scratch begins it.
 */
#ifndef ESPALIER_TESTS_FRESH_WEIGHTS_H
#define ESPALIER_TESTS_FRESH_WEIGHTS_H

#include "arch/weights.h"
#include "nn/trainer.h"
#include "util/bug.h"

/* weights_free() them. */
static inline struct weights *fresh_weights(const char *notation, struct shape input, uint64_t seed)
{
    struct arch arch;
    struct error error;
    if (arch_parse(&arch, notation, &error))
        BUG(error.text);
    struct weights *weights = weights_new(&arch, input);
    struct random_stream stream = random_stream_new(seed, RANDOM_INITIALISE, 1, 0);
    weights_initialise(weights, &stream);
    return weights;
}

#endif
