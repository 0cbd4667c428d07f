/*
 * test_log_writer.c - what a writer needs: a session or a new folder, for itself alone, and room on the disk.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log_bed.h"
#include "sessions/frame.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

/* --- what is not a session ----------------------------------------------------------------------------------- */

static void test_what_is_not_a_session_says_so(void **unused)
{
    char *folder = folder_new(), *missing = file_join(folder, "nowhere");
    struct log_writer *writer;
    struct log_reader *reader;
    struct session_state *state;
    FAILS(log_read(missing, &reader, &error), "nowhere: not a session");
    FAILS(log_read(folder, &reader, &error), "not a session (it has no events.log)");
    FAILS(log_open(folder, &writer, &state, NULL, &error), "not a session");
    char *lock = file_join(folder, LOCK_FILE);
    assert_false(file_exists(lock)); /* the attempt left nothing behind */
    log_put(folder, "", 0);          /* killed between making the log and writing its header */
    FAILS(log_read(folder, &reader, &error), "has no events: the run or the copy that made it was ended too early; remove it");
    log_put(folder, "\x1f\x8b\x08", 3);
    FAILS(log_read(folder, &reader, &error), "is compressed; gunzip it first");
    log_put(folder, "ESPALOX\1", 8);
    FAILS(log_read(folder, &reader, &error), "not a session's log");
    log_put(folder, "ESPALOG\2", 8);
    FAILS(log_read(folder, &reader, &error), "use a newer espalier");
    log_put(folder, "ESPALOG\1", 8);
    FAILS(session_load(folder, &state, NULL, &error), "has no events");
    FAILS(log_open(folder, &writer, &state, NULL, &error), "has no events");
    free(lock);
    free(missing);
    folder_remove(folder);
    free(folder);
}

static void test_create_wants_a_new_or_empty_folder(void **unused)
{
    char *folder = folder_new(), *deep = file_join(folder, "a/b/new.esp");
    struct log_writer *writer, *second;
    OK(log_create(deep, &writer, &error));
    FAILS(log_create(deep, &second, &error), "writes this session");
    static const char *const made[] = {"events.log", "weights", "policy", "lock"};
    for (size_t i = 0; i < COUNT_OF(made); i++) {
        char *path = file_join(deep, made[i]);
        assert_true(file_exists(path));
        free(path);
    }
    struct event event = {.kind = EVENT_SESSION, .as.session.format = 1};
    OK(log_append(writer, &event, &error));
    log_close(writer);
    FAILS(log_create(deep, &second, &error), "not empty");
    free(deep);
    folder_remove(folder);
    free(folder);
}

/* --- one writer ---------------------------------------------------------------------------------------------- */

