/*
 * view_board.c - the leaderboard: the networks as a flat list in the tree's place, sorted by any column.
 *
 * The rows are sorted anew when networks have changed, and scroll with the selected one, so that it stays in its place
 * on the screen.  Networks without a value of the sorted column come last, whatever the direction.  The tree's filter
 * holds here too.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/node.h"
#include "tui/view.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/sort.h"

/* --- the columns --- */

static double value_of(const struct model *model, const struct session_node *node, enum board_column column)
{
    double gain;
    int64_t over;
    switch (column) {
    case BOARD_ACCURACY:
        return node->status == NODE_DONE ? 100 * node->accuracy : NAN;
    case BOARD_GAIN:
        return node->status == NODE_DONE && node_gain(model->state, node, &gain, &over) ? 100 * gain : NAN;
    case BOARD_PARAMETERS:
        return (double)node->facts.parameters;
    case BOARD_FLOPS:
        return (double)node->facts.flops;
    case BOARD_LOSS:
        return node->status == NODE_DONE ? node->loss : NAN;
    case BOARD_SPEED:
        return node->images_per_second > 0 ? node->images_per_second : NAN;
    case BOARD_SECONDS:
        return node->seconds > 0 ? node->seconds : NAN;
    default:
        return (double)node->facts.node;
    }
}

/* Heading, width, and whether the best is the smallest.  The most important first: a narrow pane leaves out the last.
 */
static const struct {
    const char *heading, *word;
    int width;
    bool ascending;
} columns[BOARD_COLUMNS] = {
    [BOARD_ACCURACY] = {"val", "accuracy", 5, false},
    [BOARD_GAIN] = {"gain", "gain", 6, false},
    [BOARD_PARAMETERS] = {"size", "parameters", 5, true},
    [BOARD_FLOPS] = {"FLOP", "FLOPs", 5, true},
    [BOARD_LOSS] = {"loss", "loss", 6, true},
    [BOARD_SPEED] = {"img/s", "images a second", 5, false},
    [BOARD_SECONDS] = {"time", "training time", 6, true},
    [BOARD_NUMBER] = {"n", "number", 0, true},
};

static void print_value(const struct model *model, const struct session_node *node, enum board_column column,
                        char text[TEXT_SHORT])
{
    double value = value_of(model, node, column);
    *text = '\0';
    if (isnan(value))
        return;
    if (column == BOARD_ACCURACY)
        snprintf(text, TEXT_SHORT, "%.2f", value);
    else if (column == BOARD_GAIN)
        snprintf(text, TEXT_SHORT, "%+.2f", value);
    else if (column == BOARD_LOSS)
        snprintf(text, TEXT_SHORT, "%.4f", value);
    else if (column == BOARD_SECONDS)
        text_duration(text, value);
    else
        text_count(text, value);
}

/* --- the rows --- */

static int compare(const void *left, const void *right)
{
    const struct board_row *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->node < b->node ? -1 : 1;
}

static int row_of(const struct model *model, int64_t node)
{
    for (int i = 0; i < model->board.count; i++)
        if (model->board.rows[i].node == node)
            return i;
    return -1;
}

static void add_row(struct model *model, int64_t number)
{
    struct board_view *board = &model->board;
    double value = value_of(model, session_node(model->state, number), board->column);
    board->all[board->all_count++] =
        (struct board_row){number, isnan(value) ? INFINITY : board->ascending ? value : -value};
}

/* First the networks that have a row, in the order of these, since few of them change places; then the others. */
static void collect_rows(struct model *model)
{
    struct board_view *board = &model->board;
    size_t count = (size_t)model->state->node_count + 1, before = (size_t)board->all_count;
    bool *listed = memory_new(count, sizeof *listed);
    board->all = memory_resize(board->all, count > before ? count : before, sizeof *board->all);
    board->all_count = 0;
    for (size_t i = 0; i < before; i++) { /* never ahead of `i` */
        int64_t number = board->all[i].node;
        if (number >= (int64_t)count)
            continue;
        listed[number] = true;
        add_row(model, number);
    }
    for (int64_t i = 1; i < (int64_t)count; i++)
        if (!listed[i])
            add_row(model, i);
    free(listed);
}

/* Sorting is for all rows, so that a letter of a filter only picks some. */
void board_build(struct model *model)
{
    struct board_view *board = &model->board;
    if (!board->open)
        return;
    const bool *matches = tree_matches(model);
    if (!board->stale && board->filtered == model->tree.matches_version)
        return;
    int before = row_of(model, model->selected);
    if (board->stale) {
        collect_rows(model);
        sort_nearly(board->all, (size_t)board->all_count, sizeof *board->all, compare);
    }
    board->rows = memory_resize(board->rows, (size_t)board->all_count + 1, sizeof *board->rows);
    board->count = 0;
    for (int i = 0; i < board->all_count; i++)
        if (matches[board->all[i].node])
            board->rows[board->count++] = board->all[i];
    board->filtered = model->tree.matches_version;
    board->stale = false;
    int after = row_of(model, model->selected);
    if (before >= 0 && after >= 0)
        board->top += after - before;
}

