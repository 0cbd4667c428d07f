/*
 * test_terminal_looks.c - the screens on the terminals there are: which are refused, and what colours and characters
 * the others get.
 */
#include "config.h"

#include "terminal_bed.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/bug.h"
#include "util/file.h"

static int open_bed(void **state)
{
    struct session_recipe recipe = session_recipe_default(2);
    terminal_bed_open(state);
    record_session("one", &recipe);
    draw_pictures();
    return 0;
}

static struct pty_terminal *start_replay(const char *name, const char *const *environment)
{
    struct pty_setup setup = usual_setup();
    setup.terminal = name;
    setup.environment = environment;
    return start_espalier(&setup, "replay", "one", "--at", "50%", "--speed", "0.25", NULL);
}

static bool has_bytes(struct pty_terminal *terminal, const char *wanted)
{
    size_t length;
    const char *bytes = pty_bytes(terminal, &length);
    return memmem(bytes, length, wanted, strlen(wanted));
}

/* A key that changes the screen, and the frame that it gives. */
static void press(struct pty_terminal *terminal, const char *key)
{
    pty_send(terminal, key);
    expect(terminal, pty_wait_bytes(terminal));
}

/* Every pane, the details, the help, both prompts and both dialogs, in a replay that stands still. */
static void show_everything(struct pty_terminal *terminal, bool unicode)
{
    static const char *const panes[] = {"2", "3", "4", "5", "6", "7", "8", "1"};
    static const char *const dialogs[] = {PTY_ENTER, "?", ":", "/", "w", "d"};
    expect_text(terminal, 0, "REPLAY");
    pty_send(terminal, " ");
    expect(terminal, pty_wait_text(terminal, 0, unicode ? "‖ REPLAY" : "= REPLAY"));
    press(terminal, "z");
    for (size_t i = 0; i < COUNT_OF(panes); i++)
        press(terminal, panes[i]);
    press(terminal, "z");
    press(terminal, "b");
    for (size_t i = 0; i < COUNT_OF(dialogs); i++) {
        press(terminal, dialogs[i]);
        press(terminal, PTY_ESCAPE);
    }
}

static char *write_keys(const char *lines)
{
    struct error error;
    char *folder = file_join(terminal_bed_folder(), ".config/espalier"), *path = file_join(folder, "keys");
    assert_int_equal(file_make_folder(folder, &error), 0);
    assert_int_equal(file_write(path, lines, strlen(lines), &error), 0);
    free(folder);
    return path;
}

/* A person's keys do, and are shown; a file with a fault is told, and nothing starts. */
static void test_keys(void **state)
{
    free(write_keys("# mine\nquit = ü\npause = F2\nbest =\n"));
    struct pty_terminal *terminal = start_replay("screen-256color", NULL);
    expect_text(terminal, 0, "▶ REPLAY");
    expect_text(terminal, 23, "F2Stop");
    pty_send(terminal, "q "); /* nothing now */
    pty_send(terminal, "\033OQ");
    expect_text(terminal, 0, "‖ REPLAY");
    pty_send(terminal, "?" "\033[6~" "\033[6~");
    expect_text(terminal, -1, "F2            hold all training");
    pty_send(terminal, PTY_ESCAPE);
    expect_no_text(terminal, -1, "hold all training");
    pty_send(terminal, "ü");
    expect_exit(terminal, 0);
    pty_free(terminal);
    char *path = write_keys("zoom = F2\n\npin = F2\n");
    terminal = start_replay("screen-256color", NULL);
    expect_text(terminal, -1, "keys:3: F2 is a key of");
    expect_exit(terminal, 2);
    pty_free(terminal);
    unlink(path);
    free(path);
}

