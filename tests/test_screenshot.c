/*
 * test_screenshot.c - screens as pictures: blocks fill their cells, lines join, braille dots are where they belong,
 * colours are those of the theme; characters come from the font; and what is said when there is none.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "test_folder.h"
#include "tui/screenshot.h"
#include "tui/theme.h"
#include "util/file.h"

enum { COLUMNS = 12, ROWS = 5, RGB = 3 };

/* A picture of a canvas of COLUMNS × ROWS. */
struct shot {
    int width, height, cell_width, cell_height, border;
    uint8_t *pixels;
};

static void draw(struct canvas *canvas, bool mono, struct shot *shot)
{
    struct error error = {{0}};
    png_image image = {.version = PNG_IMAGE_VERSION};
    const char *path = in_folder("screen.png");
    if (screenshot_write(canvas, "dark", mono, NULL, path, &error))
        fail_msg("%s", error.text);
    assert_true(png_image_begin_read_from_file(&image, path));
    image.format = PNG_FORMAT_RGB;
    shot->width = (int)image.width;
    shot->height = (int)image.height;
    shot->pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, shot->pixels, 0, NULL));
    /* width = COLUMNS·w + 2·(h/2), height = ROWS·h + 2·(h/2) */
    shot->cell_height = shot->height / (ROWS + 1);
    while (ROWS * shot->cell_height + shot->cell_height / 2 * 2 < shot->height)
        shot->cell_height++;
    shot->border = shot->cell_height / 2;
    shot->cell_width = (shot->width - 2 * shot->border) / COLUMNS;
    assert_int_equal(COLUMNS * shot->cell_width + 2 * shot->border, shot->width);
    assert_int_equal(ROWS * shot->cell_height + 2 * shot->border, shot->height);
}

static const uint8_t *pixel(const struct shot *shot, int column, int row, int x, int y)
{
    int at_x = shot->border + column * shot->cell_width + x, at_y = shot->border + row * shot->cell_height + y;
    return shot->pixels + (at_y * shot->width + at_x) * RGB;
}

/* How many pixels of a cell, from `left` to `right` and from `top` to `bottom`, have a colour. */
static int count(const struct shot *shot, int column, int row, int left, int top, int right, int bottom,
                 const uint8_t colour[RGB])
{
    int found = 0;
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++)
            found += !memcmp(pixel(shot, column, row, x, y), colour, RGB);
    return found;
}

static int count_cell(const struct shot *shot, int column, int row, const uint8_t colour[RGB])
{
    return count(shot, column, row, 0, 0, shot->cell_width, shot->cell_height, colour);
}

static bool has_font(void)
{
    return access(SCREENSHOT_FONT, R_OK) == 0;
}

static void blocks(void **state)
{
    static const uint32_t glyphs[] = {L'█', L'▄', L'▀', L'▌', L' '};
    struct theme_page page = theme_page("dark");
    struct canvas canvas;
    struct shot shot;
    uint8_t cyan[RGB];
    if (!has_font())
        skip();
    canvas_init(&canvas, COLUMNS, ROWS, true);
    for (int i = 0; i < 5; i++)
        canvas_put(&canvas, i, 1, glyphs[i], STYLE_NORMAL);
    canvas_put(&canvas, 5, 1, L'█', STYLE_CURVE_A);
    canvas_put(&canvas, 6, 1, ' ', STYLE_SELECTED);
    canvas_pixels(&canvas, canvas_area(&canvas), 7, 1, (const uint8_t[]){255, 0, 0}, (const uint8_t[]){0, 0, 255});
    draw(&canvas, false, &shot);
    int width = shot.cell_width, height = shot.cell_height, half = (height * 4 + 4) / 8;
    assert_int_equal(count_cell(&shot, 0, 1, page.foreground), width * height);
    assert_int_equal(count(&shot, 1, 1, 0, height - half, width, height, page.foreground), width * half);
    assert_int_equal(count_cell(&shot, 1, 1, page.background), width * (height - half));
    assert_int_equal(count(&shot, 2, 1, 0, 0, width, half, page.foreground), width * half);
    assert_int_equal(count(&shot, 3, 1, 0, 0, width / 2, height, page.foreground), width / 2 * height);
    assert_int_equal(count_cell(&shot, 4, 1, page.background), width * height);
    theme_rgb(theme_find("dark")[STYLE_CURVE_A].colour_256, cyan);
    assert_int_equal(count_cell(&shot, 5, 1, cyan), width * height);
    assert_int_equal(count_cell(&shot, 6, 1, page.foreground), width * height);
    assert_int_equal(count(&shot, 7, 1, 0, 0, width, (height + 1) / 2, (const uint8_t[]){255, 0, 0}),
                     width * ((height + 1) / 2));
    assert_int_equal(count_cell(&shot, 7, 1, (const uint8_t[]){0, 0, 255}), width * (height / 2));
    free(shot.pixels);
    canvas_done(&canvas);
}

