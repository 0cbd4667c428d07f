/*
 * block_glyph.c - see block_glyph.h.  Blocks and lines end at whole pixels and so are sharp.  Lines go from the edges
 * of the cell to its middle; a table says how thick each of the four is.
 */
#include "tui/block_glyph.h"

#include <wchar.h>

#include "util/bug.h"

/* How thick a line is to each side, 0: none; and in how many dashes it is drawn. */
struct line_glyph {
    uint32_t glyph;
    int left, right, up, down, dashes;
};

static const struct line_glyph lines[] = {
    {L'─', 1, 1, 0, 0, 1}, {L'│', 0, 0, 1, 1, 1}, {L'┌', 0, 1, 0, 1, 1}, {L'┐', 1, 0, 0, 1, 1}, {L'└', 0, 1, 1, 0, 1},
    {L'┘', 1, 0, 1, 0, 1}, {L'├', 0, 1, 1, 1, 1}, {L'┤', 1, 0, 1, 1, 1}, {L'┬', 1, 1, 0, 1, 1}, {L'┴', 1, 1, 1, 0, 1},
    {L'┼', 1, 1, 1, 1, 1}, {L'━', 2, 2, 0, 0, 1}, {L'╸', 2, 0, 0, 0, 1}, {L'╍', 2, 2, 0, 0, 2}, {L'┄', 1, 1, 0, 0, 3},
    {L'┉', 2, 2, 0, 0, 4}, {L'┊', 0, 0, 1, 1, 4},
};

static void fill(const struct coverage *cell, int left, int top, int right, int bottom, uint8_t value)
{
    for (int y = top < 0 ? 0 : top; y < bottom && y < cell->height; y++)
        for (int x = left < 0 ? 0 : left; x < right && x < cell->width; x++)
            cell->values[y * cell->width + x] = value;
}

/* Empty the end of each dash. */
static void cut(const struct coverage *cell, const struct line_glyph *line)
{
    bool across = line->left || line->right;
    int length = across ? cell->width : cell->height;
    for (int dash = 0; dash < line->dashes; dash++) {
        int from = (3 * dash + 2) * length / (3 * line->dashes), to = (dash + 1) * length / line->dashes;
        fill(cell, across ? from : 0, across ? 0 : from, across ? to : cell->width, across ? cell->height : to, 0);
    }
}

static void draw_lines(const struct coverage *cell, const struct line_glyph *line)
{
    int width = cell->width, height = cell->height, thin = (height + 12) / 16;
    int across = line->left > line->right ? line->left : line->right,
        along = line->up > line->down ? line->up : line->down;
    int left = (width - along * thin) / 2, right = left + along * thin; /* of the line that goes up and down */
    int top = (height - across * thin) / 2, bottom = top + across * thin;
    if (line->left)
        fill(cell, 0, top, along ? right : width / 2, bottom, 255);
    if (line->right)
        fill(cell, along ? left : width / 2, top, width, bottom, 255);
    if (line->up)
        fill(cell, left, 0, right, across ? bottom : height / 2, 255);
    if (line->down)
        fill(cell, left, across ? top : height / 2, right, height, 255);
    if (line->dashes > 1)
        cut(cell, line);
}

/* Round dots, each in its part of two columns and four rows. */
static void draw_braille(const struct coverage *cell, uint32_t dots)
{
    static const uint32_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    enum { PARTS = 4 }; /* a pixel is sampled at so many places across and down */
    double across = cell->width / 2.0, down = cell->height / 4.0, radius = 0.5 * (across < down ? across : down);
    for (int y = 0; y < cell->height * PARTS; y++)
        for (int x = 0; x < cell->width * PARTS; x++) {
            double at_x = (x + 0.5) / PARTS, at_y = (y + 0.5) / PARTS;
            int column = (int)(at_x / across), row = (int)(at_y / down);
            double from_x = at_x - (column + 0.5) * across, from_y = at_y - (row + 0.5) * down;
            if ((dots & bits[row][column]) && from_x * from_x + from_y * from_y <= radius * radius)
                cell->values[y / PARTS * cell->width + x / PARTS] += 255 / (PARTS * PARTS);
        }
}

static int rounded(int size, int eighths)
{
    return (size * eighths + 4) / 8;
}

bool block_glyph(uint32_t glyph, const struct coverage *cell)
{
    int width = cell->width, height = cell->height;
    if (glyph >= 0x2800 && glyph <= 0x28ff)
        draw_braille(cell, glyph - 0x2800);
    else if (glyph == L'▀')
        fill(cell, 0, 0, width, rounded(height, 4), 255);
    else if (glyph >= L'▁' && glyph <= L'█') /* eighths from below */
        fill(cell, 0, height - rounded(height, (int)(glyph - L'▁') + 1), width, height, 255);
    else if (glyph >= L'▉' && glyph <= L'▏') /* from the left, ever less */
        fill(cell, 0, 0, rounded(width, 7 - (int)(glyph - L'▉')), height, 255);
    else if (glyph == L'▕')
        fill(cell, width - rounded(width, 1), 0, width, height, 255);
    else if (glyph >= L'░' && glyph <= L'▓')
        fill(cell, 0, 0, width, height, (uint8_t)(64 * (glyph - L'░' + 1)));
    else {
        for (size_t i = 0; i < COUNT_OF(lines); i++)
            if (lines[i].glyph == glyph) {
                draw_lines(cell, &lines[i]);
                return true;
            }
        return false;
    }
    return true;
}
