/* test_arch.c - the notation, its messages, shapes, cost, limits and names of architectures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "tests/random_arch.h"

#define START "C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) A(4,4) FC(8) SM(10)"

static struct arch parsed(const char *text)
{
    struct arch arch;
    struct error error = {""};
    if (arch_parse(&arch, text, &error))
        fail_msg("%s: %s", text, error.text);
    return arch;
}

static void check_printed(const struct arch *arch, const char *expected)
{
    struct text text = TEXT_EMPTY;
    arch_print(arch, &text);
    assert_string_equal(text_string(&text), expected);
    text_done(&text);
}

static void every_spelling_prints_as_one(void **state)
{
    static const char *const spellings[] = {
        "C(16,3,1) P(2,2) A(3,1) FC(256) SM(10)",
        "c(16,3,1)p(2,2)a(3,1)fc(256)sm(10)",
        "\n\t C ( 16 , 3 ,1 )  P( 2,2) A(3,1) Fc(256)   sM(10) \r\n",
        "C(016,3,1) P(2,2) A(3,1) FC(0000000000000256) SM(10)",
    };
    struct arch first = parsed(spellings[0]);
    assert_int_equal(first.layer_count, 5);
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        struct arch arch = parsed(spellings[i]);
        check_printed(&arch, spellings[0]);
        assert_true(arch_equal(&arch, &first));
        assert_true(hash_equal(arch_hash(&arch), arch_hash(&first)));
    }
}

static void every_dense_spelling_prints_as_one(void **state)
{
    static const char *const spellings[] = {
        "C(4,3,1) D(4,[8,12]) D(0,[6]) T(0.5) D(2,[3]) T(1) T(0.07) A(1,1) SM(2)",
        "c(4,3,1) d(4,[8]) d ( 4 , [ 12 ] ) D(0,[6]) t(0.50) D(02,[3]) T( 1.00 ) T(0.07)A(1,1)SM(2)",
        "C(4,3,1)D(4,[8 , 12])D(0,[06])T(00.5)D(2,[3])T(1.0)T(0.07) A(1,1) SM(2)",
    };
    struct arch first = parsed(spellings[0]);
    assert_int_equal(first.layer_count, 10);
    assert_int_equal(first.layers[2].units, 12);
    assert_int_equal(first.layers[2].bottleneck, 4);
    assert_int_equal(first.layers[4].percent, 50);
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        struct arch arch = parsed(spellings[i]);
        check_printed(&arch, spellings[0]);
        assert_true(arch_equal(&arch, &first));
    }
}

static void every_modern_spelling_prints_as_one(void **state)
{
    static const char text[] = "C(4,3,1) R(8,3) M(12,5) P(2,2) M(12,7) S(6,3,2) C(4,1,1) A(2,2) SM(2)";
    struct arch arch = parsed(text), other = parsed("c(4,3,1)r( 8,3)m(012,5)p(2,2)m(12,7)S(6,3,2)C(4,1,1)a(2,2)sm(2)");
    check_printed(&arch, text);
    assert_true(arch_equal(&arch, &other) && arch_is_modern(&arch) && !arch_is_dense(&arch));
    assert_int_equal(arch.layers[2].kind, LAYER_MOBILE);
    assert_int_equal(arch.layers[2].units, 12);
    assert_int_equal(arch.layers[2].kernel, 5);
    assert_int_equal(arch.layers[5].stride, 2);
}

static void layers_hold_what_is_written(void **state)
{
    const struct arch arch = parsed("C(16,3,2) P(2,1) A(4,3) FC(256) SM(10)");
    const struct layer expected[] = {{.kind = LAYER_CONV, .units = 16, .kernel = 3, .stride = 2},
                                     {.kind = LAYER_MAX_POOL, .units = 0, .kernel = 2, .stride = 1},
                                     {.kind = LAYER_AVERAGE_POOL, .units = 0, .kernel = 4, .stride = 3},
                                     {.kind = LAYER_FC, .units = 256, .kernel = 0, .stride = 0},
                                     {.kind = LAYER_SOFTMAX, .units = 10, .kernel = 0, .stride = 0}};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(arch.layers[i].kind, expected[i].kind);
        assert_int_equal(arch.layers[i].units, expected[i].units);
        assert_int_equal(arch.layers[i].kernel, expected[i].kernel);
        assert_int_equal(arch.layers[i].stride, expected[i].stride);
    }
}

static void every_message(void **state)
{
    static const char *const rows[][2] = {
        {"", "there is no layer; write for example C(16,3,1) P(2,2) C(32,3,1) A(4,4) FC(64) SM(10)"},
        {" \t", "there is no layer; write for example C(16,3,1) P(2,2) C(32,3,1) A(4,4) FC(64) SM(10)"},
        {"C(16,3,1)", "the last layer must be the classifier; add SM(classes)"},
        {"C(16,3,1) FC(8)", "the last layer must be the classifier; add SM(classes)"},
        {"P(2,2) SM(10)", "at least one convolution is needed; add C(filters,kernel,stride)"},
        {"SM(10)", "at least one convolution is needed; add C(filters,kernel,stride)"},
        {"C(16,3,1) FC(8) P(2,2) SM(10)", "layer 3, P(2,2): C, P, A, D, T, R, M and S must come before FC"},
        {"C(16,3,1) FC(8) C(4,1,1) SM(10)", "layer 3, C(4,1,1): C, P, A, D, T, R, M and S must come before FC"},
        {"C(16,3,1) SM(10) SM(10)", "layer 3, SM(10): nothing may follow SM, the classifier"},
        {"C(16,3,1) SM(10) P(2,2)", "layer 3, P(2,2): nothing may follow SM, the classifier"},
        {"C(0,3,1) SM(10)", "layer 1, C(0,3,1): filters must lie in 1 to 4096"},
        {"C(4097,3,1) SM(10)", "layer 1, C(4097,3,1): filters must lie in 1 to 4096"},
        {"C(16,4,1) SM(10)", "layer 1, C(16,4,1): kernel must be odd"},
        {"C(16,13,1) SM(10)", "layer 1, C(16,13,1): kernel must lie in 1 to 11"},
        {"C(16,3,0) SM(10)", "layer 1, C(16,3,0): stride must lie in 1 to 1024"},
        {"C(16,3,1) P(0,2) SM(10)", "layer 2, P(0,2): pool size must lie in 1 to 1024"},
        {"C(16,3,1) A(2,0) SM(10)", "layer 2, A(2,0): stride must lie in 1 to 1024"},
        {"C(16,3,1) FC(0) SM(10)", "layer 2, FC(0): units must lie in 1 to 4096"},
        {"C(16,3,1) SM(1)", "layer 2, SM(1): classes must lie in 2 to 4096"},
        {"C(99999999999999999999,3,1) SM(2)", "layer 1, C(999999999,3,1): filters must lie in 1 to 4096"},
        {"C(16,3,1) X(3) SM(10)",
         "layer 2, \"X(3)\": not a kind of layer; known are C, P, A, D, T, R, M, S, FC and SM"},
        {"C(16,3,1) CC(3) SM(10)",
         "layer 2, \"CC(3)\": not a kind of layer; known are C, P, A, D, T, R, M, S, FC and SM"},
        {"C(16,3,1), SM(10)", "layer 2, \",\": not a kind of layer; known are C, P, A, D, T, R, M, S, FC and SM"},
        {"D(4,[12,12,12])", "layer 1, D(4,[12]): a C must come before D and T"},
        {"P(2,2) T(0.5) C(4,3,1) SM(2)", "layer 2, T(0.5): a C must come before D and T"},
        {"C(4,3,1) D(4,[8,8]) C(4,3,1) SM(2)",
         "layer 4, C(4,3,1): only P, A, D or T may follow D and T: they begin with the BN that is due"},
        {"C(4,3,1) T(1) FC(4) SM(2)",
         "layer 3, FC(4): only P, A, D or T may follow D and T: they begin with the BN that is due"},
        {"C(4,3,1) D(0,[4]) SM(2)",
         "layer 3, SM(2): only P, A, D or T may follow D and T: they begin with the BN that is due"},
        {"C(4,3,1) FC(4) D(0,[4]) SM(2)", "layer 3, D(0,[4]): C, P, A, D, T, R, M and S must come before FC"},
        {"C(4,3,1) D(17,[4]) A(1,1) SM(2)", "layer 2, D(17,[4]): bottleneck must lie in 0 to 16"},
        {"C(4,3,1) D(4,[4,257]) A(1,1) SM(2)", "layer 3, D(4,[257]): growth rate must lie in 1 to 256"},
        {"C(4,3,1) D(4,[0]) A(1,1) SM(2)", "layer 2, D(4,[0]): growth rate must lie in 1 to 256"},
        {"C(4,3,1) D(4,[]) A(1,1) SM(2)", "layer 2, \"D(4,[])\": expected D(bottleneck,[growth,...])"},
        {"C(4,3,1) D(4,8) A(1,1) SM(2)", "layer 2, \"D(4,8)\": expected D(bottleneck,[growth,...])"},
        {"C(4,3,1) D(4,[8,]) A(1,1) SM(2)", "layer 2, \"D(4,[8,])\": expected D(bottleneck,[growth,...])"},
        {"C(4,3,1) D(4,[8,8) A(1,1) SM(2)", "layer 2, \"D(4,[8,8)\": expected D(bottleneck,[growth,...])"},
        {"C(4,3,1) D(4,[8] A(1,1) SM(2)", "layer 2, \"D(4,[8]\": expected D(bottleneck,[growth,...])"},
        {"C(4,3,1) T(0) A(1,1) SM(2)", "layer 2, T(0): reduction must lie in 0.01 to 1.00"},
        /* 100 × 42949673 is 2³² + 4. */
        {"C(4,3,1) T(42949673) A(1,1) SM(2)", "layer 2, T(9999999.99): reduction must lie in 0.01 to 1.00"},
        {"C(4,3,1) T(1.01) A(1,1) SM(2)", "layer 2, T(1.01): reduction must lie in 0.01 to 1.00"},
        {"C(4,3,1) T(0.505) A(1,1) SM(2)", "layer 2, \"T(0.505)\": expected T(reduction) with at most two decimals"},
        {"C(4,3,1) T(.5) A(1,1) SM(2)", "layer 2, \"T(.5)\": expected T(reduction) with at most two decimals"},
        {"C(4,3,1) T(1.) A(1,1) SM(2)", "layer 2, \"T(1.)\": expected T(reduction) with at most two decimals"},
        {"R(8,3) SM(2)", "layer 1, R(8,3): a C must come before R, M and S"},
        {"P(2,2) S(8,3,1) C(4,3,1) SM(2)", "layer 2, S(8,3,1): a C must come before R, M and S"},
        {"C(4,3,1) M(8,3) T(0.5) A(1,1) SM(2)",
         "layer 3, T(0.5): a network has either D and T, or R, M and S; choose one"},
        {"C(4,3,1) D(0,[4]) A(1,1) S(8,3,2) SM(2)",
         "layer 4, S(8,3,2): a network has either D and T, or R, M and S; choose one"},
        {"C(4,3,1) D(0,[4]) M(8,3) SM(2)",
         "layer 3, M(8,3): only P, A, D or T may follow D and T: they begin with the BN that is due"},
        {"C(4,3,1) FC(4) R(8,3) SM(2)", "layer 3, R(8,3): C, P, A, D, T, R, M and S must come before FC"},
        {"C(4,3,1) R(0,3) SM(2)", "layer 2, R(0,3): hidden channels must lie in 1 to 4096"},
        {"C(4,3,1) M(8,4) SM(2)", "layer 2, M(8,4): kernel must be odd"},
        {"C(4,3,1) M(8,13) SM(2)", "layer 2, M(8,13): kernel must lie in 1 to 11"},
        {"C(4,3,1) S(8,3,0) SM(2)", "layer 2, S(8,3,0): stride must lie in 1 to 1024"},
        {"C(4,3,1) R(8) SM(2)", "layer 2, \"R(8)\": expected R(hidden,kernel)"},
        {"C(4,3,1) M(8,3,1) SM(2)",
         "layer 2, \"M(8,3,1)\": expected M(hidden,kernel); behind the numbers may stand se, then hs"},
        {"C(4,3,1) S(8,3) SM(2)", "layer 2, \"S(8,3)\": expected S(filters,kernel,stride)"},
        {"C(16,3) SM(10)", "layer 1, \"C(16,3)\": expected C(filters,kernel,stride)"},
        {"C(16,3,1,1) SM(10)", "layer 1, \"C(16,3,1,1)\": expected C(filters,kernel,stride)"},
        {"C(16,3,1", "layer 1, \"C(16,3,1\": expected C(filters,kernel,stride)"},
        {"C(16,-3,1) SM(10)", "layer 1, \"C(16,-3,1)\": expected C(filters,kernel,stride)"},
        {"C(16,,1) SM(10)", "layer 1, \"C(16,,1)\": expected C(filters,kernel,stride)"},
        {"C 16 SM(10)", "layer 1, \"C\": expected C(filters,kernel,stride)"},
        {"C(16,3,1) P(2) SM(10)", "layer 2, \"P(2)\": expected P(size,stride)"},
        {"C(16,3,1) A[4,4] SM(10)", "layer 2, \"A[4,4]\": expected A(size,stride)"},
        {"C(16,3,1) FC() SM(10)", "layer 2, \"FC()\": expected FC(units)"},
        {"C(16,3,1) SM", "layer 2, \"SM\": expected SM(classes)"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "layer 1, \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\": not a kind of layer; known are C, P, A, D, T, R, "
         "M, S, FC and SM"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arch arch;
        struct error error = {""};
        assert_int_equal(arch_parse(&arch, rows[i][0], &error), -1);
        assert_string_equal(error.text, rows[i][1]);
        assert_int_equal(arch_parse(&arch, rows[i][0], NULL), -1);
    }
}

