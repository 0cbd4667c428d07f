/*
 * action.h - one transformation of an architecture.
 *
 *     text              on a screen       what it does
 *     widen:conv2:48    W conv2 32→48     more filters, units of an FC, hidden channels of R or M, or channels of a
 *                                         dense layer (its growth rate, and with it the bottleneck)
 *     deepen:conv2:5    D conv2 +5×5      a new layer right after: a convolution with conv2's filters, this kernel and
 *     deepen:fc1        D fc1 +fc         stride 1; an FC with fc1's units; a dense layer like the one before
 *     deepen:conv2:M(48,3)                a new residual block right after any layer of maps: an M, or with R an R, of
 *                       D conv2 +M(48,3)  these hidden channels and this kernel, which changes nothing yet
 *                                         M(48,3,se,hs) has these features too
 *     squeeze:mobile2     S mobile2 +se   squeeze-and-excitation (se) in an R, M or S, which changes nothing yet
 *     narrow:conv2:24   N conv2 32→24     fewer of what a widening adds
 *     remove:conv2      R conv2           the layer goes; the next one reads what conv2 read
 *     kernel:conv2:5    K conv2 3→5       a larger or smaller kernel
 *
 * Transitions, and blocks behind a wider or narrower convolution, follow by themselves.  Widening, deepening, se and
 * a larger kernel keep the network's function; the others change it.  Layer names are those of the architecture that
 * the action is applied to. Pure, any thread.
 */
#ifndef ESPALIER_ARCH_ACTION_H
#define ESPALIER_ARCH_ACTION_H

#include "arch/arch.h"

enum action_kind {
    ACTION_WIDEN,
    ACTION_DEEPEN,
    ACTION_NARROW,
    ACTION_REMOVE,
    ACTION_KERNEL,
    ACTION_SQUEEZE,
    ACTION_KINDS
};

struct action {
    enum action_kind kind;
    int layer;  /* index in the parent: the layer to change, or the one to insert after */
    int units;  /* ACTION_WIDEN, ACTION_NARROW: the new width (growth rate of D); of a block: hidden channels; else 0 */
    int kernel; /* ACTION_KERNEL, and ACTION_DEEPEN after a C or by a block: the new kernel, odd; else 0 */
    enum layer_kind block; /* ACTION_DEEPEN: LAYER_RESIDUAL or LAYER_MOBILE; 0: a layer like the one before */
    int features;          /* of a block: as in struct layer; else 0 */
};

/* The kind that a text names before its first colon, as `widen` in "widen:conv1"; -1: none. */
int action_kind_of(const char *text);
/* "widen": how a text of this kind begins; its first letter, as a capital, is the kind on a screen. */
const char *action_kind_word(enum action_kind kind);

/* A width or kernel that is left out is 0: the caller's space completes it (space.h, space_complete).  "deepen:conv2:M"
   leaves out both; behind R, M and S, a layer whose kind is left out is an M with their features. */
int action_parse(const struct arch *arch, const char *text, struct action *action, struct error *error);
void action_print(const struct arch *arch, const struct action *action, struct text *text);
/* The form for a screen; ASCII (`W conv2 32>48`, `D conv2 +5x5`) when `unicode` is false. */
void action_show(const struct arch *arch, const struct action *action, bool unicode, struct text *text);
/* The child's architecture; `child` may be `parent`.  Fails with the reason: no such layer, not wider, even kernel, too
 * deep, a removal that the layers around it don't allow. */
int action_apply(const struct arch *parent, const struct action *action, struct arch *child, struct error *error);
/* Does the child of an action that can be applied compute its parent's function? */
bool action_is_exact(const struct arch *parent, const struct action *action);

#endif
