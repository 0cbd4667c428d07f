/*
 * test_terminal_day.c - a person's day with one search: it begins, is steered, detached, watched from another terminal,
 * killed, resumed, forked and exported; and its log holds what the person did, in that order, and nothing else. Then a
 * session that a stranger gave.
 */
#include "config.h"

#include "terminal_bed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/log.h"
#include "util/file.h"

static int open_bed(void **state)
{
    terminal_bed_open(state);
    draw_pictures();
    return 0;
}

/* Everything in the log that is the person's, a line each; and the process that had the session last. */
static int64_t read_day(struct text *text)
{
    struct log_reader *reader;
    struct event event;
    struct error error;
    int64_t process = 0;
    char *path = session_path("day");
    assert_int_equal(log_read(path, &reader, &error), 0);
    for (; log_next(reader, &event, &error) == LOG_EVENT; event_done(&event)) {
        if (event.kind == EVENT_OPENED)
            process = event.as.opened.process;
        if (event_author(&event) != AUTHOR_USER)
            continue;
        text_add(text, "%s", event_kind_name(event.kind));
        if (event.kind == EVENT_COMMAND)
            text_add(text, " %s%s", event.as.command.words, event.as.command.refused ? " (refused)" : "");
        if (event.kind == EVENT_NODE)
            text_add(text, " of %d actions", event.as.node.actions.count);
        text_add(text, "\n");
    }
    log_reader_free(reader);
    free(path);
    return process;
}

/* Three actions for one child of the best network, which is taken back; then one action. */
static void grow(struct pty_terminal *terminal)
{
    pty_send(terminal, "bw");
    expect_text(terminal, -1, " Widen n");
    pty_send(terminal, PTY_UP PTY_RIGHT "11");
    expect_text(terminal, -1, "→ [ 11 ]");
    pty_send(terminal, "i");
    expect_text(terminal, -1, "after  ◂ conv2 ▸");
    expect_text(terminal, -1, "within");
    pty_send(terminal, PTY_ENTER);
    expect_no_text(terminal, -1, " Grow n");
    expect_text(terminal, -1, "next in the queue");
    pty_send(terminal, "u");
    expect_text(terminal, -1, "is taken back");
    pty_send(terminal, "w13"); /* a width that the policy doesn't choose */
    expect_text(terminal, -1, "→ [ 13 ]");
    pty_send(terminal, PTY_ENTER);
    expect_no_text(terminal, -1, " Widen n");
    expect_text(terminal, -1, "next in the queue");
}

/* In the morning: a search on a large terminal, steered while it is paused, and left to itself. */
static void begin(void)
{
    struct pty_setup setup = usual_setup();
    setup.width = 120;
    setup.height = 40;
    struct pty_terminal *terminal = start_search(&setup, "day");
    expect_text(terminal, 1, "★");
    pty_send(terminal, " ");
    expect_text(terminal, 0, "PAUSED");
    grow(terminal);
    pty_send(terminal, PTY_CONTROL('p'));
    expect_text(terminal, -1, "Palette");
    pty_send(terminal, "pause" PTY_ENTER);
    expect_text(terminal, 0, "LIVE");
    pty_send(terminal, PTY_CONTROL('p'));
    expect_text(terminal, -1, "Palette");
    pty_send(terminal, ":stop" PTY_ENTER); /* asks first, as the key does */
    expect_text(terminal, -1, "d detach");
    pty_send(terminal, "d");
    expect_text(terminal, -1, "espalier attach day");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

/* At noon, from a smaller terminal; then the search is killed. */
static void watch(void)
{
    struct pty_setup setup = usual_setup();
    struct text nothing = TEXT_EMPTY;
    struct pty_terminal *terminal = start_espalier(&setup, "attach", "day", NULL);
    expect_text(terminal, 0, "ATTACHED");
    pty_send(terminal, "U");
    expect_text(terminal, -1, "What persons did");
    expect_text(terminal, -1, "taken back");
    pty_send(terminal, PTY_ESCAPE);
    expect_no_text(terminal, -1, "What persons did");
    int64_t process = read_day(&nothing);
    text_done(&nothing);
    assert_int_equal(kill((pid_t)process, SIGKILL), 0);
    expect_text(terminal, 0, "DIED");
    pty_send(terminal, "q");
    expect(terminal, pty_wait_exit(terminal, &(int){0}));
    pty_free(terminal);
}

/* From the moment at 50 %, or with a network; the new search begins, and is stopped. */
static void fork_with(const char *key, const char *place, const char *name)
{
    struct pty_setup setup = usual_setup();
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "day", "--at", place, NULL);
    expect_text(terminal, 0, "REPLAY");
    expect_text(terminal, 1, "★");
    pty_send(terminal, "bF");
    expect_text(terminal, -1, "Fork from");
    pty_send(terminal, key);
    expect(terminal, pty_wait_text(terminal, 0, name));
    expect_text(terminal, 0, "LIVE");
    expect_text(terminal, 1, "★");
    pty_send(terminal, "q");
    expect_text(terminal, -1, "s stop");
    pty_send(terminal, "s");
    expect_exit(terminal, 0);
    pty_free(terminal);
}

