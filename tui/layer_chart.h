/*
 * layer_chart.h - a picture of a network's layers: their widths to scale, and what its last actions changed.
 */
#ifndef ESPALIER_TUI_LAYER_CHART_H
#define ESPALIER_TUI_LAYER_CHART_H

#include "arch/lineage.h"
#include "tui/model.h"

struct layer_chart {
    bool readable; /* false: the architecture can't be parsed, and the rest is not set */
    struct arch arch;
    struct shape input, shapes[ARCH_LAYERS_MAX];
    struct lineage edge; /* what its last actions changed */
    int cursor;          /* a layer that is marked, from 1; 0: none */
};

void layer_chart_read(const struct model *model, const struct session_node *node, struct layer_chart *chart);
/* The layer that layer_chart_draw() puts into column `x` of an area that wide; may be past the last one. */
int layer_chart_at(const struct layer_chart *chart, int columns, int x);
/* Draw the widths as columns, with labels below them if those fit; at most `highest` lines.  Returns the lines used. */
int layer_chart_draw(const struct layer_chart *chart, struct canvas *canvas, struct area area, int highest);
/* Write all widths in one line, "8 8|12 16|16 16|40", with changes in their style. False: too long, nothing is drawn.
 */
bool layer_chart_line(const struct layer_chart *chart, struct canvas *canvas, struct area area);
/* The units of its widest layer; 1 when it isn't readable. */
int layer_chart_widest(const struct layer_chart *chart);
/* "3×3", "3×3/2"; "" of a layer without a kernel. */
void layer_chart_kernel(const struct layer *layer, char text[24]);
/* Add the words of its features ("se hs") to a text in a buffer of `size`. */
void layer_chart_features(const struct layer *layer, char *text, size_t size);
enum style layer_change_style(enum layer_change change);

#endif
