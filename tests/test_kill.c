/*
 * test_kill.c - a search that is killed at any moment loses no result and trains nothing twice.
 *
 * A child process runs the search and is killed when its log has grown by a drawn number of bytes, and a drawn moment
 * later; then the log is read as any reader would, and the next child resumes.  Whatever the moment was, what follows
 * must hold.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine_bed.h"
#include "util/file.h"

enum { KILLS = 50, GROWTH_MAX = 6000 /* bytes */, DELAY_MAX = 3000 /* microseconds */, NODES_MAX = 100000 };

/* Exit status 0: the search ended by its budget. */
static void run_child(const char *path, bool fresh, const char *command)
{
    struct search_data data = scripted_data();
    struct search_options options = bed_options();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 2, .seconds = 0.001});
    struct engine *engine;
    struct error error, warning;
    strcpy(options.policy, "reinforce");
    options.networks = 0;
    options.epochs = 1;
    if (fresh ? engine_create(&options, path, &data, evaluator, &engine, &error)
              : engine_resume(path, &data, evaluator, &engine, &warning, &error)) {
        fprintf(stderr, "%s\n", error.text);
        _exit(3);
    }
    if (command)
        engine_command(engine, AUTHOR_USER, command);
    int status = engine_run(engine, &error);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    _exit(status ? 4 : 0);
}

static int64_t log_size(const char *path)
{
    char *log = file_join(path, "events.log");
    struct stat status;
    int64_t size = stat(log, &status) ? 0 : status.st_size;
    free(log);
    return size;
}

/* Wait status of a child that was killed when the log had grown by `bytes`, and `microseconds` later. */
static int run_and_kill(const char *path, bool fresh, int bytes, int microseconds)
{
    int64_t enough = log_size(path) + bytes;
    pid_t child = fork();
    int status;
    assert_true(child >= 0);
    if (!child)
        run_child(path, fresh, NULL);
    while (log_size(path) < enough) {
        assert_int_equal(waitpid(child, &status, WNOHANG), 0); /* it doesn't end by itself */
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000L}, NULL);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Run on to a budget. */
static int run_to_end(const char *path, int64_t networks)
{
    pid_t child = fork();
    int status;
    char command[64];
    snprintf(command, sizeof command, "budget networks %d", (int)networks);
    if (!child)
        run_child(path, false, command);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Results that earlier readings of the log had: the hash of each node's weights, or NULL. */
static char *seen[NODES_MAX];

static int64_t check_results(const struct session_state *session)
{
    int64_t count = 0;
    for (int64_t i = 0; i < session->node_count && i < NODES_MAX; i++) {
        const struct session_node *node = session->nodes[i];
        if (seen[i]) {
            assert_int_equal(node->status, NODE_DONE);
            assert_string_equal(node->weights_hash, seen[i]);
        } else if (node->status == NODE_DONE)
            seen[i] = strdup(node->weights_hash);
        count += seen[i] != NULL;
    }
    return count;
}

/* In the whole log, every network has one result at most. */
static void check_log(const char *path)
{
    struct log_reader *reader;
    struct event event;
    struct error error;
    static bool has_result[NODES_MAX];
    assert_int_equal(log_read(path, &reader, &error), 0);
    while (log_next(reader, &event, &error) == LOG_EVENT) {
        if (event.kind == EVENT_RESULT) {
            assert_true(event.as.result.node < NODES_MAX && !has_result[event.as.result.node]);
            has_result[event.as.result.node] = true;
        }
        event_done(&event);
    }
    log_reader_free(reader);
}

static void test_kill(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct random_stream stream = random_stream_new((uint64_t)getpid(), RANDOM_TEST, 0, 0);
    struct session_state *session;
    struct error error, warning;
    int64_t results = 0;
    bool fresh = true;
    for (int i = 0; i < KILLS; i++) {
        int status =
            run_and_kill(path, fresh, (int)random_below(&stream, GROWTH_MAX), (int)random_below(&stream, DELAY_MAX));
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        if (session_load(path, &session, &warning, &error)) {
            assert_int_equal(results, 0); /* killed before the session's first event */
            scratch_remove(path);
            continue;
        }
        fresh = false;
        results = check_results(session);
        session_state_free(session);
    }
    assert_true(results > 10);
    int status = run_to_end(path, results + 10);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(session_load(path, &session, &warning, &error), 0);
    assert_in_range(check_results(session), results + 10, results + 10 + 2); /* the queue may hold two more */
    check_log(path);
    bed_check(folder, "a", session);

    struct fsck_report report;
    struct text findings = TEXT_EMPTY;
    assert_int_equal(session_check(path, false, &report, &findings, &error), 0);
    assert_int_equal(report.frames_bad + report.weights_missing + report.weights_wrong, 0);
    text_done(&findings);
    session_state_free(session);
    for (int i = 0; i < NODES_MAX; i++)
        free(seen[i]);
    scratch_remove(folder);
    free(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
