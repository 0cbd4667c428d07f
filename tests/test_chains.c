/*
 * test_chains.c - the law of the transformations, against a forward pass in doubles that knows nothing of them.
 *
 * Without noise, any chain of actions leaves the logits where they were.
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
#include "random_action.h"
#include "repeats.h"
#include "util/bug.h"
#include "util/memory.h"

enum { IMAGES = 3, CHAINS = REPEATS(200), CHAIN_ACTIONS = 20, UNITS_MAX = 9 };

/* Logits of some images; the caller free()s them. */
static double *logits_of(const struct weights *weights, const float *images, int count)
{
    int last = weights->arch.layer_count - 1, classes = weights->arch.layers[last].units;
    double *all = memory_new((size_t)(count * classes), sizeof *all);
    for (int image = 0; image < count; image++) {
        struct shape shape;
        double *logits = naive_forward(weights, last, images + image * image_size(weights), &shape);
        memcpy(all + image * classes, logits, (size_t)classes * sizeof *logits);
        free(logits);
    }
    return all;
}

/* Largest difference of two networks' logits, relative to the largest logit of the first. */
static double difference(const struct weights *a, const struct weights *b, const float *images, int count)
{
    int classes = a->arch.layers[a->arch.layer_count - 1].units;
    double *left = logits_of(a, images, count), *right = logits_of(b, images, count);
    double largest = 0, apart = 0;
    for (int i = 0; i < count * classes; i++) {
        largest = fmax(largest, fabs(left[i]));
        apart = fmax(apart, fabs(left[i] - right[i]));
    }
    free(left);
    free(right);
    return apart / largest;
}

/* Do the logits depend on the image?  A network whose units are all off would make a comparison empty. */
static bool is_alive(const struct weights *weights, const float *images)
{
    int classes = weights->arch.layers[weights->arch.layer_count - 1].units;
    double *logits = logits_of(weights, images, 2), apart = 0, largest = 0;
    for (int i = 0; i < classes; i++) {
        apart = fmax(apart, fabs(logits[i] - logits[classes + i]));
        largest = fmax(largest, fabs(logits[i]));
    }
    free(logits);
    return apart > 0.01 * largest;
}

static double chain_difference(const char *notation, struct shape input, int chain, const struct morph_options *options)
{
    struct random_stream stream = test_stream((uint32_t)chain, options->split);
    struct weights *start = random_weights(notation, input, &stream);
    float *images = memory_new((size_t)(MEASURE_IMAGES * image_size(start)), sizeof *images);
    fill_normal(images, MEASURE_IMAGES * image_size(start), 0, 1, &stream);
    while (!is_alive(start, images)) {
        weights_free(start);
        start = random_weights(notation, input, &stream);
    }
    struct weights *network = weights_copy(start);
    struct measuring measuring = {images, 0};
    struct morph_measure measure = {measure_naively, &measuring};
    for (int i = 0; i < CHAIN_ACTIONS; i++) {
        struct action action = random_action(&network->arch, UNITS_MAX, &stream);
        struct weights *child = apply(network, action, options, chain % 2 ? &measure : NULL, &stream);
        weights_free(network);
        network = child;
    }
    double apart = difference(start, network, images, IMAGES);
    weights_free(start);
    weights_free(network);
    free(images);
    return apart;
}

struct start {
    const char *notation;
    struct shape input;
};

static const struct start plain_starts[] = {
    {"C(3,3,1) P(2,2) C(4,3,1) A(2,2) FC(6) SM(5)", {1, 8, 8}},
    {"C(4,3,2) C(3,5,1) SM(3)", {3, 7, 9}},
    {"C(3,1,1) A(3,2) C(4,3,1) P(2,2) FC(5) FC(4) SM(4)", {2, 9, 8}},
    {"P(2,2) C(3,3,1) P(2,1) A(2,1) FC(5) SM(3)", {2, 8, 8}},
};
/* Blocks with and without bottleneck, of one and more layers, behind C, P, T and before T, P, A; two T in a row. */
static const struct start dense_starts[] = {
    {"C(3,3,1) D(2,[2,3]) T(0.5) D(2,[2]) A(3,3) SM(4)", {1, 6, 6}},
    {"C(4,3,2) D(0,[2,2]) T(0.4) D(1,[3]) P(2,1) C(3,3,1) SM(3)", {2, 9, 8}},
    {"C(2,1,1) P(2,2) D(1,[2]) D(0,[3]) A(2,1) FC(4) SM(3)", {1, 7, 6}},
    {"C(3,3,1) T(1) T(0.67) D(2,[1,2,1]) A(1,1) SM(3)", {2, 5, 5}},
};