static void select_row(struct model *model, int row)
{
    row = row >= model->board.count ? model->board.count - 1 : row;
    row = row < 0 ? 0 : row;
    if (row < model->board.count)
        tree_select(model, model->board.rows[row].node);
}

bool board_select_first(struct model *model)
{
    board_build(model);
    select_row(model, 0);
    return model->board.count > 0;
}

/* --- drawing --- */

enum { RANK = 5, NAME = 9, EDGE_LEAST = 8 };

/* The columns that fit, the sorted one among them; returns the place where the edge begins. */
static int choose_columns(const struct model *model, int width, bool shown[BOARD_COLUMNS])
{
    enum board_column sorted = model->board.column;
    int x = RANK + NAME;
    memset(shown, 0, sizeof *shown * BOARD_COLUMNS);
    if (columns[sorted].width && x + columns[sorted].width + 1 <= width) {
        shown[sorted] = true;
        x += columns[sorted].width + 1;
    }
    for (int column = 0; column < BOARD_NUMBER; column++)
        if (!shown[column] &&
            x + columns[column].width + 1 + (column > BOARD_PARAMETERS ? 3 : 1) * EDGE_LEAST <= width) {
            shown[column] = true;
            x += columns[column].width + 1;
        }
    return x + 1;
}

static void draw_heading(const struct model *model, const bool shown[BOARD_COLUMNS], int edge, struct canvas *canvas,
                         struct area inside)
{
    const struct board_view *board = &model->board;
    const char *arrow = board->ascending ? "▴" : "▾";
    int x = RANK + NAME;
    canvas_text(canvas, inside, 0, 0, STYLE_DIM, "rank");
    if (board->column == BOARD_NUMBER)
        canvas_text(canvas, inside, RANK + 1, 0, STYLE_KEY, "n%s", arrow);
    for (int column = 0; column < BOARD_NUMBER; column++) {
        if (!shown[column])
            continue;
        bool sorted = column == (int)board->column;
        int width = columns[column].width, length = (int)strlen(columns[column].heading) + sorted;
        canvas_text(canvas, inside, x + (width > length ? width - length : 0), 0, sorted ? STYLE_KEY : STYLE_DIM,
                    "%s%s", columns[column].heading, sorted ? arrow : "");
        x += width + 1;
    }
    if (edge + (int)strlen("how it grew") <= inside.width)
        canvas_text(canvas, inside, edge, 0, STYLE_DIM, "how it grew");
}

static void draw_row(const struct model *model, int row, const bool shown[BOARD_COLUMNS], int edge,
                     struct canvas *canvas, struct area inside, int y)
{
    const struct session_node *node = session_node(model->state, model->board.rows[row].node);
    struct text how = TEXT_EMPTY;
    char value[TEXT_SHORT];
    canvas_text(canvas, area_part(inside, 0, 0, RANK - 1, inside.height), 0, y, STYLE_DIM, "%4d", row + 1);
    int x = canvas_text(canvas, inside, RANK, y, node->pruned ? STYLE_DIM : STYLE_BOLD, "n%lld",
                        (long long)node->facts.node);
    canvas_glyph(canvas, inside, x < RANK + NAME - 2 ? x + 1 : x, y, node_glyph(node), node_style(node->status));
    x = RANK + NAME;
    for (int column = 0; column < BOARD_NUMBER; column++) {
        if (!shown[column])
            continue;
        print_value(model, node, (enum board_column)column, value);
        bool loss = column == BOARD_GAIN && value[0] == '-', gain = column == BOARD_GAIN && !loss;
        canvas_text(canvas, inside, x, y,
                    loss     ? STYLE_LOSS
                    : gain   ? STYLE_GAIN
                    : column ? STYLE_DIM
                             : STYLE_NORMAL,
                    "%*s", columns[column].width, value);
        x += columns[column].width + 1;
    }
    bool best = node->facts.node == model->state->best;
    int room = inside.width - edge - (best ? 2 : 0) - (node->pinned ? 2 : 0);
    if (room >= 3) {
        node_edge(model->state, node, canvas->unicode, room, &how);
        x = canvas_text(canvas, area_part(inside, 0, 0, edge + room, inside.height), edge, y,
                        node->pruned ? STYLE_DIM : node_edge_style(node), "%s", text_string(&how));
        if (best)
            x = canvas_text(canvas, inside, x + 1, y, STYLE_BEST, "★");
        if (node->pinned)
            canvas_text(canvas, inside, x + 1, y, STYLE_PINNED, "P");
    }
    text_done(&how);
    if (node->facts.node == model->selected)
        canvas_restyle(canvas, inside, y, STYLE_SELECTED);
}