static void quit(struct pty_terminal *terminal)
{
    pty_send(terminal, "q");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

/* --- refused --- */

static int count_lines(struct pty_terminal *terminal)
{
    size_t length;
    int lines = 0;
    for (const char *bytes = pty_bytes(terminal, &length), *end = bytes + length; bytes < end; bytes++)
        lines += *bytes == '\n';
    return lines;
}

static void test_refused(void **state)
{
    static const char *const names[] = {NULL, "", "dumb", "no-such-terminal"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct termios before, after;
        struct pty_terminal *terminal = start_replay(names[i], NULL);
        pty_modes(terminal, &before);
        expect_exit(terminal, 1);
        pty_modes(terminal, &after);
        expect(terminal, pty_has_text(terminal, 0, "espalier: TERM=no-such-terminal:") ||
                             pty_has_text(terminal, 0, "espalier: replay needs a terminal with a cursor"));
        expect(terminal, count_lines(terminal) == 1);
        expect(terminal, before.c_lflag == after.c_lflag);
        pty_free(terminal);
    }
}

/* A search that can't be shown does not begin: it leaves no session behind. */
static void test_refused_search(void **state)
{
    struct pty_setup setup = usual_setup();
    setup.terminal = "no-such-terminal";
    struct pty_terminal *terminal =
        start_espalier(&setup, "run", "--out", "refused", "--data", "idx:pictures", "--validation", "100", NULL);
    expect_exit(terminal, 1);
    expect(terminal, pty_has_text(terminal, 0, "espalier: TERM=no-such-terminal") && count_lines(terminal) == 1);
    char *path = file_join(terminal_bed_folder(), "refused.esp");
    assert_false(file_exists(path));
    free(path);
    pty_free(terminal);
}

static void test_not_a_terminal(void **state)
{
    struct pty_setup setup = usual_setup();
    struct text command = TEXT_EMPTY;
    text_add(&command, "%s replay one </dev/null", terminal_bed_program());
    setup.folder = terminal_bed_folder();
    struct pty_terminal *terminal = pty_start(&setup, (const char *[]){"sh", "-c", text_string(&command), NULL});
    expect_exit(terminal, 1);
    expect(terminal, pty_has_text(terminal, 0, "espalier: replay needs a terminal"));
    pty_free(terminal);
    text_done(&command);
}

/* --- drawn --- */

static void test_terminals(void **state)
{
    static const char *const names[] = {"xterm-256color", "xterm",         "screen",        "screen-256color", "tmux-256color",
                                        "xterm-kitty-9",  "ghostty-nine", "alacritty-none", "linux",           "vt100"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct pty_terminal *terminal = start_replay(names[i], NULL);
        bool relative = strchr(names[i], '-') && strcmp(names[i], "tmux-256color"); /* known, or like one that is */
        if (!relative && !pty_wait_text(terminal, 0, "REPLAY") && pty_has_text(terminal, -1, "unknown terminal")) {
            print_message("# skipped: no %s in the terminfo database\n", names[i]);
            pty_free(terminal);
            continue;
        }
        bool plain = !strcmp(names[i], "linux") || !strcmp(names[i], "vt100"); /* their fonts have no braille */
        expect_that(pty_wait_text(terminal, 0, plain ? "one  > REPLAY" : "one  ▶ REPLAY"), terminal, names[i], __FILE__,
                    __LINE__);
        expect(terminal, pty_wait_text(terminal, 3, plain ? "+1 Tree" : "┌1 Tree"));
        expect_text(terminal, 23, "Quit");
        pty_send(terminal, "2z");
        expect(terminal, pty_wait_text(terminal, 3, plain ? "+2 Network" : "┌2 Network"));
        expect_no_text(terminal, -1, "Tree");
        quit(terminal);
    }
}

struct looks {
    int coloured, bold, reverse;
};

static struct looks count_looks(struct pty_terminal *terminal)
{
    struct looks looks = {0};
    int width, height;
    pty_size(terminal, &width, &height);
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++) {
            struct pty_cell cell = pty_cell(terminal, row, column);
            looks.coloured += cell.coloured;
            looks.bold += cell.bold;
            looks.reverse += cell.reverse;
        }
    return looks;
}

static void test_colours(void **state)
{
    static const char *const none[] = {"NO_COLOR=1", NULL}, *const empty[] = {"NO_COLOR=", NULL};
    struct pty_terminal *terminal = start_replay("xterm-256color", NULL);
    show_everything(terminal, true);
    expect(terminal, count_looks(terminal).coloured > 50);
    expect(terminal, has_bytes(terminal, "38;5;"));
    quit(terminal);

    terminal = start_replay("xterm", NULL);
    show_everything(terminal, true);
    expect(terminal, count_looks(terminal).coloured > 50);
    expect(terminal, !has_bytes(terminal, "38;5;"));
    quit(terminal);

    terminal = start_replay("xterm-256color", empty); /* set but empty: not asked for */
    show_everything(terminal, true);
    expect(terminal, count_looks(terminal).coloured > 50);
    quit(terminal);

    terminal = start_replay("xterm-256color", none);
    show_everything(terminal, true);
    struct looks looks = count_looks(terminal);
    expect(terminal, looks.coloured == 0 && looks.bold > 0 && looks.reverse > 0);
    expect(terminal, !has_bytes(terminal, "\033[38;5;") && !has_bytes(terminal, "\033[31m"));
    quit(terminal);
}

/* Not on an xterm: libvterm 0.1.4 wraps the character behind one that was repeated up to the last column but one. */
static void test_ascii(void **state)
{
    static const char *const plain[] = {"LC_ALL=C", NULL};
    struct pty_terminal *terminal = start_replay("screen-256color", plain);
    size_t length;
    show_everything(terminal, false);
    const unsigned char *bytes = (const unsigned char *)pty_bytes(terminal, &length);
    for (size_t i = 0; i < length; i++)
        if (bytes[i] >= 0x80) {
            print_error("# byte %zu of %zu is 0x%x\n", i, length, bytes[i]);
            expect(terminal, bytes[i] < 0x80);
        }
    quit(terminal);
}

/* Each frame is one synchronised update, so that no terminal shows half of one. */
static void test_frames(void **state)
{
    static const char begin[] = "\033[?2026h", end[] = "\033[?2026l";
    struct pty_terminal *terminal = start_replay("xterm-256color", NULL);
    size_t length;
    int frames = 0;
    show_everything(terminal, true);
    const char *place = pty_bytes(terminal, &length), *last = place + length;
    while (place < last) {
        assert_memory_equal(place, begin, sizeof begin - 1);
        const char *next = memmem(place, (size_t)(last - place), end, sizeof end - 1);
        assert_non_null(next);
        assert_null(memmem(place + 1, (size_t)(next - place - 1), begin, sizeof begin - 1));
        place = next + sizeof end - 1;
        frames++;
    }
    assert_true(frames > 10);
    quit(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_refused_search), cmocka_unit_test(test_not_a_terminal),
        cmocka_unit_test(test_terminals), cmocka_unit_test(test_colours),        cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_frames), cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests_name("terminal looks", tests, open_bed, terminal_bed_close);
}
