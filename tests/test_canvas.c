/*
 * test_canvas.c - draws on a canvas and compares it as text.
 */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tui/canvas.h"

static void expect(const struct canvas *canvas, const char *lines)
{
    struct text text = TEXT_EMPTY;
    canvas_print(canvas, &text);
    assert_string_equal(text_string(&text), lines);
    text_done(&text);
}

static struct canvas canvas_of(int width, int height, bool unicode)
{
    struct canvas canvas;
    canvas_init(&canvas, width, height, unicode);
    return canvas;
}

static void text_is_cut_at_its_area(void **state)
{
    (void)state;
    struct canvas canvas = canvas_of(10, 3, true);
    struct area area = {2, 1, 5, 1};
    assert_int_equal(canvas_text(&canvas, area, 0, 0, STYLE_NORMAL, "%s", "abcdefgh"), 5);
    expect(&canvas, "\n  abcd…\n\n");
    canvas_reset(&canvas, 10, 3);
    assert_int_equal(canvas_text(&canvas, area, 0, 0, STYLE_NORMAL, "abcde"), 5);
    assert_int_equal(canvas_text(&canvas, area, 0, 1, STYLE_NORMAL, "below the area"), 0);
    assert_int_equal(canvas_text(&canvas, area, 0, -1, STYLE_NORMAL, "above it"), 0);
    expect(&canvas, "\n  abcde\n\n");
    canvas_done(&canvas);
}

static void text_that_begins_left_of_its_area(void **state)
{
    (void)state;
    struct canvas canvas = canvas_of(10, 1, true);
    canvas_text(&canvas, (struct area){3, 0, 4, 1}, -2, 0, STYLE_NORMAL, "abcd");
    expect(&canvas, "   cd\n");
    canvas_done(&canvas);
}

/* RFC 3629: overlong forms, surrogates, what is cut or past U+10FFFF are no characters; each of their bytes is '?'. */
static void bytes_that_are_no_utf8_are_replaced(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"a\xc0\xafz", "a??z\n"},           /* / in two bytes */
        {"a\xe0\x80\xafz", "a???z\n"},      /* in three */
        {"a\xf0\x80\x80\xafz", "a????z\n"}, /* in four */
        {"\xc1\xbf", "??\n"},
        {"a\xe2\x94", "a??\n"}, /* the beginning of a line */
        {"\xe2\x94z", "??z\n"},
        {"\x80\xbf", "??\n"},
        {"\xed\xa0\x80", "???\n"},
        {"\xf4\x90\x80\x80", "????\n"},
        {"\xff\xfe", "??\n"},
        {"a\033[1mz", "a?[1mz\n"},
        {"a\xc2\x9b"
         "1mz",
         "a?1mz\n"}, /* the escape sequence's begin in one character */
        {"\xc3\xa9\xe2\x94\x82", "é│\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct canvas canvas = canvas_of(10, 1, true);
        canvas_text(&canvas, canvas_area(&canvas), 0, 0, STYLE_NORMAL, "%s", cases[i].text);
        expect(&canvas, cases[i].shown);
        canvas_done(&canvas);
    }
}

/* Independent of the locale: a mark takes no column, an ideograph two. */
static void widths_are_unicodes(void **state)
{
    (void)state;
    assert_int_equal(canvas_columns("e\xcc\x81"), 1);        /* e, combining acute */
    assert_int_equal(canvas_columns("\xe2\x80\xae"), 0);     /* right-to-left override */
    assert_int_equal(canvas_columns("\xe6\xb0\xb4"), 2);     /* water */
    assert_int_equal(canvas_columns("\xf0\x9f\x8c\xb2"), 2); /* a tree */
    struct canvas canvas = canvas_of(4, 1, true);
    assert_int_equal(canvas_text(&canvas, canvas_area(&canvas), 0, 0, STYLE_NORMAL, "e\xcc\x81z"), 2);
    expect(&canvas, "ez\n");
    canvas_done(&canvas);
}

