/*
 * test_health.c - the health of layers, on every backend of the host: norms against those computed here, dead units
 * that were made dead, the use of units against gamma times its gradient plus beta times its; and that measuring it
 * changes nothing of what a training makes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/backends.h"
#include "tests/fresh_weights.h"
#include "tests/pictures.h"
#include "util/bug.h"
#include "util/memory.h"

enum { CLASSES = 4, IMAGES = 50, BATCH = 20 };
static const struct shape input = {2, 8, 8};

struct bed {
    struct images images;
    struct view view;
    struct weights *weights;
    struct network *network;
};

static void bed_init(struct bed *bed, const struct backend *backend, const char *notation, int images)
{
    struct plan *plan = memory_new(1, sizeof *plan);
    struct error error;
    pictures_draw(input, CLASSES, images, 60, 1, &bed->images, &bed->view);
    bed->weights = fresh_weights(notation, input, 2);
    plan_lower(&bed->weights->arch, input, &(struct plan_options){.drop_pool = 0.2f}, plan);
    bed->network = network_open(backend, plan, BATCH, NETWORK_TRAINING, bed->weights, NULL, &error);
    assert_non_null(bed->network);
    free(plan);
}

static void bed_done(struct bed *bed)
{
    network_free(bed->network);
    weights_free(bed->weights);
    pictures_done(&bed->images, &bed->view);
}

static double norm(const float *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

static void for_each_backend(void (*check)(const struct backend *backend))
{
    const struct backend *list[BACKENDS_MAX];
    int count = backends_here(list);
    for (int i = 0; i < count; i++)
        check(list[i]);
}

/* The trained values lie layer by layer, and the last layer has weights and a bias alone. */
static void check_norms(const struct backend *backend)
{
    struct bed bed;
    bed_init(&bed, backend, "C(5,3,1) P(2,2) C(6,3,1) A(4,4) SM(4)", IMAGES);
    struct layer_health health[5];
    network_health(bed.network, bed.weights, &bed.view, NULL, 7, health);
    int32_t index[BATCH];
    for (int i = 0; i < BATCH; i++)
        index[i] = i * IMAGES / BATCH; /* IMAGES are more than a batch */
    struct step_result result;
    struct batch batch = {.view = &bed.view, .index = index, .count = BATCH};
    const float *gradient = network_gradient(bed.network, &batch, 7, &result);
    int64_t second = bed.weights->layout.layers[2].weight, last = bed.weights->layout.layers[4].weight;
    int64_t trained = bed.weights->layout.trained;
    assert_float_equal(health[0].weight_norm, norm(bed.weights->values, second), 1e-6);
    assert_float_equal(health[2].weight_norm, norm(bed.weights->values + second, last - second), 1e-6);
    assert_float_equal(health[4].weight_norm, norm(bed.weights->values + last, trained - last), 1e-6);
    assert_float_equal(health[0].gradient_norm, norm(gradient, second), 1e-6);
    assert_float_equal(health[2].gradient_norm, norm(gradient + second, last - second), 1e-6);
    assert_float_equal(health[4].gradient_norm, norm(gradient + last, trained - last), 1e-6);
    assert_true(health[4].gradient_norm > 0);
    assert_true(isnan(health[1].weight_norm) && isnan(health[1].gradient_norm) && isnan(health[1].dead));
    assert_true(isnan(health[4].dead)); /* it has no ReLU */
    for (int layer = 0; layer < 5; layer++)
        assert_true(isnan(health[layer].fresh));
    bed_done(&bed);
}

static void test_norms(void **unused)
{
    for_each_backend(check_norms);
}

/* With gamma 0 and a negative beta a unit gives 0 for every image; with a small positive beta it lives. */
static void check_dead(const struct backend *backend)
{
    static const char *const notations[] = {"C(8,3,1) P(2,2) A(4,4) FC(4) SM(4)", "C(8,3,1) A(8,8) FC(4) SM(4)"};
    for (int i = 0; i < 2; i++) {
        struct bed bed;
        struct layer_health health[5];
        bed_init(&bed, backend, notations[i], IMAGES);
        const struct weights_layer *first = bed.weights->layout.layers, *fc = first + (i ? 2 : 3);
        float *values = bed.weights->values;
        for (int unit = 0; unit < 4; unit++) {
            values[first->gamma + unit] = 0;
            values[first->beta + unit] = unit < 3 ? -0.1f : 0.001f;
        }
        values[fc->gamma] = values[fc->beta] = 0;
        network_health(bed.network, bed.weights, &bed.view, NULL, 7, health);
        assert_float_equal(health[0].dead, 3.0 / 8, 1e-12);
        assert_float_equal(health[i ? 2 : 3].dead, 1.0 / 4, 1e-12);
        bed_done(&bed);
    }
}