static void depth_ends_at_the_most_layers(void **state)
{
    struct text text = TEXT_EMPTY;
    struct arch arch;
    struct error error;
    for (int i = 0; i < ARCH_LAYERS_MAX - 1; i++)
        text_add(&text, "C(1,1,1) ");
    text_add(&text, "SM(2)");
    assert_int_equal(arch_parse(&arch, text_string(&text), &error), 0);
    assert_int_equal(arch.layer_count, ARCH_LAYERS_MAX);
    text_add(&text, " SM(2)");
    assert_int_equal(arch_parse(&arch, text_string(&text), &error), -1);
    assert_string_equal(error.text, "more than 128 layers; the network is too deep");
    text_done(&text);
}

static void random_ones_parse_as_they_print(void **state)
{
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 0, 0);
    struct arch last = parsed(START);
    for (int i = 0; i < 2000; i++) {
        struct shape input = random_input(&stream), shapes[ARCH_LAYERS_MAX];
        struct arch arch = random_arch(&stream, input);
        struct text text = TEXT_EMPTY;
        struct error error = {""};
        arch_print(&arch, &text);
        struct arch again = parsed(text_string(&text));
        assert_true(arch_equal(&arch, &again));
        assert_int_equal(arch_equal(&arch, &last), hash_equal(arch_hash(&arch), arch_hash(&last)));
        if (arch_shapes(&arch, input, shapes, &error))
            fail_msg("%s for %d x %d x %d: %s", text_string(&text), input.channels, input.height, input.width,
                     error.text);
        text_done(&text);
        last = arch;
    }
}

