/*
 * test_morph.c - the transformations: what their law (test_chains.c) can't see.
 *
 * Where the noise goes, how a unit is shared out, what the batch normalisation carries.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "morph_bed.h"
#include "naive_forward.h"
#include "util/bug.h"
#include "util/memory.h"

static const struct morph_options exact_equal = {MORPH_SPLIT_EQUAL, 0, 0};
static const struct morph_options exact_unequal = {MORPH_SPLIT_UNEQUAL, 0, 0};
static const struct morph_options fresh = {MORPH_SPLIT_FRESH, 0, 0};

#define SMALL_NETWORK "C(3,3,1) P(2,2) C(4,3,1) FC(5) SM(3)"
enum { CONV1, POOL1, CONV2, FC1, CLASSIFIER };
static const struct shape small_input = {2, 6, 6};

static struct weights *small_network(void)
{
    struct random_stream stream = test_stream(1, 1);
    return random_weights(SMALL_NETWORK, small_input, &stream);
}

static const float *weight_of(const struct weights *weights, int layer)
{
    return weights->values + weights->layout.layers[layer].weight;
}

static void assert_same(const float *a, const float *b, int64_t count)
{
    assert_memory_equal(a, b, (size_t)count * sizeof(float));
}

static void index_map_is_fixed(void **state)
{
    static const int32_t expected[10] = {0, 1, 2, 3, 3, 3, 1, 3, 0, 2};
    struct random_stream stream = test_stream(0, 0);
    int32_t map[10];
    morph_index_map(&stream, 4, 10, map);
    assert_memory_equal(map, expected, sizeof map);
}

static void index_map_draws_every_unit_equally(void **state)
{
    enum { OLD = 8, NEW = 8 + 8000 };
    static int32_t map[NEW];
    int drawn[OLD] = {0};
    struct random_stream stream = test_stream(0, 1);
    morph_index_map(&stream, OLD, NEW, map);
    for (int i = 0; i < NEW; i++) {
        assert_in_range(map[i], 0, OLD - 1);
        if (i < OLD)
            assert_int_equal(map[i], i);
        else
            drawn[map[i]]++;
    }
    for (int i = 0; i < OLD; i++)
        assert_in_range(drawn[i], 850, 1150); /* 1000 expected, deviation 30 */
}

/* The map is the first thing that a widening draws: the same stream gives it to the test. */
static void widening_remaps_the_layer_and_its_statistics(void **state)
{
    struct weights *parent = small_network();
    struct random_stream stream = test_stream(2, 0), again = stream;
    int32_t map[9];
    morph_index_map(&again, 4, 9, map);
    struct weights *child =
        apply(parent, (struct action){ACTION_WIDEN, CONV2, 9, 0, 0, 0}, &exact_equal, NULL, &stream);
    const struct weights_layer *from = &parent->layout.layers[CONV2], *to = &child->layout.layers[CONV2];
    assert_int_equal(to->outputs, 9);
    for (int i = 0; i < 9; i++) {
        assert_same(weight_of(child, CONV2) + i * 27, weight_of(parent, CONV2) + map[i] * 27, 27);
        assert_true(child->values[to->gamma + i] == parent->values[from->gamma + map[i]]);
        assert_true(child->values[to->beta + i] == parent->values[from->beta + map[i]]);
        assert_true(child->values[to->mean + i] == parent->values[from->mean + map[i]]);
        assert_true(child->values[to->variance + i] == parent->values[from->variance + map[i]]);
    }
    weights_free(parent);
    weights_free(child);
}

/* For each old unit, what its copies give to the reader adds up to what it gave. */
static void assert_shared_out(const struct weights *parent, const struct weights *child, int reader, int old_units,
                              int new_units, const int32_t *map)
{
    const struct weights_layer *from = &parent->layout.layers[reader], *to = &child->layout.layers[reader];
    int window = from->kernel * from->kernel, block = from->inputs * window / old_units;
    assert_int_equal(to->inputs * window, new_units * block);
    for (int output = 0; output < from->outputs; output++)
        for (int unit = 0; unit < old_units; unit++)
            for (int i = 0; i < block; i++) {
                double sum = 0, whole = weight_of(parent, reader)[(output * old_units + unit) * block + i];
                for (int copy = 0; copy < new_units; copy++)
                    if (map[copy] == unit)
                        sum += weight_of(child, reader)[(output * new_units + copy) * block + i];
                assert_true(fabs(sum - whole) <= 1e-6 * fabs(whole));
            }
    assert_same(child->values + to->mean, parent->values + from->mean, from->mean < 0 ? 0 : from->outputs);
}

