/*
 * overlay_grow.c - widen, narrow and deepen by hand: choose a layer and a width or kernel, see what it costs, queue the
 * network.
 *
 * Widths and kernels are those of the session's search space.  A network over a limit of the search is not queued: the
 * dialog says by how much, and what the most is.  The costs of parent and child come from arch/, the time
 * from the parent's, scaled by FLOPs.  Nothing is changed here: Enter leaves the words `grow N ACTION`.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/space.h"
#include "tui/overlay_kind.h"
#include "util/memory.h"

struct grow {
    struct overlay overlay;
    enum action_kind kind; /* ACTION_WIDEN or ACTION_DEEPEN; a width below the present one is ACTION_NARROW */
    int64_t node, asked;   /* `asked` has no weights: `node` is the nearest above it that has */
    struct arch arch;
    struct shape input;
    const struct space *space;
    struct arch_limits limits;
    struct action action;
};

/* Can the dialog's action be done at this layer? */
static bool offers(const struct grow *grow, int layer)
{
    return layer_grows(&grow->arch.layers[layer]);
}

/* The next width: the space's, or past its widest one by its last step. */
static int width_above(const struct grow *grow, int width)
{
    struct layer layer = grow->arch.layers[grow->action.layer];
    layer.units = width;
    int next = space_wider(grow->space, &layer), last = 0, before = 0;
    if (next)
        return next;
    for (layer.units = 0; (next = space_wider(grow->space, &layer)); layer.units = next) {
        before = last;
        last = next;
    }
    return width + last - before;
}

/* The width before it on the way from the present one, or the space's next narrower one; 0: none. */
static int width_below(const struct grow *grow, int width)
{
    struct layer layer = grow->arch.layers[grow->action.layer];
    int below = layer.units, next;
    if (width > below) {
        while ((next = width_above(grow, below)) < width)
            below = next;
        return below;
    }
    layer.units = width;
    return space_narrower(grow->space, &layer);
}

/* The action at a layer with its first value. */
static void choose_layer(struct grow *grow, int layer)
{
    grow->action = (struct action){.kind = grow->kind, .layer = layer};
    if (grow->kind == ACTION_WIDEN)
        grow->action.units = width_above(grow, grow->arch.layers[layer].units);
    else
        space_complete(grow->space, &grow->arch, &grow->action, NULL);
}

static void step_layer(struct grow *grow, int direction)
{
    int layer = grow->action.layer;
    do
        layer = (layer + direction + grow->arch.layer_count) % grow->arch.layer_count;
    while (!offers(grow, layer));
    choose_layer(grow, layer);
}

static void step_width(struct grow *grow, int direction)
{
    int units = grow->action.units, present = grow->arch.layers[grow->action.layer].units;
    do
        units = direction > 0 ? width_above(grow, units) : width_below(grow, units);
    while (units == present);
    if (units < 1 || units > ARCH_UNITS_MAX)
        return;
    grow->action.units = units;
    grow->action.kind = units > present ? ACTION_WIDEN : ACTION_NARROW;
}

static void step_kernel(struct grow *grow, int direction)
{
    const struct space *space = grow->space;
    int i = 0;
    while (i < space->kernel_count && space->kernels[i] != grow->action.kernel)
        i++;
    i += direction;
    if (grow->action.kernel && i >= 0 && i < space->kernel_count)
        grow->action.kernel = space->kernels[i];
}

static void step_value(struct grow *grow, int direction)
{
    if (grow->kind == ACTION_WIDEN)
        step_width(grow, direction);
    else
        step_kernel(grow, direction);
}

/* --- the limits of the search --- */

static int64_t limit_of(const struct session_state *state, const char *name)
{
    const char *text = session_option(state, name);
    int64_t value;
    return text && !text_to_size(text, &value) ? value : 0; /* `auto` of a search that sets none */
}

static struct arch_limits limits_of(const struct session_state *state)
{
    return (struct arch_limits){.depth = limit_of(state, "limit-depth"),
                                .parameters = limit_of(state, "limit-params"),
                                .flops = limit_of(state, "limit-flops"),
                                .memory = limit_of(state, "limit-memory"),
                                .batch = (int)limit_of(state, "batch")};
}

