/*
 * test_terminal_jobs.c - the program under a shell: stopped and continued; and on a terminal that stops reading.
 */
#include "config.h"

#include "terminal_bed.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct termios modes_of_shell;

static int open_bed(void **state)
{
    struct session_recipe recipe = session_recipe_default(3);
    terminal_bed_open(state);
    record_session("one", &recipe);
    draw_pictures();
    return 0;
}

/* The shell answers, on a cleared screen. */
static void expect_shell(struct pty_terminal *terminal)
{
    static int number;
    char command[64], answer[64];
    number++;
    snprintf(command, sizeof command, "clear; echo answer $((%d * 2)).\n", number);
    snprintf(answer, sizeof answer, "answer %d.", number * 2);
    pty_send(terminal, command);
    expect(terminal, pty_wait_text(terminal, 0, answer));
}

/* A shell with job control, and espalier as its job. */
static struct pty_terminal *start_job(const char *arguments)
{
    static const char *const environment[] = {"ENV=", NULL};
    struct pty_setup setup = usual_setup();
    struct text command = TEXT_EMPTY;
    setup.folder = terminal_bed_folder();
    setup.environment = environment;
    struct pty_terminal *terminal = pty_start(&setup, (const char *[]){"sh", "-i", NULL});
    assert_non_null(terminal);
    expect_shell(terminal);
    pty_modes(terminal, &modes_of_shell);
    text_add(&command, "%s %s\n", terminal_bed_program(), arguments);
    pty_send(terminal, text_string(&command));
    text_done(&command);
    return terminal;
}

static bool is_back_at_shell(struct pty_terminal *terminal, const void *context)
{
    struct termios modes;
    pty_modes(terminal, &modes);
    return pty_foreground(terminal) == pty_process(terminal) && !pty_is_alternate(terminal) &&
           pty_shows_cursor(terminal) && modes.c_lflag == modes_of_shell.c_lflag &&
           modes.c_iflag == modes_of_shell.c_iflag;
}

static bool is_on_screens(struct pty_terminal *terminal, const void *header)
{
    struct termios modes;
    pty_modes(terminal, &modes);
    return pty_is_alternate(terminal) && !pty_shows_cursor(terminal) && !(modes.c_lflag & (ECHO | ICANON)) &&
           pty_has_text(terminal, 0, header) && pty_has_text(terminal, -1, "1 Tree");
}

static void end_job(struct pty_terminal *terminal)
{
    expect(terminal, pty_wait(terminal, is_back_at_shell, NULL));
    expect_shell(terminal);
    pty_send(terminal, "exit\n");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

static void stop_and_go_on(struct pty_terminal *terminal, const char *header)
{
    expect(terminal, pty_wait(terminal, is_back_at_shell, NULL));
    expect_shell(terminal);
    pty_send(terminal, "fg\n");
    expect(terminal, pty_wait(terminal, is_on_screens, header));
}

static void test_stop_key(void **state)
{
    struct pty_terminal *terminal = start_job("replay one");
    expect(terminal, pty_wait(terminal, is_on_screens, "REPLAY"));
    for (int i = 0; i < 3; i++) {
        pty_send(terminal, PTY_CONTROL('z'));
        stop_and_go_on(terminal, "REPLAY");
    }
    pty_send(terminal, "q");
    end_job(terminal);
}

/* kill -TSTP from elsewhere */
static void test_stop_signal(void **state)
{
    struct pty_terminal *terminal = start_job("replay one");
    expect(terminal, pty_wait(terminal, is_on_screens, "REPLAY"));
    kill(pty_foreground(terminal), SIGTSTP);
    stop_and_go_on(terminal, "REPLAY");
    pty_send(terminal, "q");
    end_job(terminal);
}

/* kill -STOP can't be prepared for; what the shell did to the terminal meanwhile is made good all the same. */
static void test_hard_stop(void **state)
{
    struct pty_terminal *terminal = start_job("replay one");
    expect(terminal, pty_wait(terminal, is_on_screens, "REPLAY"));
    kill(pty_foreground(terminal), SIGSTOP);
    expect_shell(terminal);
    pty_send(terminal, "stty echo icanon; echo other screen\n");
    expect_text(terminal, -1, "other screen\n");
    pty_send(terminal, "fg\n");
    expect(terminal, pty_wait(terminal, is_on_screens, "REPLAY"));
    expect_no_text(terminal, -1, "other screen");
    pty_send(terminal, "q");
    end_job(terminal);
}

/* 'T': the kernel's letter for a stopped process. */
static bool is_stopped(struct pty_terminal *terminal, const void *process)
{
    char path[64], letter = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)*(const pid_t *)process);
    FILE *file = fopen(path, "r");
    bool known = file && fscanf(file, "%*d (%*[^)]) %c", &letter) == 1;
    if (file)
        fclose(file);
    return known && letter == 'T';
}