/* Each field of each layer makes a difference, to equality and to the hash. */
static void any_difference_counts(void **state)
{
    static const char *const others[] = {
        "C(8,3,1) P(2,2) FC(8) SM(10)",       "C(4,5,1) P(2,2) FC(8) SM(10)", "C(4,3,2) P(2,2) FC(8) SM(10)",
        "C(4,3,1) P(3,2) FC(8) SM(10)",       "C(4,3,1) P(2,1) FC(8) SM(10)", "C(4,3,1) A(2,2) FC(8) SM(10)",
        "C(4,3,1) P(2,2) FC(9) SM(10)",       "C(4,3,1) P(2,2) FC(8) SM(11)", "C(4,3,1) P(2,2) SM(10)",
        "C(4,3,1) P(2,2) FC(8) FC(8) SM(10)",
    };
    static const char *const dense[] = {
        "C(4,3,1) D(4,[8,9]) T(0.5) A(2,2) SM(10)",        "C(4,3,1) D(3,[8,8]) T(0.5) A(2,2) SM(10)",
        "C(4,3,1) D(4,[8]) T(0.5) A(2,2) SM(10)",          "C(4,3,1) D(4,[8,8]) T(0.51) A(2,2) SM(10)",
        "C(4,3,1) D(4,[8]) D(0,[8]) T(0.5) A(2,2) SM(10)",
    };
    const struct arch block = parsed("C(4,3,1) D(4,[8,8]) T(0.5) A(2,2) SM(10)");
    for (size_t i = 0; i < sizeof(dense) / sizeof(dense[0]); i++) {
        const struct arch other = parsed(dense[i]);
        assert_false(arch_equal(&block, &other));
        assert_false(hash_equal(arch_hash(&block), arch_hash(&other)));
    }
    static const char *const modern[] = {
        "C(4,3,1) R(9,3) M(8,3) S(6,3,1) SM(2)", "C(4,3,1) R(8,5) M(8,3) S(6,3,1) SM(2)",
        "C(4,3,1) R(8,3) M(9,3) S(6,3,1) SM(2)", "C(4,3,1) R(8,3) M(8,5) S(6,3,1) SM(2)",
        "C(4,3,1) R(8,3) M(8,3) S(7,3,1) SM(2)", "C(4,3,1) R(8,3) M(8,3) S(6,5,1) SM(2)",
        "C(4,3,1) R(8,3) M(8,3) S(6,3,2) SM(2)", "C(4,3,1) M(8,3) R(8,3) S(6,3,1) SM(2)",
    };
    const struct arch stream = parsed("C(4,3,1) R(8,3) M(8,3) S(6,3,1) SM(2)");
    for (size_t i = 0; i < sizeof(modern) / sizeof(modern[0]); i++) {
        const struct arch other = parsed(modern[i]);
        assert_false(arch_equal(&stream, &other));
        assert_false(hash_equal(arch_hash(&stream), arch_hash(&other)));
    }
    const struct arch arch = parsed("C(4,3,1) P(2,2) FC(8) SM(10)");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct arch other = parsed(others[i]);
        assert_false(arch_equal(&arch, &other));
        assert_false(hash_equal(arch_hash(&arch), arch_hash(&other)));
    }
}

