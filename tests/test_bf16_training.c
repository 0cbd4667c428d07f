/*
 * test_bf16_training.c - what bf16 does to a training: on Fashion-MNIST it ends where float32 ends, within
 * what another seed changes.  The last batch is a partial one.
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "fresh_weights.h"
#include "nn/trainer.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

/* After the first, in float32: direct convolutions, and in the last one minimal filtering. */
static const char network_text[] = "C(4,3,1) P(2,2) C(8,3,1) P(3,3) C(16,3,1) C(32,3,1) A(4,4) SM(10)";

/* Accuracy on `validate`, in the precision that was trained in. */
static double accuracy(const struct backend *backend, const struct view *train_view, const struct view *validate,
                       uint64_t seed)
{
    struct training training = training_paper;
    struct weights *weights = fresh_weights(network_text, train_view->images->shape, seed);
    struct evaluation evaluation;
    struct error error;
    training.epochs = 1;
    training.rate = 0.1f;
    training.seed = seed;
    assert_int_equal(train(backend, weights, train_view, validate, &training, NULL, &error), TRAINING_DONE);
    assert_int_equal(network_evaluate(backend, weights, validate, training.batch, &evaluation, &error), 0);
    weights_free(weights);
    return evaluation.accuracy;
}

/* The processor's, or emulated, which is slow; test_bf16 checks both. */
static const struct backend *backend_bf16(void)
{
    const struct backend *own = backend_cpu_isa("avx512bf16");
    return own ? own->bf16 : backend_cpu_wide.bf16;
}

static void as_good_as_float32(void **state)
{
    enum { SEEDS = 3, STEPS = 30, BATCH = 64, VALIDATION = 2000 };
    struct data_spec spec;
    struct images images;
    struct view train_view, validate;
    struct error error;
    assert_int_equal(data_spec_parse("fashion-mnist", &spec, &error), 0);
    if (!file_exists(spec.folder)) {
        print_message("skipped: %s is not there; apt-get install dataset-fashion-mnist\n", spec.folder);
        skip();
    }
    if (images_open(&spec, DATA_TRAIN, &images, &error) ||
        data_split(&images, VALIDATION, STEPS * BATCH - 1, 1, &train_view, &validate, &error))
        fail_msg("%s", error.text);
    double sum = 0, sum_bf16 = 0, squares = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        double exact = accuracy(backend_cpu(), &train_view, &validate, seed);
        double rounded = accuracy(backend_bf16(), &train_view, &validate, seed);
        print_message("# seed %d, %d steps: float32 %.2f %%, bf16 %.2f %%\n", (int)seed, STEPS, 100 * exact,
                      100 * rounded);
        assert_true(exact != rounded);
        sum += exact;
        sum_bf16 += rounded;
        squares += exact * exact;
    }
    double mean = sum / SEEDS, deviation = sqrt((squares - sum * mean) / (SEEDS - 1));
    print_message("# mean: float32 %.2f %% (deviation of a seed %.2f), bf16 %.2f %%\n", 100 * mean, 100 * deviation,
                  100 * sum_bf16 / SEEDS);
    assert_true(mean > 0.4);
    assert_true(fabs(mean - sum_bf16 / SEEDS) < 3 * fmax(deviation, 0.01));
    view_done(&train_view);
    view_done(&validate);
    images_done(&images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_good_as_float32),
    };
    return cmocka_run_group_tests_name("training in bf16", tests, NULL, NULL);
}
