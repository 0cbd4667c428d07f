/*
 * test_network.c - networks as wholes: modes, batches, dropout, evaluation, measured statistics.
 *
 * What each operation computes is test_ops' matter, and what networks compute test_pytorch's; here the walks and the
 * memory are checked: that buffers are shared only where nothing is lost, on every backend.
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
#include "lowered.h"
#include "nn/network.h"
#include "nn/trainer.h"
#include "pictures.h"
#include "util/bug.h"

/* An allocation that is too large is to fail here as it does without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

struct subject {
    const struct backend *backend;
    const char *text; /* the network */
};

/* Initialised, and with BN statistics and parameters that are no defaults. */
static struct weights *draw_weights(const char *text, struct shape shape, uint64_t seed)
{
    struct arch arch;
    struct error error;
    if (parse(&arch, text, &error))
        fail_msg("%s", error.text);
    struct weights *weights = weights_new(&arch, shape);
    struct random_stream stream = random_stream_new(seed, RANDOM_TEST, 1, 0);
    weights_initialise(weights, &stream);
    for (int i = 0; i < arch.layer_count; i++) {
        for (int part = 0; part < WEIGHTS_PARTS; part++) {
            const struct weights_layer *w = &weights->layout.parts[part][i];
            for (int c = 0; w->gamma >= 0 && c < w->outputs; c++) {
                weights->values[w->gamma + c] = 0.5f + random_uniform(&stream);
                weights->values[w->beta + c] = 0.3f * random_normal(&stream);
                weights->values[w->mean + c] = 0.3f * random_normal(&stream);
                weights->values[w->variance + c] = 0.5f + random_uniform(&stream);
            }
        }
    }
    return weights;
}

static struct network *open_network(const struct backend *backend, const struct plan *plan, int batch,
                                    enum network_mode mode, struct weights *weights)
{
    struct error error;
    struct network *network = network_open(backend, plan, batch, mode, weights, NULL, &error);
    if (!network)
        fail_msg("%s", error.text);
    return network;
}

static void modes_and_batches_agree(void **state)
{
    const struct subject *subject = *state;
    const struct backend *backend = subject->backend;
    struct images images;
    struct view view;
    float whole[IMAGES * CLASSES], part[IMAGES * CLASSES];
    pictures_draw(input, CLASSES, IMAGES, 50, 3, &images, &view);
    struct weights *weights = draw_weights(subject->text, input, 4);
    struct plan *plan = lower(subject->text, input, &dropping);
    struct network *inference = open_network(backend, plan, IMAGES, NETWORK_INFERENCE, weights);
    struct network *training = open_network(backend, plan, BATCH, NETWORK_TRAINING, weights);
    network_infer(inference, &(struct batch){.view = &view, .index = view.index, .count = IMAGES}, whole);
    for (int start = 0; start < IMAGES; start += 17) {
        int count = IMAGES - start < 17 ? IMAGES - start : 17;
        network_infer(training, &(struct batch){.view = &view, .index = view.index + start, .count = count},
                      part + start * CLASSES);
    }
    for (int i = 0; i < IMAGES * CLASSES; i++)
        assert_true(fabsf(whole[i] - part[i]) <= 1e-5f * (1 + fabsf(whole[i])));
    network_free(inference);
    network_free(training);
    weights_free(weights);
    free(plan);
    pictures_done(&images, &view);
}

/* Weights after some steps, with batches of different sizes, and inference between them or not. */
static struct weights *train_some(const struct backend *backend, const char *text, const struct view *view,
                                  bool infer_between)
{
    static const struct sgd sgd = {0.05f, 0.9f, 1e-3f, true};
    static const int counts[] = {BATCH, 7, BATCH, 17};
    struct weights *weights = draw_weights(text, input, 5);
    struct plan *plan = lower(text, input, &dropping);
    struct network *network = open_network(backend, plan, BATCH, NETWORK_TRAINING, weights);
    for (size_t step = 0; step < COUNT_OF(counts); step++) {
        struct batch batch = {.view = view, .index = view->index + step, .count = counts[step]};
        if (infer_between)
            network_infer(network, &batch, NULL);
        network_train(network, &batch, &sgd, 0.9f, 100 + step);
    }
    network_free(network);
    free(plan);
    return weights;
}