/* The hash names networks in sessions: it may never change. */
static void hash_is_of_the_canonical_spelling(void **state)
{
    const struct arch arch = parsed(START);
    assert_true(hash_equal(arch_hash(&arch), hash_of(START, strlen(START))));
}

static void check_shapes(const char *text, struct shape input, const struct shape *expected)
{
    const struct arch arch = parsed(text);
    struct shape shapes[ARCH_LAYERS_MAX];
    struct error error = {""};
    if (arch_shapes(&arch, input, shapes, &error))
        fail_msg("%s", error.text);
    for (int i = 0; i < arch.layer_count; i++) {
        assert_int_equal(shapes[i].channels, expected[i].channels);
        assert_int_equal(shapes[i].height, expected[i].height);
        assert_int_equal(shapes[i].width, expected[i].width);
    }
}

static void shapes_by_hand(void **state)
{
    check_shapes(START, (struct shape){3, 32, 32},
                 (struct shape[]){{4, 32, 32},
                                  {4, 16, 16},
                                  {4, 16, 16},
                                  {4, 8, 8},
                                  {4, 8, 8},
                                  {4, 4, 4},
                                  {4, 4, 4},
                                  {4, 1, 1},
                                  {8, 1, 1},
                                  {10, 1, 1}});
    check_shapes("C(3,5,2) P(3,2) FC(4) FC(2) SM(3)", (struct shape){1, 9, 7},
                 (struct shape[]){{3, 5, 4}, {3, 2, 1}, {4, 1, 1}, {2, 1, 1}, {3, 1, 1}});
    check_shapes("C(2,11,3) A(1,1) SM(2)", (struct shape){1, 1, 4}, (struct shape[]){{2, 1, 2}, {2, 1, 2}, {2, 1, 1}});
}

