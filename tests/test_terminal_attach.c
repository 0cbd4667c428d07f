/*
 * test_terminal_attach.c - a search that outlives its terminal, and two people who watch and steer it from theirs.
 */
#include "config.h"

#include "terminal_bed.h"

#include <stdlib.h>

static int open_bed(void **state)
{
    terminal_bed_open(state);
    draw_pictures();
    return 0;
}

static struct pty_terminal *attach(void)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *terminal = start_espalier(&setup, "attach", "far", NULL);
    expect_text(terminal, 0, "ATTACHED");
    return terminal;
}

static void test_attach(void **state)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *first =
        start_espalier(&setup, "run", "--detach", "--out", "far", "--data", "idx:pictures", "--networks", "0",
                       "--seconds", "100", "--epochs", "1", "--start-epochs", "1", "--train-subset", "300",
                       "--validation", "100", "--devices", "cpu:1", "--limit-flops", "0", WITHOUT_ROUNDS, NULL);
    expect_exit(first, 0);
    expect(first, pty_has_text(first, 0, "far.esp") && pty_has_text(first, 1, "espalier attach far"));
    pty_free(first); /* and the terminal goes away */

    first = attach();
    struct pty_terminal *second = attach();
    pty_send(first, " ");
    expect_text(first, 0, "PAUSED");
    expect_text(second, 0, "PAUSED");
    pty_send(first, "q");
    expect_exit(first, 0);
    expect(first, pty_has_text(first, -1, "the search goes on; espalier attach far watches it again"));
    pty_free(first);

    pty_send(second, " ");
    expect_no_text(second, 0, "PAUSED");
    pty_send(second, ":stop\r");
    expect_text(second, 0, "ENDED");
    pty_send(second, "q");
    expect_exit(second, 0);
    expect(second, pty_has_text(second, -1, "espalier resume far goes on"));
    pty_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_attach)};
    return cmocka_run_group_tests_name("attach", tests, open_bed, terminal_bed_close);
}
