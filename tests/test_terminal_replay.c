/*
 * test_terminal_replay.c - a recorded session on the screens: what they say at its end is what the recording's maker
 * and `espalier show` say; moving about; and nothing is sent while nothing changes.
 */
#include "config.h"

#include "terminal_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/clock.h"
#include "util/file.h"

static struct session_expectation recorded;

static int open_bed(void **state)
{
    struct session_recipe recipe = session_recipe_default(4);
    recipe.finished = true;
    terminal_bed_open(state);
    recorded = record_session("one", &recipe);
    return 0;
}

static struct pty_terminal *start_replay_of(const char *session, const char *speed)
{
    struct pty_setup setup = usual_setup();
    setup.width = 160; /* the header has room for all counts */
    setup.height = 45;
    struct pty_terminal *terminal = start_espalier(&setup, "replay", session, "--speed", speed, NULL);
    expect_text(terminal, 0, "REPLAY");
    return terminal;
}

static struct pty_terminal *start_replay(const char *speed)
{
    return start_replay_of("one", speed);
}

static struct pty_terminal *start_still(void)
{
    struct pty_terminal *terminal = start_replay("0.25");
    pty_send(terminal, " ");
    expect_text(terminal, 0, "‖ REPLAY");
    return terminal;
}

static void quit(struct pty_terminal *terminal)
{
    pty_send(terminal, "q");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

/* A key, and the whole of what it changes. */
static void press(struct pty_terminal *terminal, const char *key)
{
    pty_send(terminal, key);
    expect(terminal, pty_wait_bytes(terminal));
    expect(terminal, pty_wait_quiet(terminal, 0.05));
}

static void go_to(struct pty_terminal *terminal, const char *place)
{
    press(terminal, ":");
    expect_text(terminal, -1, "Commands");
    pty_send(terminal, "goto ");
    pty_send(terminal, place);
    pty_send(terminal, PTY_ENTER);
    expect_no_text(terminal, -1, "Commands");
}

static char *screen_of(struct pty_terminal *terminal)
{
    struct text text = TEXT_EMPTY;
    pty_print_screen(terminal, &text);
    return text_take(&text);
}

/* --- keys --- */

/* A slow line tears the two parts of an arrow key apart: the rest is no key "[", which would move the replay.  Another
   try when this machine was so slow that it looks like two keys. */
static void test_a_torn_key(void **state)
{
    bool dropped = false;
    struct pty_terminal *terminal = start_still();
    go_to(terminal, "100%");
    for (int i = 0; i < 5 && !dropped; i++) {
        pty_send(terminal, "?");
        expect_text(terminal, -1, "Keys and signs");
        pty_send(terminal, PTY_ESCAPE);
        expect_no_text(terminal, -1, "Keys and signs");
        pty_send(terminal, "[A");
        pty_send(terminal, "?");
        expect_text(terminal, -1, "Keys and signs");
        pty_send(terminal, PTY_ESCAPE);
        expect_no_text(terminal, -1, "Keys and signs");
        dropped = pty_has_text(terminal, 2, "100%");
        go_to(terminal, "100%");
    }
    expect(terminal, dropped);
    quit(terminal);
}

/* `/` begins anew: what is in force is not typed before the next words. */
static void test_find_begins_anew(void **state)
{
    struct pty_terminal *terminal = start_still();
    go_to(terminal, "100%");
    pty_send(terminal, "/conv1" PTY_ENTER);
    expect_text(terminal, -1, "/conv1, ");
    pty_send(terminal, "/conv2" PTY_ENTER);
    expect_text(terminal, -1, "/conv2, ");
    pty_send(terminal, "/" PTY_ENTER);
    expect_no_text(terminal, -1, "/conv");
    quit(terminal);
}

/* --- the end --- */

#define has_in_header(terminal, ...)                                                                                   \
    do {                                                                                                               \
        char wanted[64];                                                                                               \
        snprintf(wanted, sizeof wanted, __VA_ARGS__);                                                                  \
        expect_that(pty_has_text(terminal, 1, wanted), terminal, wanted, __FILE__, __LINE__);                          \
    } while (0)

static void expect_final_counts(struct pty_terminal *terminal)
{
    has_in_header(terminal, "★ %.2f%% n%lld ", 100 * recorded.best_accuracy, (long long)recorded.best);
    has_in_header(terminal, " %lld/%lld networks ", (long long)recorded.status[NODE_DONE], (long long)recorded.nodes);
    has_in_header(terminal, " %lld training ", (long long)recorded.status[NODE_RUNNING]);
    has_in_header(terminal, " %lld queued ", (long long)recorded.status[NODE_QUEUED]);
    if (recorded.status[NODE_FAILED])
        has_in_header(terminal, " %lld failed ", (long long)recorded.status[NODE_FAILED]);
    if (recorded.status[NODE_CANCELLED])
        has_in_header(terminal, " %lld cancelled ", (long long)recorded.status[NODE_CANCELLED]);
    has_in_header(terminal, " %lld known ", (long long)recorded.known);
    has_in_header(terminal, " %lld refused", (long long)recorded.refused);
}

static void test_plays_to_the_end(void **state)
{
    struct pty_terminal *terminal = start_replay("1000");
    expect_text(terminal, 2, "100%");
    expect_text(terminal, 0, "‖ REPLAY");
    expect_final_counts(terminal);
    quit(terminal);
}

/* A copy without weights, steps and samples is replayed on any machine. */
static void test_a_thin_copy(void **state)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *terminal = start_espalier(&setup, "copy", "--thin", "--weights", "none", "one", "thin", NULL);
    expect_exit(terminal, 0);
    pty_free(terminal);
    terminal = start_replay_of("thin", "1000");
    expect_text(terminal, 2, "100%");
    expect_text(terminal, 0, "‖ REPLAY");
    expect_final_counts(terminal);
    quit(terminal);
}

