/*
 * screenshot.h - a screen as a picture.
 */
#ifndef ESPALIER_TUI_SCREENSHOT_H
#define ESPALIER_TUI_SCREENSHOT_H

#include "tui/canvas.h"
#include "util/error.h"

#define SCREENSHOT_FONT "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"

/* Write the canvas to `path` as a PNG file, with a border of half a line.  `theme` and `mono` as in cast.h.  `font`: a
   file with a monospaced font that FreeType reads; NULL: SCREENSHOT_FONT.  Bold text is taken from the file beside it
   whose name ends with -Bold, if there is one.  -1 with a message: the font or the file; or the program has no
   FreeType. */
int screenshot_write(const struct canvas *canvas, const char *theme, bool mono, const char *font, const char *path,
                     struct error *error);

#endif
