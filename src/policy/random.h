/*
 * random.h - random decisions, for the policies that learn nothing.
 */
#ifndef ESPALIER_POLICY_RANDOM_H
#define ESPALIER_POLICY_RANDOM_H

#include "policy/decisions.h"

/* Every offered layer widens with probability `*widening`; an insertion's block, layer and kernel are uniform among
   those offered.  Borrows `widening`. */
struct chooser random_chooser(const double *widening);

#endif
