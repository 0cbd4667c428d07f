/*
 * view_progress.c - how a search gets on: best accuracy so far and the mean of the last networks, against networks,
 * FLOPs, time or episodes; and a histogram of the accuracies beside it, on the same axis.
 *
 * A list of the trained networks in the order of their ends is made anew when networks have changed. The mean is that
 * of the last twenty, or of a twentieth of all where these are more.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/node.h"
#include "tui/plot.h"
#include "tui/view.h"
#include "util/memory.h"
#include "util/round.h"
#include "util/sort.h"

enum { MEAN_LEAST = 20, MEAN_SHARE = 20 };

static const char *const words[PROGRESS_AXES] = {[PROGRESS_NETWORKS] = "networks",
                                                 [PROGRESS_FLOPS] = "FLOPs",
                                                 [PROGRESS_TIME] = "time",
                                                 [PROGRESS_EPISODES] = "episodes"};

/* --- the points --- */

static bool has_point(const struct session_node *node)
{
    return node->status == NODE_DONE && node->accuracy >= 0 && node->accuracy <= 1;
}

static int by_end(const void *left, const void *right)
{
    const struct progress_point *a = left, *b = right;
    if (a->ended != b->ended)
        return a->ended < b->ended ? -1 : 1;
    return a->node < b->node ? -1 : 1;
}

static void collect(struct model *model)
{
    struct progress_view *progress = &model->progress;
    progress->count = 0;
    progress->lowest = INFINITY;
    progress->highest = -INFINITY;
    progress->sum = progress->squares = 0;
    for (int64_t i = 1; i <= model->state->node_count; i++) {
        const struct session_node *node = session_node(model->state, i);
        if (!has_point(node))
            continue;
        progress->points[progress->count++] =
            (struct progress_point){.node = i, .ended = node->ended, .accuracy = node->accuracy};
        progress->lowest = fmin(progress->lowest, node->accuracy);
        progress->highest = fmax(progress->highest, node->accuracy);
        progress->sum += node->accuracy;
        progress->squares += node->accuracy * node->accuracy;
    }
    sort_nearly(progress->points, (size_t)progress->count, sizeof *progress->points, by_end);
}

/* An episode's networks end in any order: the axis goes on with the latest episode that has one. */
static double place_of(const struct model *model, const struct progress_point *points, int index, double flops)
{
    double before = index ? points[index - 1].place : 0;
    switch (model->progress.axis) {
    case PROGRESS_FLOPS:
        return flops;
    case PROGRESS_TIME:
        return points[index].ended;
    case PROGRESS_EPISODES:
        return fmax(before, (double)session_node(model->state, points[index].node)->facts.episode);
    default:
        return index + 1;
    }
}

static void build(struct model *model)
{
    struct progress_view *progress = &model->progress;
    if (!progress->stale)
        return;
    progress->points = memory_resize(progress->points, (size_t)model->state->node_count + 1, sizeof *progress->points);
    collect(model);
    int width = progress->count / MEAN_SHARE > MEAN_LEAST ? progress->count / MEAN_SHARE : MEAN_LEAST;
    double flops = 0, best = 0, sum = 0;
    for (int i = 0; i < progress->count; i++) {
        struct progress_point *point = &progress->points[i];
        flops += node_flops_spent(model->state, session_node(model->state, point->node));
        point->place = place_of(model, progress->points, i, flops);
        sum += point->accuracy - (i >= width ? progress->points[i - width].accuracy : 0);
        point->best = best = fmax(best, point->accuracy);
        point->mean = sum / (i < width ? i + 1 : width);
    }
    progress->stale = false;
}

void progress_view_done(struct progress_view *progress)
{
    free(progress->points);
}

/* --- drawing --- */

static struct plot plot_of(const struct progress_view *progress, struct area area, bool legend)
{
    struct plot plot = plot_in(area, legend);
    plot.left = progress->points[0].place;
    plot.right = progress->points[progress->count - 1].place;
    if (!(plot.right > plot.left))
        plot.right = plot.left + 1;
    if (progress->axis == PROGRESS_TIME) {
        plot.label = text_duration;
        plot.unit = plot.right > 3 * 3600 ? 3600 : plot.right > 180 ? 60 : 1;
    }
    plot_span(&plot, progress->lowest, progress->highest, progress->sum, progress->squares, progress->count);
    return plot;
}

static void draw_dots(const struct progress_view *progress, const struct plot *plot, struct canvas *canvas)
{
    for (int i = 0; i < progress->count; i++)
        canvas_dot(canvas, plot->area, plot_x(plot, progress->points[i].place),
                   plot_y(plot, progress->points[i].accuracy), STYLE_DIM);
}

/* The best is level until it rises; the mean is a line. */
static void draw_lines(const struct progress_view *progress, const struct plot *plot, struct canvas *canvas)
{
    int x = plot_x(plot, progress->points[0].place), best = plot_y(plot, progress->points[0].best);
    int mean = plot_y(plot, progress->points[0].mean);
    for (int i = 0; i < progress->count; i++) {
        const struct progress_point *point = &progress->points[i];
        int next_x = plot_x(plot, point->place), next_best = plot_y(plot, point->best),
            next_mean = plot_y(plot, point->mean);
        if (next_x == x && next_best == best && next_mean == mean && i)
            continue;
        canvas_line(canvas, plot->area, x, mean, next_x, next_mean, STYLE_CURVE_A);
        canvas_line(canvas, plot->area, x, best, next_x, best, STYLE_CURVE_C);
        canvas_line(canvas, plot->area, next_x, best, next_x, next_best, STYLE_CURVE_C);
        x = next_x;
        best = next_best;
        mean = next_mean;
    }
}

