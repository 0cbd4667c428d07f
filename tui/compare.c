/*
 * compare.c - the two marked networks side by side over all panes: what they reach and cost, where their lineages part,
 * their curves, and their layers in pairs on one scale.
 *
 * Layers are paired by descent: those of the last common ancestor are followed through the actions of each lineage, and
 * a layer that an action inserted has no partner in the other network. Networks without a common ancestor are paired
 * from the first layer on. On a wide screen layers stand at the left; a narrow one has everything below each other, to
 * scroll.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/action.h"
#include "tui/layer_chart.h"
#include "tui/node.h"
#include "tui/view.h"
#include "util/bug.h"
#include "util/memory.h"

struct comparison {
    const struct model *model;
    const struct session_node *nodes[2];
    int64_t common;       /* the last common ancestor; one of the two if it is above the other; 0: none */
    int64_t *lineages[2]; /* from below `common` down to the network */
    int lengths[2];
    struct layer_chart charts[2];
    int origins[2][ARCH_LAYERS_MAX]; /* a layer's number in the common ancestor; -1: it was inserted since */
};

/* --- lineages --- */

/* Ancestors have smaller numbers than what grew from them. */
static int64_t common_ancestor(const struct session_state *state, int64_t a, int64_t b)
{
    while (a && b && a != b) {
        int64_t *later = a > b ? &a : &b;
        *later = session_node(state, *later)->facts.parent;
    }
    return a == b ? a : 0;
}

static void collect_lineage(struct comparison *comparison, int side)
{
    const struct session_state *state = comparison->model->state;
    int length = 0;
    for (int64_t at = comparison->nodes[side]->facts.node; at && at != comparison->common;
         at = session_node(state, at)->facts.parent)
        length++;
    comparison->lineages[side] = memory_new((size_t)length + 1, sizeof(int64_t));
    comparison->lengths[side] = length;
    int64_t at = comparison->nodes[side]->facts.node;
    for (int i = length - 1; i >= 0; i--) {
        comparison->lineages[side][i] = at;
        at = session_node(state, at)->facts.parent;
    }
}

/* --- pairs of layers --- */

static void number_layers(int *origins, int count)
{
    for (int i = 0; i < count; i++)
        origins[i] = i;
}

/* Apply a network's actions to the architecture, and to the origins of its layers. */
static int follow_actions(const struct session_node *node, struct arch *arch, int *origins)
{
    struct action action;
    for (int i = 0; i < node->facts.actions.count; i++) {
        if (action_parse(arch, node->facts.actions.items[i], &action, NULL))
            return -1;
        int place = action.layer + 1, after = arch->layer_count - place;
        if (action_apply(arch, &action, arch, NULL))
            return -1;
        if (action.kind == ACTION_DEEPEN) {
            memmove(origins + place + 1, origins + place, sizeof *origins * (size_t)after);
            origins[place] = -1;
        } else if (action.kind == ACTION_REMOVE) {
            memmove(origins + place - 1, origins + place, sizeof *origins * (size_t)after);
        }
    }
    return 0;
}

/* -1: the log's actions don't lead to the network. */
static int follow_lineage(struct comparison *comparison, int side)
{
    const struct session_state *state = comparison->model->state;
    const struct session_node *from = session_node(state, comparison->common);
    struct arch arch;
    if (!from || arch_parse(&arch, from->facts.arch, NULL))
        return -1;
    number_layers(comparison->origins[side], arch.layer_count);
    for (int i = 0; i < comparison->lengths[side]; i++)
        if (follow_actions(session_node(state, comparison->lineages[side][i]), &arch, comparison->origins[side]))
            return -1;
    return arch_equal(&arch, &comparison->charts[side].arch) ? 0 : -1;
}

static int layers_of(const struct comparison *comparison, int side)
{
    return comparison->charts[side].readable ? comparison->charts[side].arch.layer_count : 0;
}

/* The layer of a side that comes from that one of the ancestor, or -1. */
static int layer_from(const struct comparison *comparison, int side, int origin)
{
    for (int i = 0; origin >= 0 && i < layers_of(comparison, side); i++)
        if (comparison->origins[side][i] == origin)
            return i;
    return -1;
}

/* Call `row` for each pair from top to bottom; a layer without a partner is with -1.  Common layers are in the same
   order on both sides. */