/* Streams from C and S through blocks, a pool and nothing, to C, S, FC and the classifier. */
static const struct start modern_starts[] = {
    {"C(3,3,1) M(4,3) R(3,3) S(4,3,2) M(3,5) A(3,3) SM(4)", {1, 6, 6}},
    {"C(3,3,2) R(2,1) P(2,1) M(4,1) C(3,3,1) R(3,3) SM(3)", {2, 9, 8}},
    {"P(2,2) C(4,1,1) S(3,3,1) S(3,5,2) M(2,3) FC(4) SM(3)", {1, 8, 7}},
    {"C(5,3,1) M(9,3,se) R(3,3,se,hs) S(4,3,2,se) M(3,5,hs) A(3,3) SM(4)", {1, 6, 6}},
    {"C(3,3,2) S(8,3,1,hs) P(2,1) M(4,1,se,hs) C(3,3,1) R(8,3,se) SM(3)", {2, 9, 8}},
};

static void check_chains(const struct start *starts, size_t start_count, enum morph_split split)
{
    double worst = 0;
    for (int chain = 0; chain < CHAINS; chain++) {
        const struct start *start = &starts[(size_t)chain / 2 % start_count];
        double apart = chain_difference(start->notation, start->input, chain, &(struct morph_options){.split = split});
        if (!(apart <= 1e-4))
            fail_msg("chain %d from %s: logits differ by %g of the largest", chain, start->notation, apart);
        worst = fmax(worst, apart);
    }
    print_message("# worst of %d chains: %.2g of the largest logit\n", CHAINS, worst);
}

static void plain_chains_keep_the_function_with_equal_copies(void **state)
{
    check_chains(plain_starts, COUNT_OF(plain_starts), MORPH_SPLIT_EQUAL);
}

static void plain_chains_keep_the_function_with_unequal_copies(void **state)
{
    check_chains(plain_starts, COUNT_OF(plain_starts), MORPH_SPLIT_UNEQUAL);
}

static void plain_chains_keep_the_function_with_fresh_units(void **state)
{
    check_chains(plain_starts, COUNT_OF(plain_starts), MORPH_SPLIT_FRESH);
}

static void dense_chains_keep_the_function_with_equal_copies(void **state)
{
    check_chains(dense_starts, COUNT_OF(dense_starts), MORPH_SPLIT_EQUAL);
}

static void dense_chains_keep_the_function_with_unequal_copies(void **state)
{
    check_chains(dense_starts, COUNT_OF(dense_starts), MORPH_SPLIT_UNEQUAL);
}

static void dense_chains_keep_the_function_with_fresh_units(void **state)
{
    check_chains(dense_starts, COUNT_OF(dense_starts), MORPH_SPLIT_FRESH);
}

static void modern_chains_keep_the_function_with_equal_copies(void **state)
{
    check_chains(modern_starts, COUNT_OF(modern_starts), MORPH_SPLIT_EQUAL);
}

static void modern_chains_keep_the_function_with_unequal_copies(void **state)
{
    check_chains(modern_starts, COUNT_OF(modern_starts), MORPH_SPLIT_UNEQUAL);
}

static void modern_chains_keep_the_function_with_fresh_units(void **state)
{
    check_chains(modern_starts, COUNT_OF(modern_starts), MORPH_SPLIT_FRESH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_chains_keep_the_function_with_equal_copies),
        cmocka_unit_test(plain_chains_keep_the_function_with_unequal_copies),
        cmocka_unit_test(plain_chains_keep_the_function_with_fresh_units),
        cmocka_unit_test(dense_chains_keep_the_function_with_equal_copies),
        cmocka_unit_test(dense_chains_keep_the_function_with_unequal_copies),
        cmocka_unit_test(dense_chains_keep_the_function_with_fresh_units),
        cmocka_unit_test(modern_chains_keep_the_function_with_equal_copies),
        cmocka_unit_test(modern_chains_keep_the_function_with_unequal_copies),
        cmocka_unit_test(modern_chains_keep_the_function_with_fresh_units),
    };
    return cmocka_run_group_tests_name("chains", tests, NULL, NULL);
}