/* Two frames that share an edge: from each corner and join the line goes on into the next cell without a gap. */
static void lines_join(void **state)
{
    struct theme_page page = theme_page("dark");
    struct canvas canvas;
    struct shot shot;
    if (!has_font())
        skip();
    canvas_init(&canvas, COLUMNS, ROWS, true);
    canvas_box(&canvas, (struct area){0, 0, 6, ROWS}, "", STYLE_NORMAL);
    canvas_box(&canvas, (struct area){5, 0, COLUMNS - 5, ROWS}, "", STYLE_NORMAL);
    draw(&canvas, false, &shot);
    int thin = (shot.cell_height + 12) / 16, x = (shot.cell_width - thin) / 2, y = (shot.cell_height - thin) / 2;
    for (int i = x; i < (COLUMNS - 1) * shot.cell_width + x; i++) {
        assert_memory_equal(pixel(&shot, 0, 0, i, y), page.foreground, RGB);
        assert_memory_equal(pixel(&shot, 0, ROWS - 1, i, y), page.foreground, RGB);
    }
    for (int i = y; i < (ROWS - 1) * shot.cell_height + y; i++)
        for (int column = 0; column < COLUMNS; column += column == 5 ? 6 : 5) /* 0, 5, 11 */
            assert_memory_equal(pixel(&shot, column, 0, x, i), page.foreground, RGB);
    assert_int_equal(count(&shot, 0, 0, 0, 0, x, shot.cell_height, page.foreground), 0);
    assert_int_equal(count_cell(&shot, 3, 0, page.foreground), thin * shot.cell_width);
    free(shot.pixels);
    canvas_done(&canvas);
}

static void braille(void **state)
{
    struct theme_page page = theme_page("dark");
    struct canvas canvas;
    struct shot shot;
    if (!has_font())
        skip();
    canvas_init(&canvas, COLUMNS, ROWS, true);
    for (int dot = 0; dot < 8; dot++)
        canvas_dot(&canvas, canvas_area(&canvas), 2 * dot + dot % 2, dot / 2, STYLE_NORMAL);
    draw(&canvas, false, &shot);
    for (int dot = 0; dot < 8; dot++) {
        int left = dot % 2 * shot.cell_width / 2, top = dot / 2 * shot.cell_height / 4;
        int inside = (shot.cell_width / 2) * (shot.cell_height / 4 + 1);
        int dark = count_cell(&shot, dot, 0, page.background);
        assert_memory_equal(pixel(&shot, dot, 0, left + shot.cell_width / 4, top + shot.cell_height / 8),
                            page.foreground, RGB);
        assert_in_range(dark, shot.cell_width * shot.cell_height - inside - shot.cell_width,
                        shot.cell_width * shot.cell_height - inside / 3);
    }
    free(shot.pixels);
    canvas_done(&canvas);
}

/* How much of a cell is not background. */
static int ink(const struct shot *shot, int column, int row)
{
    struct theme_page page = theme_page("dark");
    return shot->cell_width * shot->cell_height - count_cell(shot, column, row, page.background);
}

