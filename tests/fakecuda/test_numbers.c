/*
 * test_numbers.c - the results of the CUDA backend: they agree with the reference, gradients are slopes of the loss,
 * and growing a network keeps its function.
 *
 * On a fake of CUDA (fake.h) the kernels are the real ones, compiled for the CPU, but convolutions and matrix products
 * are the fake's.  There the test checks what the host decides: layouts, arguments, order, memory, captured graphs.  On
 * a GPU (tests/gpu/gpu-check; ESPALIER_CUDA_MODULE names the real module) it checks everything.
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bed.h"
#include "morph/morph.h"
#include "nn/trainer.h"
#include "tests/lowered.h"
#include "tests/pictures.h"
#include "tests/random_action.h"

enum { FULL_BATCH = 16, BATCH_MOST = 256, IMAGES_MOST = 3 * FULL_BATCH + BATCH_MOST };

/* What the device stores. */
enum type { FLOAT32, HALF /* bf16 where the device has it */, FLOAT16 };

static const struct cuda_module *module;
static const struct fake_cuda *fake;

static int open_module(void **state)
{
    struct cuda_device devices[CUDA_DEVICES_MAX];
    struct error error;
    int count;
    setenv("FAKE_CUDA_WORKSPACE", "100000", 0);
    module = bed_module(&fake);
    if (module && module->devices(devices, &count, &error) == 0)
        return 0;
    if (module)
        fprintf(stderr, "# %s\n", error.text);
    return -1;
}

static struct weights *draw_weights(const char *text, struct shape shape, uint64_t seed)
{
    return bed_weights(text[0] == '+' ? text + 2 : text, shape, seed);
}

static struct network *open_network(const struct backend *backend, const struct plan *plan, int batch,
                                    struct weights *weights)
{
    struct error error;
    struct network *network = network_open(backend, plan, batch, NETWORK_TRAINING, weights, NULL, &error);
    if (!network)
        fail_msg("%s", error.text);
    return network;
}

/* float32: compare each value. */
static void compare(const char *what, const float *expected, const float *got, size_t size, double tolerance)
{
    double scale = 1e-3;
    for (size_t i = 0; i < size; i++)
        scale = fmax(scale, fabs((double)expected[i]));
    for (size_t i = 0; i < size; i++)
        if (!(fabs((double)expected[i] - got[i]) <= tolerance * scale))
            fail_msg("%s[%zu] of %zu is %g, the reference has %g (largest %g)", what, i, size, (double)got[i],
                     (double)expected[i], scale);
}

/* bf16: compare the whole vector, since one rounding may switch a ReLU and so change single values much. */
static void compare_whole(const char *what, const float *expected, const float *got, size_t size, double tolerance)
{
    double difference = 0, whole = 0;
    for (size_t i = 0; i < size; i++) {
        difference += ((double)expected[i] - got[i]) * ((double)expected[i] - got[i]);
        whole += (double)expected[i] * expected[i];
    }
    if (!(difference <= tolerance * tolerance * whole))
        fail_msg("%s: differs by %g of its length", what, sqrt(difference / whole));
}

struct numbers_case {
    const char *text;
    struct plan_options options;
    enum type type;
    bool doubled;
    bool large; /* 256 images of 32 × 32: all blocks of a sum, and grids whose threads take several rows */
};

static const struct backend *backend_for(const struct numbers_case *test)
{
    const struct backend *backend = module->backend(0);
    return test->type == FLOAT16 ? module->backend_f16(0) : test->type ? backend->bf16 : backend;
}

static int full_batch(const struct numbers_case *test)
{
    return test->large ? BATCH_MOST : FULL_BATCH;
}

/* The last batch is of two. */
static int images_of(const struct numbers_case *test)
{
    return (test->large ? BATCH_MOST : 3 * FULL_BATCH) + 2;
}

static struct shape shape_of(const struct numbers_case *test)
{
    return test->large ? (struct shape){3, 32, 32} : input;
}

/* Two networks with the same weights; the first runs on the reference backend. */
struct pair {
    struct images images;
    struct view view;
    int batch;
    struct augment augment[IMAGES_MOST];
    struct plan *plan;
    struct weights *weights[2];
    struct network *networks[2];
};

