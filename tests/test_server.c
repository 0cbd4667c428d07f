/*
 * test_server.c - clients on other threads watch and steer searches through the socket, as other processes would.
 *
 * The engine runs on a thread of its own with the scripted evaluator; clients know only the session's folder.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine_bed.h"
#include "search/client.h"
#include "search/server.h"
#include "util/file.h"

enum { PATIENCE = 20000 /* milliseconds before a wait counts as a failure */, WATCHERS = 4, ASKERS = 8 };

struct search {
    char *folder, *path;
    struct evaluator *evaluator;
    struct engine *engine;
    struct server *server;
    pthread_t thread;
    int failed;
};

static void *run_engine(void *context)
{
    struct search *search = context;
    struct error error;
    search->failed = engine_run(search->engine, &error);
    return NULL;
}

/* A search with a budget of `networks` (0: it runs until it is stopped) and its server; not started yet. */
static void search_open(struct search *search, int64_t networks)
{
    struct error error;
    struct search_data data = scripted_data();
    struct search_options options = bed_options();
    options.networks = networks;
    *search = (struct search){.folder = scratch_new()};
    search->path = bed_path(search->folder, "a");
    search->evaluator = scripted_evaluator_new(&(struct script){.slots = 2, .seconds = 0.002});
    assert_int_equal(engine_create(&options, search->path, &data, search->evaluator, &search->engine, &error), 0);
    assert_int_equal(server_open(search->engine, search->path, &search->server, &error), 0);
}

static void search_start(struct search *search)
{
    assert_int_equal(pthread_create(&search->thread, NULL, run_engine, search), 0);
}

/* Wait until it has ended. */
static void search_join(struct search *search)
{
    pthread_join(search->thread, NULL);
    assert_int_equal(search->failed, 0);
    server_close(search->server);
    search->server = NULL;
}

static void search_done(struct search *search)
{
    engine_free(search->engine);
    search->evaluator->kind->free(search->evaluator);
    scratch_remove(search->folder);
    free(search->folder);
    free(search->path);
}

static void search_stop(struct search *search)
{
    engine_stop(search->engine);
    search_join(search);
}

static struct client *connect_to(const struct search *search)
{
    struct client *client = NULL;
    struct error error = {{0}};
    if (client_open(search->path, &client, &error))
        fail_msg("can't connect: %s", error.text);
    return client;
}

static char *socket_of(const struct search *search)
{
    return file_join(search->path, SERVER_SOCKET);
}

/* --- watching --- */

struct watcher {
    pthread_t thread;
    struct client *client;
    struct session_state *state;
    int64_t durable; /* events seen */
    bool in_order, finished_early;
};

/* Fold all events until the search's end. */
static void *watch(void *context)
{
    struct watcher *watcher = context;
    struct event event;
    struct error error;
    watcher->state = session_state_new();
    watcher->in_order = true;
    for (;;) {
        while (client_next(watcher->client, &event)) {
            watcher->durable += event_is_durable(event.kind);
            watcher->in_order =
                watcher->in_order && event.number == watcher->durable && !session_apply(watcher->state, &event, &error);
            event_done(&event);
        }
        if (client_ended(watcher->client, &error))
            return NULL;
        struct pollfd wait = {.fd = client_descriptor(watcher->client), .events = POLLIN};
        if (poll(&wait, 1, PATIENCE) <= 0)
            return NULL; /* it has not ended; the digest will differ */
    }
}

/* Clients that connect before the first event or in the middle see every durable event once and end with the engine's
   state. */
static void test_watch(void **state)
{
    struct search search;
    struct watcher watchers[WATCHERS] = {{0}};
    search_open(&search, 60);
    for (int i = 0; i < WATCHERS; i++) {
        if (i == WATCHERS / 2)
            search_start(&search);
        watchers[i].client = connect_to(&search);
        assert_int_equal(pthread_create(&watchers[i].thread, NULL, watch, &watchers[i]), 0);
    }
    for (int i = 0; i < WATCHERS; i++)
        pthread_join(watchers[i].thread, NULL); /* they see that the search ends, though its process lives on */
    search_join(&search);
    for (int i = 0; i < WATCHERS; i++) {
        assert_true(watchers[i].in_order && watchers[i].state->finished);
        assert_int_equal(watchers[i].durable, engine_state(search.engine)->event_count);
        assert_true(hash_equal(session_digest(watchers[i].state), session_digest(engine_state(search.engine))));
        assert_int_equal(client_descriptor(watchers[i].client), -1);
        session_state_free(watchers[i].state);
        client_free(watchers[i].client);
    }
    search_done(&search);
}

/* --- steering --- */

struct asker {
    pthread_t thread;
    const struct search *search;
    const char *words;
    int64_t number; /* of the answer; 0: there was none */
    bool refused;
};

