/*
 * comparison_print.h - a comparison as tables, plots, CSV and JSON.
 *
 * The functions change nothing.
 */
#ifndef ESPALIER_COMPARE_COMPARISON_PRINT_H
#define ESPALIER_COMPARE_COMPARISON_PRINT_H

#include <stdio.h>

#include "compare/comparison.h"

/* A row for each session, then each group against the first. */
void comparison_print(FILE *out, const struct comparison *comparison, bool unicode);
/* Each group's mean and best accuracy against networks and FLOPs, as tables; as plots. */
void comparison_print_curves(FILE *out, const struct comparison *comparison, bool unicode);
void comparison_print_plots(FILE *out, const struct comparison *comparison, bool unicode);
/* A row for each grown network of each session. */
void comparison_csv(const struct comparison *comparison, struct text *text);
/* Runs, groups and tests as one document. */
void comparison_json(const struct comparison *comparison, struct text *text);

#endif
