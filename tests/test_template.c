/*
 * test_template.c - the template stays within its limits, uses most of them, and fits every image.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "arch/space.h"
#include "arch/template.h"

static const char *notation_of(const struct arch *arch)
{
    static struct text text;
    text_done(&text);
    arch_print(arch, &text);
    return text_string(&text);
}

static void is_what_a_person_would_type(void **state)
{
    const struct arch_limits limits = {.parameters = 25000, .flops = 4000000};
    struct arch arch;
    struct error error;
    assert_int_equal(arch_template((struct shape){3, 32, 32}, 10, false, &limits, &arch, &error), 0);
    assert_string_equal(notation_of(&arch), "C(12,3,1) P(2,2) C(16,3,1) C(16,3,1) P(2,2) C(20,3,1) C(24,3,1) P(2,2) "
                                            "C(36,3,1) A(4,4) SM(10)");
}

static void has_blocks_in_a_modern_space(void **state)
{
    const struct arch_limits limits = {.parameters = 50000, .flops = 9000000};
    struct arch arch;
    struct error error;
    assert_int_equal(arch_template((struct shape){3, 32, 32}, 10, true, &limits, &arch, &error), 0);
    assert_true(arch_is_modern(&arch));
    assert_string_equal(notation_of(&arch), "C(24,3,2) M(72,3) M(72,3) S(32,3,2) M(96,3) M(96,3) S(44,3,2) M(136,3) "
                                            "C(88,1,1) A(4,4) SM(10)");
}

static void has_full_maps_where_only_parameters_are_few(void **state)
{
    struct arch_limits limits = {.parameters = 12000};
    struct arch arch;
    struct error error;
    assert_int_equal(arch_template((struct shape){3, 32, 32}, 10, true, &limits, &arch, &error), 0);
    assert_string_equal(notation_of(&arch), "C(12,3,1) M(24,3) P(2,2) M(24,5) M(24,5) S(24,3,1) P(2,2) M(40,5) M(40,3) "
                                            "S(36,3,1) A(8,8) SM(10)");
    limits.flops = arch_cost(&arch, (struct shape){3, 32, 32}).flops * 2 / 3;
    assert_int_equal(arch_template((struct shape){3, 32, 32}, 10, true, &limits, &arch, &error), 0);
    assert_int_equal(arch.layers[0].stride, 2);
}

static void check_fits(bool modern)
{
    const struct shape inputs[] = {{1, 28, 28}, {3, 32, 32}, {3, 96, 96}, {3, 64, 48}, {3, 48, 64},
                                   {5, 9, 70},  {1, 8, 8},   {1, 2, 2},   {16, 1, 1}};
    const int64_t flops[] = {0, 3000000, 30000000, 300000000}, parameters[] = {0, 20000, 100000};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        for (size_t f = 0; f < sizeof flops / sizeof *flops; f++)
            for (size_t p = 0; p < sizeof parameters / sizeof *parameters; p++) {
                const struct arch_limits limits = {.parameters = parameters[p], .flops = flops[f]};
                struct arch arch;
                struct error error;
                struct shape shapes[ARCH_LAYERS_MAX];
                if (arch_template(inputs[i], 10, modern, &limits, &arch, &error)) {
                    int larger = inputs[i].height > inputs[i].width ? inputs[i].height : inputs[i].width;
                    assert_true(flops[f] && larger >= (modern ? 64 : 96)); /* what is too large */
                    continue;
                }
                assert_int_equal(arch_shapes(&arch, inputs[i], shapes, &error), 0);
                assert_int_equal(arch_within(&arch, inputs[i], &limits, &error), 0);
            }
}

static void fits_images_and_limits(void **state)
{
    check_fits(false);
    check_fits(true);
}

/* Does the average pool read every pixel of the map before it? */
static void check_covers(const struct arch *arch, struct shape input)
{
    struct shape shapes[ARCH_LAYERS_MAX], map;
    int pool = 0;
    while (arch->layers[pool].kind != LAYER_AVERAGE_POOL)
        pool++;
    const struct layer *layer = &arch->layers[pool];
    assert_int_equal(arch_shapes(arch, input, shapes, NULL), 0);
    map = shapes[pool - 1];
    assert_int_equal((shapes[pool].height - 1) * layer->stride + layer->kernel, map.height);
    assert_int_equal((shapes[pool].width - 1) * layer->stride + layer->kernel, map.width);
    assert_true(layer->stride <= layer->kernel);
    if (map.height == map.width)
        assert_int_equal(shapes[pool].height, 1);
}

static void sees_all_of_images_that_are_not_square(void **state)
{
    const struct arch_limits limits = {.flops = 300000000};
    for (int height = 4; height < 40; height += 3)
        for (int width = 4; width < 40; width++) {
            const struct shape input = {2, height, width};
            struct arch arch;
            for (int modern = 0; modern < 2; modern++) {
                assert_int_equal(arch_template(input, 3, modern, &limits, &arch, NULL), 0);
                check_covers(&arch, input);
            }
            space_start(space_find("small"), input, 3, &arch);
            check_covers(&arch, input);
            space_start_dense(space_find("small"), input, 3, &arch);
            check_covers(&arch, input);
            space_start_modern(space_find("modern"), input, 3, &arch);
            check_covers(&arch, input);
        }
}

static void says_which_limit(void **state)
{
    const struct arch_limits limits = {.parameters = 100};
    struct arch arch;
    struct error error;
    assert_int_equal(arch_template((struct shape){3, 32, 32}, 10, false, &limits, &arch, &error), -1);
    assert_non_null(strstr(error.text, "parameters"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_a_person_would_type),
        cmocka_unit_test(has_blocks_in_a_modern_space),
        cmocka_unit_test(has_full_maps_where_only_parameters_are_few),
        cmocka_unit_test(fits_images_and_limits),
        cmocka_unit_test(sees_all_of_images_that_are_not_square),
        cmocka_unit_test(says_which_limit),
    };
    return cmocka_run_group_tests_name("templates", tests, NULL, NULL);
}