/* The sum of a residual network is added to itself: the gradient of one input is added to that of the other. */
static void double_sum(struct plan *plan)
{
    int sum = plan->ops[3].output, twice = plan->tensor_count++;
    plan->tensors[twice] = plan->tensors[sum];
    plan->tensors[twice].buffer = twice;
    memmove(&plan->ops[5], &plan->ops[4], (size_t)(plan->op_count++ - 4) * sizeof *plan->ops);
    plan->ops[4] = (struct op){.kind = OP_ADD, .layer = 2, .inputs = {sum, sum}, .output = twice};
    plan->ops[5].inputs[0] = twice;
    plan_complete(plan);
}

static void pair_open(struct pair *pair, const struct numbers_case *test)
{
    pictures_draw(shape_of(test), CLASSES, images_of(test), 50, 3, &pair->images, &pair->view);
    pair->batch = full_batch(test);
    struct random_stream stream = random_stream_new(7, RANDOM_TEST, 2, 0);
    for (int i = 0; i < pair->images.count; i++)
        pair->augment[i] = (struct augment){(int8_t)((int)random_below(&stream, 9) - 4),
                                            (int8_t)((int)random_below(&stream, 9) - 4), random_below(&stream, 2)};
    for (int i = 0; i < 2; i++) {
        pair->weights[i] = draw_weights(test->text, shape_of(test), 4);
        if (!pair->plan)
            pair->plan = lower(test->text, shape_of(test), &test->options);
        if (test->doubled && i == 0)
            double_sum(pair->plan);
        pair->networks[i] =
            open_network(i ? backend_for(test) : &backend_ref, pair->plan, pair->batch, pair->weights[i]);
    }
}

static void pair_close(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        network_free(pair->networks[i]);
        weights_free(pair->weights[i]);
    }
    free(pair->plan);
    pictures_done(&pair->images, &pair->view);
}

static struct batch batch_of(const struct pair *pair, int start, bool augmented)
{
    int rest = pair->images.count - start;
    return (struct batch){&pair->view, pair->view.index + start, augmented ? pair->augment + start : NULL,
                          rest < pair->batch ? rest : pair->batch, NULL};
}

static void gradients_agree(void **state)
{
    const struct numbers_case *test = *state;
    struct pair pair = {0};
    pair_open(&pair, test);
    double tolerance = test->type ? 0.1 : 1e-4;
    for (int start = 0; start < pair.images.count; start += pair.batch) {
        struct batch batch = batch_of(&pair, start, start > 0);
        struct step_result results[2];
        const float *gradients[2];
        float logits[2][BATCH_MOST * CLASSES];
        for (int i = 0; i < 2; i++) {
            gradients[i] = network_gradient(pair.networks[i], &batch, 5, &results[i]);
            network_infer(pair.networks[i], &batch, logits[i]);
            network_finish(pair.networks[i]);
        }
        assert_int_equal(results[1].count, batch.count);
        assert_true(fabs(results[0].loss - results[1].loss) <= tolerance * fabs(results[0].loss));
        if (test->type) {
            compare_whole("gradient", gradients[0], gradients[1], (size_t)pair.plan->trained, 0.3);
            compare_whole("logits", logits[0], logits[1], (size_t)(batch.count * CLASSES), 0.1);
            continue;
        }
        assert_int_equal(results[0].correct, results[1].correct);
        compare("gradient", gradients[0], gradients[1], (size_t)pair.plan->trained, tolerance);
        compare("logits", logits[0], logits[1], (size_t)(batch.count * CLASSES), tolerance);
    }
    pair_close(&pair);
}

