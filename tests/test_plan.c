/*
 * test_plan.c - lowering: which operations an architecture becomes, which buffers they read, whose gradients add up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lowered.h"
#include "util/bug.h"

static void lowering_joins_pools(void **state)
{
    static const enum op_kind kinds[] = {OP_POOL,         OP_CONV_BN_RELU, OP_CONV_BN_RELU, OP_POOL,
                                         OP_CONV_BN_RELU, OP_FC_BN_RELU,   OP_FC_BN_RELU,   OP_CLASSIFIER};
    static const int layers[] = {0, 1, 3, 5, 6, 7, 8, 9}, borders[] = {0, 1, 2, 0, 0, 0, 0, 0, 0};
    static const enum pool_kind pools[] = {POOL_MAX, POOL_MAX, POOL_AVERAGE, POOL_MAX, 0, 0, 0, 0};
    struct plan *plan = lower(every_kind, input, &(struct plan_options){0});
    assert_int_equal(plan->op_count, COUNT_OF(kinds));
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        assert_int_equal(op->kind, kinds[i]);
        assert_int_equal(op->layer, layers[i]);
        assert_int_equal(op->pool, pools[i]);
        assert_int_equal(op->inputs[0], i);
        assert_int_equal(op->output, i + 1);
        assert_int_equal(op->needs_input_gradient[0], i > 1);
    }
    for (int t = 0; t <= plan->op_count; t++)
        assert_int_equal(plan->tensors[t].border, borders[t]);
    assert_int_equal(plan->ops[1].height, 11); /* before its pool */
    assert_int_equal(plan->ops[1].width, 10);
    assert_int_equal(plan->tensors[2].height, 5);
    assert_int_equal(plan->tensors[2].channels, 5);
    assert_int_equal(plan->classes, CLASSES);
    free(plan);
}

static void lowering_adds_dropout(void **state)
{
    static const enum op_kind kinds[] = {OP_CONV_BN_RELU, OP_DROPOUT, OP_CONV_BN_RELU,
                                         OP_FC_BN_RELU,   OP_DROPOUT, OP_CLASSIFIER};
    struct plan *plan = lower("C(4,3,1) P(2,2) C(6,5,1) A(2,2) FC(9) SM(5)", input, &dropping);
    assert_int_equal(plan->op_count, COUNT_OF(kinds));
    for (int i = 0; i < plan->op_count; i++)
        assert_int_equal(plan->ops[i].kind, kinds[i]);
    assert_true(plan->ops[1].drop == dropping.drop_pool && plan->ops[4].drop == dropping.drop_fc);
    /* A dropout passes the border through. */
    assert_int_equal(plan->tensors[1].border, 2);
    assert_int_equal(plan->tensors[2].border, 2);
    free(plan);
}

/* A block is one buffer: whoever reads more than one layer of it begins at its first channel. */
static void lowering_concatenates_in_place(void **state)
{
    static const struct {
        enum op_kind kind;
        int layer, in_before, in_channels, in_after, out_before, out_channels, out_after;
        bool adds;
    } expected[] = {
        {OP_CONV_BN_RELU, 0, 0, 3, 0, 0, 4, 5, false}, {OP_BN_RELU, 1, 0, 4, 5, 0, 4, 0, true},
        {OP_CONV_BN_RELU, 1, 0, 4, 0, 0, 6, 0, false}, {OP_CONV, 1, 0, 6, 0, 4, 3, 2, false},
        {OP_BN_RELU, 2, 0, 7, 2, 0, 7, 0, true},       {OP_CONV, 2, 0, 7, 0, 7, 2, 0, false},
        {OP_BN_RELU, 3, 0, 9, 0, 0, 9, 0, false},      {OP_CONV, 3, 0, 9, 0, 0, 4, 1, false},
        {OP_BN_RELU, 4, 0, 4, 1, 0, 4, 0, true},       {OP_CONV, 4, 0, 4, 0, 4, 1, 0, false},
        {OP_BN_RELU, 5, 0, 5, 0, 0, 5, 0, false},      {OP_CLASSIFIER, 6, 0, 5, 0, 0, 5, 0, false},
    };
    struct plan *plan =
        lower("C(4,3,1) D(2,[3]) D(0,[2]) T(0.5) D(0,[1]) A(5,5) SM(5)", input, &(struct plan_options){0});
    assert_int_equal(plan->op_count, COUNT_OF(expected));
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        const struct tensor *in = &plan->tensors[op->inputs[0]], *out = &plan->tensors[op->output];
        assert_int_equal(op->kind, expected[i].kind);
        assert_int_equal(op->layer, expected[i].layer);
        assert_int_equal(in->before, expected[i].in_before);
        assert_int_equal(in->channels, expected[i].in_channels);
        assert_int_equal(in->after, expected[i].in_after);
        assert_int_equal(out->before, expected[i].out_before);
        assert_int_equal(out->channels, expected[i].out_channels);
        assert_int_equal(out->after, expected[i].out_after);
        assert_int_equal(op->adds_input_gradient[0], expected[i].adds);
        assert_int_equal(op->needs_input_gradient[0], i > 0);
    }
    /* One buffer a block, and the zero border where a 3x3 convolution reads. */
    assert_int_equal(plan->tensors[plan->ops[0].output].buffer, plan->tensors[plan->ops[6].inputs[0]].buffer);
    assert_int_equal(plan->tensors[plan->ops[3].output].buffer, plan->tensors[plan->ops[6].inputs[0]].buffer);
    assert_int_equal(plan->tensors[plan->ops[7].output].buffer, plan->tensors[plan->ops[10].inputs[0]].buffer);
    assert_int_not_equal(plan->tensors[plan->ops[6].output].buffer, plan->tensors[plan->ops[6].inputs[0]].buffer);
    assert_int_equal(plan->tensors[plan->ops[2].output].border, 1);
    assert_int_equal(plan->tensors[plan->ops[1].output].border, 0);
    assert_int_equal(plan->tensors[plan->ops[4].output].border, 1);
    assert_int_equal(plan->tensors[plan->ops[4].inputs[0]].border, 0);
    assert_int_equal(plan->ops[6].pool, POOL_AVERAGE);
    assert_int_equal(plan->ops[10].pool_size, 5);
    free(plan);
}