static void draw_selected(const struct model *model, const struct plot *plot, struct canvas *canvas)
{
    for (int i = 0; i < model->progress.count; i++) {
        const struct progress_point *point = &model->progress.points[i];
        if (point->node == model->selected)
            canvas_glyph(canvas, plot->area, plot_x(plot, point->place) / 2, plot_y(plot, point->accuracy) / 4, L'●',
                         STYLE_HEADER);
    }
}

/* A bar for each line of the plot: as many networks have an accuracy of that line. */
static void draw_histogram(const struct progress_view *progress, const struct plot *plot, struct canvas *canvas,
                           struct area area)
{
    enum { BARS_MAX = 256 };
    int counts[BARS_MAX] = {0}, rows = plot->area.height < BARS_MAX ? plot->area.height : BARS_MAX, most = 1;
    for (int i = 0; i < progress->count; i++) {
        int row = plot_y(plot, progress->points[i].accuracy) / 4;
        if (row >= rows || (progress->points[i].accuracy < plot->low && progress->lowest < plot->low))
            continue; /* those below the axis would all be in the last line */
        counts[row]++;
        most = counts[row] > most ? counts[row] : most;
    }
    for (int row = 0; row < rows; row++) {
        char count[16];
        snprintf(count, sizeof count, "%d", counts[row]);
        int width = area.width - 6, y = plot->area.y - area.y + row;
        int length = canvas_bar(canvas, area, 0, y, width, (double)counts[row] / most, STYLE_CURVE_B);
        if (counts[row])
            canvas_text(canvas, area, length + 1, y, STYLE_DIM, "%s", count);
    }
}

/* A part of the legend, where it has room; returns the column after it. */
static int draw_part(struct canvas *canvas, struct area line, int x, enum style style, const char *text)
{
    return x + canvas_columns(text) > line.width ? x : canvas_text(canvas, line, x, 0, style, "%s", text) + 2;
}

static void draw_legend(const struct progress_view *progress, struct canvas *canvas, struct area line)
{
    const struct progress_point *last = &progress->points[progress->count - 1];
    char best[64], mean[64];
    snprintf(best, sizeof best, "%s best %.2f%%", canvas->unicode ? "━" : "+", 100 * last->best);
    snprintf(mean, sizeof mean, "%s mean of the last %.2f%%", canvas->unicode ? "━" : ".", 100 * last->mean);
    int x = draw_part(canvas, line, 0, STYLE_CURVE_C, best);
    x = draw_part(canvas, line, x, STYLE_CURVE_A, mean);
    x = draw_part(canvas, line, x, STYLE_HEADER, canvas->unicode ? "● selected" : "o selected");
    draw_part(canvas, line, x, STYLE_DIM, canvas->unicode ? "⠂ a network" : "' a network");
}

static void draw_progress(const struct model *model, struct canvas *canvas, struct area inside)
{
    enum { WIDTH_FOR_HISTOGRAM = 60, LINES_FOR_LEGEND = 5 };
    const struct progress_view *progress = &model->progress;
    int beside = inside.width >= WIDTH_FOR_HISTOGRAM ? inside.width / 4 : 0;
    bool legend = inside.height >= LINES_FOR_LEGEND;
    if (!progress->count) {
        canvas_text(canvas, inside, 0, 0, STYLE_DIM, "no network is trained yet");
        return;
    }
    struct plot plot = plot_of(progress, area_part(inside, 0, 0, inside.width - beside, inside.height), legend);
    if (!plot_has_room(&plot))
        return;
    plot_draw_axes(&plot, canvas);
    draw_dots(progress, &plot, canvas);
    draw_lines(progress, &plot, canvas);
    draw_selected(model, &plot, canvas);
    if (legend)
        draw_legend(progress, canvas, area_part(inside, 0, 0, inside.width - beside, 1));
    if (!beside)
        return;
    struct area right = area_part(inside, inside.width - beside + 1, 0, beside - 1, inside.height);
    if (legend)
        canvas_text(canvas, right, 0, 0, STYLE_DIM, "how many");
    draw_histogram(progress, &plot, canvas, right);
}

static void title_progress(const struct model *model, struct text *text)
{
    text_add(text, "accuracy %% over %s, %d network%s", words[model->progress.axis], model->progress.count,
             model->progress.count == 1 ? "" : "s");
}

static void settle_progress(struct model *model, struct area inside)
{
    build(model);
}

static bool request_progress(struct model *model, enum request request, struct area inside)
{
    if (request != REQUEST_SORT)
        return tree_request(model, request, inside);
    model->progress.axis = (enum progress_axis)((model->progress.axis + 1) % PROGRESS_AXES);
    model->progress.stale = true;
    model_say(model, "progress over %s", words[model->progress.axis]);
    return true;
}

const struct view view_progress = {
    .draw = draw_progress, .title = title_progress, .settle = settle_progress, .request = request_progress};
