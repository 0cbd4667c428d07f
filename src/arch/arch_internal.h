/* arch_internal.h - what the files of this room share: for src/arch/ only. */
#ifndef ESPALIER_ARCH_ARCH_INTERNAL_H
#define ESPALIER_ARCH_ARCH_INTERNAL_H

#include "arch/arch.h"

/* Everything that holds without knowing the input: numbers in range, order of the kinds, a C and an SM. */
int arch_check(const struct arch *arch, struct error *error);
/* "layer 3, P(2,2): WHAT".  Returns -1. */
int layer_error(const struct arch *arch, int layer, struct error *error, const char *what);

#endif
