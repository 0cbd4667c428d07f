/*
 * test_find.c - which folder a session's name means, and what a new one is called.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "log_bed.h"
#include "sessions/log.h"
#include "util/file.h"

static void put_session(const char *folder, const char *name)
{
    char *path = file_join(folder, name);
    log_close(begin_session(path));
    free(path);
}

static void finds_session(const char *name, const char *folder, const char *expected)
{
    struct error error;
    char *found, *path = file_join(folder, expected);
    if (session_find(name, &found, &error))
        fail_msg("%s", error.text);
    assert_string_equal(found, path);
    free(found);
    free(path);
}

static void test_sessions_are_found_by_name(void **unused)
{
    char *folder = folder_new(), *state = file_join(folder, "espalier"), *gallery = file_join(folder, "gallery");
    char *found, *path = file_join(folder, "here");
    struct error error;
    setenv("XDG_STATE_HOME", folder, 1);
    setenv("ESPALIER_GALLERY", gallery, 1);
    put_session(folder, "here.esp");
    put_session(state, "mine-1.esp");
    put_session(state, "mine-3.esp");
    put_session(state, "both.esp");
    put_session(gallery, "both.esp");
    put_session(gallery, "shown.esp");
    finds_session(path, folder, "here.esp");
    finds_session("mine-1", state, "mine-1.esp");
    finds_session("mine-1.esp", state, "mine-1.esp");
    finds_session("both", state, "both.esp");
    finds_session("shown", gallery, "shown.esp");
    assert_int_equal(session_find("gone", &found, &error), -1);
    assert_non_null(strstr(error.text, "gone: there is no such session here, in "));
    assert_int_equal(session_find(folder, &found, &error), -1);
    assert_non_null(strstr(error.text, "not a session"));
    assert_int_equal(session_find("/nowhere/x", &found, &error), -1);
    assert_non_null(strstr(error.text, "no such session"));
    assert_int_equal(session_find("", &found, &error), -1);

    char *second = file_join(state, "mine-2.esp"), *first = file_join(state, "new-1.esp");
    assert_int_equal(session_new_path("mine", &found, &error), 0);
    assert_string_equal(found, second);
    free(found);
    assert_int_equal(session_new_path("new", &found, &error), 0);
    assert_string_equal(found, first);
    free(found);
    assert_int_equal(session_new_path("a/b", &found, &error), -1);

    setenv("XDG_STATE_HOME", "relative", 1);
    setenv("HOME", folder, 1);
    char *home = file_join(folder, ".local/state/espalier/new-1.esp");
    assert_int_equal(session_new_path("new", &found, &error), 0);
    assert_string_equal(found, home);
    free(found);
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(session_new_path("new", &found, &error), -1);
    assert_non_null(strstr(error.text, "--out"));
    free(home);
    free(first);
    free(second);
    free(path);
    free(gallery);
    free(state);
    folder_remove(folder);
    free(folder);
}

/* A session that was begun in another folder is found by its name; the newest of a name, and never in place of one that
   lies in the state folder. */
static void test_sessions_of_other_folders(void **unused)
{
    char *folder = folder_new(), *state = file_join(folder, "espalier"), *found;
    char *first = file_join(folder, "a/night.esp"), *second = file_join(folder, "b/night.esp");
    char *mine = file_join(folder, "b/mine-1.esp"), *real = realpath(folder, NULL);
    struct error error;
    setenv("XDG_STATE_HOME", folder, 1);
    put_session(folder, "a/night.esp");
    put_session(folder, "b/night.esp");
    put_session(folder, "b/mine-1.esp");
    put_session(state, "mine-1.esp");
    assert_int_equal(session_find("night", &found, &error), -1);
    session_remember(first);
    finds_session("night", real, "a/night.esp");
    session_remember(second);
    finds_session("night", real, "b/night.esp");
    session_remember(mine);
    finds_session("mine-1", state, "mine-1.esp");
    folder_remove(second);
    assert_int_equal(session_find("night", &found, &error), -1);
    assert_int_equal(session_new_path("night", &found, &error), 0);
    free(found);
    session_remember(first);
    finds_session("night", real, "a/night.esp");
    free(real);
    free(mine);
    free(first);
    free(second);
    free(state);
    folder_remove(folder);
    free(folder);
}

/* A folder's name is no pattern. */
static void test_sessions_of_odd_folders_are_listed(void **unused)
{
    static const char *const names[] = {"a[1]", "b*", "c?", "d{e}"};
    char *folder = folder_new(), *real = realpath(folder, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t count;
        char *home = file_join(real, names[i]), *state = file_join(home, "espalier");
        put_session(state, "two.esp");
        put_session(state, "one.esp");
        put_session(state, ".hidden.esp");
        put_session(state, "three.not");
        setenv("XDG_STATE_HOME", home, 1);
        char **found = session_list(&count), *one = file_join(state, "one.esp"), *two = file_join(state, "two.esp");
        assert_true(count >= 2);
        assert_string_equal(found[count - 2], one);
        assert_string_equal(found[count - 1], two);
        while (count)
            free(found[--count]);
        free(found);
        free(one);
        free(two);
        free(state);
        free(home);
    }
    free(real);
    folder_remove(folder);
    free(folder);
}

static void test_names_of_new_sessions(void **state)
{
    static const struct {
        const char *text, *folder; /* NULL: refused */
    } cases[] = {
        {"one", "one.esp"},
        {"one.esp", "one.esp"},
        {"one.esp/", "one.esp"},
        {"a b/one//", "a b/one.esp"},
        {"../one", "../one.esp"},
        {"esp", "esp.esp"},
        {"/one", "/one.esp"},
        {"", NULL},
        {"/", NULL},
        {".", NULL},
        {"one/..", NULL},
        {"one/.esp", NULL},
        {".esp/", NULL},
        {"o\ne", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = NULL;
        struct error error;
        assert_int_equal(session_path_of(cases[i].text, &folder, &error), cases[i].folder ? 0 : -1);
        if (cases[i].folder)
            assert_string_equal(folder, cases[i].folder);
        free(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions_are_found_by_name),
        cmocka_unit_test(test_sessions_of_other_folders),
        cmocka_unit_test(test_sessions_of_odd_folders_are_listed),
        cmocka_unit_test(test_names_of_new_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
