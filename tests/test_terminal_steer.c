/*
 * test_terminal_steer.c - a person steers a running search by keys: the session then holds what was asked, in that
 * order, and nothing else in the person's name; and the search can be gone on with.
 */
#include "config.h"

#include "terminal_bed.h"
#include "util/bug.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/log.h"

static int open_bed(void **state)
{
    terminal_bed_open(state);
    draw_pictures();
    return 0;
}

/* The network that the person grew, when it is trained; else 0. */
static int64_t grown_by_user(void)
{
    struct session_state *session = load_session("steered");
    int64_t found = 0;
    for (int64_t i = 1; i <= session->node_count; i++)
        if (session_node(session, i)->facts.by.value == AUTHOR_USER && session_node(session, i)->status == NODE_DONE)
            found = i;
    session_state_free(session);
    return found;
}

static bool is_grown(struct pty_terminal *terminal, const void *context)
{
    return grown_by_user() != 0;
}

static void describe(const struct event *event, struct text *text)
{
    text_add(text, "%s", event_kind_name(event->kind));
    if (event->kind == EVENT_COMMAND)
        text_add(text, " %s%s", event->as.command.words, event->as.command.refused ? " (refused)" : "");
    if (event->kind == EVENT_NODE)
        text_add(text, " %lld from %lld %s", (long long)event->as.node.node, (long long)event->as.node.parent,
                 event->as.node.actions.items[0]);
    if (event->kind == EVENT_PAUSED)
        text_add(text, " %d", event->as.paused.paused);
    if (event->kind == EVENT_PINNED)
        text_add(text, " %lld %d", (long long)event->as.pinned.node, event->as.pinned.pinned);
    text_add(text, "\n");
}

/* Everything in the log that is the person's, a line each. */
static void read_what_was_asked(const char *name, struct text *text)
{
    struct log_reader *reader;
    struct event event;
    struct error error;
    char *path = session_path(name);
    assert_int_equal(log_read(path, &reader, &error), 0);
    while (log_next(reader, &event, &error) == LOG_EVENT) {
        if (event_author(&event) == AUTHOR_USER)
            describe(&event, text);
        event_done(&event);
    }
    log_reader_free(reader);
    free(path);
}

/* Budget, rate and epochs by keys; wait for the answers, which stand in the log's pane. */
static void set_up(struct pty_terminal *terminal)
{
    pty_send(terminal, "+");
    expect_text(terminal, -1, "no limit of networks");
    pty_send(terminal, ":budget networks 4000" PTY_ENTER);
    expect_text(terminal, 1, "/4000 networks");
    pty_send(terminal, "++_");
    expect_text(terminal, -1, "now 4020 networks");
    expect_text(terminal, 1, "/4010 networks");
    pty_send(terminal, "r0.25" PTY_ENTER);
    expect_text(terminal, -1, "1 epoch from rate 0.25");
    pty_send(terminal, "R2" PTY_ENTER);
    expect_text(terminal, -1, "2 epochs from rate 0.25");
}

/* Pause, widen the second layer of the best network, go on, wait for it, pin it, stop.  The two networks. */
static void steer(struct pty_terminal *terminal, int64_t *parent, int64_t *child)
{
    char text[32];
    long long best;
    expect_text(terminal, 1, "★");
    pty_send(terminal, " ");
    expect_text(terminal, 0, "PAUSED");
    set_up(terminal);
    pty_send(terminal, "b");
    pty_send(terminal, "w");
    expect_text(terminal, -1, "Widen n");
    struct text screen = TEXT_EMPTY;
    pty_print_screen(terminal, &screen);
    assert_int_equal(sscanf(strstr(text_string(&screen), "Widen n"), "Widen n%lld", &best), 1);
    text_done(&screen);
    *parent = best;
    expect_text(terminal, -1, "◂ conv1 ▸");
    pty_send(terminal, PTY_RIGHT);
    expect_text(terminal, -1, "◂ conv2 ▸");
    expect_text(terminal, -1, "none"); /* no duplicate */
    pty_send(terminal, PTY_ENTER);
    expect_no_text(terminal, -1, "Widen n");
    pty_send(terminal, " ");
    expect_text(terminal, 0, "LIVE");
    expect(terminal, pty_wait(terminal, is_grown, NULL));
    *child = grown_by_user();
    snprintf(text, sizeof text, "/n%lld" PTY_ENTER "n", (long long)*child);
    pty_send(terminal, text);
    snprintf(text, sizeof text, "/n%lld", (long long)*child);
    expect(terminal, pty_wait_text(terminal, -1, text));
    pty_send(terminal, "p");
    expect_text(terminal, -1, "pin "); /* in the log pane */
    pty_send(terminal, "q");
    expect_text(terminal, -1, "The search is running");
    pty_send(terminal, "s");
    expect_exit(terminal, 0);
}

