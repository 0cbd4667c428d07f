/*
 * test_keys.c - the table of requests, a person's file over it, and the page about both.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tui/keys.h"
#include "tui/request.h"
#include "util/file.h"

static int reset(void **state)
{
    (void)state;
    keys_reset();
    return 0;
}

/* Each key of the table is one, and is the key of one request. */
static void the_table_is_sound(void **state)
{
    (void)state;
    char name[16], described[16];
    for (enum request request = REQUEST_NONE + 1; request < REQUEST_COUNT; request++) {
        const char *keys = request_row(request)->keys;
        assert_true(*keys);
        while (keys_next(&keys, name)) {
            int key = key_parse(name);
            bool browser = request >= REQUEST_SCREENS;
            if (key < 0 || (browser ? request_of_browser_key(key) : request_of_key(key)) != request)
                fail_msg("%s: the key %s is another's or none", request_row(request)->name, name);
            assert_string_equal(key_describe(key, described), name);
        }
    }
    assert_int_equal(request_of_key('~'), REQUEST_NONE);
    assert_int_equal(request_of_key(-1), REQUEST_NONE);
}

static void names_of_keys(void **state)
{
    (void)state;
    char buffer[16];
    assert_int_equal(key_parse("é"), 0xe9);
    assert_string_equal(key_describe(0xe9, buffer), "é");
    assert_int_equal(key_parse("C-a"), 1);
    assert_int_equal(key_parse("C-m"), KEY_CODE_ENTER); /* a terminal sends one for the other */
    assert_int_equal(key_parse("C-I"), KEY_CODE_TAB);
    assert_int_equal(key_parse("F7"), KEY_CODE_F1 + 6);
    static const char *const none[] = {"", "ab", "C-", "C-1", "C-ab", "F11", "up", "\xff", "\x7f", " ", "éé"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(key_parse(none[i]), -1);
}

static void parse(const char *text)
{
    struct error error;
    if (keys_parse("keys", text, &error))
        fail_msg("%s", error.text);
}

static void a_line_gives_a_request_its_keys(void **state)
{
    (void)state;
    char key[16];
    parse("# mine\n\n  widen =  ü C-w\t F3 \nsuspend =\ncompare = = \r\nunfold-all=#");
    assert_int_equal(request_of_key(0xfc), REQUEST_WIDEN);
    assert_int_equal(request_of_key('W' - '@'), REQUEST_WIDEN);
    assert_int_equal(request_of_key(KEY_CODE_F1 + 2), REQUEST_WIDEN);
    assert_int_equal(request_of_key('w'), REQUEST_NONE);
    assert_int_equal(request_of_key('d'), REQUEST_DEEPEN);
    assert_int_equal(request_of_key('Z' - '@'), REQUEST_NONE);
    assert_int_equal(request_of_key('='), REQUEST_COMPARE);
    assert_int_equal(request_of_key('#'), REQUEST_UNFOLD_ALL);
    assert_string_equal(request_keys(REQUEST_WIDEN), "ü C-w F3");
    assert_string_equal(request_key(REQUEST_WIDEN, key), "ü");
    assert_string_equal(request_key(REQUEST_SUSPEND, key), "");
    parse(""); /* the next file is over the table, not over this one */
    assert_int_equal(request_of_key('w'), REQUEST_WIDEN);
}

static void requests_may_swap_keys(void **state)
{
    (void)state;
    parse("widen = d\ndeepen = w\n");
    assert_int_equal(request_of_key('d'), REQUEST_WIDEN);
    assert_int_equal(request_of_key('w'), REQUEST_DEEPEN);
}

static void faults_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } faults[] = {
        {"widen\n", "keys:1: a line is `request = keys`"},
        {"\n\nwyden = w\n", "keys:3: wyden is not a request; `espalier keys` lists them"},
        {"WIDEN = w", "keys:1: WIDEN is not a request; `espalier keys` lists them"},
        {" = w", "keys:1:  is not a request; `espalier keys` lists them"},
        {"widen = w Ctrl-w", "keys:1: Ctrl-w is not a key; they are written as k, C-f, Up, PageDown, F2"},
        {"widen = Z\npin = o\nwiden = w\n", "keys:3: widen has its keys on line 1 already"},
        {"# pin\nwiden = Z p", "keys:2: p is a key of pin and of widen"},
        {"widen = Z\nzoom = Z\n", "keys:2: Z is a key of zoom and of widen"},
        {"zoom = C-m", "keys:1: C-m is a key of zoom and of open"},
        {"zoom = 3", "keys:1: 3 always goes to a pane"},
        {"zoom = C-c", "keys:1: C-c always leaves the program"},
    };
    parse("widen = F9");
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct error error = {{0}};
        assert_int_equal(keys_parse("keys", faults[i].text, &error), -1);
        assert_string_equal(error.text, faults[i].message);
        assert_int_equal(request_of_key(KEY_CODE_F1 + 8), REQUEST_WIDEN); /* what was in force still is */
    }
}

static void what_is_printed_is_such_a_file(void **state)
{
    (void)state;
    struct text first = TEXT_EMPTY, second = TEXT_EMPTY;
    parse("widen = ü F2\nfold-all =\n");
    keys_print(&first);
    assert_non_null(strstr(text_string(&first), "# grow the selected network by hand, by several actions; begin with a wider layer\nwiden = ü F2\n"));
    assert_non_null(strstr(text_string(&first), "\nfold-all =\n"));
    keys_reset();
    parse(text_string(&first));
    keys_print(&second);
    assert_string_equal(text_string(&first), text_string(&second));
    text_done(&first);
    text_done(&second);
}

/* espalier-keys(1) has the whole table, in its order: `.It Li "widen = w"`, and what it does. */
static void the_page_is_the_table(void **state)
{
    (void)state;
    const char *source = getenv("top_srcdir");
    char *path = file_join(source ? source : ".", "man/espalier-keys.1");
    void *page;
    size_t length;
    struct error error;
    struct text expected = TEXT_EMPTY;
    if (file_read(path, 1 << 20, &page, &length, &error))
        fail_msg("%s", error.text);
    for (enum request request = REQUEST_NONE + 1; request < REQUEST_COUNT; request++) {
        char name[REQUEST_NAME];
        text_add(&expected, ".It Li \"%s = %s\"\n%s\n", request_name(request, name), request_row(request)->keys,
                 request_row(request)->help);
    }
    text_add(&expected, ".El\n");
    const char *found = strstr(page, ".It Li \"");
    assert_non_null(found);
    for (const char *left = text_string(&expected); *left;) {
        size_t line = strcspn(left, "\n"), other = strcspn(found, "\n");
        if (line != other || memcmp(left, found, line))
            fail_msg("the table says \"%.*s\" and the page says \"%.*s\"", (int)line, left, (int)other, found);
        left += line + 1;
        found += other + 1;
    }
    free(page);
    free(path);
    text_done(&expected);
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_table_is_sound, reset),
        cmocka_unit_test_setup(names_of_keys, reset),
        cmocka_unit_test_setup(a_line_gives_a_request_its_keys, reset),
        cmocka_unit_test_setup(requests_may_swap_keys, reset),
        cmocka_unit_test_setup(faults_are_told, reset),
        cmocka_unit_test_setup(what_is_printed_is_such_a_file, reset),
        cmocka_unit_test_setup(the_page_is_the_table, reset),
    };
    return cmocka_run_group_tests_name("keys", tests, reset, reset);
}