static void check_refused(const char *text, struct shape input, const char *message)
{
    const struct arch arch = parsed(text);
    struct shape shapes[ARCH_LAYERS_MAX];
    struct error error = {""};
    assert_int_equal(arch_shapes(&arch, input, shapes, &error), -1);
    assert_string_equal(error.text, message);
    struct arch_limits none = {0};
    assert_int_equal(arch_within(&arch, input, &none, &error), -1);
    assert_string_equal(error.text, message);
}

static void what_does_not_fit_is_refused(void **state)
{
    check_refused(
        "C(4,3,1) P(2,2) A(4,4) SM(2)", (struct shape){1, 7, 9},
        "layer 3, A(4,4): its pool of 4 x 4 doesn't fit into the map of 3 x 4; use fewer pools or smaller ones");
    check_refused(
        "C(4,3,1) P(5,1) SM(2)", (struct shape){1, 9, 4},
        "layer 2, P(5,1): its pool of 5 x 5 doesn't fit into the map of 9 x 4; use fewer pools or smaller ones");
    check_refused(
        "C(17,1,1) P(8,8) SM(2)", (struct shape){1, 1024, 1024},
        "layer 1, C(17,1,1): 17825792 output values an image, more than 16777216; use fewer filters or a pool "
        "before it");
    check_refused("C(4096,11,1) C(4096,1,1) FC(4096) SM(2)", (struct shape){1, 4, 4},
                  "285741058 parameters, more than 268435456, the most there can be; use a smaller network");
    check_refused("C(4,3,1) SM(2)", (struct shape){17, 1024, 1024},
                  "images of 17 channels, 1024 x 1024 pixels; more than 16777216 values can't be handled");
    static const char sizes[] = "channels must lie in 1 to 4096 and sides in 1 to 1024";
    const struct shape inputs[] = {{0, 8, 8}, {4097, 8, 8}, {3, 0, 8}, {3, 8, 1025}};
    for (int i = 0; i < 4; i++) {
        char message[160];
        snprintf(message, sizeof(message), "images of %d channels, %d x %d pixels; %s", inputs[i].channels,
                 inputs[i].height, inputs[i].width, sizes);
        check_refused("C(4,3,1) SM(2)", inputs[i], message);
    }
}

