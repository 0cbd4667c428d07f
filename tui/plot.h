/*
 * plot.h - axes and places of the plots that have dots: accuracy against something else.  Pure, but for drawing.
 */
#ifndef ESPALIER_TUI_PLOT_H
#define ESPALIER_TUI_PLOT_H

#include "tui/canvas.h"

enum { PLOT_LABELS = 6 }; /* columns of the labels at the left and their line */

struct plot {
    struct area inside; /* the pane */
    struct area area;   /* of the dots, in it */
    double left, right; /* places on the x axis: values, or their logarithms to base 10 */
    double low, high;   /* accuracies, 0 to 1 */
    bool logarithmic;   /* the x axis */
    double unit;        /* a linear one has its ticks at round numbers of these */
    char *(*label)(char buffer[TEXT_SHORT], double value); /* of a value on the x axis */
};

/* A plot in a pane from row `top` on, with a line for the x axis where there is room; its ranges are not set. */
struct plot plot_in(struct area inside, int top);
/* Can anything be drawn? */
bool plot_has_room(const struct plot *plot);
/* The range of accuracies: of all, but at most two standard deviations below the mean, so that the worst don't squeeze
   the rest together; and at least 0.2 percentage points. */
void plot_span(struct plot *plot, double lowest, double highest, double sum, double squares, int64_t count);
/* The dot of a place on an axis, within the area. */
int plot_x(const struct plot *plot, double place);
int plot_y(const struct plot *plot, double accuracy);
/* Ticks at round values: 1, 2 and 5 of each decade on a logarithmic axis that spans some, otherwise equal steps. */
void plot_draw_axes(const struct plot *plot, struct canvas *canvas);
/* 1, 2 or 5 times a power of ten: the largest with `count` multiples between the ends. */
double plot_tick_step(double low, double high, int count);

#endif
