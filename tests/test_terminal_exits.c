/*
 * test_terminal_exits.c - however the program ends, the terminal is as it was: the screen from before, the cursor, the
 * modes; and the exit status says how.
 */
#include "config.h"

#include "terminal_bed.h"

#include <signal.h>
#include <string.h>

static struct termios modes_before;

static int open_bed(void **state)
{
    struct session_recipe recipe = session_recipe_default(1);
    terminal_bed_open(state);
    record_session("one", &recipe);
    draw_pictures();
    return 0;
}

static struct pty_terminal *start_replay_on(const char *name)
{
    struct pty_setup setup = usual_setup();
    setup.terminal = name;
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "one", NULL);
    pty_modes_at_first(terminal, &modes_before);
    expect_text(terminal, 0, "REPLAY");
    return terminal;
}

static struct pty_terminal *start_replay(void)
{
    struct pty_terminal *terminal = start_replay_on("xterm-256color");
    expect(terminal, pty_is_alternate(terminal) && !pty_shows_cursor(terminal));
    return terminal;
}

static void expect_modes_restored(struct pty_terminal *terminal)
{
    struct termios modes;
    pty_modes(terminal, &modes);
    expect(terminal, modes.c_iflag == modes_before.c_iflag && modes.c_oflag == modes_before.c_oflag &&
                         modes.c_cflag == modes_before.c_cflag && modes.c_lflag == modes_before.c_lflag &&
                         !memcmp(modes.c_cc, modes_before.c_cc, sizeof modes.c_cc));
}

static void expect_restored(struct pty_terminal *terminal)
{
    expect(terminal, !pty_is_alternate(terminal));
    expect(terminal, pty_shows_cursor(terminal));
    expect(terminal, !pty_has_text(terminal, -1, "REPLAY"));
    expect_modes_restored(terminal);
}

static void test_quit(void **state)
{
    struct termios modes;
    struct pty_terminal *terminal = start_replay();
    pty_modes(terminal, &modes);
    expect(terminal, !(modes.c_lflag & (ICANON | ECHO | ISIG)));
    pty_send(terminal, "q");
    expect_exit(terminal, 0);
    expect_restored(terminal);
    pty_free(terminal);
}

/* Ctrl-C closes what is open, then quits. */
static void test_interrupt_key(void **state)
{
    struct pty_terminal *terminal = start_replay();
    pty_send(terminal, ":");
    expect_text(terminal, -1, "Commands");
    pty_send(terminal, PTY_CONTROL('c'));
    expect_no_text(terminal, -1, "Commands");
    pty_send(terminal, PTY_CONTROL('c'));
    expect_exit(terminal, 0);
    expect_restored(terminal);
    pty_free(terminal);
}

/* Signals that ask: an orderly end, 128 + N. */
static void test_signals(void **state)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct pty_terminal *terminal = start_replay();
        kill(pty_process(terminal), signals[i]);
        expect_exit(terminal, 128 + signals[i]);
        expect_restored(terminal);
        pty_free(terminal);
    }
}

/* Signals that a crash sends: it still dies of them, so that a core and the shell's message are to be had. */
static void test_crashes(void **state)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct pty_terminal *terminal = start_replay();
        kill(pty_process(terminal), signals[i]);
        expect_signal(terminal, signals[i]);
        expect_restored(terminal);
        pty_free(terminal);
    }
}

/* The times to wait that stand in a vt100's strings are not for the screen. */
static void test_crash_of_a_slow_terminal(void **state)
{
    struct pty_terminal *terminal = start_replay_on("vt100");
    kill(pty_process(terminal), SIGSEGV);
    expect_signal(terminal, SIGSEGV);
    expect_modes_restored(terminal);
    expect(terminal, !pty_has_text(terminal, -1, "$<"));
    pty_free(terminal);
}

static void test_crash_with_the_mouse_on(void **state)
{
    size_t length;
    struct pty_terminal *terminal = start_replay();
    pty_send(terminal, "M");
    expect_text(terminal, -1, "mouse on");
    pty_forget(terminal);
    kill(pty_process(terminal), SIGSEGV);
    expect_signal(terminal, SIGSEGV);
    expect_restored(terminal);
    assert_non_null(strstr(pty_bytes(terminal, &length), "\033[?1000l"));
    assert_non_null(strstr(pty_bytes(terminal, &length), "\033[?1002l"));
    pty_free(terminal);
}