static void readers_share_out_what_a_unit_gave(void **state)
{
    /* A convolution behind a pool, the first FC behind a map (6 x 6 halved: 9 values a channel), the classifier. */
    static const struct {
        int layer, reader, old_units;
    } cases[] = {{CONV1, CONV2, 3}, {CONV2, FC1, 4}, {FC1, CLASSIFIER, 5}};
    for (size_t c = 0; c < COUNT_OF(cases); c++)
        for (int split = 0; split < 2; split++) {
            struct weights *parent = small_network();
            struct random_stream stream = test_stream(3, (uint32_t)c), again = stream;
            int old_units = cases[c].old_units, new_units = old_units + 4;
            int32_t map[16];
            morph_index_map(&again, old_units, new_units, map);
            struct weights *child = apply(parent, (struct action){ACTION_WIDEN, cases[c].layer, new_units, 0, 0, 0},
                                          split ? &exact_unequal : &exact_equal, NULL, &stream);
            assert_shared_out(parent, child, cases[c].reader, old_units, new_units, map);
            weights_free(parent);
            weights_free(child);
        }
}

/* 3 units, 40 more: every unit has copies, and their shares can be read off the classifier. */
static void shares_are_equal_or_all_different_and_never_extreme(void **state)
{
    enum { OLD = 3, NEW = 43 };
    for (int split = 0; split < 2; split++) {
        struct random_stream weights_stream = test_stream(4, 0), stream = test_stream(4, 1), again = stream;
        struct weights *parent = random_weights("C(2,3,1) FC(3) SM(2)", small_input, &weights_stream);
        int32_t map[NEW], copies[OLD] = {0};
        morph_index_map(&again, OLD, NEW, map);
        for (int i = 0; i < NEW; i++)
            copies[map[i]]++;
        struct weights *child = apply(parent, (struct action){ACTION_WIDEN, 1, NEW, 0, 0, 0},
                                      split ? &exact_unequal : &exact_equal, NULL, &stream);
        int different = 0;
        for (int i = 0; i < NEW; i++) {
            /* 1 for an equal part; unequal ones are drawn from a range of 1 to 3. */
            double part = weight_of(child, 2)[i] / weight_of(parent, 2)[map[i]] * copies[map[i]];
            assert_true(part > 1 / 3.0 && part < 3);
            different += fabs(part - 1) > 1e-5;
        }
        assert_in_range(different, split ? NEW - 2 : 0, split ? NEW : 0);
        weights_free(parent);
        weights_free(child);
    }
}

static void other_layers_and_the_parent_stay_as_they_were(void **state)
{
    struct weights *parent = small_network(), *before = weights_copy(parent);
    struct random_stream stream = test_stream(5, 0);
    static const struct morph_options noisy = {MORPH_SPLIT_UNEQUAL, 0.1f, 0.1f};
    struct weights *wide = apply(parent, (struct action){ACTION_WIDEN, CONV1, 5, 0, 0, 0}, &noisy, NULL, &stream);
    struct weights *deep = apply(parent, (struct action){ACTION_DEEPEN, CONV2, 0, 3, 0, 0}, &noisy, NULL, &stream);
    assert_same(parent->values, before->values, parent->layout.total);
    const struct weights_layer *fc = &parent->layout.layers[FC1], *classifier = &parent->layout.layers[CLASSIFIER];
    assert_same(weight_of(wide, FC1), weight_of(parent, FC1), fc->outputs * fc->inputs);
    assert_same(weight_of(deep, FC1 + 1), weight_of(parent, FC1), fc->outputs * fc->inputs);
    assert_same(weight_of(deep, CONV2), weight_of(parent, CONV2), 4 * 3 * 9);
    assert_same(wide->values + wide->layout.layers[CLASSIFIER].bias, parent->values + classifier->bias, 3);
    assert_same(deep->values + deep->layout.layers[CLASSIFIER + 1].bias, parent->values + classifier->bias, 3);
    weights_free(parent);
    weights_free(before);
    weights_free(wide);
    weights_free(deep);
}