static void test_dead_units(void **unused)
{
    for_each_backend(check_dead);
}

/* Behind BN a unit's output is gamma z + beta where it isn't 0, so that the sum of output times gradient is gamma times
   the gradient of gamma, plus beta times that of beta.  Over one image that is its use, up to the sign. */
static double use_of(const struct weights *weights, const struct weights_layer *layer, const float *gradient, int unit)
{
    int64_t gamma = layer->gamma + unit, beta = layer->beta + unit;
    return fabs((double)weights->values[gamma] * (double)gradient[gamma] +
                (double)weights->values[beta] * (double)gradient[beta]);
}

static void check_use(const struct backend *backend, const char *notation, int layer, enum weights_part part,
                      int before)
{
    struct bed bed;
    struct layer_health health[ARCH_LAYERS_MAX];
    int units_before[ARCH_LAYERS_MAX] = {0}, first = 0;
    units_before[layer] = before;
    bed_init(&bed, backend, notation, 1);
    const struct weights_layer *at = &bed.weights->layout.parts[part][layer];
    for (int unit = 0; unit < at->outputs; unit++)
        bed.weights->values[at->beta + unit] = 0.1f * (float)(unit % 3);
    network_health(bed.network, bed.weights, &bed.view, units_before, 7, health);
    struct step_result result;
    struct batch batch = {.view = &bed.view, .index = &first, .count = 1};
    const float *gradient = network_gradient(bed.network, &batch, 7, &result);
    double old = 0, fresh = 0;
    for (int unit = 0; unit < at->outputs; unit++)
        *(unit < before ? &old : &fresh) += use_of(bed.weights, at, gradient, unit);
    double expected = fresh / (at->outputs - before) / (old / before);
    assert_float_equal(health[layer].fresh, expected, 1e-3 * expected);
    for (int i = 0; i < bed.weights->arch.layer_count; i++)
        assert_true(i == layer || isnan(health[i].fresh));
    bed_done(&bed);
}

static void check_fresh(const struct backend *backend)
{
    check_use(backend, "C(6,3,1) P(2,2) C(5,3,1) A(4,4) SM(4)", 0, WEIGHTS_MAIN, 4);
    check_use(backend, "C(6,3,1) P(2,2) C(5,3,1) A(4,4) SM(4)", 2, WEIGHTS_MAIN, 2);
    check_use(backend, "C(6,3,1) M(9,3) A(8,8) SM(4)", 1, WEIGHTS_DEPTHWISE, 5);
    check_use(backend, "C(6,3,1) R(9,3) A(8,8) SM(4)", 1, WEIGHTS_BOTTLENECK, 5);
}

static void test_use_of_fresh_units(void **unused)
{
    for_each_backend(check_fresh);
}

/* A unit that the next layer reads with weight 0 is not used. */
static void test_unused_units(void **unused)
{
    struct bed bed;
    struct layer_health health[4];
    int units_before[4] = {4};
    bed_init(&bed, &backend_ref, "C(6,3,1) C(5,3,1) A(8,8) SM(4)", IMAGES);
    const struct weights_layer *reader = &bed.weights->layout.layers[1];
    for (int output = 0; output < reader->outputs; output++)
        memset(bed.weights->values + reader->weight + (output * 6 + 4) * 9, 0, 2 * 9 * sizeof(float));
    network_health(bed.network, bed.weights, &bed.view, units_before, 7, health);
    assert_true(health[0].fresh == 0);
    units_before[0] = 6; /* it has no more than before */
    network_health(bed.network, bed.weights, &bed.view, units_before, 7, health);
    assert_true(isnan(health[0].fresh));
    bed_done(&bed);
}

