/* test_text.c - texts, errors, numbers for people and from people, hashes and memory. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/bug.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/hash.h"
#include "util/memory.h"
#include "util/print.h"
#include "util/round.h"
#include "util/text.h"

static void text_grows(void **state)
{
    struct text text = TEXT_EMPTY;
    assert_string_equal(text_string(&text), "");
    for (int i = 0; i < 1000; i++)
        text_add(&text, "%d,", i % 10);
    assert_int_equal(text.length, 2000);
    assert_int_equal(strlen(text_string(&text)), 2000);
    assert_memory_equal(text_string(&text), "0,1,2,3,4,5,6,7,8,9,0,", 22);
    text_clear(&text);
    assert_string_equal(text_string(&text), "");
    text_add_bytes(&text, "a\0b", 3);
    assert_int_equal(text.length, 3);
    assert_memory_equal(text.bytes, "a\0b", 4);
    text_add_bytes(&text, NULL, 0);
    assert_int_equal(text.length, 3);
    text_done(&text);
    assert_null(text.bytes);
}

static void text_is_handed_over(void **state)
{
    struct text text = TEXT_EMPTY;
    char *taken = text_take(&text);
    assert_string_equal(taken, "");
    free(taken);
    text_add(&text, "%s", "kept");
    taken = text_take(&text);
    assert_string_equal(taken, "kept");
    assert_null(text.bytes);
    assert_int_equal(text.length, 0);
    free(taken);
}

static void error_text_is_cut_and_prefixed(void **state)
{
    struct error error;
    assert_int_equal(error_set(&error, "line %d", 3), -1);
    assert_string_equal(error.text, "line 3");
    assert_int_equal(error_prefix(&error, "%s.ini", "a"), -1);
    assert_string_equal(error.text, "a.ini: line 3");
    char longer[3000];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    error_prefix(&error, "%s", longer);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    error_set(&error, "%s", longer);
    error_prefix(&error, "p");
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    assert_memory_equal(error.text, "p: xxx", 6);
    assert_int_equal(error_set(NULL, "lost"), -1);
    assert_int_equal(error_prefix(NULL, "lost"), -1);
}

struct form {
    double number;
    const char *text;
};

static void check_forms(const struct form *forms, size_t count, char *(*print)(char *, double))
{
    for (size_t i = 0; i < count; i++) {
        char buffer[TEXT_SHORT];
        memset(buffer, 'x', sizeof(buffer));
        assert_ptr_equal(print(buffer, forms[i].number), buffer);
        assert_string_equal(buffer, forms[i].text);
    }
}
#define CHECK_FORMS(forms, print) check_forms(forms, sizeof(forms) / sizeof((forms)[0]), print)

static void counts_for_people(void **state)
{
    static const struct form forms[] = {
        {0, "0"},         {950, "950"},       {0.5, "0.5"},      {999.4, "999"},       {999.5, "1k"},
        {1000, "1k"},     {12345, "12.3k"},   {1.84e6, "1.84M"}, {212e6, "212M"},      {3.1e9, "3.1G"},
        {999499, "999k"}, {999501, "1M"},     {-1500, "-1.5k"},  {2e12, "2T"},         {4.5e15, "4.5P"},
        {7e18, "7E"},     {1e300, "1e+282E"}, {INFINITY, "inf"}, {-1e300, "-1e+282E"},
    };
    CHECK_FORMS(forms, text_count);
}

static void bytes_for_people(void **state)
{
    static const struct form forms[] = {
        {0, "0 B"},          {512, "512 B"},      {1023, "1023 B"},     {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},   {102400, "100 KiB"}, {1048575, "1.0 MiB"}, {8.1 * 1073741824, "8.1 GiB"},
        {0x1p40, "1.0 TiB"}, {0x1p50, "1.0 PiB"}, {0x1p60, "1.0 EiB"},  {-2048, "-2.0 KiB"},
    };
    CHECK_FORMS(forms, text_bytes);
    char buffer[TEXT_SHORT];
    assert_true(strlen(text_bytes(buffer, -1e300)) < TEXT_SHORT - 1);
}

static void durations_for_people(void **state)
{
    static const struct form forms[] = {
        {0, "0.0s"},      {0.44, "0.4s"},    {9.94, "9.9s"},   {9.96, "10s"},     {12.4, "12s"},
        {59.4, "59s"},    {59.6, "1m00s"},   {190, "3m10s"},   {3599.7, "1h00m"}, {9840, "2h44m"},
        {86400, "1d00h"}, {442800, "5d03h"}, {-190, "-3m10s"}, {INFINITY, "?"},   {NAN, "?"},
    };
    CHECK_FORMS(forms, text_duration);
    char buffer[TEXT_SHORT];
    assert_true(strlen(text_duration(buffer, -1e300)) < TEXT_SHORT - 1);
}

static void integers_from_text(void **state)
{
    int64_t value = 77;
    assert_int_equal(text_to_integer("42", 0, 100, &value), 0);
    assert_int_equal(value, 42);
    assert_int_equal(text_to_integer("-9223372036854775808", INT64_MIN, INT64_MAX, &value), 0);
    assert_true(value == INT64_MIN);
    static const char *const refused[] = {
        "", " 1", "1 ", "1x", "x", "-", "--1", "0x10", "1.5", "101", "-1", "+1", "9223372036854775808"};
    value = 77;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(text_to_integer(refused[i], 0, 100, &value), -1);
    assert_int_equal(text_to_integer("9223372036854775808", INT64_MIN, INT64_MAX, &value), -1);
    assert_int_equal(value, 77);
}

static void reals_from_text(void **state)
{
    double value = 77;
    assert_int_equal(text_to_real("0.02", 0, 1, &value), 0);
    assert_true(value == 0.02);
    assert_int_equal(text_to_real("1e-4", 0, 1, &value), 0);
    assert_true(value == 1e-4);
    assert_int_equal(text_to_real(".5", 0, 1, &value), 0);
    static const char *const refused[] = {"",  " 1", "1 ", "nan", "inf",  "0x1", "1e",
                                          "e", ".",  "-",  "1.5", "-0.1", "1,5"};
    value = 77;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(text_to_real(refused[i], 0, 1, &value), -1);
    assert_int_equal(text_to_real("1e999", 0, 1e308, &value), -1);
    assert_true(value == 77);
}

static void sizes_from_text(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } rows[] = {
        {"4096", 4096},
        {"0", 0},
        {"512M", 512ll << 20},
        {"2G", 2ll << 30},
        {"2GiB", 2ll << 30},
        {"1.5k", 1536},
        {"3T", 3ll << 40},
        {"7KiB", 7168},
        {"9007199254740991", 9007199254740991},
    };
    int64_t bytes;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(text_to_size(rows[i].text, &bytes), 0);
        assert_true(bytes == rows[i].bytes);
    }
    static const char *const refused[] = {"",         "G",     "1X", "1GB",
                                          "1Gi",      "1GiBs", "-1", "1 G",
                                          "9999999T", "1.2.3", ".",  "1111111111111111111111111111111111111111"};
    bytes = 77;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(text_to_size(refused[i], &bytes), -1);
    assert_int_equal(bytes, 77);
}

/* The value for the empty input is published with XXH3-128. */
static void hashes_are_xxh3_128(void **state)
{
    char buffer[HASH_TEXT];
    struct hash empty = hash_of("", 0), some = hash_of("espalier", 8);
    assert_string_equal(hash_print(empty, buffer), "99aa06d3014798d86001c324468d497f");
    assert_true(hash_equal(some, hash_of("espalier", 8)));
    assert_false(hash_equal(some, empty));
    assert_false(hash_equal(some, (struct hash){some.high, some.low + 1}));
    assert_false(hash_equal(some, (struct hash){some.high + 1, some.low}));
}