static double deviation_of(const double *values, int count)
{
    double sum = 0, square = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    for (int i = 0; i < count; i++)
        square += (values[i] - sum / count) * (values[i] - sum / count);
    return sqrt(square / count);
}

/* Noise draws after map and shares: with and without it a widening gives the same but for the copies' weights. */
static void widen_noise_moves_only_the_new_copies(void **state)
{
    enum { OLD = 4, NEW = 200, ROW = 27 };
    static const struct morph_options noisy = {MORPH_SPLIT_EQUAL, 0.01f, 0};
    struct weights *parent = small_network();
    struct random_stream stream = test_stream(6, 0), again = stream;
    struct action action = {ACTION_WIDEN, CONV2, NEW, 0, 0, 0};
    struct weights *exact = apply(parent, action, &exact_equal, NULL, &stream);
    struct weights *moved = apply(parent, action, &noisy, NULL, &again);
    int64_t first = moved->layout.layers[CONV2].weight + OLD * ROW, end = first + (NEW - OLD) * ROW;
    assert_same(moved->values, exact->values, first);
    assert_same(moved->values + end, exact->values + end, exact->layout.total - end);

    static double noise[(NEW - OLD) * ROW], own[OLD * ROW];
    for (int64_t i = first; i < end; i++)
        noise[i - first] = (double)moved->values[i] - exact->values[i];
    for (int i = 0; i < OLD * ROW; i++)
        own[i] = weight_of(parent, CONV2)[i];
    double ratio = deviation_of(noise, (NEW - OLD) * ROW) / deviation_of(own, OLD * ROW);
    assert_true(ratio > 0.0095 && ratio < 0.0105);
    weights_free(parent);
    weights_free(exact);
    weights_free(moved);
}

/* Noise is for copies: it changes nothing here. */
static void fresh_units_are_drawn_and_nobody_reads_them_yet(void **state)
{
    enum { OLD = 4, NEW = 200, ROW = 27, BLOCK = 9 };
    static const struct morph_options noisy = {MORPH_SPLIT_FRESH, 0.5f, 0.5f};
    struct weights *parent = small_network();
    struct random_stream stream = test_stream(13, 0), again = stream;
    struct action action = {ACTION_WIDEN, CONV2, NEW, 0, 0, 0};
    struct weights *child = apply(parent, action, &fresh, NULL, &stream);
    struct weights *other = apply(parent, action, &noisy, NULL, &again);
    assert_same(child->values, other->values, child->layout.total);

    assert_same(weight_of(child, CONV2), weight_of(parent, CONV2), OLD * ROW);
    static double drawn[(NEW - OLD) * ROW];
    for (int i = 0; i < (NEW - OLD) * ROW; i++)
        drawn[i] = weight_of(child, CONV2)[OLD * ROW + i];
    double ratio = deviation_of(drawn, (NEW - OLD) * ROW) / sqrt(2.0 / ROW);
    assert_true(ratio > 0.96 && ratio < 1.04);

    const struct weights_layer *place = &child->layout.layers[CONV2];
    for (int i = OLD; i < NEW; i++) {
        const float *values = child->values;
        assert_true(values[place->gamma + i] == 1 && values[place->beta + i] == 0);
        assert_true(values[place->mean + i] == 0 && values[place->variance + i] == 1);
    }
    assert_same(child->values + place->gamma, parent->values + parent->layout.layers[CONV2].gamma, OLD);

    for (int output = 0; output < 5; output++) {
        const float *row = weight_of(child, FC1) + output * NEW * BLOCK;
        assert_same(row, weight_of(parent, FC1) + output * OLD * BLOCK, OLD * BLOCK);
        for (int i = OLD * BLOCK; i < NEW * BLOCK; i++)
            assert_true(row[i] == 0);
    }
    weights_free(parent);
    weights_free(child);
    weights_free(other);
}

