/*
 * test_terminal_record.c - `replay --cast`: the file is an asciicast, its bytes give a terminal the screens that they
 * were made of, and the last one is that of the replay itself; and what `replay` says of options that don't go
 * together.
 */
#include "config.h"

#include "terminal_bed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "tui/cast.h"
#include "tui/screenshot.h"
#include "tui/theme.h"
#include "util/file.h"
#include "util/random.h"

enum { WIDTH = 110, HEIGHT = 32 };

static struct session_expectation recorded;

static int open_bed(void **state)
{
    struct session_recipe recipe = session_recipe_default(4);
    recipe.finished = true;
    terminal_bed_open(state);
    recorded = record_session("one", &recipe);
    return 0;
}

static struct pty_setup setup_of(int width, int height)
{
    struct pty_setup setup = usual_setup();
    setup.width = width;
    setup.height = height;
    setup.folder = terminal_bed_folder();
    return setup;
}

/* Read the file: its header, which json_decref() frees, and the bytes of all its frames. */
static json_t *parse(const char *text, struct text *bytes, double *last)
{
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    json_t *header = json_loadb(text, (size_t)(end - text), 0, NULL);
    assert_non_null(header);
    assert_int_equal(json_integer_value(json_object_get(header, "version")), 2);
    *last = 0;
    for (text = end + 1; *text; text = end + 1) {
        double time;
        const char *kind, *data;
        size_t length;
        assert_non_null(end = strchr(text, '\n'));
        json_t *line = json_loadb(text, (size_t)(end - text), 0, NULL);
        assert_int_equal(json_unpack(line, "[F s s% !]", &time, &kind, &data, &length), 0);
        assert_string_equal(kind, "o");
        assert_true(time >= *last && isfinite(time));
        *last = time;
        text_add_bytes(bytes, data, length);
        json_decref(line);
    }
    return header;
}

/* A terminal that was sent these bytes. */
static struct pty_terminal *show(const struct text *bytes, int width, int height)
{
    struct error error = {{0}};
    struct pty_setup setup = setup_of(width, height);
    char *path = file_join(terminal_bed_folder(), "bytes");
    assert_int_equal(file_write(path, text_string(bytes), bytes->length, &error), 0);
    struct pty_terminal *terminal = pty_start(&setup, (const char *const[]){"cat", path, NULL});
    expect_exit(terminal, 0);
    free(path);
    return terminal;
}

static void expect_same(struct pty_terminal *terminal, struct pty_terminal *other)
{
    struct text one = TEXT_EMPTY, two = TEXT_EMPTY;
    pty_print_screen(terminal, &one);
    pty_print_screen(other, &two);
    assert_string_equal(text_string(&one), text_string(&two));
    for (int row = 0; row < HEIGHT; row++)
        for (int column = 0; column < WIDTH; column++) {
            struct pty_cell a = pty_cell(terminal, row, column), b = pty_cell(other, row, column);
            assert_true(a.bold == b.bold && a.underline == b.underline && a.reverse == b.reverse);
            assert_true(a.coloured == b.coloured || a.glyph == ' ' || !a.glyph);
        }
    text_done(&one);
    text_done(&two);
}

static char *read_cast(const char *name)
{
    struct error error = {{0}};
    char *path = file_join(terminal_bed_folder(), name);
    void *text;
    size_t length;
    if (file_read(path, 1 << 26, &text, &length, &error))
        fail_msg("%s", error.text);
    assert_int_equal(strlen(text), length);
    free(path);
    return text;
}

static void last_frame_is_replays_own(void **state)
{
    static const char *const themes[] = {"dark", "mono"};
    for (int i = 0; i < 2; i++) {
        struct text bytes = TEXT_EMPTY;
        double last;
        struct pty_setup setup = setup_of(WIDTH, HEIGHT),
                         small = usual_setup(); /* whatever the terminal's own size is */
        struct pty_terminal *terminal = start_espalier(&small, "replay", "one", "--cast", "one.cast", "--speed", "1000",
                                                       "--size", "110x32", "--theme", themes[i], NULL);
        expect_exit(terminal, 0);
        expect_text(terminal, 0, "one.cast: ");
        pty_free(terminal);
        char *text = read_cast("one.cast");
        json_t *header = parse(text, &bytes, &last);
        assert_int_equal(json_integer_value(json_object_get(header, "width")), WIDTH);
        assert_int_equal(json_integer_value(json_object_get(header, "height")), HEIGHT);
        assert_string_equal(json_string_value(json_object_get(header, "title")), "one");
        assert_true(json_real_value(json_object_get(header, "duration")) >= last && last > 0);
        struct pty_terminal *shown = show(&bytes, WIDTH, HEIGHT);

        terminal = start_espalier(&setup, "replay", "one", "--speed", "1000", "--theme", themes[i], NULL);
        expect_text(terminal, 2, "100%");
        expect_text(terminal, 0, "‖ REPLAY");
        expect(terminal, pty_wait_quiet(terminal, 0.05));
        expect_same(terminal, shown);
        pty_send(terminal, "q");
        expect_exit(terminal, 0);
        pty_free(terminal);
        pty_free(shown);
        json_decref(header);
        text_done(&bytes);
        free(text);
    }
}

