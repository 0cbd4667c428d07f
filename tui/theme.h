/*
 * theme.h - the colours and attributes of each style, for terminals with 256, 8 and no colours.
 *
 * Only terminal.c, cast.c and screenshot.c use the attributes; terminal.c translates them for curses.
 */
#ifndef ESPALIER_TUI_THEME_H
#define ESPALIER_TUI_THEME_H

#include <stdbool.h>

#include "tui/canvas.h"

/* Attributes, so that no other file needs curses. */
enum { THEME_BOLD = 1, THEME_DIM = 2, THEME_REVERSE = 4, THEME_UNDERLINE = 8 };

struct theme_style {
    short colour_256, colour_8; /* foreground; -1: the terminal's own */
    unsigned attributes;        /* used with colours */
    unsigned plain;             /* used without */
};

#define THEME_NAMES "dark, light, colour-blind, mono"
/* By one of these names: an array indexed by enum style; NULL when unknown. */
const struct theme_style *theme_find(const char *name);

/* What records of the screens (cast.h, screenshot.h) take the place of a terminal's own colours with: red, green, blue. */
struct theme_page {
    uint8_t foreground[3], background[3];
};
/* By the name of a theme that theme_find() knows. */
struct theme_page theme_page(const char *name);
/* One of the colours 16 to 255 that terminals with 256 colours have. */
void theme_rgb(int colour, uint8_t rgb[3]);

#endif
