/*
 * test_fork.c - the command line of a search that begins with a network of a session: what it takes from the session,
 * and that a session which somebody else has made gets nothing into it.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fork_words.h"
#include "search/record.h"

static void add_options(struct event_texts *texts, const char *const *items)
{
    while (*items)
        event_texts_add(texts, *items++);
}

/* The words of `fork 3`; false: it is refused. */
static bool fork_three(const char *const *first, const char *const *changed, int64_t epochs, double rate,
                       struct words *words, struct error *error)
{
    struct session_state *session = session_state_new();
    add_options(&session->facts.options, first);
    add_options(&session->changed, changed);
    session->epochs = epochs;
    session->rate = rate;
    *words = (struct words){0};
    int status = fork_words(session, "/a/night.esp", 3, "/a/night-fork-1.esp", words, error);
    session_state_free(session);
    return !status;
}

/* The word after `--name`, which is there once; NULL: it isn't there. */
static const char *value_of(const struct words *words, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < words->count; i++)
        if (!strncmp(words->items[i], "--", 2) && !strcmp(words->items[i] + 2, name)) {
            assert_null(value);
            value = words->items[i + 1] ? words->items[i + 1] : "";
        }
    return value;
}

static void check_value(const struct words *words, const char *name, const char *expected)
{
    const char *value = value_of(words, name);
    if (!value || strcmp(value, expected) != 0)
        fail_msg("--%s has the value %s, expected %s", name, value ? value : "(none)", expected);
}

static const char *const nothing[] = {NULL};

/* Flags have no value: after `run`, each word is an option or the value of the option before it. */
static void check_shape(const struct words *words)
{
    assert_string_equal(words->items[0], "run");
    assert_null(words->items[words->count]);
    for (size_t i = 1; i < words->count;) {
        assert_int_equal(strncmp(words->items[i], "--", 2), 0);
        const struct search_option *option = option_find(words->items[i] + 2);
        assert_true(option || !strcmp(words->items[i], "--out"));
        i += option && !option->argument ? 1 : 2;
    }
}

static void test_takes_the_options(void **state)
{
    static const char *const first[] = {
        "data=idx:/set", "epochs=2", "rate=0.1",    "networks=31",       "start=smallest", "start-epochs=5",
        "momentum=0.5",  "rungs=",   "skip-bad=no", "no-orientation=no", "finish=0.25",    NULL};
    static const char *const changed[] = {"momentum=0.7", "drop-fc=0.5", NULL};
    struct words words;
    struct error error = {{0}};
    (void)state;
    assert_true(fork_three(first, changed, 7, 0.03, &words, &error));
    check_shape(&words);
    check_value(&words, "data", "idx:/set");
    check_value(&words, "start", "/a/night.esp:3");
    check_value(&words, "start-epochs", "0");
    check_value(&words, "out", "/a/night-fork-1.esp");
    check_value(&words, "momentum", "0.7");
    check_value(&words, "drop-fc", "0.5");
    check_value(&words, "epochs", "7");
    check_value(&words, "rate", "0.03");
    check_value(&words, "networks", "31");
    check_value(&words, "finish", "0.25");
    check_value(&words, "rungs", "");
    assert_null(value_of(&words, "skip-bad"));
    assert_null(value_of(&words, "no-orientation"));
    words_done(&words);
}

static void test_flags_and_old_sessions(void **state)
{
    static const char *const first[] = {"data=images:/pets", "baseline=released", "skip-bad=yes", NULL};
    struct words words;
    struct error error = {{0}};
    (void)state;
    assert_true(fork_three(first, nothing, 0, -1, &words, &error));
    check_shape(&words);
    assert_non_null(value_of(&words, "skip-bad"));
    assert_null(value_of(&words, "no-orientation"));
    check_value(&words, "reward-baseline", "released");
    check_value(&words, "baseline", "no"); /* as their searches were, not the defaults of today */
    check_value(&words, "picture-rules", "1");
    check_value(&words, "finish", "0");
    check_value(&words, "epochs", "2");
    words_done(&words);
}

/* No option of a session starts a program, is one of this program's others, or ends the options. */
static void test_hostile_sessions(void **state)
{
    static const char *const items[] = {
        "on-best=touch hurt", "on-end=touch hurt", "out=/etc/x", "preset=/etc/x", "detach=",   "=x",
        "no equals sign",     "data=--on-best",    "epochs=-1",  "help=yes",      "theme=dark"};
    struct words words;
    struct error error = {{0}};
    (void)state;
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        const char *const hostile[] = {"epochs=2", items[i], NULL};
        if (fork_three(hostile, nothing, 2, 0.1, &words, &error) ||
            fork_three(nothing, hostile, 2, 0.1, &words, &error))
            fail_msg("%s got into a command line", items[i]);
        assert_int_equal(strncmp(error.text, "/a/night.esp: ", 14), 0);
        words_done(&words);
    }
    static const char *const text[] = {"match=--on-best=touch hurt", "devices=--on-end", NULL};
    assert_true(fork_three(text, nothing, 2, 0.1, &words, &error));
    check_shape(&words); /* it is the value of its option */
    check_value(&words, "match", "--on-best=touch hurt");
    words_done(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_the_options),
        cmocka_unit_test(test_flags_and_old_sessions),
        cmocka_unit_test(test_hostile_sessions),
    };
    return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
