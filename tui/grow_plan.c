/*
 * grow_plan.c - edits a list of actions by the layer at the cursor.
 *
 * Layers have no names that last: an insertion or removal moves those behind it. grow_plan_place() follows the layer at
 * the cursor back through the list. Every edit makes a new list, applies it to the parent, and is kept if that works.
 */
#include "tui/grow_plan.h"

#include <string.h>

/* --- the list --- */

static int apply(const struct grow_plan *plan, int count, struct arch *arch, struct error *error)
{
    *arch = plan->base;
    for (int i = 0; i < count; i++)
        if (action_apply(arch, &plan->actions[i], arch, error))
            return -1;
    return 0;
}

void grow_plan_before(const struct grow_plan *plan, int action, struct arch *arch)
{
    apply(plan, action, arch, NULL); /* it worked when the action was added */
}

/* Keep an edited copy if it can be applied. */
static int keep(struct grow_plan *plan, struct grow_plan *edited, struct error *error)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    if (apply(edited, edited->count, &edited->arch, error) || arch_shapes(&edited->arch, edited->input, shapes, error))
        return -1;
    edited->proposed = false;
    if (edited->cursor >= edited->arch.layer_count)
        edited->cursor = edited->arch.layer_count - 1;
    *plan = *edited;
    return 0;
}

static int add(struct grow_plan *plan, struct action action, struct error *error)
{
    if (plan->count == GROW_ACTIONS_MAX)
        return error_set(error, "a network takes at most %d actions; grow this one first, then go on from it",
                         GROW_ACTIONS_MAX);
    plan->actions[plan->count++] = action;
    return 0;
}

static void drop(struct grow_plan *plan, int index)
{
    memmove(plan->actions + index, plan->actions + index + 1, sizeof *plan->actions * (size_t)(--plan->count - index));
}

struct grow_place grow_plan_place(const struct grow_plan *plan)
{
    struct grow_place place = {-1, -1, -1, {0}};
    struct arch before = plan->base;
    int layer = plan->cursor;
    for (int i = plan->count - 1; i >= 0 && place.inserted < 0; i--) {
        const struct action *action = &plan->actions[i];
        if (action->kind == ACTION_DEEPEN && layer == action->layer + 1)
            place.inserted = i;
        else if (action->kind == ACTION_DEEPEN)
            layer -= layer > action->layer;
        else if (action->kind == ACTION_REMOVE)
            layer += layer >= action->layer;
        else if (layer == action->layer && action->kind != ACTION_SQUEEZE)
            *(action->kind == ACTION_KERNEL ? &place.kernel : &place.width) = i;
    }
    if (place.inserted >= 0)
        grow_plan_before(plan, place.inserted + 1, &before);
    place.before = before.layers[layer];
    return place;
}

/* --- the cursor --- */

static bool grows(const struct grow_plan *plan, int layer)
{
    return layer_grows(&plan->arch.layers[layer]);
}

static void step_cursor(struct grow_plan *plan, int direction)
{
    do
        plan->cursor = (plan->cursor + direction + plan->arch.layer_count) % plan->arch.layer_count;
    while (!grows(plan, plan->cursor)); /* every architecture has a convolution */
}

/* The action to begin with, at the layer of the cursor. */
static void propose(struct grow_plan *plan, enum action_kind kind)
{
    struct error error;
    if (kind == ACTION_DEEPEN)
        grow_plan_insert(plan, &error);
    else
        grow_plan_step_width(plan, 1, &error);
    plan->proposed = plan->count > 0;
}

void grow_plan_begin(struct grow_plan *plan, enum action_kind kind)
{
    plan->arch = plan->base;
    plan->count = 0;
    plan->cursor = plan->arch.layer_count - 1;
    step_cursor(plan, 1);
    propose(plan, kind);
}

/* Take the action to begin with off, and put the cursor where it was before; its kind. */
static enum action_kind take_proposed(struct grow_plan *plan)
{
    enum action_kind kind = plan->actions[0].kind;
    plan->cursor = plan->actions[0].layer;
    plan->arch = plan->base;
    plan->count = 0;
    return kind;
}

