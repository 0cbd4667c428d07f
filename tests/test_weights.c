/* test_weights.c - where each value lies, and what a new set of weights holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "arch/weights.h"
#include "tests/random_arch.h"

static void check_layer(const struct weights_layer *layer, const struct weights_layer *expected)
{
    assert_int_equal(layer->weight, expected->weight);
    assert_int_equal(layer->bias, expected->bias);
    assert_int_equal(layer->gamma, expected->gamma);
    assert_int_equal(layer->beta, expected->beta);
    assert_int_equal(layer->mean, expected->mean);
    assert_int_equal(layer->variance, expected->variance);
    assert_int_equal(layer->inputs, expected->inputs);
    assert_int_equal(layer->outputs, expected->outputs);
    assert_int_equal(layer->kernel, expected->kernel);
}

static void layout_by_hand(void **state)
{
    struct arch arch;
    struct weights_layout layout;
    assert_int_equal(arch_parse(&arch, "C(4,3,1) P(2,2) C(5,1,1) FC(6) SM(3)", NULL), 0);
    weights_layout_of(&arch, (struct shape){2, 4, 6}, &layout);
    static const struct weights_layer expected[] = {
        {.weight = 0, .bias = -1, .gamma = 72, .beta = 76, .mean = 323, .variance = 327, 2, 4, 3},
        {.weight = -1, .bias = -1, .gamma = -1, .beta = -1, .mean = -1, .variance = -1, 0, 0, 0},
        {.weight = 80, .bias = -1, .gamma = 100, .beta = 105, .mean = 331, .variance = 336, 4, 5, 1},
        /* Behind a map of 5 channels, 2 × 3 pixels. */
        {.weight = 110, .bias = -1, .gamma = 290, .beta = 296, .mean = 341, .variance = 347, 30, 6, 1},
        {.weight = 302, .bias = 320, .gamma = -1, .beta = -1, .mean = -1, .variance = -1, 6, 3, 1},
    };
    for (int i = 0; i < arch.layer_count; i++)
        check_layer(&layout.layers[i], &expected[i]);
    assert_int_equal(layout.trained, 323);
    assert_int_equal(layout.total, 323 + 2 * (4 + 5 + 6));
}

/* Three parts: the BN that a layer begins with, a bottleneck, the layer itself. */
static void dense_layout_by_hand(void **state)
{
    enum { NONE = -1 };
    struct arch arch;
    struct weights_layout layout;
    assert_int_equal(arch_parse(&arch, "C(4,1,1) D(2,[3]) T(0.5) A(1,1) SM(2)", NULL), 0);
    weights_layout_of(&arch, (struct shape){1, 2, 2}, &layout);
    static const struct weights_layer none = {NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0};
    static const struct weights_layer expected[5][WEIGHTS_PARTS] = {
        {[WEIGHTS_NORM] = {NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0},
         [WEIGHTS_BOTTLENECK] = {NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0},
         [WEIGHTS_MAIN] = {0, NONE, 4, 8, 267, 271, 1, 4, 1}},
        {[WEIGHTS_NORM] = {NONE, NONE, 12, 16, 275, 279, 4, 4, 0},
         [WEIGHTS_BOTTLENECK] = {20, NONE, 44, 50, 283, 289, 4, 6, 1},
         [WEIGHTS_MAIN] = {56, NONE, NONE, NONE, NONE, NONE, 6, 3, 3}},
        {[WEIGHTS_NORM] = {NONE, NONE, 218, 225, 295, 302, 7, 7, 0},
         [WEIGHTS_BOTTLENECK] = {NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0},
         [WEIGHTS_MAIN] = {232, NONE, NONE, NONE, NONE, NONE, 7, 3, 1}},
        {[WEIGHTS_NORM] = {NONE, NONE, 253, 256, 309, 312, 3, 3, 0},
         [WEIGHTS_BOTTLENECK] = {NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0},
         [WEIGHTS_MAIN] = {NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0}},
        {[WEIGHTS_NORM] = {NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0},
         [WEIGHTS_BOTTLENECK] = {NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0},
         [WEIGHTS_MAIN] = {259, 265, NONE, NONE, NONE, NONE, 3, 2, 1}},
    };
    for (int i = 0; i < arch.layer_count; i++)
        for (int part = 0; part < WEIGHTS_PARTS; part++)
            check_layer(&layout.parts[part][i], expected[i][part].outputs ? &expected[i][part] : &none);
    check_layer(&layout.parts[WEIGHTS_BOTTLENECK][0], &none);
    check_layer(&layout.layers[1], &expected[1][WEIGHTS_MAIN]);
    assert_int_equal(layout.trained, arch_cost(&arch, (struct shape){1, 2, 2}).parameters);
    assert_int_equal(layout.total, layout.trained + 2 * (4 + 4 + 6 + 7 + 3));
}

