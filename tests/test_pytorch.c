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
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

/* Of an array's largest value: the fixtures are exact, so this is a float32 backend's own rounding. */
static const double tolerance = 3e-5;

struct fixture {
    char *bytes;
    size_t length;
    struct arch arch;
    struct shape input;
    int classes, batch, steps;
    struct sgd sgd;
    struct images images;
    struct view view;
    const char *blocks; /* the first block's line */
};

struct subject {
    const struct backend *backend;
    const char *fixture;
};

/* The text after `key` on its line in the header. */
static const char *value_of(const struct fixture *fixture, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = fixture->bytes; *line != '\n'; line = strchr(line, '\n') + 1)
        if (!strncmp(line, key, length) && line[length] == ' ')
            return line + length + 1;
    fail_msg("the fixture has no key %s", key);
    return NULL;
}

/* The bytes of a block and how many numbers. */
static const void *block_of(const struct fixture *fixture, const char *name, size_t *count)
{
    for (const char *at = fixture->blocks; at < fixture->bytes + fixture->length;) {
        char found[32], type[8];
        assert_int_equal(sscanf(at, "%31s %7s %zu", found, type, count), 3);
        const char *data = strchr(at, '\n') + 1;
        if (!strcmp(found, name))
            return data;
        at = data + *count * (strcmp(type, "u8") ? sizeof(float) : 1);
    }
    fail_msg("the fixture has no block %s", name);
    return NULL;
}

/* An aligned copy of a block of floats, which must have `expected` numbers. */
static float *floats_of(const struct fixture *fixture, const char *name, size_t expected)
{
    size_t count;
    const void *data = block_of(fixture, name, &count);
    assert_int_equal(count, expected);
    return memcpy(memory_new(count, sizeof(float)), data, count * sizeof(float));
}

static void read_images(struct fixture *fixture)
{
    struct images *images = &fixture->images;
    size_t pixels, labels;
    const uint8_t *pixel_bytes = block_of(fixture, "pixels", &pixels);
    const uint8_t *label_bytes = block_of(fixture, "labels", &labels);
    *images = (struct images){.count = (int)labels, .classes = fixture->classes, .shape = fixture->input};
    assert_int_equal(labels, fixture->steps * fixture->batch);
    assert_int_equal(pixels, labels * fixture->input.channels * fixture->input.height * fixture->input.width);
    images->pixels = memcpy(memory_new(pixels, 1), pixel_bytes, pixels);
    images->labels = memory_new(labels, sizeof *images->labels);
    fixture->view = (struct view){.images = images, .count = images->count};
    fixture->view.index = memory_new(labels, sizeof *fixture->view.index);
    for (int i = 0; i < images->count; i++) {
        images->labels[i] = label_bytes[i];
        fixture->view.index[i] = i;
    }
    const char *scale = value_of(fixture, "scale"), *shift = value_of(fixture, "shift");
    for (int c = 0; c < fixture->input.channels; c++) {
        fixture->view.scale[c] = strtof(scale, (char **)&scale);
        fixture->view.shift[c] = strtof(shift, (char **)&shift);
    }
}

static void fixture_open(struct fixture *fixture, const char *name)
{
    const char *source = getenv("top_srcdir");
    char path[4096], text[256];
    void *bytes;
    struct error error;
    snprintf(path, sizeof path, "%s/tests/reference/%s.fixture", source ? source : "..", name);
    *fixture = (struct fixture){0};
    if (file_read(path, 1 << 20, &bytes, &fixture->length, &error))
        fail_msg("%s", error.text);
    fixture->bytes = bytes;
    fixture->blocks = strstr(fixture->bytes, "\n\n") + 2;
    assert_int_equal(sscanf(value_of(fixture, "arch"), "%255[^\n]", text), 1);
    if (arch_parse(&fixture->arch, text, &error))
        fail_msg("%s", error.text);
    struct shape *input = &fixture->input;
    sscanf(value_of(fixture, "input"), "%d %d %d", &input->channels, &input->height, &input->width);
    fixture->classes = atoi(value_of(fixture, "classes"));
    fixture->batch = atoi(value_of(fixture, "batch"));
    fixture->steps = atoi(value_of(fixture, "steps"));
    fixture->sgd = (struct sgd){.rate = strtof(value_of(fixture, "rate"), NULL),
                                .momentum = strtof(value_of(fixture, "momentum"), NULL),
                                .weight_decay = strtof(value_of(fixture, "decay"), NULL),
                                .nesterov = true};
    read_images(fixture);
}

static void fixture_done(struct fixture *fixture)
{
    free(fixture->bytes);
    free(fixture->images.pixels);
    free(fixture->images.labels);
    free(fixture->view.index);
}

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
    float *expected = floats_of(fixture, name, size);
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
    float *losses = floats_of(fixture, "losses", steps), *gradients = floats_of(fixture, "gradients", steps * trained);
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
    float *start = floats_of(&fixture, "weights", total), *trained = floats_of(&fixture, "trained", total);
    float *logits = memory_new(logits_size, sizeof *logits);
    memcpy(weights->values, start, total * sizeof *start);
    plan_lower(&fixture.arch, fixture.input, &(struct plan_options){0}, plan);
    struct network *network = network_new(subject->backend, plan, fixture.batch, NETWORK_TRAINING, weights, &error);
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
    static const char *const fixtures[] = {"odd", "stride", "deep", "dense", "blocks"};
    enum { MOST = BACKENDS_MAX * (int)COUNT_OF(fixtures) };
    static struct CMUnitTest tests[MOST];
    static struct subject subjects[MOST];
    static char names[MOST][64];
    const struct backend *backends[BACKENDS_MAX];
    int backend_count = backends_here(backends), count = 0;
    for (int b = 0; b < backend_count; b++)
        for (size_t f = 0; f < COUNT_OF(fixtures); f++, count++) {
            snprintf(names[count], sizeof names[count], "%s: %s", backend_label(backends[b]), fixtures[f]);
            subjects[count] = (struct subject){backends[b], fixtures[f]};
            tests[count] = (struct CMUnitTest){names[count], check_fixture, NULL, NULL, &subjects[count]};
        }
    return _cmocka_run_group_tests("networks against PyTorch", tests, (size_t)count, NULL, NULL);
}