void grow_plan_move(struct grow_plan *plan, int direction)
{
    bool proposed = plan->proposed;
    enum action_kind kind = proposed ? take_proposed(plan) : ACTION_WIDEN;
    step_cursor(plan, direction);
    if (proposed)
        propose(plan, kind);
}

void grow_plan_go(struct grow_plan *plan, int layer)
{
    plan->proposed = false;
    if (layer >= 0 && layer < plan->arch.layer_count && grows(plan, layer))
        plan->cursor = layer;
}

/* --- widths and kernels --- */

/* Change an action's value, or add the action; no action where the layer is as it was before. */
static int set(struct grow_plan *plan, int index, struct action action, bool as_before, struct error *error)
{
    struct grow_plan edited = *plan;
    if (index >= 0 && as_before)
        drop(&edited, index);
    else if (index >= 0) {
        action.layer = edited.actions[index].layer;
        edited.actions[index] = action;
    } else if (!as_before && add(&edited, action, error))
        return -1;
    return keep(plan, &edited, error);
}

int grow_plan_width(struct grow_plan *plan, int units, struct error *error)
{
    struct grow_place place = grow_plan_place(plan);
    struct action action = {
        .kind = units > place.before.units ? ACTION_WIDEN : ACTION_NARROW, .layer = plan->cursor, .units = units};
    if (units < 1 || units > ARCH_UNITS_MAX)
        return error_set(error, "a width is from 1 to %d", ARCH_UNITS_MAX);
    return set(plan, place.width, action, units == place.before.units, error);
}

static int width_above(const struct space *space, struct layer layer, int width)
{
    layer.units = width;
    int next = space_wider(space, &layer), last = 0, before = 0;
    if (next)
        return next;
    for (layer.units = 0; (next = space_wider(space, &layer)); layer.units = next) {
        before = last;
        last = next;
    }
    return width + last - before;
}

/* The width before it on the way from the present one, or the space's next narrower one; 0: none. */
static int width_below(const struct space *space, struct layer layer, int width)
{
    int below = layer.units, next;
    if (width > below) {
        while ((next = width_above(space, layer, below)) < width)
            below = next;
        return below;
    }
    layer.units = width;
    return space_narrower(space, &layer);
}

int grow_plan_step_width(struct grow_plan *plan, int direction, struct error *error)
{
    struct grow_place place = grow_plan_place(plan);
    int units = plan->arch.layers[plan->cursor].units;
    do
        units = direction > 0 ? width_above(plan->space, place.before, units)
                              : width_below(plan->space, place.before, units);
    while (units == place.before.units);
    if (units < 1 || units > ARCH_UNITS_MAX)
        return error_set(error, "there is no %s width", direction > 0 ? "larger" : "smaller");
    return grow_plan_width(plan, units, error);
}

static int next_kernel(const struct space *space, int kernel, int direction)
{
    int next = 0;
    for (int i = 0; i < space->kernel_count; i++) {
        int other = space->kernels[direction > 0 ? space->kernel_count - 1 - i : i];
        if (direction > 0 ? other > kernel : other < kernel)
            next = other;
    }
    return next;
}

int grow_plan_step_kernel(struct grow_plan *plan, int direction, struct error *error)
{
    struct grow_place place = grow_plan_place(plan);
    int present = plan->arch.layers[plan->cursor].kernel, kernel = next_kernel(plan->space, present, direction);
    bool inserted = place.inserted >= 0 && place.kernel < 0;
    struct action action = {.kind = ACTION_KERNEL, .layer = plan->cursor, .kernel = kernel};
    if (!present || !kernel)
        return error_set(error, "there is no %s kernel", direction > 0 ? "larger" : "smaller");
    if (!inserted)
        return set(plan, place.kernel, action, kernel == place.before.kernel, error);
    action = plan->actions[place.inserted];
    action.kernel = kernel;
    return set(plan, place.inserted, action, false, error);
}

/* --- layers --- */

int grow_plan_insert(struct grow_plan *plan, struct error *error)
{
    struct grow_plan edited = *plan;
    struct action action = {.kind = ACTION_DEEPEN, .layer = plan->cursor};
    if (space_complete(plan->space, &plan->arch, &action, error) || add(&edited, action, error))
        return -1;
    edited.cursor++;
    return keep(plan, &edited, error);
}