/* Mark `count` values at `offset`; each may be marked once. */
static void mark(unsigned char *marks, int64_t offset, int64_t count, int64_t from, int64_t to)
{
    if (offset < 0)
        return;
    assert_true(offset >= from && offset + count <= to);
    for (int64_t i = 0; i < count; i++)
        assert_int_equal(marks[offset + i]++, 0);
}

/* The pieces cover the buffer once, trained values first, and are as many as arch_cost() counts. */
static void pieces_cover_the_buffer_once(void **state)
{
    struct random_stream stream = random_stream_new(3, RANDOM_TEST, 0, 0);
    for (int i = 0; i < 300; i++) {
        struct shape input = random_input(&stream);
        struct arch arch = random_arch(&stream, input);
        struct weights_layout layout;
        weights_layout_of(&arch, input, &layout);
        assert_int_equal(layout.trained, arch_cost(&arch, input).parameters);
        unsigned char *marks = calloc((size_t)layout.total, 1);
        assert_non_null(marks);
        for (int l = 0; l < arch.layer_count; l++) {
            const struct weights_layer *layer = &layout.layers[l];
            mark(marks, layer->weight, (int64_t)layer->inputs * layer->outputs * layer->kernel * layer->kernel, 0,
                 layout.trained);
            mark(marks, layer->bias, layer->outputs, 0, layout.trained);
            mark(marks, layer->gamma, layer->outputs, 0, layout.trained);
            mark(marks, layer->beta, layer->outputs, 0, layout.trained);
            mark(marks, layer->mean, layer->outputs, layout.trained, layout.total);
            mark(marks, layer->variance, layer->outputs, layout.trained, layout.total);
        }
        for (int64_t value = 0; value < layout.total; value++)
            assert_int_equal(marks[value], 1);
        free(marks);
    }
}

static void new_weights_are_neutral(void **state)
{
    struct random_stream stream = random_stream_new(4, RANDOM_TEST, 0, 0);
    struct shape input = {3, 12, 12};
    struct arch arch = random_arch(&stream, input);
    struct weights *weights = weights_new(&arch, input);
    assert_int_equal((uintptr_t)weights->values % 64, 0);
    assert_true(arch_equal(&weights->arch, &arch));
    assert_memory_equal(&weights->input, &input, sizeof(input));
    int64_t ones = 0, expected = 0;
    for (int64_t i = 0; i < weights->layout.total; i++) {
        assert_true(weights->values[i] == 0 || weights->values[i] == 1);
        ones += weights->values[i] == 1;
    }
    for (int i = 0; i < arch.layer_count; i++) {
        const struct weights_layer *layer = &weights->layout.layers[i];
        if (layer->gamma < 0)
            continue;
        for (int unit = 0; unit < layer->outputs; unit++) {
            assert_true(weights->values[layer->gamma + unit] == 1);
            assert_true(weights->values[layer->variance + unit] == 1);
        }
        expected += 2 * layer->outputs;
    }
    assert_int_equal(ones, expected);
    weights_free(weights);
    weights_free(NULL);
}

static void copies_are_their_own(void **state)
{
    struct arch arch;
    assert_int_equal(arch_parse(&arch, "C(4,3,1) SM(3)", NULL), 0);
    struct weights *weights = weights_new(&arch, (struct shape){1, 3, 3});
    for (int64_t i = 0; i < weights->layout.total; i++)
        weights->values[i] = (float)i;
    struct weights *copy = weights_copy(weights);
    assert_ptr_not_equal(copy->values, weights->values);
    assert_int_equal((uintptr_t)copy->values % 64, 0);
    memset(weights->values, 0, (size_t)weights->layout.total * sizeof(float));
    for (int64_t i = 0; i < copy->layout.total; i++)
        assert_true(copy->values[i] == (float)i);
    assert_true(arch_equal(&copy->arch, &arch));
    for (int i = 0; i < arch.layer_count; i++)
        check_layer(&copy->layout.layers[i], &weights->layout.layers[i]);
    weights_free(weights);
    weights_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_layout_by_hand),         cmocka_unit_test(layout_by_hand),
        cmocka_unit_test(pieces_cover_the_buffer_once), cmocka_unit_test(new_weights_are_neutral),
        cmocka_unit_test(copies_are_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
