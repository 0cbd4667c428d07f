/* test_features.c - squeeze-and-excitation and hard-swish behind the numbers of R, M and S: text, cost and actions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/action.h"
#include "arch/space.h"

static struct arch parsed(const char *text)
{
    struct arch arch;
    struct error error = {""};
    if (arch_parse(&arch, text, &error))
        fail_msg("%s: %s", text, error.text);
    return arch;
}

static void check_arch(const struct arch *arch, const char *expected)
{
    struct text text = TEXT_EMPTY;
    arch_print(arch, &text);
    assert_string_equal(text_string(&text), expected);
    text_done(&text);
}

static void check_refused(const struct arch *arch, struct action action, const char *message)
{
    struct arch child;
    struct error error = {""};
    assert_int_equal(action_apply(arch, &action, &child, &error), -1);
    assert_string_equal(error.text, message);
}

/* The words stand behind the numbers, in one order, on R, M and S alone. */
static void features_print_as_they_are_read(void **state)
{
    static const char text[] = "C(4,3,1) R(8,3,se) M(12,5,hs) M(12,5,se,hs) S(6,3,2,se,hs) S(6,3,1) A(2,2) SM(2)";
    static const char *const refused[][2] = {
        {"C(4,3,1,se) SM(2)", "layer 1, \"C(4,3,1,se)\": expected C(filters,kernel,stride)"},
        {"C(4,3,1) M(8,3,hs,se) SM(2)",
         "layer 2, \"M(8,3,hs,se)\": expected M(hidden,kernel); behind the numbers may stand se, then hs"},
        {"C(4,3,1) M(8,3,see) SM(2)",
         "layer 2, \"M(8,3,see)\": expected M(hidden,kernel); behind the numbers may stand se, then hs"},
        {"C(4,3,1) S(8,3,1,) SM(2)",
         "layer 2, \"S(8,3,1,)\": expected S(filters,kernel,stride); behind the numbers may stand se, then hs"},
    };
    struct arch arch = parsed(text);
    struct arch other = parsed("C(4,3,1)R(8,3 , SE)m(12,5,Hs )M(12,5,se,hs)S(6,3,2,se,hs)S(6,3,1)A(2,2)SM(2)");
    check_arch(&arch, text);
    assert_true(arch_equal(&arch, &other));
    other.layers[1].features = 0;
    assert_false(arch_equal(&arch, &other));
    assert_int_equal(arch.layers[4].features, LAYER_SQUEEZE | LAYER_HARD_SWISH);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct error error = {""};
        assert_int_equal(arch_parse(&arch, refused[i][0], &error), -1);
        assert_string_equal(error.text, refused[i][1]);
    }
}

/* se: 8 averages of 16, 2 squeezed values, 8 gates; hard-swish 4 instead of 1. */
static void features_cost_by_hand(void **state)
{
    const struct arch arch = parsed("C(4,3,1) M(8,3,se,hs) SM(2)");
    const struct arch_cost cost = arch_cost(&arch, (struct shape){1, 4, 4});
    assert_int_equal(cost.parameters, 36 + 8 + (32 + 16) + (72 + 16) + (16 + 2) + (16 + 8) + (32 + 8) + 130);
    assert_int_equal(cost.flops,
                     1344 + (1024 + 768) + (2304 + 768) + (128 + 36) + (72 + 128) + (1024 + 128 + 64) + 258);
    assert_int_equal(cost.activation_bytes, 4 * (64 + 128 + 128 + 128 + 64 + 2));
    assert_int_equal(cost.depth, 5);
}

/* se is inserted where it may stand; a new block has the features that are written, or those of the block before it. */
static void features_are_inserted(void **state)
{
    static const char parent[] = "C(8,3,1) M(8,3,se,hs) R(4,3) S(8,3,2,hs) A(2,2) SM(10)";
    static const struct {
        const char *text, *shown, *child;
    } rows[] = {
        {"squeeze:residual1", "S residual1 +se", "C(8,3,1) M(8,3,se,hs) R(4,3,se) S(8,3,2,hs) A(2,2) SM(10)"},
        {"squeeze:separable1", "S separable1 +se", "C(8,3,1) M(8,3,se,hs) R(4,3) S(8,3,2,se,hs) A(2,2) SM(10)"},
        {"deepen:conv1:M(16,5,se,hs)", "D conv1 +M(16,5,se,hs)",
         "C(8,3,1) M(16,5,se,hs) M(8,3,se,hs) R(4,3) S(8,3,2,hs) A(2,2) SM(10)"},
        {"deepen:mobile1", "D mobile1 +M(24,3,se,hs)",
         "C(8,3,1) M(8,3,se,hs) M(24,3,se,hs) R(4,3) S(8,3,2,hs) A(2,2) SM(10)"},
        {"deepen:mobile1:R", "D mobile1 +R(24,3,se,hs)",
         "C(8,3,1) M(8,3,se,hs) R(24,3,se,hs) R(4,3) S(8,3,2,hs) A(2,2) SM(10)"},
        {"remove:mobile1", "R mobile1", "C(8,3,1) R(4,3) S(8,3,2,hs) A(2,2) SM(10)"},
    };
    const struct arch arch = parsed(parent);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct action action, again;
        struct arch child;
        struct text text = TEXT_EMPTY;
        assert_int_equal(action_parse(&arch, rows[i].text, &action, NULL), 0);
        assert_int_equal(space_complete(space_find("modern"), &arch, &action, NULL), 0);
        action_show(&arch, &action, false, &text);
        assert_string_equal(text_string(&text), rows[i].shown);
        text_clear(&text);
        action_print(&arch, &action, &text);
        assert_int_equal(action_parse(&arch, text_string(&text), &again, NULL), 0);
        assert_memory_equal(&action, &again, sizeof(action));
        assert_int_equal(action_apply(&arch, &action, &child, NULL), 0);
        check_arch(&child, rows[i].child);
        assert_int_equal(action_is_exact(&arch, &action), action.kind != ACTION_REMOVE);
        text_done(&text);
    }
    check_refused(&arch, (struct action){ACTION_SQUEEZE, 0, 0, 0, 0, 0},
                  "conv1 can't have squeeze-and-excitation; only R, M and S can");
    check_refused(&arch, (struct action){ACTION_SQUEEZE, 1, 0, 0, 0, 0},
                  "mobile1 has squeeze-and-excitation already; choose another layer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_print_as_they_are_read),
        cmocka_unit_test(features_cost_by_hand),
        cmocka_unit_test(features_are_inserted),
    };
    return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
