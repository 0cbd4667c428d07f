/*
 * heat_map.c - what the policy proposes: a row for each action at a layer, a column for each episode, darker where more
 * of the episode's proposals have it; beside it what these networks gained, and below it the policy's entropy.
 *
 * It takes the controller's pane.  Where there are more episodes than columns, a column stands for several.  A frame
 * counts the choices of the rows that are on the screen anew, for its width.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/view.h"
#include "util/bug.h"
#include "util/memory.h"

static const char *const order_words[HEAT_ORDERS] = {
    [HEAT_BY_COUNT] = "commonest first", [HEAT_BY_LAYER] = "by layer", [HEAT_BY_GAIN] = "largest gain first"};

/* --- the rows --- */

static int rank_of(char action)
{
    return action == 'w' ? 2 : action == 'd';
}

/* Widening and deepening first, as the policy decides; layers of a kind by number. */
static int by_layer(const struct policy_choice *a, const struct policy_choice *b)
{
    int rank_a = rank_of(a->name[0]), rank_b = rank_of(b->name[0]);
    size_t kind_a = strcspn(a->name, "0123456789"), kind_b = strcspn(b->name, "0123456789");
    if (rank_a != rank_b)
        return rank_b - rank_a;
    if (kind_a != kind_b || strncmp(a->name, b->name, kind_a))
        return strcmp(a->name, b->name);
    long number_a = strtol(a->name + kind_a, NULL, 10), number_b = strtol(b->name + kind_b, NULL, 10);
    return (number_a > number_b) - (number_a < number_b);
}

static int compare(const struct heat_view *heat, int left, int right)
{
    const struct policy_choice *a = &heat->map.choices[left], *b = &heat->map.choices[right];
    if (heat->order == HEAT_BY_COUNT && a->proposals != b->proposals)
        return a->proposals > b->proposals ? -1 : 1;
    if (heat->order == HEAT_BY_GAIN && !a->networks != !b->networks)
        return a->networks ? -1 : 1;
    if (heat->order == HEAT_BY_GAIN && a->gain != b->gain)
        return a->gain > b->gain ? -1 : 1;
    return by_layer(a, b);
}

/* At most POLICY_CHOICES_MAX, and almost in order already. */
static void sort_rows(struct heat_view *heat)
{
    for (int i = 0; i < heat->map.choice_count; i++) {
        int at = i;
        for (; at > 0 && compare(heat, heat->rows[at - 1], i) > 0; at--)
            heat->rows[at] = heat->rows[at - 1];
        heat->rows[at] = i;
    }
}

static void update(struct model *model)
{
    struct heat_view *heat = &model->heat;
    bool grown =
        heat->map.proposals_read < model->state->proposal_count || heat->map.policies_read < model->state->policy_count;
    if (!heat->stale && !grown)
        return;
    policy_map_update(&heat->map, model->state);
    sort_rows(heat);
    heat->stale = false;
}

/* --- where things are --- */

enum { LABEL_MOST = 16, GAIN = 7, NETWORKS = 6, LINES_BELOW = 2, CELL_MOST = 6 };

struct heat {
    const struct policy_map *map;
    struct canvas *canvas;
    struct area inside, cells;
    int each;    /* episodes in a column */
    int columns; /* of the map, each `width` wide on the screen */
    int width;
    bool networks; /* room for their number beside the gain */
};

/* "widen:conv2" as "W conv2"; returns its columns. */
static int label_of(const struct policy_choice *choice, char label[POLICY_CHOICE_NAME])
{
    const char *colon = strchr(choice->name, ':');
    return snprintf(label, POLICY_CHOICE_NAME, "%c%s%s", toupper((unsigned char)choice->name[0]), colon ? " " : "",
                    colon ? colon + 1 : "");
}

static struct heat heat_in(const struct model *model, struct canvas *canvas, struct area inside)
{
    struct heat heat = {.map = &model->heat.map, .canvas = canvas, .inside = inside};
    char label[POLICY_CHOICE_NAME];
    int left = 7; /* "entropy" */
    for (int i = 0; i < heat.map->choice_count; i++) {
        int length = label_of(&heat.map->choices[i], label);
        left = length > left ? length : left;
    }
    left = left > LABEL_MOST ? LABEL_MOST : left;
    heat.networks = inside.width >= 2 * left + GAIN + NETWORKS;
    int room = inside.width - left - 1 - GAIN - (heat.networks ? NETWORKS : 0), count = heat.map->column_count;
    if (room < 1 || count < 1)
        return heat;
    heat.each = (count + room - 1) / room;
    heat.columns = (count + heat.each - 1) / heat.each;
    heat.width = room / heat.columns < CELL_MOST ? room / heat.columns : CELL_MOST;
    int lines = inside.height - 1 - LINES_BELOW;
    heat.cells = area_part(inside, left + 1, 1, heat.columns * heat.width, lines > 0 ? lines : 0);
    return heat;
}

