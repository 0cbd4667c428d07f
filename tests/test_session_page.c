/*
 * test_session_page.c - espalier-session(5) says every kind and field, as the tables have them.
 *
 * The page's list of a kind, `.Ss kind` and lines `.It Va field Pq type [, timing]`, must be the table's, in its order;
 * durable kinds stand under one heading and transient ones under the next.
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

#include "sessions/fields.h"
#include "util/file.h"

static char *page_path(void)
{
    const char *source = getenv("top_srcdir");
    return file_join(source ? source : ".", "man/espalier-session.5");
}

static void add_fields(enum event_kind kind, struct text *text)
{
    static const char *const types[] = {
        [EVENT_FIELD_INTEGER] = "integer",   [EVENT_FIELD_REAL] = "real",   [EVENT_FIELD_BOOL] = "bool",
        [EVENT_FIELD_TEXT] = "text",         [EVENT_FIELD_TEXTS] = "texts", [EVENT_FIELD_REALS] = "reals",
        [EVENT_FIELD_INTEGERS] = "integers", [EVENT_FIELD_AUTHOR] = "text",  [EVENT_FIELD_FAILURE] = "text",
        [EVENT_FIELD_FINISH] = "text",
    };
    int count;
    const struct event_field *fields = event_fields(kind, &count);
    text_add(text, ".Ss %s\n", event_kind_name(kind));
    for (int i = 0; i < count; i++)
        text_add(text, ".It Va %s Pq %s%s\n", fields[i].name, types[fields[i].type], fields[i].fact ? "" : " , timing");
}

static void expected_outline(struct text *text)
{
    text_add(text, ".Sh DURABLE EVENTS\n");
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++)
        if (event_is_durable((enum event_kind)kind))
            add_fields((enum event_kind)kind, text);
    text_add(text, ".Sh TRANSIENT EVENTS\n");
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++)
        if (!event_is_durable((enum event_kind)kind))
            add_fields((enum event_kind)kind, text);
}

/* The page's headings and fields, from the first kind to the end of the last. */
static void page_outline(char *page, struct text *text)
{
    char *begin = strstr(page, ".Sh DURABLE EVENTS\n"), *end = strstr(page, ".Sh EXAMPLES\n"), *rest = NULL;
    assert_true(begin && end);
    *end = 0;
    for (char *line = strtok_r(begin, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (!strncmp(line, ".S", 2) || !strncmp(line, ".It", 3))
            text_add(text, "%s\n", line);
}

static void test_the_page_is_the_tables(void **unused)
{
    char *path = page_path();
    void *page;
    size_t length;
    struct error error;
    if (file_read(path, 1 << 20, &page, &length, &error))
        fail_msg("%s", error.text);
    struct text expected = TEXT_EMPTY, found = TEXT_EMPTY;
    expected_outline(&expected);
    page_outline(page, &found);
    const char *left = expected.bytes, *right = found.bytes;
    while (*left && *right) { /* line by line: the first difference is the message */
        size_t left_length = strcspn(left, "\n"), right_length = strcspn(right, "\n");
        if (left_length != right_length || memcmp(left, right, left_length))
            fail_msg("the tables say \"%.*s\" and the page says \"%.*s\"", (int)left_length, left, (int)right_length,
                     right);
        left += left_length + 1;
        right += right_length + 1;
    }
    assert_string_equal(left, right);
    text_done(&expected);
    text_done(&found);
    free(page);
    free(path);
}

static void test_the_page_is_clean(void **unused)
{
    if (system("command -v mandoc >/dev/null")) {
        print_message("# mandoc is not installed: skipped\n");
        skip();
    }
    char *path = page_path();
    struct text command = TEXT_EMPTY;
    text_add(&command, "mandoc -T lint -W warning '%s' >&2", path);
    assert_int_equal(system(command.bytes), 0);
    text_done(&command);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_page_is_the_tables),
        cmocka_unit_test(test_the_page_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
