/* test_random.c - the published answers of Philox, and that the draws made of it are what they claim to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/random.h"

/* From kat_vectors of the authors' Random123 library: philox4x32 with 10 rounds. */
static void published_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        struct random_stream stream = {.used = 4};
        memcpy(stream.counter, rows[row].counter, sizeof(stream.counter));
        memcpy(stream.key, rows[row].key, sizeof(stream.key));
        for (int i = 0; i < 4; i++)
            assert_int_equal(random_word(&stream), rows[row].answer[i]);
    }
}

/* The mapping of (seed, purpose, a, b) to key and counter is part of the session format. */
static void streams_are_laid_out_as_written(void **state)
{
    struct random_stream stream = random_stream_new(0x0123456789abcdef, RANDOM_MORPH, 7, 9);
    assert_int_equal(stream.key[0], 0x89abcdef);
    assert_int_equal(stream.key[1], 0x01234567);
    const uint32_t counter[] = {0, RANDOM_MORPH, 7, 9};
    assert_memory_equal(stream.counter, counter, sizeof(counter));
    for (int i = 0; i < 5; i++)
        random_word(&stream);
    assert_int_equal(stream.counter[0], 2);
}

static void block_number_carries_without_touching_the_purpose(void **state)
{
    struct random_stream stream = random_stream_new(1, RANDOM_ORDER, 2, 3);
    stream.counter[0] = UINT32_MAX;
    random_word(&stream);
    assert_int_equal(stream.counter[0], 0);
    assert_int_equal(stream.counter[1], (1u << 16) + RANDOM_ORDER);
}

static void streams_differ_and_repeat(void **state)
{
    struct random_stream streams[] = {
        random_stream_new(1, RANDOM_TEST, 0, 0),          random_stream_new(2, RANDOM_TEST, 0, 0),
        random_stream_new(1ull << 32, RANDOM_TEST, 0, 0), random_stream_new(1, RANDOM_MORPH, 0, 0),
        random_stream_new(1, RANDOM_TEST, 1, 0),          random_stream_new(1, RANDOM_TEST, 0, 1),
    };
    enum { STREAMS = sizeof(streams) / sizeof(streams[0]) };
    uint32_t words[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        struct random_stream copy = streams[i];
        words[i] = random_word(&streams[i]);
        assert_int_equal(random_word(&copy), words[i]);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(words[i], words[j]);
    }
}

static void below_is_in_range_and_even(void **state)
{
    struct random_stream stream = random_stream_new(3, RANDOM_TEST, 0, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_below(&stream, 1), 0);
    enum { BOUND = 7, DRAWS = 70000 };
    int counts[BOUND] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint32_t draw = random_below(&stream, BOUND);
        assert_in_range(draw, 0, BOUND - 1);
        counts[draw]++;
    }
    double chi_squared = 0, expected = (double)DRAWS / BOUND;
    for (int i = 0; i < BOUND; i++)
        chi_squared += (counts[i] - expected) * (counts[i] - expected) / expected;
    assert_true(chi_squared < 22.5); /* 6 degrees of freedom: 0.1 % */

    /* With bound 3·2^30 a draw without rejection would fall on multiples of 3 twice as often. */
    int multiples = 0;
    for (int i = 0; i < 30000; i++)
        multiples += random_below(&stream, 3u << 30) % 3 == 0;
    assert_true(abs(multiples - 10000) < 330); /* 4 standard deviations */
}

static void uniform_has_its_moments(void **state)
{
    struct random_stream stream = random_stream_new(4, RANDOM_TEST, 0, 0);
    enum { DRAWS = 100000 };
    double sum = 0, squares = 0;
    for (int i = 0; i < DRAWS; i++) {
        float draw = random_uniform(&stream);
        assert_true(draw >= 0 && draw < 1);
        sum += draw;
        squares += (double)draw * draw;
    }
    assert_true(fabs(sum / DRAWS - 0.5) < 0.004);
    assert_true(fabs(squares / DRAWS - 1.0 / 3) < 0.004);
}

static void normal_has_its_moments_and_tails(void **state)
{
    struct random_stream stream = random_stream_new(5, RANDOM_TEST, 0, 0);
    enum { DRAWS = 100000 };
    double sum = 0, squares = 0, fourth = 0, products = 0, last = 0;
    int outside_one = 0, outside_two = 0;
    for (int i = 0; i < DRAWS; i++) {
        double draw = random_normal(&stream);
        assert_true(isfinite(draw));
        sum += draw;
        squares += draw * draw;
        fourth += draw * draw * draw * draw;
        products += draw * last;
        last = draw;
        outside_one += fabs(draw) > 1;
        outside_two += fabs(draw) > 2;
    }
    assert_true(fabs(sum / DRAWS) < 0.013);
    assert_true(fabs(squares / DRAWS - 1) < 0.018);
    assert_true(fabs(fourth / DRAWS - 3) < 0.13);
    assert_true(fabs(products / DRAWS) < 0.013); /* the two values of a pair are independent */
    assert_true(fabs(outside_one / (double)DRAWS - 0.3173) < 0.006);
    assert_true(fabs(outside_two / (double)DRAWS - 0.0455) < 0.003);
}

/* Every order of four comes up about equally often. */
static void shuffle_is_a_fair_permutation(void **state)
{
    struct random_stream stream = random_stream_new(6, RANDOM_TEST, 0, 0);
    enum { ORDERS = 24, SHUFFLES = 24000 };
    int counts[256] = {0}, seen = 0;
    for (int i = 0; i < SHUFFLES; i++) {
        int32_t items[] = {0, 1, 2, 3};
        random_shuffle(&stream, items, 4);
        unsigned bits = 0;
        for (int j = 0; j < 4; j++)
            bits |= 1u << items[j];
        assert_int_equal(bits, 15);
        counts[items[0] + 4 * items[1] + 16 * items[2] + 64 * items[3]]++;
    }
    double chi_squared = 0, expected = (double)SHUFFLES / ORDERS;
    for (int i = 0; i < 256; i++) {
        seen += counts[i] > 0;
        if (counts[i])
            chi_squared += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    assert_int_equal(seen, ORDERS);
    assert_true(chi_squared < 49.7); /* 23 degrees of freedom: 0.1 % */
    random_shuffle(&stream, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_answers),
        cmocka_unit_test(streams_are_laid_out_as_written),
        cmocka_unit_test(block_number_carries_without_touching_the_purpose),
        cmocka_unit_test(streams_differ_and_repeat),
        cmocka_unit_test(below_is_in_range_and_even),
        cmocka_unit_test(uniform_has_its_moments),
        cmocka_unit_test(normal_has_its_moments_and_tails),
        cmocka_unit_test(shuffle_is_a_fair_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