/* --- drawing --- */

static void draw_cell(const struct heat *heat, int column, int y, double share)
{
    static const uint32_t shades[] = {L'░', L'▒', L'▓', L'█'};
    int shade = (int)ceil(4 * share) - 1;
    for (int x = 0; x < heat->width && shade >= 0; x++)
        canvas_glyph(heat->canvas, heat->cells, column * heat->width + x, y, shades[shade > 3 ? 3 : shade],
                     STYLE_CURVE_D);
}

/* Count the choices of the rows from `top` on, column by column. */
static void draw_cells(const struct heat *heat, const struct heat_view *view)
{
    const struct policy_map *map = heat->map;
    int row_of[POLICY_CHOICES_MAX], lines = heat->cells.height;
    size_t count = (size_t)heat->columns * (size_t)lines, first = 0;
    int *counts = memory_new(count + 1, sizeof *counts);
    int64_t *proposals = memory_new((size_t)heat->columns, sizeof *proposals);
    for (int i = 0; i < map->choice_count; i++)
        row_of[view->rows[i]] = i - view->top;
    for (int i = 0; i < map->column_count; i++)
        proposals[i / heat->each] += map->columns[i].proposals;
    for (int64_t i = 0; i < map->count; first = map->proposals[i++].end)
        for (size_t j = first; j < map->proposals[i].end; j++) {
            int row = row_of[map->chosen[j]];
            if (row >= 0 && row < lines)
                counts[row * heat->columns + map->proposals[i].column / heat->each]++;
        }
    for (int row = 0; row < lines; row++)
        for (int column = 0; column < heat->columns; column++)
            draw_cell(heat, column, row, (double)counts[row * heat->columns + column] / (double)proposals[column]);
    free(counts);
    free(proposals);
}

static void draw_row(const struct heat *heat, const struct policy_choice *choice, int y)
{
    char label[POLICY_CHOICE_NAME];
    int x = heat->inside.width - GAIN - (heat->networks ? NETWORKS : 0);
    label_of(choice, label);
    canvas_text(heat->canvas, area_part(heat->inside, 0, 0, heat->cells.x - heat->inside.x - 1, heat->inside.height), 0,
                y, STYLE_NORMAL, "%s", label);
    if (choice->networks)
        canvas_text(heat->canvas, heat->inside, x, y, choice->gain < 0 ? STYLE_LOSS : STYLE_GAIN, "%+*.2f", GAIN,
                    100 * choice->gain);
    if (heat->networks)
        canvas_text(heat->canvas, heat->inside, x + GAIN, y, STYLE_DIM, "%*lld", NETWORKS, (long long)choice->networks);
}

/* Below the rows, each value above its episodes: of several the last. */
static void draw_entropy(const struct heat *heat, int y)
{
    double highest = 0, last = NAN;
    for (int i = 0; i < heat->map->column_count; i++)
        highest = fmax(highest, heat->map->columns[i].entropy);
    double *values = memory_new((size_t)(heat->columns * heat->width), sizeof *values);
    for (int column = 0; column < heat->columns; column++) {
        double value = NAN;
        for (int i = column * heat->each; i < (column + 1) * heat->each && i < heat->map->column_count; i++)
            value = isnan(heat->map->columns[i].entropy) ? value : heat->map->columns[i].entropy;
        for (int x = 0; x < heat->width; x++)
            values[column * heat->width + x] = value;
        last = isnan(value) ? last : value;
    }
    if (!isnan(last)) {
        int left = heat->cells.x - heat->inside.x, width = heat->cells.width;
        canvas_text(heat->canvas, heat->inside, 0, y, STYLE_DIM, "entropy");
        canvas_spark(heat->canvas, heat->inside, left, y, width, values, width, 0, highest, STYLE_CURVE_C);
        canvas_text(heat->canvas, heat->inside, heat->inside.width - GAIN - (heat->networks ? NETWORKS : 0), y,
                    STYLE_NORMAL, "%*.2f", GAIN, last);
    }
    free(values);
}

