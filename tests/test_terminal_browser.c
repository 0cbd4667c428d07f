/*
 * test_terminal_browser.c - `espalier` without arguments on a terminal: sessions are opened and come back from,
 * renamed, pruned and deleted; what a child says is shown; the terminal is as it was at the end.
 */
#include "config.h"

#include "terminal_bed.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "util/file.h"

static int open_bed(void **state)
{
    struct session_recipe recipe = session_recipe_default(2);
    recipe.finished = true;
    terminal_bed_open(state);
    record_session("one", &recipe);
    recipe.seed = 3;
    record_session("two", &recipe);
    return 0;
}

static struct pty_terminal *start_browser(void)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *terminal = start_espalier(&setup, NULL);
    expect_text(terminal, 0, "espalier  2 sessions  2 finished");
    expect_no_text(terminal, 1, "reading");
    return terminal;
}

static void select_session(struct pty_terminal *terminal, const char *name)
{
    pty_send(terminal, "/");
    pty_send(terminal, name);
    pty_send(terminal, PTY_ENTER);
    expect_text(terminal, 1, "1 found by /");
}

/* What is shown of a session comes back to the list, at any size, and the terminal is left as it was. */
static void test_open_and_back(void **state)
{
    struct pty_terminal *terminal = start_browser();
    struct termios before, after;
    pty_send(terminal, PTY_ENTER);
    expect_text(terminal, 0, "REPLAY");
    expect_text(terminal, 2, "100%");
    pty_resize(terminal, 120, 40);
    expect_text(terminal, 39, "Help");
    pty_send(terminal, "q");
    expect_text(terminal, 0, "espalier  2 sessions");
    expect_text(terminal, 39, "Delete");
    pty_resize(terminal, 80, 24);
    expect_text(terminal, 23, "Open");
    pty_send(terminal, "p");
    expect_text(terminal, 0, "▶ REPLAY");
    pty_send(terminal, "q");
    expect_text(terminal, 0, "espalier  2 sessions");
    pty_send(terminal, "?");
    expect_text(terminal, 0, "Keys of the list of sessions");
    pty_send(terminal, PTY_ESCAPE);
    expect_no_text(terminal, 0, "Keys of the list");
    pty_send(terminal, "a");
    expect_text(terminal, 23, "no process runs it");
    pty_send(terminal, "q");
    expect_exit(terminal, 0);
    expect(terminal, !pty_is_alternate(terminal));
    pty_modes_at_first(terminal, &before);
    pty_modes(terminal, &after);
    assert_int_equal(before.c_lflag, after.c_lflag);
    pty_free(terminal);
}

/* The weights of these sessions are not there: resume says so, and the person reads it before the list is back. */
static void test_what_a_child_says(void **state)
{
    struct pty_terminal *terminal = start_browser();
    pty_send(terminal, "r");
    expect_text(terminal, -1, "Resume ");
    pty_send(terminal, "500" PTY_ENTER);
    expect_text(terminal, -1, "came without its weights");
    expect_text(terminal, -1, "Enter goes back to the sessions");
    pty_send(terminal, PTY_ENTER);
    expect_text(terminal, 0, "espalier  2 sessions");
    pty_send(terminal, "w");
    expect_text(terminal, 23, "no weights that it can do without");
    pty_send(terminal, "n");
    expect_text(terminal, -1, "estimating");
    pty_send(terminal, "nothing");
    expect_text(terminal, -1, "there is no data set");
    pty_send(terminal, PTY_ESCAPE "mm=");
    expect_text(terminal, 0, "Comparison");
    expect_text(terminal, -1, "mean accuracy against networks");
    pty_send(terminal, PTY_CONTROL('c'));
    expect_text(terminal, 0, "espalier  2 sessions");
    kill(pty_process(terminal), SIGTERM);
    expect_exit(terminal, 128 + SIGTERM);
    pty_free(terminal);
}

static void test_rename_and_delete(void **state)
{
    struct pty_terminal *terminal = start_browser();
    char *path = session_path("two"), *renamed = session_path("newer");
    select_session(terminal, "two");
    pty_send(terminal, "e"
                       "\025"
                       "one" PTY_ENTER);
    expect_text(terminal, -1, "already exists");
    pty_send(terminal, PTY_ESCAPE "/two" PTY_ENTER);
    pty_send(terminal, "e"
                       "\025"
                       "newer" PTY_ENTER PTY_ESCAPE);
    expect_text(terminal, -1, "newer");
    assert_true(file_exists(renamed));
    select_session(terminal, "newer");
    pty_send(terminal, "x");
    expect_text(terminal, -1, "y delete");
    pty_send(terminal, PTY_ENTER "n"); /* neither is a yes */
    expect_no_text(terminal, -1, "y delete");
    assert_true(file_exists(renamed));
    pty_send(terminal, "x");
    expect_text(terminal, -1, "y delete");
    pty_send(terminal, "y");
    expect_text(terminal, 23, "newer is deleted");
    assert_false(file_exists(renamed));
    assert_false(file_exists(path));
    pty_send(terminal, PTY_CONTROL('c'));
    expect_exit(terminal, 0);
    pty_free(terminal);
    free(path);
    free(renamed);
}

/* A terminal that can't show it gets the help, as a pipe does. */
static void test_plain_terminal(void **state)
{
    struct pty_setup setup = usual_setup();
    setup.terminal = "dumb";
    struct pty_terminal *terminal = start_espalier(&setup, NULL);
    expect_text(terminal, -1, "First steps");
    expect_exit(terminal, 2);
    pty_free(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_and_back),
        cmocka_unit_test(test_what_a_child_says),
        cmocka_unit_test(test_rename_and_delete),
        cmocka_unit_test(test_plain_terminal),
    };
    return cmocka_run_group_tests_name("terminal_browser", tests, open_bed, terminal_bed_close);
}