static void *ask(void *context)
{
    struct asker *asker = context;
    struct client *client;
    struct event event;
    struct error error;
    if (client_open(asker->search->path, &client, &error))
        return NULL;
    if (!client_ask(client, asker->words, &event, &error)) {
        asker->number = event.number;
        asker->refused = event.as.command.refused;
        if (strcmp(event.as.command.words, asker->words) || event.as.command.by.value != AUTHOR_USER)
            asker->number = 0;
        event_done(&event);
    }
    client_free(client);
    return NULL;
}

static bool accepted(const struct search *search, const char *words)
{
    struct asker asker = {.search = search, .words = words};
    ask(&asker);
    assert_true(asker.number > 0);
    return !asker.refused;
}

static void test_commands(void **state)
{
    struct search search;
    search_open(&search, 0);
    search_start(&search);
    assert_true(accepted(&search, "pause"));
    assert_false(accepted(&search, "pause"));
    assert_true(accepted(&search, "continue"));
    assert_true(accepted(&search, "note 1 a note of several words"));
    assert_false(accepted(&search, "dance"));
    assert_false(accepted(&search, ""));
    assert_true(accepted(&search, "stop"));
    search_join(&search);
    assert_string_equal(session_node(engine_state(search.engine), 1)->note, "a note of several words");
    assert_int_equal(engine_state(search.engine)->finish_reason.value, FINISH_INTERRUPTED);
    search_done(&search);
}

/* When several clients ask the same at once, each gets its own answer: one is accepted, all others are refused. */
static void test_same_words_at_once(void **state)
{
    struct search search;
    struct asker askers[ASKERS];
    search_open(&search, 0);
    search_start(&search);
    for (int round = 0; round < 20; round++) {
        int yes = 0;
        for (int i = 0; i < ASKERS; i++) {
            askers[i] = (struct asker){.search = &search, .words = round % 2 ? "continue" : "pause"};
            assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
        }
        for (int i = 0; i < ASKERS; i++) {
            pthread_join(askers[i].thread, NULL);
            assert_true(askers[i].number > 0);
            yes += !askers[i].refused;
            for (int j = 0; j < i; j++)
                assert_int_not_equal(askers[i].number, askers[j].number);
        }
        assert_int_equal(yes, 1);
    }
    search_stop(&search);
    search_done(&search);
}

