/*
 * test_cuda.c - devices and failures of the CUDA backend, on a fake of CUDA (fake.h): whichever call fails, the outcome
 * says so and nothing leaks.  test_numbers.c tests its results, test_search.c whole searches.
 */
#include "config.h"

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

#include "bed.h"
#include "kernels/kernels.h"
#include "nn/network.h"
#include "nn/trainer.h"
#include "tests/pictures.h"
#include "util/bug.h"
#include "util/memory.h"

static const struct shape input = {3, 12, 11};
enum { CLASSES = 5 };

static const struct cuda_module *module;
static const struct fake_cuda *fake;

static int open_module(void **state)
{
    setenv("FAKE_CUDA_WORKSPACE", "100000", 0);
    module = bed_module(&fake);
    return fake ? 0 : -1;
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

/* --- failures --- */

static enum training_outcome train_network(const struct backend *backend, const char *text, double *accuracy,
                                           struct error *error)
{
    struct images images;
    struct view view;
    pictures_draw(input, CLASSES, 14, 80, 3, &images, &view);
    struct weights *weights = bed_weights(text, input, 2);
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

static enum training_outcome train_a_little(const struct backend *backend, double *accuracy, struct error *error)
{
    return train_network(backend, "C(3,3,2) P(2,2) FC(6) SM(5)", accuracy, error);
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
    assert_int_equal(train_a_little(module->backend(0), &accuracy, &error), TRAINING_DONE); /* allocates what stays */
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

/* What the backend has no operation for is refused before anything is placed there. */
static void missing_operations_are_refused(void **state)
{
    struct error error;
    struct backend without = *module->backend(0);
    without.forward[OP_DEPTHWISE_BN_RELU] = NULL;
    struct plan *plan = memory_new(1, sizeof *plan);
    struct weights *weights = bed_weights("C(4,3,1) M(8,3) SM(5)", input, 1);
    plan_lower(&weights->arch, input, &(struct plan_options){0}, plan);
    assert_null(network_open(&without, plan, 8, NETWORK_TRAINING, weights, NULL, &error));
    assert_non_null(strstr(error.text, " can't compute mobile1 of this network yet; use the CPU"));
    weights_free(weights);
    free(plan);
}

/* Let one call fail, in a process of its own.  Returns that process's exit status: 0 when the outcome is right. */
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
    /* A failure may change nothing: while memory is freed, before a second attempt, or of an engine that isn't chosen
     * then. */
    if (!known && outcome != TRAINING_DONE) {
        fprintf(stderr, "# call %lld failed with %d: outcome %d, %s\n", (long long)after, status, (int)outcome,
                error.text);
        return 1;
    }
    if (outcome != TRAINING_DONE && strncmp(error.text, "cuda:0: ", 8) != 0) {
        fprintf(stderr, "# call %lld: the message is \"%s\"\n", (long long)after, error.text);
        return 1;
    }
    /* The other device works, and this one too unless the error is sticky. */
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
    int64_t step = getenv("ESPALIER_TEST_LONG") ? 1 : SANITIZED ? 1999 : 397;
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

/* --- what a failure says about the device --- */

struct trouble_case {
    const char *function;
    int64_t call; /* of the training's: the first, or one of the step that is captured */
    int status;
    enum training_outcome outcome;
};

/* The library has the products of a layer of so many inputs. */
static const char *network_of(const struct trouble_case *test)
{
    return strncmp(test->function, "cublas", 6) == 0 ? "C(64,1,1) FC(6) SM(5)" : "C(3,3,2) P(2,2) FC(6) SM(5)";
}

enum { ILLEGAL_ADDRESS = 700, CAPTURE_UNSUPPORTED = 900, GRAPH_UPDATE_FAILED = 910 };

static int64_t calls_of(const char *name)
{
    struct fake_function functions[FAKE_FUNCTIONS_MAX];
    for (int i = fake->functions(functions) - 1; i >= 0; i--)
        if (strcmp(functions[i].name, name) == 0)
            return functions[i].calls;
    return 0;
}

/* In a process of its own.  A library's failure is a lost device only where the stream says so too. */
static int fail_one_function(const struct trouble_case *test)
{
    struct error error = {{0}};
    double accuracy;
    fake->drop_idle();
    fake->fail_function(test->function, calls_of(test->function) + test->call, test->status);
    enum training_outcome outcome = train_network(module->backend(0), network_of(test), &accuracy, &error);
    if (!fake->failures() || outcome != test->outcome)
        return fprintf(stderr, "# %s call %lld, status %d: outcome %d, %s\n", test->function, (long long)test->call,
                       test->status, (int)outcome, error.text) > 0;
    fake->fail_at(0, 0);
    outcome = train_a_little(module->backend(0), &accuracy, &error);
    return outcome != (test->outcome == TRAINING_DEVICE_LOST ? TRAINING_DEVICE_LOST : TRAINING_DONE);
}

static void in_a_child(const struct trouble_case *test)
{
    pid_t child = fork();
    if (!child)
        _exit(fail_one_function(test));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fail_msg("%s, call %lld with status %d: the process ended with %d", test->function, (long long)test->call,
                 test->status, status);
}

static void only_a_lost_device_is_lost(void **state)
{
    static const struct trouble_case cases[] = {
        {"cudnnCreate", 1, ILLEGAL_ADDRESS, TRAINING_DEVICE_LOST},
        {"cublasCreate_v2", 1, ILLEGAL_ADDRESS, TRAINING_DEVICE_LOST},
        {"cudnnBackendFinalize", 20, ILLEGAL_ADDRESS, TRAINING_DEVICE_LOST},
        {"cudnnBackendExecute", 1, ILLEGAL_ADDRESS, TRAINING_DEVICE_LOST},
        {"cudnnBackendExecute", 4, ILLEGAL_ADDRESS, TRAINING_DEVICE_LOST}, /* captured */
        {"cublasGemmEx", 4, ILLEGAL_ADDRESS, TRAINING_DEVICE_LOST},        /* captured */
        {"cudnnCreate", 1, 1, TRAINING_REFUSED},
        {"cudnnBackendExecute", 1, 1, TRAINING_REFUSED},
        {"cudnnBackendExecute", 4, 1, TRAINING_REFUSED},
        {"cublasGemmEx", 4, 1, TRAINING_REFUSED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        in_a_child(&cases[i]);
}

/* 909 is a timeout, which leaves a device in an unknown state. */
static void a_failed_capture_concerns_one_network(void **state)
{
    for (int status = CAPTURE_UNSUPPORTED; status <= GRAPH_UPDATE_FAILED; status++)
        if (status != 909)
            in_a_child(&(struct trouble_case){"cudaStreamEndCapture", 1, status, TRAINING_REFUSED});
}

/* The heuristics list many engines that round before one that doesn't; the fallback isn't needed. */
static void the_heuristics_are_read_to_their_end(void **state)
{
    struct error error;
    double accuracy;
    int64_t before = fake->fallbacks();
    assert_int_equal(train_a_little(module->backend(0), &accuracy, &error), TRAINING_DONE);
    fake->drop_idle(); /* so that plans were made here, and are made again by who comes next */
    assert_int_equal(fake->fallbacks(), before);
    assert_int_equal(before, 0);
}

/* --- what a training costs the host --- */

/* An epoch is one copy there and one of the weights back; KERNEL_LAUNCH_STEPS steps are one launch and one event. */
static void an_epoch_is_one_copy(void **state)
{
    enum { IMAGES = 1024, EPOCHS = 4, BATCH = 2, STEPS = IMAGES / BATCH };
    static const struct {
        const char *function;
        int epoch, most; /* an epoch; the whole training, beside them */
    } limits[] = {{"cudaGraphLaunch", STEPS / KERNEL_LAUNCH_STEPS, 16},
                  {"cudaEventRecord", STEPS / KERNEL_LAUNCH_STEPS + 2, 16},
                  {"cudaEventSynchronize", STEPS / KERNEL_LAUNCH_STEPS + 2, 16},
                  {"cudaMemcpyAsync", 2, 8},
                  {"cudaEventQuery", 0, 0}};
    int64_t before[COUNT_OF(limits)];
    struct images images;
    struct view view;
    struct error error;
    pictures_draw(input, CLASSES, IMAGES, 80, 3, &images, &view);
    struct weights *weights = bed_weights("C(3,1,1) SM(5)", input, 2);
    struct training training = training_paper;
    training.epochs = EPOCHS;
    training.batch = BATCH;
    training.augment = true;
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        before[i] = calls_of(limits[i].function);
    assert_int_equal(train(module->backend(0), weights, &view, NULL, &training, NULL, &error), TRAINING_DONE);
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        int calls = (int)(calls_of(limits[i].function) - before[i]);
        print_message("# %d epochs of %d steps: %d calls of %s\n", EPOCHS, STEPS, calls, limits[i].function);
        if (calls > EPOCHS * limits[i].epoch + limits[i].most)
            fail_msg("%s: %d calls", limits[i].function, calls);
    }
    weights_free(weights);
    pictures_done(&images, &view);
}

/* The average of the weights is the processor's, and costs no copy between steps. */
static void the_average_stays_on_the_device(void **state)
{
    enum { IMAGES = 64, BATCH = 4 };
    struct images images;
    struct view view;
    struct error error;
    struct weights *weights[2];
    int64_t launches = 0, copies = 0;
    pictures_draw(input, CLASSES, IMAGES, 80, 3, &images, &view);
    struct training training = training_paper;
    training.epochs = 3;
    training.batch = BATCH;
    training.average = 0.9f;
    for (int i = 0; i < 2; i++) {
        weights[i] = bed_weights("C(3,3,2) SM(5)", input, 2);
        launches = calls_of("cudaGraphLaunch");
        copies = calls_of("cudaMemcpyAsync");
        assert_int_equal(
            train(i ? module->backend(0) : &backend_ref, weights[i], &view, &view, &training, NULL, &error),
            TRAINING_DONE);
        assert_non_null(weights[i]->raw);
    }
    for (int64_t i = 0; i < weights[0]->layout.total; i++) {
        assert_true(fabsf(weights[0]->values[i] - weights[1]->values[i]) <= 1e-4f);
        assert_true(fabsf(weights[0]->raw[i] - weights[1]->raw[i]) <= 1e-4f);
    }
    /* 48 steps, and as many batches of validation */
    assert_in_range(calls_of("cudaGraphLaunch") - launches, 1, 40);
    assert_in_range(calls_of("cudaMemcpyAsync") - copies, 1, 60);
    for (int i = 0; i < 2; i++)
        weights_free(weights[i]);
    pictures_done(&images, &view);
}

/* Step `number` of a training, whose images and dropout key are its own. */
static struct step step_at(const struct view *view, int number, struct batch *batch)
{
    static const struct sgd sgd = {0.05f, 0.9f, 1e-4f, true};
    *batch = (struct batch){.view = view, .index = view->index + 4 * number, .count = 4};
    return (struct step){STEP_TRAIN, batch, &sgd, 0.9f, 1 + (uint64_t)number, 0};
}

/* `turn`: the first step to announce, their count, the first step to train, their count. */
static void take_turn(struct network *network, bool announces, const struct view *view, const int turn[4])
{
    struct batch batches[20];
    struct step steps[20];
    for (int i = 0; i < turn[1]; i++)
        steps[i] = step_at(view, turn[0] + i, &batches[i]);
    if (announces && turn[1])
        assert_int_equal(network_announce(network, steps, turn[1]), turn[1]);
    for (int i = 0; i < turn[3]; i++) {
        struct step step = step_at(view, turn[2] + i, &batches[0]);
        network_train(network, step.batch, step.sgd, step.bn_decay, step.dropout_key);
    }
}

/* Whatever was announced, the steps that run are those that are begun. */
static void announced_steps_need_not_come(void **state)
{
    static const int turns[][4][4] = {
        {{0, 0, 0, 3}, {3, 20, 3, 3}, {0, 0, 30, 2}},               /* another step among those announced */
        {{0, 0, 0, 3}, {3, 8, 3, 8}, {11, 4, 0, 0}, {15, 4, 15, 4}} /* announced twice while a copy is pending */
    };
    struct images images;
    struct view view;
    struct error error;
    static struct plan plan;
    pictures_draw(input, CLASSES, 160, 80, 3, &images, &view);
    for (size_t t = 0; t < COUNT_OF(turns); t++) {
        struct weights *weights[2];
        for (int i = 0; i < 2; i++) {
            weights[i] = bed_weights("C(3,3,2) SM(5)", input, 2);
            plan_lower(&weights[i]->arch, input, &(struct plan_options){0}, &plan);
            struct network *network = network_open(i ? module->backend(0) : &backend_ref, &plan, 4, NETWORK_TRAINING,
                                                   weights[i], NULL, &error);
            for (size_t turn = 0; turn < COUNT_OF(turns[t]); turn++)
                take_turn(network, i, &view, turns[t][turn]);
            network_finish(network);
            network_fetch(network);
            network_free(network);
        }
        for (int64_t i = 0; i < weights[0]->layout.total; i++)
            assert_true(fabsf(weights[0]->values[i] - weights[1]->values[i]) <= 1e-4f);
        weights_free(weights[0]);
        weights_free(weights[1]);
    }
    pictures_done(&images, &view);
}

static int nodes_of(const char *text, int side, int batch_size)
{
    const struct shape shape = {3, side, side};
    static const struct sgd sgd = {0.01f, 0.9f, 1e-4f, true};
    struct images images;
    struct view view;
    struct error error;
    struct plan *plan = memory_new(1, sizeof *plan);
    pictures_draw(shape, CLASSES, batch_size, 80, 3, &images, &view);
    struct weights *weights = bed_weights(text, shape, 2);
    plan_lower(&weights->arch, shape, &(struct plan_options){0}, plan);
    struct network *network =
        network_open(module->backend(0), plan, batch_size, NETWORK_TRAINING, weights, NULL, &error);
    struct batch batch = {&view, view.index, NULL, batch_size, NULL};
    for (int step = 0; step < 2; step++)
        network_train(network, &batch, &sgd, 0.9f, 1);
    network_finish(network);
    assert_int_equal(network_trouble(network, &error), DEVICE_FINE);
    network_free(network);
    weights_free(weights);
    free(plan);
    pictures_done(&images, &view);
    return (int)fake->graph_nodes();
}

#define TWO(pool)  "C(2,1,1) C(2,1,1) " pool " "
#define FOUR(pool) "C(2,1,1) C(2,1,1) C(2,1,1) C(2,1,1) " pool " "
#define M          "M(2,3) M(2,3) "
#define R          "R(2,3) R(2,3) R(2,3) "

/* The nodes of a step of the bench's networks, in which the FC layer's width counts: what a launch costs the device.
   With 17 images the same maps have more than 4,096 rows as with the bench's 64. */
static void nodes_of_a_step(void **state)
{
    static const struct {
        const char *name, *text;
        int batch, nodes;
    } rows[] = {
        {"TINY", "C(2,1,1) P(2,2) C(2,1,1) P(2,2) C(2,1,1) P(2,2) C(2,1,1) A(4,4) FC(8) SM(5)", 17, 27},
        {"SMALL", "C(2,1,1) P(2,2) C(2,1,1) P(2,2) C(2,1,1) P(2,2) C(2,1,1) A(4,4) FC(256) SM(5)", 64, 28},
        {"MID", TWO("P(2,2)") TWO("P(2,2)") TWO("P(2,2)") TWO("A(4,4)") "FC(256) SM(5)", 64, 52},
        {"BIG", FOUR("P(2,2)") FOUR("P(2,2)") FOUR("P(2,2)") "C(2,1,1) " TWO("A(4,4)") "FC(512) SM(5)", 17, 95},
        {"MOBILE", "C(2,1,1) " M "S(2,3,2) " M M "S(2,3,2) " M M "S(2,3,1) " M "M(2,3) A(8,8) SM(5)", 17, 266},
        {"RES", "C(2,1,1) " R "C(2,3,2) " R "C(2,3,2) " R "A(8,8) SM(5)", 17, 146},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int nodes = nodes_of(rows[i].text, 32, rows[i].batch);
        print_message("# a step of %s is %d nodes\n", rows[i].name, nodes);
        assert_int_equal(nodes, rows[i].nodes);
    }
}

/* What a layer of the modern space adds to a step, on a large map and on one whose BN takes one launch each way.  With
   M and R two are the pool's behind them, which isn't joined to an addition. */
static void nodes_of_a_modern_layer(void **state)
{
    enum { BATCH = 17, LARGE = 16, SMALL = 8 };
    static const struct {
        const char *layer;
        int large, small;
    } rows[] = {
        {"C(2,1,1)", 7, 5}, {"S(2,3,1)", 12, 9}, {"M(2,3)", 22, 17}, {"R(2,1)", 17, 13}, {"M(2,3,se,hs)", 25, 20},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int small = 0; small < 2; small++) {
            int side = small ? SMALL : LARGE;
            char text[96];
            snprintf(text, sizeof text, "C(2,1,1) %s A(%d,%d) SM(5)", rows[i].layer, side, side);
            int nodes = nodes_of(text, side, BATCH);
            snprintf(text, sizeof text, "C(2,1,1) A(%d,%d) SM(5)", side, side);
            nodes -= nodes_of(text, side, BATCH);
            print_message("# %s adds %d nodes\n", rows[i].layer, nodes);
            assert_int_equal(nodes, small ? rows[i].small : rows[i].large);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epoch_is_one_copy),
        cmocka_unit_test(announced_steps_need_not_come),
        cmocka_unit_test(the_average_stays_on_the_device),
        cmocka_unit_test(nodes_of_a_step),
        cmocka_unit_test(nodes_of_a_modern_layer),
        cmocka_unit_test(the_heuristics_are_read_to_their_end),
        cmocka_unit_test(only_a_lost_device_is_lost),
        cmocka_unit_test(a_failed_capture_concerns_one_network),
        cmocka_unit_test(devices_are_in_order_of_their_address),
        cmocka_unit_test(training_leaves_nothing_behind),
        cmocka_unit_test(too_little_memory_fails_one_network),
        cmocka_unit_test(missing_operations_are_refused),
        cmocka_unit_test(every_call_may_fail),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
