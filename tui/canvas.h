/*
 * canvas.h - a grid of cells that views draw on.
 *
 * terminal.c copies the grid to curses; tests print it as text.  Drawing is clipped to the canvas and, where one is
 * given, to the area, so any size is safe.  A cell holds one code point; a wide character takes two cells, the second
 * with glyph 0.  With `unicode` false every glyph outside ASCII is replaced by an ASCII character.  Texts are UTF-8;
 * invalid bytes and control characters are drawn as '?'.  UI thread only.
 */
#ifndef ESPALIER_TUI_CANVAS_H
#define ESPALIER_TUI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/text.h"

/* What a cell means; theme.c gives each style its colours. */
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
    uint8_t upper, lower; /* colours of a picture's two pixels, of the palette of 256; 0: it is none, and the glyph counts */
};

struct area {
    int x, y, width, height;
};

struct canvas {
    int width, height;
    bool unicode;
    bool mono; /* no colours: canvas_line() draws each style of a curve with dots of its own */
    struct cell *cells;
};

void canvas_init(struct canvas *canvas, int width, int height, bool unicode);
void canvas_done(struct canvas *canvas);
/* Set the size and blank all cells in STYLE_NORMAL. */
void canvas_reset(struct canvas *canvas, int width, int height);
struct area canvas_area(const struct canvas *canvas);
/* The part of an area from `x`, `y` inside it, clipped to it; may be empty. */
struct area area_part(struct area area, int x, int y, int width, int height);

/* NULL outside the canvas. */
struct cell *canvas_cell(struct canvas *canvas, int x, int y);
void canvas_put(struct canvas *canvas, int x, int y, uint32_t glyph, enum style style);
/* The same at `x`, `y` of an area, clipped to it. */
void canvas_glyph(struct canvas *canvas, struct area area, int x, int y, uint32_t glyph, enum style style);
/* Write text in row `y` of the area from column `x` on.  Text that is too long is cut at the right edge and ends
   with ….  Returns the column after the text. */
int canvas_text(struct canvas *canvas, struct area area, int x, int y, enum style style, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* Write text from row `y` down, wrapped between words; returns the row after the last. */
int canvas_words(struct canvas *canvas, struct area area, int y, enum style style, const char *text);
/* As canvas_text, ending `margin` columns before the area's right edge; nothing when it would begin left of `from`. */
void canvas_text_right(struct canvas *canvas, struct area area, int margin, int from, int y, enum style style,
                       const char *format, ...) __attribute__((format(printf, 7, 8)));
void canvas_fill(struct canvas *canvas, struct area area, uint32_t glyph, enum style style);
/* Give a whole row of an area another style. */
void canvas_restyle(struct canvas *canvas, struct area area, int y, enum style style);

/* A frame with a title in its top line; returns the area inside it.  It joins the lines of frames that are there
   already: ┬ ┴ ├ ┤ ┼. */
struct area canvas_box(struct canvas *canvas, struct area area, const char *title, enum style style);
/* A horizontal bar `width` columns wide, filled to `share` in eighths of a column. */
void canvas_meter(struct canvas *canvas, struct area area, int x, int y, int width, double share, enum style style);
/* The same without a background: only as long as its share; returns the column after it. */
int canvas_bar(struct canvas *canvas, struct area area, int x, int y, int width, double share, enum style style);
/* A sparkline ▁▂▃▄▅▆▇█ of the last `width` of `count` values, scaled from low to high; NaN is blank. */
void canvas_spark(struct canvas *canvas, struct area area, int x, int y, int width, const double *values, int count,
                  double low, double high, enum style style);

/* A braille dot: an area is width*2 by height*4 dots, counted from its upper left.  Dots in a cell add up; the last
   style counts. */
void canvas_dot(struct canvas *canvas, struct area area, int x, int y, enum style style);
/* A straight line of dots. */
void canvas_line(struct canvas *canvas, struct area area, int x0, int y0, int x1, int y1, enum style style);

/* The code point to show for a cell: its glyph, or an ASCII character instead of braille. */
uint32_t canvas_shown(const struct canvas *canvas, const struct cell *cell);

/* Two pixels of a picture in one cell, the upper one above the lower one; each is red, green and blue.  The glyph, for
   terminals without 256 colours or half blocks, is a shade of their mean. */
void canvas_pixels(struct canvas *canvas, struct area area, int x, int y, const uint8_t upper[3], const uint8_t lower[3]);

/* Draw the cells of another canvas from its row `top` on into an area. */
void canvas_copy(const struct canvas *from, int top, struct canvas *canvas, struct area area);

/* Columns that a UTF-8 text takes. */
int canvas_columns(const char *text);
/* Add one code point to `text`. */
void canvas_add_glyph(struct text *text, uint32_t glyph);
/* Add the canvas to `text` as lines without trailing blanks. */
void canvas_print(const struct canvas *canvas, struct text *text);

#endif
