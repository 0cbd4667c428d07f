/*
 * detail.c - one network in full over all panes: costs, layers, ancestors, epochs.
 *
 * A low screen shows only the layers around what changed, the nearest ancestors and the last epochs. Once it is
 * scrolled, everything is drawn on a canvas of its own, and the screen shows a part of that.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tui/layer_chart.h"
#include "tui/node.h"
#include "tui/rounds.h"
#include "tui/view.h"
#include "util/bug.h"

static int heading(struct canvas *canvas, struct area area, int y, const char *text)
{
    canvas_text(canvas, area, 0, y, STYLE_TITLE, "%s", text);
    return y + 1;
}

/* --- facts --- */

/* "+0.42 over control n7" */
static int draw_gain(const struct model *model, const struct session_node *node, struct canvas *canvas,
                     struct area area, int x, int y)
{
    struct text text = TEXT_EMPTY;
    double gain;
    int64_t over;
    if (!node_gain(model->state, node, &gain, &over))
        return x;
    x = node_draw_gain(model->state, node, canvas, area, x + 1, y, 0);
    node_add_over(model->state, over, &text);
    if (over != node->facts.parent)
        x = canvas_text(canvas, area, x, y, STYLE_DIM, "%s", text_string(&text));
    text_done(&text);
    return x;
}

static int draw_facts(const struct model *model, const struct session_node *node, struct canvas *canvas,
                      struct area area, int y)
{
    char a[TEXT_SHORT], b[TEXT_SHORT], c[TEXT_SHORT];
    canvas_glyph(canvas, area, 0, y, node_glyph(node), node_style(node->status));
    int x = canvas_text(canvas, area, 2, y, node_style(node->status), "%s", node_word(node->status));
    if (node->curve_count)
        x = canvas_text(canvas, area, x + 2, y, STYLE_HEADER, "%.2f%%", 100 * node->accuracy);
    x = draw_gain(model, node, canvas, area, x, y);
    if (node->facts.node == model->state->best)
        x = canvas_text(canvas, area, x + 2, y, STYLE_BEST, "★ best");
    if (node->pinned)
        x = canvas_text(canvas, area, x + 2, y, STYLE_PINNED, "P pinned");
    if (node->pruned && node->pruned_with == node->facts.node)
        x = canvas_text(canvas, area, x + 2, y, STYLE_WARNING, "pruned");
    else if (node->pruned)
        x = canvas_text(canvas, area, x + 2, y, STYLE_WARNING, "pruned with n%lld", (long long)node->pruned_with);
    if (node_is_users(node))
        x = canvas_text(canvas, area, x + 2, y, STYLE_USER, "by you");
    if (node->known_count)
        canvas_text(canvas, area, x + 2, y, STYLE_DIM, "proposed %d times", node->known_count + 1);
    y++;
    if (node->failure && !(node->status == NODE_CANCELLED && node->failure_reason.value == FAILURE_CANCELLED))
        canvas_text(canvas, area, 2, y++, STYLE_FAILED, "%s", node->failure);
    if (node->stopped)
        canvas_text(canvas, area, 2, y++, STYLE_DIM, "%.2f%% predicted; stopped at %s", 100 * node->predicted,
                    node->stopped);
    if (model->state->test.node == node->facts.node)
        canvas_text(canvas, area, 2, y++, STYLE_BEST, "test %.2f%% of %lld images, loss %.4f",
                    100 * model->state->test.accuracy, (long long)model->state->test.images, model->state->test.loss);
    y += race_draw(model, node, canvas, area_part(area, 2, 0, area.width - 2, area.height), y);
    canvas_text(canvas, area, 2, y++, STYLE_NORMAL, "%s parameters  %s FLOPs and %s an image",
                text_count(a, (double)node->facts.parameters), text_count(b, (double)node->facts.flops),
                text_bytes(c, (double)node->facts.activation_bytes));
    if (node->status == NODE_RUNNING && node->device)
        canvas_text(canvas, area, 2, y++, STYLE_NORMAL, "epoch %d/%d on %s, %s%s",
                    node->curve_count + (node->curve_count < node->epochs), node->epochs, node->device,
                    node_is_held(model, node) ? "held" : text_count(b, node_rate(model, node)),
                    node_is_held(model, node) ? "" : " images/s");
    else if (node->device)
        canvas_text(canvas, area, 2, y++, STYLE_NORMAL, "%d/%d epochs on %s in %s, %s images/s", node->curve_count,
                    node->epochs, node->device, text_duration(a, node->seconds), text_count(b, node_rate(model, node)));
    if (node->note && *node->note)
        canvas_text(canvas, area, 2, y++, STYLE_USER, "\"%s\"", node->note);
    return y;
}