static void training_agrees_with_the_reference(void **state)
{
    const struct subject *subject = *state;
    const struct backend *backend = subject->backend;
    struct images images;
    struct view view;
    pictures_draw(input, CLASSES, IMAGES, 50, 6, &images, &view);
    struct weights *expected = train_some(&backend_ref, subject->text, &view, false),
                   *got = train_some(backend, subject->text, &view, false);
    struct weights *again = train_some(backend, subject->text, &view, true);
    for (int64_t i = 0; i < expected->layout.total; i++) {
        if (!(fabsf(expected->values[i] - got->values[i]) <= 2e-4f * (1 + fabsf(expected->values[i]))))
            fail_msg("%s: value %d is %g, the reference has %g", backend_label(backend), (int)i, (double)got->values[i],
                     (double)expected->values[i]);
        assert_true(got->values[i] == again->values[i]);
    }
    weights_free(expected);
    weights_free(got);
    weights_free(again);
    pictures_done(&images, &view);
}

static void gradient_moves_nothing(void **state)
{
    const struct subject *subject = *state;
    const struct backend *backend = subject->backend;
    struct images images;
    struct view view;
    struct step_result first, second, other;
    pictures_draw(input, CLASSES, IMAGES, 50, 7, &images, &view);
    struct weights *weights = draw_weights(subject->text, input, 8), *before = weights_copy(weights);
    struct plan *plan = lower(subject->text, input, &dropping);
    struct network *network = open_network(backend, plan, BATCH, NETWORK_TRAINING, weights);
    struct batch batch = {.view = &view, .index = view.index, .count = BATCH};
    network_gradient(network, &batch, 1, &first);
    network_gradient(network, &batch, 2, &other);
    network_gradient(network, &batch, 1, &second);
    assert_memory_equal(weights->values, before->values, (size_t)weights->layout.total * sizeof(float));
    assert_true(first.loss == second.loss && first.correct == second.correct);
    assert_true(first.loss != other.loss); /* the dropout key is used */
    network_free(network);
    weights_free(weights);
    weights_free(before);
    free(plan);
    pictures_done(&images, &view);
}

/* Down the gradient with dropout in force the loss falls by what the gradient says. */
static void gradient_predicts_the_loss(void **state)
{
    const struct subject *subject = *state;
    const struct backend *backend = subject->backend;
    struct images images;
    struct view view;
    struct step_result result, below, above;
    pictures_draw(input, CLASSES, IMAGES, 50, 9, &images, &view);
    struct weights *weights = draw_weights(subject->text, input, 10), *origin = weights_copy(weights);
    struct plan *plan = lower(subject->text, input, &dropping);
    struct network *network = open_network(backend, plan, IMAGES, NETWORK_TRAINING, weights);
    struct batch batch = {.view = &view, .index = view.index, .count = IMAGES};
    size_t bytes = (size_t)weights->layout.trained * sizeof(float);
    float *gradient = memory_new(bytes, 1);
    memcpy(gradient, network_gradient(network, &batch, 3, &result), bytes);
    double square = 0;
    for (int64_t i = 0; i < weights->layout.trained; i++)
        square += (double)gradient[i] * gradient[i];
    float step = (float)(1e-4 / sqrt(square));
    for (int64_t i = 0; i < weights->layout.trained; i++)
        weights->values[i] = origin->values[i] - step * gradient[i];
    network_gradient(network, &batch, 3, &below);
    for (int64_t i = 0; i < weights->layout.trained; i++)
        weights->values[i] = origin->values[i] + step * gradient[i];
    network_gradient(network, &batch, 3, &above);
    double slope = (above.loss - below.loss) / IMAGES / (2 * (double)step);
    assert_true(fabs(slope - square) < 0.01 * square);
    network_free(network);
    weights_free(weights);
    weights_free(origin);
    free(gradient);
    free(plan);
    pictures_done(&images, &view);
}

static bool twice(void *context)
{
    int *left = context;
    return (*left)-- > 0;
}

