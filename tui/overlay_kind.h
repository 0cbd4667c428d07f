/*
 * overlay_kind.h - the functions of an overlay, as overlay.c calls them.  Private to overlay*.c.
 */
#ifndef ESPALIER_TUI_OVERLAY_KIND_H
#define ESPALIER_TUI_OVERLAY_KIND_H

#include "tui/overlay.h"

struct overlay_kind {
    void (*draw)(struct overlay *overlay, const struct model *model, struct canvas *canvas);
    enum overlay_answer (*key)(struct overlay *overlay, struct model *model, int key, struct text *words);
    bool takes_text;
};

/* The first member of every overlay's struct, which is one allocation. */
struct overlay {
    const struct overlay_kind *kind;
};

/* Draw an empty framed box in the middle of the screen and return its inside.  It is smaller on a smaller screen, and
   has no frame where nothing would be left inside. */
struct area overlay_box(struct canvas *canvas, int width, int height, const char *title);

#endif
