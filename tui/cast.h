/*
 * cast.h - screens over time as an asciicast, version 2: what `asciinema play` and players in web pages show.
 *
 * The file is a line of JSON that describes it, and a line for each frame: its time, and the bytes that turn the screen
 * before into this one.  They are those of a terminal with UTF-8 and 256 colours.  One thread.
 * Source: https://docs.asciinema.org/manual/asciicast/v2/
 */
#ifndef ESPALIER_TUI_CAST_H
#define ESPALIER_TUI_CAST_H

#include "tui/canvas.h"

struct cast;

/* `theme`: a name that theme_find() knows.  `mono`: without colours. */
struct cast *cast_new(int width, int height, const char *theme, bool mono);
void cast_free(struct cast *cast);
/* The screen `time` seconds after the beginning; times ascend.  A screen that is like the one before adds no line. */
void cast_add(struct cast *cast, const struct canvas *canvas, double time);
/* The whole file, which lasts `seconds`. */
void cast_print(const struct cast *cast, const char *title, double seconds, struct text *file);

#endif
