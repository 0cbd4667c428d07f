/*
 * weights.h - the weights of one network, on the host, in the one canonical layout.
 *
 * One flat float32 buffer: first everything that is trained, layer by layer, then the BN statistics.
 * Convolution [out][in][kernel][kernel], depthwise [channel][1][kernel][kernel], FC, SM and se [out][in], where the inputs
 * of the first FC after a map are channel-major ([channel][y][x]).  A backend packs what it needs from this layout, and
 * returns values in it.
 *
 * A layer has up to one entry for each weights_part (kinds.h): the BN that it begins with (D, T, and pools behind
 * them), the bottleneck of D or the hidden channels of R and M with their BN, the depthwise convolution of M and S with
 * its BN, the two linear layers of se, and the last convolution or linear part.
 */
#ifndef ESPALIER_ARCH_WEIGHTS_H
#define ESPALIER_ARCH_WEIGHTS_H

#include <stdint.h>

#include "arch/kinds.h"

/* Added to BN's variance before the square root: a network's function depends on it. */
#define BN_EPSILON 1e-5f

/* Offsets into the buffer; -1: this part has none. */
struct weights_layer {
    int64_t weight;              /* of what has a convolution, and of FC and SM */
    int64_t bias;                /* SM, se: [out] */
    int64_t gamma, beta;         /* of a BN, with its convolution or FC or alone: [out], trained */
    int64_t mean, variance;      /* likewise, running statistics, not trained */
    int inputs, outputs, kernel; /* the weight is outputs × inputs × kernel × kernel; kernel 1 for FC, SM, se; inputs 1 for
                                    a depthwise convolution; of a BN alone inputs = outputs, its channels; all 0: the
                                    layer has no such part */
};

struct weights_layout {
    int64_t trained; /* values before the statistics = arch_cost().parameters */
    int64_t total;
    union {
        struct weights_layer parts[WEIGHTS_PARTS][ARCH_LAYERS_MAX];
        struct {
            struct weights_layer others[WEIGHTS_MAIN][ARCH_LAYERS_MAX], layers[ARCH_LAYERS_MAX];
        };
    };
};

struct weights {
    struct arch arch;
    struct shape input;
    struct weights_layout layout;
    float *values; /* layout.total values, 64-byte aligned */
    float *raw;    /* likewise: what training had, where `values` are its moving average; NULL: there is none */
};

/* Asserts that arch_shapes accepts the pair. */
void weights_layout_of(const struct arch *arch, struct shape input, struct weights_layout *layout);
/* Zeroed, with gamma 1 and variance 1; weights_free() it. */
struct weights *weights_new(const struct arch *arch, struct shape input);
/* Standard deviation of a part's fresh weights: He, Zhang, Ren, Sun, 2015. */
float weights_fresh_deviation(const struct weights_layer *part);
/* Make the raw values the network's, if it has any: training goes on from them.  From an average, which lags behind,
   it would lose a part of what it had reached. */
void weights_use_raw(struct weights *weights);
void weights_drop_raw(struct weights *weights);
struct weights *weights_copy(const struct weights *weights);
void weights_free(struct weights *weights);

#endif