/* 0: the action leads to a network within the limits. */
static int check_action(const struct grow *grow, const struct action *action, struct error *error)
{
    struct arch child;
    return action_apply(&grow->arch, action, &child, error) ||
                   arch_within(&child, grow->input, &grow->limits, error)
               ? -1
               : 0;
}

/* The largest width or kernel below the chosen one that the limits allow; 0: none. */
static int most_within(const struct grow *grow)
{
    struct action action = grow->action;
    int most = 0;
    if (action.kind == ACTION_WIDEN)
        for (action.units = grow->arch.layers[action.layer].units + 1; action.units < grow->action.units;
             action.units++) {
            if (check_action(grow, &action, NULL))
                break; /* cost grows with the width */
            most = action.units;
        }
    for (int i = 0; action.kind == ACTION_DEEPEN && action.kernel && i < grow->space->kernel_count; i++) {
        action.kernel = grow->space->kernels[i];
        if (action.kernel < grow->action.kernel && !check_action(grow, &action, NULL))
            most = action.kernel;
    }
    return most;
}

static void choose_most(struct grow *grow)
{
    struct error error;
    int most = check_action(grow, &grow->action, &error) ? most_within(grow) : 0;
    if (most && grow->kind == ACTION_WIDEN)
        grow->action.units = most;
    else if (most)
        grow->action.kernel = most;
}

/* Why the network would be refused.  False: it would not. */
static bool refusal(const struct grow *grow, struct error *error)
{
    int most;
    if (!check_action(grow, &grow->action, error))
        return false;
    error->text[strcspn(error->text, ";")] = '\0'; /* the advice is about options */
    size_t length = strlen(error->text);
    if ((most = most_within(grow)))
        snprintf(error->text + length, sizeof error->text - length, "; the most is %d%s", most,
                 grow->kind == ACTION_WIDEN ? "" : grow->action.kernel ? " for the kernel" : "");
    return true;
}

static int64_t known_as(const struct model *model, const struct arch *arch)
{
    struct text text = TEXT_EMPTY;
    int64_t found = 0;
    arch_print(arch, &text);
    for (int64_t i = 1; i <= model->state->node_count && !found; i++)
        if (!strcmp(session_node(model->state, i)->facts.arch, text_string(&text)))
            found = i;
    text_done(&text);
    return found;
}

static void draw_cost(struct canvas *canvas, struct area inside, int row, const char *what,
                       char *(*print)(char buffer[TEXT_SHORT], double value), int64_t now, int64_t after)
{
    char a[TEXT_SHORT], b[TEXT_SHORT], c[TEXT_SHORT];
    double before = (double)now, more = (double)after - before;
    canvas_text(canvas, inside, 1, row, STYLE_DIM, "%s", what);
    canvas_text(canvas, inside, 14, row, STYLE_NORMAL, "%8s  %8s  %c%s (%+.0f %%)", print(a, before),
                print(b, (double)after), more < 0 ? '-' : '+', print(c, fabs(more)), 100 * more / before);
}

static void draw_time(struct canvas *canvas, struct area inside, int row, const struct session_node *node, double ratio)
{
    char a[TEXT_SHORT], b[TEXT_SHORT];
    canvas_text(canvas, inside, 1, row, STYLE_DIM, "est. time");
    if (node->status == NODE_DONE && node->curve_count)
        canvas_text(canvas, inside, 14, row, STYLE_NORMAL, "%8s  %8s  for %d epoch%s", text_duration(a, node->seconds),
                    text_duration(b, node->seconds * ratio), node->curve_count, node->curve_count == 1 ? "" : "s");
    else
        canvas_text(canvas, inside, 14, row, STYLE_DIM, "not known before the parent is trained");
}

