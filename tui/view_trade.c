/*
 * view_trade.c - accuracy against size: a dot for each trained network (dim: a control), and the Pareto front.
 *
 * Size is what a network costs: parameters, FLOPs, or the seconds that it trained; or its speed, where more is better.
 * A list of points is made anew when networks have changed, those that are shown when the filter has, so that a frame only
 * draws them. The selected network is the cursor: arrows go to the nearest dot in their direction, so that dots under
 * others are passed over.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/node.h"
#include "tui/plot.h"
#include "tui/view.h"
#include "util/memory.h"
#include "util/sort.h"

static const struct {
    const char *word, *limit; /* in texts; the option that limits it, or NULL */
    bool more_is_better;
} axes[TRADE_AXES] = {
    [TRADE_PARAMETERS] = {"parameters", "limit-params", false},
    [TRADE_FLOPS] = {"FLOPs", "limit-flops", false},
    [TRADE_SPEED] = {"images a second", NULL, true},
    [TRADE_SECONDS] = {"seconds of training", NULL, false},
};

/* --- the points --- */

static double size_of(const struct session_node *node, enum trade_axis axis)
{
    switch (axis) {
    case TRADE_FLOPS:
        return (double)node->facts.flops;
    case TRADE_SPEED:
        return node->images_per_second;
    case TRADE_SECONDS:
        return node->seconds;
    default:
        return (double)node->facts.parameters;
    }
}

static bool has_point(const struct session_node *node, enum trade_axis axis)
{
    double size = size_of(node, axis);
    return node->status == NODE_DONE && node->accuracy >= 0 && node->accuracy <= 1 && size > 0 && isfinite(size);
}

static int by_size(const void *left, const void *right)
{
    const struct trade_point *a = left, *b = right;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    if (a->accuracy != b->accuracy)
        return a->accuracy > b->accuracy ? -1 : 1;
    return a->node < b->node ? -1 : 1;
}

/* From the best size on, each network that is better than all before. */
static void find_front(struct trade_view *trade)
{
    bool down = axes[trade->axis].more_is_better;
    double reached = -1;
    for (int i = 0; i < trade->count; i++) {
        struct trade_point *point = &trade->points[down ? trade->count - 1 - i : i];
        point->front = point->accuracy > reached;
        reached = fmax(reached, point->accuracy);
    }
    for (int i = 1; down && i < trade->count; i++) /* of equal sizes only the most accurate */
        if (trade->points[i].size == trade->points[i - 1].size)
            trade->points[i].front = false;
}

static void add_point(struct model *model, int64_t number)
{
    struct trade_view *trade = &model->trade;
    const struct session_node *node = session_node(model->state, number);
    if (has_point(node, trade->axis))
        trade->all[trade->all_count++] = (struct trade_point){.node = number,
                                                              .size = log10(size_of(node, trade->axis)),
                                                              .accuracy = node->accuracy,
                                                              .control = node->facts.by.value == AUTHOR_CONTROL};
}

/* First the networks that have a point, in the order of these, since few of them change places; then the others. */
static void collect(struct model *model)
{
    struct trade_view *trade = &model->trade;
    size_t count = (size_t)model->state->node_count + 1, before = (size_t)trade->all_count;
    bool *listed = memory_new(count, sizeof *listed);
    trade->all = memory_resize(trade->all, count > before ? count : before, sizeof *trade->all);
    trade->all_count = 0;
    for (size_t i = 0; i < before; i++) { /* never ahead of `i` */
        int64_t number = trade->all[i].node;
        if (number >= (int64_t)count)
            continue;
        listed[number] = true;
        add_point(model, number);
    }
    for (int64_t i = 1; i < (int64_t)count; i++)
        if (!listed[i])
            add_point(model, i);
    free(listed);
}

static void show_point(struct trade_view *trade, struct trade_point point)
{
    trade->points[trade->count++] = point;
    trade->lowest = fmin(trade->lowest, point.accuracy);
    trade->highest = fmax(trade->highest, point.accuracy);
    trade->sum += point.accuracy;
    trade->squares += point.accuracy * point.accuracy;
}

