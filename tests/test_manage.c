/*
 * test_manage.c - what a list of sessions shows of one, and how sessions are renamed and removed: what goes, what
 * stays, and that nothing outside of the folder is touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_bed.h"
#include "sessions/manage.h"
#include "sessions/named_file.h"
#include "sessions/session_file.h"
#include "sessions/summary.h"
#include "util/file.h"

static char *folder, *state_folder;

static int open_folder(void **state)
{
    folder = folder_new();
    state_folder = file_join(folder, "state/espalier");
    char *parent = file_join(folder, "state");
    struct error error;
    setenv("XDG_STATE_HOME", parent, 1);
    free(parent);
    return file_make_folder(state_folder, &error);
}

static int close_folder(void **state)
{
    folder_remove(folder);
    free(folder);
    free(state_folder);
    return 0;
}

static void put_file(const char *path)
{
    struct error error;
    if (file_write(path, "weights", 7, &error))
        fail_msg("%s", error.text);
}

/* A session that ended, with every file that its events name. */
static char *make_session(const char *name)
{
    struct session_recipe recipe = session_recipe_default(3);
    struct event_list list = {0};
    struct session_state *state;
    struct named_file file;
    struct error warning;
    size_t *offsets;
    char *path = file_join(folder, name);
    recipe.finished = true;
    session_generate(&recipe, event_list_add, &list);
    unsigned char *bytes = log_bytes(&list, &offsets);
    OK(file_make_folder(path, &error));
    log_put(path, bytes, offsets[list.count]);
    event_list_done(&list);
    free(offsets);
    free(bytes);
    OK(session_load(path, &state, &warning, &error));
    for (int64_t i = 0; i < named_file_count(state); i++)
        if (named_file_at(state, i, &file)) {
            char *place = file_join(path, file.place), *named = named_file_path(path, &file);
            OK(file_make_folder(place, &error));
            put_file(named);
            free(named);
            free(place);
        }
    session_state_free(state);
    return path;
}

static void make_checkpoints(const char *path)
{
    char *place = file_join(path, "checkpoints");
    OK(file_make_folder(place, &error));
    free(place);
}

static bool is_there(const char *parent, const char *name)
{
    struct stat status;
    char *path = file_join(parent, name);
    bool found = !lstat(path, &status);
    free(path);
    return found;
}

static void a_session_is_renamed_with_its_link(void **state)
{
    char *path = make_session("one.esp"), *other = make_session("other.esp"), *renamed = NULL, *found;
    session_remember(path);
    OK(session_rename(path, "two", &renamed, &error));
    assert_false(is_there(folder, "one.esp"));
    assert_false(is_there(state_folder, "one.esp"));
    OK(session_find("two", &found, &error));
    assert_string_equal(found, renamed);
    free(found);
    free(path);
    path = renamed;
    static const char *const bad[] = {"", "a/b", ".hidden", "..", "new\nline"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error;
        assert_int_equal(session_rename(path, bad[i], &renamed, &error), -1);
    }
    FAILS(session_rename(path, "other", &renamed, &error), "other.esp: already exists");
    OK(session_find("two", &found, &error)); /* the link is there again */
    free(found);
    struct log_writer *writer;
    struct session_state *session;
    OK(log_open(path, &writer, &session, NULL, &error));
    FAILS(session_rename(path, "three", &renamed, &error), "writes this session");
    log_close(writer);
    session_state_free(session);
    assert_true(is_there(folder, "two.esp"));
    folder_remove(path);
    folder_remove(other);
    free(path);
    free(other);
}

static void a_session_is_removed_with_all_that_it_has(void **state)
{
    char *path = make_session("one.esp");
    bool others;
    struct log_writer *writer;
    struct session_state *session;
    session_remember(path);
    OK(log_open(path, &writer, &session, NULL, &error));
    FAILS(session_remove(path, &others, &error), "writes this session");
    log_close(writer);
    session_state_free(session);
    static const char *const names[] = {"events.log.damaged2", "output.log", "hooks.log", "checkpoints/n3.safetensors"};
    make_checkpoints(path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *file = file_join(path, names[i]);
        put_file(file);
        free(file);
    }
    OK(session_remove(path, &others, &error));
    assert_false(others);
    assert_false(is_there(folder, "one.esp"));
    assert_false(is_there(state_folder, "one.esp"));
    free(path);
}