/* Full and smaller batches, captured and not, with inference in between. */
static void steps_agree(void **state)
{
    const struct numbers_case *test = *state;
    struct pair pair = {0};
    pair_open(&pair, test);
    struct step_result sums[2] = {{0}};
    int64_t replays = fake ? fake->graph_launches() : 0;
    for (int step = 0; step < 12; step++) {
        /* 16 bits: not the batch of two images; a BN over two values amplifies rounding too much. */
        struct batch batch = batch_of(&pair, step % (test->type ? 3 : 4) * FULL_BATCH, step % 3 > 0);
        struct sgd sgd = {(test->type ? 0.002f : 0.02f) / (float)(step + 1), 0.9f, 1e-4f, true};
        for (int i = 0; i < 2; i++) {
            step_result_add(&sums[i], network_train(pair.networks[i], &batch, &sgd, 0.9f, 100 + (uint64_t)step));
            if (step % 4 == 1)
                step_result_add(&sums[i], network_infer(pair.networks[i], &batch, NULL));
        }
    }
    struct error error;
    double tolerance = test->type ? 0.4 : 1e-3;
    for (int i = 0; i < 2; i++) {
        step_result_add(&sums[i], network_finish(pair.networks[i]));
        network_fetch(pair.networks[i]);
        assert_int_equal(network_trouble(pair.networks[i], &error), DEVICE_FINE);
    }
    assert_true(!fake || fake->graph_launches() > replays + 4);
    assert_int_equal(sums[0].count, sums[1].count);
    assert_true(fabs(sums[0].loss - sums[1].loss) <= tolerance * fabs(sums[0].loss));
    const struct weights_layout *layout = &pair.weights[0]->layout;
    const float *values[2] = {pair.weights[0]->values, pair.weights[1]->values};
    size_t trained = (size_t)layout->trained, statistics = (size_t)layout->total - trained;
    if (test->type) {
        compare_whole("weights", values[0], values[1], trained, tolerance);
        compare_whole("statistics", values[0] + trained, values[1] + trained, statistics, tolerance);
    } else {
        compare("weights", values[0], values[1], trained, tolerance);
        compare("statistics", values[0] + trained, values[1] + trained, statistics, tolerance);
        compare("velocity", network_velocity(pair.networks[0]), network_velocity(pair.networks[1]), trained, tolerance);
    }
    pair_close(&pair);
}

/* Values and velocity are the same after a copy to the device and back. */
static void values_keep_their_bits(void **state)
{
    const struct numbers_case *test = *state;
    struct weights *weights = draw_weights(test->text, input, 9), *before = weights_copy(weights);
    struct plan *plan = lower(test->text, input, &test->options);
    struct network *network = open_network(backend_for(test), plan, FULL_BATCH, weights);
    size_t total = (size_t)plan->total, trained = (size_t)plan->trained;
    memset(weights->values, 0, total * sizeof(float));
    network_fetch(network);
    assert_memory_equal(weights->values, before->values, total * sizeof(float));
    const float *velocity = network_velocity(network);
    for (size_t i = 0; i < trained; i++)
        assert_true(velocity[i] == 0);
    network_set_velocity(network, before->values);
    assert_memory_equal(network_velocity(network), before->values, trained * sizeof(float));
    network_free(network);
    weights_free(weights);
    weights_free(before);
    free(plan);
}

/* In a network of its own, whose batches are larger and which keeps nothing. */
static void evaluations_agree(void **state)
{
    const struct numbers_case *test = *state;
    struct pair pair = {0};
    pair_open(&pair, test);
    struct evaluation results[2];
    struct error error;
    for (int i = 0; i < 2; i++)
        if (network_evaluate(i ? backend_for(test) : &backend_ref, pair.weights[i], &pair.view, pair.batch, &results[i],
                             &error) != DEVICE_FINE)
            fail_msg("%s", error.text);
    assert_true(fabs(results[0].loss - results[1].loss) <= (test->type ? 0.1 : 1e-4) * results[0].loss);
    assert_true(test->type || results[0].accuracy == results[1].accuracy);
    pair_close(&pair);
}

/* Compare the gradient with differences of the device's loss along it: loss(w + d) - loss(w - d) = 2 |d| |gradient|. */
static void gradient_is_the_slope(void **state)
{
    const struct numbers_case *test = *state;
    struct pair pair = {0};
    pair_open(&pair, test);
    struct batch batch = batch_of(&pair, 0, false);
    size_t trained = (size_t)pair.plan->trained;
    struct weights *moved[2] = {weights_copy(pair.weights[1]), weights_copy(pair.weights[1])};
    struct step_result result;
    const float *gradient = network_gradient(pair.networks[1], &batch, 5, &result);
    const double step = 2e-3;
    double length = 0, losses[2];
    for (size_t i = 0; i < trained; i++)
        length += (double)gradient[i] * gradient[i];
    length = sqrt(length);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < trained; i++)
            moved[side]->values[i] += (float)((side ? -step : step) * gradient[i] / length);
        struct network *network = open_network(backend_for(test), pair.plan, pair.batch, moved[side]);
        network_gradient(network, &batch, 5, &result);
        losses[side] = result.loss / result.count;
        network_free(network);
        weights_free(moved[side]);
    }
    double slope = (losses[0] - losses[1]) / (2 * step);
    if (!(fabs(slope - length) <= 0.03 * length))
        fail_msg("the loss rises by %g along the gradient, whose length is %g", slope, length);
    pair_close(&pair);
}