static void evaluation_counts(void **state)
{
    const struct subject *subject = *state;
    const struct backend *backend = subject->backend;
    struct images images;
    struct view view;
    struct evaluation evaluation;
    struct error error;
    float logits[IMAGES * CLASSES];
    pictures_draw(input, CLASSES, IMAGES, 50, 11, &images, &view);
    struct weights *weights = draw_weights(subject->text, input, 12);
    struct plan *plan = lower(subject->text, input, &dropping);
    struct network *network = open_network(backend, plan, IMAGES, NETWORK_INFERENCE, weights);
    network_infer(network, &(struct batch){.view = &view, .index = view.index, .count = IMAGES}, logits);
    network_free(network);
    double loss = 0;
    int correct = 0;
    for (int i = 0; i < IMAGES; i++) {
        double sum = 0;
        int label = images.labels[i], larger = 0;
        for (int k = 0; k < CLASSES; k++) {
            sum += exp(logits[i * CLASSES + k]);
            larger += logits[i * CLASSES + k] > logits[i * CLASSES + label];
        }
        loss += log(sum) - logits[i * CLASSES + label];
        correct += larger == 0;
    }
    assert_int_equal(network_evaluate(backend, weights, &view, BATCH, &evaluation, &error), 0);
    assert_int_equal(evaluation.count, IMAGES);
    assert_true(fabs(evaluation.loss - loss / IMAGES) < 1e-5 * evaluation.loss);
    assert_true(fabs(evaluation.accuracy - (double)correct / IMAGES) < 1e-9);

    int left = 2;
    network = open_network(backend, plan, BATCH, NETWORK_INFERENCE, weights);
    assert_false(network_evaluate_view(network, &view, twice, &left, &evaluation));
    assert_int_equal(evaluation.count, 2 * BATCH);
    network_free(network);
    weights_free(weights);
    free(plan);
    pictures_done(&images, &view);
}

/* The input of operation `op`, by the reference's own functions in training mode: count × size floats.  Every buffer
   has memory of its own; what the backward pass would need of a forward one is left aside. */
static float *input_of_op(const struct plan *plan, int op, struct weights *weights, const struct batch *batch,
                          size_t *size)
{
    void *buffers[PLAN_TENSORS_MAX] = {NULL};
    for (int t = 0; t < plan->tensor_count; t++)
        if (plan->tensors[t].buffer == t)
            buffers[t] = memory_new_aligned(backend_ref.tensor_bytes(&plan->tensors[t], batch->count));
    backend_ref.load(NULL, &plan->tensors[0], batch, buffers[0], NULL);
    for (int i = 0; i < op; i++) {
        const struct tensor *in = &plan->tensors[plan->ops[i].inputs[0]], *out = &plan->tensors[plan->ops[i].output];
        const struct tensor *in2 = &plan->tensors[plan->ops[i].inputs[1]];
        void *scratch =
            memory_new_aligned(backend_ref.scratch_bytes(&backend_ref, plan, &plan->ops[i], batch->count, 1));
        void *saved = memory_new_aligned(backend_ref.saved_bytes(plan, &plan->ops[i], batch->count));
        struct op_run run = {.plan = plan,
                             .op = &plan->ops[i],
                             .count = batch->count,
                             .training = true,
                             .bn_decay = 1,
                             .values = weights->values,
                             .saved = saved,
                             .x = (char *)buffers[in->buffer] + backend_ref.tensor_offset(in),
                             .x2 = (char *)buffers[in2->buffer] + backend_ref.tensor_offset(in2),
                             .y = (char *)buffers[out->buffer] + backend_ref.tensor_offset(out),
                             .scratch = scratch};
        backend_ref.forward[run.op->kind](&run);
        free(scratch);
        free(saved);
    }
    const struct tensor *in = &plan->tensors[plan->ops[op].inputs[0]];
    *size = (size_t)in->channels * in->height * in->width;
    float *plain = memory_new(*size * (size_t)batch->count, sizeof *plain);
    backend_ref.tensor_read(in, batch->count, buffers[in->buffer], plain);
    for (int t = 0; t < plan->tensor_count; t++)
        free(buffers[t]);
    return plain;
}