int grow_plan_squeeze(struct grow_plan *plan, struct error *error)
{
    struct grow_plan edited = *plan;
    return add(&edited, (struct action){.kind = ACTION_SQUEEZE, .layer = plan->cursor}, error) ||
                   keep(plan, &edited, error)
               ? -1
               : 0;
}

bool grow_plan_can_squeeze(const struct grow_plan *plan)
{
    const struct layer *layer = &plan->arch.layers[plan->cursor];
    return layer_traits(layer)->features & ~layer->features & LAYER_SQUEEZE;
}

/* An inserted layer goes with its insertion, unless other layers were changed since. */
static int take_out_inserted(struct grow_plan *edited, int inserted, struct error *error)
{
    for (int i = inserted + 1; i < edited->count; i++)
        if (edited->actions[i].layer != edited->actions[inserted].layer + 1 || edited->actions[i].kind == ACTION_DEEPEN)
            return error_set(error, "this layer is new: take back the actions after it first");
    edited->cursor = edited->actions[inserted].layer;
    edited->count = inserted;
    return 0;
}

int grow_plan_remove(struct grow_plan *plan, struct error *error)
{
    struct grow_plan edited = *plan;
    struct grow_place place = grow_plan_place(plan);
    int status = place.inserted >= 0
                     ? take_out_inserted(&edited, place.inserted, error)
                     : add(&edited, (struct action){.kind = ACTION_REMOVE, .layer = plan->cursor}, error);
    if (status || keep(plan, &edited, error))
        return -1;
    if (!grows(plan, plan->cursor))
        step_cursor(plan, -1);
    return 0;
}

bool grow_plan_take_off(struct grow_plan *plan)
{
    if (!plan->count)
        return false;
    const struct action *last = &plan->actions[--plan->count];
    plan->cursor = last->layer;
    plan->proposed = false;
    apply(plan, plan->count, &plan->arch, NULL);
    return true;
}

/* --- limits and the function --- */

bool grow_plan_refusal(const struct grow_plan *plan, struct error *error)
{
    return arch_within(&plan->arch, plan->input, &plan->limits, error) != 0;
}

/* With another value of one action: is it within the limits? */
static bool is_within(const struct grow_plan *plan, int index, int units, int kernel)
{
    struct grow_plan other = *plan;
    other.actions[index].units = units;
    other.actions[index].kernel = kernel;
    return !apply(&other, other.count, &other.arch, NULL) && !grow_plan_refusal(&other, NULL);
}

int grow_plan_most(const struct grow_plan *plan)
{
    struct grow_place place = grow_plan_place(plan);
    int index = place.inserted >= 0 && place.width < 0 ? place.inserted : place.width, most = 0;
    const struct action *action = index >= 0 ? &plan->actions[index] : NULL;
    if (action && action->kind == ACTION_WIDEN)
        for (int units = place.before.units + 1; units < action->units && is_within(plan, index, units, 0); units++)
            most = units; /* cost grows with the width */
    for (int i = 0; action && action->kind == ACTION_DEEPEN && action->kernel && i < plan->space->kernel_count; i++) {
        int kernel = plan->space->kernels[i];
        if (kernel < action->kernel && is_within(plan, index, action->units, kernel))
            most = kernel;
    }
    return most;
}

void grow_plan_use_most(struct grow_plan *plan)
{
    struct grow_place place = grow_plan_place(plan);
    struct error error;
    int most = grow_plan_refusal(plan, &error) ? grow_plan_most(plan) : 0;
    if (most && place.width >= 0)
        grow_plan_width(plan, most, &error);
    else if (most) {
        struct action action = plan->actions[place.inserted];
        action.kernel = most;
        set(plan, place.inserted, action, false, &error);
    }
}

int grow_plan_inexact(const struct grow_plan *plan)
{
    struct arch arch = plan->base;
    for (int i = 0; i < plan->count; i++) {
        if (!action_is_exact(&arch, &plan->actions[i]))
            return i;
        action_apply(&arch, &plan->actions[i], &arch, NULL);
    }
    return -1;
}
