/*
 * test_average.c - the steady rate, and the moving average of the weights beside it, on every backend.
 *
 * The average is computed once more here, in doubles, from the weights that the hook sees after every step.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/backends.h"
#include "tests/fresh_weights.h"
#include "tests/pictures.h"
#include "util/bug.h"
#include "util/memory.h"

enum { CLASSES = 4, IMAGES = 100, EPOCHS = 4, BATCH = 24, STEPS = 5 /* of an epoch */ };
static const struct shape input = {1, 8, 8};
static const char *const notation = "C(5,3,1) P(2,2) C(6,3,1) A(4,4) SM(4)";

static struct training averaged_training(void)
{
    struct training training = training_paper;
    training.epochs = EPOCHS;
    training.batch = BATCH;
    training.rate = 0.1f;
    training.steady = 1;
    training.average = 0.9f;
    return training;
}

/* What the hooks see. */
struct witness {
    struct weights *weights;
    bool from_scratch;
    double *expected; /* the average so far */
    int steps;
    int keep_after; /* epochs; then the state is kept in what follows */
    float *values, *velocity;
    struct average average;
    double rates[EPOCHS], validation_loss;
};

static void witness_init(struct witness *witness, struct weights *weights)
{
    *witness = (struct witness){.weights = weights};
    witness->expected = memory_new((size_t)weights->layout.total, sizeof(double));
    witness->values = memory_new((size_t)weights->layout.total, sizeof(float));
    witness->velocity = memory_new((size_t)weights->layout.trained, sizeof(float));
    for (int64_t i = 0; i < weights->layout.total; i++)
        witness->expected[i] = (double)weights->values[i];
}

static void witness_done(struct witness *witness)
{
    free(witness->expected);
    free(witness->values);
    free(witness->velocity);
    if (witness->average.count)
        average_done(&witness->average);
}

static void see_step(void *context, const struct step_report *report)
{
    struct witness *witness = context;
    double decay = (double)0.9f, ramp = (1.0 + witness->steps) / ((witness->from_scratch ? 10.0 : 4.0) + witness->steps);
    witness->steps++;
    if (ramp < decay)
        decay = ramp;
    for (int64_t i = 0; i < witness->weights->layout.total; i++)
        witness->expected[i] += (1 - decay) * ((double)witness->weights->values[i] - witness->expected[i]);
}

static void see_epoch(void *context, const struct epoch_report *report)
{
    struct witness *witness = context;
    const struct weights_layout *layout = &witness->weights->layout;
    witness->rates[report->epoch - 1] = report->rate;
    witness->validation_loss = report->validation_loss;
    if (report->epoch != witness->keep_after)
        return;
    memcpy(witness->values, witness->weights->values, (size_t)layout->total * sizeof(float));
    memcpy(witness->velocity, report->velocity, (size_t)layout->trained * sizeof(float));
    average_init(&witness->average, witness->weights, report->average, 0.9);
}

static void check_average(const struct backend *backend, bool from_scratch)
{
    struct images images;
    struct view view;
    struct error error;
    struct training training = averaged_training();
    struct evaluation evaluation;
    pictures_draw(input, CLASSES, IMAGES, 100, 6, &images, &view);
    struct weights *weights = fresh_weights(notation, input, 5);
    struct witness witness;
    witness_init(&witness, weights);
    witness.from_scratch = training.from_scratch = from_scratch;
    struct trainer_hooks hooks = {.context = &witness, .step = see_step, .epoch = see_epoch};
    assert_int_equal(train(backend, weights, &view, &view, &training, &hooks, &error), TRAINING_DONE);
    assert_int_equal(witness.steps, EPOCHS * STEPS);
    for (int64_t i = 0; i < weights->layout.total; i++)
        assert_true(fabs((double)weights->values[i] - witness.expected[i]) < 1e-5 * (1 + fabs(witness.expected[i])));
    /* What the last epoch's report judged is what the caller gets. */
    assert_int_equal(network_evaluate(backend, weights, &view, BATCH, &evaluation, &error), DEVICE_FINE);
    assert_true(evaluation.loss == witness.validation_loss);
    witness_done(&witness);
    weights_free(weights);
    pictures_done(&images, &view);
}

static void average_is_judged_and_kept(void **state)
{
    check_average(*state, false);
    check_average(*state, true);
}

static void average_goes_on(void **state)
{
    const struct backend *backend = *state;
    struct images images;
    struct view view;
    struct error error;
    struct training training = averaged_training();
    pictures_draw(input, CLASSES, IMAGES, 100, 6, &images, &view);
    struct weights *whole = fresh_weights(notation, input, 5), *second = weights_copy(whole);
    size_t bytes = (size_t)whole->layout.total * sizeof(float);
    struct witness witness;
    witness_init(&witness, whole);
    witness.keep_after = 2;
    struct trainer_hooks hooks = {.context = &witness, .epoch = see_epoch};
    assert_int_equal(train(backend, whole, &view, NULL, &training, &hooks, &error), TRAINING_DONE);

    memcpy(second->values, witness.values, bytes);
    training.epochs_done = 2;
    training.velocity = witness.velocity;
    training.average_so_far = &witness.average;
    assert_int_equal(train(backend, second, &view, NULL, &training, NULL, &error), TRAINING_DONE);
    assert_memory_equal(whole->values, second->values, bytes);
    witness_done(&witness);
    weights_free(whole);
    weights_free(second);
    pictures_done(&images, &view);
}

static void rate_holds_and_then_falls(void **state)
{
    struct images images;
    struct view view;
    struct error error;
    struct training training = averaged_training();
    training.average = 0;
    training.steady = 0.5f;
    pictures_draw(input, CLASSES, IMAGES, 100, 6, &images, &view);
    struct weights *weights = fresh_weights(notation, input, 5);
    struct witness witness;
    witness_init(&witness, weights);
    struct trainer_hooks hooks = {.context = &witness, .epoch = see_epoch};
    assert_int_equal(train(*state, weights, &view, NULL, &training, &hooks, &error), TRAINING_DONE);
    for (int epoch = 1; epoch <= EPOCHS; epoch++) {
        double into = epoch * STEPS - 1 - EPOCHS * STEPS / 2, rate = 0.1; /* of the epoch's last step */
        if (into > 0)
            rate = 0.05 * (1 + cos(3.14159265358979 * into / (EPOCHS * STEPS / 2)));
        assert_true(fabs(witness.rates[epoch - 1] - rate) < 1e-6);
    }
    witness_done(&witness);
    weights_free(weights);
    pictures_done(&images, &view);
}

int main(void)
{
    enum { CHECKS = 3 };
    static struct CMUnitTest tests[CHECKS * BACKENDS_MAX];
    static char names[CHECKS * BACKENDS_MAX][64];
    static const struct {
        const char *name;
        CMUnitTestFunction run;
    } checks[CHECKS] = {{"the average is judged and kept", average_is_judged_and_kept},
                        {"the average goes on as if never stopped", average_goes_on},
                        {"the rate holds and then falls", rate_holds_and_then_falls}};
    const struct backend *backends[BACKENDS_MAX];
    int backend_count = backends_here(backends), count = 0;
    for (int b = 0; b < backend_count; b++)
        for (int c = 0; c < CHECKS; c++, count++) {
            snprintf(names[count], sizeof names[count], "%s: %s", backend_label(backends[b]), checks[c].name);
            tests[count] = (struct CMUnitTest){names[count], checks[c].run, NULL, NULL, (void *)backends[b]};
        }
    return _cmocka_run_group_tests("the average of the weights", tests, (size_t)count, NULL, NULL);
}
