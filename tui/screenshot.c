/*
 * screenshot.c - a canvas as pixels: characters by FreeType, lines and blocks by block_glyph.c, the file by libpng.
 *
 * A cell is as wide as the font's characters and as high as its lines.  First its background is filled; then the
 * foreground is laid over it, as far as the character covers each pixel.
 */
#include "config.h"

#include "tui/screenshot.h"

#ifndef HAVE_FREETYPE

int screenshot_write(const struct canvas *canvas, const char *theme, bool mono, const char *font, const char *path,
                     struct error *error)
{
    return error_set(error,
                     "%s: this program was built without FreeType and libpng, which draw pictures; install "
                     "libfreetype-dev and libpng-dev, then configure and build again",
                     path);
}

#else

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H

#include "tui/block_glyph.h"
#include "tui/theme.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

enum { FONT_PIXELS = 16, RGB = 3, COLOURS = 256 };
enum { CELL_LEAST = 4, CELL_MOST = 64 }; /* pixels, of the cells of a font of that size */

struct painter {
    FT_Library library;
    FT_Face face, bold;        /* `bold` may be NULL */
    struct coverage cell;      /* of one cell */
    int ascent;                /* from the top of a cell to its base line */
    int width, height, border; /* of the picture, in pixels */
    uint8_t *pixels;
    struct theme_page page;
    const struct theme_style *styles;
    bool mono;
};

/* What a cell looks like. */
struct look {
    uint8_t foreground[RGB], background[RGB];
    bool bold, underline;
};

/* --- the font --- */

/* "Mono-Bold.ttf" for "Mono.ttf"; the caller's to free(). */
static char *bold_path(const char *path)
{
    const char *dot = strrchr(path, '.');
    size_t stem = dot && !strchr(dot, '/') ? (size_t)(dot - path) : strlen(path);
    struct text text = TEXT_EMPTY;
    text_add(&text, "%.*s-Bold%s", (int)stem, path, path + stem);
    return text_take(&text);
}

/* The size of a cell, and of the picture.  A font may say anything of itself. */
static int measure(struct painter *painter, const struct canvas *canvas, const char *font, struct error *error)
{
    const FT_Size_Metrics *metrics = &painter->face->size->metrics;
    int advance = FONT_PIXELS / 2;
    if (!FT_Load_Char(painter->face, 'M', FT_LOAD_DEFAULT))
        advance = (int)((painter->face->glyph->advance.x + 32) >> 6);
    painter->ascent = (int)((metrics->ascender + 63) >> 6);
    painter->cell.width = advance;
    painter->cell.height = painter->ascent + (int)((-metrics->descender + 63) >> 6);
    if (painter->ascent < 1 || painter->cell.width < CELL_LEAST || painter->cell.width > CELL_MOST ||
        painter->cell.height < CELL_LEAST || painter->cell.height > CELL_MOST)
        return error_set(error,
                         "%s: its characters take %d by %d pixels, %d of them above the line, which makes no screen; "
                         "name a monospaced font (--font)",
                         font ? font : SCREENSHOT_FONT, painter->cell.width, painter->cell.height, painter->ascent);
    painter->border = painter->cell.height / 2;
    painter->width = canvas->width * painter->cell.width + 2 * painter->border;
    painter->height = canvas->height * painter->cell.height + 2 * painter->border;
    painter->cell.values = memory_new((size_t)painter->cell.width * (size_t)painter->cell.height, 1);
    painter->pixels = memory_new((size_t)painter->width * (size_t)painter->height, RGB);
    return 0;
}

static int open_font(struct painter *painter, const char *font, struct error *error)
{
    const char *path = font ? font : SCREENSHOT_FONT;
    if (access(path, R_OK))
        return error_set(error, "%s: can't be read; %s", path,
                         font ? "name a file with a monospaced font (--font)"
                              : "install fonts-dejavu-core, or name a monospaced font with --font FILE");
    if (FT_Init_FreeType(&painter->library))
        return error_set(error, "FreeType can't be started; try again when there is more memory");
    if (FT_New_Face(painter->library, path, 0, &painter->face) || FT_Set_Pixel_Sizes(painter->face, 0, FONT_PIXELS))
        return error_set(error, "%s: is no font that FreeType can scale; name another one (--font)", path);
    char *bold = bold_path(path);
    if (FT_New_Face(painter->library, bold, 0, &painter->bold))
        painter->bold = NULL;
    else
        FT_Set_Pixel_Sizes(painter->bold, 0, FONT_PIXELS);
    free(bold);
    return 0;
}