static void what_is_not_the_sessions_stays(void **state)
{
    char *path = make_session("one.esp"), *mine = file_join(path, "notes.txt"), *outside = file_join(folder, "outside");
    char *link = file_join(path, "weights/link"), *victim = file_join(outside, "precious");
    bool others;
    OK(file_make_folder(outside, &error));
    put_file(mine);
    put_file(victim);
    assert_int_equal(symlink(victim, link), 0);
    OK(session_remove(path, &others, &error));
    assert_true(others);
    assert_true(is_there(path, "notes.txt"));
    assert_false(is_there(path, "events.log"));
    assert_false(is_there(path, "weights"));
    assert_true(is_there(outside, "precious"));
    folder_remove(path);
    free(path);
    /* A place that is a link to another folder: nothing is removed at all. */
    path = make_session("two.esp");
    char *policy = file_join(path, "policy"), *aside = file_join(folder, "aside");
    assert_int_equal(rename(policy, aside), 0);
    assert_int_equal(symlink(outside, policy), 0);
    FAILS(session_remove(path, &others, &error), "policy");
    assert_true(is_there(path, "events.log"));
    assert_true(is_there(path, "weights"));
    assert_true(is_there(outside, "precious"));
    struct weights_report report;
    FAILS(session_remove_weights(path, false, &report, &error), "policy");
    folder_remove(path);
    char *all[] = {path, mine, outside, link, victim, policy, aside};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void the_best_weights_stay(void **state)
{
    char *path = make_session("one.esp");
    struct weights_report dry, real, again;
    struct session_state *session;
    struct named_file file;
    struct error warning;
    struct log_writer *writer;
    size_t size = log_size(path);
    char *checkpoint = file_join(path, "checkpoints/n3.safetensors");
    OK(session_remove_weights(path, true, &again, &error));
    make_checkpoints(path);
    put_file(checkpoint);
    OK(session_remove_weights(path, true, &dry, &error));
    assert_int_equal(dry.removed, again.removed + 1);
    assert_true(is_there(path, "checkpoints/n3.safetensors"));
    OK(log_open(path, &writer, &session, NULL, &error));
    FAILS(session_remove_weights(path, false, &real, &error), "writes this session");
    log_close(writer);
    session_state_free(session);
    OK(session_remove_weights(path, false, &real, &error));
    assert_true(real.removed > 3 && real.kept >= 2 && real.bytes > 0);
    assert_int_equal(dry.removed, real.removed);
    assert_int_equal(dry.kept, real.kept);
    OK(session_remove_weights(path, false, &again, &error));
    assert_int_equal(again.removed, 0);
    assert_false(is_there(path, "checkpoints/n3.safetensors"));
    assert_int_equal(again.kept, real.kept);
    assert_int_equal(log_size(path), size);
    OK(session_load(path, &session, &warning, &error));
    for (int64_t i = 0; i < named_file_count(session); i++)
        if (named_file_at(session, i, &file)) {
            char *named = named_file_path(path, &file);
            bool wanted = file.node ? file.node == 1 || file.node == session->best : file.last;
            assert_int_equal(file_exists(named) != 0, wanted);
            free(named);
        }
    session_state_free(session);
    folder_remove(path);
    free(checkpoint);
    free(path);
}

static bool never(void)
{
    return false;
}

/* The policy's state of an earlier moment goes with the weights: a copy that ends there says so and leaves nothing. */
static void an_earlier_moment_needs_its_policy(void **state)
{
    char *path = make_session("one.esp"), *copy = file_join(folder, "half.esp");
    struct weights_report report;
    struct copy_report copied;
    struct session_state *session;
    struct error warning;
    OK(session_load(path, &session, &warning, &error));
    assert_true(session->policy_count > 2);
    OK(session_remove_weights(path, false, &report, &error));
    FAILS(session_copy(path, copy, COPY_ALL, false, session->last_number / 2, never, &copied, &error),
          "the policy's state of that moment is gone");
    assert_false(is_there(folder, "half.esp"));
    OK(session_copy(path, copy, COPY_NO_FILES, false, session->last_number / 2, never, &copied, &error));
    session_state_free(session);
    folder_remove(path);
    folder_remove(copy);
    free(path);
    free(copy);
}

/* What a kill has left of a file that was being written. */
static void places_are_swept(void **state)
{
    static const char *const places[] = {"weights", "policy", "checkpoints"};
    char *path = make_session("one.esp");
    make_checkpoints(path);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *place = file_join(path, places[i]), *left = file_join(place, "n3.safetensors.espalier-0123456789abcdef");
        put_file(left);
        free(left);
        free(place);
    }
    assert_int_equal(session_files_sweep(path), 3);
    folder_remove(path);
    free(path);
}

