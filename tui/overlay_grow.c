/*
 * overlay_grow.c - puts together a child of a network by hand: layer by layer on the chart, with its price.
 *
 * The actions are a grow_plan's. Widths and kernels that the arrows offer are those of the session's search space; a
 * width can be typed too. What it costs comes from arch/, the time from the parent's, scaled by FLOPs. A network over a
 * limit of the search is not queued: the dialog says by how much, and what the most is. Nothing is changed here: Enter
 * leaves the words `grow N ACTION...`.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "tui/grow_plan.h"
#include "tui/layer_chart.h"
#include "tui/overlay_kind.h"
#include "util/memory.h"

struct grow {
    struct overlay overlay;
    int64_t node, asked; /* `asked` has no weights: `node` is the nearest above it that has */
    struct grow_plan plan;
    int typed;         /* the width that is being typed; 0: none */
    struct area chart; /* where it was drawn last */
};

enum { WIDTH = 76, HEIGHT = 22, CHART = 5, VALUES = 14 /* the column of the values */ };

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
    canvas_text(canvas, inside, VALUES, row, STYLE_NORMAL, "%8s  %8s  %c%s (%+.0f %%)", print(a, before),
                print(b, (double)after), more < 0 ? '-' : '+', print(c, fabs(more)), 100 * more / before);
}

static void draw_time(struct canvas *canvas, struct area inside, int row, const struct session_node *node, double ratio)
{
    char a[TEXT_SHORT], b[TEXT_SHORT];
    canvas_text(canvas, inside, 1, row, STYLE_DIM, "est. time");
    if (node->status == NODE_DONE && node->curve_count)
        canvas_text(canvas, inside, VALUES, row, STYLE_NORMAL, "%8s  %8s  for %d epoch%s",
                    text_duration(a, node->seconds), text_duration(b, node->seconds * ratio), node->curve_count,
                    node->curve_count == 1 ? "" : "s");
    else
        canvas_text(canvas, inside, VALUES, row, STYLE_DIM, "not known before the parent is trained");
}

/* In the last two lines, over what stands there when the dialog is low. */
static void draw_keys(const struct model *model, struct canvas *canvas, struct area inside, bool most, bool squeeze)
{
    struct area lines = area_part(inside, 0, inside.height - 2, inside.width, 2);
    bool preview = model->mode == MODE_REPLAY;
    canvas_fill(canvas, lines, ' ', STYLE_DIALOG);
    canvas_text(canvas, lines, 1, 0, STYLE_KEY, "%s←→ layer   ↑↓ value   0-9 type a width%s",
                preview ? "" : "Enter queue   ", most ? "   m most" : "");
    canvas_text(canvas, lines, 1, 1, STYLE_KEY, "i insert   x remove   [ ] kernel   %su take off   Escape %s",
                squeeze ? "s se   " : "", preview ? "close" : "cancel");
}

static const char *does(const struct action *action)
{
    static const char *const words[ACTION_KINDS] = {[ACTION_WIDEN] = "Widen",
                                                    [ACTION_DEEPEN] = "Deepen",
                                                    [ACTION_NARROW] = "Narrow",
                                                    [ACTION_REMOVE] = "Remove a layer of",
                                                    [ACTION_KERNEL] = "Change a kernel of",
                                                    [ACTION_SQUEEZE] = "Squeeze-and-excitation in"};
    return words[action->kind];
}

static void title_of(const struct grow *grow, char title[80])
{
    char asked[40] = "";
    const char *what = grow->plan.count == 1 ? does(&grow->plan.actions[0]) : "Grow";
    if (grow->asked != grow->node)
        snprintf(asked, sizeof asked, "─ n%lld has no weights yet ", (long long)grow->asked);
    snprintf(title, 80, " %s n%lld %s", what, (long long)grow->node, asked);
}

