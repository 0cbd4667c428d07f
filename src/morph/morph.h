/*
 * morph.h - transformations of (architecture, weights): Net2Wider and Net2Deeper (Chen, Goodfellow, Shlens, ICLR 2016;
 * EAS, section 3), larger and smaller kernels, narrower layers, and layers taken out.
 *
 * Pure: the parent is borrowed and unchanged, every draw comes from `stream`.  With `noise` 0 the child of an action
 * that is exact (action_is_exact) computes the parent's function in inference mode (logits within 1e-4 of the largest,
 * any chain).  A narrower layer keeps its most important units (importance.c).
 */
#ifndef ESPALIER_MORPH_MORPH_H
#define ESPALIER_MORPH_MORPH_H

#include "arch/action.h"
#include "arch/weights.h"
#include "util/random.h"

/* What the units that a widening adds are, and how they and the old ones share the outgoing weights.  All are exact. */
enum morph_split {
    MORPH_SPLIT_EQUAL,   /* copies, each with 1/copies of them (Net2Wider) */
    MORPH_SPLIT_UNEQUAL, /* copies, with random shares that sum to 1 */
    MORPH_SPLIT_FRESH /* no copies: fresh incoming weights, and 0 for outgoing ones (Network Morphism: Wei, Wang, Rui,
                         Chen, ICML 2016), so that there is no symmetry that training must break */
};

struct morph_options {
    enum morph_split split;
    float widen_noise;  /* gaussian on the copies' incoming weights, in units of the weights' own std; 1e-2 */
    float deepen_noise; /* gaussian on the identity kernel, likewise; 1e-3 */
};

/* Mean and variance, per channel, of what layer `layer` of `network` computes before its BN, over batches of training
   images, in training mode.  `network` holds the identity layer already, so that this is the mean and
   variance of the new layer's input.  Returns 0, or -1. */
struct morph_measure {
    int (*measure)(void *context, const struct weights *network, int layer, float *mean, float *variance,
                   struct error *error);
    void *context;
};

/* Draw the index map of a widening: the old units map to themselves, each new one to a random old one. */
void morph_index_map(struct random_stream *stream, int old_units, int new_units, int32_t *map);

/* The child, weights_free() it; it is made of the parent's `values` and has no raw ones.  `measure` is used by ACTION_DEEPEN only: running mean m and variance v of
   the new layer's input; gamma = sqrt(v + eps), beta = m undo the BN.  NULL: m = 0, v = 1 (still exact). */
int morph_apply(const struct weights *parent, const struct action *action, const struct morph_options *options,
                const struct morph_measure *measure, struct random_stream *stream, struct weights **child,
                struct error *error);

#endif
