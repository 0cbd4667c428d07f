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

/* `d` in the question of `q`: the shell's prompt comes back, the search goes on without a terminal, and trains what it
   had in training to the end. */
/* The screens show the end, or the program came too late to watch it. */
static bool has_ended(struct pty_terminal *terminal, const void *unused)
{
    return pty_has_text(terminal, -1, "ENDED") || pty_has_text(terminal, -1, "no process runs");
}

static void test_detach_from_the_screens(void **state)
{
    struct pty_setup setup = usual_setup();
    struct text command = TEXT_EMPTY;
    setup.folder = terminal_bed_folder();
    text_add(&command, "%s run --out near --data idx:pictures --networks 0 --epochs 1 --start-epochs 1 --train-subset 300 "
                       "--validation 100 --devices cpu:1 --limit-flops 0 --parent tournament --finish 0 --baseline no "
                       "--steady no --average 0 --episode-networks 10 --start smallest; echo \"prompt is $?\"\n",
             terminal_bed_program());
    struct pty_terminal *shell = pty_start(&setup, (const char *[]){"sh", "-i", NULL});
    pty_send(shell, text_string(&command));
    expect_text(shell, 0, "LIVE");
    expect_text(shell, 1, "★");
    pty_send(shell, "q");
    expect_text(shell, -1, "d detach");
    pty_send(shell, "d");
    expect_text(shell, -1, "espalier attach near");
    expect_text(shell, -1, "prompt is 0");
    pty_send(shell, "exit\n");
    expect_exit(shell, 0);
    pty_free(shell); /* and the terminal goes away */
    struct session_state *session = load_session("near");
    assert_true(!session->finished && session->opened_count == 1);
    int64_t done = session->status_count[NODE_DONE];
    session_state_free(session);

    setup.width = 100;
    setup.height = 30;
    struct pty_terminal *terminal = start_espalier(&setup, "attach", "near", NULL);
    expect_text(terminal, 0, "ATTACHED");
    pty_send(terminal, "q"); /* asks nothing: it goes on */
    expect_exit(terminal, 0);
    expect(terminal, pty_has_text(terminal, -1, "the search goes on"));
    pty_free(terminal);
    terminal = start_espalier(&setup, "attach", "near", "--send", "stop", NULL);
    expect_exit(terminal, 0);
    pty_free(terminal);
    terminal = start_espalier(&setup, "attach", "near", NULL); /* waits for the end, or finds that it has ended */
    int status;
    expect(terminal, pty_wait(terminal, has_ended, NULL));
    if (pty_has_text(terminal, -1, "ENDED"))
        pty_send(terminal, "q");
    expect(terminal, pty_wait_exit(terminal, &status));
    pty_free(terminal);
    session = load_session("near");
    assert_true(session->finished && session->failure_count == 0 && session->opened_count == 1);
    assert_true(session->status_count[NODE_DONE] >= done);
    for (int64_t i = 1; i <= session->node_count; i++)
        assert_true(session_node(session, i)->attempts <= 1);
    session_state_free(session);
    text_done(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_attach), cmocka_unit_test(test_detach_from_the_screens)};
    return cmocka_run_group_tests_name("attach", tests, open_bed, terminal_bed_close);
}