/* How long it is follows from the speed, and --compress shortens it. */
static void speed_and_waits(void **state)
{
    static const char *const options[][4] = {
        {"--speed", "50", NULL}, {"--speed", "100", NULL}, {"--speed", "50", "--compress", "0.05"}};
    double seconds[3];
    for (int i = 0; i < 3; i++) {
        struct text bytes = TEXT_EMPTY;
        double last;
        struct pty_setup setup = usual_setup();
        struct pty_terminal *terminal =
            start_espalier(&setup, "replay", "one", "--cast", "one.cast", options[i][0], options[i][1], options[i][2],
                           options[i][2] ? options[i][3] : NULL, NULL);
        expect_exit(terminal, 0);
        pty_free(terminal);
        char *text = read_cast("one.cast");
        json_t *header = parse(text, &bytes, &last);
        seconds[i] = json_real_value(json_object_get(header, "duration"));
        json_decref(header);
        text_done(&bytes);
        free(text);
    }
    struct session_state *session = load_session("one");
    assert_true(fabs(seconds[0] - session->time / 50) < 0.3);
    assert_true(fabs(seconds[1] - session->time / 100) < 0.3);
    assert_true(seconds[2] < seconds[0]);
    session_state_free(session);
}

/* Random changes of a canvas, with wide characters, braille and pictures: after each the terminal shows the canvas. */
static void any_changes(void **state)
{
    enum { COLUMNS = 40, ROWS = 10, FRAMES = 60 };
    static const char *const texts[] = {"conv3 64→72", "大きい", "é█░", "", "a", "n12 ★", "  "};
    struct random_stream stream = random_stream_new(7, RANDOM_TEST, 1, 0);
    struct cast *cast = cast_new(COLUMNS, ROWS, "light", false);
    struct canvas canvas;
    canvas_init(&canvas, COLUMNS, ROWS, true);
    struct area area = canvas_area(&canvas);
    for (int frame = 0; frame < FRAMES; frame++) {
        for (uint32_t i = random_below(&stream, 6); i > 0; i--) {
            int x = (int)random_below(&stream, COLUMNS), y = (int)random_below(&stream, ROWS);
            enum style style = (enum style)random_below(&stream, STYLE_COUNT);
            const char *text = texts[random_below(&stream, sizeof texts / sizeof *texts)];
            if (random_below(&stream, 4)) {
                for (int column = 0; column < COLUMNS; column++) /* no half of a wide character is left */
                    canvas_put(&canvas, column, y, ' ', STYLE_NORMAL);
                canvas_text(&canvas, area, x, y, style, "%s", text);
            } else {
                canvas_line(&canvas, (struct area){0, 0, 8, 3}, x, y, y, x, style);
                canvas_pixels(&canvas, (struct area){30, 4, 4, 4}, x % 4, y % 4, (const uint8_t[]){200, 9, 9},
                              (const uint8_t[]){9, (uint8_t)(9 * x), 9});
            }
        }
        cast_add(cast, &canvas, frame);
        if (frame % 6 && frame < FRAMES - 1)
            continue;
        struct text file = TEXT_EMPTY, bytes = TEXT_EMPTY, shown = TEXT_EMPTY, wanted = TEXT_EMPTY;
        double last;
        cast_print(cast, "\"any\"\033[2J\xff", frame, &file);
        json_t *header = parse(text_string(&file), &bytes, &last);
        assert_string_equal(json_string_value(json_object_get(header, "title")), "\"any\"\\u001b[2J\\xff");
        json_decref(header);
        struct pty_terminal *terminal = show(&bytes, COLUMNS, ROWS);
        pty_print_screen(terminal, &shown);
        for (int i = 0; i < COLUMNS * ROWS; i++) /* in the picture's place the terminal has half blocks */
            if (canvas.cells[i].upper)
                assert_int_equal(pty_cell(terminal, i / COLUMNS, i % COLUMNS).glyph, L'▀');
        struct canvas plain;
        canvas_init(&plain, COLUMNS, ROWS, true);
        memcpy(plain.cells, canvas.cells, COLUMNS * ROWS * sizeof *plain.cells);
        for (int i = 0; i < COLUMNS * ROWS; i++)
            plain.cells[i].glyph = plain.cells[i].upper ? L'▀' : plain.cells[i].glyph;
        canvas_print(&plain, &wanted);
        assert_string_equal(text_string(&shown), text_string(&wanted));
        canvas_done(&plain);
        pty_free(terminal);
        text_done(&file);
        text_done(&bytes);
        text_done(&shown);
        text_done(&wanted);
    }
    cast_free(cast);
    canvas_done(&canvas);
}