/* A search stops with all its threads, and goes on. */
static void test_stop_a_search(void **state)
{
    struct pty_terminal *terminal =
        start_job("run --out stopped --data idx:pictures --networks 0 --epochs 1 --start-epochs 1 --train-subset 300 "
                  "--validation 100 --devices cpu:1");
    expect(terminal, pty_wait(terminal, is_on_screens, "LIVE"));
    pid_t search = pty_foreground(terminal);
    pty_send(terminal, PTY_CONTROL('z'));
    expect(terminal, pty_wait(terminal, is_back_at_shell, NULL));
    expect(terminal, is_stopped(terminal, &search));
    stop_and_go_on(terminal, "LIVE");
    expect(terminal, !is_stopped(terminal, &search));
    pty_send(terminal, "q");
    expect_text(terminal, -1, "The search is running");
    pty_send(terminal, "s");
    end_job(terminal);
}

/* Where there is no shell to come back from, ^Z does not stop for ever. */
static void test_no_shell(void **state)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "one", NULL);
    expect(terminal, pty_wait(terminal, is_on_screens, "REPLAY"));
    pty_send(terminal, PTY_CONTROL('z'));
    pty_send(terminal, "?");
    expect_text(terminal, -1, "Keys");
    pty_send(terminal, PTY_ESCAPE);
    expect(terminal, pty_wait(terminal, is_on_screens, "REPLAY"));
    pty_send(terminal, "q");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

/* --- a terminal that takes no bytes: ^S in another multiplexer, a connection that hangs --- */

static struct pty_terminal *start_stalled(void)
{
    struct pty_setup setup = usual_setup();
    setup.width = 250;
    setup.height = 100;
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "one", "--speed", "0.25", NULL);
    expect(terminal, pty_wait(terminal, is_on_screens, "REPLAY"));
    pty_set_deaf(terminal, true);
    pty_send(terminal, PTY_CONTROL('l')); /* more bytes than all buffers between hold */
    expect(terminal, pty_wait_full(terminal));
    return terminal;
}

static void test_stalled_then_ended(void **state)
{
    struct pty_terminal *terminal = start_stalled();
    kill(pty_process(terminal), SIGTERM);
    expect_exit(terminal, 128 + SIGTERM);
    pty_free(terminal);
}

static void test_stalled_then_read(void **state)
{
    struct pty_terminal *terminal = start_stalled();
    pty_send(terminal, "2z");
    pty_set_deaf(terminal, false);
    expect_text(terminal, 3, "2 Network");
    expect_no_text(terminal, -1, "Tree");
    pty_send(terminal, "q");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

/* A frozen screen stays as it is, but it fits its terminal. */
static void test_frozen_and_resized(void **state)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "one", "--speed", "1", NULL);
    expect(terminal, pty_wait(terminal, is_on_screens, "REPLAY"));
    pty_send(terminal, PTY_CONTROL('s'));
    expect_text(terminal, 0, "(frozen)");
    assert_int_equal(pty_watch(terminal, 1.5), 0);
    pty_forget(terminal);
    pty_resize(terminal, 100, 30);
    expect_text(terminal, 29, "Help");
    /* A terminal may have moved its lines (tmux does): nothing that it shows is counted on. */
    size_t length;
    const char *bytes = pty_bytes(terminal, &length);
    expect(terminal, memmem(bytes, length, "\033[H\033[J", 6) != NULL);
    pty_send(terminal, PTY_CONTROL('s'));
    expect_no_text(terminal, 0, "(frozen)");
    pty_send(terminal, "q");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_key),          cmocka_unit_test(test_stop_signal),
        cmocka_unit_test(test_hard_stop),         cmocka_unit_test(test_stop_a_search),
        cmocka_unit_test(test_no_shell),          cmocka_unit_test(test_stalled_then_ended),
        cmocka_unit_test(test_stalled_then_read), cmocka_unit_test(test_frozen_and_resized),
    };
    return cmocka_run_group_tests_name("terminal jobs", tests, open_bed, terminal_bed_close);
}
