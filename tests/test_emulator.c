/*
 * test_emulator.c - bytes for title, clipboard and bell: whose terminal gets them, and that no text leaves its place in them.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tui/emulator.h"
#include "util/bug.h"

static void assert_bytes(struct text *bytes, const char *expected)
{
    assert_string_equal(text_string(bytes), expected);
    text_done(bytes);
}

static void set_terminal(const char *name, const char *tmux)
{
    setenv("TERM", name, 1);
    setenv("TMUX", tmux, 1);
}

/* The examples of RFC 4648. */
static void clipboard(void **state)
{
    static const char *const cases[][2] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    (void)state;
    set_terminal("xterm-256color", "");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct text bytes = TEXT_EMPTY, expected = TEXT_EMPTY;
        text_add(&expected, "\033]52;c;%s\a", cases[i][1]);
        emulator_copy(cases[i][0], &bytes);
        assert_bytes(&bytes, text_string(&expected));
        text_done(&expected);
    }
}

/* The terminal outside of tmux and screen gets it too. */
static void clipboard_through_others(void **state)
{
    struct text bytes = TEXT_EMPTY;
    (void)state;
    set_terminal("tmux-256color", "/tmp/tmux-0/default,1,0");
    emulator_copy("f", &bytes);
    assert_bytes(&bytes, "\033]52;c;Zg==\a\033Ptmux;\033\033]52;c;Zg==\a\033\\");
    set_terminal("screen", "");
    emulator_copy("f", &bytes);
    assert_bytes(&bytes, "\033]52;c;Zg==\a\033P\033]52;c;Zg==\a\033\\");
}

/* A session's name can't end the sequence. */
static void title(void **state)
{
    struct text bytes = TEXT_EMPTY;
    (void)state;
    set_terminal("xterm", "");
    emulator_title("a\033]2;b\a\nc", &bytes);
    assert_int_equal(strcspn(text_string(&bytes) + 1, "\033\a\n") + 2, bytes.length);
    text_done(&bytes);
}

/* The console and old terminals get nothing but the bell. */
static void others(void **state)
{
    static const char *const names[] = {"linux", "vt100", "dumb", ""};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct text bytes = TEXT_EMPTY;
        set_terminal(names[i], "");
        emulator_title("a", &bytes);
        emulator_keep_title(&bytes);
        emulator_copy("a", &bytes);
        emulator_restore_title(&bytes);
        emulator_bell(&bytes);
        assert_bytes(&bytes, "\a");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clipboard), cmocka_unit_test(clipboard_through_others),
                                       cmocka_unit_test(title), cmocka_unit_test(others)};
    return cmocka_run_group_tests_name("emulator", tests, NULL, NULL);
}