/* Width and height of a PNG file. */
static void png_size(const char *name, uint32_t size[2])
{
    char *bytes = NULL, *path = file_join(terminal_bed_folder(), name);
    struct error error = {{0}};
    size_t length;
    if (file_read(path, 1 << 24, (void **)&bytes, &length, &error))
        fail_msg("%s", error.text);
    assert_true(length > 24 && !memcmp(bytes, "\211PNG\r\n\032\n", 8));
    for (int i = 0; i < 2; i++) {
        const unsigned char *big_endian = (const unsigned char *)bytes + 16 + 4 * i;
        size[i] = (uint32_t)big_endian[0] << 24 | (uint32_t)big_endian[1] << 16 | (uint32_t)big_endian[2] << 8 |
                  big_endian[3];
    }
    free(bytes);
    free(path);
}

/* A picture has the size that was asked for; which moment and which pane it shows changes it. */
static void pictures(void **state)
{
    static const char *const options[][4] = {{"--at", "20%", NULL}, {"--at", "100%", NULL}, {"--pane", "7", NULL}};
    uint32_t size[2], twice[2];
    void *bytes[3];
    size_t length[3];
#ifndef HAVE_FREETYPE
    skip();
#endif
    if (access(SCREENSHOT_FONT, R_OK))
        skip();
    for (int i = 0; i < 3; i++) {
        struct pty_setup setup = usual_setup();
        struct error error = {{0}};
        struct pty_terminal *terminal = start_espalier(&setup, "replay", "one", "--png", "one.png", "--size", "80x24",
                                                       options[i][0], options[i][1], NULL);
        expect_exit(terminal, 0);
        pty_free(terminal);
        char *path = file_join(terminal_bed_folder(), "one.png");
        assert_int_equal(file_read(path, 1 << 24, &bytes[i], &length[i], &error), 0);
        free(path);
        for (int j = 0; j < i; j++)
            assert_true(length[i] != length[j] || memcmp(bytes[i], bytes[j], length[i]));
    }
    png_size("one.png", size);
    struct pty_setup setup = usual_setup();
    struct pty_terminal *terminal =
        start_espalier(&setup, "replay", "one", "--png", "two.png", "--size", "160x48", NULL);
    expect_exit(terminal, 0);
    pty_free(terminal);
    png_size("two.png", twice);
    assert_true((twice[0] - size[0]) % 80 == 0 && (twice[1] - size[1]) % 24 == 0 && twice[0] > size[0]);
    for (int i = 0; i < 3; i++)
        free(bytes[i]);
}

static void expect_message(const char *option, const char *value, const char *other, const char *other_value,
                           const char *message)
{
    struct pty_setup setup = setup_of(200, 10);
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "one", option, value, other, other_value, NULL);
    expect(terminal, pty_wait_text(terminal, -1, message));
    expect_exit(terminal, 2);
    pty_free(terminal);
}

static void messages(void **state)
{
    expect_message("--cast", "a", "--png", "b", "--cast and --png: name one of them");
    expect_message("--size", "80x24", NULL, NULL, "--size needs --cast or --png");
    expect_message("--cast", "a", "--size", "80",
                   "--size 80: must be columns and rows as 120x40, from 20x5 to 500x200");
    expect_message("--png", "a", "--size", "80x24x3", "--size 80x24x3: must be columns and rows");
    expect_message("--png", "a", "--size", "501x24", "--size 501x24: must be columns and rows");
    expect_message("--png", "a", "--pane", "10", "--pane");
    expect_message("--png", "a", "--speed", "2", "--speed: a picture does not play; --at says which moment it shows");
    expect_message("--cast", "a", "--font", "b", "--font needs --png");
    char *path = file_join(terminal_bed_folder(), "a");
    assert_false(file_exists(path));
    free(path);
}

/* Refused before anything is drawn; and the file is as it was. */
static void expect_refusal(const char *option, const char *path, const char *message)
{
    struct pty_setup setup = setup_of(250, 10);
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "one", option, path, NULL);
    expect(terminal, pty_wait_text(terminal, -1, message));
    expect_exit(terminal, 1);
    pty_free(terminal);
}

static void targets(void **state)
{
    static const char *const thesis = "my thesis";
    struct error error = {{0}};
    char *path = file_join(terminal_bed_folder(), "thesis.tex"), *session = session_path("one"),
         *log = file_join(session, "events.log");
    void *bytes;
    size_t length;
    assert_int_equal(file_write(path, thesis, strlen(thesis), &error), 0);
    for (int i = 0; i < 2; i++) {
        const char *option = i ? "--png" : "--cast";
        expect_refusal(option, "thesis.tex",
                       "thesis.tex: is there, and is neither an asciicast nor a PNG; remove it, or name another file");
        expect_refusal(option, "nowhere/film", "nowhere/film: can't be written");
        expect_refusal(option, log, "lies in the session");
    }
    assert_int_equal(file_read(path, 1 << 20, &bytes, &length, &error), 0);
    assert_string_equal(bytes, thesis);
    free(bytes);
    free(path);
    free(session);
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_frame_is_replays_own),
        cmocka_unit_test(speed_and_waits),
        cmocka_unit_test(any_changes),
        cmocka_unit_test(pictures),
        cmocka_unit_test(messages),
        cmocka_unit_test(targets),
    };
    return cmocka_run_group_tests_name("record", tests, open_bed, terminal_bed_close);
}