static void build(struct model *model)
{
    struct trade_view *trade = &model->trade;
    const bool *matches = tree_matches(model);
    if (!trade->stale && trade->filtered == model->tree.matches_version)
        return;
    if (trade->stale) {
        collect(model);
        sort_nearly(trade->all, (size_t)trade->all_count, sizeof *trade->all, by_size);
    }
    trade->points = memory_resize(trade->points, (size_t)trade->all_count + 1, sizeof *trade->points);
    trade->count = 0;
    trade->lowest = INFINITY;
    trade->highest = -INFINITY;
    trade->sum = trade->squares = 0;
    for (int i = 0; i < trade->all_count; i++)
        if (matches[trade->all[i].node])
            show_point(trade, trade->all[i]);
    find_front(trade);
    trade->filtered = model->tree.matches_version;
    trade->stale = false;
}

void trade_done(struct trade_view *trade)
{
    free(trade->all);
    free(trade->points);
}

static int point_of(const struct trade_view *trade, int64_t node)
{
    for (int i = 0; i < trade->count; i++)
        if (trade->points[i].node == node)
            return i;
    return -1;
}

/* The next one of the front from an index on, which is not looked at itself; -1: none. */
static int next_of_front(const struct trade_view *trade, int index, int step)
{
    for (index += step; index >= 0 && index < trade->count; index += step)
        if (trade->points[index].front)
            return index;
    return -1;
}

/* --- where they are --- */

/* 0: none, or of another kind. */
static double limit_of(const struct model *model)
{
    const char *option = axes[model->trade.axis].limit, *text = option ? session_option(model->state, option) : NULL;
    int64_t value;
    return text && !text_to_integer(text, 0, INT64_MAX, &value) ? (double)value : 0;
}

enum { LEAST_FOR_CURSOR = 8 }; /* lines from which on one tells what the selected network is */

/* False: there are no points.  A limit that is not far away is on the axis. */
static bool plot_of(const struct model *model, struct area inside, struct plot *plot)
{
    const struct trade_view *trade = &model->trade;
    const double apart = 0.6; /* four times as large */
    *plot = plot_in(inside, inside.height >= LEAST_FOR_CURSOR);
    if (!trade->count)
        return false;
    plot->logarithmic = true;
    plot->left = trade->points[0].size;
    plot->right = trade->points[trade->count - 1].size;
    double limit = limit_of(model) > 0 ? log10(limit_of(model)) : 0;
    if (limit > plot->right && limit < plot->right + apart)
        plot->right = limit;
    if (plot->right - plot->left < 0.01) {
        plot->left -= 0.05;
        plot->right += 0.05;
    }
    plot_span(plot, trade->lowest, trade->highest, trade->sum, trade->squares, trade->count);
    return true;
}

/* --- drawing --- */

static void draw_limit(const struct model *model, const struct plot *plot, struct canvas *canvas)
{
    double limit = limit_of(model);
    char buffer[TEXT_SHORT], text[40];
    if (limit <= 0)
        return;
    snprintf(text, sizeof text, "limit %s", text_count(buffer, limit));
    int length = (int)strlen(text), x = plot_x(plot, log10(limit)) / 2;
    if (log10(limit) > plot->right + 1e-9) {
        canvas_text_right(canvas, plot->area, 0, 0, plot->area.height - 1, STYLE_WARNING, "%s →", text);
        return;
    }
    for (int y = 0; y < plot->area.height; y++)
        canvas_glyph(canvas, plot->area, x, y, L'┊', STYLE_WARNING);
    canvas_text(canvas, plot->area, x > length ? x - length : x + 1, plot->area.height - 1, STYLE_WARNING, "%s", text);
}

static void draw_points(const struct model *model, const struct plot *plot, struct canvas *canvas)
{
    for (int i = 0; i < model->trade.count; i++) {
        const struct trade_point *point = &model->trade.points[i];
        canvas_dot(canvas, plot->area, plot_x(plot, point->size), plot_y(plot, point->accuracy),
                   point->control ? STYLE_DIM : STYLE_CURVE_A);
    }
}