static void deepening_inserts_the_identity(void **state)
{
    struct weights *parent = small_network();
    struct random_stream stream = test_stream(7, 0);
    struct weights *child =
        apply(parent, (struct action){ACTION_DEEPEN, CONV2, 0, 5, 0, 0}, &exact_equal, NULL, &stream);
    const struct weights_layer *place = &child->layout.layers[CONV2 + 1];
    assert_int_equal(place->kernel, 5);
    for (int i = 0; i < 4 * 4 * 25; i++) {
        int output = i / 100, input = i / 25 % 4, centre = i % 25 == 12;
        assert_true(weight_of(child, CONV2 + 1)[i] == (output == input && centre ? 1.0f : 0.0f));
    }
    weights_free(child);
    child = apply(parent, (struct action){ACTION_DEEPEN, FC1, 0, 0, 0, 0}, &exact_equal, NULL, &stream);
    for (int i = 0; i < 5 * 5; i++)
        assert_true(weight_of(child, FC1 + 1)[i] == (i / 5 == i % 5 ? 1.0f : 0.0f));
    weights_free(child);
    weights_free(parent);
}

/* With batch statistics, too, the new layer gives what it got: mean and variance are those of its own input. */
static void deepening_takes_its_statistics_from_the_measurement(void **state)
{
    struct weights *parent = small_network();
    struct random_stream stream = test_stream(8, 0);
    float *images = memory_new((size_t)(MEASURE_IMAGES * image_size(parent)), sizeof *images);
    fill_normal(images, MEASURE_IMAGES * image_size(parent), 0, 1, &stream);
    struct measuring measuring = {images, 0};
    struct morph_measure measure = {measure_naively, &measuring};
    static const struct morph_options noisy = {MORPH_SPLIT_EQUAL, 0, 0.5f};
    for (int noise = 0; noise < 2; noise++) {
        struct weights *child = apply(parent, (struct action){ACTION_DEEPEN, CONV1, 0, 3, 0, 0},
                                      noise ? &noisy : &exact_equal, &measure, &stream);
        const struct weights_layer *place = &child->layout.layers[CONV1 + 1];
        const float *values = child->values;
        double mean[3] = {0}, square[3] = {0};
        for (int image = 0; image < MEASURE_IMAGES; image++) {
            struct shape shape;
            double *before = naive_forward(parent, CONV1, images + image * image_size(parent), &shape);
            const struct weights_layer *conv1 = &parent->layout.layers[CONV1];
            for (int i = 0; i < 3 * 36; i++) {
                int unit = i / 36;
                double x = parent->values[conv1->gamma + unit] * (before[i] - parent->values[conv1->mean + unit]) /
                               sqrt(parent->values[conv1->variance + unit] + (double)BN_EPSILON) +
                           parent->values[conv1->beta + unit];
                mean[unit] += fmax(0, x) / (36 * MEASURE_IMAGES);
                square[unit] += fmax(0, x) * fmax(0, x) / (36 * MEASURE_IMAGES);
            }
            free(before);
        }
        for (int unit = 0; unit < 3; unit++) {
            double variance = square[unit] - mean[unit] * mean[unit];
            assert_float_equal(values[place->mean + unit], mean[unit], 1e-5);
            assert_float_equal(values[place->variance + unit], variance, 1e-5);
            assert_float_equal(values[place->beta + unit], mean[unit], 1e-5);
            assert_float_equal(values[place->gamma + unit], sqrt(variance + (double)BN_EPSILON), 1e-5);
        }
        weights_free(child);
    }
    assert_int_equal(measuring.calls, 2);
    free(images);
    weights_free(parent);
}

static void deepen_noise_is_relative_to_the_identity(void **state)
{
    static const struct morph_options noisy = {MORPH_SPLIT_EQUAL, 0, 1e-3f};
    struct random_stream stream = test_stream(9, 0);
    struct weights *parent = random_weights("C(16,3,1) SM(2)", small_input, &stream);
    struct weights *child = apply(parent, (struct action){ACTION_DEEPEN, 0, 0, 3, 0, 0}, &noisy, NULL, &stream);
    enum { COUNT = 16 * 16 * 9 };
    static double noise[COUNT];
    for (int i = 0; i < COUNT; i++) {
        int diagonal = i / 9 % 16 == i / 9 / 16 && i % 9 == 4;
        noise[i] = weight_of(child, 1)[i] - (diagonal ? 1.0 : 0.0);
    }
    double share = 1.0 / (16 * 9), ratio = deviation_of(noise, COUNT) / sqrt(share - share * share);
    assert_true(ratio > 0.9e-3 && ratio < 1.1e-3);
    weights_free(parent);
    weights_free(child);
}

