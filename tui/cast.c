/*
 * cast.c - the bytes between two screens, and the lines of the file.
 *
 * A copy of the last screen is kept.  Only cells that differ from it are written, in the order of reading; the cursor
 * is moved where the last one written is not just left of the next, and attributes are set where they change.
 */
#include "tui/cast.h"

#include <stdlib.h>

#include <jansson.h>

#include "tui/theme.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/print.h"

struct cast {
    int width, height;
    const char *theme;
    const struct theme_style *styles;
    bool mono;
    struct cell *shown; /* the last screen, with the glyphs that a person sees */
    struct text lines;  /* the file without its first line */
};

struct cast *cast_new(int width, int height, const char *theme, bool mono)
{
    struct cast *cast = memory_new(1, sizeof *cast);
    *cast = (struct cast){.width = width, .height = height, .theme = theme, .styles = theme_find(theme), .mono = mono};
    ASSERT(cast->styles);
    return cast;
}

void cast_free(struct cast *cast)
{
    free(cast->shown);
    text_done(&cast->lines);
    free(cast);
}

/* The control sequence that sets colours and attributes (SGR). */
static void add_attributes(const struct cast *cast, const struct cell *cell, struct text *bytes)
{
    static const struct {
        unsigned attribute;
        const char *code;
    } codes[] = {{THEME_BOLD, ";1"}, {THEME_DIM, ";2"}, {THEME_UNDERLINE, ";4"}, {THEME_REVERSE, ";7"}};
    const struct theme_style *style = &cast->styles[cell->style];
    unsigned attributes = cast->mono ? style->plain : style->attributes;
    text_add(bytes, "\033[0");
    if (cell->upper) {
        text_add(bytes, ";38;5;%d;48;5;%dm", cell->upper, cell->lower);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (attributes & codes[i].attribute)
            text_add(bytes, "%s", codes[i].code);
    if (!cast->mono && style->colour_256 >= 0)
        text_add(bytes, ";38;5;%d", style->colour_256);
    text_add(bytes, "m");
}

/* The cell as it is written: pixels are half blocks where there are colours. */
static struct cell cell_shown(const struct cast *cast, const struct canvas *canvas, int x, int y)
{
    struct cell cell = canvas->cells[y * canvas->width + x];
    bool pixels = cell.upper && canvas->unicode && !cast->mono;
    cell.glyph = pixels ? L'▀' : canvas_shown(canvas, &cell);
    cell.upper = pixels ? cell.upper : 0;
    cell.lower = pixels ? cell.lower : 0;
    return cell;
}

static bool looks_alike(struct cell a, struct cell b)
{
    return a.style == b.style && a.upper == b.upper && a.lower == b.lower;
}

static void add_screen(struct cast *cast, const struct canvas *canvas, struct text *bytes)
{
    struct cell last = {0};
    int next = -1; /* the place behind the last cell written, or none */
    for (int i = 0; i < cast->width * cast->height; i++) {
        int x = i % cast->width, y = i / cast->width;
        struct cell cell = cell_shown(cast, canvas, x, y);
        bool same = looks_alike(cell, cast->shown[i]) && cell.glyph == cast->shown[i].glyph;
        cast->shown[i] = cell;
        if (!cell.glyph) /* the right half of a wide character: the left one has drawn it */
            next += next == i;
        if (same || !cell.glyph)
            continue;
        if (next != i || x == 0)
            text_add(bytes, "\033[%d;%dH", y + 1, x + 1);
        if (next < 0 || !looks_alike(cell, last))
            add_attributes(cast, &cell, bytes);
        canvas_add_glyph(bytes, cell.glyph);
        last = cell;
        next = i + 1;
    }
}

void cast_add(struct cast *cast, const struct canvas *canvas, double time)
{
    struct text bytes = TEXT_EMPTY;
    ASSERT(canvas->width == cast->width && canvas->height == cast->height);
    if (!cast->shown) { /* the cursor is hidden, the screen blank */
        cast->shown = memory_new((size_t)cast->width * (size_t)cast->height, sizeof *cast->shown);
        text_add(&bytes, "\033[?25l\033[0m\033[2J");
    }
    add_screen(cast, canvas, &bytes);
    if (bytes.length) {
        json_t *line = json_pack("[fss%]", time, "o", text_string(&bytes), bytes.length);
        char *text = json_dumps(line, JSON_REAL_PRECISION(10));
        text_add(&cast->lines, "%s\n", text);
        free(text);
        json_decref(line);
    }
    text_done(&bytes);
}

static json_t *colour_new(const uint8_t rgb[3])
{
    return json_sprintf("#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
}

void cast_print(const struct cast *cast, const char *title, double seconds, struct text *file)
{
    static const char palette[] = "#000000:#cd3131:#0dbc79:#e5e510:#2472c8:#bc3fbc:#11a8cd:#e5e5e5:"
                                  "#666666:#f14c4c:#23d18b:#f5f543:#3b8eea:#d670d6:#29b8db:#ffffff";
    struct theme_page page = theme_page(cast->theme);
    json_t *header = json_pack("{sisisisfs{ss}s{sososs}}", "version", 2, "width", cast->width, "height", cast->height,
                               "duration", seconds, "env", "TERM", "xterm-256color", "theme", "fg",
                               colour_new(page.foreground), "bg", colour_new(page.background), "palette", palette);
    struct text visible = TEXT_EMPTY; /* a folder's name may hold anything */
    print_add(&visible, title);
    json_object_set_new(header, "title", json_string(text_string(&visible)));
    text_done(&visible);
    char *text = json_dumps(header, JSON_REAL_PRECISION(10));
    text_add(file, "%s\n%s", text, text_string(&cast->lines));
    free(text);
    json_decref(header);
}