/* The layer is made an identity, as a deepened one is: what it computes before BN is then its input. */
static void check_measure(const struct backend *backend, const char *text, int layer, int op, int batch)
{
    struct images images;
    struct view view;
    struct error error;
    float mean[16], variance[16];
    pictures_draw(input, CLASSES, IMAGES, 50, 13, &images, &view);
    struct weights *weights = draw_weights(text, input, 14);
    struct plan *plan = lower(text, input, &(struct plan_options){0});
    const struct weights_layer *w = &weights->layout.layers[layer];
    int area = w->kernel * w->kernel;
    for (int o = 0; o < w->outputs; o++)
        for (int i = 0; i < w->inputs * area; i++)
            weights->values[w->weight + o * w->inputs * area + i] = i == o * area + area / 2;
    struct weights *before = weights_copy(weights);
    /* More batches than the view has: every image once. */
    assert_int_equal(network_measure(backend, weights, layer, &view, 9, batch, 1, 2, 3, mean, variance, &error), 0);
    assert_memory_equal(weights->values, before->values, (size_t)weights->layout.total * sizeof(float));

    size_t size;
    float *x =
        input_of_op(plan, op, weights, &(struct batch){.view = &view, .index = view.index, .count = IMAGES}, &size);
    size_t plane = size / (size_t)w->outputs;
    for (int c = 0; c < w->outputs; c++) {
        double sum = 0, squares = 0, n = (double)plane * IMAGES;
        for (int image = 0; image < IMAGES; image++)
            for (size_t i = 0; i < plane; i++) {
                double value = x[(size_t)image * size + (size_t)c * plane + i];
                sum += value;
                squares += value * value;
            }
        double m = sum / n, v = squares / n - m * m;
        assert_true(fabs(mean[c] - m) <= 1e-5 * (1 + fabs(m)));
        assert_true(fabs(variance[c] - v) <= 1e-4 * v + 1e-6);
    }
    free(x);
    weights_free(weights);
    weights_free(before);
    free(plan);
    pictures_done(&images, &view);
}

static void measure_is_exact(void **state)
{
    const struct subject *subject = *state;
    check_measure(subject->backend, "C(5,3,1) P(2,2) C(5,3,1) P(2,2) FC(8) SM(5)", 2, 1, IMAGES);
    check_measure(subject->backend, "C(5,3,1) C(5,5,1) FC(8) SM(5)", 1, 1, IMAGES);
    check_measure(subject->backend, "C(5,3,1) P(3,3) FC(8) FC(8) SM(5)", 3, 2, IMAGES);
    check_measure(subject->backend, "C(5,3,1) D(2,[3]) D(0,[3]) P(3,3) C(11,3,1) D(1,[2]) A(2,2) FC(8) SM(5)", 4, 7,
                  IMAGES);
    check_measure(subject->backend, "C(5,3,1) M(7,3) R(3,3) C(5,3,1) S(4,3,2) FC(8) SM(5)", 3, 6, IMAGES);
    /* Batches have their own statistics, but those of images are the same however they are cut; the last is smaller. */
    check_measure(subject->backend, "C(3,3,1) FC(8) SM(5)", 0, 0, 16);
}

static void measure_draws_by_name(void **state)
{
    const struct subject *subject = *state;
    const struct backend *backend = subject->backend;
    struct images images;
    struct view view;
    struct error error;
    float mean[3][5], variance[3][5];
    pictures_draw(input, CLASSES, IMAGES, 50, 15, &images, &view);
    struct weights *weights = draw_weights("C(5,3,1) C(5,3,1) SM(5)", input, 16);
    const uint32_t actions[] = {0, 0, 1};
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            network_measure(backend, weights, 1, &view, 1, 8, 1, 2, actions[i], mean[i], variance[i], &error), 0);
    assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
    assert_memory_not_equal(mean[0], mean[2], sizeof mean[0]);
    weights_free(weights);
    pictures_done(&images, &view);
}

static void arena_is_planned(void **state)
{
    const struct subject *subject = *state;
    const struct backend *backend = subject->backend;
    struct plan *plan = lower(subject->text, input, &dropping);
    int64_t inference = network_bytes(backend, plan, 64, NETWORK_INFERENCE);
    int64_t training = network_bytes(backend, plan, 64, NETWORK_TRAINING);
    assert_true(inference < training);
    assert_true(network_bytes(backend, plan, 128, NETWORK_TRAINING) > training);
    size_t tensors = 0;
    for (int t = 0; t < plan->tensor_count; t++)
        if (plan->tensors[t].buffer == t)
            tensors += backend->tensor_bytes(&plan->tensors[t], 64);
    assert_true((size_t)training > tensors && (size_t)inference < tensors + (1 << 20));
    free(plan);
}