/* A fresh unit that nobody reads is the least important one, wherever it is: narrowing takes it out again. */
static void what_was_added_is_taken_out_again(void **state)
{
    static const char plain[] = "C(3,3,1) P(2,2) C(4,3,1) A(2,2) FC(5) SM(3)";
    static const char dense[] = "C(3,3,1) D(2,[2,3]) T(0.5) D(0,[2,2]) A(2,2) FC(5) SM(3)";
    static const int units[] = {3, 0, 4, 0, 5};
    for (int layer = 0; layer < 5; layer += 2)
        assert_undone(plain, (struct action){ACTION_WIDEN, layer, 9, 0, 0, 0},
                      (struct action){ACTION_NARROW, layer, units[layer], 0, 0, 0}, &fresh);
    assert_undone(dense, (struct action){ACTION_WIDEN, 0, 5, 0, 0, 0}, (struct action){ACTION_NARROW, 0, 3, 0, 0, 0},
                  &fresh);
    assert_undone(dense, (struct action){ACTION_WIDEN, 1, 4, 0, 0, 0}, (struct action){ACTION_NARROW, 1, 2, 0, 0, 0},
                  &fresh);
    assert_undone(dense, (struct action){ACTION_WIDEN, 4, 7, 0, 0, 0}, (struct action){ACTION_NARROW, 4, 2, 0, 0, 0},
                  &fresh);
    for (int layer = 0; layer < 5; layer += 2)
        assert_undone(plain, (struct action){ACTION_DEEPEN, layer, 0, layer < 4 ? 5 : 0, 0, 0},
                      (struct action){ACTION_REMOVE, layer + 1, 0, 0, 0, 0}, &exact_equal);
    assert_undone(plain, (struct action){ACTION_KERNEL, 2, 0, 7, 0, 0}, (struct action){ACTION_KERNEL, 2, 0, 3, 0, 0},
                  &exact_equal);
}

/* A unit with a large gamma stays, whatever its place; one that is hardly read goes. */
static void narrowing_keeps_what_is_said_and_read(void **state)
{
    struct weights *parent = small_network();
    const struct weights_layer *conv2 = &parent->layout.layers[CONV2], *fc1 = &parent->layout.layers[FC1];
    struct random_stream stream = test_stream(21, 0);
    int64_t block = fc1->inputs / 4;
    for (int unit = 0; unit < 4; unit++) {
        const float gammas[] = {1, 1e-4f, -2, 3};
        parent->values[conv2->gamma + unit] = gammas[unit];
    }
    for (int output = 0; output < 5; output++)
        for (int64_t i = 0; i < block; i++)
            parent->values[fc1->weight + output * fc1->inputs + 3 * block + i] *= 1e-6f;
    struct weights *child =
        apply(parent, (struct action){ACTION_NARROW, CONV2, 2, 0, 0, 0}, &exact_equal, NULL, &stream);
    const struct weights_layer *place = &child->layout.layers[CONV2];
    assert_float_equal(child->values[place->gamma], 1, 0);
    assert_float_equal(child->values[place->gamma + 1], -2, 0);
    assert_same(weight_of(child, CONV2), weight_of(parent, CONV2), 27);
    assert_same(weight_of(child, CONV2) + 27, weight_of(parent, CONV2) + 2 * 27, 27);
    weights_free(parent);
    weights_free(child);
}

/* A parent that has diverged still has a child, as narrow as it should be. */
static void a_diverged_network_is_narrowed_too(void **state)
{
    struct weights *parent = small_network();
    struct random_stream stream = test_stream(25, 0);
    for (int64_t i = 0; i < parent->layout.total; i += 2)
        parent->values[i] = i % 4 ? NAN : INFINITY;
    struct weights *child =
        apply(parent, (struct action){ACTION_NARROW, CONV2, 2, 0, 0, 0}, &exact_equal, NULL, &stream);
    assert_int_equal(child->layout.layers[CONV2].outputs, 2);
    weights_free(parent);
    weights_free(child);
}