/* What `show` prints of it, as a person would compare the two. */
static void test_agrees_with_show(void **state)
{
    struct pty_setup setup = usual_setup();
    struct text text = TEXT_EMPTY;
    long long best = 0, done = 0, known = 0, refused = 0, failed = 0;
    double accuracy = 0;
    size_t length;
    struct pty_terminal *terminal = start_espalier(&setup, "show", "one", NULL);
    expect_exit(terminal, 0);
    const char *bytes = pty_bytes(terminal, &length), *place = strstr(bytes, "best      n");
    assert_non_null(place);
    assert_int_equal(sscanf(place, "best      n%lld  validation accuracy %lf", &best, &accuracy), 2);
    place = strstr(bytes, "state  ");
    assert_non_null(place);
    assert_int_equal(sscanf(place,
                            "state %*[^:]: %lld networks trained in %*[^;]; %lld proposals were known already; "
                            "%lld refused; %lld failed",
                            &done, &known, &refused, &failed),
                     4);
    pty_free(terminal);
    assert_int_equal(best, recorded.best);
    assert_int_equal(done, recorded.status[NODE_DONE]);
    assert_int_equal(known, recorded.known);
    assert_int_equal(refused, recorded.refused);
    assert_int_equal(failed, recorded.status[NODE_FAILED]);
    assert_true(accuracy > 100 * recorded.best_accuracy - 0.006 && accuracy < 100 * recorded.best_accuracy + 0.006);
    text_done(&text);
}

/* --- moving --- */

static void test_seek(void **state)
{
    static const struct {
        const char *place, *shown;
    } places[] = {
        {"50%", " 50%"}, {"100%", "100%"}, {"0%", "  0%"}, {"75%", " 75%"}, {"1m00s", " 00:01:00 "},
    };
    struct pty_terminal *terminal = start_still();
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        go_to(terminal, places[i].place);
        expect(terminal, pty_wait_text(terminal, 2, places[i].shown));
        if (!strcmp(places[i].place, "100%"))
            expect_final_counts(terminal);
    }
    go_to(terminal, "50%");
    expect_text(terminal, 2, " 50%");
    pty_send(terminal, "H");
    expect_text(terminal, 2, " 45%");
    pty_send(terminal, "LL");
    expect_text(terminal, 2, " 55%");
    go_to(terminal, "nowhere");
    expect_text(terminal, -1, "goto takes a share");
    quit(terminal);
}

static bool is_same(struct pty_terminal *terminal, const void *screen)
{
    char *now = screen_of(terminal);
    bool same = !strcmp(now, screen);
    free(now);
    return same;
}

static bool is_other(struct pty_terminal *terminal, const void *screen)
{
    return !is_same(terminal, screen);
}