/* The layer at the cursor, and what is done to it. */
static void draw_layer(const struct grow_plan *plan, struct canvas *canvas, struct area inside)
{
    enum { VALUE = 24 };
    struct grow_place place = grow_plan_place(plan);
    bool is_new = place.inserted >= 0;
    const struct layer *layer = &plan->arch.layers[plan->cursor];
    const struct layer_traits *traits = layer_traits(layer);
    char name[LAYER_NAME_MAX];
    layer_name(&plan->arch, plan->cursor - is_new, name);
    int x = canvas_text(canvas, inside, 1, 0, STYLE_DIM, is_new ? "after  " : "layer  ");
    canvas_text(canvas, inside, x, 0, STYLE_KEY, "◂ %s ▸", name);
    if (is_new) {
        bool block = plan->actions[place.inserted].block != 0;
        x = canvas_text(canvas, inside, VALUE, 0, STYLE_NORMAL, "new %s", block ? traits->symbol : traits->noun);
        if (layer->kernel)
            x = canvas_text(canvas, inside, x, 0, STYLE_NORMAL, "  [ %d×%d ] ", layer->kernel, layer->kernel);
        canvas_text(canvas, inside, x, 0, STYLE_NORMAL, " of %d %s", layer->units, traits->counts);
        return;
    }
    x = place.width >= 0 ? canvas_text(canvas, inside, VALUE, 0, STYLE_NORMAL, "width  %d → [ %d ]", place.before.units,
                                       layer->units)
                         : canvas_text(canvas, inside, VALUE, 0, STYLE_NORMAL, "width  %d", layer->units);
    if (place.kernel >= 0)
        x = canvas_text(canvas, inside, x + 3, 0, STYLE_NORMAL, "kernel  %d → [ %d ]", place.before.kernel,
                        layer->kernel);
    if (layer->features & LAYER_SQUEEZE)
        canvas_text(canvas, inside, x + 3, 0, STYLE_NORMAL, "se");
}

static void draw_chart(struct grow *grow, struct canvas *canvas, struct area area)
{
    struct layer_chart chart = {.readable = true, .arch = grow->plan.arch, .input = grow->plan.input};
    struct arch arch = grow->plan.base;
    for (int i = 0; i < grow->plan.count; i++)
        lineage_follow(&chart.edge, &arch, &grow->plan.actions[i]);
    chart.cursor = grow->plan.cursor + 1;
    grow->chart = area;
    layer_chart_draw(&chart, canvas, area, CHART);
}

/* All actions; those that change the function are marked. */
static void draw_actions(const struct grow_plan *plan, struct canvas *canvas, struct area inside, int row)
{
    struct arch arch = plan->base;
    int x = VALUES, end = inside.width - 1;
    canvas_text(canvas, inside, 1, row, STYLE_DIM, "actions");
    if (!plan->count)
        canvas_text(canvas, inside, x, row, STYLE_DIM, "none yet: nothing is changed");
    for (int i = 0; i < plan->count; i++) {
        struct text text = TEXT_EMPTY;
        bool exact = action_is_exact(&arch, &plan->actions[i]);
        action_show(&arch, &plan->actions[i], canvas->unicode, &text);
        text_add(&text, "%s", exact ? "" : " !");
        int more = i + 1 < plan->count ? 12 : 0; /* room for how many more there are */
        if (x + canvas_columns(text_string(&text)) > end - more) {
            canvas_text(canvas, inside, x, row, STYLE_DIM, "and %d more", plan->count - i);
            text_done(&text);
            return;
        }
        x = canvas_text(canvas, inside, x, row, exact ? STYLE_NORMAL : STYLE_WARNING, "%s", text_string(&text)) + 2;
        action_apply(&arch, &plan->actions[i], &arch, NULL);
        text_done(&text);
    }
}

static void draw_weights(const struct grow_plan *plan, const struct session_node *node, struct canvas *canvas,
                         struct area inside, int row)
{
    int inexact = grow_plan_inexact(plan);
    canvas_text(canvas, inside, 1, row, STYLE_DIM, "weights");
    if (inexact < 0)
        canvas_text(canvas, inside, VALUES, row, STYLE_NORMAL, "kept: the child starts near %.2f %%",
                    100 * node->accuracy);
    else
        canvas_text(canvas, inside, VALUES, row, STYLE_WARNING, "changed: the child starts below its parent's %.2f %%",
                    100 * node->accuracy);
}

/* The refusal, with the largest value that would not be refused. */
static bool refusal(const struct grow_plan *plan, struct error *error)
{
    if (!grow_plan_refusal(plan, error))
        return false;
    int most = grow_plan_most(plan);
    error->text[strcspn(error->text, ";")] = '\0'; /* the advice is about options */
    size_t length = strlen(error->text);
    if (most)
        snprintf(error->text + length, sizeof error->text - length, "; the most is %d%s", most,
                 grow_plan_place(plan).width >= 0 ? "" : " for the kernel");
    return true;
}

