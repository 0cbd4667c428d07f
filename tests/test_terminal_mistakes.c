/*
 * test_terminal_mistakes.c - what a network gets wrong, as a person asks for it: beside a running search, in a replay,
 * and where the images are gone, and come back.
 */
#include "config.h"

#include "terminal_bed.h"

#include <stdio.h>
#include <stdlib.h>

#include "sessions/state.h"
#include "util/file.h"

static int open_bed(void **state)
{
    terminal_bed_open(state);
    draw_pictures();
    return 0;
}

static bool has_pictures(struct pty_terminal *terminal, const void *context)
{
    struct pty_cell cell = pty_cell(terminal, 6, 2);
    (void)context;
    return cell.glyph == 0x2580 && cell.coloured; /* the upper half block */
}

/* The evaluation has the accuracy that the trainer recorded, to the image. */
static void beside_a_search(void **state)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *terminal = start_search(&setup, "live");
    (void)state;
    expect_text(terminal, 1, "★");
    pty_send(terminal, ":pause\r");
    expect_text(terminal, 0, "PAUSED");
    pty_send(terminal, "gv");
    expect_text(terminal, 2, "What n1 gets wrong");
    expect_text(terminal, 3, "of 100 validation images right");
    expect_text(terminal, 4, "[Classes]");
    struct session_state *session = load_session("live");
    char accuracy[32];
    snprintf(accuracy, sizeof accuracy, "%.2f%% of 100 ", 100 * session_node(session, 1)->accuracy);
    expect(terminal, pty_has_text(terminal, 3, accuracy));
    session_state_free(session);
    pty_send(terminal, PTY_LEFT);
    expect_text(terminal, 4, "[Samples]");
    expect(terminal, pty_wait(terminal, has_pictures, NULL));
    pty_send(terminal, "v");
    expect_text(terminal, 2, "1 Tree");
    pty_send(terminal, "qs");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

/* A terminal of eight colours has shades in their place; leaving doesn't wait for an evaluation. */
static void in_a_replay(void **state)
{
    struct pty_setup setup = usual_setup();
    (void)state;
    setup.terminal = "screen";
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "live", "--at", "100%", NULL);
    expect_text(terminal, 1, "★");
    pty_send(terminal, "bv");
    expect_text(terminal, 4, "of 100 validation images right");
    pty_send(terminal, PTY_LEFT);
    expect_text(terminal, 5, "[Samples]");
    expect_no_text(terminal, -1, "▀");
    pty_send(terminal, "v");
    expect_text(terminal, 3, "1 Tree");
    pty_send(terminal, "bvq");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

static void without_the_images(void **state)
{
    struct pty_setup setup = usual_setup();
    (void)state;
    char *pictures = file_join(terminal_bed_folder(), "pictures"),
         *elsewhere = file_join(terminal_bed_folder(), "elsewhere");
    assert_int_equal(rename(pictures, elsewhere), 0);
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "live", "--at", "100%", NULL);
    expect_text(terminal, 1, "★");
    pty_send(terminal, "bv");
    expect_text(terminal, 4, "can't be evaluated");
    expect_text(terminal, -1, "pictures: train-images-idx3-ubyte[.gz] is");
    assert_int_equal(rename(elsewhere, pictures), 0); /* it is tried again */
    expect_text(terminal, 4, "of 100 validation images right");
    pty_send(terminal, "q");
    expect_exit(terminal, 0);
    pty_free(terminal);
    free(pictures);
    free(elsewhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_a_search),
        cmocka_unit_test(in_a_replay),
        cmocka_unit_test(without_the_images),
    };
    return cmocka_run_group_tests_name("terminal_mistakes", tests, open_bed, terminal_bed_close);
}
