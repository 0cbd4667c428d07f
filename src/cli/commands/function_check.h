/*
 * function_check.h - measures on images how far a child's function is from its parent's.
 */
#ifndef ESPALIER_CLI_COMMANDS_FUNCTION_CHECK_H
#define ESPALIER_CLI_COMMANDS_FUNCTION_CHECK_H

#include "arch/weights.h"
#include "data/images.h"

/* The largest difference that exact transformations allow without noise, as a share of the largest logit. */
#define FUNCTION_CHECK_LIMIT 1e-4

struct function_check {
    double difference;                 /* max |logit of child - logit of parent| */
    double largest;                    /* max |logit of parent| */
    int images, agree;                 /* images with the same prediction of both */
    int parent_correct, child_correct; /* images whose label is predicted */
};

/* Both networks on the first images of the view, in inference mode. */
int function_check(struct weights *parent, struct weights *child, const struct view *view, struct function_check *check,
                   struct error *error);
/* False also when either network's logits are not numbers. */
bool function_check_passes(const struct function_check *check);

/* Images of uniform noise.  images_done() them. */
void function_check_noise_images(struct shape input, int classes, uint64_t seed, struct images *images);
/* He initialisation, and random BN values, because fresh ones (0 and 1) would hide mistakes. */
struct weights *function_check_random_weights(const struct arch *arch, struct shape input, uint64_t seed);

#endif