/* --- layers --- */

enum { UNITS_END = 32 }; /* where a layer's bar begins */

static void draw_layer(const struct layer_chart *chart, int layer, int largest, struct canvas *canvas, struct area area,
                       int y)
{
    const struct layer *at = &chart->arch.layers[layer];
    const struct shape *shape = &chart->shapes[layer];
    enum style style = chart->edge.change[layer] ? layer_change_style(chart->edge.change[layer]) : STYLE_NORMAL;
    char name[LAYER_NAME_MAX], kernel[24], map[32] = "", was[32] = "";
    layer_name(&chart->arch, layer, name);
    layer_chart_kernel(at, kernel);
    if (!layer_is_flat(at))
        snprintf(map, sizeof map, "%d×%d", shape->height, shape->width);
    if (chart->edge.before[layer])
        snprintf(was, sizeof was, "was %d", chart->edge.before[layer]);
    else if (chart->edge.change[layer] == LAYER_CHANGE_NEW)
        snprintf(was, sizeof was, "new");
    layer_chart_features(at, was, sizeof was);
    canvas_text(canvas, area, 2, y, style, "%s", name);
    canvas_text(canvas, area, 14, y, STYLE_DIM, "%s", kernel);
    canvas_text(canvas, area, 20, y, STYLE_DIM, "%s", map);
    if (!at->units)
        return;
    canvas_text(canvas, area, 27, y, style, "%4d", at->units);
    int width = area.width - UNITS_END - 9, end = UNITS_END - 1;
    width = width > 40 ? 40 : width;
    if (width >= 1)
        end = canvas_bar(canvas, area, UNITS_END, y, width, (double)at->units / largest,
                         layer_change_style(chart->edge.change[layer]));
    canvas_text(canvas, area, end + 1, y, style, "%s", was);
}

/* Columns of the measures, from the right edge; none where there is no room for them. */
static const struct {
    const char *heading;
    int width;
} measures[HEALTH_MEASURES] = {[HEALTH_WEIGHT_NORM] = {"weights", 8},
                               [HEALTH_GRADIENT_NORM] = {"gradient", 9},
                               [HEALTH_DEAD] = {"dead", 6},
                               [HEALTH_FRESH] = {"fresh", 6}};

static int health_width(const struct session_node *node, int width)
{
    enum { WIDTH = 30, ROOM_FOR_WAS = 8 }; /* a blank before the frame */
    bool shown = node->health[HEALTH_WEIGHT_NORM].count && width >= UNITS_END + ROOM_FOR_WAS + WIDTH;
    return shown ? WIDTH : 0;
}

/* What asks for a look: many dead units, or units that a widening added and nothing uses. */
static enum style health_style(const struct session_node *node, int layer, enum health_measure measure)
{
    double value = node_health(node, layer, measure);
    bool bad = (measure == HEALTH_DEAD && value > 0.25) || (measure == HEALTH_FRESH && value < 0.25);
    return bad ? STYLE_WARNING : STYLE_NORMAL;
}

/* `layer` -1: the headings. */
static void draw_health(const struct session_node *node, int layer, struct canvas *canvas, struct area area, int y)
{
    int x = area.width - health_width(node, area.width);
    for (int i = 0; x < area.width && i < HEALTH_MEASURES; i++) {
        enum health_measure measure = (enum health_measure)i;
        char text[TEXT_SHORT];
        canvas_text(canvas, area, x, y, layer < 0 ? STYLE_DIM : health_style(node, layer, measure), "%*s",
                    measures[i].width, layer < 0 ? measures[i].heading : node_health_text(text, node, layer, measure));
        x += measures[i].width;
    }
}

static int layers_heading(const struct session_node *node, struct canvas *canvas, struct area area, int y)
{
    draw_health(node, -1, canvas, area, y);
    if (node->status == NODE_DONE && !node->health[HEALTH_WEIGHT_NORM].count)
        canvas_text(canvas, area, 14, y, STYLE_DIM, "health not measured");
    return heading(canvas, area, y, "Layers");
}

/* The distance from a layer to the nearest one that changed; to the first layer when none did. */
static int distance_to_change(const struct layer_chart *chart, int layer)
{
    int distance = ARCH_LAYERS_MAX + layer;
    for (int i = 0; i < chart->arch.layer_count; i++)
        if (chart->edge.change[i]) {
            int apart = i < layer ? layer - i : i - layer;
            distance = apart < distance ? apart : distance;
        }
    return distance;
}

/* Within `distance` of a change, or the only layer between two that are: the line for a gap would not be shorter. */
static bool is_shown(const struct layer_chart *chart, int layer, int distance)
{
    bool before = layer == 0 || distance_to_change(chart, layer - 1) <= distance;
    bool after = layer == chart->arch.layer_count - 1 || distance_to_change(chart, layer + 1) <= distance;
    return distance_to_change(chart, layer) <= distance || (before && after);
}

