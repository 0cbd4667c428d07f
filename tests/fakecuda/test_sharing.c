/*
 * test_sharing.c - what the networks on one device share, on a fake of CUDA (fake.h): memory, data sets, plans.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bed.h"
#include "tests/pictures.h"
#include "util/bug.h"

enum { CLASSES = 5, IMAGES = 20, BATCH = 4 };

static const struct cuda_module *module;
static const struct fake_cuda *fake;

static int open_module(void **state)
{
    module = bed_module(&fake);
    return fake ? 0 : -1;
}

/* A network on the first device, with its weights and plan. */
struct test_network {
    struct weights *weights;
    struct plan *plan;
    struct network *network; /* NULL: `status` and `error` say why */
    enum device_trouble status;
    struct error error;
};

static void test_network_open(struct test_network *test, const struct backend *backend, const char *text,
                              struct shape input, enum network_mode mode)
{
    *test = (struct test_network){.weights = bed_weights(text, input, 3), .plan = memory_new(1, sizeof *test->plan)};
    plan_lower(&test->weights->arch, input, &(struct plan_options){0}, test->plan);
    test->network = network_open(backend, test->plan, BATCH, mode, test->weights, &test->status, &test->error);
}

static void test_network_close(struct test_network *test)
{
    network_free(test->network);
    weights_free(test->weights);
    free(test->plan);
}

static double free_memory(void)
{
    double bytes;
    struct error error;
    if (module->memory_free(0, &bytes, &error))
        fail_msg("%s", error.text);
    return bytes;
}

/* A search reserves for a trial what it takes: exactly the network's memory, and at least the workspaces. */
static void memory_is_known_beforehand(void **state)
{
    static const char *const texts[] = {
        "C(3,3,1) A(8,8) SM(5)",
        "P(2,1) C(5,3,1) P(2,2) C(6,5,1) A(2,1) P(2,1) FC(9) FC(8) SM(5)",
        "C(5,3,1) P(2,1) D(2,[3,4]) D(0,[2]) T(0.5) D(1,[4,3]) P(2,1) A(2,2) SM(5)",
    };
    const struct backend *const backends[] = {module->backend(0), module->backend(0)->bf16};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        for (int b = 0; b < 2; b++)
            for (int mode = 0; mode < 2; mode++) {
                struct test_network test;
                double start = free_memory();
                test_network_open(&test, backends[b], texts[i], (struct shape){3, 16, 16}, (enum network_mode)mode);
                if (!test.network)
                    fail_msg("%s", test.error.text);
                double needed = (double)network_bytes(backends[b], test.plan, BATCH, (enum network_mode)mode);
                double open = free_memory();
                assert_true(start - open <= needed + (double)backends[b]->device->workspace_most);
                test_network_close(&test);
                if (free_memory() - open != needed) /* the stream keeps the workspace */
                    fail_msg("%s, %d, %d: %g bytes were taken, %g were expected", texts[i], b, mode,
                             free_memory() - open, needed);
            }
}

static void note_free_memory(void *context, const struct epoch_report *report)
{
    *(double *)context = free_memory();
}

static void evaluation_has_batches_of_its_own(void **state)
{
    const struct shape large = {3, 224, 224};
    const struct backend *backend = module->backend(0);
    struct plan *plan = memory_new(1, sizeof *plan);
    struct weights *wide = bed_weights("C(64,3,1) A(224,224) SM(5)", large, 1);
    plan_lower(&wide->arch, large, &(struct plan_options){0}, plan);
    int fitting = network_evaluation_batch(backend, plan, 16, 5000);
    assert_true(fitting >= 16 && fitting < EVALUATION_BATCH);
    assert_true(network_bytes(backend, plan, fitting, NETWORK_INFERENCE) <= EVALUATION_BYTES);
    weights_free(wide);
    free(plan);
}