static void text_at_the_right(void **state)
{
    (void)state;
    struct canvas canvas = canvas_of(10, 2, true);
    canvas_text_right(&canvas, canvas_area(&canvas), 1, 3, 0, STYLE_NORMAL, "12345");
    canvas_text_right(&canvas, canvas_area(&canvas), 1, 5, 1, STYLE_NORMAL, "12345");
    expect(&canvas, "    12345\n\n");
    canvas_done(&canvas);
}

static void wide_characters(void **state)
{
    (void)state;
    struct canvas canvas = canvas_of(8, 3, true);
    assert_int_equal(canvas_columns("網路n1"), 6);
    canvas_text(&canvas, canvas_area(&canvas), 0, 0, STYLE_NORMAL, "網路n1");
    assert_int_equal(canvas_cell(&canvas, 0, 0)->glyph, 0x7db2);
    assert_int_equal(canvas_cell(&canvas, 1, 0)->glyph, 0);
    assert_int_equal(canvas_cell(&canvas, 4, 0)->glyph, 'n');
    /* Half a character is never drawn. */
    canvas_text(&canvas, (struct area){0, 1, 4, 1}, 0, 0, STYLE_NORMAL, "a網路");
    expect(&canvas, "網路n1\na網…\n\n");
    canvas_done(&canvas);
}

static void broken_text(void **state)
{
    (void)state;
    struct canvas canvas = canvas_of(12, 1, true);
    canvas_text(&canvas, canvas_area(&canvas), 0, 0, STYLE_NORMAL, "%s", "a\377b\342\202c\td\303");
    expect(&canvas, "a?b??c?d?\n"); /* a byte at a time where a sequence is cut */
    canvas_done(&canvas);
}

static void stand_ins_without_unicode(void **state)
{
    (void)state;
    struct canvas canvas = canvas_of(14, 5, false);
    struct area inside = canvas_box(&canvas, canvas_area(&canvas), "1 Tree", STYLE_BORDER);
    canvas_text(&canvas, inside, 0, 0, STYLE_NORMAL, "✓ ✗ ★ 32→48 3×3");
    canvas_text(&canvas, inside, 0, 1, STYLE_NORMAL, "├▾n1 ┤ ⣀…");
    canvas_dot(&canvas, inside, 0, 8, STYLE_NORMAL);
    for (enum style style = STYLE_CURVE_A; style <= STYLE_CURVE_D; style++) /* curves are told apart */
        canvas_dot(&canvas, inside, 8 + 2 * (style - STYLE_CURVE_A), 8, style);
    for (int y = 8; y < 12; y++)
        canvas_dot(&canvas, inside, 2, y, STYLE_NORMAL);
    expect(&canvas, "+1 Tree------+\n|+ x ^ 32>48~|\n||vn1 | .~   |\n|.:  .o+-    |\n`------------+\n");
    for (int i = 0; i < 14 * 5; i++)
        assert_true(canvas_shown(&canvas, &canvas.cells[i]) < 0x80);
    canvas_done(&canvas);
}

