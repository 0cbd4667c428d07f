/*
 * canvas.c - cells, text, frames, meters, sparklines and braille dots.
 *
 * Braille: a cell's dots are the low bits of a code point from U+2800, so dots drawn later join those already there.
 * Without Unicode the cell still holds the bits; canvas_shown() turns them into an ASCII character that depends on the
 * style, so that curves can be told apart.
 */
#include "tui/canvas.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "util/memory.h"
#include "util/round.h"

enum { BRAILLE = 0x2800 };

/* The ASCII character that is shown instead. */
static uint32_t ascii_of(uint32_t glyph)
{
    static const struct { uint32_t glyph; char ascii;
    } table[] = {
        {L'│', '|'}, {L'─', '-'}, {L'┌', '+'}, {L'┐', '+'}, {L'└', '`'}, {L'┘', '+'}, {L'├', '|'}, {L'┤', '|'},
        {L'┬', '+'}, {L'┴', '+'}, {L'┼', '+'}, {L'█', '#'}, {L'░', '.'}, {L'▒', ':'}, {L'▓', '+'}, {L'▏', '.'}, {L'▎', '.'},
        {L'▍', ':'},
        {L'▌', ':'}, {L'▋', ':'}, {L'▊', '='}, {L'▉', '='}, {L'▁', '_'}, {L'▂', '.'}, {L'▃', '-'}, {L'▄', '-'},
        {L'▅', '='}, {L'▆', '+'}, {L'▇', '*'}, {L'✓', '+'}, {L'✗', 'x'}, {L'·', '.'}, {L'★', '^'}, {L'→', '>'},
        {L'×', 'x'}, {L'▾', 'v'}, {L'▴', '^'}, {L'▸', '>'}, {L'▶', '>'}, {L'◀', '<'}, {L'◂', '<'}, {L'‖', '='}, {L'…', '~'},
        {L'━', '='}, {L'●', 'o'}, {L'◆', '@'}, {L'▲', '^'}, {L'▼', 'v'}, {L'↑', '^'}, {L'↓', 'v'}, {L'←', '<'},
        {L'°', ' '}, {L'▕', '|'}, {L'┄', '.'}, {L'┊', ':'}, {L'≤', '<'}, {L'−', '-'}, {L'±', '~'}, {L'↔', '-'},
        {L'✎', '"'}, {L'□', '%'}, {L'▣', '&'}, {L'■', '#'},
    };
    if (glyph < 128)
        return glyph;
    if (glyph >= BRAILLE && glyph <= BRAILLE + 0xff) {
        int dots = __builtin_popcount(glyph - BRAILLE);
        return dots == 0 ? ' ' : dots < 4 ? '.' : ':';
    }
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].glyph == glyph)
            return (uint32_t)table[i].ascii;
    return '?';
}

void canvas_init(struct canvas *canvas, int width, int height, bool unicode)
{
    *canvas = (struct canvas){.unicode = unicode};
    canvas_reset(canvas, width, height);
}

void canvas_done(struct canvas *canvas)
{
    free(canvas->cells);
    *canvas = (struct canvas){0};
}

void canvas_reset(struct canvas *canvas, int width, int height)
{
    if (width != canvas->width || height != canvas->height || !canvas->cells) {
        canvas->width = width < 1 ? 1 : width;
        canvas->height = height < 1 ? 1 : height;
        canvas->cells = memory_resize(canvas->cells, (size_t)canvas->width * (size_t)canvas->height, sizeof *canvas->cells);
    }
    canvas_fill(canvas, canvas_area(canvas), ' ', STYLE_NORMAL);
}

struct area canvas_area(const struct canvas *canvas)
{
    return (struct area){0, 0, canvas->width, canvas->height};
}

static int within(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

struct area area_part(struct area area, int x, int y, int width, int height)
{
    int left = within(x, 0, area.width), top = within(y, 0, area.height);
    int right = within(x + width, left, area.width), bottom = within(y + height, top, area.height);
    return (struct area){area.x + left, area.y + top, right - left, bottom - top};
}

struct cell *canvas_cell(struct canvas *canvas, int x, int y)
{
    if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height)
        return NULL;
    return &canvas->cells[y * canvas->width + x];
}

void canvas_put(struct canvas *canvas, int x, int y, uint32_t glyph, enum style style)
{
    struct cell *cell = canvas_cell(canvas, x, y);
    if (cell)
        *cell = (struct cell){.glyph = canvas->unicode ? glyph : ascii_of(glyph), .style = (uint8_t)style};
}

