/*
 * tokens.h - a layer as a word of the controller's vocabulary.
 *
 * There is one word for each pair of filters and kernel of the space, for each FC width, for each kind of pool and for
 * the classifier; in a dense space also for the transition and for each growth rate.  A width or kernel that isn't in
 * the space has the word of the next lower one, or of the lowest.  Strides have no words, as in EAS; nor have bottleneck
 * and reduction, which are the same in all networks of a search.
 */
#ifndef ESPALIER_POLICY_TOKENS_H
#define ESPALIER_POLICY_TOKENS_H

#include "arch/space.h"

/* `dense`: with the words of dense networks, which are the last. */
int token_count(const struct space *space, bool dense);
int token_of(const struct space *space, const struct layer *layer);

#endif