/* A value that was not parsed is checked as well. */
static void shapes_check_the_layers_too(void **state)
{
    struct arch arch = parsed("C(4,3,1) SM(2)");
    struct shape shapes[ARCH_LAYERS_MAX];
    struct error error;
    arch.layers[0].kernel = 2;
    assert_int_equal(arch_shapes(&arch, (struct shape){1, 8, 8}, shapes, &error), -1);
    assert_string_equal(error.text, "layer 1, C(4,2,1): kernel must be odd");
    arch.layer_count = 0;
    assert_int_equal(arch_shapes(&arch, (struct shape){1, 8, 8}, shapes, &error), -1);
}

static void check_cost(const char *text, struct shape input, int64_t parameters, int64_t flops, int64_t values)
{
    const struct arch arch = parsed(text);
    struct arch_cost cost = arch_cost(&arch, input);
    assert_int_equal(cost.parameters, parameters);
    assert_int_equal(cost.flops, flops);
    assert_int_equal(cost.activation_bytes, 4 * values);
}

/* Layer by layer, by hand: multiply-adds count 2, BN 2, ReLU 1, a pool its window, the classifier's bias 1. */
static void costs_by_hand(void **state)
{
    check_cost(START, (struct shape){3, 32, 32}, 116 + 3 * 152 + 48 + 90,
               233472 + 4096 + 76800 + 1024 + 19200 + 256 + 4800 + 64 + 88 + 170,
               4096 + 1024 + 1024 + 256 + 256 + 64 + 64 + 4 + 8 + 10);
    check_cost("C(3,5,2) P(3,2) FC(4) FC(2) SM(3)", (struct shape){1, 9, 7}, 81 + 32 + 12 + 9, 3180 + 54 + 60 + 22 + 15,
               60 + 6 + 4 + 2 + 3);
    /* Past 32 bits: 2 · 16² · 1024² FLOPs in the second layer alone, and 2 · 11² · 16² · 1024² in the third. */
    const int64_t pixels = 1024 * 1024, values = 16 * pixels;
    check_cost("C(16,1,1) C(16,1,1) C(16,11,1) A(1024,1024) SM(2)", (struct shape){1, 1024, 1024},
               16 + 16 * 16 + 121 * 16 * 16 + 3 * 32 + 2 * 16 + 2,
               2 * values + 2 * 16 * values + 2 * 121 * 16 * values + 3 * 3 * values + values + 2 * 2 * 16 + 2,
               3 * values + 16 + 2);
}

/* D adds channels, T takes a part of them, rounded down but not to none, and halves the map. */
static void dense_shapes_by_hand(void **state)
{
    check_shapes("C(4,3,1) D(2,[3,5]) T(0.4) D(0,[2]) P(2,1) C(3,1,1) T(0.01) A(1,1) SM(2)", (struct shape){1, 7, 9},
                 (struct shape[]){{4, 7, 9},
                                  {7, 7, 9},
                                  {12, 7, 9},
                                  {4, 3, 4},
                                  {6, 3, 4},
                                  {6, 2, 3},
                                  {3, 2, 3},
                                  {1, 1, 1},
                                  {1, 1, 1},
                                  {2, 1, 1}});
    check_refused(
        "C(4,3,1) T(0.5) A(1,1) SM(2)", (struct shape){1, 1, 8},
        "layer 2, T(0.5): its pool of 2 x 2 doesn't fit into the map of 1 x 8; use fewer pools or smaller ones");
    check_refused("C(4000,1,1) D(0,[97]) A(1,1) SM(2)", (struct shape){1, 2, 2},
                  "layer 2, D(0,[97]): the block has 4097 channels, more than 4096; use smaller growth rates or a T");
}

static void add_block(struct text *text, int layers, int growth)
{
    for (int i = 0; i < layers; i++)
        text_add(text, "%s%d", i ? "," : "D(4,[", growth);
    text_add(text, "]) ");
}