static void infer(const struct numbers_case *test, const struct pair *pair, struct weights *weights, float *logits)
{
    struct plan *plan = memory_new(1, sizeof *plan);
    plan_lower(&weights->arch, weights->input, &(struct plan_options){0}, plan);
    struct network *network = open_network(backend_for(test), plan, pair->batch, weights);
    struct batch batch = batch_of(pair, 0, false);
    network_infer(network, &batch, logits);
    network_finish(network);
    network_free(network);
    free(plan);
}

/* Apply a chain of actions to weights that were trained a little: the function stays the same after each. */
static void growing_keeps_the_function(void **state)
{
    const struct numbers_case *test = *state;
    struct pair pair = {0};
    pair_open(&pair, test);
    for (int step = 0; step < 6; step++) {
        struct batch batch = batch_of(&pair, step % 3 * FULL_BATCH, false);
        struct sgd sgd = {0.02f, 0.9f, 1e-4f, true};
        network_train(pair.networks[1], &batch, &sgd, 0.9f, (uint64_t)step);
    }
    network_finish(pair.networks[1]);
    network_fetch(pair.networks[1]);
    struct weights *weights = weights_copy(pair.weights[1]);
    float before[FULL_BATCH * CLASSES], after[FULL_BATCH * CLASSES];
    infer(test, &pair, weights, before);
    struct random_stream stream = random_stream_new(11, RANDOM_TEST, 3, 0);
    for (int i = 0; i < 8; i++) {
        struct action action = random_action(&weights->arch, 12, &stream);
        struct weights *child;
        struct error error;
        if (morph_apply(weights, &action, &(struct morph_options){0}, NULL, &stream, &child, &error))
            fail_msg("%s", error.text);
        weights_free(weights);
        weights = child;
        infer(test, &pair, weights, after);
        if (test->type)
            compare_whole("logits", before, after, COUNT_OF(before), 0.1);
        else
            compare("logits", before, after, COUNT_OF(before), 1e-4);
    }
    weights_free(weights);
    pair_close(&pair);
}

/* As `modern` of lowered.h, but gentle to batches of two: no BN over two values, which amplifies rounding. */
static const char mobile[] = "C(8,3,1) M(24,5) R(6,3) P(2,1) M(10,3) S(12,3,2) R(5,5) C(9,1,1) S(7,5,1) A(2,2) SM(5)";

static const char squeezed[] = "C(8,3,1) M(24,5,se,hs) R(264,3,se) S(12,3,2,hs) S(17,5,1,se) A(2,2) SM(5)";

/* A small FC layer, whose kernels have ReLU, behind layers with another activation or none. */
static const char gated_fc[] = "C(8,3,1) R(6,3,se) M(24,5,se,hs) A(4,4) FC(16) SM(5)";

static const struct numbers_case cases[] = {
    {.text = every_kind},
    {.text = every_kind, .options = {.drop_pool = 0.2f, .drop_fc = 0.3f}},
    {.text = dense, .options = {.drop_fc = 0.3f, .drop_dense = 0.25f}},
    {.text = every_kind, .type = HALF},
    {.text = "C(16,3,1) C(8,1,1) C(12,5,2) C(7,3,1) A(2,2) FC(16) SM(5)"}, /* kernels and strides */
    {.text = "C(33,3,1) P(3,2) C(20,3,1) A(5,5) SM(5)", .type = HALF},
    {.text = residual, .doubled = true},
    {.text = residual, .type = HALF},
    {.text = every_kind, .type = FLOAT16}, /* 8 */
    {.text = residual, .type = FLOAT16},
    {.text = "C(264,1,1) P(2,2) C(9,1,1) A(2,2) FC(264) SM(5)"}, /* 10: a second group of octets */
    {.text = "C(264,1,1) P(2,2) C(9,1,1) A(2,2) SM(5)", .type = HALF},
    {.text = "C(17,1,1) A(32,32) SM(5)", .large = true}, /* 12 */
    {.text = mobile},                                    /* 13 */
    {.text = "C(8,3,1) M(24,5) R(6,3) S(12,3,2) A(2,2) SM(5)", .type = HALF},
    {.text = mobile, .type = FLOAT16},
    {.text = "C(3,1,1) S(8,7,1) M(24,9) S(264,3,2) M(16,7) A(2,2) SM(5)"}, /* 16: kernels in a loop, a second group of
                                                                              octets */
    {.text = "C(3,1,1) S(8,7,1) M(24,9) S(264,3,2) M(16,7) A(2,2) SM(5)", .type = HALF},
    {.text = squeezed}, /* 18 */
    {.text = squeezed, .type = HALF},
    {.text = "C(160,1,1) P(2,2) FC(24) SM(5)"},                            /* 20: products that are the library's */
    {.text = "C(160,1,1) P(2,2) SM(5)", .type = HALF},                     /* 21 */
    {.text = "C(8,1,1) A(4,4) FC(8) SM(5)", .options = {.drop_fc = 0.3f}}, /* 22: no layer before the classifier */
    {.text = gated_fc},                                                    /* 23 */
    {.text = "C(17,1,1) A(32,32) SM(5)", .large = true, .type = HALF},     /* 24: from here on too slow for the fake */
    {.text = "C(264,3,1) P(2,2) C(24,3,1) A(16,16) SM(5)", .large = true},
    {.text = "C(264,3,1) P(2,2) C(24,3,1) A(16,16) SM(5)", .large = true, .type = HALF},
    {.text = "C(16,3,1) M(264,7) S(40,5,2) R(24,3) A(16,16) SM(5)", .large = true},
    {.text = "C(16,3,1) M(264,7) S(40,5,2) R(24,3) A(16,16) SM(5)", .large = true, .type = HALF},
};

