/*
 * grow_plan.h - the actions that a person puts together for one child: a list that is edited layer by layer.
 *
 * The cursor is on a layer of the network that the actions lead to. To change a layer that an action has changed
 * already changes that action; so a layer never has two actions of a kind. A change that can't be applied leaves the
 * plan as it was. Pure: no drawing, no session. One thread a plan.
 */
#ifndef ESPALIER_TUI_GROW_PLAN_H
#define ESPALIER_TUI_GROW_PLAN_H

#include "arch/space.h"

enum { GROW_ACTIONS_MAX = 32 }; /* as many as the search takes for one network */

struct grow_plan {
    const struct space *space;
    struct arch_limits limits;
    struct shape input;
    struct arch base, arch; /* the parent; what the actions make of it */
    struct action actions[GROW_ACTIONS_MAX];
    int count, cursor;
    bool proposed; /* the only action is one to begin with: it moves along with the cursor until a key changes it */
};

/* What the plan does to the layer at the cursor: places in `actions`, or -1. */
struct grow_place {
    int width, kernel, inserted;
    struct layer before; /* the layer without its width and kernel */
};
struct grow_place grow_plan_place(const struct grow_plan *plan);

/* Begin with the first layer that can be widened (or deepened) by a step.  Everything but `base`, `space`, `limits` and
   `input`, which are set, is. */
void grow_plan_begin(struct grow_plan *plan, enum action_kind kind);
/* Move the cursor to the next layer that grows (1) or the one before (-1), or to a layer. */
void grow_plan_move(struct grow_plan *plan, int direction);
void grow_plan_go(struct grow_plan *plan, int layer);
/* Give the layer a width: 0, or -1 with the reason why not. */
int grow_plan_width(struct grow_plan *plan, int units, struct error *error);
/* The next width of the space, past its widest one by its last step; the next kernel. */
int grow_plan_step_width(struct grow_plan *plan, int direction, struct error *error);
int grow_plan_step_kernel(struct grow_plan *plan, int direction, struct error *error);
/* A new layer behind the one at the cursor, which goes there.  Take the layer at the cursor out. */
int grow_plan_insert(struct grow_plan *plan, struct error *error);
int grow_plan_remove(struct grow_plan *plan, struct error *error);
/* Insert squeeze-and-excitation into the layer at the cursor; whether that is possible. */
int grow_plan_squeeze(struct grow_plan *plan, struct error *error);
bool grow_plan_can_squeeze(const struct grow_plan *plan);
/* Take the last action off.  False: there is none. */
bool grow_plan_take_off(struct grow_plan *plan);

/* Why a search with these limits refuses the network.  False: it doesn't. */
bool grow_plan_refusal(const struct grow_plan *plan, struct error *error);
/* The largest value below the one at the cursor with which it is not refused; 0: none. Then use that. */
int grow_plan_most(const struct grow_plan *plan);
void grow_plan_use_most(struct grow_plan *plan);
/* Before the action, its parent in `arch`. */
void grow_plan_before(const struct grow_plan *plan, int action, struct arch *arch);
/* The first action that changes the network's function, or -1. */
int grow_plan_inexact(const struct grow_plan *plan);

#endif
