/*
 * block_glyph.h - lines, blocks, shades and braille as pixels.
 *
 * Terminals draw these characters themselves, so that they join across cells, which those of a font don't.  Pure.
 */
#ifndef ESPALIER_TUI_BLOCK_GLYPH_H
#define ESPALIER_TUI_BLOCK_GLYPH_H

#include <stdbool.h>
#include <stdint.h>

/* How much of each pixel of a cell the foreground covers, 0 to 255, row by row.  `values` is the caller's. */
struct coverage {
    int width, height;
    uint8_t *values;
};

/* Draw into a cell of zeros.  False: the glyph is none of these, and nothing was drawn. */
bool block_glyph(uint32_t glyph, const struct coverage *cell);

#endif