static void memory_is_cleared_and_aligned(void **state)
{
    unsigned char *plain = memory_new(10, 10), *aligned = memory_new_aligned(100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(plain[i] | aligned[i], 0);
    assert_int_equal((uintptr_t)aligned % 64, 0);
    free(plain);
    free(aligned);
    void *nothing = memory_new(0, 5);
    assert_non_null(nothing);
    nothing = memory_resize(nothing, 0, 5);
    assert_non_null(nothing);
    free(nothing);
    int *items = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 100; i++) {
        items = memory_grow(items, (size_t)i, &capacity, sizeof(*items));
        items[i] = i;
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(items[i], i);
    free(items);
    char *copy = memory_copy_text("text");
    assert_string_equal(copy, "text");
    free(copy);
}

/* Run `act` in a process of its own; it must abort with these words on stderr. */
static void check_aborts(void (*act)(void), const char *words)
{
    int ends[2], status;
    char said[256] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        act();
        _exit(0);
    }
    close(ends[1]);
    FILE *words_said = fdopen(ends[0], "r");
    said[fread(said, 1, sizeof(said) - 1, words_said)] = 0;
    fclose(words_said);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    if (!strstr(said, words))
        fail_msg("\"%s\" does not say \"%s\"", said, words);
}

static void ask_for_too_much(void)
{
    memory_resize(NULL, SIZE_MAX / 2, 3);
}

static void ask_for_too_much_aligned(void)
{
    memory_new_aligned(SIZE_MAX - 1);
}

static void break_a_promise(void)
{
    ASSERT(1 + 1 == 3);
}

static void what_can_not_go_on_aborts(void **state)
{
    check_aborts(ask_for_too_much, "espalier: out of memory (18446744073709551615 bytes more were needed)");
    check_aborts(ask_for_too_much_aligned, "espalier: out of memory");
    check_aborts(break_a_promise, "tests/test_text.c");
    check_aborts(break_a_promise, ": 1 + 1 == 3\n");
}