/* As the process that runs the session. */
static int hold(const char *lock)
{
    int holder = open(lock, O_RDONLY | O_CLOEXEC);
    assert_true(holder >= 0);
    assert_int_equal(flock(holder, LOCK_EX | LOCK_NB), 0);
    return holder;
}

/* A pid of this program that is not its writer any more. */
static void a_reused_pid_runs_no_session(void **state)
{
    char *path = make_session("reused.esp"), *lock = file_join(path, "lock"), text[300], host[256] = "", comm[16] = "";
    struct session_summary summary;
    (void)state;
    gethostname(host, sizeof host - 1);
    prctl(PR_GET_NAME, comm);
    prctl(PR_SET_NAME, "espalier");
    int length = snprintf(text, sizeof text, "%d %s\n", (int)getpid(), host);
    OK(file_write(lock, text, (size_t)length, &error));
    session_summary_read(&summary, path);
    assert_int_equal(summary.status, SUMMARY_FINISHED);
    int holder = hold(lock);
    assert_true(session_summary_is_old(&summary));
    prctl(PR_SET_NAME, comm);
    close(holder);
    session_summary_done(&summary);
    free(lock);
}

static void a_summary_says_what_the_log_and_the_lock_say(void **state)
{
    char *path = make_session("one.esp"), *lock = file_join(path, "lock"), text[300], host[256] = "";
    struct session_summary summary;
    session_summary_read(&summary, path);
    assert_string_equal(summary.name, "one");
    assert_int_equal(summary.status, SUMMARY_FINISHED);
    assert_true(summary.readable && summary.best && summary.networks > 3 && summary.curve_count == SUMMARY_CURVE);
    assert_true(summary.bytes > 0 && summary.written > 0 && !summary.process);
    assert_false(session_summary_is_old(&summary));
    gethostname(host, sizeof host - 1);
    /* A process of this machine that is none of this program's; one of another machine. */
    int length = snprintf(text, sizeof text, "%d %s\n", 1, host);
    OK(file_write(lock, text, (size_t)length, &error));
    int holder = hold(lock);
    assert_false(session_summary_is_old(&summary));
    close(holder);
    length = snprintf(text, sizeof text, "1234 other-machine\n");
    OK(file_write(lock, text, (size_t)length, &error));
    assert_false(session_summary_is_old(&summary)); /* it was killed: the text stands, the lock is free */
    holder = hold(lock);
    assert_true(session_summary_is_old(&summary));
    path = strdup(path);
    session_summary_done(&summary);
    session_summary_read(&summary, strdup(path));
    assert_int_equal(summary.status, SUMMARY_RUNNING);
    assert_false(summary.here);
    close(holder);
    assert_true(session_summary_is_old(&summary));
    session_summary_done(&summary);
    log_put(path, "no log", 6);
    session_summary_read(&summary, path);
    assert_int_equal(summary.status, SUMMARY_DAMAGED);
    assert_false(summary.readable);
    assert_non_null(strstr(summary.error.text, "one.esp"));
    session_summary_done(&summary);
    free(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_renamed_with_its_link),
        cmocka_unit_test(a_session_is_removed_with_all_that_it_has),
        cmocka_unit_test(what_is_not_the_sessions_stays),
        cmocka_unit_test(the_best_weights_stay),
        cmocka_unit_test(an_earlier_moment_needs_its_policy),
        cmocka_unit_test(places_are_swept),
        cmocka_unit_test(a_reused_pid_runs_no_session),
        cmocka_unit_test(a_summary_says_what_the_log_and_the_lock_say),
    };
    return cmocka_run_group_tests_name("manage", tests, open_folder, close_folder);
}