static void test_steer(void **state)
{
    struct pty_setup setup = usual_setup();
    struct text asked = TEXT_EMPTY, expected = TEXT_EMPTY;
    int64_t parent, child;
    setup.width = 120;
    setup.height = 40;
    struct pty_terminal *terminal = start_search(&setup, "steered");
    expect_text(terminal, 0, "LIVE");
    steer(terminal, &parent, &child);
    pty_free(terminal);

    struct session_state *session = load_session("steered");
    const struct session_node *node = session_node(session, child);
    assert_int_equal(node->facts.parent, parent);
    assert_int_equal(node->facts.actions.count, 1);
    assert_memory_equal(node->facts.actions.items[0], "widen:conv2:", strlen("widen:conv2:"));
    assert_int_equal(node->curve_count, 2);
    assert_in_range((int)(1000 * node->curve[0].rate), 100, 250); /* in the middle of a falling schedule */
    assert_true(session->budget_networks == 4010 && session->epochs == 2 && session->rate == 0.25);
    assert_true(node->pinned && !session->paused && session->finished);
    assert_int_equal(session->finish_reason.value, FINISH_INTERRUPTED);
    const char *action = node->facts.actions.items[0];
    text_add(&expected, "command pause\npaused 1\n");
    text_add(&expected, "command budget networks +10 (refused)\n");
    text_add(&expected, "command budget networks 4000\nbudget\ncommand budget networks +10\nbudget\n");
    text_add(&expected, "command budget networks +10\nbudget\ncommand budget networks -10\nbudget\n");
    text_add(&expected, "command rate 0.25\nsettings\ncommand epochs 2\nsettings\n");
    text_add(&expected, "command grow %lld %s\nnode %lld from %lld %s\n", (long long)parent, action, (long long)child,
             (long long)parent, action);
    text_add(&expected, "command continue\npaused 0\n");
    text_add(&expected, "command pin %lld\npinned %lld 1\n", (long long)child, (long long)child);
    read_what_was_asked("steered", &asked);
    assert_string_equal(text_string(&asked), text_string(&expected));

    /* It goes on, from the pinned network alone. */
    char budget[32];
    int64_t known = session->node_count;
    snprintf(budget, sizeof budget, "%lld", (long long)known + 3);
    terminal = start_espalier(&setup, "resume", "steered", "--headless", "--networks", budget, NULL);
    expect_exit(terminal, 0);
    pty_free(terminal);
    session_state_free(session);
    session = load_session("steered");
    assert_true(session->node_count >= known + 3);
    for (int64_t i = known + 1; i <= session->node_count; i++)
        assert_int_equal(session_node(session, i)->facts.parent, child);
    session_state_free(session);
    text_done(&asked);
    text_done(&expected);
}

/* --- a search in another process, watched from two terminals --- */

static void test_attached(void **state)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *start =
        start_espalier(&setup, "run", "--detach", "--out", "far", SMALL_SEARCH, "--seconds", "60", NULL);
    expect_exit(start, 0);
    expect(start, pty_has_text(start, -1, "espalier attach far"));
    struct pty_terminal *here = start_espalier(&setup, "attach", "far", NULL),
                        *there = start_espalier(&setup, "attach", "far", NULL);
    expect_text(here, 0, "ATTACHED");
    expect_text(there, 0, "ATTACHED");
    pty_send(here, " ");
    expect_text(here, 0, "PAUSED");
    expect_text(there, 0, "PAUSED");
    pty_hang_up(here); /* the one who paused is gone: the other goes on */
    expect_exit(here, 128 + SIGHUP);
    pty_send(there, " ");
    expect_text(there, 0, "ATTACHED");
    pty_send(there, "q");
    expect_exit(there, 0);
    expect(there, pty_has_text(there, -1, "the search goes on") && !pty_is_alternate(there));

    struct session_state *session = load_session("far");
    assert_false(session->finished);
    session_state_free(session);
    struct pty_terminal *lines = start_espalier(&setup, "attach", "far", "--headless", NULL);
    expect_text(lines, -1, "%");
    struct pty_terminal *end = start_espalier(&setup, "attach", "far", "--send", "stop", NULL);
    expect_exit(end, 0);
    expect_exit(lines, 0); /* with the search */
    pty_free(start);
    pty_free(here);
    pty_free(there);
    pty_free(lines);
    pty_free(end);
}

/* Ticks of processor time of the process that had the session last. */
static long ticks_of(const char *name)
{
    struct log_reader *reader;
    struct event event;
    struct error error;
    char *path = session_path(name), line[512] = "";
    long process = 0, user = 0, system = 0;
    assert_int_equal(log_read(path, &reader, &error), 0);
    for (; log_next(reader, &event, &error) == LOG_EVENT; event_done(&event))
        if (event.kind == EVENT_OPENED)
            process = (long)event.as.opened.process;
    log_reader_free(reader);
    free(path);
    snprintf(line, sizeof line, "/proc/%ld/stat", process);
    FILE *file = fopen(line, "r");
    assert_true(file && fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(sscanf(strrchr(line, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system), 2);
    return user + system;
}

/* No dialog opens that promises what nobody does any more. */
static void test_after_the_end(void **state)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *terminal =
        start_espalier(&setup, "run", "--out", "over", SMALL_SEARCH, "--networks", "2", NULL);
    static const char *const keys[] = {"w", "d", "x", "p", "+"};
    expect_text(terminal, 0, "ENDED");
    long ticks = ticks_of("over");
    pty_watch(terminal, 0.3);
    assert_in_range(ticks_of("over") - ticks, 0, 3); /* nothing is left to do */
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        pty_send(terminal, "?"); /* hides the last answer */
        expect_no_text(terminal, -1, "the search has ended");
        pty_send(terminal, PTY_ESCAPE);
        pty_send(terminal, keys[i]);
        expect_text(terminal, -1, "the search has ended: `espalier resume over");
        expect_no_text(terminal, -1, "Widen n");
        expect_no_text(terminal, -1, "Deepen n");
    }
    pty_send(terminal, "q");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steer), cmocka_unit_test(test_attached),
                                       cmocka_unit_test(test_after_the_end)};
    return cmocka_run_group_tests_name("terminal steer", tests, open_bed, terminal_bed_close);
}
