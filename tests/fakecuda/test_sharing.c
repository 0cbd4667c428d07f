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

/* A network on the first device with what it borrows. */
struct subject {
    struct weights *weights;
    struct plan *plan;
    struct network *network; /* NULL: refused, for the reason in `trouble` and `error` */
    enum device_trouble trouble;
    struct error error;
};

static void subject_open(struct subject *subject, const struct backend *backend, const char *text, struct shape input,
                         enum network_mode mode)
{
    *subject = (struct subject){.weights = bed_weights(text, input, 3), .plan = memory_new(1, sizeof *subject->plan)};
    plan_lower(&subject->weights->arch, input, &(struct plan_options){0}, subject->plan);
    subject->network =
        network_open(backend, subject->plan, BATCH, mode, subject->weights, &subject->trouble, &subject->error);
}

static void subject_close(struct subject *subject)
{
    network_free(subject->network);
    weights_free(subject->weights);
    free(subject->plan);
}

static double free_memory(void)
{
    double bytes;
    struct error error;
    if (module->memory_free(0, &bytes, &error))
        fail_msg("%s", error.text);
    return bytes;
}

/* What a search books for a trial is what is taken: the network's memory to the byte, the rest at most. */
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
                struct subject subject;
                double start = free_memory();
                subject_open(&subject, backends[b], texts[i], (struct shape){3, 16, 16}, (enum network_mode)mode);
                if (!subject.network)
                    fail_msg("%s", subject.error.text);
                double needed = (double)network_bytes(backends[b], subject.plan, BATCH, (enum network_mode)mode);
                double open = free_memory();
                assert_true(start - open <= needed + (double)backends[b]->device->workspace_most);
                subject_close(&subject);
                if (free_memory() - open != needed) /* the workspace stays with the lane */
                    fail_msg("%s, %d, %d: %g bytes were taken, %g were expected", texts[i], b, mode,
                             free_memory() - open, needed);
            }
}

static void max_pools_of_a_side_that_choices_hold(void **state)
{
    struct subject subject;
    const struct shape input = {1, 256, 256};
    subject_open(&subject, module->backend(0), "C(1,1,1) P(256,1) SM(5)", input, NETWORK_TRAINING);
    assert_null(subject.network);
    assert_int_equal(subject.trouble, DEVICE_REFUSED);
    assert_string_equal(subject.error.text,
                        "cuda:0: a max pool of 256 pixels a side can't be trained there, 255 is the most; use smaller "
                        "pools or train on the CPU");
    subject_close(&subject);
    static const char *const fine[] = {"C(1,1,1) P(255,1) SM(5)", "C(1,1,1) A(256,1) SM(5)"};
    for (int i = 0; i < 2; i++) {
        subject_open(&subject, module->backend(0), fine[i], input, NETWORK_TRAINING);
        assert_non_null(subject.network);
        subject_close(&subject);
    }
    subject_open(&subject, module->backend(0), "C(1,1,1) P(256,1) SM(5)", input,
                 NETWORK_INFERENCE); /* no backward pass, no choices */
    assert_non_null(subject.network);
    subject_close(&subject);
}

/* The fake's convolutions want 64 MiB, or 1000 bytes where they can't have it. */
static void idle_lanes_give_back_before_workspaces_shrink(void **state)
{
    static const char text[] = "C(3,3,1) A(8,8) SM(5)";
    const struct shape input = {3, 8, 8};
    struct fake_counts counts;
    struct subject a, b, c;
    subject_open(&a, module->backend(0), text, input, NETWORK_TRAINING);
    fake->set_memory(100 << 20);
    subject_open(&b, module->backend(0), text, input, NETWORK_TRAINING);
    assert_non_null(b.network); /* with a small workspace */
    subject_close(&a);
    subject_close(&b);
    fake->counts(&counts);
    int before = counts.streams;
    subject_open(&c, module->backend(0), text, input,
                 NETWORK_TRAINING); /* in the lane of b; that of a has the memory */
    assert_non_null(c.network);
    fake->counts(&counts);
    assert_int_equal(counts.streams, before - 1);
    subject_close(&c);
    fake->set_memory(1 << 30);
}

static void train_on(const struct subject *subject, const struct view *view)
{
    struct sgd sgd = {0.01f, 0.9f, 0, true};
    struct batch batch = {.view = view, .index = view->index, .count = BATCH};
    network_train(subject->network, &batch, &sgd, 0.9f, 1);
    network_infer(subject->network, &batch, NULL);
    network_finish(subject->network);
}

/* Training and testing by turns: each set is sent once, and every walk but the first two of each is a replay. */
static void two_data_sets_stay(void **state)
{
    enum { TURNS = 6 };
    const struct shape input = {3, 8, 8};
    struct images images[2];
    struct view views[2];
    struct subject subject;
    struct fake_counts first, now;
    subject_open(&subject, module->backend(0), "C(3,3,1) P(2,2) SM(5)", input, NETWORK_TRAINING);
    for (int i = 0; i < 2; i++) {
        pictures_draw(input, CLASSES, IMAGES, 50, 20 + (uint64_t)i, &images[i], &views[i]);
        train_on(&subject, &views[i]);
    }
    fake->counts(&first);
    int64_t launches = fake->graph_launches();
    for (int turn = 1; turn < TURNS; turn++)
        for (int i = 0; i < 2; i++)
            train_on(&subject, &views[i]);
    fake->counts(&now);
    struct error error;
    assert_int_equal(network_trouble(subject.network, &error), DEVICE_FINE);
    assert_int_equal(now.allocations, first.allocations);
    assert_int_equal(now.graphs, first.graphs + 4);
    assert_int_equal(fake->graph_launches() - launches, 4 * (TURNS - 1));
    subject_close(&subject);
    /* What nobody uses stays until its memory is wanted. */
    fake->counts(&now);
    fake->set_memory(0);
    subject_open(&subject, module->backend(0), "C(3,1,1) SM(5)", input, NETWORK_TRAINING);
    assert_null(subject.network);
    assert_int_equal(subject.trouble, DEVICE_NO_MEMORY);
    subject_close(&subject);
    fake->counts(&first);
    assert_true(first.allocations <= now.allocations - 4); /* pixels and labels of both */
    fake->set_memory(1 << 30);
    for (int i = 0; i < 2; i++)
        pictures_done(&images[i], &views[i]);
}

/* Of a search that never makes the same shape twice. */
static void plans_of_a_lane_are_bounded(void **state)
{
    struct fake_counts counts;
    int most = 0;
    for (int round = 0; round < 60; round++) {
        struct text text = TEXT_EMPTY;
        for (int layer = 0; layer < 8; layer++)
            text_add(&text, "C(%d,1,1) ", 8 * (1 + layer));
        text_add(&text, "SM(5)");
        struct subject subject;
        subject_open(&subject, module->backend(0), text_string(&text), (struct shape){3, 1, 1 + round},
                     NETWORK_TRAINING);
        if (!subject.network)
            fail_msg("%s", subject.error.text);
        subject_close(&subject);
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
        cmocka_unit_test(idle_lanes_give_back_before_workspaces_shrink),
        cmocka_unit_test(two_data_sets_stay),
        cmocka_unit_test(plans_of_a_lane_are_bounded),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
