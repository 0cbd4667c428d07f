/*
 * test_tty.c - a stack that overflows is a crash like any other: the terminal is put back.
 *
 * The program starts itself on a pseudo-terminal, where it takes the terminal and calls itself without end.
 */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "pty_terminal.h"
#include "tui/tty.h"
#include "util/threads.h"

static const char *program;

static volatile bool deeper = true; /* no compiler knows that it always is */

/* Deeper until there is no stack; what it returns keeps the compiler from making a loop of it. */
static int overflow(volatile char *above)
{
    volatile char here[4096];
    here[0] = (char)(*above + 1);
    return deeper ? overflow(here) + here[0] : 0;
}

static void *overflow_thread(void *context)
{
    char start = 0;
    overflow(&start);
    return context;
}

/* In this thread, or in one beside it. */
static int crash(bool beside)
{
    static const char restore[] = "put back";
    pthread_t thread;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    tty_open(restore, strlen(restore));
    tty_take();
    if (beside && thread_start(&thread, overflow_thread, NULL))
        pthread_join(thread, NULL);
    else
        overflow_thread(NULL);
    return 0;
}

static void check_crash(const char *where)
{
    struct termios before, after;
    int status;
    struct pty_setup setup = {.width = 80, .height = 24, .terminal = "xterm", .folder = "/"};
    struct pty_terminal *terminal = pty_start(&setup, (const char *[]){program, where, NULL});
    if (!terminal)
        skip();
    pty_modes_at_first(terminal, &before);
    assert_true(pty_wait_exit(terminal, &status));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_true(pty_has_text(terminal, 0, "put back"));
    pty_modes(terminal, &after);
    assert_int_equal(after.c_lflag, before.c_lflag);
    pty_free(terminal);
}

static void stack_overflow(void **state)
{
    check_crash("crash");
}

static void stack_overflow_of_a_thread(void **state)
{
    check_crash("crash beside");
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stack_overflow), cmocka_unit_test(stack_overflow_of_a_thread)};
    if (count > 1)
        return crash(!strcmp(arguments[1], "crash beside"));
    char *path = realpath("/proc/self/exe", NULL);
    program = path;
    int failed = cmocka_run_group_tests_name("tty", tests, NULL, NULL);
    free(path);
    return failed;
}