static void numbers_become_places(void **state)
{
    const struct {
        double share;
        int place;
    } cases[] = {
        {0, 0}, {0.5, 5},   {0.04, 0},     {0.06, 1},      {1, 9},   {-1, 0},
        {2, 9}, {1e300, 9}, {HUGE_VAL, 9}, {-HUGE_VAL, 0}, {NAN, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(round_within(cases[i].share * 9, 0, 9), cases[i].place);
}

static void clocks_run(void **state)
{
    double start = clock_monotonic();
    assert_true(clock_monotonic() >= start);
    assert_true(clock_wall() > 1.7e9); /* later than 2023 */
}

/* What print_to(), as of "[%s]\n", and print_document() write of `string`. */
static void check_printed(const char *string, const char *value, const char *document)
{
    char *bytes = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&bytes, &length);
    int count = print_to(out, "\r[%s]\n\033[K", string);
    fflush(out);
    char expected[256];
    snprintf(expected, sizeof expected, "\r[%s]\n\033[K", value);
    assert_string_equal(bytes, expected);
    assert_int_equal(count, strlen(expected));
    print_document(out, string);
    fclose(out);
    assert_string_equal(bytes + count, document);
    free(bytes);
    struct text text = TEXT_EMPTY;
    print_add(&text, string);
    assert_string_equal(text_string(&text), value);
    assert_int_equal(print_plain_length(text_string(&text)), text.length);
    text_done(&text);
}

static void foreign_text_is_made_visible(void **state)
{
    check_printed("", "", "");
    check_printed("★ naïve \\ 100 %s", "★ naïve \\ 100 %s", "★ naïve \\ 100 %s");
    check_printed("a\nb\tc\r", "a\\nb\\tc\\u000d", "a\nb\\tc\\u000d");
    check_printed("\x1b]0;taken\x07\x1b[31m\x01\x02\x7f", "\\u001b]0;taken\\u0007\\u001b[31m\\u0001\\u0002\\u007f",
                  "\\u001b]0;taken\\u0007\\u001b[31m\\u0001\\u0002\\u007f");
    check_printed("\302\2332J \u202egpj.exe \u2028 \U000e0041", "\\u009b2J \\u202egpj.exe \\u2028 \\udb40\\udc41",
                  "\\u009b2J \\u202egpj.exe \\u2028 \\udb40\\udc41");
    check_printed("\xff\xc3(\xe2\x82", "\\xff\\xc3(\\xe2\\x82", "\\xff\\xc3(\\xe2\\x82");
    assert_int_equal(print_plain_length("two\nlines"), 3);
    assert_int_equal(print_plain_length("Z\xfcrich"), 1);
}

static void test_counts(void **state)
{
    static const struct {
        const char *text;
        double count;
    } rows[] = {{"600G", 6e11}, {"1.5T", 1.5e12}, {"2k", 2000}, {"12", 12}, {"6e+11", 6e11}, {"1E", 1e18}};
    static const char *const refused[] = {"", "G", "1e3G", "600GG", "600 G", "-1M", "2000E", "1g"};
    double count;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(text_to_count(rows[i].text, 0, 1e21, &count), 0);
        assert_true(count == rows[i].count);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(text_to_count(refused[i], 0, 1e21, &count), -1);
}

static void test_whole_counts(void **state)
{
    static const struct {
        const char *text;
        int64_t count;
    } rows[] = {{"2.2M", 2200000},  {"4.35M", 4350000}, {"2.01M", 2010000}, {"25k", 25000},
                {"1.234k", 1234},   {"0", 0},           {"999999999999999999", 999999999999999999},
                {"0.001k", 1}};
    static const char *const refused[] = {"", "2.5", "1.2345k", "k", "-1k", "1001P", "1e3", "25K"};
    int64_t count = 7;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(text_to_whole_count(rows[i].text, 0, 1000000000000000000, &count), 0);
        assert_int_equal(count, rows[i].count);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(text_to_whole_count(refused[i], 0, 1000000000000000000, &count), -1);
    assert_int_equal(text_to_whole_count("3k", 0, 2999, &count), -1);
    assert_int_equal(text_to_whole_count("3k", 3001, 9000, &count), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_whole_counts),
        cmocka_unit_test(foreign_text_is_made_visible),
        cmocka_unit_test(text_grows),
        cmocka_unit_test(text_is_handed_over),
        cmocka_unit_test(error_text_is_cut_and_prefixed),
        cmocka_unit_test(counts_for_people),
        cmocka_unit_test(bytes_for_people),
        cmocka_unit_test(durations_for_people),
        cmocka_unit_test(integers_from_text),
        cmocka_unit_test(reals_from_text),
        cmocka_unit_test(sizes_from_text),
        cmocka_unit_test(hashes_are_xxh3_128),
        cmocka_unit_test(memory_is_cleared_and_aligned),
        cmocka_unit_test(what_can_not_go_on_aborts),
        cmocka_unit_test(numbers_become_places),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