/* As many events back as on is where it was. */
static void test_step(void **state)
{
    struct pty_terminal *terminal = start_still();
    go_to(terminal, "40%");
    expect_text(terminal, 2, " 40%");
    press(terminal, ".");
    char *before = screen_of(terminal);
    pty_send(terminal, "....");
    expect(terminal, pty_wait(terminal, is_other, before));
    pty_send(terminal, ",,,,");
    expect(terminal, pty_wait(terminal, is_same, before));
    free(before);
    quit(terminal);
}

/* From best to best: each better than the one before, and the last is the recording's. */
static void test_jump(void **state)
{
    struct pty_terminal *terminal = start_still();
    double last = 0;
    int jumps = 0;
    go_to(terminal, "0%");
    expect_text(terminal, 2, "  0%");
    for (; !pty_has_text(terminal, -1, "no new best there"); jumps++) {
        struct text row = TEXT_EMPTY;
        double accuracy = 0;
        press(terminal, "]");
        pty_print_row(terminal, 1, &row);
        const char *star = strstr(text_string(&row), "★");
        expect(terminal, star && sscanf(star + strlen("★"), "%lf", &accuracy) == 1);
        expect(terminal, accuracy > last || pty_has_text(terminal, -1, "no new best there"));
        last = accuracy;
        text_done(&row);
        assert_true(jumps < 100);
    }
    assert_true(jumps > 3);
    has_in_header(terminal, "★ %.2f%% n%lld ", 100 * recorded.best_accuracy, (long long)recorded.best);
    quit(terminal);
}

/* --- what a person does at the terminal itself --- */

/* The row of the tree whose second column is reversed: the selected network's. */
static bool is_selected_row(struct pty_terminal *terminal, const void *row)
{
    return pty_cell(terminal, *(const int *)row, 10).reverse;
}

/* As a terminal tells of its first button. */
enum { PRESS = 0, RELEASE = 3, HELD = 32 };
static void send_mouse(struct pty_terminal *terminal, int button, int x, int y)
{
    pty_send(terminal, (char[]){'\033', '[', 'M', (char)(' ' + button), (char)(' ' + 1 + x), (char)(' ' + 1 + y), 0});
}

static void test_mouse(void **state)
{
    struct pty_terminal *terminal = start_still();
    go_to(terminal, "100%");
    expect_text(terminal, 2, "100%");
    press(terminal, "j");
    press(terminal, "g"); /* the first network */
    for (int row = 8; row <= 12; row++) {
        expect(terminal, !is_selected_row(terminal, &row));
        press(terminal, row == 8 ? "M" : PTY_CONTROL('l'));
        send_mouse(terminal, PRESS, 10, row);
        send_mouse(terminal, RELEASE, 10, row);
        expect(terminal, pty_wait(terminal, is_selected_row, &row));
    }
    quit(terminal);
}

/* A press on the bar goes there, and the bar follows while the button is held, wherever the mouse is. */
static void test_drag(void **state)
{
    size_t length;
    struct pty_terminal *terminal = start_still();
    go_to(terminal, "10%");
    expect_text(terminal, 2, " 10%");
    press(terminal, "M");
    expect_text(terminal, -1, "mouse on");
    expect_text(terminal, 2, " 10%");
    assert_non_null(strstr(pty_bytes(terminal, &length), "\033[?1002h"));
    send_mouse(terminal, PRESS, 100, 20); /* not on it */
    send_mouse(terminal, HELD, 60, 2);
    send_mouse(terminal, RELEASE, 60, 2);
    pty_send(terminal, "L"); /* a twentieth on from where it still is */
    expect_text(terminal, 2, " 15%");
    send_mouse(terminal, PRESS, 10, 2);
    expect_text(terminal, 2, "  0%");
    send_mouse(terminal, HELD, 159, 20);
    expect_text(terminal, 2, "100%");
    send_mouse(terminal, HELD, 0, 2);
    expect_text(terminal, 2, "  0%");
    send_mouse(terminal, RELEASE, 0, 2);
    quit(terminal);
}

static void test_typing(void **state)
{
    struct pty_terminal *terminal = start_still();
    pty_send(terminal, "/");
    pty_send(terminal, "é漢q9");
    expect_text(terminal, 44, "/é漢q9");
    pty_send(terminal, PTY_LEFT PTY_LEFT "\x7f");
    expect_text(terminal, 44, "/éq9");
    pty_send(terminal, PTY_ESCAPE);
    expect_no_text(terminal, 44, "/éq9");
    quit(terminal);
}

