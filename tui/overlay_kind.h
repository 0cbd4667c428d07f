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
    /* A click, at a place of the screen where the overlay was drawn last.  NULL: ignored. */
    enum overlay_answer (*click)(struct overlay *overlay, struct model *model, int x, int y, struct text *words);
};

/* The first member of every overlay's struct, which is one allocation. */
struct overlay {
    const struct overlay_kind *kind;
};

/* A list to choose from: which entry is chosen, and where it was drawn last. */
struct overlay_list {
    int chosen, top;
    struct area area;
};
/* Scroll so that the chosen one of `count` entries is visible in `area`, one a line. */
void overlay_list_settle(struct overlay_list *list, int count, struct area area);
/* True: the key moved the choice. Letters move it only where `letters` says so. */
bool overlay_list_key(struct overlay_list *list, int key, int count, bool letters);
/* The entry at a place of the screen, or -1. */
int overlay_list_at(const struct overlay_list *list, int count, int x, int y);

/* Draw an empty framed box in the middle of the screen and return its inside.  It is smaller on a smaller screen, and
   has no frame where nothing would be left inside. */
struct area overlay_box(struct canvas *canvas, int width, int height, const char *title);

#endif
