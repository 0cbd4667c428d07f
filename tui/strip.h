/*
 * strip.h - a picture of a network's layers: their widths to scale, and what its last actions changed.
 */
#ifndef ESPALIER_TUI_STRIP_H
#define ESPALIER_TUI_STRIP_H

#include "arch/arch.h"
#include "tui/model.h"

enum strip_change { STRIP_SAME, STRIP_WIDER, STRIP_NEW };

struct strip {
    bool readable; /* false: the architecture can't be parsed, and the rest is not set */
    struct arch arch;
    struct shape input, shapes[ARCH_LAYERS_MAX];
    enum strip_change change[ARCH_LAYERS_MAX];
    int before[ARCH_LAYERS_MAX]; /* units that a wider layer had */
};

void strip_read(const struct model *model, const struct session_node *node, struct strip *strip);
/* Draw the widths as columns, with labels below them if those fit; at most `highest` lines.  Returns the lines used. */
int strip_draw(const struct strip *strip, struct canvas *canvas, struct area area, int highest);
/* Write all widths in one line, "8 8|12 16|16 16|40", with changes in their style. False: too long, nothing is drawn. */
bool strip_write(const struct strip *strip, struct canvas *canvas, struct area area);
enum style strip_style(enum strip_change change);

#endif