void canvas_glyph(struct canvas *canvas, struct area area, int x, int y, uint32_t glyph, enum style style)
{
    if (x >= 0 && y >= 0 && x < area.width && y < area.height)
        canvas_put(canvas, area.x + x, area.y + y, glyph, style);
}

/* The next code point of a UTF-8 text.  A byte that begins no valid sequence is '?', and so is a control character. */
static uint32_t next_glyph(const char **text)
{
    utf8proc_int32_t glyph;
    utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)*text, -1, &glyph);
    *text += length > 0 ? length : 1;
    return length <= 0 || utf8proc_category(glyph) == UTF8PROC_CATEGORY_CC ? '?' : (uint32_t)glyph;
}

/* 0: a mark on the character before it, or invisible; a cell has no place for it. */
static int glyph_columns(uint32_t glyph)
{
    return utf8proc_charwidth((utf8proc_int32_t)glyph);
}

int canvas_columns(const char *text)
{
    int columns = 0;
    while (*text)
        columns += glyph_columns(next_glyph(&text));
    return columns;
}

static int write_text(struct canvas *canvas, struct area area, int x, int y, enum style style, const char *text)
{
    if (y < 0 || y >= area.height)
        return x;
    bool cut = x + canvas_columns(text) > area.width;
    int end = area.width - (cut ? 1 : 0);
    while (*text) {
        uint32_t glyph = next_glyph(&text);
        int columns = glyph_columns(glyph);
        if (x + columns > end)
            break;
        if (x >= 0 && columns) {
            canvas_put(canvas, area.x + x, area.y + y, glyph, style);
            if (columns == 2 && canvas->unicode)
                canvas_put(canvas, area.x + x + 1, area.y + y, 0, style);
        }
        x += columns;
    }
    if (cut && x >= 0 && x < area.width)
        canvas_put(canvas, area.x + x++, area.y + y, L'…', style);
    return x;
}

int canvas_text(struct canvas *canvas, struct area area, int x, int y, enum style style, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return write_text(canvas, area, x, y, style, text);
}

/* Length in bytes of the first words that fit into `columns`; at least one word. */
static size_t words_within(const char *text, int columns)
{
    char line[1024];
    size_t taken = 0, word;
    do {
        word = taken + strspn(text + taken, " ");
        word += strcspn(text + word, " ");
        snprintf(line, sizeof line, "%.*s", (int)word, text);
        if (taken && canvas_columns(line) > columns)
            break;
        taken = word;
    } while (text[taken]);
    return taken;
}

int canvas_words(struct canvas *canvas, struct area area, int y, enum style style, const char *text)
{
    for (; *text; y++) {
        size_t length = words_within(text, area.width);
        canvas_text(canvas, area, 0, y, style, "%.*s", (int)length, text);
        text += length + strspn(text + length, " ");
    }
    return y;
}

void canvas_text_right(struct canvas *canvas, struct area area, int margin, int from, int y, enum style style,
                       const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    int x = area.width - margin - canvas_columns(text);
    if (x >= from)
        write_text(canvas, area, x, y, style, text);
}

void canvas_fill(struct canvas *canvas, struct area area, uint32_t glyph, enum style style)
{
    for (int y = 0; y < area.height; y++)
        for (int x = 0; x < area.width; x++)
            canvas_put(canvas, area.x + x, area.y + y, glyph, style);
}

void canvas_restyle(struct canvas *canvas, struct area area, int y, enum style style)
{
    if (y < 0 || y >= area.height)
        return;
    for (int x = 0; x < area.width; x++) {
        struct cell *cell = canvas_cell(canvas, area.x + x, area.y + y);
        if (cell)
            cell->style = (uint8_t)style;
    }
}

/* The directions in which lines leave a cell's middle, and the glyph for each set of directions. */
enum { UP = 1, DOWN = 2, LEFT = 4, RIGHT = 8 };
static const uint32_t joints[] = {' ', L'│', L'│', L'│', L'─', L'┘', L'┐', L'┤',
                                  L'─', L'└', L'┌', L'├', L'─', L'┴', L'┬', L'┼'};

static uint32_t joint(const struct canvas *canvas, unsigned lines)
{
    if (canvas->unicode)
        return joints[lines];
    return __builtin_popcount(lines) > 2 ? '+' : ascii_of(joints[lines]);
}

