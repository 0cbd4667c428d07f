/*
 * test_pytorch.c - whole networks on every backend against what PyTorch computed (reference/torch_fixtures.py).
 *
 * Logits in evaluation mode, then some steps of SGD: each step's loss and gradient of every trained value, the
 * weights and running statistics after the last, and logits again.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends.h"
#include "nn/network.h"
#include "torch_fixture.h"
#include "util/bug.h"
#include "util/memory.h"

/* Of an array's largest value: the fixtures are exact, so this is a float32 backend's own rounding. */
static const double tolerance = 3e-5;

struct subject {
    const struct backend *backend;
    const char *fixture;
};

static void compare(const struct subject *subject, const char *what, const float *expected, const float *got,
                    size_t size)
{
    double scale = 0;
    for (size_t i = 0; i < size; i++)
        scale = fmax(scale, fabs((double)expected[i]));
    for (size_t i = 0; i < size; i++)
        if (!(fabs((double)expected[i] - got[i]) <= tolerance * scale))
            fail_msg("%s, %s: %s[%zu] of %zu is %.9g, PyTorch has %.9g (largest %g)", backend_label(subject->backend),
                     subject->fixture, what, i, size, (double)got[i], (double)expected[i], scale);
}

static void compare_block(const struct subject *subject, const struct fixture *fixture, const char *name,
                          const float *got, size_t size)
{
    float *expected = fixture_floats(fixture, name, size);
    compare(subject, name, expected, got, size);
    free(expected);
}

/* Each kind of value of each layer has a magnitude of its own. */
static void compare_flat(const struct subject *subject, const char *what, const struct weights *weights,
                         const float *expected, const float *got, bool statistics)
{
    for (int i = 0; i < weights->arch.layer_count; i++)
        for (int part = 0; part < WEIGHTS_PARTS; part++) {
            const struct weights_layer *w = &weights->layout.parts[part][i];
            const size_t outputs = (size_t)w->outputs;
            const int64_t starts[] = {w->weight, w->bias, w->gamma, w->beta, w->mean, w->variance};
            for (size_t k = 0; k < COUNT_OF(starts); k++) {
                size_t size = k ? outputs : outputs * (size_t)(w->inputs * w->kernel * w->kernel);
                if (starts[k] >= 0 && (k < 4 || statistics))
                    compare(subject, what, expected + starts[k], got + starts[k], size);
            }
        }
}

static void train_steps(const struct subject *subject, const struct fixture *fixture, struct network *network,
                        struct weights *weights)
{
    size_t trained = (size_t)weights->layout.trained, steps = (size_t)fixture->steps;
    float *losses = fixture_floats(fixture, "losses", steps),
          *gradients = fixture_floats(fixture, "gradients", steps * trained);
    for (size_t step = 0; step < steps; step++) {
        struct batch batch = {.view = &fixture->view,
                              .index = fixture->view.index + step * (size_t)fixture->batch,
                              .count = fixture->batch};
        struct step_result result;
        const float *gradient = network_gradient(network, &batch, 0, &result);
        float loss = (float)(result.loss / fixture->batch);
        compare(subject, "loss", &losses[step], &loss, 1);
        compare_flat(subject, "gradient", weights, gradients + step * trained, gradient, false);
        network_train(network, &batch, &fixture->sgd, 0.9f, 0);
    }
    free(losses);
    free(gradients);
}

static void check_fixture(void **state)
{
    const struct subject *subject = *state;
    struct fixture fixture;
    struct error error;
    fixture_open(&fixture, subject->fixture);
    struct plan *plan = memory_new(1, sizeof *plan);
    struct weights *weights = weights_new(&fixture.arch, fixture.input);
    size_t total = (size_t)weights->layout.total, logits_size = (size_t)(fixture.batch * fixture.classes);
    float *start = fixture_floats(&fixture, "weights", total), *trained = fixture_floats(&fixture, "trained", total);
    float *logits = memory_new(logits_size, sizeof *logits);
    memcpy(weights->values, start, total * sizeof *start);
    plan_lower(&fixture.arch, fixture.input, &(struct plan_options){0}, plan);
    struct network *network = network_open(subject->backend, plan, fixture.batch, NETWORK_TRAINING, weights, NULL, &error);
    assert_non_null(network);
    struct batch first = {.view = &fixture.view, .index = fixture.view.index, .count = fixture.batch};

    network_infer(network, &first, logits);
    compare_block(subject, &fixture, "logits", logits, logits_size);
    train_steps(subject, &fixture, network, weights);
    compare_flat(subject, "trained", weights, trained, weights->values, true);
    network_infer(network, &first, logits);
    compare_block(subject, &fixture, "final", logits, logits_size);

    network_free(network);
    weights_free(weights);
    free(start);
    free(trained);
    free(logits);
    free(plan);
    fixture_done(&fixture);
}

int main(void)
{
    enum { MOST = BACKENDS_MAX * TORCH_FIXTURES };
    static struct CMUnitTest tests[MOST];
    static struct subject subjects[MOST];
    static char names[MOST][64];
    const struct backend *backends[BACKENDS_MAX];
    int backend_count = backends_here(backends), count = 0;
    for (int b = 0; b < backend_count; b++)
        for (int f = 0; f < TORCH_FIXTURES; f++, count++) {
            snprintf(names[count], sizeof names[count], "%s: %s", backend_label(backends[b]), torch_fixtures[f]);
            subjects[count] = (struct subject){backends[b], torch_fixtures[f]};
            tests[count] = (struct CMUnitTest){names[count], check_fixture, NULL, NULL, &subjects[count]};
        }
    return _cmocka_run_group_tests("networks against PyTorch", tests, (size_t)count, NULL, NULL);
}