/* The estimate of a training counts it. */
static void evaluation_is_a_network_of_its_own(void **state)
{
    enum { SMALL = 4, VALIDATED = 1100 };
    const struct shape shape = {1, 4, 4};
    const struct backend *backend = module->backend(0);
    struct plan *plan = memory_new(1, sizeof *plan);
    struct images images;
    struct view view;
    struct error error;
    pictures_draw(shape, CLASSES, VALIDATED, 50, 20, &images, &view);
    struct view few = view;
    few.count = 32;
    struct weights *weights = bed_weights(*state, shape, 2);
    plan_lower(&weights->arch, shape, &(struct plan_options){0}, plan);
    assert_int_equal(network_evaluation_batch(backend, plan, SMALL, VALIDATED), EVALUATION_BATCH);
    assert_int_equal(network_evaluation_batch(backend, plan, SMALL, 300), 300);
    assert_int_equal(network_evaluation_batch(backend, plan, SMALL, 2), SMALL);
    assert_int_equal(network_evaluation_batch(&backend_ref, plan, SMALL, VALIDATED), SMALL);
    free(plan);
    struct training training = training_paper;
    training.epochs = 2;
    training.batch = SMALL;
    double in_training = 0, before = free_memory();
    struct trainer_hooks hooks = {.context = &in_training, .epoch = note_free_memory};
    int64_t launches = fake->graph_launches();
    assert_int_equal(train(backend, weights, &few, &view, &training, &hooks, &error), TRAINING_DONE);
    launches = fake->graph_launches() - launches;
    double bytes = (double)train_bytes(backend, &weights->arch, shape, &training, VALIDATED);
    assert_true(before - in_training <= bytes + (double)train_workspaces(backend) + VALIDATED * 18.0 + 4096);
    assert_true(free_memory() - in_training == bytes);
    assert_true(launches <= 8 + 2 * 2); /* with batches of four the validation alone would be 550 batches */
    weights_free(weights);
    pictures_done(&images, &view);
}

/* There is room for the network that is trained, but not for the usual batches of the one that evaluates. */
static void evaluation_takes_what_memory_is_left(void **state)
{
    enum { SMALL = 4, VALIDATED = 1100, OF_CUBLAS = 8 << 20 /* of each network, beside its memory */ };
    const struct shape shape = {1, 4, 4};
    const struct backend *backend = module->backend(0);
    struct images images;
    struct view view;
    struct error error;
    struct evaluation evaluation;
    pictures_draw(shape, CLASSES, VALIDATED, 50, 20, &images, &view);
    struct view few = view;
    few.count = 32;
    struct weights *weights = bed_weights("C(3,3,1) SM(5)", shape, 2);
    struct training training = training_paper;
    training.epochs = 2;
    training.batch = SMALL;
    size_t bytes = (size_t)train_bytes(backend, &weights->arch, shape, &training, VALIDATED);
    fake->drop_idle();
    size_t used = (1 << 30) - (size_t)free_memory();
    fake->set_memory(used + bytes + 2 * OF_CUBLAS - 1);
    int64_t launches = fake->graph_launches();
    if (train(backend, weights, &few, &view, &training, NULL, &error) != TRAINING_DONE)
        fail_msg("%s", error.text);
    assert_in_range(fake->graph_launches() - launches, 1, 40); /* with batches of four there would be 550 */
    fake->drop_idle();
    fake->set_memory(used + bytes / 2 + OF_CUBLAS);
    assert_int_equal(network_evaluate(backend, weights, &view, SMALL, &evaluation, &error), DEVICE_FINE);
    assert_int_equal(evaluation.count, VALIDATED);
    fake->set_memory(1 << 30);
    weights_free(weights);
    pictures_done(&images, &view);
}

static void max_pools_of_a_side_that_choices_hold(void **state)
{
    struct test_network test;
    const struct shape input = {1, 256, 256};
    test_network_open(&test, module->backend(0), "C(1,1,1) P(256,1) SM(5)", input, NETWORK_TRAINING);
    assert_null(test.network);
    assert_int_equal(test.status, DEVICE_REFUSED);
    assert_string_equal(test.error.text,
                        "cuda:0: a max pool of 256 pixels a side can't be trained there, 255 is the most; use smaller "
                        "pools or train on the CPU");
    test_network_close(&test);
    static const char *const fine[] = {"C(1,1,1) P(255,1) SM(5)", "C(1,1,1) A(256,1) SM(5)"};
    for (int i = 0; i < 2; i++) {
        test_network_open(&test, module->backend(0), fine[i], input, NETWORK_TRAINING);
        assert_non_null(test.network);
        test_network_close(&test);
    }
    test_network_open(&test, module->backend(0), "C(1,1,1) P(256,1) SM(5)", input,
                      NETWORK_INFERENCE); /* no backward pass, no choices */
    assert_non_null(test.network);
    test_network_close(&test);
}