/* From the best size on: level until the next of the front, then up; behind the last one level to the edge. */
static void draw_front(const struct trade_view *trade, const struct plot *plot, struct canvas *canvas)
{
    bool down = axes[trade->axis].more_is_better;
    int step = down ? -1 : 1, last_x = -1, last_y = 0;
    for (int i = down ? trade->count : -1; (i = next_of_front(trade, i, step)) >= 0;) {
        int x = plot_x(plot, trade->points[i].size), y = plot_y(plot, trade->points[i].accuracy);
        if (last_x >= 0) {
            canvas_line(canvas, plot->area, last_x, last_y, x, last_y, STYLE_CURVE_C);
            canvas_line(canvas, plot->area, x, last_y, x, y, STYLE_CURVE_C);
        }
        last_x = x;
        last_y = y;
    }
    if (last_x >= 0)
        canvas_line(canvas, plot->area, last_x, last_y, down ? 0 : 2 * plot->area.width - 1, last_y, STYLE_CURVE_C);
}

static void draw_mark(const struct model *model, const struct plot *plot, struct canvas *canvas, int64_t number,
                      uint32_t glyph, enum style style)
{
    const struct session_node *node = session_node(model->state, number);
    if (node && has_point(node, model->trade.axis))
        canvas_glyph(canvas, plot->area, plot_x(plot, log10(size_of(node, model->trade.axis))) / 2,
                     plot_y(plot, node->accuracy) / 4, glyph, style);
}

/* Networks of the end of a search, pinned ones, the best, and the selected one. */
static void draw_marks(const struct model *model, const struct plot *plot, struct canvas *canvas)
{
    const struct session_state *state = model->state;
    for (int i = 0; i < model->trade.count; i++) {
        const struct session_node *node = session_node(state, model->trade.points[i].node);
        if (node->pinned)
            draw_mark(model, plot, canvas, node->facts.node, 'P', STYLE_PINNED);
        else if (node_is_final(node))
            draw_mark(model, plot, canvas, node->facts.node, node_glyph(node), node_edge_style(node));
    }
    draw_mark(model, plot, canvas, state->best, L'★', STYLE_BEST);
    if (model->selected != state->best)
        draw_mark(model, plot, canvas, model->selected, L'●', STYLE_HEADER);
    else
        draw_mark(model, plot, canvas, state->best, L'★', STYLE_SELECTED);
}

/* "n37 91.20%  12.3k parameters, on the front", or what of the front is as small and how much better. */
static void draw_cursor(const struct model *model, struct canvas *canvas, struct area line)
{
    const struct trade_view *trade = &model->trade;
    const struct session_node *node = session_node(model->state, model->selected);
    int at = point_of(trade, model->selected);
    char size[TEXT_SHORT];
    if (!node)
        return;
    int x = canvas_text(canvas, line, 0, 0, STYLE_BOLD, "n%lld", (long long)model->selected);
    if (at < 0) {
        bool left_out = has_point(node, trade->axis);
        canvas_text(canvas, line, x + 1, 0, STYLE_DIM, "%s: %s", node_word(node->status),
                    left_out ? "the filter leaves it out" : "it has no dot");
        return;
    }
    x = canvas_text(canvas, line, x + 1, 0, STYLE_HEADER, "%.2f%%", 100 * node->accuracy);
    x = canvas_text(canvas, line, x + 2, 0, STYLE_NORMAL, "%s %s", text_count(size, size_of(node, trade->axis)),
                    axes[trade->axis].word);
    const struct trade_point *point = &trade->points[at];
    int better = next_of_front(trade, at, axes[trade->axis].more_is_better ? 1 : -1);
    if (point->front)
        canvas_text(canvas, line, x + 2, 0, STYLE_CURVE_C, "on the front");
    else if (better >= 0)
        canvas_text(canvas, line, x + 2, 0, STYLE_DIM, "n%lld has %+.2f and %s", (long long)trade->points[better].node,
                    100 * (trade->points[better].accuracy - node->accuracy),
                    text_count(size, pow(10, trade->points[better].size)));
}

static void draw_trade(const struct model *model, struct canvas *canvas, struct area inside)
{
    struct plot plot;
    if (!plot_of(model, inside, &plot)) {
        canvas_text(canvas, inside, 0, 0, STYLE_DIM, "%s",
                    model->tree.filter[0] ? "nothing that is trained matches: Escape shows all"
                                          : "no network is trained yet");
        return;
    }
    if (!plot_has_room(&plot))
        return;
    plot_draw_axes(&plot, canvas);
    draw_limit(model, &plot, canvas);
    draw_points(model, &plot, canvas);
    draw_front(&model->trade, &plot, canvas);
    draw_marks(model, &plot, canvas);
    if (inside.height >= LEAST_FOR_CURSOR)
        draw_cursor(model, canvas, area_part(inside, 0, 0, inside.width, 1));
}