static void dense_costs_by_hand(void **state)
{
    /* 8 x 8 and then 4 x 4 pixels, a layer with bottleneck and one without, a transition, a pool with BN. */
    check_cost("C(4,3,1) D(2,[3]) D(0,[2]) T(0.5) A(4,4) SM(5)", (struct shape){1, 8, 8},
               36 + 8 + 8 + 4 * 6 + 12 + 9 * 6 * 3 + 14 + 9 * 7 * 2 + 18 + 9 * 4 + 8 + 20 + 5,
               64 * (2 * 36 + 12 + 12 + 2 * 24 + 18 + 2 * 162 + 21 + 2 * 126 + 27) + 16 * (4 * 9 + 2 * 36 + 3 * 4) +
                   16 * 4 + 2 * 20 + 5,
               64 * (4 + 4 + 6 + 3 + 7 + 2) + 16 * (9 + 4) + 4 + 5);

    /* As published: DenseNet-121 has 7,978,856 parameters; DenseNet-BC with 100 layers and k = 12 has 769,162 on
       CIFAR-10, without the BN behind the first convolution, which is a part of C here. */
    static const int layers_121[] = {6, 12, 24, 16};
    struct text text = TEXT_EMPTY;
    text_add(&text, "C(64,7,2) P(3,2) ");
    for (int i = 0; i < 4; i++) {
        add_block(&text, layers_121[i], 32);
        text_add(&text, i < 3 ? "T(0.5) " : "A(6,6) SM(1000)");
    }
    struct arch arch = parsed(text_string(&text));
    struct error error;
    assert_int_equal(arch_cost(&arch, (struct shape){3, 224, 224}).parameters, 7978856);
    assert_int_equal(
        arch_within(&arch, (struct shape){3, 224, 224}, &(struct arch_limits){.depth = 121, .batch = 1}, &error), 0);
    assert_int_equal(
        arch_within(&arch, (struct shape){3, 224, 224}, &(struct arch_limits){.depth = 120, .batch = 1}, &error), -1);
    text_done(&text);
    text = TEXT_EMPTY;
    text_add(&text, "C(24,3,1) ");
    for (int i = 0; i < 3; i++) {
        add_block(&text, 16, 12);
        text_add(&text, i < 2 ? "T(0.5) " : "A(8,8) SM(10)");
    }
    arch = parsed(text_string(&text));
    assert_int_equal(arch_cost(&arch, (struct shape){3, 32, 32}).parameters, 769162 + 2 * 24);
    text_done(&text);
}

/* Layer by layer: C, R, M, S, A and SM. */
static void modern_costs_by_hand(void **state)
{
    static const char text[] = "C(4,3,1) R(6,3) M(10,5) S(5,3,2) A(4,4) SM(2)";
    const struct arch arch = parsed(text);
    const struct shape input = {3, 8, 8};
    check_shapes(text, input, (struct shape[]){{4, 8, 8}, {4, 8, 8}, {4, 8, 8}, {5, 4, 4}, {5, 1, 1}, {2, 1, 1}});
    check_cost(text, input, 116 + (216 + 12 + 216 + 8) + (40 + 20 + 250 + 20 + 40 + 8) + (36 + 8 + 20 + 10) + 12,
               64 * (2 * 108 + 12) + 64 * (2 * 216 + 18 + 2 * 216 + 8 + 4) +
                   64 * (2 * 40 + 30 + 2 * 250 + 30 + 2 * 40 + 8 + 4) + 16 * (2 * 36 + 12 + 2 * 20 + 15) + 16 * 5 + 22,
               64 * (4 + 6 + 4 + 10 + 10 + 4) + 16 * (4 + 5) + 5 + 2);
    assert_int_equal(arch_cost(&arch, input).depth, 1 + 2 + 3 + 2 + 1);
    check_refused("C(16,1,1) M(17,1) P(8,8) SM(2)", (struct shape){1, 1024, 1024},
                  "layer 2, M(17,1): 17825792 output values an image, more than 16777216; use fewer filters or a pool "
                  "before it");
}

static void check_limit(struct arch_limits limits, const char *message)
{
    const struct arch arch = parsed(START);
    struct error error = {""};
    assert_int_equal(arch_within(&arch, (struct shape){3, 32, 32}, &limits, &error), *message ? -1 : 0);
    assert_string_equal(error.text, message);
}

static void limits_are_inclusive_and_optional(void **state)
{
    check_limit((struct arch_limits){0}, "");
    check_limit((struct arch_limits){.depth = 6, .parameters = 710, .flops = 339970, .memory = 64 * 27224, .batch = 64},
                "");
    check_limit((struct arch_limits){.depth = 5},
                "6 layers with weights, 1 over the limit of 5; use a smaller network or raise --limit-depth");
    check_limit((struct arch_limits){.parameters = 700},
                "710 parameters, 10 over the limit of 700; use a smaller network or raise --limit-params");
    check_limit((struct arch_limits){.flops = 339969},
                "339970 FLOPs an image, 1 over the limit of 339969; use a smaller network or raise --limit-flops");
    check_limit(
        (struct arch_limits){.memory = 1000000, .batch = 64},
        "1742336 bytes of activations a batch, 742336 over the limit of 1000000; use a smaller network or raise "
        "--limit-memory");
}

