/* side_by_side.h - prints a parent and its child side by side: layers, and what each network costs. */
#ifndef ESPALIER_COMPARE_SIDE_BY_SIDE_H
#define ESPALIER_COMPARE_SIDE_BY_SIDE_H

#include <stdbool.h>
#include <stdio.h>

#include "policy/policy.h"

/* `child` must be what the proposal makes of `parent`; both take `input`. */
void side_by_side_print(FILE *out, const struct arch *parent, const struct proposal *proposal, const struct arch *child,
                        struct shape input, bool unicode);

#endif