/* A unit that is always on and never varies is a constant: without it the network computes the same. */
static void a_lost_constant_goes_to_the_reader(void **state)
{
    struct weights *parent = small_network();
    const struct weights_layer *fc1 = &parent->layout.layers[FC1];
    struct random_stream stream = test_stream(22, 0);
    parent->values[fc1->gamma + 1] = 0;
    parent->values[fc1->beta + 1] = 1.5f;
    struct weights *child = apply(parent, (struct action){ACTION_NARROW, FC1, 4, 0, 0, 0}, &exact_equal, NULL, &stream);
    float *images = memory_new((size_t)image_size(parent), sizeof *images);
    fill_normal(images, image_size(parent), 0, 1, &stream);
    struct shape shape;
    double *before = naive_forward(parent, CLASSIFIER, images, &shape);
    double *after = naive_forward(child, CLASSIFIER, images, &shape);
    for (int i = 0; i < 3; i++) {
        assert_float_equal(after[i], before[i], 1e-5);
        assert_true(fabs((double)child->values[child->layout.layers[CLASSIFIER].bias + i] -
                         (double)parent->values[parent->layout.layers[CLASSIFIER].bias + i]) > 1e-3);
    }
    free(before);
    free(after);
    free(images);
    weights_free(parent);
    weights_free(child);
}

/* Of a deviation of 2 and a mean of 0 the ReLU leaves 2 / sqrt(2 pi) on average, which the next BN's mean gives up. */
static void a_lost_mean_goes_to_the_next_bn(void **state)
{
    struct random_stream stream = test_stream(23, 0);
    struct weights *parent = random_weights("C(2,3,1) C(3,3,1) A(6,6) SM(3)", small_input, &stream);
    const struct weights_layer *conv1 = &parent->layout.layers[0], *conv2 = &parent->layout.layers[1];
    parent->values[conv1->gamma + 1] = -2;
    parent->values[conv1->beta + 1] = 0;
    parent->values[conv1->gamma] = 1e4f;
    struct weights *child = apply(parent, (struct action){ACTION_NARROW, 0, 1, 0, 0, 0}, &exact_equal, NULL, &stream);
    for (int output = 0; output < 3; output++) {
        double sum = 0;
        for (int i = 0; i < 9; i++)
            sum += (double)parent->values[conv2->weight + output * 18 + 9 + i];
        assert_float_equal(child->values[child->layout.layers[1].mean + output],
                           (double)parent->values[conv2->mean + output] - sum * 2 / sqrt(2 * acos(-1)), 1e-5);
    }
    weights_free(parent);
    weights_free(child);
}

/* Each weight of the border is added to the nearest that stays. */
static void a_smaller_kernel_takes_in_its_border(void **state)
{
    struct random_stream stream = test_stream(24, 0);
    struct weights *parent = random_weights("C(2,5,1) A(6,6) SM(3)", small_input, &stream);
    struct weights *child = apply(parent, (struct action){ACTION_KERNEL, 0, 0, 3, 0, 0}, &exact_equal, NULL, &stream);
    const float *old = weight_of(parent, 0) + 25, *new = weight_of(child, 0) + 9;
    assert_float_equal(new[4], old[12], 0);
    assert_float_equal(new[0], (double)old[0] + (double)old[1] + (double)old[5] + (double)old[6], 1e-5);
    assert_float_equal(new[5], (double)old[13] + (double)old[14], 1e-5);
    weights_free(parent);
    weights_free(child);
}

static void one_stream_gives_one_child(void **state)
{
    static const struct morph_options noisy = {MORPH_SPLIT_UNEQUAL, 0.01f, 0.01f};
    struct weights *parent = small_network();
    struct action action = {ACTION_WIDEN, CONV2, 7, 0, 0, 0};
    struct random_stream stream = test_stream(10, 0), again = stream, other = test_stream(10, 1);
    struct weights *first = apply(parent, action, &noisy, NULL, &stream);
    struct weights *second = apply(parent, action, &noisy, NULL, &again);
    struct weights *third = apply(parent, action, &noisy, NULL, &other);
    assert_same(first->values, second->values, first->layout.total);
    assert_memory_not_equal(first->values, third->values, (size_t)first->layout.total * sizeof(float));
    weights_free(parent);
    weights_free(first);
    weights_free(second);
    weights_free(third);
}