static void draw_price(const struct grow_plan *plan, const struct session_node *node, const struct model *model,
                       struct canvas *canvas, struct area inside)
{
    struct error error;
    struct arch_cost now = arch_cost(&plan->base, plan->input), after = arch_cost(&plan->arch, plan->input);
    int64_t duplicate = known_as(model, &plan->arch);
    canvas_text(canvas, inside, VALUES, 0, STYLE_DIM, "     now     after  change");
    draw_cost(canvas, inside, 1, "parameters", text_count, now.parameters, after.parameters);
    draw_cost(canvas, inside, 2, "FLOPs", text_count, now.flops, after.flops);
    draw_cost(canvas, inside, 3, "activations", text_bytes, now.activation_bytes, after.activation_bytes);
    draw_time(canvas, inside, 4, node, (double)after.flops / (double)now.flops);
    draw_weights(plan, node, canvas, inside, 5);
    canvas_text(canvas, inside, 1, 6, STYLE_DIM, "duplicate");
    canvas_text(canvas, inside, VALUES, 6, duplicate ? STYLE_WARNING : STYLE_NORMAL,
                duplicate ? "n%lld is this network already" : "none", (long long)duplicate);
    bool refused = refusal(plan, &error);
    canvas_text(canvas, inside, 1, 7, STYLE_DIM, "limits");
    canvas_words(canvas, area_part(inside, VALUES, 0, inside.width - VALUES - 1, inside.height), 7,
                 refused ? STYLE_FAILED : STYLE_NORMAL, refused ? error.text : "within");
}

static void draw_grow(struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    struct grow *grow = (struct grow *)overlay;
    const struct session_node *node = session_node(model->state, grow->node);
    char title[80];
    struct error error;
    title_of(grow, title);
    struct area inside = overlay_box(canvas, WIDTH, HEIGHT, title);
    int chart = inside.height >= HEIGHT - 2 ? CHART : 0; /* a low screen shows the price */
    draw_layer(&grow->plan, canvas, inside);
    draw_chart(grow, canvas, area_part(inside, 1, 2, inside.width - 2, chart));
    draw_actions(&grow->plan, canvas, inside, chart ? chart + 3 : 1);
    draw_price(&grow->plan, node, model, canvas,
               area_part(inside, 0, chart ? chart + 4 : 2, inside.width, inside.height));
    draw_keys(model, canvas, inside, grow_plan_refusal(&grow->plan, &error) && grow_plan_most(&grow->plan),
              grow_plan_can_squeeze(&grow->plan));
}

/* --- keys --- */

static enum overlay_answer queue(const struct grow *grow, struct model *model, struct text *words)
{
    const struct grow_plan *plan = &grow->plan;
    struct arch arch = plan->base;
    struct error error;
    if (!plan->count || refusal(plan, &error)) {
        model_say(model, "not queued: %s", plan->count ? error.text : "no action is chosen");
        return OVERLAY_OPEN;
    }
    text_add(words, "grow %lld", (long long)grow->node);
    for (int i = 0; i < plan->count; i++) {
        text_add(words, " ");
        action_print(&arch, &plan->actions[i], words);
        action_apply(&arch, &plan->actions[i], &arch, NULL);
    }
    return OVERLAY_COMMAND;
}

/* The value that the arrows change: the kernel of a new layer, else the width. */
static int step_value(struct grow_plan *plan, int direction, struct error *error)
{
    bool is_new = grow_plan_place(plan).inserted >= 0;
    if (is_new && plan->arch.layers[plan->cursor].kernel)
        return grow_plan_step_kernel(plan, direction, error);
    return grow_plan_step_width(plan, direction, error);
}

static int type_width(struct grow *grow, int digit, struct error *error)
{
    grow->typed = grow->typed > ARCH_UNITS_MAX ? digit : 10 * grow->typed + digit;
    return grow->typed ? grow_plan_width(&grow->plan, grow->typed, error) : 0;
}