static void test_a_second_writer_is_told_who_has_it(void **unused)
{
    char *folder = folder_new(), owner[64];
    struct log_writer *writer = begin_session(folder), *second;
    struct session_state *state;
    snprintf(owner, sizeof owner, "process %ld on ", (long)getpid());
    FAILS(log_open(folder, &second, &state, NULL, &error), owner);
    pid_t child = fork();
    if (!child) { /* another process: the lock is not this process's alone */
        struct error error = {{0}};
        int result = log_open(folder, &second, &state, NULL, &error);
        _exit(result == -1 && strstr(error.text, owner) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
    log_close(writer);
    OK(log_open(folder, &second, &state, NULL, &error));
    session_state_free(state);
    log_close(second);
    folder_remove(folder);
    free(folder);
}

static void test_a_killed_writer_leaves_no_lock(void **unused)
{
    char *folder = folder_new();
    log_close(begin_session(folder));
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (!child) {
        struct log_writer *writer;
        struct session_state *state;
        if (log_open(folder, &writer, &state, NULL, NULL) || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct log_writer *writer;
    struct session_state *state;
    char owner[64];
    snprintf(owner, sizeof owner, "process %ld on ", (long)child);
    FAILS(log_open(folder, &writer, &state, NULL, &error), owner);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    OK(log_open(folder, &writer, &state, NULL, &error));
    session_state_free(state);
    log_close(writer);
    folder_remove(folder);
    free(folder);
}

/* --- a full disk --------------------------------------------------------------------------------------------- */

/* In a child process: append until nothing more fits, check that the log is as it was; make room with `more` and
   append the same event.  What is wrong goes to stderr and the exit status. */
static int fill_up(const char *folder, void (*more)(const char *folder))
{
    struct log_writer *writer = begin_session(folder);
    struct error error;
    int64_t number = 0;
    size_t size = 0;
    struct event event = {.kind = EVENT_COMMAND, .time = 1};
    event.as.command.words = memory_new(3001, 1);
    memset(event.as.command.words, 'x', 3000);
    int result;
    do {
        number = event.number;
        size = log_size(folder);
        result = log_append(writer, &event, &error);
    } while (!result && event.number < 10000);
    if (!result || !strstr(error.text, "free some space") || event.number != number || log_size(folder) != size)
        return 1;
    struct session_state *state;
    struct error warning;
    if (session_load(folder, &state, &warning, &error) || warning.text[0] || state->command_count != number - 2)
        return 2;
    session_state_free(state);
    more(folder);
    struct event finished = {.kind = EVENT_FINISHED, .time = 2};
    if (log_append(writer, &event, &error) || event.number != number + 1 || log_append(writer, &finished, &error))
        return 3;
    if (session_load(folder, &state, &warning, &error) || !state->finished || state->command_count != number - 1)
        return 4;
    session_state_free(state);
    log_close(writer);
    free(event.as.command.words);
    return 0;
}

static void raise_limit(const char *folder)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static int fill_to_limit(const char *folder)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 20000;
    setrlimit(RLIMIT_FSIZE, &limit);
    return fill_up(folder, raise_limit);
}

static void remove_ballast(const char *session)
{
    char *path = file_join(session, "../ballast");
    ASSERT(!unlink(path));
    free(path);
}

enum { SKIPPED = 77 };

/* A file system of 64 KiB of its own, in a mount namespace of its own that goes with the process. */
static int fill_small_disk(const char *folder)
{
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", folder, "tmpfs", 0, "size=64k"))
        return SKIPPED;
    char *session = file_join(folder, "small.esp"), *ballast = file_join(folder, "ballast"), zeros[16384] = {0};
    ASSERT(!file_write(ballast, zeros, sizeof zeros, NULL));
    int result = fill_up(session, remove_ballast);
    free(ballast);
    free(session);
    return result;
}

static int in_child(int (*run)(const char *folder), const char *folder)
{
    pid_t child = fork();
    if (!child)
        _exit(run(folder));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_a_limit_on_files_leaves_the_log_as_it_was(void **unused)
{
    char *folder = folder_new();
    assert_int_equal(in_child(fill_to_limit, folder), 0);
    folder_remove(folder);
    free(folder);
}

static void test_a_full_disk_leaves_the_log_as_it_was(void **unused)
{
    char *folder = folder_new();
    int result = in_child(fill_small_disk, folder);
    folder_remove(folder);
    free(folder);
    if (result == SKIPPED) {
        print_message("# mounting a small file system needs root: skipped\n");
        skip();
    }
    assert_int_equal(result, 0);
}

static void test_an_event_too_long_is_refused(void **unused)
{
    char *folder = folder_new();
    struct log_writer *writer = begin_session(folder);
    size_t size = log_size(folder);
    struct event event = {.kind = EVENT_COMMAND, .number = 99};
    event.as.command.words = memory_new(FRAME_PAYLOAD_MAX + 1, 1);
    memset(event.as.command.words, 'x', FRAME_PAYLOAD_MAX);
    FAILS(log_append(writer, &event, &error), "too long");
    assert_int_equal(event.number, 99);
    assert_int_equal(log_size(folder), size);
    event.as.command.words[FRAME_PAYLOAD_MAX - 200] = 0;
    OK(log_append(writer, &event, &error));
    log_close(writer);
    struct session_state *state;
    OK(session_load(folder, &state, NULL, &error));
    assert_int_equal(state->command_count, 1);
    session_state_free(state);
    event_done(&event);
    folder_remove(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_a_session_says_so),
        cmocka_unit_test(test_create_wants_a_new_or_empty_folder),
        cmocka_unit_test(test_a_second_writer_is_told_who_has_it),
        cmocka_unit_test(test_a_killed_writer_leaves_no_lock),
        cmocka_unit_test(test_a_limit_on_files_leaves_the_log_as_it_was),
        cmocka_unit_test(test_a_full_disk_leaves_the_log_as_it_was),
        cmocka_unit_test(test_an_event_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
