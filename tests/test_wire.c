/*
 * test_wire.c - what a farm's trials and reports are as texts: each value comes back to the bit, and what has no sense
 * is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "farm/wire.h"
#include "util/memory.h"

static struct weights *some_weights(void)
{
    struct arch arch;
    struct error error;
    assert_int_equal(arch_parse(&arch, "C(8,3,1) A(8,8) SM(4)", &error), 0);
    return weights_new(&arch, (struct shape){3, 8, 8});
}

/* A layer without a measure has NaN. */
static void test_health(void **state)
{
    struct report sent = {.kind = REPORT_RESULT, .weights = some_weights()}, come = {.kind = REPORT_RESULT};
    struct error error = {""};
    sent.result.accuracy = 0.1 + 0.2;
    sent.result.loss = INFINITY;
    sent.health = memory_new(3, sizeof *sent.health);
    for (int i = 0; i < 3; i++)
        sent.health[i] = (struct layer_health){i + 0.1, i / 3.0, i == 1 ? NAN : 0.25, NAN};
    char *text = wire_write_report(&sent);
    if (wire_read_report(text, REPORT_RESULT, &come, &error))
        fail_msg("%s", error.text);
    assert_true(come.result.accuracy == 0.1 + 0.2 && isinf(come.result.loss));
    for (int i = 0; i < 3; i++) {
        assert_true(come.health[i].weight_norm == i + 0.1 && come.health[i].gradient_norm == i / 3.0);
        assert_true(isnan(come.health[i].fresh) && isnan(come.health[i].dead) == (i == 1));
    }
    assert_true(isnan(come.health[3].weight_norm)); /* there is room for every network */
    free(text);
    report_done(&sent);
    report_done(&come);
}

static void test_refused(void **state)
{
    static const struct {
        enum report_kind kind;
        const char *text, *message;
    } cases[] = {
        {REPORT_EPOCH, "", "is damaged"},
        {REPORT_EPOCH, "[]", "no object"},
        {REPORT_EPOCH, "{}", "lacks epoch.epoch"},
        {REPORT_EPOCH, "{\"epoch.epoch\": 1e9}", "lacks epoch.epoch"},
        {REPORT_FAILED, "{\"failure\": 999}", "has a failure that this program doesn't know"},
        {REPORT_CANCELLED, "{\"a\": 1, \"a\": 2}", "is damaged"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct report report = {.kind = cases[i].kind};
        struct error error = {""};
        assert_int_equal(wire_read_report(cases[i].text, cases[i].kind, &report, &error), -1);
        if (!strstr(error.text, cases[i].message))
            fail_msg("%zu: expected `%s` in: %s", i, cases[i].message, error.text);
        report_done(&report);
    }
}

/* A list that is longer than any network, and one of other things. */
static void test_refused_health(void **state)
{
    struct report sent = {.kind = REPORT_RESULT}, come = {.kind = REPORT_RESULT};
    struct error error = {""};
    char *text = wire_write_report(&sent);
    struct text long_one = TEXT_EMPTY;
    text_add(&long_one, "%.*s,\"health\":[0", (int)strlen(text) - 1, text);
    struct text wrong = TEXT_EMPTY;
    text_add(&wrong, "%s]}", text_string(&long_one));
    for (int i = 0; i < ARCH_LAYERS_MAX; i++)
        text_add(&long_one, ",0");
    text_add(&long_one, "]}");
    assert_int_equal(wire_read_report(text_string(&wrong), REPORT_RESULT, &come, &error), -1);
    assert_non_null(strstr(error.text, "lacks weight_norm"));
    report_done(&come);
    assert_int_equal(wire_read_report(text_string(&long_one), REPORT_RESULT, &come, &error), -1);
    assert_non_null(strstr(error.text, "has the health of"));
    report_done(&come);
    text_done(&wrong);
    text_done(&long_one);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_health),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
