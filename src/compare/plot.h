/* plot.h - curves as lines of text, ten high and sixty wide. */
#ifndef ESPALIER_COMPARE_PLOT_H
#define ESPALIER_COMPARE_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "sessions/state.h"

/* Training and validation accuracy over the epochs; `count` >= 1. */
void plot_curve(FILE *out, const struct curve_point *curve, int count, bool unicode);

/* A curve of its own letter.  `value` gives a share at a place from above 0 to the axis's end, or NaN where it has
   none. */
struct plot_line {
    char letter;
    double (*value)(const void *context, double place);
    const void *context;
};
/* Several of them in per cent, the axis named below; where two meet stands a dot.  Nothing when none has a value. */
void plot_lines(FILE *out, const struct plot_line *lines, int count, double end, const char *axis, bool unicode);

#endif
