/*
 * line.h - one line of text that a person edits.  A plain value; UI thread only.
 */
#ifndef ESPALIER_TUI_LINE_H
#define ESPALIER_TUI_LINE_H

#include "tui/canvas.h"

enum { LINE_MAX = 256 }; /* bytes, with the final zero */

struct line {
    char text[LINE_MAX]; /* UTF-8 */
    int cursor;          /* byte before which the cursor stands */
};

void line_set(struct line *line, const char *text);
/* Characters, Backspace, Delete, Left, Right, Home, End, C-u (empty it).  False: the key is none of these. */
bool line_key(struct line *line, int key);
/* Draw what fits around the cursor from column `x` on, `width` columns; the cursor's cell only with `focus`. */
void line_draw(const struct line *line, struct canvas *canvas, struct area area, int x, int y, int width, bool focus);

#endif
