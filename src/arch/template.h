/*
 * template.h - the plain or modern network that a person would type for these images, scaled to what it may cost.
 *
 * A search starts from a small one, and has a large one as its baseline: what it finds has to be better.
 */
#ifndef ESPALIER_ARCH_TEMPLATE_H
#define ESPALIER_ARCH_TEMPLATE_H

#include "arch/arch.h"

/* The widest network of the shape that the template has, plain or `modern`, whose parameters and FLOPs are at most
   `share` (above 0, up to 1) of the limits, and its memory and depth within them; without a limit of parameters or
   FLOPs, at most TEMPLATE_FLOPS an image.  Asserts a share in its range.  -1 when even the narrowest is too large: the
   message names the limit. */
enum { TEMPLATE_FLOPS = 20000000 };
int arch_template(struct shape input, int classes, bool modern, const struct arch_limits *limits, double share,
                  struct arch *arch, struct error *error);

#endif