static void painter_done(struct painter *painter)
{
    if (painter->library)
        FT_Done_FreeType(painter->library); /* with its faces */
    free(painter->cell.values);
    free(painter->pixels);
}

/* --- a cell --- */

static struct look look_of(const struct painter *painter, const struct cell *cell)
{
    const struct theme_style *style = &painter->styles[cell->style];
    unsigned attributes = painter->mono ? style->plain : style->attributes;
    struct look look = {.bold = attributes & THEME_BOLD, .underline = attributes & THEME_UNDERLINE};
    memcpy(look.foreground, painter->page.foreground, RGB);
    memcpy(look.background, painter->page.background, RGB);
    if (!painter->mono && style->colour_256 >= 0)
        theme_rgb(style->colour_256, look.foreground);
    for (int i = 0; i < RGB && attributes & THEME_DIM; i++)
        look.foreground[i] = (uint8_t)((look.foreground[i] + look.background[i]) / 2);
    for (int i = 0; i < RGB && attributes & THEME_REVERSE; i++) {
        uint8_t other = look.foreground[i];
        look.foreground[i] = look.background[i];
        look.background[i] = other;
    }
    return look;
}

/* Fill the columns of a cell with one colour, from its row `top` to `bottom`, as far as it has these rows. */
static void fill(struct painter *painter, int x, int y, int top, int bottom, const uint8_t colour[RGB])
{
    bottom = bottom < painter->cell.height ? bottom : painter->cell.height;
    for (int row = top < 0 ? 0 : top; row < bottom; row++) {
        size_t line = (size_t)(painter->border + y * painter->cell.height + row) * (size_t)painter->width;
        uint8_t *pixel = painter->pixels + (line + (size_t)(painter->border + x * painter->cell.width)) * RGB;
        for (int i = 0; i < painter->cell.width * RGB; i++)
            pixel[i] = colour[i % RGB];
    }
}

/* Lay a colour over the pixel at `x`, `y` of a cell.  Few shades make a small file. */
static void blend(struct painter *painter, int column, int row, int x, int y, uint8_t covered,
                  const uint8_t colour[RGB])
{
    int at_x = painter->border + column * painter->cell.width + x,
        at_y = painter->border + row * painter->cell.height + y;
    int share = (covered + 16) / 32;
    if (at_x < 0 || at_y < 0 || at_x >= painter->width || at_y >= painter->height)
        return;
    uint8_t *pixel = painter->pixels + ((size_t)at_y * (size_t)painter->width + (size_t)at_x) * RGB;
    for (int i = 0; i < RGB; i++)
        pixel[i] = (uint8_t)((pixel[i] * (8 - share) + colour[i] * share) / 8);
}

static void draw_character(struct painter *painter, int column, int row, uint32_t glyph, const struct look *look)
{
    FT_Face face = look->bold && painter->bold ? painter->bold : painter->face;
    if (FT_Load_Char(face, glyph, FT_LOAD_DEFAULT | FT_LOAD_TARGET_LIGHT))
        return;
    if (look->bold && !painter->bold && face->glyph->format == FT_GLYPH_FORMAT_OUTLINE)
        FT_Outline_Embolden(&face->glyph->outline, 1 << 6);
    if (FT_Render_Glyph(face->glyph, FT_RENDER_MODE_NORMAL) || face->glyph->bitmap.pixel_mode != FT_PIXEL_MODE_GRAY)
        return;
    const FT_Bitmap *bitmap = &face->glyph->bitmap;
    for (int y = 0; y < (int)bitmap->rows; y++)
        for (int x = 0; x < (int)bitmap->width; x++)
            blend(painter, column, row, face->glyph->bitmap_left + x, painter->ascent - face->glyph->bitmap_top + y,
                  bitmap->buffer[y * bitmap->pitch + x], look->foreground);
}

static void draw_block(struct painter *painter, int column, int row, const struct look *look)
{
    for (int y = 0; y < painter->cell.height; y++)
        for (int x = 0; x < painter->cell.width; x++)
            blend(painter, column, row, x, y, painter->cell.values[y * painter->cell.width + x], look->foreground);
}