/* Between a bottleneck and its BN too: they are one operation no more, and share out their weights. */
static void lowering_adds_dropout_to_dense_layers(void **state)
{
    static const enum op_kind kinds[] = {OP_CONV_BN_RELU, OP_BN_RELU, OP_CONV, OP_DROPOUT, OP_BN_RELU, OP_CONV,
                                         OP_DROPOUT,      OP_BN_RELU, OP_CONV, OP_DROPOUT, OP_BN_RELU, OP_CLASSIFIER};
    struct plan *plan = lower("C(4,3,1) D(2,[3]) T(0.5) A(5,5) SM(5)", input, &dropping);
    struct plan *plain = lower("C(4,3,1) D(2,[3]) T(0.5) A(5,5) SM(5)", input, &(struct plan_options){0});
    assert_int_equal(plan->op_count, COUNT_OF(kinds));
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        const struct tensor *in = &plan->tensors[op->inputs[0]], *out = &plan->tensors[op->output];
        assert_int_equal(op->kind, kinds[i]);
        assert_true(op->kind != OP_DROPOUT || (op->drop == dropping.drop_dense && in->channels == out->channels &&
                                               in->border == out->border && !in->before && !in->after));
    }
    const struct weights_layer *joined = &plain->ops[2].weights, *linear = &plan->ops[2].weights;
    const struct weights_layer *norm = &plan->ops[4].weights;
    assert_true(linear->weight == joined->weight && linear->gamma < 0 && linear->mean < 0);
    assert_true(norm->weight < 0 && norm->gamma == joined->gamma && norm->variance == joined->variance);
    /* What the block gets is what was dropped. */
    assert_int_equal(plan->tensors[plan->ops[6].output].before, 4);
    assert_int_equal(plan->tensors[plan->ops[6].output].buffer, plan->tensors[plan->ops[7].inputs[0]].buffer);
    assert_int_equal(plan->tensors[plan->ops[5].output].buffer, plan->ops[5].output);
    free(plan);
    free(plain);
}

/* A block's last convolution adds the tensor that its first one reads; where that is so the first sums gradients. */
static void lowering_adds_in_the_convolution(void **state)
{
    static const struct {
        enum op_kind kind;
        int layer;
        enum weights_part part;
        int input, added, channels, kernel, stride, side;
        bool sums;
    } expected[] = {
        {OP_CONV_BN_RELU, 0, WEIGHTS_MAIN, 0, 0, 4, 3, 1, 8, false},
        {OP_CONV_BN_RELU, 1, WEIGHTS_BOTTLENECK, 1, 0, 6, 1, 1, 8, true},
        {OP_DEPTHWISE_BN_RELU, 1, WEIGHTS_DEPTHWISE, 2, 0, 6, 5, 1, 8, false},
        {OP_CONV_BN_ADD, 1, WEIGHTS_MAIN, 3, 1, 4, 1, 1, 8, false},
        {OP_POOL, 2, WEIGHTS_NORM, 4, 0, 0, 0, 0, 0, false},
        {OP_CONV_BN_RELU, 3, WEIGHTS_BOTTLENECK, 5, 0, 3, 3, 1, 4, true},
        {OP_CONV_BN_ADD, 3, WEIGHTS_MAIN, 6, 5, 4, 3, 1, 4, false},
        {OP_DEPTHWISE_BN_RELU, 4, WEIGHTS_DEPTHWISE, 7, 0, 4, 3, 2, 2, false},
        {OP_CONV_BN_RELU, 4, WEIGHTS_MAIN, 8, 0, 5, 1, 1, 2, false},
        {OP_CLASSIFIER, 6, WEIGHTS_MAIN, 9, 0, 5, 0, 0, 1, false},
    };
    static const int borders[] = {1, 0, 2, 0, 0, 1, 1, 1, 0, 0, 0};
    struct plan *plan = lower("C(4,3,1) M(6,5) P(2,2) R(3,3) S(5,3,2) A(2,2) SM(5)", (struct shape){3, 8, 8},
                              &(struct plan_options){0});
    assert_int_equal(plan->op_count, COUNT_OF(expected));
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        assert_int_equal(op->kind, expected[i].kind);
        assert_int_equal(op->layer, expected[i].layer);
        assert_int_equal(op->part, expected[i].part);
        assert_int_equal(op->inputs[0], expected[i].input);
        assert_int_equal(op->inputs[1], expected[i].added);
        assert_int_equal(op->output, i + 1);
        assert_int_equal(op->channels, expected[i].channels);
        assert_int_equal(op->kernel, expected[i].kernel);
        assert_int_equal(op->height, expected[i].side);
        assert_int_equal(op->stride, expected[i].stride);
        assert_int_equal(op->sums_input_gradient, expected[i].sums);
        assert_true(op->needs_input_gradient[0] == (i > 0) && !op->adds_input_gradient[0]);
        assert_true(!op_is_trained(op) || (op->weights.gamma >= 0) == (op->kind != OP_CLASSIFIER));
        assert_true(op->kind != OP_DEPTHWISE_BN_RELU || op->weights.inputs == 1);
    }
    for (int t = 0; t <= plan->op_count; t++)
        assert_int_equal(plan->tensors[t].border, borders[t]);
    free(plan);
}