/* In the last line, over what stands there when the dialog is low. */
static void draw_keys(const struct model *model, struct canvas *canvas, struct area inside, const char *choices,
                      bool most)
{
    struct area line = area_part(inside, 0, inside.height - 1, inside.width, 1);
    bool preview = model->mode == MODE_REPLAY;
    canvas_fill(canvas, line, ' ', STYLE_DIALOG);
    canvas_text(canvas, line, 1, 0, STYLE_KEY, "%s←→ %s%s   Escape %s", preview ? "" : "Enter queue   ", choices,
                most ? "   m most" : "", preview ? "close" : "cancel");
}

static void draw_grow(struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    const struct grow *grow = (const struct grow *)overlay;
    const struct session_node *node = session_node(model->state, grow->node);
    bool widen = grow->kind == ACTION_WIDEN;
    bool narrow = grow->action.kind == ACTION_NARROW;
    const char *does = narrow ? "Narrow" : widen ? "Widen" : "Deepen";
    char title[64], name[LAYER_NAME_MAX];
    if (grow->asked == grow->node)
        snprintf(title, sizeof title, " %s n%lld ", does, (long long)grow->node);
    else
        snprintf(title, sizeof title, " %s n%lld ─ n%lld has no weights yet ", does, (long long)grow->node,
                 (long long)grow->asked);
    struct area inside = overlay_box(canvas, 66, 14, title);
    layer_name(&grow->arch, grow->action.layer, name);
    const struct layer *at = &grow->arch.layers[grow->action.layer];
    const struct layer_traits *traits = layer_traits(at);
    int x = canvas_text(canvas, inside, 1, 0, STYLE_DIM, widen ? "layer  " : "after  ");
    canvas_text(canvas, inside, x, 0, STYLE_KEY, "◂ %s ▸", name);
    if (widen)
        canvas_text(canvas, inside, 24, 0, STYLE_NORMAL, "width  %d → [ %d ]", at->units, grow->action.units);
    else if (grow->action.block)
        canvas_text(canvas, inside, 24, 0, STYLE_NORMAL, "new %s  [ %d×%d ]  of %d %s",
                    layer_kind_traits(grow->action.block)->symbol, grow->action.kernel, grow->action.kernel,
                    grow->action.units, layer_kind_traits(grow->action.block)->counts);
    else if (traits->has_kernel)
        canvas_text(canvas, inside, 24, 0, STYLE_NORMAL, "new %s  [ %d×%d ]  of %d %s", traits->noun,
                    grow->action.kernel, grow->action.kernel, at->units, traits->counts);
    else
        canvas_text(canvas, inside, 24, 0, STYLE_NORMAL, "new %s of %d %s", traits->noun, at->units, traits->counts);
    struct arch child;
    struct shape shapes[ARCH_LAYERS_MAX];
    struct error error = {{0}};
    if (action_apply(&grow->arch, &grow->action, &child, &error) || arch_shapes(&child, grow->input, shapes, &error)) {
        canvas_text(canvas, inside, 1, 2, STYLE_FAILED, "%s", error.text);
        return;
    }
    struct arch_cost now = arch_cost(&grow->arch, grow->input), after = arch_cost(&child, grow->input);
    int64_t duplicate = known_as(model, &child);
    canvas_text(canvas, inside, 14, 2, STYLE_DIM, "     now     after  change");
    draw_cost(canvas, inside, 3, "parameters", text_count, now.parameters, after.parameters);
    draw_cost(canvas, inside, 4, "FLOPs", text_count, now.flops, after.flops);
    draw_cost(canvas, inside, 5, "activations", text_bytes, now.activation_bytes, after.activation_bytes);
    draw_time(canvas, inside, 6, node, (double)after.flops / (double)now.flops);
    canvas_text(canvas, inside, 1, 7, STYLE_DIM, "weights");
    if (narrow)
        canvas_text(canvas, inside, 14, 7, STYLE_WARNING, "changed: the child starts below its parent's %.2f %%",
                    100 * node->accuracy);
    else
        canvas_text(canvas, inside, 14, 7, STYLE_NORMAL, "kept: the child starts near %.2f %%", 100 * node->accuracy);
    canvas_text(canvas, inside, 1, 8, STYLE_DIM, "duplicate");
    canvas_text(canvas, inside, 14, 8, duplicate ? STYLE_WARNING : STYLE_NORMAL,
                duplicate ? "n%lld is this network already" : "none", (long long)duplicate);
    bool refused = refusal(grow, &error);
    canvas_text(canvas, inside, 1, 9, STYLE_DIM, "limits");
    canvas_words(canvas, area_part(inside, 14, 0, inside.width - 15, inside.height), 9,
                 refused ? STYLE_FAILED : STYLE_NORMAL, refused ? error.text : "within");
    draw_keys(model, canvas, inside, widen ? "layer   ↑↓ width" : "place   ↑↓ kernel",
              refused && most_within(grow));
}