static int each_pair(const struct comparison *comparison, void (*row)(void *context, int first, int second, int y),
                     void *context)
{
    int a = 0, b = 0, y = 0, first_count = layers_of(comparison, 0), second_count = layers_of(comparison, 1);
    while (a < first_count || b < second_count) {
        bool alone_a = a < first_count && layer_from(comparison, 1, comparison->origins[0][a]) < 0;
        bool alone_b = b < second_count && layer_from(comparison, 0, comparison->origins[1][b]) < 0;
        bool take_a = a < first_count && !(alone_b && !alone_a), take_b = b < second_count && !alone_a;
        if (row)
            row(context, take_a ? a : -1, take_b ? b : -1, y);
        a += take_a;
        b += take_b;
        y++;
    }
    return y;
}

/* comparison_done() it. */
static void compare(const struct model *model, struct comparison *comparison)
{
    *comparison = (struct comparison){.model = model};
    for (int side = 0; side < 2; side++) {
        comparison->nodes[side] = session_node(model->state, model->marked[side]);
        layer_chart_read(model, comparison->nodes[side], &comparison->charts[side]);
    }
    comparison->common = common_ancestor(model->state, model->marked[0], model->marked[1]);
    collect_lineage(comparison, 0);
    collect_lineage(comparison, 1);
    if (follow_lineage(comparison, 0) || follow_lineage(comparison, 1))
        for (int side = 0; side < 2; side++)
            number_layers(comparison->origins[side], layers_of(comparison, side));
}

static void comparison_done(struct comparison *comparison)
{
    free(comparison->lineages[0]);
    free(comparison->lineages[1]);
}

/* --- what they reach and cost --- */

enum { WORD = 13, VALUE = 12 };

static struct area column(struct area area, int side)
{
    return area_part(area, WORD + side * (VALUE + 1), 0, VALUE, area.height);
}

static void draw_number(struct canvas *canvas, struct area area, int y, const char *word, const char *const values[2],
                        const char *change, enum style style)
{
    canvas_text(canvas, area_part(area, 0, 0, WORD, area.height), 2, y, STYLE_DIM, "%s", word);
    for (int side = 0; side < 2; side++)
        canvas_text(canvas, column(area, side), VALUE - canvas_columns(values[side]), y, STYLE_NORMAL, "%s",
                    values[side]);
    canvas_text(canvas, area, WORD + 2 * (VALUE + 1) + 1, y, style, "%s", change);
}

static void draw_counts(struct canvas *canvas, struct area area, int y, const char *word, double first, double second,
                        char *(*print)(char buffer[TEXT_SHORT], double number))
{
    char a[TEXT_SHORT] = "-", b[TEXT_SHORT] = "-", change[32] = "";
    if (first > 0)
        print(a, first);
    if (second > 0)
        print(b, second);
    if (first > 0 && second > 0)
        snprintf(change, sizeof change, "%+.0f%%", 100 * (second / first - 1));
    draw_number(canvas, area, y, word, (const char *const[]){a, b}, change, STYLE_NORMAL);
}

static void draw_accuracies(const struct comparison *comparison, struct canvas *canvas, struct area area, int y)
{
    const struct session_node *a = comparison->nodes[0], *b = comparison->nodes[1];
    char first[32] = "-", second[32] = "-", change[32] = "";
    double gain = 100 * (b->accuracy - a->accuracy);
    if (a->curve_count)
        snprintf(first, sizeof first, "%.2f%%", 100 * a->accuracy);
    if (b->curve_count)
        snprintf(second, sizeof second, "%.2f%%", 100 * b->accuracy);
    if (a->curve_count && b->curve_count)
        snprintf(change, sizeof change, "%+.2f", gain);
    draw_number(canvas, area, y, "accuracy", (const char *const[]){first, second}, change,
                gain < 0 ? STYLE_LOSS : STYLE_GAIN);
}

static int draw_numbers(const struct comparison *comparison, struct canvas *canvas, struct area area, int y)
{
    const struct session_node *a = comparison->nodes[0], *b = comparison->nodes[1];
    for (int side = 0; side < 2; side++) {
        const struct session_node *node = comparison->nodes[side];
        char name[32];
        snprintf(name, sizeof name, "n%lld", (long long)node->facts.node);
        int x = VALUE - canvas_columns(name);
        canvas_glyph(canvas, column(area, side), x - 2, y, node_glyph(node), node_style(node->status));
        canvas_text(canvas, column(area, side), x, y, side ? STYLE_CURVE_B : STYLE_CURVE_A, "%s", name);
    }
    draw_accuracies(comparison, canvas, area, ++y);
    draw_counts(canvas, area, ++y, "parameters", (double)a->facts.parameters, (double)b->facts.parameters, text_count);
    draw_counts(canvas, area, ++y, "FLOPs", (double)a->facts.flops, (double)b->facts.flops, text_count);
    draw_counts(canvas, area, ++y, "memory", (double)a->facts.activation_bytes, (double)b->facts.activation_bytes,
                text_bytes);
    draw_counts(canvas, area, ++y, "images/s", a->images_per_second, b->images_per_second, text_count);
    draw_counts(canvas, area, ++y, "trained", a->seconds, b->seconds, text_duration);
    return y + 1;
}

