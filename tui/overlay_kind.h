/*
 * overlay_kind.h - what each overlay is to overlay.c: a table and its own struct behind it.  Private to overlay*.c.
 */
#ifndef ESPALIER_TUI_OVERLAY_KIND_H
#define ESPALIER_TUI_OVERLAY_KIND_H

#include "tui/overlay.h"

struct overlay_kind {
    void (*draw)(struct overlay *overlay, const struct model *model, struct canvas *canvas);
    enum overlay_answer (*key)(struct overlay *overlay, struct model *model, int key, struct text *words);
    bool takes_text;
};

/* The first member of every overlay; the whole is one allocation. */
struct overlay {
    const struct overlay_kind *kind;
};

/* An empty framed box of this size in the middle of the screen, smaller where the screen is and without its frame where
   nothing would be left inside; its inside. */
struct area overlay_box(struct canvas *canvas, int width, int height, const char *title);

#endif