static void meters(void **state)
{
    (void)state;
    struct canvas canvas = canvas_of(4, 1, true);
    static const struct {
        double share;
        const char *line;
    } cases[] = {
        {0, "░░░░\n"},       {1, "████\n"},  {0.5, "██░░\n"}, {0.53125, "██▏░\n"},
        {0.21875, "▉░░░\n"}, {-3, "░░░░\n"}, {1.5, "████\n"}, {(double)NAN, "░░░░\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        canvas_meter(&canvas, canvas_area(&canvas), 0, 0, 4, cases[i].share, STYLE_METER);
        expect(&canvas, cases[i].line);
    }
    canvas_meter(&canvas, canvas_area(&canvas), 2, 0, 9, 1, STYLE_METER); /* wider than the area */
    canvas_done(&canvas);
}

static void sparks(void **state)
{
    (void)state;
    struct canvas canvas = canvas_of(8, 1, true);
    const double values[] = {0, 1, 2, 3, 4, 5, 6, 7};
    canvas_spark(&canvas, canvas_area(&canvas), 0, 0, 8, values, 8, 0, 7, STYLE_NORMAL);
    expect(&canvas, "▁▂▃▄▅▆▇█\n");
    canvas_reset(&canvas, 8, 1);
    canvas_spark(&canvas, canvas_area(&canvas), 0, 0, 3, values, 8, 0, 7, STYLE_NORMAL); /* the last ones */
    expect(&canvas, "▆▇█\n");
    canvas_reset(&canvas, 8, 1);
    const double gap[] = {-5, (double)NAN, 50};
    canvas_spark(&canvas, canvas_area(&canvas), 0, 0, 8, gap, 3, 0, 7, STYLE_NORMAL);
    expect(&canvas, "▁ █\n");
    canvas_done(&canvas);
}

static void braille(void **state)
{
    (void)state;
    struct canvas canvas = canvas_of(3, 2, true);
    struct area area = {1, 0, 2, 2};
    canvas_dot(&canvas, area, 0, 0, STYLE_CURVE_A);
    canvas_dot(&canvas, area, 1, 3, STYLE_CURVE_B);
    canvas_dot(&canvas, area, 3, 7, STYLE_CURVE_A);
    assert_int_equal(canvas_cell(&canvas, 1, 0)->glyph, 0x2800 + 0x01 + 0x80);
    assert_int_equal(canvas_cell(&canvas, 1, 0)->style, STYLE_CURVE_B);
    assert_int_equal(canvas_cell(&canvas, 2, 1)->glyph, 0x2800 + 0x80);
    for (int x = -2; x < 8; x++) /* outside: nothing */
        for (int y = -2; y < 12; y++)
            if (x < 0 || y < 0 || x >= 4 || y >= 8)
                canvas_dot(&canvas, area, x, y, STYLE_CURVE_C);
    assert_int_equal(canvas_cell(&canvas, 0, 0)->glyph, ' ');
    canvas_reset(&canvas, 3, 2);
    canvas_line(&canvas, area, 0, 7, 3, 0, STYLE_CURVE_A);
    int dots = 0;
    for (int i = 0; i < 6; i++)
        dots += canvas.cells[i].glyph == ' ' ? 0 : __builtin_popcount(canvas.cells[i].glyph - 0x2800);
    assert_int_equal(dots, 8); /* one a row */

    /* Without colours each style of a curve has dots of its own, on flat lines as on steep ones. */
    static const enum style styles[] = {STYLE_CURVE_A, STYLE_CURVE_B, STYLE_CURVE_C, STYLE_CURVE_D};
    canvas.mono = true;
    for (int slope = -2; slope <= 2; slope++) {
        int counts[4] = {0};
        for (int style = 0; style < 4; style++) {
            canvas_reset(&canvas, 40, 40);
            canvas_line(&canvas, canvas_area(&canvas), 0, 80, 79, 80 + slope * 35, styles[style]);
            for (int i = 0; i < 40 * 40; i++)
                counts[style] += canvas.cells[i].glyph == ' ' ? 0 : __builtin_popcount(canvas.cells[i].glyph - 0x2800);
        }
        assert_true(counts[0] > 1.3 * counts[1] && counts[1] > 1.3 * counts[2] && counts[3] > 0 && counts[2] > 0);
        assert_true(counts[1] > 1.5 * counts[3] && counts[3] != counts[2]);
    }
    canvas.mono = false;
    canvas_reset(&canvas, 3, 2);
    canvas_line(&canvas, area, -100, -100, 100, 100, STYLE_CURVE_A); /* cut, not refused */
    canvas_done(&canvas);
}

static void parts_of_areas(void **state)
{
    (void)state;
    struct area area = {10, 20, 30, 5}, part = area_part(area, 2, 1, 4, 2);
    assert_true(part.x == 12 && part.y == 21 && part.width == 4 && part.height == 2);
    part = area_part(area, 28, 4, 10, 10);
    assert_true(part.x == 38 && part.width == 2 && part.height == 1);
    part = area_part(area, -5, -5, 10, 10);
    assert_true(part.x == 10 && part.y == 20 && part.width == 5 && part.height == 5);
    part = area_part(area, 50, 50, 10, 10);
    assert_true(part.width == 0 && part.height == 0 && part.x == 40);
    part = area_part(area, 3, 3, -4, -4);
    assert_true(part.width == 0 && part.height == 0);
}

static void boxes_of_any_size(void **state)
{
    (void)state;
    struct canvas canvas = canvas_of(6, 3, true);
    struct area inside = canvas_box(&canvas, (struct area){0, 0, 6, 3}, "title", STYLE_BORDER);
    assert_true(inside.x == 1 && inside.y == 1 && inside.width == 4 && inside.height == 1);
    expect(&canvas, "┌tit…┐\n│    │\n└────┘\n");
    for (int width = 0; width < 3; width++)
        for (int height = 0; height < 3; height++) {
            inside = canvas_box(&canvas, (struct area){0, 0, width, height}, "title", STYLE_BORDER);
            assert_true(inside.width >= 0 && inside.height >= 0);
        }
    canvas_done(&canvas);
}

static void boxes_that_share_lines_join(void **state)
{
    (void)state;
    static const struct area areas[] = {{0, 0, 4, 5}, {3, 0, 5, 3}, {3, 2, 3, 3}, {5, 2, 3, 3}, {0, 4, 8, 3}};
    const char *expected[] = {"┌──┬───┐\n│  │   │\n│  ├─┬─┤\n│  │ │ │\n├──┴─┴─┤\n│      │\n└──────┘\n",
                              "+--+---+\n|  |   |\n|  +-+-+\n|  | | |\n+--+-+-+\n|      |\n`------+\n"};
    for (int ascii = 0; ascii < 2; ascii++)
        for (int order = 0; order < 5; order++) { /* whichever comes first */
            struct canvas canvas = canvas_of(8, 7, !ascii);
            for (int i = 0; i < 5; i++)
                canvas_box(&canvas, areas[(i + order) % 5], NULL, STYLE_BORDER);
            expect(&canvas, expected[ascii]);
            canvas_done(&canvas);
        }
}

/* Words go on below where a line is full; one that is too long for any is cut. */
static void words(void **state)
{
    (void)state;
    struct canvas canvas;
    struct text text = TEXT_EMPTY;
    canvas_init(&canvas, 12, 6, true);
    struct area area = {1, 1, 9, 4};
    assert_int_equal(canvas_words(&canvas, area, 0, STYLE_NORMAL, "one two three fourteenth five"), 4);
    canvas_print(&canvas, &text);
    assert_string_equal(text_string(&text), "\n one two\n three\n fourteen…\n five\n\n");
    assert_int_equal(canvas_words(&canvas, area, -1, STYLE_NORMAL, "seven eight"), 1);
    assert_int_equal(canvas_words(&canvas, (struct area){.width = 9}, 0, STYLE_NORMAL, "a b"), 1);
    assert_int_equal(canvas_words(&canvas, (struct area){0}, 0, STYLE_NORMAL, "a b"), 2);
    assert_int_equal(canvas_words(&canvas, area, 3, STYLE_NORMAL, ""), 3);
    text_clear(&text);
    canvas_print(&canvas, &text);
    assert_string_equal(text_string(&text), "\n eightwo\n three\n fourteen…\n five\n\n");
    canvas_done(&canvas);
    text_done(&text);
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_at_its_area),
        cmocka_unit_test(words),
        cmocka_unit_test(text_that_begins_left_of_its_area),
        cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
        cmocka_unit_test(widths_are_unicodes),
        cmocka_unit_test(text_at_the_right),
        cmocka_unit_test(wide_characters),
        cmocka_unit_test(broken_text),
        cmocka_unit_test(stand_ins_without_unicode),
        cmocka_unit_test(meters),
        cmocka_unit_test(sparks),
        cmocka_unit_test(braille),
        cmocka_unit_test(parts_of_areas),
        cmocka_unit_test(boxes_of_any_size),
        cmocka_unit_test(boxes_that_share_lines_join),
    };
    return cmocka_run_group_tests_name("canvas", tests, NULL, NULL);
}
