/*
 * test_terminal_storm.c - random keys in random sizes: the program does not crash, answers, and quits.
 *
 * ESPALIER_TEST_LONG=1 makes it 20 times longer; ESPALIER_TEST_SEED chooses other keys.  Best run with --enable-asan.
 */
#include "config.h"

#include "terminal_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/log.h"
#include "util/bug.h"
#include "util/random.h"

enum { KEYS = 5000, RESIZES = 200, LIVE_KEYS = 1000, LONG = 20, WIDTH_MAX = 250, HEIGHT_MAX = 100, ROUND = 100 };

static int open_bed(void **state)
{
    struct session_recipe recipe = session_recipe_default(5);
    terminal_bed_open(state);
    record_session("one", &recipe);
    draw_pictures();
    return 0;
}

static int times_longer(void)
{
    const char *wanted = getenv("ESPALIER_TEST_LONG");
    return wanted && *wanted ? LONG : 1;
}

static struct random_stream stream_of_keys(uint64_t purpose)
{
    const char *seed = getenv("ESPALIER_TEST_SEED");
    return random_stream_new(seed ? strtoull(seed, NULL, 10) : 1, RANDOM_TEST, purpose, 0);
}

/* Whatever a keyboard, a mouse or a paste may send, but for what quits: q, F10, Ctrl-C, and F (fork) and Ctrl-P, which offers
   all of these. */
static void send_random_key(struct pty_terminal *terminal, struct random_stream *stream)
{
    static const char *const keys[] = {
        PTY_UP,
        PTY_DOWN,
        PTY_LEFT,
        PTY_RIGHT,
        PTY_ENTER,
        PTY_ESCAPE,
        "\t",
        "\033[Z",
        "\033[5~",
        "\033[6~",
        "\033[H",
        "\033[F",
        "\033[3~",
        "\033[1;2D",
        "\033[1;2C",
        "\033OP",
        "\033[M !!",
        "\033[M`$$",
        "\033[Ma&&",
        "\033[<0;9;9M",
        "\033[200~",
        "é",
        "漢",
        "\xff\xc3",
        "\033[99;99;99z",
        "\x7f",
        "\032",
        "\014",
        ":goto ",
        "10%",
        "/n1",
        "/W conv",
        ":pin ",
        ":grow 1 widen:conv1:8",
        ":note 1 ",
        ":budget networks ",
    };
    char character[2] = {(char)(' ' + random_below(stream, 95)), 0};
    switch (random_below(stream, 4)) {
    case 0:
        pty_send(terminal, keys[random_below(stream, COUNT_OF(keys))]);
        break;
    case 1:
        *character = (char)(1 + random_below(stream, 26));
        /* fall through */
    default:
        if (!strchr("qF\003\020", *character))
            pty_send(terminal, character);
    }
}

static void resize_randomly(struct pty_terminal *terminal, struct random_stream *stream)
{
    bool tiny = random_below(stream, 4) == 0;
    pty_resize(terminal, 1 + (int)random_below(stream, tiny ? 40 : WIDTH_MAX),
               1 + (int)random_below(stream, tiny ? 12 : HEIGHT_MAX));
}

static bool has_drawn(struct pty_terminal *terminal, const void *context)
{
    size_t length;
    pty_bytes(terminal, &length);
    return length > 0;
}

/* It draws its screen anew when asked. */
static void expect_answer(struct pty_terminal *terminal)
{
    expect(terminal, pty_wait_quiet(terminal, 0.03)); /* what was sent before is read: no Alt, no half a key */
    pty_send(terminal, "\033[201~"); /* a paste that was begun swallows keys until it ends */
    expect(terminal, pty_wait_quiet(terminal, 0.03));
    pty_forget(terminal);
    pty_send(terminal, PTY_CONTROL('l'));
    expect(terminal, pty_wait(terminal, has_drawn, NULL));
}

static void storm(struct pty_terminal *terminal, struct random_stream *stream, int keys, int resizes)
{
    for (int i = 1; i <= keys; i++) {
        if ((int)random_below(stream, (uint32_t)keys) < resizes)
            resize_randomly(terminal, stream);
        send_random_key(terminal, stream);
        if (i % ROUND == 0)
            expect_answer(terminal);
    }
}

/* Out of whatever is open, to a size that has room for everything. */
static void settle(struct pty_terminal *terminal)
{
    for (int i = 0; i < 4; i++) {
        pty_send(terminal, PTY_ESCAPE);
        expect_answer(terminal);
    }
    pty_resize(terminal, 120, 40);
}

static void test_replay(void **state)
{
    struct pty_setup setup = usual_setup();
    struct random_stream stream = stream_of_keys(0);
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "one", NULL);
    expect_text(terminal, 0, "REPLAY");
    storm(terminal, &stream, KEYS * times_longer(), RESIZES * times_longer());
    settle(terminal);
    expect_text(terminal, 0, " one ");
    expect_text(terminal, 0, " REPLAY ");
    pty_send(terminal, "q");
    expect_exit(terminal, 0);
    expect(terminal, !pty_is_alternate(terminal) && pty_shows_cursor(terminal));
    pty_free(terminal);
}

static void check_session(const char *name)
{
    struct fsck_report report;
    struct text findings = TEXT_EMPTY;
    struct error error;
    char *path = session_path(name);
    session_state_free(load_session(name));
    assert_int_equal(session_check(path, false, &report, &findings, &error), 0);
    assert_int_equal(report.frames_bad + report.weights_missing + report.weights_wrong, 0);
    text_done(&findings);
    free(path);
}

/* Keys that steer: grow, prune, pin, undo, note, pause, a budget, a stop even. */
static void test_search(void **state)
{
    struct pty_setup setup = usual_setup();
    struct random_stream stream = stream_of_keys(1);
    struct pty_terminal *terminal = start_search(&setup, "stormy");
    expect_text(terminal, 1, "★");
    storm(terminal, &stream, LIVE_KEYS * times_longer(), RESIZES * times_longer() / 5);
    settle(terminal);
    expect_text(terminal, 0, " stormy ");
    bool ended = pty_has_text(terminal, 0, "ENDED");
    pty_send(terminal, "q");
    if (!ended) {
        expect_text(terminal, -1, "s stop and leave");
        pty_send(terminal, "s");
    }
    expect_exit(terminal, 0);
    check_session("stormy");
    pty_free(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay), cmocka_unit_test(test_search)};
    return cmocka_run_group_tests_name("terminal storm", tests, open_bed, terminal_bed_close);
}