static enum overlay_answer key_grow(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    struct grow *grow = (struct grow *)overlay;
    struct error error;
    switch (key) {
    case KEY_CODE_LEFT:
    case 'h':
        step_layer(grow, -1);
        return OVERLAY_OPEN;
    case KEY_CODE_RIGHT:
    case 'l':
    case KEY_CODE_TAB:
        step_layer(grow, 1);
        return OVERLAY_OPEN;
    case KEY_CODE_UP:
    case 'k':
    case '+':
        step_value(grow, 1);
        return OVERLAY_OPEN;
    case KEY_CODE_DOWN:
    case 'j':
    case '-':
        step_value(grow, -1);
        return OVERLAY_OPEN;
    case 'm':
        choose_most(grow);
        return OVERLAY_OPEN;
    case KEY_CODE_ENTER:
        if (refusal(grow, &error)) {
            model_say(model, "not queued: %s", error.text);
            return OVERLAY_OPEN;
        }
        text_add(words, "grow %lld ", (long long)grow->node);
        action_print(&grow->arch, &grow->action, words);
        return OVERLAY_COMMAND;
    case KEY_CODE_ESCAPE:
    case 'q':
        return OVERLAY_CLOSED;
    default:
        return OVERLAY_OPEN;
    }
}

/* The network itself or the nearest above it that is trained; NULL: none is. */
static const struct session_node *trained(const struct session_state *state, int64_t number)
{
    const struct session_node *node = session_node(state, number);
    while (node && node->status != NODE_DONE)
        node = session_node(state, node->facts.parent);
    return node;
}

static struct overlay *grow_new(struct model *model, int64_t asked, enum action_kind kind)
{
    static const struct overlay_kind table = {.draw = draw_grow, .key = key_grow};
    const struct session_node *node = trained(model->state, asked);
    int64_t number = node ? node->facts.node : 0;
    const char *widths = session_option(model->state, "widths"), *space = session_option(model->state, "space");
    struct error error = {{0}};
    if (!node) {
        model_say(model, "neither n%lld nor any network above it is trained yet",
                  (long long)asked);
        return NULL;
    }
    struct grow *grow = memory_new(1, sizeof *grow);
    grow->overlay.kind = &table;
    grow->kind = kind;
    grow->node = number;
    grow->asked = asked;
    grow->space = space_find(space && !strcmp(space, "modern") ? space : widths ? widths : "small");
    grow->limits = limits_of(model->state);
    bool readable = grow->space && !arch_parse(&grow->arch, node->facts.arch, &error) &&
                    sscanf(model->state->facts.input, "%d,%d,%d", &grow->input.channels, &grow->input.height,
                           &grow->input.width) == 3;
    if (!readable) {
        model_say(model, "n%lld can't be grown: %s", (long long)number, error.text);
        overlay_free(&grow->overlay);
        return NULL;
    }
    int layer = 0; /* every architecture has a convolution */
    while (!offers(grow, layer))
        layer++;
    choose_layer(grow, layer);
    return &grow->overlay;
}

struct overlay *overlay_widen(struct model *model, int64_t node)
{
    return grow_new(model, node, ACTION_WIDEN);
}

struct overlay *overlay_deepen(struct model *model, int64_t node)
{
    return grow_new(model, node, ACTION_DEEPEN);
}