static void draw_pixels(struct painter *painter, int x, int y, const struct cell *cell)
{
    int middle = (painter->cell.height + 1) / 2;
    uint8_t colour[RGB];
    theme_rgb(cell->upper, colour);
    fill(painter, x, y, 0, middle, colour);
    theme_rgb(cell->lower, colour);
    fill(painter, x, y, middle, painter->cell.height, colour);
}

static void draw_cell(struct painter *painter, const struct canvas *canvas, int x, int y)
{
    const struct cell *cell = &canvas->cells[y * canvas->width + x];
    uint32_t glyph = canvas_shown(canvas, cell);
    struct look look = look_of(painter, cell);
    if (cell->upper && canvas->unicode && !painter->mono) {
        draw_pixels(painter, x, y, cell);
        return;
    }
    memset(painter->cell.values, 0, (size_t)painter->cell.width * (size_t)painter->cell.height);
    if (glyph && block_glyph(glyph, &painter->cell))
        draw_block(painter, x, y, &look);
    else if (glyph && glyph != ' ')
        draw_character(painter, x, y, glyph, &look);
    if (look.underline)
        fill(painter, x, y, painter->ascent + 2, painter->ascent + 3, look.foreground);
}

/* --- the picture --- */

static void draw(struct painter *painter, const struct canvas *canvas)
{
    for (size_t i = 0; i < (size_t)painter->width * (size_t)painter->height * RGB; i++)
        painter->pixels[i] = painter->page.background[i % RGB];
    for (int y = 0; y < canvas->height; y++) /* all backgrounds first: characters may reach beyond their cells */
        for (int x = 0; x < canvas->width; x++) {
            struct look look = look_of(painter, &canvas->cells[y * canvas->width + x]);
            fill(painter, x, y, 0, painter->cell.height, look.background);
        }
    for (int y = 0; y < canvas->height; y++)
        for (int x = 0; x < canvas->width; x++)
            draw_cell(painter, canvas, x, y);
}

/* Write each pixel as the number of its colour in `colours`, which makes a file of half the size.  False: there are
   more than COLOURS, as there may be where pictures are shown. */
static bool number_colours(const struct painter *painter, uint8_t *numbers, uint8_t colours[COLOURS][RGB], int *count)
{
    int number = 0;
    *count = 0;
    for (size_t i = 0; i < (size_t)painter->width * (size_t)painter->height; i++) {
        const uint8_t *pixel = painter->pixels + i * RGB;
        if (!*count || memcmp(colours[number], pixel, RGB))
            for (number = 0; number < *count && memcmp(colours[number], pixel, RGB);)
                number++;
        if (number == COLOURS)
            return false;
        if (number == *count)
            memcpy(colours[(*count)++], pixel, RGB);
        numbers[i] = (uint8_t)number;
    }
    return true;
}

static int save(const struct painter *painter, const char *path, struct error *error)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)painter->width,
                       .height = (png_uint_32)painter->height,
                       .format = PNG_FORMAT_RGB};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    uint8_t *bytes = memory_new(size, 1), *numbers = memory_new((size_t)painter->width * (size_t)painter->height, 1);
    uint8_t colours[COLOURS][RGB];
    int count, status = -1;
    bool numbered = number_colours(painter, numbers, colours, &count);
    if (numbered) {
        image.format = PNG_FORMAT_RGB_COLORMAP;
        image.colormap_entries = (png_uint_32)count;
    }
    if (png_image_write_to_memory(&image, bytes, &size, 0, numbered ? numbers : painter->pixels, 0, colours))
        status = file_write(path, bytes, size, error);
    else
        error_set(error, "%s: libpng can't write the picture: %s", path, image.message);
    free(numbers);
    free(bytes);
    return status;
}

int screenshot_write(const struct canvas *canvas, const char *theme, bool mono, const char *font, const char *path,
                     struct error *error)
{
    struct painter painter = {.page = theme_page(theme), .styles = theme_find(theme), .mono = mono};
    ASSERT(painter.styles);
    int status = open_font(&painter, font, error);
    if (!status)
        status = measure(&painter, canvas, font, error);
    if (!status) {
        draw(&painter, canvas);
        status = save(&painter, path, error);
    }
    painter_done(&painter);
    return status;
}

#endif