/* Lines that the shown layers take, with one for each gap between them. */
static int lines_within(const struct layer_chart *chart, int distance)
{
    int lines = 0;
    bool gap = false;
    for (int i = 0; i < chart->arch.layer_count; i++) {
        bool shown = is_shown(chart, i, distance);
        lines += shown || !gap;
        gap = !shown;
    }
    return lines;
}

/* All layers if they fit, otherwise those around the changes. */
static int draw_layers(const struct layer_chart *chart, const struct session_node *node, struct canvas *canvas,
                       struct area area, int y, int end)
{
    struct area left = area_part(area, 0, 0, area.width - health_width(node, area.width), area.height);
    int largest = layer_chart_widest(chart), count = chart->arch.layer_count, distance = 2 * ARCH_LAYERS_MAX,
        skipped = 0;
    if (!chart->readable)
        return y;
    while (distance > 0 && lines_within(chart, distance) > end - y)
        distance--;
    for (int i = 0; i <= count && y < end; i++) {
        bool shown = i < count && is_shown(chart, i, distance);
        if (skipped && (shown || i == count)) {
            canvas_text(canvas, area, 2, y++, STYLE_DIM, "… %d layers", skipped);
            skipped = 0;
        }
        if (shown && y < end) {
            draw_layer(chart, i, largest, canvas, left, y);
            draw_health(node, i, canvas, area, y++);
        }
        skipped += !shown;
    }
    return y;
}

/* --- lineage: the nearest ancestors, the network itself first --- */

static int draw_lineage(const struct model *model, const struct session_node *node, struct canvas *canvas,
                        struct area area, int y, int end)
{
    for (; node && y < end; node = session_node(model->state, node->facts.parent)) {
        struct text edge = TEXT_EMPTY;
        char name[TEXT_SHORT];
        if (y == end - 1 && node->facts.parent) {
            canvas_text(canvas, area, 2, y++, STYLE_DIM, "and on to the start network");
            break;
        }
        snprintf(name, sizeof name, "n%lld", (long long)node->facts.node);
        canvas_text(canvas, area, 2, y, STYLE_BOLD, "%-6s", name);
        if (node->curve_count)
            canvas_text(canvas, area, 9, y, node_style(node->status), "%5.2f", 100 * node->accuracy);
        node_edge(model->state, node, canvas->unicode, area.width - 16, &edge);
        canvas_text(canvas, area, 16, y++, node_has_role(node) ? node_edge_style(node) : STYLE_NORMAL, "%s",
                    text_string(&edge));
        text_done(&edge);
    }
    return y;
}

/* --- epochs --- */

static void draw_epochs(const struct session_node *node, struct canvas *canvas, struct area area, int y)
{
    int rows = area.height - y - 1, first = node->curve_count > rows ? node->curve_count - rows : 0;
    if (!node->curve_count || rows < 1)
        return;
    canvas_text(canvas, area, 2, y++, STYLE_DIM, "epoch  val %%   loss    train %%  loss    rate");
    for (int i = first; i < node->curve_count; i++) {
        const struct curve_point *point = &node->curve[i];
        canvas_text(canvas, area, 2, y++, STYLE_NORMAL, "%5d  %5.2f  %6.4f  %6.2f  %6.4f  %.2g", i + 1,
                    100 * point->validation_accuracy, point->validation_loss, 100 * point->train_accuracy,
                    point->train_loss, point->rate);
    }
}

/* Draw everything about a network. */
static void draw_one(const struct model *model, const struct session_node *node, struct canvas *canvas,
                     struct area area)
{
    struct layer_chart chart;
    layer_chart_read(model, node, &chart);
    int y = draw_facts(model, node, canvas, area, 0);
    int left = area.height - y - 2, layers = chart.readable ? chart.arch.layer_count : 0;
    int lineage = left - layers - 2 >= 4 ? left - layers - 2 : 4;
    lineage = lineage > 8 ? 8 : lineage;
    y = layers_heading(node, canvas, area, y + (area.height > 30));
    bool whole = area.height - lineage - 1 <= y + 3;
    y = draw_layers(&chart, node, canvas, area, y, whole ? area.height : area.height - lineage - 1);
    y = heading(canvas, area, y, "Lineage");
    draw_lineage(model, node, canvas, area, y, y + lineage);
}

static struct area frame(struct canvas *canvas, struct area area, const struct session_node *node)
{
    char title[64];
    snprintf(title, sizeof title, " n%lld ", node ? (long long)node->facts.node : 0);
    return canvas_box(canvas, area, title, STYLE_FOCUS);
}