/* "episode 1 … 80", or how many of them a column stands for. */
static void draw_axis(const struct heat *heat, int y)
{
    int left = heat->cells.x - heat->inside.x, end = left + heat->cells.width;
    char last[TEXT_SHORT], each[40];
    snprintf(last, sizeof last, "%lld", (long long)heat->map->columns[heat->map->column_count - 1].episode);
    snprintf(each, sizeof each, "%d episodes a column", heat->each);
    int from = end - (int)strlen(last);
    canvas_text(heat->canvas, heat->inside, 0, y, STYLE_DIM, "episode");
    int x =
        canvas_text(heat->canvas, heat->inside, left, y, STYLE_DIM, "%lld", (long long)heat->map->columns[0].episode);
    if (from > x)
        canvas_text(heat->canvas, heat->inside, from, y, STYLE_DIM, "%s", last);
    if (heat->each > 1 && x + (int)strlen(each) + 2 < from)
        canvas_text(heat->canvas, heat->inside, (x + from - (int)strlen(each)) / 2, y, STYLE_DIM, "%s", each);
}

/* What the shades say, or that the policy has collapsed; at the right the headings, where they have room. */
static void draw_top(const struct model *model, const struct heat *heat)
{
    struct text words = TEXT_EMPTY;
    int right = heat->inside.width - GAIN - (heat->networks ? NETWORKS : 0);
    bool collapsed = policy_has_collapsed(model->state, &words);
    if (!collapsed)
        text_add(&words, heat->canvas->unicode ? "░▒▓█ share of its proposals" : ".:+# share of its proposals");
    int end =
        canvas_text(heat->canvas, heat->inside, 0, 0, collapsed ? STYLE_WARNING : STYLE_DIM, "%s", text_string(&words));
    if (end <= right + GAIN - 4)
        canvas_text(heat->canvas, heat->inside, right, 0, STYLE_DIM, "%*s%*s", GAIN, "gain",
                    heat->networks ? NETWORKS : 0, heat->networks ? "nets" : "");
    text_done(&words);
}

void heat_map_draw(const struct model *model, struct canvas *canvas, struct area inside)
{
    const struct heat_view *view = &model->heat;
    struct heat heat = heat_in(model, canvas, inside);
    if (!view->map.count) {
        const char *policy = session_option(model->state, "policy");
        canvas_text(canvas, inside, 0, 0, STYLE_DIM, "%s has proposed nothing yet", policy ? policy : "the policy");
        return;
    }
    draw_top(model, &heat);
    if (!heat.columns)
        return;
    draw_cells(&heat, view);
    for (int y = 0; y < heat.cells.height && view->top + y < view->map.choice_count; y++)
        draw_row(&heat, &view->map.choices[view->rows[view->top + y]], y + 1);
    int below = view->map.choice_count - view->top; /* the lines below the map follow its last row */
    int y = 1 + (below < heat.cells.height ? below : heat.cells.height);
    draw_entropy(&heat, y);
    draw_axis(&heat, y + 1);
}

void heat_map_title(const struct model *model, struct text *text)
{
    const struct heat_view *heat = &model->heat;
    int count = heat->map.choice_count, last = heat->top + heat->lines;
    text_add(text, "what it proposes, %s", order_words[heat->order]);
    if (count && last > heat->top && (heat->top || last < count))
        text_add(text, ", %d to %d of %d", heat->top + 1, last < count ? last : count, count);
}

/* --- requests --- */

void heat_map_settle(struct model *model, struct area inside)
{
    int lines = inside.height - 1 - LINES_BELOW;
    update(model);
    model->heat.lines = lines > 0 ? lines : 0;
    scroll_settle(&model->heat.top, model->heat.map.choice_count - model->heat.lines);
}

bool heat_map_request(struct model *model, enum request request, struct area inside)
{
    struct heat_view *heat = &model->heat;
    if (request != REQUEST_SORT)
        return scroll_request(&heat->top, request, inside.height - 1 - LINES_BELOW);
    heat->order = (enum heat_order)((heat->order + 1) % HEAT_ORDERS);
    heat->stale = true;
    model_say(model, "what it proposes, %s", order_words[heat->order]);
    return true;
}