static void characters(void **state)
{
    struct theme_page page = theme_page("dark");
    struct canvas canvas;
    struct shot shot;
    uint8_t yellow[RGB];
    if (!has_font())
        skip();
    canvas_init(&canvas, COLUMNS, ROWS, true);
    canvas_text(&canvas, canvas_area(&canvas), 0, 1, STYLE_NORMAL, "m.★");
    canvas_text(&canvas, canvas_area(&canvas), 3, 1, STYLE_BOLD, "m");
    canvas_text(&canvas, canvas_area(&canvas), 4, 1, STYLE_FIELD, "  ");
    canvas_text(&canvas, canvas_area(&canvas), 6, 1, STYLE_BORDER, "█");
    canvas_text(&canvas, canvas_area(&canvas), 7, 1, STYLE_BEST, "█");
    draw(&canvas, false, &shot);
    assert_true(ink(&shot, 1, 1) > 0 && ink(&shot, 1, 1) < ink(&shot, 0, 1) && ink(&shot, 2, 1) > 0);
    assert_true(count_cell(&shot, 3, 1, page.foreground) > count_cell(&shot, 0, 1, page.foreground));
    assert_int_equal(count_cell(&shot, 4, 1, page.foreground), shot.cell_width); /* the underline */
    theme_rgb(theme_find("dark")[STYLE_BEST].colour_256, yellow);
    assert_int_equal(count_cell(&shot, 7, 1, yellow), shot.cell_width * shot.cell_height);
    free(shot.pixels);
    draw(&canvas, true, &shot); /* no colours: what is dim is between foreground and background */
    const uint8_t dim[] = {(page.foreground[0] + page.background[0]) / 2, (page.foreground[1] + page.background[1]) / 2,
                           (page.foreground[2] + page.background[2]) / 2};
    assert_int_equal(count_cell(&shot, 6, 1, dim), shot.cell_width * shot.cell_height);
    assert_int_equal(count_cell(&shot, 7, 1, page.foreground), shot.cell_width * shot.cell_height);
    free(shot.pixels);
    canvas_done(&canvas);
}

static void messages(void **state)
{
    struct error error = {{0}};
    struct canvas canvas;
    const char *path = in_folder("none.png"), *text = in_folder("text");
    canvas_init(&canvas, COLUMNS, ROWS, true);
    assert_int_equal(screenshot_write(&canvas, "dark", false, "/nowhere/font.ttf", path, &error), -1);
    assert_string_equal(error.text, "/nowhere/font.ttf: can't be read; name a file with a monospaced font (--font)");
    assert_int_equal(file_write(text, "no font", 7, &error), 0);
    assert_int_equal(screenshot_write(&canvas, "dark", false, text, path, &error), -1);
    assert_non_null(strstr(error.text, "/text: is no font that FreeType can scale; name another one (--font)"));
    assert_false(file_exists(path));
    if (has_font()) {
        assert_int_equal(screenshot_write(&canvas, "dark", false, NULL, "/nowhere/screen.png", &error), -1);
        assert_non_null(strstr(error.text, "/nowhere/screen.png: "));
    }
    canvas_done(&canvas);
}

/* The font, with another ascender and descender in its table hhea, of signed 16 bits, big-endian, in units of 1/2048.
 */
static void write_font(const char *path, int ascender, int descender)
{
    void *content;
    size_t length;
    struct error error = {{0}};
    assert_int_equal(file_read(SCREENSHOT_FONT, 1 << 24, &content, &length, &error), 0);
    uint8_t *bytes = content, *entry = bytes + 12;
    while (memcmp(entry, "hhea", 4))
        entry += 16;
    uint8_t *table = bytes + ((size_t)entry[8] << 24 | entry[9] << 16 | entry[10] << 8 | entry[11]);
    table[4] = (uint8_t)(ascender >> 8);
    table[5] = (uint8_t)ascender;
    table[6] = (uint8_t)(descender >> 8);
    table[7] = (uint8_t)descender;
    assert_int_equal(file_write(path, bytes, length, &error), 0);
    free(content);
}

/* Cells have a size that a screen may have, and nothing is drawn outside of the picture. */
static void odd_fonts(void **state)
{
    static const struct {
        int ascender, descender;
        bool refused;
    } cases[] = {{1901, -483, false}, {2048, 0, false},   {-2048, -6000, true}, {32000, -483, true},
                 {200, -100, true},   {1901, 1800, true}, {1901, -32000, true}};
    struct canvas canvas;
    const char *path = in_folder("odd.png"), *font = in_folder("odd.ttf");
    if (!has_font())
        skip();
    canvas_init(&canvas, COLUMNS, ROWS, true);
    canvas_text(&canvas, canvas_area(&canvas), 0, ROWS - 1, STYLE_FIELD, "Underlined g");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {{0}};
        write_font(font, cases[i].ascender, cases[i].descender);
        assert_int_equal(screenshot_write(&canvas, "dark", false, font, path, &error), cases[i].refused ? -1 : 0);
        if (cases[i].refused && !strstr(error.text, "which makes no screen; name a monospaced font (--font)"))
            fail_msg("%zu: %s", i, error.text);
    }
    canvas_done(&canvas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks),     cmocka_unit_test(lines_join), cmocka_unit_test(braille),
        cmocka_unit_test(characters), cmocka_unit_test(messages),   cmocka_unit_test(odd_fonts),
    };
    return cmocka_run_group_tests_name("screenshot", tests, make_folder, remove_folder);
}
