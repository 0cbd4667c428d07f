/*
 * test_cuda.c - the host side of the CUDA backend, on a fake of CUDA (fake.h): the same numbers as the reference, and
 * one clear outcome whatever fails.
 *
 * The kernels are the real ones, compiled for the CPU; convolutions and products are the fake's.  So what is checked
 * here is what the host decides: layouts, arguments, order, memory, recordings, and what an error means.
 */
#include "config.h"

#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/cuda.h"
#include "fake.h"
#include "nn/trainer.h"
#include "pictures.h"
#include "util/bug.h"

/* Every kind of operation, joined pools and others; widths that are no multiples of eight. */
static const char plain[] = "P(2,1) C(5,3,1) P(2,2) C(6,5,1) A(2,1) P(2,1) C(4,1,2) FC(9) FC(8) SM(5)";
static const char dense[] = "C(5,3,1) P(2,1) D(2,[3,4]) D(0,[2]) T(0.5) D(1,[4,3]) P(2,1) C(4,3,1) D(0,[3]) P(2,1) "
                            "D(2,[2]) A(2,2) FC(9) SM(5)";
static const struct shape input = {3, 12, 11};
enum { CLASSES = 5, IMAGES = 50, BATCH = 16 };

static const struct cuda_module *module;
static const struct fake_cuda *fake;

static int open_module(void **state)
{
    struct error error;
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/fakecuda/espalier-cuda.so", getenv("top_builddir"));
    setenv("ESPALIER_CUDA_MODULE", path, 0);
    setenv("FAKE_CUDA_WORKSPACE", "100000", 0);
    module = cuda_module(&error);
    if (!module)
        fail_msg("%s", error.text);
    void *library = dlopen(cuda_module_path(), RTLD_NOW | RTLD_LOCAL);
    fake = dlsym(library, "fake_cuda");
    assert_non_null(fake);
    return 0;
}

static struct weights *draw_weights(const char *text, uint64_t seed)
{
    struct arch arch;
    struct error error;
    if (arch_parse(&arch, text, &error))
        fail_msg("%s", error.text);
    struct weights *weights = weights_new(&arch, input);
    struct random_stream stream = random_stream_new(seed, RANDOM_TEST, 1, 0);
    weights_initialise(weights, &stream);
    return weights;
}

static struct plan *lower(const struct weights *weights, const struct plan_options *options)
{
    struct plan *plan = memory_new(1, sizeof *plan);
    plan_lower(&weights->arch, weights->input, options, plan);
    return plan;
}

static struct network *open_network(const struct backend *backend, const struct plan *plan, struct weights *weights)
{
    struct error error;
    struct network *network = network_new(backend, plan, BATCH, NETWORK_TRAINING, weights, &error);
    if (!network)
        fail_msg("%s", error.text);
    return network;
}

/* float32: each value. */
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

/* bf16: all of them, for a rounding that turns a ReLU around changes single ones much. */
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

/* --- devices --- */

static void devices_are_in_order_of_their_address(void **state)
{
    struct cuda_device devices[CUDA_DEVICES_MAX];
    struct error error;
    int count;
    assert_int_equal(module->devices(devices, &count, &error), 0);
    assert_int_equal(count, 2);
    assert_string_equal(devices[0].name, "Fake GPU 1");
    assert_string_equal(devices[0].bus, "0000:3f:00.0");
    assert_string_equal(devices[1].name, "Fake GPU 0");
    assert_string_equal(devices[1].uuid, "GPU-00000000-0000-0000-0000-000000000000");
    assert_true(devices[0].bf16);
    double bytes;
    assert_int_equal(module->memory_free(0, &bytes, &error), 0);
    assert_true(bytes > 0);
    assert_memory_equal(module->toolkit(), "CUDA ", 5);
}

/* --- numbers --- */

struct subject {
    const char *text;
    struct plan_options options;
    bool bf16;
};

static const struct backend *backend_for(const struct subject *subject)
{
    const struct backend *backend = module->backend(1);
    return subject->bf16 ? backend->bf16 : backend;
}

/* Two networks from the same weights, one on the reference. */
struct pair {
    struct images images;
    struct view view;
    struct augment augment[IMAGES];
    struct plan *plan;
    struct weights *weights[2];
    struct network *networks[2];
};

