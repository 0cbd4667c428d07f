/* plot.h - an accuracy curve as lines of text. */
#ifndef ESPALIER_CLI_PLOT_H
#define ESPALIER_CLI_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "sessions/state.h"

/* Training and validation accuracy over the epochs, ten lines high; `count` >= 1. */
void plot_curve(FILE *out, const struct curve_point *curve, int count, bool unicode);

#endif
