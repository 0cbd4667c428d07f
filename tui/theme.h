/*
 * theme.h - how each style looks: colours for 256 and 8 colours, attributes alone for none.
 *
 * Included by terminal.c only, which knows curses.
 */
#ifndef ESPALIER_TUI_THEME_H
#define ESPALIER_TUI_THEME_H

#include <stdbool.h>

#include "tui/canvas.h"

/* Attributes as our own bits; terminal.c turns them into those of curses. */
enum { LOOK_BOLD = 1, LOOK_DIM = 2, LOOK_REVERSE = 4, LOOK_UNDERLINE = 8 };

struct look {
    short colour_256, colour_8; /* foreground; -1: the terminal's own */
    unsigned attributes;        /* with colours */
    unsigned plain;             /* without */
};

/* `dark`, `light`, `colour-blind`, `mono`; NULL when unknown.  One look a style. */
const struct look *theme_find(const char *name);

#endif