/* se is an operation between the layer's last two convolutions; a hard-swish is in the operation, and no pool joins it.
 */
static void lowering_gates_channels(void **state)
{
    static const enum op_kind kinds[] = {
        OP_CONV_BN_RELU,   OP_CONV_BN_RELU, OP_DEPTHWISE_BN_RELU, OP_SQUEEZE_EXCITE, OP_CONV_BN_ADD, OP_CONV_BN_RELU,
        OP_SQUEEZE_EXCITE, OP_CONV_BN_ADD,  OP_DEPTHWISE_BN_RELU, OP_CONV_BN_RELU,   OP_POOL,        OP_CLASSIFIER};
    struct plan *plan = lower("C(4,3,1) M(9,3,se,hs) R(5,3,se) S(3,3,1,hs) P(2,2) SM(5)", (struct shape){3, 8, 8},
                              &(struct plan_options){0});
    assert_int_equal(plan->op_count, COUNT_OF(kinds));
    for (int i = 0; i < plan->op_count; i++) {
        assert_int_equal(plan->ops[i].kind, kinds[i]);
        assert_int_equal(plan->ops[i].hard_swish, i == 1 || i == 2 || i == 8 || i == 9);
    }
    const struct op *gates = &plan->ops[3], *small = &plan->ops[6];
    assert_true(gates->channels == 9 && gates->weights.outputs == 2 && gates->excite.inputs == 2);
    assert_true(gates->excite.outputs == 9 && gates->height == 8 && gates->needs_input_gradient[0]);
    assert_true(small->channels == 5 && small->weights.outputs == 1 && plan->tensors[small->output].border == 1);
    assert_int_equal(gates->weights.bias, gates->weights.weight + 18);
    assert_int_equal(gates->excite.weight, gates->weights.bias + 2);
    assert_int_equal(gates->excite.bias, gates->excite.weight + 18);
    assert_int_equal(plan->ops[4].weights.weight, gates->excite.bias + 9);
    free(plan);
}

/* Of the two that read the shortcut's tensor the addition writes the gradient, and the network adds the convolution's.
 */
static void shortcut_gradients_add_up(void **state)
{
    struct plan *plan = lower(residual, input, &(struct plan_options){0});
    const struct op *conv = &plan->ops[1], *add = &plan->ops[3];
    assert_int_equal(conv->inputs[0], add->inputs[1]);
    assert_true(conv->sums_input_gradient && !conv->adds_input_gradient[0] && conv->needs_input_gradient[0]);
    assert_true(add->needs_input_gradient[0] && add->needs_input_gradient[1]);
    assert_true(!add->adds_input_gradient[0] && !add->adds_input_gradient[1] && !add->sums_input_gradient);
    assert_int_equal(plan->tensors[conv->inputs[0]].border, 2);
    /* Nothing is trained before the images. */
    plan->ops[3].inputs[1] = 0;
    plan_complete(plan);
    assert_true(add->needs_input_gradient[0] && !add->needs_input_gradient[1] && !conv->sums_input_gradient);
    free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowering_joins_pools),
        cmocka_unit_test(lowering_adds_dropout),
        cmocka_unit_test(lowering_concatenates_in_place),
        cmocka_unit_test(lowering_adds_dropout_to_dense_layers),
        cmocka_unit_test(lowering_adds_in_the_convolution),
        cmocka_unit_test(lowering_gates_channels),
        cmocka_unit_test(shortcut_gradients_add_up),
    };
    return cmocka_run_group_tests_name("lowering", tests, NULL, NULL);
}
