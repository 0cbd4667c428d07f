/*
 * view_curves.c - learning curves in braille: the selected network, its control or else its parent, the best, and what
 * is in training.
 *
 * Validation accuracy is a line; the selected network's training accuracy is dotted. The selected network is drawn
 * last, over the others. With the error scale the axis is 1 - accuracy, logarithmic, the better still higher.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tui/node.h"
#include "tui/plot.h"
#include "tui/view.h"
#include "util/bug.h"
#include "util/round.h"

enum { SERIES_MAX = 8, AXIS = 6 /* columns of the labels and their line */ };

struct series {
    const struct session_node *node;
    const char *role; /* in the legend, or NULL */
    enum style style;
};

struct curve_plot {
    struct area area; /* of the dots */
    double low, high; /* in axis units */
    int epochs;
    bool error_scale;
};

/* --- which curves --- */

static bool has(const struct series *series, int count, const struct session_node *node)
{
    for (int i = 0; i < count; i++)
        if (series[i].node == node)
            return true;
    return false;
}

static void add(struct series *series, int *count, const struct session_node *node, const char *role, enum style style)
{
    if (node && node->curve_count && *count < SERIES_MAX && !has(series, *count, node))
        series[(*count)++] = (struct series){node, role, style};
}

static int choose_series(const struct model *model, struct series *series)
{
    const struct session_state *state = model->state;
    const struct session_node *selected = session_node(state, model->selected);
    int count = 0;
    add(series, &count, selected, "", STYLE_CURVE_A);
    int64_t control = selected ? session_control(state, model->selected) : 0;
    if (selected)
        add(series, &count, session_node(state, control ? control : selected->facts.parent),
            control ? "control" : "parent", STYLE_CURVE_B);
    add(series, &count, session_node(state, state->best), "best", STYLE_CURVE_C);
    for (int i = 0; i < state->device_count; i++)
        add(series, &count, session_node(state, state->devices[i].node), NULL, STYLE_CURVE_D);
    return count;
}

/* --- the axes --- */

/* NaN for what is no accuracy: an axis with it would have no ticks. */
static double on_axis(const struct curve_plot *plot, double accuracy)
{
    const double tolerance = 1e-6; /* of the ticks' sums */
    if (!(accuracy >= -tolerance && accuracy <= 1 + tolerance))
        return NAN;
    return plot->error_scale ? -log10(fmax(1 - accuracy, 1e-4)) : accuracy;
}

/* NaN, which is a gap, for what is not known or can't be an accuracy. */
static double known_on_axis(const struct curve_plot *plot, double accuracy)
{
    return accuracy >= 0 && accuracy <= 1 ? on_axis(plot, accuracy) : (double)NAN;
}

static void include(struct curve_plot *plot, double accuracy)
{
    double value = known_on_axis(plot, accuracy);
    if (!isfinite(value))
        return;
    plot->low = fmin(plot->low, value);
    plot->high = fmax(plot->high, value);
}

static void span(struct curve_plot *plot, const struct series *series, int count)
{
    plot->low = INFINITY;
    plot->high = -INFINITY;
    plot->epochs = 2;
    for (int i = 0; i < count; i++) {
        const struct session_node *node = series[i].node;
        int epochs = node->epochs > node->curve_count ? node->epochs : node->curve_count;
        if (!series[i].role && series[0].role)
            continue; /* the others are only for comparison: parts outside are cut */
        plot->epochs = epochs > plot->epochs ? epochs : plot->epochs;
        for (int point = 0; point < node->curve_count; point++) {
            include(plot, node->curve[point].validation_accuracy);
            if (i == 0)
                include(plot, node->curve[point].train_accuracy);
        }
    }
    if (!(plot->low <= plot->high)) {
        plot->low = 0;
        plot->high = 1;
    }
    double least = plot->error_scale ? 0.05 : 0.004, middle = (plot->low + plot->high) / 2;
    if (plot->high - plot->low < least) {
        /* An accuracy is at most 1; an error on a logarithmic axis has no limit. */
        plot->high = plot->error_scale ? middle + least / 2 : fmin(1, middle + least / 2);
        plot->low = plot->high - least;
    }
}

static int dot_x(const struct curve_plot *plot, double epoch)
{
    int width = 2 * plot->area.width; /* a curve may go on beyond the axis; it doesn't matter how far */
    return round_within((epoch - 1) / (plot->epochs - 1) * (width - 1), -width, 4 * width);
}

static int dot_y(const struct curve_plot *plot, double value)
{
    int height = 4 * plot->area.height;
    return round_within((plot->high - value) / (plot->high - plot->low) * (height - 1), -4 * height, 4 * height);
}