static void names_both_ways(void **state)
{
    static const char *const names[] = {"conv1", "conv2",    "pool1", "average1", "conv3",
                                        "pool2", "average2", "fc1",   "fc2",      "classifier"};
    const struct arch arch = parsed("C(4,3,1) C(4,3,1) P(2,2) A(2,2) C(4,3,1) P(1,1) A(1,1) FC(8) FC(8) SM(10)");
    for (int i = 0; i < arch.layer_count; i++) {
        char name[LAYER_NAME_MAX];
        layer_name(&arch, i, name);
        assert_string_equal(name, names[i]);
        assert_int_equal(layer_find(&arch, names[i]), i);
        assert_int_equal(layer_is_flat(&arch.layers[i]), i > 6);
    }
    static const char *const dense_names[] = {"conv1",  "dense1",   "dense2",    "transition1",
                                              "dense3", "average1", "classifier"};
    const struct arch dense = parsed("C(4,3,1) D(4,[8]) D(0,[8]) T(0.5) D(0,[8]) A(2,2) SM(10)");
    for (int i = 0; i < dense.layer_count; i++) {
        char name[LAYER_NAME_MAX];
        layer_name(&dense, i, name);
        assert_string_equal(name, dense_names[i]);
        struct layer_parts parts;
        layer_parts_of(&dense, i, (struct shape){4, 8, 8}, &parts);
        assert_int_equal(parts.parts[0].kind == PART_BN_RELU, i > 0 && i < 6);
        assert_int_equal(layer_grows(&dense.layers[i]), i != 3 && i < 5);
    }
    static const char *const modern_names[] = {"conv1",    "residual1",  "mobile1",   "mobile2",
                                               "average1", "separable1", "classifier"};
    const struct arch modern = parsed("C(4,3,1) R(8,3) M(8,3) M(8,3) A(2,2) S(4,3,1) SM(10)");
    for (int i = 0; i < modern.layer_count; i++) {
        char name[LAYER_NAME_MAX];
        layer_name(&modern, i, name);
        assert_string_equal(name, modern_names[i]);
        assert_int_equal(layer_grows(&modern.layers[i]), i != 4 && i < 6);
    }
    static const char *const unknown[] = {"", "conv", "conv0", "conv4", "conv01", "Conv1", "conv1 ", "classifier1"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(layer_find(&arch, unknown[i]), -1);
}

/* A row of the table that lacks something shows here. */
static void every_kind_is_described(void **state)
{
    bool taken[LAYER_KINDS] = {false};
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        const struct layer_traits *traits = layer_kind_traits((enum layer_kind)kind);
        assert_true(traits->symbol && traits->name && traits->form && traits->parts);
        assert_true(traits->widths == WIDTHS_NONE || (traits->noun && traits->counts));
        assert_true(traits->token_place >= 0 && traits->token_place < LAYER_KINDS && !taken[traits->token_place]);
        taken[traits->token_place] = true;
        assert_memory_equal(traits->form, traits->symbol, strlen(traits->symbol));
        for (int other = 0; other < kind; other++) {
            assert_string_not_equal(traits->symbol, layer_kind_traits((enum layer_kind)other)->symbol);
            assert_string_not_equal(traits->name, layer_kind_traits((enum layer_kind)other)->name);
            /* A dense space's words come behind those of any space, and a modern one's behind these. */
            const struct layer_traits *others = layer_kind_traits((enum layer_kind)other);
            int family = traits->dense + 2 * traits->modern, other_family = others->dense + 2 * others->modern;
            assert_true(family == other_family ||
                        (others->token_place < traits->token_place) == (other_family < family));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_prints_as_one),
        cmocka_unit_test(every_dense_spelling_prints_as_one),
        cmocka_unit_test(every_modern_spelling_prints_as_one),
        cmocka_unit_test(layers_hold_what_is_written),
        cmocka_unit_test(every_message),
        cmocka_unit_test(depth_ends_at_the_most_layers),
        cmocka_unit_test(random_ones_parse_as_they_print),
        cmocka_unit_test(any_difference_counts),
        cmocka_unit_test(hash_is_of_the_canonical_spelling),
        cmocka_unit_test(shapes_by_hand),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(shapes_check_the_layers_too),
        cmocka_unit_test(costs_by_hand),
        cmocka_unit_test(dense_shapes_by_hand),
        cmocka_unit_test(dense_costs_by_hand),
        cmocka_unit_test(modern_costs_by_hand),
        cmocka_unit_test(limits_are_inclusive_and_optional),
        cmocka_unit_test(names_both_ways),
        cmocka_unit_test(every_kind_is_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