static void impossible_actions_are_refused(void **state)
{
    static const struct action wrong[] = {
        {ACTION_WIDEN, POOL1, 8, 0, 0, 0},          {ACTION_WIDEN, CLASSIFIER, 8, 0, 0, 0},
        {ACTION_WIDEN, CONV1, 3, 0, 0, 0},          {ACTION_WIDEN, CONV1, 2, 0, 0, 0},
        {ACTION_WIDEN, CLASSIFIER + 1, 8, 0, 0, 0}, {ACTION_WIDEN, -1, 8, 0, 0, 0},
        {ACTION_DEEPEN, POOL1, 0, 3, 0, 0},         {ACTION_DEEPEN, CLASSIFIER, 0, 0, 0, 0},
        {ACTION_DEEPEN, CONV1, 0, 2, 0, 0},
    };
    struct weights *parent = small_network();
    struct random_stream stream = test_stream(11, 0);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct weights *child = parent;
        struct error error = {""};
        assert_int_equal(morph_apply(parent, &wrong[i], &exact_equal, NULL, &stream, &child, &error), -1);
        assert_null(child);
        assert_true(error.text[0]);
    }
    weights_free(parent);
}

static int measure_fails(void *context, const struct weights *network, int layer, float *mean, float *variance,
                         struct error *error)
{
    return error_set(error, "no memory");
}

static int measure_diverged(void *context, const struct weights *network, int layer, float *mean, float *variance,
                            struct error *error)
{
    for (int i = 0; i < network->layout.layers[layer].outputs; i++)
        mean[i] = variance[i] = i ? NAN : 1;
    return 0;
}

static void a_failed_measurement_gives_no_child(void **state)
{
    static const struct morph_measure measures[] = {{measure_fails, NULL}, {measure_diverged, NULL}};
    static const char *const texts[] = {"no memory", "conv3"};
    struct weights *parent = small_network();
    struct random_stream stream = test_stream(12, 0);
    struct action action = {ACTION_DEEPEN, CONV2, 0, 3, 0, 0};
    for (size_t i = 0; i < COUNT_OF(measures); i++) {
        struct weights *child = parent;
        struct error error = {""};
        assert_int_equal(morph_apply(parent, &action, &exact_equal, &measures[i], &stream, &child, &error), -1);
        assert_null(child);
        assert_non_null(strstr(error.text, texts[i]));
    }
    weights_free(parent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_map_is_fixed),
        cmocka_unit_test(index_map_draws_every_unit_equally),
        cmocka_unit_test(widening_remaps_the_layer_and_its_statistics),
        cmocka_unit_test(readers_share_out_what_a_unit_gave),
        cmocka_unit_test(shares_are_equal_or_all_different_and_never_extreme),
        cmocka_unit_test(other_layers_and_the_parent_stay_as_they_were),
        cmocka_unit_test(widen_noise_moves_only_the_new_copies),
        cmocka_unit_test(fresh_units_are_drawn_and_nobody_reads_them_yet),
        cmocka_unit_test(deepening_inserts_the_identity),
        cmocka_unit_test(deepening_takes_its_statistics_from_the_measurement),
        cmocka_unit_test(deepen_noise_is_relative_to_the_identity),
        cmocka_unit_test(what_was_added_is_taken_out_again),
        cmocka_unit_test(narrowing_keeps_what_is_said_and_read),
        cmocka_unit_test(a_diverged_network_is_narrowed_too),
        cmocka_unit_test(a_lost_constant_goes_to_the_reader),
        cmocka_unit_test(a_lost_mean_goes_to_the_next_bn),
        cmocka_unit_test(a_smaller_kernel_takes_in_its_border),
        cmocka_unit_test(one_stream_gives_one_child),
        cmocka_unit_test(impossible_actions_are_refused),
        cmocka_unit_test(a_failed_measurement_gives_no_child),
    };
    return cmocka_run_group_tests_name("morph", tests, NULL, NULL);
}
