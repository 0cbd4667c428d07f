/*
 * view_tree.c - the tree: a row for each network with name, status and how it grew, and on the right as many columns of
 * numbers as fit, the most important first.
 */
#include "tui/view.h"

#include <stdio.h>
#include <string.h>

#include "sessions/forecast.h"
#include "tui/filter.h"
#include "tui/node.h"
#include "util/bug.h"

/* The columns of numbers from left to right, each after a blank. */
enum column { COLUMN_ACCURACY, COLUMN_GAIN, COLUMN_PARAMETERS, COLUMN_FLOPS, COLUMN_CURVE, COLUMN_WHERE, COLUMN_COUNT };

struct tree_columns {
    int left;                /* width of the left part */
    int width[COLUMN_COUNT]; /* 0: hidden */
};

enum { LEFT_LEAST = 18, LEFT_GOOD = 30, NEVER = 1000 };

/* Give the columns what the left part can spare, the most important first: in races the gain. */
static struct tree_columns columns_for(int width, bool races)
{
    const struct {
        enum column column;
        int width, least;
    } wanted[] = {
        {COLUMN_ACCURACY, 5, LEFT_LEAST},      {COLUMN_GAIN, 6, races ? LEFT_LEAST + 6 : NEVER},
        {COLUMN_CURVE, 5, LEFT_LEAST + 6},     {COLUMN_GAIN, 6, races ? NEVER : LEFT_GOOD},
        {COLUMN_PARAMETERS, 5, LEFT_GOOD + 2}, {COLUMN_WHERE, 7, LEFT_GOOD + 6},
        {COLUMN_FLOPS, 5, LEFT_GOOD + 6},
    };
    struct tree_columns columns = {.left = width};
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        if (columns.left - wanted[i].width - 1 >= wanted[i].least) {
            columns.width[wanted[i].column] = wanted[i].width;
            columns.left -= wanted[i].width + 1;
        }
    int spare = columns.left - (LEFT_GOOD + 14);
    if (columns.width[COLUMN_CURVE] && spare > 0) {
        spare = spare > 11 ? 11 : spare;
        columns.width[COLUMN_CURVE] += spare;
        columns.left -= spare;
    }
    return columns;
}

/* --- the left part --- */

/* The lines to the left that connect a row with its ancestors; a deep row shows only the nearest. */
static int draw_rails(const struct tree_row *row, struct canvas *canvas, struct area area, int y)
{
    int most = area.width / 3, first = 1, x = 0;
    if (row->depth > most && most > 0) {
        first = row->depth - most + 2;
        canvas_text(canvas, area, x++, y, STYLE_BORDER, "…");
    }
    for (int depth = first; depth <= row->depth; depth++) {
        bool last = row->last_at >> (depth < 63 ? depth : 63) & 1;
        bool passes = depth < row->depth || row->only_child;
        const char *rail = passes ? (last ? " " : "│") : last ? "└" : "├";
        canvas_text(canvas, area, x++, y, STYLE_BORDER, "%s", rail);
    }
    canvas_text(canvas, area, x++, y, STYLE_BORDER, "%s",
                !row->parent  ? (row->only_child ? "└" : row->depth ? "─" : " ")
                : row->folded ? "▸"
                              : "▾");
    return x;
}

/* After the edge: marks of the person and of the search, and how many networks are hidden. */
static void draw_marks(const struct model *model, const struct tree_row *row, const struct session_node *node,
                       struct canvas *canvas, struct area area, int x, int y)
{
    if (node->facts.node == model->state->best)
        x = canvas_text(canvas, area, x + 1, y, STYLE_BEST, "★");
    if (node->pruned_with == node->facts.node)
        x = canvas_text(canvas, area, x + 1, y, STYLE_WARNING, "pruned");
    if (node->pinned)
        x = canvas_text(canvas, area, x + 1, y, STYLE_PINNED, "P");
    if (node_is_users(node))
        x = canvas_text(canvas, area, x + 1, y, STYLE_USER, "you");
    if (model->marked[0] == node->facts.node || model->marked[1] == node->facts.node)
        x = canvas_text(canvas, area, x + 1, y, STYLE_KEY, "◆");
    if (node->note && *node->note)
        x = canvas_text(canvas, area, x + 1, y, STYLE_USER, "✎");
    if (row->folded && row->hidden)
        canvas_text(canvas, area, x + 1, y, STYLE_DIM, "(%lld)", (long long)row->hidden);
    else if (node->known_count)
        canvas_text(canvas, area, x + 1, y, STYLE_DIM, "×%d", node->known_count + 1);
}

