/*
 * template.h - the plain or modern network that a person would type for these images, scaled to what it may cost.
 *
 * A search starts from it, or has it as its baseline: what it finds has to be better.
 */
#ifndef ESPALIER_ARCH_TEMPLATE_H
#define ESPALIER_ARCH_TEMPLATE_H

#include "arch/arch.h"

/* The widest network of the shape that the template has, plain or `modern`, within the limits;
   without a limit of parameters or FLOPs, of at most TEMPLATE_FLOPS an image.  -1 when even the narrowest is too large:
   the message names the limit. */
enum { TEMPLATE_FLOPS = 20000000 };
int arch_template(struct shape input, int classes, bool modern, const struct arch_limits *limits,
                  struct arch *arch, struct error *error);
/* The narrowest of that shape, whatever it costs.  -1: it doesn't fit these images. */
int arch_template_narrowest(struct shape input, int classes, bool modern, struct arch *arch, struct error *error);

#endif