/* Add lines to a cell, joining those that are there already. */
static void put_joint(struct canvas *canvas, int x, int y, unsigned lines, enum style style)
{
    const struct cell *cell = canvas_cell(canvas, x, y);
    unsigned there = sizeof joints / sizeof *joints - 1;
    if (!cell)
        return;
    while (there && joint(canvas, there) != cell->glyph)
        there--;
    canvas_put(canvas, x, y, joint(canvas, there | lines), style);
}

struct area canvas_box(struct canvas *canvas, struct area area, const char *title, enum style style)
{
    if (area.width < 2 || area.height < 2)
        return (struct area){area.x, area.y, 0, 0};
    int right = area.x + area.width - 1, bottom = area.y + area.height - 1;
    for (int x = area.x + 1; x < right; x++) {
        put_joint(canvas, x, area.y, LEFT | RIGHT, style);
        put_joint(canvas, x, bottom, LEFT | RIGHT, style);
    }
    for (int y = area.y + 1; y < bottom; y++) {
        put_joint(canvas, area.x, y, UP | DOWN, style);
        put_joint(canvas, right, y, UP | DOWN, style);
    }
    put_joint(canvas, area.x, area.y, DOWN | RIGHT, style);
    put_joint(canvas, right, area.y, DOWN | LEFT, style);
    put_joint(canvas, area.x, bottom, UP | RIGHT, style);
    put_joint(canvas, right, bottom, UP | LEFT, style);
    if (title && *title)
        write_text(canvas, (struct area){area.x + 1, area.y, area.width - 2, 1}, 0, 0,
                   style == STYLE_FOCUS ? STYLE_FOCUS : STYLE_TITLE, title);
    return (struct area){area.x + 1, area.y + 1, area.width - 2, area.height - 2};
}

void canvas_meter(struct canvas *canvas, struct area area, int x, int y, int width, double share, enum style style)
{
    static const uint32_t parts[] = {L'░', L'▏', L'▎', L'▍', L'▌', L'▋', L'▊', L'▉'};
    if (y < 0 || y >= area.height)
        return;
    int eighths = round_within(share * width * 8, 0, width * 8);
    for (int i = 0; i < width && x + i < area.width; i++) {
        int part = eighths - 8 * i;
        if (part >= 8)
            canvas_put(canvas, area.x + x + i, area.y + y, L'█', style);
        else
            canvas_put(canvas, area.x + x + i, area.y + y, parts[part > 0 ? part : 0], part > 0 ? style : STYLE_METER_REST);
    }
}

int canvas_bar(struct canvas *canvas, struct area area, int x, int y, int width, double share, enum style style)
{
    int eighths = width > 0 ? round_within(share * width * 8, 0, width * 8) : 0;
    for (int i = 0; 8 * i < eighths; i++)
        canvas_glyph(canvas, area, x + i, y, eighths - 8 * i >= 8 ? L'█' : (uint32_t)(L'▏' - (eighths - 8 * i - 1)), style);
    return x + (eighths + 7) / 8;
}

void canvas_spark(struct canvas *canvas, struct area area, int x, int y, int width, const double *values, int count,
                  double low, double high, enum style style)
{
    if (y < 0 || y >= area.height)
        return;
    int first = count > width ? count - width : 0;
    for (int i = first; i < count && x + i - first < area.width; i++) {
        if (!isfinite(values[i]))
            continue;
        double share = high > low ? (values[i] - low) / (high - low) : 1;
        int level = round_within(share * 7, 0, 7);
        canvas_put(canvas, area.x + x + i - first, area.y + y, (uint32_t)(L'▁' + level), style);
    }
}

void canvas_dot(struct canvas *canvas, struct area area, int x, int y, enum style style)
{
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (x < 0 || y < 0 || x >= 2 * area.width || y >= 4 * area.height)
        return;
    struct cell *cell = canvas_cell(canvas, area.x + x / 2, area.y + y / 4);
    if (!cell)
        return;
    bool dots = cell->glyph >= BRAILLE && cell->glyph <= BRAILLE + 0xff;
    uint32_t old = dots ? cell->glyph - BRAILLE : 0;
    *cell = (struct cell){.glyph = BRAILLE + (old | bits[y % 4][x % 2]), .style = (uint8_t)style};
}