/* --- where their lineages part --- */

static int draw_step(const struct comparison *comparison, int64_t number, enum style style, struct canvas *canvas,
                     struct area area, int y)
{
    const struct session_node *node = session_node(comparison->model->state, number);
    struct text edge = TEXT_EMPTY;
    char name[32];
    snprintf(name, sizeof name, "n%lld", (long long)number);
    canvas_text(canvas, area, 0, y, style, "%s", name);
    if (node->curve_count)
        canvas_text(canvas, area, 7, y, node_style(node->status), "%5.2f", 100 * node->accuracy);
    node_edge(comparison->model->state, node, canvas->unicode, area.width - 13, &edge);
    canvas_text(canvas, area, 13, y, node_has_role(node) ? node_edge_style(node) : STYLE_NORMAL, "%s",
                text_string(&edge));
    text_done(&edge);
    return y + 1;
}

static int draw_parting(const struct comparison *comparison, struct canvas *canvas, struct area area, int y)
{
    bool two = comparison->lengths[0] && comparison->lengths[1]; /* else the one has the whole width */
    int middle = two ? area.width / 2 : 2;
    struct area halves[2] = {area_part(area, 2, 0, two ? middle - 3 : area.width - 2, area.height),
                             area_part(area, middle, 0, area.width - middle, area.height)};
    int longest = 0;
    canvas_text(canvas, area, 0, y++, STYLE_TITLE, "Lineage");
    if (!comparison->common)
        canvas_text(canvas, area, 2, y++, STYLE_DIM, "they have no common ancestor");
    else if (!two)
        canvas_text(canvas, area, 2, y++, STYLE_DIM, "n%lld is above the other one", (long long)comparison->common);
    else
        y = draw_step(comparison, comparison->common, STYLE_BOLD, canvas,
                      area_part(area, 2, 0, area.width - 2, area.height), y);
    for (int side = 0; side < 2; side++) {
        int length = comparison->lengths[side];
        longest = length > longest ? length : longest;
        for (int i = 0; i < length; i++)
            draw_step(comparison, comparison->lineages[side][i], side ? STYLE_CURVE_B : STYLE_CURVE_A, canvas,
                      halves[side], y + i);
    }
    return y + longest;
}

/* --- layers --- */

struct layer_rows {
    const struct comparison *comparison;
    struct canvas *canvas;
    struct area area;
    int y, widest;
};

static void draw_layer(const struct layer_rows *rows, int side, int layer, int other, struct area half, int y)
{
    const struct layer_chart *chart = &rows->comparison->charts[side], *beside = &rows->comparison->charts[1 - side];
    if (layer < 0) {
        canvas_text(rows->canvas, half, 2, y, STYLE_DIM, "-");
        return;
    }
    const struct layer *at = &chart->arch.layers[layer], *partner = other < 0 ? NULL : &beside->arch.layers[other];
    bool differs = !partner || partner->units != at->units || partner->kernel != at->kernel;
    enum style style = !partner ? STYLE_GAIN : differs ? STYLE_BEST : side ? STYLE_CURVE_B : STYLE_CURVE_A;
    char name[LAYER_NAME_MAX], kernel[24];
    layer_name(&chart->arch, layer, name);
    layer_chart_kernel(at, kernel);
    canvas_text(rows->canvas, half, 2, y, differs ? style : STYLE_NORMAL, "%s", name);
    canvas_text(rows->canvas, half, 12, y, STYLE_DIM, "%s", kernel);
    if (!at->units)
        return;
    canvas_text(rows->canvas, half, 18, y, differs ? style : STYLE_NORMAL, "%4d", at->units);
    canvas_bar(rows->canvas, half, 23, y, half.width - 24 < 40 ? half.width - 24 : 40, (double)at->units / rows->widest,
               style);
}

static void draw_pair(void *context, int first, int second, int y)
{
    const struct layer_rows *rows = context;
    int half = rows->area.width / 2;
    draw_layer(rows, 0, first, second, area_part(rows->area, 0, 0, half, rows->area.height), rows->y + y);
    draw_layer(rows, 1, second, first, area_part(rows->area, half, 0, rows->area.width - half, rows->area.height),
               rows->y + y);
}

