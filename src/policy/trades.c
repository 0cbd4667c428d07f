/* trades.c - see trades.h: every action that makes room, and what can grow into it. */
#include "policy/trades.h"

#include "policy/growth.h"
#include "util/bug.h"

enum { ACTIONS_MAX = 4096 };
enum { LITTLE = 200 };      /* this share of a limit is little room */
enum { SQUEEZE_SHARE = 4 }; /* one of so many proposals inserts se */

struct action_list {
    int count;
    struct action items[ACTIONS_MAX];
};

static void add(struct action_list *list, struct action action)
{
    if (list->count < ACTIONS_MAX)
        list->items[list->count++] = action;
}

/* --- making room --- */

/* The next narrower width, and all others down to half of what the layer has. */
static void add_narrower(const struct space *space, const struct arch *arch, int layer, struct action_list *rooms)
{
    struct layer at = arch->layers[layer];
    int half = at.units / 2;
    for (bool first = true; (at.units = space_narrower(space, &at)) && (first || at.units >= half); first = false)
        add(rooms, (struct action){.kind = ACTION_NARROW, .layer = layer, .units = at.units});
}

static void find_rooms(const struct policy_options *options, const struct arch *arch, struct action_list *rooms)
{
    const struct space *space = options->space;
    rooms->count = 0;
    for (int layer = 0; layer < arch->layer_count; layer++) {
        if (!layer_grows(&arch->layers[layer]))
            continue;
        add_narrower(space, arch, layer, rooms);
        for (int k = 0; k < space->kernel_count && space->kernels[k] < arch->layers[layer].kernel; k++)
            add(rooms, (struct action){.kind = ACTION_KERNEL, .layer = layer, .kernel = space->kernels[k]});
        const struct action removal = {.kind = ACTION_REMOVE, .layer = layer};
        if (action_apply(arch, &removal, &(struct arch){0}, NULL) == 0)
            add(rooms, removal);
    }
}

/* --- growing into it --- */

/* Is it too large even for slightly larger limits?  A trade for a unit or two isn't worth its training. */
static bool is_too_large(const struct policy_options *options, const struct arch *arch, struct action action)
{
    struct policy_options larger = *options;
    larger.limits.parameters += larger.limits.parameters / LITTLE;
    larger.limits.flops += larger.limits.flops / LITTLE;
    larger.limits.memory += larger.limits.memory / LITTLE;
    return !growth_fits(&larger, arch, action);
}

/* Add what fits in `arch` but not in `before` (NULL: whatever fits).  `room`: what led from one to the other. */
static void try_growth(const struct policy_options *options, const struct arch *before, const struct action *room,
                       const struct arch *arch, struct action action, struct action_list *growths)
{
    bool undoes = room->layer == action.layer && ((room->kind == ACTION_NARROW && action.kind == ACTION_WIDEN) ||
                                                  (room->kind == ACTION_KERNEL && action.kind == ACTION_KERNEL));
    struct action earlier = action;
    earlier.layer += room->kind == ACTION_REMOVE && action.layer >= room->layer;
    if (!undoes && growth_fits(options, arch, action) && (!before || is_too_large(options, before, earlier)))
        add(growths, action);
}

/* Add each insertion of se that fits in `arch` (as for try_growth()). */
static void find_squeezes(const struct policy_options *options, const struct arch *before, const struct action *room,
                          const struct arch *arch, struct action_list *growths)
{
    for (int layer = 0; options->space->modern && layer < arch->layer_count; layer++)
        if (layer_traits(&arch->layers[layer])->features & ~arch->layers[layer].features & LAYER_SQUEEZE)
            try_growth(options, before, room, arch, (struct action){.kind = ACTION_SQUEEZE, .layer = layer}, growths);
}

static void find_growths(const struct policy_options *options, const struct arch *before, const struct action *room,
                         const struct arch *arch, struct action_list *growths)
{
    const struct space *space = options->space;
    growths->count = 0;
    for (int layer = 0; layer < arch->layer_count; layer++) {
        const struct layer *at = &arch->layers[layer];
        int units = space_wider(space, at), kernels = layer_traits(at)->has_kernel ? space->kernel_count : 1;
        if (!layer_grows(at))
            continue;
        if (options->wider_decisions && units)
            try_growth(options, before, room, arch, growth_widen(layer, units), growths);
        for (int k = 0; options->deeper_decisions && k < kernels; k++)
            try_growth(options, before, room, arch, space_deepen(space, arch, layer, space->kernels[k]), growths);
        for (int k = 0; k < space->kernel_count && layer_traits(at)->has_kernel; k++)
            if (space->kernels[k] > at->kernel)
                try_growth(options, before, room, arch,
                           (struct action){.kind = ACTION_KERNEL, .layer = layer, .kernel = space->kernels[k]},
                           growths);
    }
    find_squeezes(options, before, room, arch, growths);
}

/* One kind of those in the list, then one action of this kind: there are more ways to insert than to widen. */
static struct action draw_growth(const struct action_list *growths, struct random_stream *stream)
{
    int counts[ACTION_KINDS] = {0}, kinds = 0;
    for (int i = 0; i < growths->count; i++)
        kinds += counts[growths->items[i].kind]++ == 0;
    int kind = 0, skip = (int)random_below(stream, (uint32_t)kinds);
    while (!counts[kind] || skip-- > 0)
        kind++;
    int number = (int)random_below(stream, (uint32_t)counts[kind]);
    for (int i = 0;; i++)
        if (growths->items[i].kind == (enum action_kind)kind && number-- == 0)
            return growths->items[i];
}

