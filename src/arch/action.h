/*
 * action.h - one transformation of an architecture: widen a layer, or deepen after one.
 *
 * As text, on the command line and in a session's events: `widen:conv2:48`, `deepen:conv2:5` (a new 5×5
 * convolution with conv2's filters right after conv2, stride 1), `deepen:fc1`, `widen:dense3:16` (the growth rate, and
 * with it the bottleneck), `deepen:dense3` (a new layer like dense3 right after it).  Transitions follow by themselves.
 * For a screen: `W conv2 32→48`, `D conv2 +5×5`.  Layer names are those of the architecture that the action is applied
 * to. Pure, any thread.
 */
#ifndef ESPALIER_ARCH_ACTION_H
#define ESPALIER_ARCH_ACTION_H

#include "arch/arch.h"

enum action_kind { ACTION_WIDEN, ACTION_DEEPEN };

struct action {
    enum action_kind kind;
    int layer;  /* index in the parent: the layer to widen, or the one to insert after */
    int units;  /* ACTION_WIDEN: the new width (growth rate of D), larger than the old; else 0 */
    int kernel; /* ACTION_DEEPEN after a C: the new kernel, odd; else 0 */
};

/* `widen:NAME` without a width, and `deepen:convN` without a kernel, are completed by the caller's space
   (space.h, space_complete): units or kernel is then 0. */
int action_parse(const struct arch *arch, const char *text, struct action *action, struct error *error);
void action_print(const struct arch *arch, const struct action *action, struct text *text);
/* The form for a screen; ASCII (`W conv2 32>48`, `D conv2 +5x5`) when `unicode` is false. */
void action_show(const struct arch *arch, const struct action *action, bool unicode, struct text *text);
/* The child's architecture; `child` may be `parent`.  Fails with the reason: no such layer, not wider, even kernel, too
 * deep. */
int action_apply(const struct arch *parent, const struct action *action, struct arch *child, struct error *error);

#endif
