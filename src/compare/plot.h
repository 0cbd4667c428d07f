/* plot.h - curves as text, ten lines high and sixty columns wide. */
#ifndef ESPALIER_COMPARE_PLOT_H
#define ESPALIER_COMPARE_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "sessions/state.h"

/* Training and validation accuracy over the epochs; `count` >= 1. */
void plot_curve(FILE *out, const struct curve_point *curve, int count, bool unicode);

/* A curve, drawn with its letter.  `value` gives a share at a place above 0 and up to the end of the axis; NaN: there is no
   value. */
struct plot_line {
    char letter;
    double (*value)(const void *context, double place);
    const void *context;
};
/* Draw curves in per cent above an axis with a name; a dot stands where two meet.  Without any value draw nothing. */
void plot_lines(FILE *out, const struct plot_line *lines, int count, double end, const char *axis, bool unicode);

#endif