/* The widened outputs of a dense layer have no BN of their own, and lie inside of a buffer. */
static void test_dense(void **unused)
{
    struct bed bed;
    struct layer_health health[4];
    int units_before[4] = {0, 2};
    bed_init(&bed, backend_cpu(), "C(4,3,1) D(2,[4]) A(8,8) SM(4)", IMAGES);
    network_health(bed.network, bed.weights, &bed.view, units_before, 7, health);
    assert_true(health[1].fresh > 0 && isfinite(health[1].fresh));
    assert_true(health[1].dead >= 0 && health[1].dead < 1 && health[2].dead >= 0); /* a pool behind it has a BN */
    bed_done(&bed);
}

/* --- in a training --- */

struct seen {
    struct layer_health health[5];
    int reports, batches, stop_after; /* 0: never */
};

static void see_health(void *context, const struct layer_health *health)
{
    struct seen *seen = context;
    memcpy(seen->health, health, sizeof seen->health);
    seen->reports++;
}

static bool proceed(void *context)
{
    struct seen *seen = context;
    return !seen->stop_after || seen->batches++ < seen->stop_after;
}

static struct weights *train_one(const struct backend *backend, float rate, bool watched, struct seen *seen)
{
    struct images images;
    struct view view;
    struct error error;
    pictures_draw(input, CLASSES, IMAGES, 60, 1, &images, &view);
    struct weights *weights = fresh_weights("C(5,3,1) P(2,2) C(6,3,1) A(4,4) SM(4)", input, 2);
    weights->values[weights->layout.layers[0].mean] = -0.0f;
    struct training training = training_paper;
    training.epochs = 2;
    training.batch = BATCH;
    training.rate = rate;
    training.average = 0.9f;
    training.drop_pool = 0.2f;
    training.augment = true;
    struct trainer_hooks hooks = {.context = seen, .proceed = proceed, .health = watched ? see_health : NULL};
    train(backend, weights, &view, &view, &training, &hooks, &error);
    pictures_done(&images, &view);
    return weights;
}

static void check_training(const struct backend *backend)
{
    static const int stops[] = {0, 6, 2}; /* never; after an epoch of 3 steps and 3 batches to evaluate; inside of one */
    for (int i = 0; i < 3; i++) {
        struct seen unwatched = {.stop_after = stops[i]}, watched = {.stop_after = stops[i]};
        struct weights *without = train_one(backend, 0.1f, false, &unwatched);
        struct weights *with = train_one(backend, 0.1f, true, &watched);
        size_t bytes = (size_t)with->layout.total * sizeof(float);
        assert_memory_equal(with->values, without->values, bytes);
        assert_memory_equal(with->raw, without->raw, bytes);
        assert_true(watched.reports == (i < 2) && unwatched.reports == 0);
        /* it is of the average, which is what the network is in the end */
        double expected = watched.reports ? norm(with->values, with->layout.layers[2].weight) : 0;
        assert_float_equal(watched.health[0].weight_norm, expected, 1e-6);
        weights_free(with);
        weights_free(without);
    }
}

static void test_training_is_the_same(void **unused)
{
    for_each_backend(check_training);
}

static void test_failed_training(void **unused)
{
    struct seen seen = {0};
    weights_free(train_one(&backend_ref, 1e30f, true, &seen));
    assert_int_equal(seen.reports, 0);
}

/* The statistics are the same to the bit: a mean of -0 stays one. */
static void test_statistics(void **unused)
{
    struct bed bed;
    struct layer_health health[3];
    bed_init(&bed, backend_cpu(), "C(5,3,1) A(8,8) SM(4)", IMAGES);
    bed.weights->values[bed.weights->layout.layers[0].mean] = -0.0f;
    struct weights *before = weights_copy(bed.weights);
    network_health(bed.network, bed.weights, &bed.view, NULL, 7, health);
    assert_memory_equal(bed.weights->values, before->values, (size_t)before->layout.total * sizeof(float));
    weights_free(before);
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_dead_units),
        cmocka_unit_test(test_use_of_fresh_units),
        cmocka_unit_test(test_unused_units),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_training_is_the_same),
        cmocka_unit_test(test_failed_training),
        cmocka_unit_test(test_statistics),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