static struct area rows_area(struct area inside)
{
    return inside.height > 2 ? area_part(inside, 0, 1, inside.width, inside.height - 1) : inside;
}

static void draw_board(const struct model *model, struct canvas *canvas, struct area inside)
{
    bool shown[BOARD_COLUMNS];
    int edge = choose_columns(model, inside.width, shown);
    struct area rows = rows_area(inside);
    if (rows.y != inside.y)
        draw_heading(model, shown, edge, canvas, inside);
    for (int y = 0; y < rows.height && model->board.top + y < model->board.count; y++)
        draw_row(model, model->board.top + y, shown, edge, canvas, rows, y);
    if (!model->board.count)
        canvas_text(canvas, rows, 1, 0, STYLE_DIM, "%s",
                    model->tree.filter[0] ? "nothing matches: Escape shows all" : "the start network comes first");
}

static void title_board(const struct model *model, struct text *text)
{
    if (model->tree.filter[0])
        text_add(text, "/%s, %d found", model->tree.filter, model->board.count);
    else
        text_add(text, "by %s, %d", columns[model->board.column].word, model->board.count);
}

static void settle_board(struct model *model, struct area inside)
{
    struct area rows = rows_area(inside);
    int row = row_of(model, model->selected), *top = &model->board.top;
    if (row >= 0 && row >= *top + rows.height)
        *top = row - rows.height + 1;
    if (row >= 0 && row < *top)
        *top = row;
    scroll_settle(top, model->board.count - rows.height);
}

/* --- requests --- */

void board_toggle(struct model *model)
{
    model->board.open = !model->board.open;
    model->board.stale = true;
    board_build(model);
}

static void sort_by(struct model *model, enum board_column column, bool ascending)
{
    model->board.column = column;
    model->board.ascending = ascending;
    model->board.stale = true;
    board_build(model);
    model_say(model, "by %s, %s first", columns[column].word, ascending ? "the smallest" : "the largest");
}

bool board_request(struct model *model, enum request request, struct area inside)
{
    board_build(model);
    struct board_view *board = &model->board;
    int row = row_of(model, model->selected), target = row;
    enum board_column next = (enum board_column)((board->column + 1) % BOARD_COLUMNS);
    if (scroll_request(&target, request, rows_area(inside).height)) {
        select_row(model, target);
        return true;
    }
    switch (request) {
    case REQUEST_SORT:
        sort_by(model, next, columns[next].ascending);
        return true;
    case REQUEST_REVERSE:
        sort_by(model, board->column, !board->ascending);
        return true;
    case REQUEST_FIND_NEXT:
    case REQUEST_FIND_PREVIOUS: /* every row is a match */
        select_row(model, row + (request == REQUEST_FIND_NEXT ? 1 : -1));
        return true;
    case REQUEST_LEFT:
    case REQUEST_RIGHT:
    case REQUEST_FOLD_ALL:
    case REQUEST_UNFOLD_ALL:
        return true; /* of a tree */
    default:
        return false;
    }
}

/* A click on the heading sorts by that column, and again reverses; one on a row selects it. */
static bool mouse_board(struct model *model, struct area inside, int x, int y, int wheel)
{
    bool shown[BOARD_COLUMNS];
    struct area rows = rows_area(inside);
    board_build(model);
    int row = model->board.top + y - (rows.y - inside.y), left = RANK + NAME;
    if (wheel) {
        select_row(model, row_of(model, model->selected) + 3 * wheel);
        return true;
    }
    if (y >= rows.y - inside.y) {
        if (row < model->board.count)
            select_row(model, row);
        return true;
    }
    choose_columns(model, inside.width, shown);
    for (int column = 0; column < BOARD_NUMBER; column++) {
        if (!shown[column])
            continue;
        if (x >= left && x <= left + columns[column].width)
            sort_by(model, (enum board_column)column,
                    column == (int)model->board.column ? !model->board.ascending : columns[column].ascending);
        left += columns[column].width + 1;
    }
    return true;
}

void board_done(struct board_view *board)
{
    free(board->all);
    free(board->rows);
}

const struct view view_board = {
    .draw = draw_board,
    .title = title_board,
    .settle = settle_board,
    .request = board_request,
    .mouse = mouse_board,
};