/* Which dots of a line are drawn: B in long dashes, C in dots, D in dashes far apart. */
static bool has_dot(const struct canvas *canvas, enum style style, int x, int y)
{
    int place = (3 * x + y) & 0xffff;
    if (!canvas->mono || !canvas->unicode)
        return true;
    return style == STYLE_CURVE_B ? place % 24 < 15 : style == STYLE_CURVE_C ? place % 12 < 4
           : style == STYLE_CURVE_D ? place % 36 < 9 : true;
}

void canvas_line(struct canvas *canvas, struct area area, int x0, int y0, int x1, int y1, enum style style)
{
    int steps = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0);
    for (int i = 0; i <= steps; i++) {
        int x = steps ? x0 + (int)lround((double)(x1 - x0) * i / steps) : x0;
        int y = steps ? y0 + (int)lround((double)(y1 - y0) * i / steps) : y0;
        if (has_dot(canvas, style, x, y))
            canvas_dot(canvas, area, x, y, style);
    }
}

uint32_t canvas_shown(const struct canvas *canvas, const struct cell *cell)
{
    static const char curves[STYLE_COUNT] = {
        [STYLE_CURVE_B] = 'o', [STYLE_CURVE_C] = '+', [STYLE_CURVE_D] = '-', [STYLE_DIM] = '\''};
    if (canvas->unicode)
        return cell->glyph;
    bool dots = cell->glyph > BRAILLE && cell->glyph <= BRAILLE + 0xff;
    return dots && curves[cell->style] ? (uint32_t)curves[cell->style] : ascii_of(cell->glyph);
}

/* The nearest of the colours 16 to 255: a cube of six steps a colour, whose first steps are 0 and 95, and a ramp of greys. */
static uint8_t palette_of(const uint8_t pixel[3])
{
    int index = 16, weight = 36;
    if (pixel[0] == pixel[1] && pixel[1] == pixel[2]) {
        int step = (pixel[0] - 3) / 10;
        return (uint8_t)(pixel[0] < 4 ? 16 : step > 23 ? 231 : 232 + step);
    }
    for (int i = 0; i < 3; i++, weight /= 6)
        index += weight * (pixel[i] < 48 ? 0 : pixel[i] < 115 ? 1 : (pixel[i] - 35) / 40);
    return (uint8_t)index;
}

void canvas_pixels(struct canvas *canvas, struct area area, int x, int y, const uint8_t upper[3], const uint8_t lower[3])
{
    static const uint32_t shades[] = {' ', L'░', L'▒', L'▓', L'█'};
    static const char characters[] = " .:-=+*#%@";
    struct cell *cell = x >= 0 && y >= 0 && x < area.width && y < area.height ? canvas_cell(canvas, area.x + x, area.y + y) : NULL;
    if (!cell)
        return;
    int light = 0;
    for (int i = 0; i < 3; i++)
        light += upper[i] + lower[i];
    *cell = (struct cell){.glyph = canvas->unicode ? shades[light * 5 / (6 * 256)] : (uint32_t)characters[light * 10 / (6 * 256)],
                          .style = STYLE_NORMAL,
                          .upper = palette_of(upper),
                          .lower = palette_of(lower)};
}

void canvas_copy(const struct canvas *from, int top, struct canvas *canvas, struct area area)
{
    for (int y = 0; y < area.height && top + y < from->height; y++)
        for (int x = 0; x < area.width && x < from->width; x++) {
            struct cell *cell = canvas_cell(canvas, area.x + x, area.y + y);
            if (cell)
                *cell = from->cells[(top + y) * from->width + x];
        }
}

void canvas_add_glyph(struct text *text, uint32_t glyph)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t length = utf8proc_encode_char((utf8proc_int32_t)glyph, bytes);
    text_add_bytes(text, (const char *)bytes, (size_t)length);
}

void canvas_print(const struct canvas *canvas, struct text *text)
{
    for (int y = 0; y < canvas->height; y++) {
        const struct cell *row = &canvas->cells[y * canvas->width];
        int end = canvas->width;
        while (end > 0 && (row[end - 1].glyph == ' ' || row[end - 1].glyph == BRAILLE))
            end--;
        for (int x = 0; x < end; x++)
            if (row[x].glyph)
                canvas_add_glyph(text, canvas_shown(canvas, &row[x]));
        text_add_bytes(text, "\n", 1);
    }
}
