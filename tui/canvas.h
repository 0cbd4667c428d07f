/*
 * canvas.h - a grid of cells to draw on: what a screen shows, without a terminal.
 *
 * Views draw here and nowhere else; terminal.c copies the grid to curses, tests print it as text.  Everything is
 * clipped to the canvas and, where one is given, to the area, so that no size can be too small.  A cell holds one
 * character one column wide (a wide one takes its cell and an empty one).  With `unicode` false every glyph outside
 * ASCII is drawn as its stand-in.  UI thread only.
 */
#ifndef ESPALIER_TUI_CANVAS_H
#define ESPALIER_TUI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/text.h"

/* What a cell means; theme.c says how that looks. */
#define CANVAS_STYLES(S) \
    S(NORMAL) S(DIM) S(BOLD) S(TITLE) S(BORDER) S(FOCUS) S(SELECTED) S(KEY) S(KEY_LABEL) S(HEADER) \
    S(QUEUED) S(RUNNING) S(DONE) S(FAILED) S(PINNED) S(USER) S(BEST) S(GAIN) S(LOSS) S(WARNING) \
    S(CURVE_A) S(CURVE_B) S(CURVE_C) S(CURVE_D) S(METER) S(METER_REST) S(DIALOG) S(FIELD)

enum style {
#define CANVAS_STYLE_ENUM(name) STYLE_##name,
    CANVAS_STYLES(CANVAS_STYLE_ENUM)
#undef CANVAS_STYLE_ENUM
    STYLE_COUNT
};

struct cell {
    uint32_t glyph; /* a code point; 0: the right half of a wide one */
    uint8_t style;
};

struct area {
    int x, y, width, height;
};

struct canvas {
    int width, height;
    bool unicode;
    struct cell *cells;
};

void canvas_init(struct canvas *canvas, int width, int height, bool unicode);
void canvas_done(struct canvas *canvas);
/* All blank in STYLE_NORMAL, in a new size. */
void canvas_reset(struct canvas *canvas, int width, int height);
struct area canvas_area(const struct canvas *canvas);
/* A part of an area, from `x`, `y` inside it; never outside, maybe empty. */
struct area area_part(struct area area, int x, int y, int width, int height);

/* NULL outside the canvas. */
struct cell *canvas_cell(struct canvas *canvas, int x, int y);
void canvas_put(struct canvas *canvas, int x, int y, uint32_t glyph, enum style style);
/* The same at a place of an area, and never outside it. */
void canvas_glyph(struct canvas *canvas, struct area area, int x, int y, uint32_t glyph, enum style style);
/* Write UTF-8 text in the row of the area that starts `y` down from its top, from column `x` of the area, cut at the
   area's right edge (with … when `x` leaves room).  Returns the column behind the text. */
int canvas_text(struct canvas *canvas, struct area area, int x, int y, enum style style, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* Write a text from row `y` down, broken between words where the area ends; returns the row behind the last. */
int canvas_words(struct canvas *canvas, struct area area, int y, enum style style, const char *text);
/* As canvas_text, ending at the area's right edge less `margin`; left out when it would not fit right of column `from`. */
void canvas_text_right(struct canvas *canvas, struct area area, int margin, int from, int y, enum style style,
                       const char *format, ...) __attribute__((format(printf, 7, 8)));
void canvas_fill(struct canvas *canvas, struct area area, uint32_t glyph, enum style style);
/* Restyle a whole row of an area: the selection. */
void canvas_restyle(struct canvas *canvas, struct area area, int y, enum style style);

/* A frame with a title in its top line; returns what is left inside (never negative).  Where it lies on a frame that is
   there already, the two join: ┬ ┴ ├ ┤ ┼. */
struct area canvas_box(struct canvas *canvas, struct area area, const char *title, enum style style);
/* A meter `width` columns wide, in eighths of a column. */
void canvas_meter(struct canvas *canvas, struct area area, int x, int y, int width, double share, enum style style);
/* The last `width` of `count` values as ▁▂▃▄▅▆▇█ between low and high; NaN is blank. */
void canvas_spark(struct canvas *canvas, struct area area, int x, int y, int width, const double *values, int count,
                  double low, double high, enum style style);

/* A dot in braille: the area is width*2 by height*4 dots, from its upper left.  Dots add up; the last style wins. */
void canvas_dot(struct canvas *canvas, struct area area, int x, int y, enum style style);
/* A straight line of dots. */
void canvas_line(struct canvas *canvas, struct area area, int x0, int y0, int x1, int y1, enum style style);

/* The code point to show for a cell: its glyph, or the stand-in for braille where there is only ASCII. */
uint32_t canvas_shown(const struct canvas *canvas, const struct cell *cell);

/* Columns that a UTF-8 text takes. */
int canvas_columns(const char *text);
/* The whole canvas as lines, trailing blanks cut. */
void canvas_print(const struct canvas *canvas, struct text *text);

#endif