/* --- trades --- */

/* Does the growth lead back to the parent?  Then it is no trade. */
static bool leads_back(const struct arch *parent, const struct arch *smaller, const struct action *growth)
{
    struct arch child;
    return action_apply(smaller, growth, &child, NULL) == 0 && arch_equal(&child, parent);
}

/* What can grow after `room` that couldn't before.  `smaller`: the network in between. */
static bool find_trade(const struct policy_options *options, const struct arch *parent, const struct action *room,
                       struct arch *smaller, struct action_list *growths)
{
    int kept = 0;
    if (action_apply(parent, room, smaller, NULL) ||
        arch_shapes(smaller, options->input, (struct shape[ARCH_LAYERS_MAX]){{0}}, NULL))
        return false;
    find_growths(options, parent, room, smaller, growths);
    for (int i = 0; i < growths->count; i++)
        if (!leads_back(parent, smaller, &growths->items[i]))
            growths->items[kept++] = growths->items[i];
    growths->count = kept;
    return kept > 0;
}

bool trades_possible(const struct policy_options *options, const struct arch *arch)
{
    struct action_list rooms, growths;
    struct arch smaller;
    find_rooms(options, arch, &rooms);
    for (int i = 0; i < rooms.count; i++)
        if (find_trade(options, arch, &rooms.items[i], &smaller, &growths))
            return true;
    return false;
}

static void take(const struct policy_options *options, struct arch *arch, struct action action,
                 struct proposal *proposal)
{
    if (action_apply(arch, &action, arch, NULL))
        BUG("an action of a trade can't be applied");
    proposal->actions[proposal->count++] = (struct proposed_action){
        .action = action, .step = options->wider_decisions + options->deeper_decisions, .probability = 1};
}

static void draw_trade(const struct policy_options *options, const struct arch *parent, struct random_stream *stream,
                       struct proposal *proposal)
{
    struct action_list rooms, growths;
    struct arch arch;
    find_rooms(options, parent, &rooms);
    while (rooms.count) {
        int chosen = (int)random_below(stream, (uint32_t)rooms.count);
        if (rooms.items[chosen].kind != ACTION_NARROW) /* a narrower layer loses less accuracy: draw once more */
            chosen = (int)random_below(stream, (uint32_t)rooms.count);
        const struct action room = rooms.items[chosen];
        rooms.items[chosen] = rooms.items[--rooms.count];
        if (!find_trade(options, parent, &room, &arch, &growths))
            continue;
        struct action growth = draw_growth(&growths, stream);
        arch = *parent;
        take(options, &arch, room, proposal);
        take(options, &arch, growth, proposal);
        for (int count = 1; count < TRADE_GROWTHS_MAX && random_below(stream, 2); count++) {
            /* An insertion may move the narrowed layer to another index: it is the last growth. */
            if (growth.kind == ACTION_DEEPEN)
                break;
            find_growths(options, NULL, &room, &arch, &growths);
            if (!growths.count)
                break;
            growth = draw_growth(&growths, stream);
            take(options, &arch, growth, proposal);
        }
        return;
    }
}

/* Add an insertion of se behind the decisions, if one fits. */
static void draw_squeeze(const struct policy_options *options, struct arch *arch, struct random_stream *stream,
                         struct proposal *proposal)
{
    const struct action none = {.kind = ACTION_KINDS};
    struct action_list squeezes = {0};
    find_squeezes(options, NULL, &none, arch, &squeezes);
    if (squeezes.count)
        take(options, arch, squeezes.items[random_below(stream, (uint32_t)squeezes.count)], proposal);
}

/* Do the limits keep at least half of the layers from widening that the space would let? */
static bool is_limited(const struct policy_options *options, const struct arch *arch)
{
    int wider = 0, fit = 0;
    for (int layer = 0; layer < arch->layer_count; layer++) {
        wider += space_wider(options->space, &arch->layers[layer]) != 0;
        fit += growth_wider(options, arch, layer) != 0;
    }
    return wider && 2 * fit <= wider;
}

void trades_add(const struct policy_options *options, const struct proposal_request *request, struct proposal *proposal)
{
    struct arch arch;
    if (!options->trades || proposal->count > PROPOSAL_ACTIONS_MAX - 1 - TRADE_GROWTHS_MAX)
        return;
    bool limited = is_limited(options, request->parent), trade = !proposal->count;
    if (!trade && limited)
        trade = !random_below(request->stream, 2);
    bool squeeze = !trade && options->space->modern && !random_below(request->stream, SQUEEZE_SHARE);
    if (!trade && !squeeze)
        return;
    if (proposal_apply(request->parent, proposal, &arch, NULL))
        BUG("a sampled proposal can't be applied");
    if (squeeze)
        draw_squeeze(options, &arch, request->stream, proposal);
    else
        draw_trade(options, &arch, request->stream, proposal);
}

bool trades_begins(const struct policy_options *options, const struct proposal *proposal, int index)
{
    const struct proposed_action *first = &proposal->actions[index];
    bool makes_room = first->action.kind != ACTION_WIDEN && first->action.kind != ACTION_DEEPEN;
    return makes_room && first->step == options->wider_decisions + options->deeper_decisions;
}