/* The width of what draw_marks() draws. */
static int marks_width(const struct model *model, const struct tree_row *row, const struct session_node *node)
{
    int width = 0;
    width += node->facts.node == model->state->best ? 2 : 0;
    width += node->pruned_with == node->facts.node ? 7 : 0;
    width += node->pinned ? 2 : 0;
    width += node_is_users(node) ? 4 : 0;
    width += model->marked[0] == node->facts.node || model->marked[1] == node->facts.node ? 2 : 0;
    width += node->note && *node->note ? 2 : 0;
    if (row->folded && row->hidden)
        width += snprintf(NULL, 0, " (%lld)", (long long)row->hidden);
    else if (node->known_count)
        width += snprintf(NULL, 0, " x%d", node->known_count + 1);
    return width;
}

static void draw_left(const struct model *model, const struct tree_row *row, const struct session_node *node,
                      struct canvas *canvas, struct area area, int y)
{
    struct text edge = TEXT_EMPTY;
    bool dim = node->pruned || !row->matches;
    int x = draw_rails(row, canvas, area, y);
    x = canvas_text(canvas, area, x, y, dim ? STYLE_DIM : STYLE_BOLD, "n%lld", (long long)row->node);
    canvas_glyph(canvas, area, x + 1, y, node_glyph(node), node_style(node->status));
    x += 3;
    int left = area.width - x - marks_width(model, row, node);
    node_edge(model->state, node, canvas->unicode, left, &edge);
    struct area part = area_part(area, 0, 0, x + (left > 3 ? left : 3), area.height);
    x = canvas_text(canvas, part, x, y, dim ? STYLE_DIM : node_edge_style(node), "%s", text_string(&edge));
    draw_marks(model, row, node, canvas, area, x, y);
    text_done(&edge);
}

/* --- the columns --- */

/* A pane this high has a heading. */
enum { HEADED_HEIGHT = 16 };

static struct area rows_area(struct area inside)
{
    return inside.height >= HEADED_HEIGHT ? area_part(inside, 0, 1, inside.width, inside.height - 1) : inside;
}

static void draw_heading(const struct tree_columns *columns, struct canvas *canvas, struct area inside)
{
    static const char *const words[COLUMN_COUNT] = {"  val", "  gain", " size", " FLOP", "curve", "  ended"};
    canvas_text(canvas, area_part(inside, 0, 0, columns->left, 1), 1, 0, STYLE_DIM, "network and how it grew");
    for (int column = 0, x = columns->left + 1; column < COLUMN_COUNT; column++)
        if (columns->width[column]) {
            canvas_text(canvas, inside, x, 0, STYLE_DIM, "%s", words[column]);
            x += columns->width[column] + 1;
        }
}

static void draw_accuracy(const struct session_node *node, struct canvas *canvas, struct area area, int x, int y)
{
    static const char *const words[NODE_STATUS_COUNT] = {" wait", "  new", "    -", " fail", " gone"};
    if (node->status == NODE_DONE || (node->status == NODE_RUNNING && node->curve_count))
        canvas_text(canvas, area, x, y, node_style(node->status), "%5.2f", 100 * node->accuracy);
    else
        canvas_text(canvas, area, x, y, node_style(node->status), "%s", words[node->status]);
}

/* A sparkline of the curve; a progress bar while it trains. */
static void draw_curve(const struct model *model, const struct session_node *node, struct canvas *canvas,
                       struct area area, int x, int y, int width)
{
    struct area part = area_part(area, x, 0, width, area.height);
    if (node->status == NODE_RUNNING)
        canvas_meter(canvas, part, 0, y, width, node_share(node), STYLE_RUNNING);
    else if (node->status == NODE_DONE)
        node_spark(model->state, node, canvas, part, 0, y, width, STYLE_CURVE_A);
}

/* How long ago it ended; of one that trains where. */
static void draw_where(const struct model *model, const struct session_node *node, struct canvas *canvas,
                       struct area area, int x, int y)
{
    char age[TEXT_SHORT];
    struct area part = area_part(area, x, 0, 7, area.height);
    if (node->status == NODE_RUNNING)
        canvas_text(canvas, part, 0, y, STYLE_RUNNING, "%7s", node->device ? node->device : "");
    else if (node->ended > 0)
        canvas_text(canvas, part, 0, y, STYLE_DIM, "%7s", node_age(age, model->now - node->ended));
}