/* The fake's convolutions use 64 MiB of workspace, or 1000 bytes when memory is short. */
static void idle_streams_are_freed_before_workspaces_shrink(void **state)
{
    static const char text[] = "C(3,3,1) A(8,8) SM(5)";
    const struct shape input = {3, 8, 8};
    struct fake_counts counts;
    struct test_network a, b, c;
    test_network_open(&a, module->backend(0), text, input, NETWORK_TRAINING);
    fake->set_memory(100 << 20);
    test_network_open(&b, module->backend(0), text, input, NETWORK_TRAINING);
    assert_non_null(b.network); /* with a small workspace */
    test_network_close(&a);
    test_network_close(&b);
    fake->counts(&counts);
    int before = counts.streams;
    test_network_open(&c, module->backend(0), text, input,
                      NETWORK_TRAINING); /* in the stream of b; that of a was freed */
    assert_non_null(c.network);
    fake->counts(&counts);
    assert_int_equal(counts.streams, before - 1);
    test_network_close(&c);
    fake->set_memory(1 << 30);
}

static void train_on(const struct test_network *test, const struct view *view)
{
    struct sgd sgd = {0.01f, 0.9f, 0, true};
    struct batch batch = {.view = view, .index = view->index, .count = BATCH};
    network_train(test->network, &batch, &sgd, 0.9f, 1);
    network_infer(test->network, &batch, NULL);
    network_finish(test->network);
}

/* Training and testing by turns: each set is sent once, and all but its first two steps are replayed. */
static void two_data_sets_stay(void **state)
{
    enum { TURNS = 6 };
    const struct shape input = {3, 8, 8};
    struct images images[2];
    struct view views[2];
    struct test_network test;
    struct fake_counts first, now;
    test_network_open(&test, module->backend(0), "C(3,3,1) P(2,2) SM(5)", input, NETWORK_TRAINING);
    for (int i = 0; i < 2; i++) {
        pictures_draw(input, CLASSES, IMAGES, 50, 20 + (uint64_t)i, &images[i], &views[i]);
        train_on(&test, &views[i]);
    }
    fake->counts(&first);
    int64_t launches = fake->graph_launches();
    for (int turn = 1; turn < TURNS; turn++)
        for (int i = 0; i < 2; i++)
            train_on(&test, &views[i]);
    fake->counts(&now);
    struct error error;
    assert_int_equal(network_trouble(test.network, &error), DEVICE_FINE);
    assert_int_equal(now.allocations, first.allocations);
    assert_int_equal(now.graphs, first.graphs + 8); /* captured, and made to be launched */
    assert_int_equal(fake->graph_launches() - launches, 4 * (TURNS - 1));
    test_network_close(&test);
    /* Unused data sets stay until memory is short. */
    fake->counts(&now);
    fake->set_memory(0);
    test_network_open(&test, module->backend(0), "C(3,1,1) SM(5)", input, NETWORK_TRAINING);
    assert_null(test.network);
    assert_int_equal(test.status, DEVICE_NO_MEMORY);
    test_network_close(&test);
    fake->counts(&first);
    assert_true(first.allocations <= now.allocations - 4); /* pixels and labels of both */
    fake->set_memory(1 << 30);
    for (int i = 0; i < 2; i++)
        pictures_done(&images[i], &views[i]);
}

/* As in a search whose networks never have the same shape. */
static void plans_of_a_stream_are_bounded(void **state)
{
    struct fake_counts counts;
    int most = 0;
    for (int round = 0; round < 60; round++) {
        struct text text = TEXT_EMPTY;
        for (int layer = 0; layer < 8; layer++)
            text_add(&text, "C(%d,1,1) ", 8 * (1 + layer));
        text_add(&text, "SM(5)");
        struct test_network test;
        test_network_open(&test, module->backend(0), text_string(&text), (struct shape){3, 1, 1 + round},
                          NETWORK_TRAINING);
        if (!test.network)
            fail_msg("%s", test.error.text);
        test_network_close(&test);
        text_done(&text);
        fake->counts(&counts);
        most = counts.descriptors > most ? counts.descriptors : most;
    }
    assert_true(most > 400 && most < 700); /* 60 networks have 1380 plans */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_known_beforehand),
        cmocka_unit_test(max_pools_of_a_side_that_choices_hold),
        cmocka_unit_test(idle_streams_are_freed_before_workspaces_shrink),
        cmocka_unit_test(two_data_sets_stay),
        cmocka_unit_test(plans_of_a_stream_are_bounded),
        cmocka_unit_test(evaluation_has_batches_of_its_own),
        cmocka_unit_test(evaluation_takes_what_memory_is_left),
        cmocka_unit_test_prestate(evaluation_is_a_network_of_its_own, "C(3,1,1) SM(5)"),
        cmocka_unit_test_prestate(evaluation_is_a_network_of_its_own, "C(3,1,1) M(6,3,se,hs) R(3,3) S(5,3,2) SM(5)"),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