/* One key of those that change the plan: 0, or -1 with the reason why it did not. */
static int edit(struct grow *grow, int key, struct error *error)
{
    struct grow_plan *plan = &grow->plan;
    if (key >= '0' && key <= '9')
        return type_width(grow, key - '0', error);
    if (key == KEY_CODE_BACKSPACE && grow->typed >= 10)
        return grow_plan_width(plan, grow->typed /= 10, error);
    grow->typed = 0;
    switch (key) {
    case KEY_CODE_LEFT:
    case 'h':
        grow_plan_move(plan, -1);
        return 0;
    case KEY_CODE_RIGHT:
    case 'l':
    case KEY_CODE_TAB:
        grow_plan_move(plan, 1);
        return 0;
    case KEY_CODE_UP:
    case 'k':
    case '+':
        return step_value(plan, 1, error);
    case KEY_CODE_DOWN:
    case 'j':
    case '-':
        return step_value(plan, -1, error);
    case 'w':
        return grow_plan_step_width(plan, 1, error);
    case ']':
        return grow_plan_step_kernel(plan, 1, error);
    case '[':
        return grow_plan_step_kernel(plan, -1, error);
    case 'i':
    case 'd':
        return grow_plan_insert(plan, error);
    case 'x':
        return grow_plan_remove(plan, error);
    case 's':
        return grow_plan_squeeze(plan, error);
    case 'm':
        grow_plan_use_most(plan);
        return 0;
    case 'u':
    case KEY_CODE_BACKSPACE:
        return grow_plan_take_off(plan) ? 0 : error_set(error, "no action is there to take off");
    default:
        return 0;
    }
}

static enum overlay_answer key_grow(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    struct grow *grow = (struct grow *)overlay;
    struct error error;
    if (key == KEY_CODE_ENTER)
        return queue(grow, model, words);
    if (key == KEY_CODE_ESCAPE || key == 'q')
        return OVERLAY_CLOSED;
    if (edit(grow, key, &error))
        model_say(model, "%s", error.text);
    return OVERLAY_OPEN;
}

/* A click on a layer of the chart. */
static enum overlay_answer click_grow(struct overlay *overlay, struct model *model, int x, int y, struct text *words)
{
    struct grow *grow = (struct grow *)overlay;
    struct layer_chart chart = {.readable = true, .arch = grow->plan.arch};
    if (y >= grow->chart.y && y < grow->chart.y + grow->chart.height)
        grow_plan_go(&grow->plan, layer_chart_at(&chart, grow->chart.width, x - grow->chart.x));
    grow->typed = 0;
    return OVERLAY_OPEN;
}

/* The network itself or the nearest above it that is trained and whose weights were kept; NULL: none is. */
static const struct session_node *trained(const struct session_state *state, int64_t number)
{
    const struct session_node *node = session_node(state, number);
    while (node && (node->status != NODE_DONE || node->dropped))
        node = session_node(state, node->facts.parent);
    return node;
}

static struct overlay *grow_new(struct model *model, int64_t asked, enum action_kind kind)
{
    static const struct overlay_kind table = {.draw = draw_grow, .key = key_grow, .click = click_grow};
    const struct session_node *node = trained(model->state, asked);
    int64_t number = node ? node->facts.node : 0;
    const char *widths = session_option(model->state, "widths"), *space = session_option(model->state, "space");
    struct error error = {{0}};
    if (session_node(model->state, asked)->dropped) { /* the engine would refuse it (search/commands.c) */
        model_say(model, "the weights of n%lld were not kept (--keep best): nothing can grow from it",
                  (long long)asked);
        return NULL;
    }
    if (!node) {
        model_say(model, "neither n%lld nor any network above it is trained yet", (long long)asked);
        return NULL;
    }
    struct grow *grow = memory_new(1, sizeof *grow);
    struct grow_plan *plan = &grow->plan;
    *grow = (struct grow){.overlay.kind = &table, .node = number, .asked = asked};
    plan->space = space_find(space && !strcmp(space, "modern") ? space : widths ? widths : "small");
    plan->limits = limits_of(model->state);
    bool readable = plan->space && !arch_parse(&plan->base, node->facts.arch, &error) &&
                    sscanf(model->state->facts.input, "%d,%d,%d", &plan->input.channels, &plan->input.height,
                           &plan->input.width) == 3;
    if (!readable) {
        model_say(model, "n%lld can't be grown: %s", (long long)number, error.text);
        overlay_free(&grow->overlay);
        return NULL;
    }
    grow_plan_begin(plan, kind);
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
