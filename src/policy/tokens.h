/*
 * tokens.h - a layer as a word of the controller's vocabulary.
 *
 * One word for each pair of filters and kernel, and for each FC width, of the space; one for each kind of
 * pool and one for the classifier; in a dense space also one for the transition and one for each growth rate.
 * A width or kernel that isn't in the space reads as the next lower that is, or as the lowest.  Strides have no
 * words, as in EAS, nor do bottleneck and reduction, which are the same all over a search.
 */
#ifndef ESPALIER_POLICY_TOKENS_H
#define ESPALIER_POLICY_TOKENS_H

#include "arch/space.h"

/* `dense`: with the words of dense networks, which are the last. */
int token_count(const struct space *space, bool dense);
int token_of(const struct space *space, const struct layer *layer);

#endif