static int draw_layers(const struct comparison *comparison, struct canvas *canvas, struct area area, int y)
{
    int first = layer_chart_widest(&comparison->charts[0]), second = layer_chart_widest(&comparison->charts[1]);
    canvas_text(canvas, area, 0, y++, STYLE_TITLE, "Layers");
    struct layer_rows rows = {comparison, canvas, area, y, first > second ? first : second};
    return y + each_pair(comparison, draw_pair, &rows);
}

/* --- the page --- */

enum { CURVES_LINES = 10, AROUND = 12 }; /* lines of the curves on a narrow screen; of headings and numbers */

static bool is_wide(int width)
{
    return width >= 100;
}

static int left_width(int width)
{
    return is_wide(width) ? width * 3 / 5 : width;
}

/* Draw the scrolled part on a canvas of its own, which the caller frees; returns its number of lines. */
static int draw_page(const struct comparison *comparison, struct canvas *canvas, int width, struct canvas *page)
{
    const struct model *model = comparison->model;
    int lines =
        AROUND + CURVES_LINES + comparison->lengths[0] + comparison->lengths[1] + each_pair(comparison, NULL, NULL);
    canvas_init(page, left_width(width), lines, canvas->unicode);
    page->mono = canvas->mono;
    struct area area = canvas_area(page);
    int y = draw_numbers(comparison, page, area, 0);
    if (!is_wide(width)) {
        y = draw_parting(comparison, page, area, y);
        canvas_text(page, area, 0, y++, STYLE_TITLE, "Curves");
        curves_draw_two(model, comparison->nodes[0], comparison->nodes[1], page,
                        area_part(area, 0, y, area.width, CURVES_LINES));
        y += CURVES_LINES;
    }
    return draw_layers(comparison, page, area, y);
}

static void draw_right(const struct comparison *comparison, struct canvas *canvas, struct area right)
{
    int curves = right.height / 2;
    canvas_text(canvas, right, 0, 0, STYLE_TITLE, "Curves");
    curves_draw_two(comparison->model, comparison->nodes[0], comparison->nodes[1], canvas,
                    area_part(right, 0, 1, right.width, curves - 2));
    draw_parting(comparison, canvas, area_part(right, 0, curves, right.width, right.height - curves), 0);
}

/* The inside of its frame. */
static struct area inside_of(struct area area)
{
    return area_part(area, 1, 1, area.width - 2, area.height - 2);
}

static bool are_there(const struct model *model)
{
    return session_node(model->state, model->marked[0]) && session_node(model->state, model->marked[1]);
}

void compare_settle(struct model *model, struct area area)
{
    struct comparison comparison;
    struct canvas page, like = {.unicode = true};
    struct area inside = inside_of(area);
    if (!model->compare.top || !are_there(model) || inside.width < 1 || inside.height < 1)
        return;
    compare(model, &comparison);
    scroll_settle(&model->compare.top, draw_page(&comparison, &like, inside.width, &page) - inside.height);
    canvas_done(&page);
    comparison_done(&comparison);
}

void compare_draw(const struct model *model, struct canvas *canvas, struct area area)
{
    struct comparison comparison;
    struct canvas page;
    char title[64];
    snprintf(title, sizeof title, " n%lld and n%lld ", (long long)model->marked[0], (long long)model->marked[1]);
    canvas_box(canvas, area, title, STYLE_FOCUS);
    struct area inside = inside_of(area);
    if (!are_there(model) || inside.width < 1 || inside.height < 1)
        return;
    compare(model, &comparison);
    int lines = draw_page(&comparison, canvas, inside.width, &page);
    canvas_copy(&page, model->compare.top, canvas, inside);
    canvas_done(&page);
    if (lines > inside.height)
        canvas_text_right(canvas, area_part(area, 1, area.height - 1, inside.width, 1), 1, 0, 0, STYLE_DIM,
                          " ↑↓ scroll ");
    int left = left_width(inside.width);
    if (is_wide(inside.width))
        draw_right(&comparison, canvas, area_part(inside, left + 1, 0, inside.width - left - 1, inside.height));
    comparison_done(&comparison);
}

bool compare_request(struct model *model, enum request request, int height)
{
    static const enum request others[] = {REQUEST_LEFT, REQUEST_RIGHT,     REQUEST_FOLD_ALL,      REQUEST_UNFOLD_ALL,
                                          REQUEST_OPEN, REQUEST_FIND_NEXT, REQUEST_FIND_PREVIOUS, REQUEST_BEST};
    enum { FRAME = 5 }; /* header, frame, keys */
    if (scroll_request(&model->compare.top, request, height - FRAME)) {
        scroll_settle(&model->compare.top, INT_MAX); /* the last line is found when it is drawn */
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (others[i] == request)
            return true;
    return false;
}