/* In place of numbers: why it failed, in full or in one word. */
static void draw_failure(const struct session_node *node, struct canvas *canvas, struct area area, int y)
{
    const char *why = node->failure ? node->failure : "failed";
    bool whole = canvas_columns(why) <= area.width || area.width > 24;
    canvas_text(canvas, area, 0, y, STYLE_FAILED, "%.200s", whole ? why : failure_name(&node->failure_reason));
}

static void draw_columns(const struct model *model, const struct session_node *node, const struct tree_columns *columns,
                         struct canvas *canvas, struct area area, int y)
{
    if (node->status == NODE_FAILED) {
        draw_failure(node, canvas, area_part(area, columns->left + 1, 0, area.width - columns->left - 1, area.height),
                     y);
        return;
    }
    char number[TEXT_SHORT];
    int x = columns->left + 1;
    for (enum column column = 0; column < COLUMN_COUNT; column++) {
        int width = columns->width[column];
        if (!width)
            continue;
        if (column == COLUMN_ACCURACY)
            draw_accuracy(node, canvas, area, x, y);
        else if (column == COLUMN_GAIN)
            node_draw_gain(model->state, node, canvas, area, x, y, width);
        else if (column == COLUMN_PARAMETERS)
            canvas_text(canvas, area, x, y, STYLE_DIM, "%5s", text_count(number, (double)node->facts.parameters));
        else if (column == COLUMN_FLOPS)
            canvas_text(canvas, area, x, y, STYLE_DIM, "%5s", text_count(number, (double)node->facts.flops));
        else if (column == COLUMN_CURVE)
            draw_curve(model, node, canvas, area, x, y, width);
        else
            draw_where(model, node, canvas, area, x, y);
        x += width + 1;
    }
}

static void draw_tree(const struct model *model, struct canvas *canvas, struct area inside)
{
    struct tree_columns columns = columns_for(inside.width, session_has_phases(model->state));
    if (inside.height >= HEADED_HEIGHT)
        draw_heading(&columns, canvas, inside);
    inside = rows_area(inside);
    if (!model->tree.row_count)
        canvas_text(canvas, inside, 1, 0, STYLE_DIM, "%s",
                    model->tree.filter[0] ? "nothing matches: Escape shows all" : "the start network comes first");
    for (int y = 0; y < inside.height && model->tree.top + y < model->tree.row_count; y++) {
        const struct tree_row *row = &model->tree.rows[model->tree.top + y];
        const struct session_node *node = session_node(model->state, row->node);
        draw_left(model, row, node, canvas, area_part(inside, 0, 0, columns.left, inside.height), y);
        draw_columns(model, node, &columns, canvas, inside, y);
        if (row->node == model->selected)
            canvas_restyle(canvas, inside, y, STYLE_SELECTED);
    }
}

static int found(const struct model *model)
{
    int count = 0;
    for (int i = 0; i < model->tree.row_count; i++)
        count += model->tree.rows[i].matches;
    return count;
}

static void title_tree(const struct model *model, struct text *text)
{
    static const char *const orders[ORDER_COUNT] = {"", "by accuracy, ", "by gain, ", "by size, "};
    int64_t count = model->state->node_count;
    if (model->tree.filter[0])
        text_add(text, "/%s, %d found", model->tree.filter, found(model));
    else
        text_add(text, "%s%lld network%s%s", orders[model->tree.order], (long long)count, count == 1 ? "" : "s",
                 model->follow && !model->state->finished ? ", following" : "");
}

static void settle_tree(struct model *model, struct area inside)
{
    inside = rows_area(inside);
    int row = tree_row_of(model, model->selected), last = model->tree.row_count - inside.height;
    if (row >= 0 && row >= model->tree.top + inside.height)
        model->tree.top = row - inside.height + 1;
    if (row >= 0 && row < model->tree.top)
        model->tree.top = row;
    if (model->tree.top > last)
        model->tree.top = last;
    if (model->tree.top < 0)
        model->tree.top = 0;
}

/* --- requests --- */

static void select_row(struct model *model, int row)
{
    row = row >= model->tree.row_count ? model->tree.row_count - 1 : row;
    row = row < 0 ? 0 : row;
    if (row < model->tree.row_count)
        tree_select(model, model->tree.rows[row].node);
}

static void go_left(struct model *model, int row)
{
    const struct session_node *node = session_node(model->state, model->selected);
    if (row >= 0 && model->tree.rows[row].parent && !model->tree.rows[row].folded && !model->tree.filter[0])
        tree_fold(model, model->selected, true);
    else if (node && node->facts.parent)
        tree_select(model, node->facts.parent);
}

