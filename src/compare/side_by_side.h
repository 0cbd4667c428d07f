/*
 * side_by_side.h - a parent and its child as text: layer beside layer, and what each costs.
 *
 * Functions of const values.
 */
#ifndef ESPALIER_COMPARE_SIDE_BY_SIDE_H
#define ESPALIER_COMPARE_SIDE_BY_SIDE_H

#include <stdbool.h>
#include <stdio.h>

#include "policy/policy.h"

/* `child` is what the proposal makes of `parent` (asserted); both take `input`. */
void side_by_side_print(FILE *out, const struct arch *parent, const struct proposal *proposal, const struct arch *child,
                        struct shape input, bool unicode);

#endif
