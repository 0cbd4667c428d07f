/*
 * tokens.h - a layer as a word of the controller's vocabulary.
 *
 * One word for each pair of filters and kernel, and for each FC width, of the space; one for each kind of
 * pool and one for the classifier.  A width or kernel that isn't in the space reads as the next lower that
 * is, or as the lowest.  Strides have no words, as in EAS.
 */
#ifndef ESPALIER_POLICY_TOKENS_H
#define ESPALIER_POLICY_TOKENS_H

#include "arch/space.h"

int token_count(const struct space *space);
int token_of(const struct space *space, const struct layer *layer);

#endif
