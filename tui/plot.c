/*
 * plot.c - see plot.h.  The x axis is linear or logarithmic, the y axis is linear in accuracy.  A label is left out
 * where it would touch the one before.
 */
#include "tui/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "util/bug.h"
#include "util/round.h"

struct plot plot_in(struct area inside, int top)
{
    int height = inside.height - top;
    return (struct plot){.inside = inside,
                         .area =
                             area_part(inside, PLOT_LABELS, top, inside.width - PLOT_LABELS, height - (height >= 3)),
                         .unit = 1,
                         .label = text_count};
}

bool plot_has_room(const struct plot *plot)
{
    return plot->area.width >= 2 && plot->area.height >= 1;
}

void plot_span(struct plot *plot, double lowest, double highest, double sum, double squares, int64_t count)
{
    const double least = 0.002;
    double mean = sum / (double)count, deviation = sqrt(fmax(squares / (double)count - mean * mean, 0));
    plot->high = highest;
    plot->low = fmax(lowest, mean - 2 * deviation);
    if (plot->high - plot->low < least)
        plot->low = plot->high - least;
}

int plot_x(const struct plot *plot, double place)
{
    int last = 2 * plot->area.width - 1;
    return round_within((place - plot->left) / (plot->right - plot->left) * last, 0, last);
}

int plot_y(const struct plot *plot, double accuracy)
{
    int last = 4 * plot->area.height - 1;
    return round_within((plot->high - accuracy) / (plot->high - plot->low) * last, 0, last);
}

double plot_tick_step(double low, double high, int count)
{
    static const double shares[] = {5, 2, 1};
    for (double power = pow(10, ceil(log10(high - low))); power > 1e-9; power /= 10)
        for (size_t i = 0; i < COUNT_OF(shares); i++) {
            double step = shares[i] * power;
            if (floor(high / step + 1e-9) - ceil(low / step - 1e-9) + 1 >= count)
                return step;
        }
    return high - low;
}

static void draw_y_axis(const struct plot *plot, struct canvas *canvas)
{
    int top = plot->area.y - plot->inside.y, ticks = plot->area.height / 3;
    for (int y = 0; y < plot->area.height; y++)
        canvas_glyph(canvas, plot->inside, PLOT_LABELS - 1, top + y, L'│', STYLE_BORDER);
    double step = plot_tick_step(plot->low, plot->high, ticks < 2 ? 2 : ticks > 6 ? 6 : ticks);
    int decimals = step >= 0.01 - 1e-9 ? 0 : step >= 0.001 - 1e-9 ? 1 : 2;
    for (double value = ceil(plot->low / step - 1e-9) * step; value <= plot->high + 1e-9; value += step) {
        int row = top + plot_y(plot, value) / 4;
        canvas_text(canvas, plot->inside, 0, row, STYLE_DIM, "%5.*f", decimals, 100 * value);
        canvas_glyph(canvas, plot->inside, PLOT_LABELS - 1, row, L'┤', STYLE_BORDER);
    }
}

/* A tick with its label, unless that touches the one that ends before `*end`. */
static void draw_tick(const struct plot *plot, struct canvas *canvas, struct area line, double value, int *end)
{
    char buffer[TEXT_SHORT];
    const char *text = plot->label(buffer, value);
    int length = canvas_columns(text), x = plot_x(plot, plot->logarithmic ? log10(value) : value) / 2;
    x = x + length > plot->area.width ? plot->area.width - length : x;
    if (x < *end)
        return;
    canvas_text(canvas, line, PLOT_LABELS + x, 0, STYLE_DIM, "%s", text);
    *end = x + length + 1;
}

static void draw_decades(const struct plot *plot, struct canvas *canvas, struct area line)
{
    static const int fine[] = {1, 2, 5}, coarse[] = {1, 3};
    bool few = plot->right - plot->left < 2.5;
    const int *shares = few ? fine : coarse;
    int end = 0;
    for (double decade = floor(plot->left); decade <= plot->right && decade < 300; decade++)
        for (int i = 0; i < (few ? 3 : 2); i++) {
            double value = shares[i] * pow(10, decade);
            if (log10(value) >= plot->left - 1e-9 && log10(value) <= plot->right + 1e-9)
                draw_tick(plot, canvas, line, value, &end);
        }
}

static void draw_steps(const struct plot *plot, struct canvas *canvas, struct area line)
{
    double low = (plot->logarithmic ? pow(10, plot->left) : plot->left) / plot->unit;
    double high = (plot->logarithmic ? pow(10, plot->right) : plot->right) / plot->unit;
    int end = 0, ticks = plot->area.width / 16;
    double step = plot_tick_step(low, high, ticks < 2 ? 2 : ticks), first = ceil(low / step - 1e-9) * step;
    for (int i = 0; i < 100 && first + i * step <= high * (1 + 1e-9); i++)
        draw_tick(plot, canvas, line, (first + i * step) * plot->unit, &end);
}

void plot_draw_axes(const struct plot *plot, struct canvas *canvas)
{
    struct area line =
        area_part(plot->inside, 0, plot->area.y - plot->inside.y + plot->area.height, plot->inside.width, 1);
    draw_y_axis(plot, canvas);
    if (!line.height)
        return;
    canvas_glyph(canvas, line, PLOT_LABELS - 1, 0, L'└', STYLE_BORDER);
    for (int x = 0; x < plot->area.width; x++)
        canvas_glyph(canvas, line, PLOT_LABELS + x, 0, L'─', STYLE_BORDER);
    if (plot->logarithmic && plot->right - plot->left > 0.6)
        draw_decades(plot, canvas, line);
    else
        draw_steps(plot, canvas, line);
}
