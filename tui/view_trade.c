/*
 * view_trade.c - accuracy against parameters: a dot for each trained network (dim: a control), and the Pareto front.
 *
 * Each column of dots remembers its best network; the front is the running maximum from left to right. So a frame costs
 * O(n) and is exact to a dot.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/node.h"
#include "tui/view.h"
#include "util/memory.h"
#include "util/round.h"

enum { AXIS = 6 }; /* columns of the labels and their line */

struct trade {
    struct area area;
    double left, right; /* log10 of parameters */
    double low, high;   /* accuracy */
};

static bool is_shown(const struct session_node *node)
{
    return node->status == NODE_DONE && node->accuracy >= 0 && node->accuracy <= 1 && node->facts.parameters > 0;
}

static int dot_x(const struct trade *trade, const struct session_node *node)
{
    double share = (log10((double)node->facts.parameters) - trade->left) / (trade->right - trade->left);
    return round_within(share * (2 * trade->area.width - 1), 0, 2 * trade->area.width - 1);
}

static int dot_y(const struct trade *trade, double accuracy)
{
    double share = (trade->high - accuracy) / (trade->high - trade->low);
    return round_within(share * (4 * trade->area.height - 1), 0, 4 * trade->area.height - 1);
}

/* The axes span all sizes, but only the better accuracies: the worst would squeeze the rest together. */
static bool span(const struct session_state *state, struct trade *trade)
{
    double sum = 0, square = 0, lowest = INFINITY;
    int64_t count = 0;
    trade->left = INFINITY;
    trade->right = trade->high = -INFINITY;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (!is_shown(node))
            continue;
        double size = log10((double)node->facts.parameters);
        trade->left = fmin(trade->left, size);
        trade->right = fmax(trade->right, size);
        trade->high = fmax(trade->high, node->accuracy);
        lowest = fmin(lowest, node->accuracy);
        sum += node->accuracy;
        square += node->accuracy * node->accuracy;
        count++;
    }
    if (!count)
        return false;
    double mean = sum / (double)count, deviation = sqrt(fmax(square / (double)count - mean * mean, 0));
    trade->low = fmax(lowest, mean - 2 * deviation);
    if (trade->high - trade->low < 0.002)
        trade->low = trade->high - 0.002;
    if (trade->right - trade->left < 0.01) {
        trade->left -= 0.05;
        trade->right += 0.05;
    }
    return true;
}

static void draw_front(const struct session_state *state, const struct trade *trade, struct canvas *canvas)
{
    int columns = 2 * trade->area.width, last_x = -1, last_y = 0;
    double *best = memory_new((size_t)columns, sizeof *best), reached = -1;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (!is_shown(node))
            continue;
        int x = dot_x(trade, node);
        canvas_dot(canvas, trade->area, x, dot_y(trade, node->accuracy),
                   node->facts.by.value == AUTHOR_CONTROL ? STYLE_DIM : STYLE_CURVE_A);
        if (x >= 0 && x < columns)
            best[x] = fmax(best[x], node->accuracy);
    }
    for (int x = 0; x < columns; x++) {
        if (best[x] <= 0 || best[x] <= reached)
            continue;
        int y = dot_y(trade, best[x]);
        if (last_x >= 0) { /* horizontal until this size, then up */
            canvas_line(canvas, trade->area, last_x, last_y, x, last_y, STYLE_CURVE_C);
            canvas_line(canvas, trade->area, x, last_y, x, y, STYLE_CURVE_C);
        }
        last_x = x;
        last_y = y;
        reached = best[x];
    }
    if (last_x >= 0)
        canvas_line(canvas, trade->area, last_x, last_y, columns - 1, last_y, STYLE_CURVE_C);
    free(best);
}

static void draw_mark(const struct session_state *state, const struct trade *trade, struct canvas *canvas,
                      int64_t number, uint32_t glyph, enum style style)
{
    const struct session_node *node = session_node(state, number);
    if (node && is_shown(node) && trade->area.width > 0 && trade->area.height > 0)
        canvas_glyph(canvas, trade->area, dot_x(trade, node) / 2, dot_y(trade, node->accuracy) / 4, glyph, style);
}

static void draw_axes(const struct trade *trade, struct canvas *canvas, struct area inside)
{
    char low[TEXT_SHORT], high[TEXT_SHORT];
    int y = trade->area.y - inside.y + trade->area.height;
    for (int row = 0; row < trade->area.height; row++)
        canvas_glyph(canvas, inside, AXIS - 1, trade->area.y - inside.y + row, L'│', STYLE_BORDER);
    canvas_text(canvas, inside, 0, 0, STYLE_DIM, "%5.1f", 100 * trade->high);
    if (trade->area.height > 1)
        canvas_text(canvas, inside, 0, trade->area.height - 1, STYLE_DIM, "%5.1f", 100 * trade->low);
    if (y >= inside.height)
        return;
    canvas_glyph(canvas, inside, AXIS - 1, y, L'└', STYLE_BORDER);
    for (int x = 0; x < trade->area.width; x++)
        canvas_glyph(canvas, inside, AXIS + x, y, L'─', STYLE_BORDER);
    int x = canvas_text(canvas, inside, AXIS, y, STYLE_DIM, "%s", text_count(low, pow(10, trade->left)));
    canvas_text_right(canvas, inside, 0, x + 1, y, STYLE_DIM, "%s", text_count(high, pow(10, trade->right)));
}

static void draw_trade(const struct model *model, struct canvas *canvas, struct area inside)
{
    const struct session_state *state = model->state;
    bool axis = inside.height >= 3;
    struct trade trade = {.area = area_part(inside, AXIS, 0, inside.width - AXIS, inside.height - axis)};
    if (!span(state, &trade)) {
        canvas_text(canvas, inside, 0, 0, STYLE_DIM, "no network is trained yet");
        return;
    }
    if (trade.area.width < 2 || trade.area.height < 1)
        return;
    draw_axes(&trade, canvas, inside);
    draw_front(state, &trade, canvas);
    for (int64_t i = 1; i <= state->node_count; i++)
        if (node_is_final(session_node(state, i)))
            draw_mark(state, &trade, canvas, i, node_glyph(session_node(state, i)),
                      node_edge_style(session_node(state, i)));
    draw_mark(state, &trade, canvas, state->best, L'★', STYLE_BEST);
    if (model->selected != state->best)
        draw_mark(state, &trade, canvas, model->selected, L'●', STYLE_HEADER);
}

static void title_trade(const struct model *model, struct text *text)
{
    text_add(text, "accuracy %% over parameters, ★ best ● selected%s",
             session_phase(model->state) > PHASE_GROWTH ? ", □ baseline ▣ retrain ■ finish" : "");
}

const struct view view_trade = {.draw = draw_trade, .title = title_trade, .request = tree_request};