#define ON(test, i)                                                                                                    \
    {                                                                                                                  \
#test " on " #i, test, NULL, NULL, (void *)&cases[i]                                                           \
    }

/* `few`: only some, as under the sanitizers. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        ON(values_keep_their_bits, 0),
        ON(values_keep_their_bits, 2),
        ON(gradients_agree, 2),
        ON(gradients_agree, 3),
        ON(steps_agree, 0),
        ON(gradients_agree, 6),
        ON(growing_keeps_the_function, 0),
        ON(gradients_agree, 18),
        /* not under the sanitizers: */
        ON(values_keep_their_bits, 3),
        ON(gradients_agree, 0),
        ON(gradients_agree, 1),
        ON(gradients_agree, 4),
        ON(gradients_agree, 5),
        ON(gradients_agree, 7),
        ON(steps_agree, 1),
        ON(steps_agree, 2),
        ON(steps_agree, 3),
        ON(steps_agree, 4),
        ON(steps_agree, 5),
        ON(steps_agree, 6),
        ON(steps_agree, 7),
        ON(gradient_is_the_slope, 0),
        ON(gradient_is_the_slope, 2),
        ON(gradient_is_the_slope, 4),
        ON(growing_keeps_the_function, 3),
        ON(growing_keeps_the_function, 4),
        ON(values_keep_their_bits, 8),
        ON(gradients_agree, 8),
        ON(steps_agree, 8),
        ON(steps_agree, 9),
        ON(gradients_agree, 10),
        ON(gradients_agree, 11),
        ON(gradients_agree, 12),
        ON(values_keep_their_bits, 13),
        ON(gradients_agree, 13),
        ON(gradients_agree, 14),
        ON(gradients_agree, 15),
        ON(gradients_agree, 16),
        ON(gradients_agree, 17),
        ON(steps_agree, 13),
        ON(steps_agree, 14),
        ON(gradient_is_the_slope, 13),
        ON(growing_keeps_the_function, 13),
        ON(values_keep_their_bits, 18),
        ON(gradients_agree, 19),
        ON(steps_agree, 18),
        ON(gradient_is_the_slope, 18),
        ON(gradients_agree, 20),
        ON(gradients_agree, 21),
        ON(gradients_agree, 22),
        ON(steps_agree, 22),
        ON(gradients_agree, 23),
        ON(steps_agree, 23),
        ON(evaluations_agree, 0),
        ON(evaluations_agree, 18),
        ON(evaluations_agree, 19),
        ON(evaluations_agree, 23),
    };
    const struct CMUnitTest large[] = {
        ON(gradients_agree, 24), ON(gradients_agree, 25), ON(gradients_agree, 26),
        ON(gradients_agree, 27), ON(gradients_agree, 28),
    };
    const struct CMUnitTest few[] = {
        tests[0], tests[1], tests[2], tests[3], tests[4], tests[5], tests[6], tests[7],
    };
    if (SANITIZED || (argc > 1 && strcmp(argv[1], "few") == 0))
        return cmocka_run_group_tests_name("some numbers of the CUDA backend", few, open_module, NULL);
    int failed = cmocka_run_group_tests_name("numbers of the CUDA backend", tests, open_module, NULL);
    return failed || fake ? failed : cmocka_run_group_tests_name("large networks on a GPU", large, NULL, NULL);
}