static void go_right(struct model *model, int row)
{
    const struct tree_row *rows = model->tree.rows;
    if (row >= 0 && rows[row].folded)
        tree_fold(model, model->selected, false);
    else if (row >= 0 && row + 1 < model->tree.row_count &&
             session_node(model->state, rows[row + 1].node)->facts.parent == rows[row].node)
        tree_select(model, rows[row + 1].node);
}

static void find(struct model *model, int row, int direction)
{
    if (!model->tree.filter[0]) {
        model_say(model, "/ finds networks first");
        return;
    }
    int from = row < 0 && direction < 0 ? 0 : row; /* without a selected row, begin with the first or the last */
    for (int i = 1; i <= model->tree.row_count; i++) {
        int place = (from + direction * i + 2 * model->tree.row_count) % model->tree.row_count;
        if (model->tree.rows[place].matches) {
            tree_select(model, model->tree.rows[place].node);
            return;
        }
    }
    model_say(model, "nothing matches %s", model->tree.filter);
}

bool tree_find(struct model *model, const char *what)
{
    struct filter filter;
    struct error error;
    if (filter_parse(what, model->state, &filter, &error)) {
        model_say(model, "%s", error.text);
        return false;
    }
    snprintf(model->tree.filter, sizeof model->tree.filter, "%s", what);
    model->tree.stale = model->tree.matches_stale = true;
    bool seen = model->selected <= model->state->node_count && tree_matches(model)[model->selected];
    if (!model->board.open)
        tree_build(model);
    if (seen || !model->tree.filter[0])
        return true;
    if (!model->board.open)
        find(model, -1, 1);
    else if (!board_select_first(model))
        model_say(model, "nothing matches %s", model->tree.filter);
    return true;
}

static void mark(struct model *model)
{
    int64_t node = model->selected, *marked = model->marked;
    char key[16];
    if (marked[0] == node) {
        marked[0] = marked[1];
        marked[1] = 0;
    } else if (marked[1] == node) {
        marked[1] = 0;
    } else if (!marked[0]) {
        marked[0] = node;
    } else {
        if (marked[1])
            marked[0] = marked[1];
        marked[1] = node;
    }
    if (marked[0] && marked[1])
        model_say(model, "n%lld and n%lld are marked: %s compares them", (long long)marked[0], (long long)marked[1],
                  request_key(REQUEST_COMPARE, key));
    else if (marked[0])
        model_say(model, "n%lld is marked: mark another with %s to compare", (long long)marked[0],
                  request_key(REQUEST_MARK, key));
}

static void sort(struct model *model)
{
    static const char *const words[ORDER_COUNT] = {"number", "accuracy", "gain", "parameters"};
    model->tree.order = (enum tree_order)((model->tree.order + 1) % ORDER_COUNT);
    model->tree.stale = true;
    model_say(model, "siblings by %s", words[model->tree.order]);
}

bool tree_request(struct model *model, enum request request, struct area inside)
{
    tree_build(model);
    if (model->board.open && board_request(model, request, inside))
        return true;
    int row = tree_row_of(model, model->selected), target = row;
    if (scroll_request(&target, request, inside.height)) {
        select_row(model, target);
        return true;
    }
    switch (request) {
    case REQUEST_LEFT:
        go_left(model, row);
        return true;
    case REQUEST_RIGHT:
        go_right(model, row);
        return true;
    case REQUEST_FOLD_ALL:
        tree_fold_below(model, model->selected, true);
        return true;
    case REQUEST_UNFOLD_ALL:
        tree_fold_below(model, model->selected, false);
        return true;
    case REQUEST_SORT:
        sort(model);
        return true;
    case REQUEST_FIND_NEXT:
        find(model, row, 1);
        return true;
    case REQUEST_FIND_PREVIOUS:
        find(model, row, -1);
        return true;
    case REQUEST_MARK:
        mark(model);
        return true;
    default:
        return false;
    }
}

/* A click selects, a click on the selected row folds; the wheel moves the selection. */
static bool mouse_tree(struct model *model, struct area inside, int x, int y, int wheel)
{
    tree_build(model);
    int row = model->tree.top + y - (rows_area(inside).y - inside.y);
    if (wheel) {
        select_row(model, tree_row_of(model, model->selected) + 3 * wheel);
        return true;
    }
    if (row < 0 || row >= model->tree.row_count)
        return false;
    if (model->tree.rows[row].node == model->selected && model->tree.rows[row].parent)
        tree_fold(model, model->selected, !model->tree.rows[row].folded);
    select_row(model, row);
    return true;
}

const struct view view_tree = {
    .draw = draw_tree,
    .title = title_tree,
    .settle = settle_tree,
    .request = tree_request,
    .mouse = mouse_tree,
};