static void title_trade(const struct model *model, struct text *text)
{
    text_add(text, "%% over %s, ★ best ● selected%s", axes[model->trade.axis].word,
             session_phase(model->state) > PHASE_GROWTH ? ", □ baseline ▣ retrain ■ finish" : "");
}

static void settle_trade(struct model *model, struct area inside)
{
    build(model);
}

/* --- the cursor --- */

static void select_point(struct model *model, int index)
{
    if (index >= 0 && index < model->trade.count)
        tree_select(model, model->trade.points[index].node);
}

/* The point that is nearest to a dot and not at it; with a direction only in that one, and what lies aside counts more.
   -1: there is none. */
static int nearest(const struct trade_view *trade, const struct plot *plot, int x, int y, int across, int down)
{
    int found = -1, least = 0;
    for (int i = 0; i < trade->count; i++) {
        int dx = plot_x(plot, trade->points[i].size) - x, dy = plot_y(plot, trade->points[i].accuracy) - y;
        int along = across ? dx * across : dy * down, aside = across ? abs(dy) : abs(dx);
        if ((across || down) && along <= 0)
            continue;
        int distance = across || down ? along + 2 * aside : abs(dx) + abs(dy);
        if (found < 0 || distance < least ||
            (distance == least && trade->points[i].accuracy > trade->points[found].accuracy)) {
            found = i;
            least = distance;
        }
    }
    return found;
}

/* Of a network without a dot the arrows begin at the best or, where the filter leaves that out, on the front. */
static void move(struct model *model, struct area inside, int across, int down)
{
    struct plot plot;
    int at = point_of(&model->trade, model->selected);
    if (!plot_of(model, inside, &plot))
        return;
    if (at < 0 || !plot_has_room(&plot)) {
        int best = point_of(&model->trade, model->state->best);
        select_point(model, best < 0 ? next_of_front(&model->trade, -1, 1) : best);
        return;
    }
    const struct trade_point *point = &model->trade.points[at];
    select_point(
        model, nearest(&model->trade, &plot, plot_x(&plot, point->size), plot_y(&plot, point->accuracy), across, down));
}

/* Of a network without a dot, which is before all of them, the first of the front follows. */
static void move_on_front(struct model *model, int step)
{
    select_point(model, next_of_front(&model->trade, point_of(&model->trade, model->selected), step));
}

static bool request_trade(struct model *model, enum request request, struct area inside)
{
    build(model);
    switch (request) {
    case REQUEST_LEFT:
    case REQUEST_RIGHT:
        move(model, inside, request == REQUEST_LEFT ? -1 : 1, 0);
        return true;
    case REQUEST_UP:
    case REQUEST_DOWN:
        move(model, inside, 0, request == REQUEST_UP ? -1 : 1);
        return true;
    case REQUEST_PAGE_UP:
    case REQUEST_PAGE_DOWN:
        move_on_front(model, request == REQUEST_PAGE_UP ? -1 : 1);
        return true;
    case REQUEST_FIRST:
        select_point(model, next_of_front(&model->trade, -1, 1));
        return true;
    case REQUEST_LAST:
        select_point(model, next_of_front(&model->trade, model->trade.count, -1));
        return true;
    case REQUEST_SORT:
        model->trade.axis = (enum trade_axis)((model->trade.axis + 1) % TRADE_AXES);
        model->trade.stale = true;
        model_say(model, "accuracy over %s", axes[model->trade.axis].word);
        return true;
    default:
        return tree_request(model, request, inside);
    }
}

/* A click selects the nearest dot; the wheel goes along the front. */
static bool mouse_trade(struct model *model, struct area inside, int x, int y, int wheel)
{
    struct plot plot;
    build(model);
    if (!plot_of(model, inside, &plot))
        return false;
    if (wheel)
        move_on_front(model, wheel);
    else
        select_point(model, nearest(&model->trade, &plot, 2 * (x - (plot.area.x - inside.x)) + 1,
                                    4 * (y - (plot.area.y - inside.y)) + 2, 0, 0));
    return true;
}

const struct view view_trade = {
    .draw = draw_trade,
    .title = title_trade,
    .settle = settle_trade,
    .request = request_trade,
    .mouse = mouse_trade,
};
