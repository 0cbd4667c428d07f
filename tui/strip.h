/*
 * strip.h - the layers of a network as a picture: their widths to scale, and what its last actions changed.
 */
#ifndef ESPALIER_TUI_STRIP_H
#define ESPALIER_TUI_STRIP_H

#include "arch/arch.h"
#include "tui/model.h"

enum strip_change { STRIP_SAME, STRIP_WIDER, STRIP_NEW };

struct strip {
    bool readable; /* else the session's notation is not known here: nothing below counts */
    struct arch arch;
    struct shape input, shapes[ARCH_LAYERS_MAX];
    enum strip_change change[ARCH_LAYERS_MAX];
    int before[ARCH_LAYERS_MAX]; /* units that a wider layer had */
};

void strip_read(const struct model *model, const struct session_node *node, struct strip *strip);
/* Widths as columns that stand side by side, above their labels where there is room for them; as many lines as the area
   has, at most `highest`.  Returns the lines used. */
int strip_draw(const struct strip *strip, struct canvas *canvas, struct area area, int highest);
/* All widths in one line, "8 8|12 16|16 16|40" with what changed in its style. False: it is too long, nothing is drawn.
 */
bool strip_write(const struct strip *strip, struct canvas *canvas, struct area area);
enum style strip_style(enum strip_change change);

#endif