static void too_large_fails_alone(void **state)
{
    const struct subject *subject = *state;
    const struct backend *backend = subject->backend;
    const struct shape large = {3, 1024, 1024};
    struct error error = {""};
    struct weights *weights = draw_weights("C(8,3,1) A(1024,1024) SM(2)", large, 1);
    struct plan *plan = lower("C(8,3,1) A(1024,1024) SM(2)", large, &(struct plan_options){0});
    assert_null(network_open(backend, plan, 1 << 28, NETWORK_TRAINING, weights, NULL, &error));
    assert_non_null(strstr(error.text, "smaller batch"));
    free(plan);
    weights_free(weights);
}

static bool runs_all(const struct backend *backend, const char *text)
{
    struct plan *plan = lower(text, input, &dropping);
    bool all = true;
    for (int i = 0; i < plan->op_count; i++)
        all = all && backend->forward[plan->ops[i].kind] && (backend->hard_swish || !plan->ops[i].hard_swish);
    free(plan);
    return all;
}

static void not_supported(void **state)
{
    skip();
}

static const struct {
    const char *name;
    CMUnitTestFunction run;
    const char *text;
} checks[] = {
    {"modes and batches agree", modes_and_batches_agree, every_kind},
    {"training agrees with the reference", training_agrees_with_the_reference, every_kind},
    {"gradient moves nothing", gradient_moves_nothing, every_kind},
    {"gradient predicts the loss", gradient_predicts_the_loss, every_kind},
    {"evaluation counts", evaluation_counts, every_kind},
    {"arena is planned", arena_is_planned, every_kind},
    {"dense: modes and batches agree", modes_and_batches_agree, dense},
    {"dense: training agrees with the reference", training_agrees_with_the_reference, dense},
    {"dense: gradient moves nothing", gradient_moves_nothing, dense},
    {"dense: gradient predicts the loss", gradient_predicts_the_loss, dense},
    {"dense: evaluation counts", evaluation_counts, dense},
    {"dense: arena is planned", arena_is_planned, dense},
    {"residual: modes and batches agree", modes_and_batches_agree, residual},
    {"residual: training agrees with the reference", training_agrees_with_the_reference, residual},
    {"residual: gradient moves nothing", gradient_moves_nothing, residual},
    {"residual: gradient predicts the loss", gradient_predicts_the_loss, residual},
    {"residual: arena is planned", arena_is_planned, residual},
    {"modern: modes and batches agree", modes_and_batches_agree, modern},
    {"modern: training agrees with the reference", training_agrees_with_the_reference, modern},
    {"modern: gradient moves nothing", gradient_moves_nothing, modern},
    {"modern: gradient predicts the loss", gradient_predicts_the_loss, modern},
    {"modern: evaluation counts", evaluation_counts, modern},
    {"modern: arena is planned", arena_is_planned, modern},
    {"gated: modes and batches agree", modes_and_batches_agree, gated},
    {"gated: training agrees with the reference", training_agrees_with_the_reference, gated},
    {"gated: gradient moves nothing", gradient_moves_nothing, gated},
    {"gated: gradient predicts the loss", gradient_predicts_the_loss, gated},
    {"gated: evaluation counts", evaluation_counts, gated},
    {"gated: arena is planned", arena_is_planned, gated},
    {"measure is exact", measure_is_exact, NULL},
    {"measure draws by name", measure_draws_by_name, NULL},
    {"too large fails alone", too_large_fails_alone, NULL},
};

int main(void)
{
    enum { MOST = BACKENDS_MAX * (int)COUNT_OF(checks) };
    static struct CMUnitTest tests[MOST];
    static char names[MOST][80];
    static struct subject subjects[MOST];
    const struct backend *backends[BACKENDS_MAX];
    int backend_count = backends_here(backends), count = 0;
    for (int b = 0; b < backend_count; b++)
        for (size_t c = 0; c < COUNT_OF(checks); c++, count++) {
            snprintf(names[count], sizeof names[count], "%s: %s", backend_label(backends[b]), checks[c].name);
            subjects[count] = (struct subject){backends[b], checks[c].text};
            bool supported = !checks[c].text || runs_all(backends[b], checks[c].text);
            tests[count] = (struct CMUnitTest){names[count], supported ? checks[c].run : not_supported, NULL, NULL,
                                               &subjects[count]};
        }
    return _cmocka_run_group_tests("networks", tests, (size_t)count, NULL, NULL);
}
