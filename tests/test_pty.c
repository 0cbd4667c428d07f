/*
 * test_pty.c - the pseudo-terminal harness itself, against programs that are simpler than ours.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "pty_terminal.h"

static struct pty_terminal *shell(const char *command)
{
    static const struct pty_setup setup = {.width = 40, .height = 10, .terminal = "xterm-256color", .folder = "/"};
    struct pty_terminal *terminal = pty_start(&setup, (const char *[]){"sh", "-c", command, NULL});
    assert_non_null(terminal);
    return terminal;
}

static void test_output_and_status(void **state)
{
    struct pty_terminal *terminal = shell("printf 'one\\r\\n  two \\303\\251'; exit 7");
    struct text text = TEXT_EMPTY;
    int status;
    assert_true(pty_wait_text(terminal, 1, "  two é"));
    assert_false(pty_has_text(terminal, 0, "two"));
    assert_true(pty_wait_exit(terminal, &status));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    pty_print_row(terminal, 1, &text);
    assert_string_equal(text_string(&text), "  two é");
    text_done(&text);
    pty_free(terminal);
}

static void test_screen_and_cursor(void **state)
{
    struct pty_terminal *terminal = shell("printf 'before\\033[?1049h\\033[?25l\\033[1;31mred'; read line; "
                                          "printf '\\033[0m\\033[?25h\\033[?1049l'; kill -9 $$");
    int status;
    assert_true(pty_wait_text(terminal, -1, "red"));
    assert_true(pty_is_alternate(terminal) && !pty_shows_cursor(terminal));
    assert_false(pty_has_text(terminal, -1, "before"));
    int column = 6; /* the alternate screen keeps the cursor's place */
    struct pty_cell cell = pty_cell(terminal, 0, column);
    assert_int_equal(cell.glyph, 'r');
    assert_true(cell.bold && cell.coloured && !cell.reverse && !cell.underline);
    assert_false(pty_cell(terminal, 5, 5).coloured);
    pty_send(terminal, PTY_ENTER);
    assert_true(pty_wait_exit(terminal, &status));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(!pty_is_alternate(terminal) && pty_shows_cursor(terminal));
    assert_true(pty_has_text(terminal, 0, "before"));
    pty_free(terminal);
}

static void test_modes(void **state)
{
    struct termios before, during, after;
    int status;
    struct pty_terminal *terminal = shell("stty -echo -icanon; echo now; read line; stty echo icanon; echo then");
    pty_modes(terminal, &before);
    assert_true(pty_wait_text(terminal, -1, "now"));
    pty_modes(terminal, &during);
    assert_false(during.c_lflag & (ECHO | ICANON));
    pty_send(terminal, "\n");
    assert_true(pty_wait_exit(terminal, &status));
    pty_modes(terminal, &after);
    assert_int_equal(after.c_lflag, before.c_lflag);
    pty_free(terminal);
}

static void test_size(void **state)
{
    int width, height, status;
    struct pty_terminal *terminal = shell("trap 'stty size' WINCH; stty size; while :; do read line && exit 0; done");
    assert_true(pty_wait_text(terminal, 0, "10 40"));
    pty_resize(terminal, 61, 17);
    assert_true(pty_wait_text(terminal, -1, "17 61"));
    pty_size(terminal, &width, &height);
    assert_int_equal(width, 61);
    assert_int_equal(height, 17);
    pty_send(terminal, "\r");
    assert_true(pty_wait_exit(terminal, &status));
    pty_free(terminal);
}

/* Waits that can't come true end with the program. */
static void test_bounds(void **state)
{
    struct pty_terminal *terminal = shell("echo something");
    assert_false(pty_wait_text(terminal, -1, "anything"));
    assert_true(pty_wait_quiet(terminal, 1000));
    pty_free(terminal);
    terminal = shell("trap '' HUP; while :; do echo y; done");
    assert_true(pty_wait_text(terminal, 5, "y"));
    pty_free(terminal); /* it still runs */
}

static void test_hang_up(void **state)
{
    int status;
    struct pty_terminal *terminal = shell("echo ready; read line");
    assert_true(pty_wait_text(terminal, -1, "ready"));
    pty_hang_up(terminal);
    assert_true(pty_wait_exit(terminal, &status));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
    pty_free(terminal);
}

static void test_environment(void **state)
{
    static const char *const more[] = {"NO_COLOR=1", "LC_ALL=C", NULL};
    struct pty_setup setup = {.width = 60, .height = 5, .terminal = "vt100", .folder = "/", .environment = more};
    setenv("ESPALIER_PTY_LEAK", "1", 1);
    struct pty_terminal *terminal = pty_start(
        &setup, (const char *[]){"sh", "-c", "echo $TERM,$NO_COLOR,$LC_ALL,$HOME,$PWD,$ESPALIER_PTY_LEAK.", NULL});
    assert_true(pty_wait_text(terminal, 0, "vt100,1,C,/,/,."));
    pty_free(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_and_status),
        cmocka_unit_test(test_screen_and_cursor),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_hang_up),
        cmocka_unit_test(test_environment),
    };
    return cmocka_run_group_tests_name("pty", tests, NULL, NULL);
}