/* In the evening: resumed to its end, forked from a moment in its middle and with its best network, and exported. */
static void end(int64_t networks)
{
    struct pty_setup setup = usual_setup();
    char budget[32];
    snprintf(budget, sizeof budget, "%lld", (long long)networks);
    struct pty_terminal *terminal = start_espalier(&setup, "resume", "day", "--headless", "--networks", budget, NULL);
    expect_exit(terminal, 0);
    pty_free(terminal);
    fork_with("m", "50%", "day-fork-1");
    fork_with("n", "100%", "day-fork-2");
    terminal = start_espalier(&setup, "export", "day:best", "--out", "best.onnx", NULL);
    expect_exit(terminal, 0);
    pty_free(terminal);
}

/* The same log, whose first event asks for a command. */
static void write_hostile(void)
{
    struct log_reader *reader;
    struct log_writer *writer;
    struct event event;
    struct error error = {{0}};
    char *from = session_path("day"), *to = session_path("given");
    assert_int_equal(log_read(from, &reader, &error), 0);
    assert_int_equal(log_create(to, &writer, &error), 0);
    for (; log_next(reader, &event, &error) == LOG_EVENT; event_done(&event)) {
        if (event.kind == EVENT_SESSION)
            event_texts_add(&event.as.session.options, "on-best=touch hurt");
        assert_int_equal(log_append(writer, &event, &error), 0);
    }
    log_close(writer);
    log_reader_free(reader);
    free(from);
    free(to);
}

/* A session that a stranger gave runs nothing when it is forked. */
static void test_stranger(void **state)
{
    struct pty_setup setup = usual_setup();
    (void)state;
    write_hostile();
    struct pty_terminal *terminal = start_espalier(&setup, "replay", "given", "--at", "100%", NULL);
    expect_text(terminal, 1, "★");
    pty_send(terminal, "bF");
    expect_text(terminal, -1, "Fork from");
    pty_send(terminal, "n");
    expect_text(terminal, -1, "there is no such option");
    expect_exit(terminal, 1);
    pty_free(terminal);
    char *hurt = file_join(terminal_bed_folder(), "hurt");
    assert_false(file_exists(hurt));
    free(hurt);
}

static void test_day(void **state)
{
    struct text did = TEXT_EMPTY, expected = TEXT_EMPTY;
    begin();
    watch();
    struct session_state *session = load_session("day");
    int64_t networks = session->status_count[NODE_DONE] + 2;
    session_state_free(session);
    end(networks);
    read_day(&did);
    session = load_session("day");
    text_add(&expected, "command pause\npaused\n");
    text_add(&expected, "command %s\nnode of 3 actions\n", session->steps[1]->words);
    text_add(&expected, "command undo\npruned\n");
    text_add(&expected, "command %s\nnode of 1 actions\n", session->steps[2]->words);
    text_add(&expected, "command continue\npaused\n");
    text_add(&expected, "command budget networks %lld\nbudget\n", (long long)networks);
    assert_string_equal(text_string(&did), text_string(&expected));
    assert_true(session->finished && session->status_count[NODE_DONE] >= networks);
    session_state_free(session);
    session = load_session(".local/state/espalier/day-fork-1");
    assert_int_equal(session->step_count >= 1 ? session->steps[0]->effect : EVENT_PAUSED, EVENT_PAUSED);
    int64_t seed = session->facts.seed;
    session_state_free(session);
    session = load_session(".local/state/espalier/day-fork-2");
    assert_int_equal(session->facts.seed, seed);
    assert_int_equal(session->budget_networks, 0); /* as the day began */
    assert_int_equal(session_node(session, 1)->epochs, 0);
    session_state_free(session);
    text_done(&did);
    text_done(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_day), cmocka_unit_test(test_stranger)};
    return cmocka_run_group_tests_name("terminal day", tests, open_bed, terminal_bed_close);
}