static void send_text(int socket, const char *text)
{
    assert_int_equal(send(socket, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The next line that is not empty, or false at the end. */
static bool read_line(int socket, char *line, size_t size)
{
    size_t used = 0;
    for (;;) {
        struct pollfd wait = {.fd = socket, .events = POLLIN};
        char byte;
        assert_int_equal(poll(&wait, 1, PATIENCE), 1);
        if (recv(socket, &byte, 1, 0) != 1)
            return false;
        if (byte == '\n' && used) {
            line[used] = '\0';
            return true;
        }
        assert_true(used + 1 < size);
        if (byte != '\n')
            line[used++] = byte;
    }
}

static int connect_raw(const struct search *search)
{
    char line[64];
    struct error error;
    int file = server_connect(search->path, &error);
    assert_true(file >= 0);
    assert_true(read_line(file, line, sizeof line));
    assert_string_equal(line, SERVER_GREETING);
    return file;
}

/* Many lines in one write are answered in order. */
static void test_many_lines(void **state)
{
    struct search search;
    char line[64];
    int64_t before = 0;
    search_open(&search, 0);
    int file = connect_raw(&search);
    for (int i = 0; i < 100; i++)
        send_text(file, i % 2 ? "note 1 x\n" : "note 1 \x1b[2J\n"); /* it is logged as visible text */
    search_start(&search);
    for (int i = 0; i < 100; i++) {
        assert_true(read_line(file, line, sizeof line));
        assert_true(strtoll(line, NULL, 10) > before);
        before = strtoll(line, NULL, 10);
    }
    close(file);
    search_stop(&search);
    assert_int_equal(engine_state(search.engine)->command_count, 100);
    search_done(&search);
}

/* The answer to a client that has left is not sent to the next one that asks the same. */
static void test_asks_and_leaves(void **state)
{
    struct search search;
    char line[64];
    search_open(&search, 0);
    int gone = connect_raw(&search);
    send_text(gone, "pause\n");
    close(gone);
    /* The entry of a client that left is free again when its answer has come; other clients are accepted meanwhile. */
    int second = connect_raw(&search);
    send_text(second, "pause\n");
    search_start(&search);
    assert_true(read_line(second, line, sizeof line));
    search_stop(&search);
    struct log_reader *reader;
    struct event event;
    struct error error;
    bool refused = false;
    assert_int_equal(log_read(search.path, &reader, &error), 0);
    while (log_next(reader, &event, &error) == LOG_EVENT) {
        if (event.kind == EVENT_COMMAND && event.number == strtoll(line, NULL, 10))
            refused = event.as.command.refused;
        event_done(&event);
    }
    log_reader_free(reader);
    assert_true(refused); /* the first client has paused the search already */
    close(second);
    search_done(&search);
}

/* A client that sends commands and never reads an answer is not read any more once its buffer is full; that blocks
   nobody else. */
static void test_client_that_does_not_read(void **state)
{
    enum { LINES = 1500 };
    struct search search;
    struct text lines = TEXT_EMPTY;
    int waiting = 0, before = -1, asked = 0;
    search_open(&search, 0);
    int stuck = connect_raw(&search);
    for (int i = 0; i < LINES; i++)
        text_add(&lines, "x\n");
    send_text(stuck, text_string(&lines));
    text_done(&lines);
    search_start(&search);
    /* The next answer is sent within a few rounds of the engine, or the buffer is full. */
    for (int same = 0; same < 30; asked++) {
        assert_true(accepted(&search, "note 1 y"));
        assert_int_equal(ioctl(stuck, FIONREAD, &waiting), 0);
        same = waiting == before ? same + 1 : 0;
        before = waiting;
    }
    search_stop(&search);
    assert_true(engine_state(search.engine)->command_count - asked < LINES);
    close(stuck);
    search_done(&search);
}

static void test_ends_before_it_answers(void **state)
{
    struct search search;
    struct event event;
    struct error error;
    search_open(&search, 0);
    struct client *client = connect_to(&search);
    assert_false(client_next(client, &event)); /* there is none yet, and the search has not ended */
    assert_false(client_ended(client, &error));
    search_start(&search);
    search_stop(&search);
    assert_int_equal(client_ask(client, "pause", &event, &error), -1);
    assert_non_null(strstr(error.text, "ended"));
    client_free(client);
    search_done(&search);
}

/* --- who may connect --- */

static void test_refusals(void **state)
{
    struct search search;
    struct error error;
    char line[128];
    int files[SERVER_CLIENTS_MAX];
    search_open(&search, 0);
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        files[i] = connect_raw(&search);
    int late = server_connect(search.path, &error);
    assert_true(read_line(late, line, sizeof line));
    assert_string_equal(line, SERVER_REFUSED "too many are attached already");
    assert_false(read_line(late, line, sizeof line));
    close(late);

    char *text = memset(malloc(SERVER_LINE_MAX + 1), 'x', SERVER_LINE_MAX);
    text[SERVER_LINE_MAX] = '\0';
    send_text(files[0], text);
    free(text);
    assert_true(read_line(files[0], line, sizeof line));
    assert_string_equal(line, SERVER_REFUSED "a line is too long");
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        close(files[i]);

    struct client *client = connect_to(&search); /* when an entry is free again */
    assert_int_equal(client_send(client, "pause\npause", &error), -1);
    client_free(client);
    search_start(&search);
    search_stop(&search);
    search_done(&search);
}

/* Another user is refused even if the socket's mode allows the connection. */
static void test_other_user(void **state)
{
    struct search search;
    int status;
    if (geteuid() != 0)
        skip();
    search_open(&search, 0);
    char *path = socket_of(&search);
    assert_int_equal(chmod(search.folder, 0755), 0);
    assert_int_equal(chmod(path, 0666), 0);
    free(path);
    pid_t child = fork();
    if (!child) {
        struct client *client;
        struct error error;
        if (setgid(65534) || setuid(65534))
            _exit(3);
        if (client_open(search.path, &client, &error) != -1)
            _exit(4);
        _exit(strstr(error.text, "belongs to another user") ? 0 : 5);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    search_start(&search);
    search_stop(&search);
    search_done(&search);
}

/* --- the socket's file --- */

static void test_socket_file(void **state)
{
    struct search search;
    struct stat status;
    struct client *client;
    struct error error;
    search_open(&search, 0);
    char *path = socket_of(&search);
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0600);
    char *stale = file_join(search.folder, "stale");
    assert_int_equal(link(path, stale), 0);
    search_start(&search);
    search_stop(&search);
    assert_int_equal(stat(path, &status), -1);
    assert_int_equal(client_open(search.path, &client, &error), CLIENT_NO_SERVER);
    /* A killed process leaves a socket at which nobody listens. */
    assert_int_equal(rename(stale, path), 0);
    assert_int_equal(client_open(search.path, &client, &error), CLIENT_NO_SERVER);
    assert_int_equal(server_open(search.engine, search.path, &search.server, &error), 0);
    client = connect_to(&search);
    client_free(client);
    server_close(search.server);
    /* A file that must not be removed. */
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(server_open(search.engine, search.path, &search.server, &error), -1);
    assert_non_null(strstr(error.text, "nobody can attach"));
    assert_int_equal(client_open(search.folder, &client, &error), -1); /* not a session */
    free(stale);
    free(path);
    search_done(&search);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_same_words_at_once),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_asks_and_leaves),
        cmocka_unit_test(test_client_that_does_not_read),
        cmocka_unit_test(test_ends_before_it_answers),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_other_user),
        cmocka_unit_test(test_socket_file),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
