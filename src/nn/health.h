/*
 * health.h - what became of each layer of a network in its training: norms, dead units, and whether the units that a
 * widening added are used.
 *
 * It is measured in one batch, forward and backward, and changes nothing of the network.  The caller's thread.
 */
#ifndef ESPALIER_NN_HEALTH_H
#define ESPALIER_NN_HEALTH_H

#include "nn/network.h"

/* NaN: the layer has none. */
struct layer_health {
    double weight_norm;   /* L2, of all that is trained in the layer */
    double gradient_norm; /* L2, of the loss by the same; mean over the batch */
    double dead;          /* share of the channels behind its ReLUs that are 0 at every place of every image */
    double fresh;         /* mean use of a unit that the widening added, over that of a unit that was there before.
                             The use of a unit is how much the loss would change without it, to the first order: the
                             mean over the images of |sum over places of output times gradient| (Molchanov, Tyree,
                             Karras, Aila, Kautz, ICLR 2017, section 2.2).  1: they are used alike; 0: not at all */
};

enum { HEALTH_IMAGES = 64 };

/* Fill in `health`, one for each layer of the weights' architecture.  The network is in training mode on the host, and
   borrows `weights`.  Up to HEALTH_IMAGES images stand at even distances in the view.  `units_before`, for each layer:
   the units that it had before it was widened, 0: it was not; or NULL. */
void network_health(struct network *network, const struct weights *weights, const struct view *view,
                    const int *units_before, uint64_t dropout_key, struct layer_health *health);

#endif