static void draw_tick(const struct curve_plot *plot, struct canvas *canvas, struct area inside, double accuracy, int decimals)
{
    double value = on_axis(plot, accuracy);
    int row = isfinite(value) ? dot_y(plot, value) / 4 : -1;
    if (value < plot->low - 1e-9 || value > plot->high + 1e-9 || row < 0 || row >= plot->area.height)
        return;
    double shown = 100 * (plot->error_scale ? 1 - accuracy : accuracy);
    canvas_text(canvas, inside, 0, plot->area.y - inside.y + row, STYLE_DIM, "%5.*f", decimals, shown);
    canvas_glyph(canvas, inside, AXIS - 1, plot->area.y - inside.y + row, L'┤', STYLE_BORDER);
}

/* 1, 2 and 5 of each decade; even steps when the axis spans less. */
static void draw_error_ticks(const struct curve_plot *plot, struct canvas *canvas, struct area inside)
{
    static const double shares[] = {1, 2, 5};
    double least = pow(10, -plot->high), most = pow(10, -plot->low);
    if (most < 4 * least) {
        double step = plot_tick_step(least, most, plot->area.height < 8 ? 2 : 4);
        for (double error = ceil(least / step - 1e-9) * step; error <= most * (1 + 1e-9); error += step)
            draw_tick(plot, canvas, inside, 1 - error, step >= 0.01 - 1e-9 ? 0 : step >= 0.001 - 1e-9 ? 1 : 2);
        return;
    }
    for (double decade = 1e-4; decade < 1; decade *= 10)
        for (size_t i = 0; i < COUNT_OF(shares); i++)
            draw_tick(plot, canvas, inside, 1 - shares[i] * decade,
                      decade >= 0.01 - 1e-9    ? 0
                      : decade >= 0.001 - 1e-9 ? 1
                                               : 2);
}

static void draw_y_axis(const struct curve_plot *plot, struct canvas *canvas, struct area inside)
{
    for (int y = 0; y < plot->area.height; y++)
        canvas_glyph(canvas, inside, AXIS - 1, plot->area.y - inside.y + y, L'│', STYLE_BORDER);
    if (plot->error_scale) {
        draw_error_ticks(plot, canvas, inside);
        return;
    }
    int ticks = plot->area.height / 3;
    double step = plot_tick_step(plot->low, plot->high, ticks < 2 ? 2 : ticks > 6 ? 6 : ticks);
    int decimals = step >= 0.01 - 1e-9 ? 0 : step >= 0.001 - 1e-9 ? 1 : 2;
    for (double value = ceil(plot->low / step - 1e-9) * step; value <= plot->high + 1e-9; value += step)
        draw_tick(plot, canvas, inside, value, decimals);
}

static void draw_x_axis(const struct curve_plot *plot, struct canvas *canvas, struct area inside)
{
    int y = plot->area.y + plot->area.height, end = 0;
    struct area line = area_part(inside, 0, y - inside.y, inside.width, 1);
    if (!line.height)
        return;
    for (int x = AXIS; x < inside.width; x++)
        canvas_glyph(canvas, line, x, 0, L'─', STYLE_BORDER);
    canvas_glyph(canvas, line, AXIS - 1, 0, L'└', STYLE_BORDER);
    int ticks = plot->area.width / 10;
    double step = fmax(1, plot_tick_step(1, plot->epochs, ticks < 1 ? 1 : ticks));
    for (double epoch = 1; epoch <= plot->epochs; epoch = epoch == 1 && step > 1 ? step : epoch + step) {
        char text[16];
        snprintf(text, sizeof text, "%.0f", epoch);
        int length = (int)strlen(text), x = dot_x(plot, epoch) / 2;
        x = x + length > plot->area.width ? plot->area.width - length : x;
        if (x >= end)
            canvas_text(canvas, line, AXIS + x, 0, STYLE_DIM, "%s", text);
        end = x >= end ? x + length + 1 : end;
    }
}

/* --- the curves --- */

static void draw_validation(const struct curve_plot *plot, struct canvas *canvas, const struct series *series)
{
    int last_x = 0, last_y = 0;
    bool joined = false;
    for (int i = 0; i < series->node->curve_count; i++) {
        double value = known_on_axis(plot, series->node->curve[i].validation_accuracy);
        if (!isfinite(value)) {
            joined = false;
            continue;
        }
        int x = dot_x(plot, i + 1), y = dot_y(plot, value);
        canvas_line(canvas, plot->area, joined ? last_x : x, joined ? last_y : y, x, y, series->style);
        last_x = x;
        last_y = y;
        joined = true;
    }
}