/* --- the scrolled page --- */

enum { PAGE_FACTS = 16 }; /* lines of a page beside layers, ancestors and epochs, at most */

static bool is_wide(int width)
{
    return width >= 100;
}

/* A wide screen has curves and epochs on the right. */
static int page_width(int width)
{
    return is_wide(width) ? width * 3 / 5 : width;
}

static int ancestors(const struct model *model, const struct session_node *node)
{
    int count = 0;
    for (; node; node = session_node(model->state, node->facts.parent))
        count++;
    return count;
}

/* Draw the page, which the caller frees with canvas_done(); returns its number of lines. */
static int draw_page(const struct model *model, const struct session_node *node, bool unicode, int width,
                     struct canvas *page)
{
    struct layer_chart chart;
    layer_chart_read(model, node, &chart);
    int lineage = ancestors(model, node);
    canvas_init(page, page_width(width),
                PAGE_FACTS + (chart.readable ? chart.arch.layer_count : 0) + lineage + node->curve_count, unicode);
    struct area area = canvas_area(page);
    int y = draw_facts(model, node, page, area, 0);
    y = layers_heading(node, page, area, y);
    y = draw_layers(&chart, node, page, area, y, area.height);
    y = heading(page, area, y, "Lineage");
    y = draw_lineage(model, node, page, area, y, y + lineage);
    if (is_wide(width))
        return y;
    y = heading(page, area, y, "Epochs");
    draw_epochs(node, page, area, y);
    return y + (node->curve_count ? 1 + node->curve_count : 0);
}

/* How many lines of the page don't fit into the area's frame. */
static int overhang(const struct model *model, bool unicode, struct area area)
{
    const struct session_node *node = session_node(model->state, model->selected);
    struct canvas page;
    if (!node || area.width < 3 || area.height < 3)
        return 0;
    int lines = draw_page(model, node, unicode, area.width - 2, &page) - (area.height - 2);
    canvas_done(&page);
    return lines > 0 ? lines : 0;
}

void detail_settle(struct model *model, struct area area)
{
    if (model->detail.node != model->selected)
        model->detail.top = 0;
    model->detail.node = model->selected;
    if (model->detail.top > 0)
        scroll_settle(&model->detail.top, overhang(model, true, area));
}

/* The nearest network by number in this direction that has the same parent, or the selected one. */
static int64_t sibling(const struct model *model, int step)
{
    const struct session_node *node = session_node(model->state, model->selected), *other;
    int64_t number = model->selected;
    while (node && (other = session_node(model->state, number += step)))
        if (other->facts.parent == node->facts.parent)
            return number;
    return model->selected;
}

bool detail_request(struct model *model, enum request request, int height)
{
    enum { AROUND = 5 }; /* header, frame, keys */
    if (request == REQUEST_LEFT || request == REQUEST_RIGHT) {
        tree_select(model, sibling(model, request == REQUEST_LEFT ? -1 : 1));
        model->detail.top = 0;
        return true;
    }
    if (!scroll_request(&model->detail.top, request, height - AROUND))
        return false;
    scroll_settle(&model->detail.top, INT_MAX); /* the last line is found when it is drawn */
    return true;
}

static void draw_left(const struct model *model, const struct session_node *node, struct canvas *canvas,
                      struct area inside)
{
    struct area left = area_part(inside, 0, 0, page_width(inside.width), inside.height);
    if (!model->detail.top) {
        draw_one(model, node, canvas, left);
        return;
    }
    struct canvas page;
    draw_page(model, node, canvas->unicode, inside.width, &page);
    canvas_copy(&page, model->detail.top, canvas, left);
    canvas_done(&page);
}

void detail_draw(const struct model *model, struct canvas *canvas, struct area area)
{
    const struct session_node *node = session_node(model->state, model->selected);
    struct area inside = frame(canvas, area, node);
    if (!node)
        return;
    draw_left(model, node, canvas, inside);
    if (overhang(model, canvas->unicode, area) && area.height > 2)
        canvas_text_right(canvas, area_part(area, 1, area.height - 1, inside.width, 1), 1, 0, 0, STYLE_DIM,
                          " ↑↓ scroll ");
    if (is_wide(inside.width)) {
        int left = page_width(inside.width);
        struct area right = area_part(inside, left + 1, 0, inside.width - left - 1, inside.height);
        int height = right.height / 2;
        int y = heading(canvas, right, 0, "Curves");
        view_curves.draw(model, canvas, area_part(right, 0, y, right.width, height - y));
        heading(canvas, right, height, "Epochs");
        draw_epochs(node, canvas, right, height + 1);
    }
}
