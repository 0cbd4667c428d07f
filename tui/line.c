/* line.c - see line.h.  The cursor is always before a whole character. */
#include "tui/line.h"

#include <stdio.h>
#include <string.h>

#include <utf8proc.h>

#include "tui/request.h"

enum { CLEAR = 'u' & 0x1f }; /* C-u */

/* Is it a byte of a character, but not its first? */
static bool is_inside(const struct line *line, int place)
{
    return ((unsigned char)line->text[place] & 0xc0) == 0x80;
}

/* The place of the character before the cursor, or after the one behind it. */
static int place_at(const struct line *line, int direction)
{
    int place = line->cursor, length = (int)strlen(line->text);
    do
        place += direction;
    while (place > 0 && place < length && is_inside(line, place));
    return place < 0 ? 0 : place > length ? length : place;
}

void line_set(struct line *line, const char *text)
{
    snprintf(line->text, sizeof line->text, "%s", text);
    line->cursor = (int)strlen(line->text);
}

static void erase(struct line *line, int from, int to)
{
    memmove(line->text + from, line->text + to, strlen(line->text + to) + 1);
    line->cursor = from;
}

static void insert(struct line *line, int key)
{
    utf8proc_uint8_t bytes[4];
    size_t count = (size_t)utf8proc_encode_char(key, bytes), length = strlen(line->text);
    if (length + count >= sizeof line->text)
        return;
    memmove(line->text + line->cursor + count, line->text + line->cursor, length - (size_t)line->cursor + 1);
    memcpy(line->text + line->cursor, bytes, count);
    line->cursor += (int)count;
}

bool line_key(struct line *line, int key)
{
    if (key == KEY_CODE_LEFT || key == KEY_CODE_RIGHT)
        line->cursor = place_at(line, key == KEY_CODE_LEFT ? -1 : 1);
    else if (key == KEY_CODE_HOME)
        line->cursor = 0;
    else if (key == KEY_CODE_END)
        line->cursor = (int)strlen(line->text);
    else if (key == KEY_CODE_BACKSPACE)
        erase(line, place_at(line, -1), line->cursor);
    else if (key == KEY_CODE_DELETE)
        erase(line, line->cursor, place_at(line, 1));
    else if (key == CLEAR)
        line_set(line, "");
    else if (key >= ' ' && key != 127 && key < KEY_CODE_UP && utf8proc_codepoint_valid(key))
        insert(line, key);
    else
        return false;
    return true;
}

/* Columns from a byte of the line to the cursor. */
static int columns_before(const struct line *line, int from)
{
    char text[LINE_MAX];
    snprintf(text, sizeof text, "%.*s", line->cursor - from, line->text + from);
    return canvas_columns(text);
}

void line_draw(const struct line *line, struct canvas *canvas, struct area area, int x, int y, int width, bool focus)
{
    int skip = 0;
    struct area field = area_part(area, x, y, width, 1);
    while (focus && skip < line->cursor && columns_before(line, skip) >= width)
        do
            skip++;
        while (is_inside(line, skip));
    canvas_text(canvas, field, 0, 0, focus ? STYLE_FIELD : STYLE_NORMAL, "%s", line->text + skip);
    int column = columns_before(line, skip);
    if (focus && column < field.width && field.height)
        canvas_cell(canvas, field.x + column, field.y)->style = STYLE_SELECTED;
}