/* Every third dot of the line between the epochs. */
static void draw_training(const struct curve_plot *plot, struct canvas *canvas, const struct session_node *node)
{
    for (int i = 0; i < node->curve_count; i++) {
        const struct curve_point *from = &node->curve[i], *to = &node->curve[i + 1 < node->curve_count ? i + 1 : i];
        if (isnan(known_on_axis(plot, from->train_accuracy)) || isnan(known_on_axis(plot, to->train_accuracy)))
            continue;
        int x0 = dot_x(plot, i + 1), x1 = dot_x(plot, i + 1 < node->curve_count ? i + 2 : i + 1);
        for (int x = x0; x <= x1; x++) {
            double share = x1 > x0 ? (double)(x - x0) / (x1 - x0) : 0;
            double value =
                known_on_axis(plot, from->train_accuracy + share * (to->train_accuracy - from->train_accuracy));
            if (x % 3 == 0 && isfinite(value))
                canvas_dot(canvas, plot->area, x, dot_y(plot, value), STYLE_DIM);
        }
    }
}

/* What a curve looks like, in the legend. */
static void draw_sample(struct canvas *canvas, struct area line, int x, uint32_t glyph, enum style style)
{
    if (canvas->unicode && canvas->mono && glyph == L'━')
        glyph = style == STYLE_CURVE_B   ? L'╍'
                : style == STYLE_CURVE_C ? L'┉'
                : style == STYLE_CURVE_D ? L'╸'
                                         : L'━';
    if (canvas->unicode)
        canvas_glyph(canvas, line, x, 0, glyph, style);
    else
        canvas_dot(canvas, area_part(line, x, 0, 1, 1), 0, 1, style);
}

/* "━ n187 ━ n142 parent ━ n90 best ━ others  ⠂ training" */
static void draw_legend(const struct series *series, int count, bool training, struct canvas *canvas, struct area line)
{
    int x = 0;
    bool others = false;
    for (int i = 0; i < count; i++) {
        char text[64];
        others |= !series[i].role;
        if (!series[i].role)
            continue;
        snprintf(text, sizeof text, "n%lld%s%s", (long long)series[i].node->facts.node, *series[i].role ? " " : "",
                 series[i].role);
        if (x + 2 + (int)strlen(text) > line.width)
            return;
        draw_sample(canvas, line, x, L'━', series[i].style);
        x = canvas_text(canvas, line, x + 1, 0, STYLE_NORMAL, " %s", text) + 2;
    }
    if (others && x + 13 <= line.width) {
        draw_sample(canvas, line, x, L'━', STYLE_CURVE_D);
        x = canvas_text(canvas, line, x + 1, 0, STYLE_NORMAL, " in training") + 2;
    }
    if (training && x + 12 <= line.width) {
        draw_sample(canvas, line, x, L'┄', STYLE_DIM);
        canvas_text(canvas, line, x + 1, 0, STYLE_DIM, " train data");
    }
}

/* Of several series the first is drawn last, over the others, with its training accuracy if `training`. */
static void draw_series(const struct model *model, const struct series *series, int count, bool training,
                        struct canvas *canvas, struct area inside)
{
    bool legend = inside.height >= 5, axis = inside.height >= 4;
    struct curve_plot plot = {.area = area_part(inside, AXIS, legend, inside.width - AXIS, inside.height - legend - axis),
                              .error_scale = model->curves.error_scale};
    if (!count) {
        canvas_text(canvas, inside, 0, 0, STYLE_DIM, "no epoch is done yet");
        return;
    }
    if (legend)
        draw_legend(series, count, training, canvas, area_part(inside, 0, 0, inside.width, 1));
    if (plot.area.width < 2 || plot.area.height < 1)
        return;
    span(&plot, series, count);
    draw_y_axis(&plot, canvas, inside);
    if (axis)
        draw_x_axis(&plot, canvas, inside);
    if (training && series[0].node->facts.node == model->selected)
        draw_training(&plot, canvas, series[0].node);
    for (int i = count - 1; i >= 0; i--)
        draw_validation(&plot, canvas, &series[i]);
}

static void draw_curves(const struct model *model, struct canvas *canvas, struct area inside)
{
    struct series series[SERIES_MAX];
    draw_series(model, series, choose_series(model, series), true, canvas, inside);
}

void curves_draw_two(const struct model *model, const struct session_node *first, const struct session_node *second,
                     struct canvas *canvas, struct area inside)
{
    struct series series[SERIES_MAX];
    int count = 0;
    add(series, &count, first, "", STYLE_CURVE_A);
    add(series, &count, second, "", STYLE_CURVE_B);
    draw_series(model, series, count, false, canvas, inside);
}

static void title_curves(const struct model *model, struct text *text)
{
    text_add(text, "%s", model->curves.error_scale ? "validation error %, log" : "validation accuracy %");
}

const struct view view_curves = {.draw = draw_curves, .title = title_curves, .request = tree_request};