/* ssh loses its connection: the program ends, it doesn't go round and round. */
static void test_hang_up(void **state)
{
    struct pty_terminal *terminal = start_replay();
    pty_hang_up(terminal);
    expect_exit(terminal, 128 + SIGHUP);
    pty_free(terminal);
}

/* --- with a search in it, which has threads --- */

static struct pty_terminal *start_search_here(const char *out)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *terminal = start_search(&setup, out);
    pty_modes_at_first(terminal, &modes_before);
    expect_text(terminal, 0, "LIVE");
    expect_text(terminal, 1, "%"); /* a network is trained */
    return terminal;
}

static void test_stop_a_search(void **state)
{
    struct pty_terminal *terminal = start_search_here("stopped");
    pty_send(terminal, "q");
    expect_text(terminal, -1, "The search is running");
    pty_send(terminal, "s");
    expect_exit(terminal, 0);
    expect(terminal, !pty_is_alternate(terminal) && pty_shows_cursor(terminal));
    expect_modes_restored(terminal);
    expect_text(terminal, -1, "espalier resume stopped goes on");
    struct session_state *session = load_session("stopped");
    assert_true(session->finished);
    assert_int_equal(session->finish_reason.value, FINISH_INTERRUPTED);
    session_state_free(session);
    pty_free(terminal);
}

/* Ctrl-C asks; once more, it is meant. */
static void test_interrupt_a_search(void **state)
{
    struct pty_terminal *terminal = start_search_here("interrupted");
    pty_send(terminal, PTY_CONTROL('c'));
    expect_text(terminal, -1, "The search is running");
    pty_send(terminal, PTY_CONTROL('c'));
    expect_exit(terminal, 0);
    expect_modes_restored(terminal);
    struct session_state *session = load_session("interrupted");
    assert_true(session->finished);
    session_state_free(session);
    pty_free(terminal);
}

static void test_signals_to_a_search(void **state)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT};
    static const char *const names[] = {"term", "hup", "int"};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct pty_terminal *terminal = start_search_here(names[i]);
        kill(pty_process(terminal), signals[i]);
        expect_exit(terminal, 128 + signals[i]);
        expect(terminal, !pty_is_alternate(terminal) && pty_shows_cursor(terminal));
        expect_modes_restored(terminal);
        struct session_state *session = load_session(names[i]);
        assert_true(session->finished && session->best);
        session_state_free(session);
        pty_free(terminal);
    }
}

static void test_crash_of_a_search(void **state)
{
    struct pty_terminal *terminal = start_search_here("crashed");
    kill(pty_process(terminal), SIGSEGV);
    expect_signal(terminal, SIGSEGV);
    expect(terminal, !pty_is_alternate(terminal) && pty_shows_cursor(terminal));
    expect_modes_restored(terminal);
    session_state_free(load_session("crashed"));
    pty_free(terminal);
}

/* The terminal is gone: the search ends in good order and keeps what it has. */
static void test_hang_up_of_a_search(void **state)
{
    struct pty_terminal *terminal = start_search_here("lost");
    pty_hang_up(terminal);
    expect_exit(terminal, 128 + SIGHUP);
    struct session_state *session = load_session("lost");
    assert_true(session->finished && session->best);
    session_state_free(session);
    pty_free(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quit),
        cmocka_unit_test(test_interrupt_key),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_crash_of_a_slow_terminal),
        cmocka_unit_test(test_crash_with_the_mouse_on),
        cmocka_unit_test(test_hang_up),
        cmocka_unit_test(test_stop_a_search),
        cmocka_unit_test(test_interrupt_a_search),
        cmocka_unit_test(test_signals_to_a_search),
        cmocka_unit_test(test_crash_of_a_search),
        cmocka_unit_test(test_hang_up_of_a_search),
    };
    return cmocka_run_group_tests_name("terminal exits", tests, open_bed, terminal_bed_close);
}
