/*
 * test_walk.c - in a walk over a whole network the CPU backend's operations leave work to their neighbours.  What they
 * compute is the same to the bit as when each does its own, also with helpers; on every instruction set.
 *
 * That the results are right is test_network's matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends.h"
#include "fresh_weights.h"
#include "nn/network.h"
#include "pictures.h"
#include "util/bug.h"

enum { PICTURES = 80, LARGEST = 64, STEPS = 3 };
static const int counts[STEPS] = {LARGEST, 17, 50};

static const struct walked {
    const char *text;
    struct shape input;
} networks[] = {
    {"C(5,3,1) M(9,5) R(4,3) P(2,1) M(7,3) S(6,3,2) R(5,5) C(4,1,1) R(3,1) S(7,5,1) P(2,2) FC(9) SM(5)", {3, 12, 11}},
    /* Before a depthwise convolution: kernels of 1, 3 (in tiles and not), 5; strides; maps wider than a strip. */
    {"C(6,1,1) S(7,3,1) S(5,3,2) SM(5)", {3, 9, 9}},
    {"C(16,3,1) C(16,3,1) S(18,7,1) C(8,5,2) S(4,3,3) SM(5)", {2, 16, 16}},
    {"C(4,3,1) M(13,3) M(8,11) S(6,3,1) A(2,2) SM(5)", {3, 3, 70}},
    /* The gradient of the M's output fits no cache. */
    {"C(20,3,1) M(5,3) S(3,3,4) SM(5)", {1, 36, 36}},
    {"C(8,3,1) C(8,1,1) C(9,3,2) C(7,1,1) C(5,1,2) FC(6) SM(5)", {3, 8, 8}},
};

/* The CPU backend, each of whose operations does all of its own. */
static const struct backend *whole;

static void alone_forward(const struct op_run *run)
{
    struct op_run alone = *run;
    alone.walk = NULL;
    whole->forward[run->op->kind](&alone);
}

static void alone_backward(const struct op_run *run)
{
    struct op_run alone = *run;
    alone.walk = NULL;
    whole->backward[run->op->kind](&alone);
}

static struct backend alone_of(const struct backend *backend)
{
    struct backend alone = *backend;
    whole = backend;
    for (int kind = 0; kind < OP_KINDS; kind++) {
        alone.forward[kind] = alone_forward;
        alone.backward[kind] = alone_backward;
    }
    return alone;
}

/* Weights, running statistics included, after some steps. */
static struct weights *train_steps(const struct backend *backend, const struct walked *network, struct team *team)
{
    static const struct sgd sgd = {0.05f, 0.9f, 1e-3f, true};
    struct images images;
    struct view view;
    struct error error;
    pictures_draw(network->input, 5, PICTURES, 50, 6, &images, &view);
    struct weights *weights = fresh_weights(network->text, network->input, 7);
    struct plan *plan = memory_new(1, sizeof *plan);
    plan_lower(&weights->arch, network->input, &(struct plan_options){0}, plan);
    struct network *trained = network_open(backend, plan, LARGEST, NETWORK_TRAINING, weights, NULL, &error);
    assert_non_null(trained);
    if (team)
        network_share(trained, team);
    for (int step = 0; step < STEPS; step++)
        network_train(trained, &(struct batch){.view = &view, .index = view.index + step, .count = counts[step]}, &sgd,
                      0.9f, 1);
    network_free(trained);
    free(plan);
    pictures_done(&images, &view);
    return weights;
}

static void neighbours_change_nothing(void **state)
{
    const struct backend *backend = *state, alone = alone_of(backend);
    static const int any_core[] = {-1, -1};
    struct helpers *helpers = helpers_new(any_core, 2, 1);
    for (size_t i = 0; i < COUNT_OF(networks); i++) {
        struct weights *expected = train_steps(&alone, &networks[i], NULL),
                       *got[] = {train_steps(backend, &networks[i], NULL),
                                 train_steps(backend, &networks[i], helpers_team(helpers, 0))};
        for (int k = 0; k < 2; k++)
            for (int64_t v = 0; v < expected->layout.total; v++)
                if (memcmp(&got[k]->values[v], &expected->values[v], sizeof(float)))
                    fail_msg("%s%s: value %d is %g, alone it is %g", networks[i].text, k ? ", with helpers" : "",
                             (int)v, (double)got[k]->values[v], (double)expected->values[v]);
        weights_free(expected);
        weights_free(got[0]);
        weights_free(got[1]);
    }
    helpers_free(helpers);
}

/* Those of backend/cpu/bn.h, built for any processor. */
const struct op *bn_writer_op_baseline(const struct plan *plan, const struct op *op);
bool bn_leaves_gradients_baseline(const struct op_run *run);

/* Two operations on maps of 4×4 with 8 channels, the second on what the first gives. */
static void plan_pair(struct plan *plan, enum op_kind first, enum op_kind second)
{
    *plan = (struct plan){.op_count = 2, .tensor_count = 3};
    for (int i = 0; i < 3; i++)
        plan->tensors[i] = (struct tensor){.channels = 8, .height = 4, .width = 4, .buffer = i};
    for (int i = 0; i < 2; i++)
        plan->ops[i] = (struct op){.kind = i ? second : first,
                                   .inputs = {i, 0},
                                   .output = i + 1,
                                   .kernel = i ? 1 : 3,
                                   .stride = 1,
                                   .channels = 8,
                                   .height = 4,
                                   .width = 4};
}

/* No architecture has these: a reader that adds its own input, and a depthwise convolution behind another. */
static void what_is_not_left(void **state)
{
    static struct plan plan;
    (void)state;
    plan_pair(&plan, OP_CONV_BN_RELU, OP_CONV_BN_ADD);
    assert_ptr_equal(bn_writer_op_baseline(&plan, &plan.ops[1]), &plan.ops[0]);
    plan.ops[1].inputs[1] = 1;
    assert_null(bn_writer_op_baseline(&plan, &plan.ops[1]));
    for (int i = 0; i < 2; i++) {
        plan_pair(&plan, OP_DEPTHWISE_BN_RELU, i ? OP_DEPTHWISE_BN_RELU : OP_CONV_BN_RELU);
        struct op_run runs[2] = {{.op = &plan.ops[0]}, {.op = &plan.ops[1]}};
        for (int k = 0; k < 2; k++) {
            runs[k].plan = &plan;
            runs[k].walk = runs;
            runs[k].count = 1;
            runs[k].precision = PRECISION_F32;
        }
        assert_ptr_equal(bn_writer_op_baseline(&plan, &plan.ops[1]), &plan.ops[0]);
        assert_int_equal(bn_leaves_gradients_baseline(&runs[1]), i == 0);
    }
}

int main(void)
{
    static struct CMUnitTest tests[BACKENDS_MAX + 1];
    const struct backend *backends[BACKENDS_MAX];
    int count = backends_here(backends) - 1; /* the first is the reference */
    for (int b = 0; b < count; b++)
        tests[b] = (struct CMUnitTest){backend_label(backends[b + 1]), neighbours_change_nothing, NULL, NULL,
                                       (void *)backends[b + 1]};
    tests[count] = (struct CMUnitTest)cmocka_unit_test(what_is_not_left);
    return _cmocka_run_group_tests("walks", tests, (size_t)count + 1, NULL, NULL);
}