/* Pasted text is no key: not `q`, nor Enter. In a prompt it is what is written there. */
static void test_paste(void **state)
{
    struct pty_terminal *terminal = start_still();
    pty_send(terminal, "\033[200~q\rq\033[201~");
    expect_text(terminal, 44, "text can be pasted only after");
    pty_send(terminal, "/\033[200~con\rv1\tq\033[201~");
    expect_text(terminal, 44, "/con v1 q");
    pty_send(terminal, PTY_ESCAPE);
    expect_no_text(terminal, 44, "/con");
    quit(terminal);
}

/* Nothing can be steered, and no dialog asks first; what growing would cost is shown all the same. */
static void test_refusals(void **state)
{
    static const char *const keys[] = {"x", "e", "r", "R", "p", "u", "+"};
    struct pty_terminal *terminal = start_still();
    go_to(terminal, "50%");
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        pty_send(terminal, "?"); /* hides the last answer */
        expect_no_text(terminal, -1, "takes no commands");
        pty_send(terminal, PTY_ESCAPE);
        pty_send(terminal, keys[i]);
        expect_text(terminal, 44, "a recording takes no commands");
    }
    pty_send(terminal, "w");
    expect_text(terminal, -1, "Widen n");
    pty_send(terminal, PTY_ENTER);
    expect_text(terminal, 44, "a recording takes no commands");
    quit(terminal);
}

/* `S` writes what the terminal shows: the picture and its description have one source, and nothing is lost between. */
static void test_saved_screen(void **state)
{
    static const struct {
        int width, height;
    } sizes[] = {{80, 24}, {120, 40}, {200, 60}, {33, 9}};
    char *path = file_join(terminal_bed_folder(), "espalier-screen.txt");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct pty_setup setup = usual_setup();
        struct error error;
        void *saved;
        size_t length;
        setup.width = sizes[i].width;
        setup.height = sizes[i].height;
        struct pty_terminal *terminal = start_espalier(&setup, "replay", "one", "--speed", "1000", NULL);
        expect_text(terminal, 0, "‖ REPLAY");
        char *shown = screen_of(terminal);
        press(terminal, "S");
        expect_text(terminal, -1, "saved");
        assert_int_equal(file_read(path, 1 << 20, &saved, &length, &error), 0);
        assert_string_equal(saved, shown);
        free(saved);
        free(shown);
        quit(terminal);
    }
    free(path);
}

/* --- bytes --- */

static void test_silence(void **state)
{
    struct pty_terminal *terminal = start_still();
    go_to(terminal, "50%");
    expect_text(terminal, 2, " 50%");
    expect(terminal, pty_wait_quiet(terminal, 0.1));
    assert_int_equal(pty_watch(terminal, 1.5), 0); /* more than a second: it looks at the clock once a second */
    pty_send(terminal, "\001");                    /* a key that means nothing */
    assert_int_equal(pty_watch(terminal, 0.2), 0);
    quit(terminal);
}

static int count_frames(struct pty_terminal *terminal)
{
    static const char end[] = "\033[?2026l";
    size_t length;
    int frames = 0;
    const char *bytes = pty_bytes(terminal, &length), *last = bytes + length;
    while ((bytes = memmem(bytes, (size_t)(last - bytes), end, sizeof end - 1))) {
        bytes += sizeof end - 1;
        frames++;
    }
    return frames;
}

static void test_frames(void **state)
{
    struct pty_terminal *terminal = start_replay("60");
    pty_forget(terminal);
    double start = clock_monotonic();
    pty_watch(terminal, 1);
    double seconds = clock_monotonic() - start;
    /* Ten a second, and those that were under way on a busy machine. */
    assert_in_range(count_frames(terminal), 1, 10 * seconds + 3);
    quit(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_torn_key),
        cmocka_unit_test(test_find_begins_anew),
        cmocka_unit_test(test_plays_to_the_end),
        cmocka_unit_test(test_agrees_with_show),
        cmocka_unit_test(test_a_thin_copy),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_jump),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_mouse),
        cmocka_unit_test(test_drag),
        cmocka_unit_test(test_typing),
        cmocka_unit_test(test_paste),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_saved_screen),
    };
    return cmocka_run_group_tests_name("terminal replay", tests, open_bed, terminal_bed_close);
}