static void pair_open(struct pair *pair, const struct subject *subject)
{
    pictures_draw(input, CLASSES, IMAGES, 50, 3, &pair->images, &pair->view);
    struct random_stream stream = random_stream_new(7, RANDOM_TEST, 2, 0);
    for (int i = 0; i < IMAGES; i++)
        pair->augment[i] = (struct augment){(int8_t)((int)random_below(&stream, 9) - 4),
                                            (int8_t)((int)random_below(&stream, 9) - 4), random_below(&stream, 2)};
    for (int i = 0; i < 2; i++) {
        pair->weights[i] = draw_weights(subject->text, 4);
        if (!pair->plan)
            pair->plan = lower(pair->weights[i], &subject->options);
        pair->networks[i] = open_network(i ? backend_for(subject) : &backend_ref, pair->plan, pair->weights[i]);
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
    int rest = IMAGES - start;
    return (struct batch){&pair->view, pair->view.index + start, augmented ? pair->augment + start : NULL,
                          rest < BATCH ? rest : BATCH};
}

static void gradients_agree(void **state)
{
    const struct subject *subject = *state;
    struct pair pair = {0};
    pair_open(&pair, subject);
    double tolerance = subject->bf16 ? 0.1 : 1e-4;
    for (int start = 0; start < IMAGES; start += BATCH) { /* the last batch is of two */
        struct batch batch = batch_of(&pair, start, start > 0);
        struct step_result results[2];
        const float *gradients[2];
        float logits[2][BATCH * CLASSES];
        for (int i = 0; i < 2; i++) {
            gradients[i] = network_gradient(pair.networks[i], &batch, 5, &results[i]);
            network_infer(pair.networks[i], &batch, logits[i]);
            network_finish(pair.networks[i]);
        }
        assert_int_equal(results[1].count, batch.count);
        assert_true(fabs(results[0].loss - results[1].loss) <= tolerance * fabs(results[0].loss));
        if (subject->bf16) {
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

/* Over full and smaller batches, replayed and not, with inference in between. */
static void steps_agree(void **state)
{
    const struct subject *subject = *state;
    struct pair pair = {0};
    pair_open(&pair, subject);
    struct step_result sums[2] = {{0}};
    int64_t replays = fake->graph_launches();
    for (int step = 0; step < 12; step++) {
        /* A BN over two values turns a rounding of bf16 into another network. */
        struct batch batch = batch_of(&pair, step % (subject->bf16 ? 3 : 4) * BATCH, step % 3 > 0);
        struct sgd sgd = {(subject->bf16 ? 0.002f : 0.02f) / (float)(step + 1), 0.9f, 1e-4f, true};
        for (int i = 0; i < 2; i++) {
            step_result_add(&sums[i], network_train(pair.networks[i], &batch, &sgd, 0.9f, 100 + (uint64_t)step));
            if (step % 4 == 1)
                step_result_add(&sums[i], network_infer(pair.networks[i], &batch, NULL));
        }
    }
    struct error error;
    double tolerance = subject->bf16 ? 0.4 : 1e-3;
    for (int i = 0; i < 2; i++) {
        step_result_add(&sums[i], network_finish(pair.networks[i]));
        network_fetch(pair.networks[i]);
        assert_int_equal(network_trouble(pair.networks[i], &error), DEVICE_FINE);
    }
    assert_true(fake->graph_launches() > replays + 4);
    assert_int_equal(sums[0].count, sums[1].count);
    assert_true(fabs(sums[0].loss - sums[1].loss) <= tolerance * fabs(sums[0].loss));
    const struct weights_layout *layout = &pair.weights[0]->layout;
    const float *values[2] = {pair.weights[0]->values, pair.weights[1]->values};
    size_t trained = (size_t)layout->trained, statistics = (size_t)layout->total - trained;
    if (subject->bf16) {
        compare_whole("weights", values[0], values[1], trained, tolerance);
        compare_whole("statistics", values[0] + trained, values[1] + trained, statistics, tolerance);
    } else {
        compare("weights", values[0], values[1], trained, tolerance);
        compare("statistics", values[0] + trained, values[1] + trained, statistics, tolerance);
        compare("velocity", network_velocity(pair.networks[0]), network_velocity(pair.networks[1]), trained, tolerance);
    }
    pair_close(&pair);
}

/* Values go there and come back as they are; a velocity too. */
static void values_keep_their_bits(void **state)
{
    const struct subject *subject = *state;
    struct weights *weights = draw_weights(subject->text, 9), *before = weights_copy(weights);
    struct plan *plan = lower(weights, &subject->options);
    struct network *network = open_network(backend_for(subject), plan, weights);
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

/* --- failures --- */

static enum training_outcome train_a_little(const struct backend *backend, double *accuracy, struct error *error)
{
    struct images images;
    struct view view;
    pictures_draw(input, CLASSES, 14, 80, 3, &images, &view);
    struct weights *weights = draw_weights("C(3,3,2) P(2,2) FC(6) SM(5)", 2);
    struct training training = training_paper;
    training.epochs = 2;
    training.batch = 4;
    enum training_outcome outcome = train(backend, weights, &view, &view, &training, NULL, error);
    struct evaluation evaluation;
    if (outcome == TRAINING_DONE && network_evaluate(backend, weights, &view, 4, &evaluation, error) == 0)
        *accuracy = evaluation.accuracy;
    weights_free(weights);
    pictures_done(&images, &view);
    return outcome;
}

static bool same_counts(const struct fake_counts *a, const struct fake_counts *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void training_leaves_nothing_behind(void **state)
{
    struct fake_counts before, after;
    struct error error;
    double accuracy;
    assert_int_equal(train_a_little(module->backend(0), &accuracy, &error), TRAINING_DONE); /* makes what stays */
    fake->counts(&before);
    assert_int_equal(train_a_little(module->backend(0), &accuracy, &error), TRAINING_DONE);
    fake->counts(&after);
    if (!same_counts(&before, &after))
        fail_msg("%d allocations were %d, %d events were %d, %d descriptors were %d", after.allocations,
                 before.allocations, after.events, before.events, after.descriptors, before.descriptors);
}

static void too_little_memory_fails_one_network(void **state)
{
    struct error error;
    double accuracy, whole;
    assert_int_equal(train_a_little(module->backend(0), &whole, &error), TRAINING_DONE);
    fake->set_memory(100 << 10);
    assert_int_equal(train_a_little(module->backend(0), &accuracy, &error), TRAINING_NO_MEMORY);
    assert_non_null(strstr(error.text, "cuda:0: "));
    assert_non_null(strstr(error.text, "smaller batch"));
    fake->set_memory(1 << 30);
    assert_int_equal(train_a_little(module->backend(0), &accuracy, &error), TRAINING_DONE);
    assert_true(accuracy == whole);
}

/* One call fails; what must come of it is written by the child that it happened to. */
static int fail_one_call(int64_t after, int status)
{
    struct error error = {{0}};
    double accuracy;
    fake->fail_at(fake->calls() + after, status);
    enum training_outcome outcome = train_a_little(module->backend(0), &accuracy, &error);
    if (!fake->failures())
        return 2; /* there are not so many calls */
    bool sticky = status >= 700;
    bool known = sticky ? outcome == TRAINING_DEVICE_LOST : outcome == TRAINING_NO_MEMORY;
    /* In clearing up, or where a second try is made, an error changes nothing; an engine that failed isn't chosen. */
    if (!known && outcome != TRAINING_DONE) {
        fprintf(stderr, "# call %lld failed with %d: outcome %d, %s\n", (long long)after, status, (int)outcome,
                error.text);
        return 1;
    }
    if (outcome != TRAINING_DONE && strncmp(error.text, "cuda:0: ", 8) != 0) {
        fprintf(stderr, "# call %lld: the message is \"%s\"\n", (long long)after, error.text);
        return 1;
    }
    /* The other device goes on; this one too after anything but a sticky error. */
    double there;
    fake->fail_at(0, 0);
    if (train_a_little(module->backend(1), &there, &error) != TRAINING_DONE ||
        (!sticky && train_a_little(module->backend(0), &accuracy, &error) != TRAINING_DONE) ||
        (sticky && train_a_little(module->backend(0), &accuracy, &error) != TRAINING_DEVICE_LOST)) {
        fprintf(stderr, "# after call %lld failed with %d: %s\n", (long long)after, status, error.text);
        return 1;
    }
    return 0;
}

static void every_call_may_fail(void **state)
{
    static const int statuses[] = {2, 700, 719}; /* out of memory; illegal address; launch failure */
    int64_t step = getenv("ESPALIER_TEST_LONG") ? 1 : 397;
    for (size_t s = 0; s < COUNT_OF(statuses); s++)
        for (int64_t call = 1 + (int64_t)s;; call += step) {
            pid_t child = fork();
            if (!child)
                _exit(fail_one_call(call, statuses[s]));
            int status;
            assert_int_equal(waitpid(child, &status, 0), child);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
                break;
            if (!WIFEXITED(status) || WEXITSTATUS(status))
                fail_msg("call %lld with status %d: the process ended with %d", (long long)call, statuses[s], status);
        }
}

static const struct subject subjects[] = {
    {plain, {0, 0}, false},
    {plain, {.drop_pool = 0.2f, .drop_fc = 0.3f}, false},
    {dense, {.drop_fc = 0.3f}, false},
    {plain, {0, 0}, true},
};

#define ON(test, i)                                                                                                    \
    {                                                                                                                  \
#test " on " #i, test, NULL, NULL, (void *)&subjects[i]                                                        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_in_order_of_their_address),
        ON(values_keep_their_bits, 0),
        ON(values_keep_their_bits, 2),
        ON(values_keep_their_bits, 3),
        ON(gradients_agree, 0),
        ON(gradients_agree, 1),
        ON(gradients_agree, 2),
        ON(gradients_agree, 3),
        ON(steps_agree, 0),
        ON(steps_agree, 1),
        ON(steps_agree, 2),
        ON(steps_agree, 3),
        cmocka_unit_test(training_leaves_nothing_behind),
        cmocka_unit_test(too_little_memory_fails_one_network),
        cmocka_unit_test(every_call_may_fail),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
