/*
 * op_cases.c - the list, and the plain arrays around one operation.
 *
 * The list walks each dimension by itself (kernels, strides, channel counts, sides, pools, batches) around small
 * sizes, and then adds the shapes of real networks.  Kept cheap for the reference: it does at most some 10^7
 * multiply-adds a case.
 */
#include "op_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/dropout.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"

#define CONV(in, h, w, out, k, s, n, ...)                                                                              \
    {                                                                                                                  \
        .kind = OP_CONV_BN_RELU, .inputs = in, .height = h, .width = w, .outputs = out, .kernel = k, .stride = s, .count = n,  \
        __VA_ARGS__                                                                                                    \
    }
#define FC(in, h, w, out, n, ...)                                                                                      \
    {                                                                                                                  \
        .kind = OP_FC_BN_RELU, .inputs = in, .height = h, .width = w, .outputs = out, .count = n, __VA_ARGS__                  \
    }
#define POOL(in, h, w, n, ...)                                                                                         \
    {                                                                                                                  \
        .kind = OP_POOL, .inputs = in, .height = h, .width = w, .count = n, __VA_ARGS__                                \
    }
#define DROPOUT(in, h, w, p, n, ...)                                                                                   \
    {                                                                                                                  \
        .kind = OP_DROPOUT, .inputs = in, .height = h, .width = w, .drop = p, .count = n, __VA_ARGS__                  \
    }
#define CLASSIFIER(in, h, w, out, n, ...)                                                                              \
    {                                                                                                                  \
        .kind = OP_CLASSIFIER, .inputs = in, .height = h, .width = w, .outputs = out, .count = n, __VA_ARGS__          \
    }
#define NORM(in, h, w, n, ...)                                                                                         \
    {                                                                                                                  \
        .kind = OP_BN_RELU, .inputs = in, .height = h, .width = w, .count = n, __VA_ARGS__                                \
    }
#define ALONE(in, h, w, out, k, n, ...)                                                                                \
    {                                                                                                                  \
        .kind = OP_CONV, .inputs = in, .height = h, .width = w, .outputs = out, .kernel = k, .stride = 1,        \
        .count = n, __VA_ARGS__                                                                                        \
    }
#define MAX(size, step)     .pool = POOL_MAX, .pool_size = size, .pool_stride = step
#define AVERAGE(size, step) .pool = POOL_AVERAGE, .pool_size = size, .pool_stride = step

const struct op_case op_cases[] = {
    /* Kernels and strides, odd and even sides. */
    CONV(3, 8, 8, 4, 1, 1, 16, .border = 1),
    CONV(3, 8, 8, 4, 3, 1, 16, .border = 1),
    CONV(3, 8, 8, 4, 5, 1, 16, .border = 2),
    CONV(3, 8, 8, 4, 1, 2, 16),
    CONV(3, 8, 8, 4, 3, 2, 16, .border = 1),
    CONV(3, 8, 8, 4, 5, 2, 16, .border = 1),
    CONV(3, 7, 7, 4, 1, 2, 16, .border = 1),
    CONV(3, 7, 7, 4, 3, 2, 16),
    CONV(3, 7, 7, 4, 5, 2, 16, .border = 2),
    CONV(2, 9, 9, 3, 7, 1, 16, .border = 3),
    CONV(2, 11, 9, 3, 3, 3, 16, .border = 1),
    CONV(2, 9, 11, 3, 5, 3, 16),
    CONV(2, 5, 12, 3, 3, 1, 16, .border = 1),
    CONV(2, 12, 5, 3, 3, 2, 16, .border = 1),

    /* Sides down to kernels that are larger than the map. */
    CONV(4, 32, 32, 4, 3, 1, 16, .border = 1),
    CONV(4, 28, 28, 4, 3, 1, 16, .border = 1),
    CONV(4, 14, 14, 4, 3, 1, 16, .border = 1),
    CONV(4, 14, 14, 4, 5, 1, 16, .border = 2),
    CONV(4, 13, 13, 4, 3, 1, 16, .border = 1),
    CONV(4, 7, 7, 4, 5, 1, 16, .border = 1),
    CONV(4, 3, 3, 4, 3, 1, 16, .border = 1),
    CONV(4, 3, 3, 4, 5, 1, 16, .border = 2),
    CONV(4, 2, 2, 4, 3, 1, 16, .border = 1),
    CONV(4, 1, 1, 4, 1, 1, 16),
    CONV(4, 1, 1, 4, 3, 1, 16),
    CONV(4, 1, 1, 4, 5, 1, 16),
    CONV(4, 1, 7, 4, 3, 1, 16, .border = 1),
    CONV(4, 7, 1, 4, 5, 1, 16, .border = 1),
    CONV(4, 3, 3, 4, 3, 2, 16),
    CONV(4, 1, 1, 4, 5, 2, 16),

    /* Channel counts around whatever a backend blocks by. */
    CONV(1, 6, 6, 1, 3, 1, 16, .border = 1),
    CONV(1, 6, 6, 2, 3, 1, 16, .border = 1),
    CONV(2, 6, 6, 1, 3, 1, 16, .border = 1),
    CONV(3, 6, 6, 5, 3, 1, 16, .border = 1),
    CONV(5, 6, 6, 3, 3, 1, 16, .border = 1),
    CONV(8, 6, 6, 12, 3, 1, 16, .border = 1),
    CONV(12, 6, 6, 8, 5, 1, 16, .border = 1),
    CONV(17, 6, 6, 5, 3, 1, 16, .border = 1),
    CONV(5, 6, 6, 17, 3, 1, 16, .border = 1),
    CONV(17, 6, 6, 17, 1, 1, 16, .border = 1),
    CONV(32, 6, 6, 17, 3, 1, 16, .border = 1),
    CONV(17, 6, 6, 32, 5, 1, 16, .border = 1),
    CONV(32, 7, 7, 32, 3, 1, 16, .border = 1),
    CONV(32, 7, 7, 32, 1, 1, 16, .border = 1),
    CONV(64, 4, 4, 64, 3, 1, 16, .border = 1),
    CONV(33, 7, 7, 31, 3, 2, 16, .border = 1),

    /* Batches: full and partial groups, and buffers larger than the batch. */
    CONV(3, 6, 6, 5, 3, 1, 1, .border = 1),
    CONV(3, 6, 6, 5, 3, 1, 15, .border = 1),
    CONV(3, 6, 6, 5, 3, 1, 17, .border = 1),
    CONV(3, 6, 6, 5, 3, 1, 33, .border = 1),
    CONV(3, 6, 6, 5, 3, 1, 64, .border = 1),
    CONV(3, 6, 6, 5, 3, 1, 100, .border = 1),
    CONV(3, 6, 6, 5, 3, 1, 1, .batch = 64, .border = 1),
    CONV(3, 6, 6, 5, 3, 1, 17, .batch = 64, .border = 1),
    CONV(3, 6, 6, 5, 5, 2, 33, .batch = 40),
    CONV(4, 6, 6, 4, 3, 1, 8, .batch = 64, .border = 1, MAX(2, 2)),
    CONV(4, 1, 1, 4, 3, 1, 1),
    CONV(4, 1, 1, 4, 3, 1, 2),

    /* Joined pools: sizes, strides, cropping, overlap, global average. */
    CONV(3, 8, 8, 4, 3, 1, 16, MAX(2, 2), .border = 1),
    CONV(3, 7, 7, 4, 3, 1, 16, MAX(2, 2), .border = 1),
    CONV(3, 8, 8, 4, 3, 1, 16, MAX(3, 3), .border = 1),
    CONV(3, 8, 8, 4, 3, 1, 16, MAX(3, 2), .border = 2),
    CONV(3, 8, 8, 4, 3, 1, 16, MAX(2, 1), .border = 1),
    CONV(3, 8, 8, 4, 3, 1, 16, MAX(2, 3)),
    CONV(3, 8, 8, 4, 3, 1, 16, MAX(1, 2)),
    CONV(3, 8, 8, 4, 3, 1, 16, AVERAGE(2, 2), .border = 1),
    CONV(3, 7, 7, 4, 3, 1, 16, AVERAGE(2, 2), .border = 1),
    CONV(3, 8, 8, 4, 3, 1, 16, AVERAGE(3, 2)),
    CONV(3, 8, 8, 4, 3, 1, 16, AVERAGE(3, 3), .border = 1),
    CONV(3, 8, 8, 4, 3, 1, 16, AVERAGE(8, 8)),
    CONV(3, 4, 4, 4, 3, 1, 16, AVERAGE(4, 4)),
    CONV(3, 7, 7, 4, 3, 1, 16, AVERAGE(7, 1)),
    CONV(3, 7, 7, 4, 3, 1, 16, MAX(7, 7)),
    CONV(3, 1, 1, 4, 3, 1, 16, MAX(1, 1)),
    CONV(5, 9, 9, 5, 3, 2, 17, MAX(2, 2), .border = 1),
    CONV(5, 9, 9, 5, 5, 2, 33, MAX(3, 2), .border = 1),
    CONV(5, 9, 7, 17, 1, 1, 15, MAX(2, 2), .border = 1),
    CONV(5, 8, 8, 12, 5, 1, 1, MAX(2, 2), .border = 1),

    /* The first operation: no input gradient. */
    CONV(1, 28, 28, 4, 3, 1, 64, MAX(2, 2), .border = 1, .first = true),
    CONV(3, 32, 32, 4, 3, 1, 64, MAX(2, 2), .border = 1, .first = true),
    CONV(3, 32, 32, 16, 5, 1, 17, .border = 1, .first = true),
    CONV(1, 28, 28, 8, 5, 1, 15, .border = 2, .first = true),
    CONV(3, 9, 9, 5, 3, 2, 33, .border = 1, .first = true),
    CONV(2, 5, 5, 3, 1, 1, 16, AVERAGE(5, 5), .first = true),

    /* As in networks. */
    CONV(4, 14, 14, 4, 3, 1, 64, MAX(2, 2), .border = 1),
    CONV(4, 16, 16, 8, 3, 1, 64, MAX(2, 2), .border = 1),
    CONV(4, 7, 7, 4, 3, 1, 64, MAX(2, 2), .border = 1),
    CONV(4, 4, 4, 4, 3, 1, 64, AVERAGE(4, 4)),
    CONV(8, 28, 28, 8, 3, 1, 17, .border = 1),
    CONV(12, 14, 14, 12, 5, 1, 17, MAX(2, 2), .border = 1),
    CONV(32, 10, 10, 32, 3, 1, 17, MAX(2, 2), .border = 1),
    CONV(16, 32, 32, 16, 1, 1, 16, .border = 1),
    CONV(40, 5, 5, 40, 3, 1, 33, .border = 2),

    FC(4, 1, 1, 8, 64),
    FC(4, 1, 1, 8, 17),
    FC(4, 1, 1, 8, 15, .batch = 64),
    FC(4, 1, 1, 8, 1),
    FC(4, 1, 1, 8, 2),
    FC(1, 1, 1, 1, 16),
    FC(17, 1, 1, 5, 33),
    FC(5, 3, 3, 17, 16),
    FC(3, 4, 2, 12, 33, .batch = 48),
    FC(8, 7, 7, 32, 64),
    FC(32, 2, 2, 80, 64),
    FC(1, 5, 5, 3, 16, .first = true),

    POOL(4, 8, 8, 16, MAX(2, 2), .border = 1),
    POOL(4, 7, 7, 17, MAX(2, 2), .border = 1),
    POOL(3, 8, 8, 33, MAX(3, 2), .border = 2),
    POOL(3, 8, 8, 16, MAX(3, 3)),
    POOL(5, 7, 9, 15, MAX(2, 1)),
    POOL(5, 7, 9, 16, MAX(2, 3)),
    POOL(4, 8, 8, 16, AVERAGE(2, 2), .border = 1),
    POOL(4, 9, 7, 17, AVERAGE(3, 2), .border = 1),
    POOL(17, 4, 4, 64, AVERAGE(4, 4)),
    POOL(2, 3, 3, 1, AVERAGE(2, 1), .batch = 33),
    POOL(3, 1, 1, 16, MAX(1, 1)),
    POOL(1, 28, 28, 16, MAX(2, 2), .border = 1, .first = true),

    DROPOUT(4, 7, 7, 0.25f, 16, .border = 1),
    DROPOUT(5, 4, 4, 0.5f, 17, .border = 2),
    DROPOUT(3, 5, 3, 0.1f, 15, .batch = 64),
    DROPOUT(17, 1, 1, 0.3f, 33),
    DROPOUT(8, 1, 1, 0.5f, 64),
    DROPOUT(3, 1, 1, 0.5f, 1),

    CLASSIFIER(8, 1, 1, 10, 64),
    CLASSIFIER(8, 1, 1, 2, 16),
    CLASSIFIER(16, 1, 1, 100, 33),
    CLASSIFIER(5, 1, 1, 10, 17, .batch = 64),
    CLASSIFIER(5, 1, 1, 10, 15),
    CLASSIFIER(3, 1, 1, 10, 1),
    CLASSIFIER(1, 1, 1, 3, 16),
    CLASSIFIER(4, 3, 2, 10, 33),
    CLASSIFIER(64, 1, 1, 17, 100),

    /* By themselves and from the beginning of a buffer; added to what others gave. */
    NORM(4, 8, 8, 16),
    NORM(4, 8, 8, 16, .border = 1, .in_after = 3),
    NORM(5, 7, 9, 17, .border = 1, .in_after = 4, .adds = true),
    NORM(3, 6, 6, 33, .batch = 64, .in_after = 17, .adds = true),
    NORM(17, 1, 1, 1, .in_after = 1, .adds = true),
    NORM(17, 4, 4, 15, .in_after = 12, .adds = true),
    NORM(1, 1, 5, 64, .in_after = 2, .adds = true),
    NORM(33, 7, 7, 48, .border = 1, .in_after = 8, .adds = true),
    NORM(4, 3, 3, 16, .first = true),
    NORM(6, 8, 8, 16, AVERAGE(2, 2)),
    NORM(6, 7, 9, 17, AVERAGE(2, 2), .batch = 32),
    NORM(12, 7, 7, 64, AVERAGE(7, 7)),
    NORM(5, 6, 6, 33, AVERAGE(3, 2), .border = 1),
    NORM(6, 8, 8, 16, MAX(2, 2), .border = 1),
    NORM(5, 7, 9, 17, MAX(3, 2)),
    NORM(5, 9, 7, 15, MAX(2, 2), .batch = 33),

    ALONE(4, 8, 8, 5, 3, 16),
    ALONE(4, 8, 8, 5, 3, 16, .out_before = 3, .out_after = 2),
    ALONE(4, 7, 9, 5, 1, 17, .out_after = 7),
    ALONE(16, 6, 6, 8, 3, 33, .out_before = 12, .batch = 40),
    ALONE(24, 4, 4, 12, 3, 64, .out_before = 8, .out_after = 24),
    ALONE(48, 7, 7, 12, 3, 17, .out_before = 24, .out_after = 12),
    ALONE(17, 2, 2, 9, 3, 100, .out_before = 1),
    ALONE(33, 5, 5, 16, 1, 15, .batch = 64, .out_after = 1),
    ALONE(3, 5, 3, 2, 5, 16, .out_before = 1),
    ALONE(2, 1, 1, 1, 3, 1, .out_before = 2),
    ALONE(3, 6, 6, 4, 3, 16, .out_after = 4, .first = true),

    /* What comes before a dense block writes the beginning of its buffer. */
    CONV(3, 8, 8, 4, 3, 1, 17, .out_after = 5),
    CONV(12, 8, 8, 12, 3, 1, 33, MAX(2, 2), .out_after = 3),
    CONV(3, 8, 8, 4, 3, 1, 16, AVERAGE(2, 2), .out_after = 9),
    POOL(4, 7, 7, 33, MAX(2, 2), .out_after = 6),
    POOL(4, 8, 8, 17, AVERAGE(2, 2), .out_after = 1),
    DROPOUT(4, 7, 7, 0.25f, 33, .out_after = 3),

    /* Minimal filtering: whole tiles, and tiles that hang over an edge. */
    CONV(16, 14, 14, 20, 3, 1, 33, MAX(2, 2), .border = 1),
    CONV(24, 9, 11, 19, 3, 1, 17, .border = 1),
    CONV(17, 16, 16, 13, 3, 1, 49, AVERAGE(2, 2), .border = 1),
    CONV(16, 16, 16, 20, 5, 1, 33, AVERAGE(2, 2), .border = 1),
    CONV(9, 13, 10, 12, 5, 1, 17, .border = 2),
    CONV(12, 4, 4, 10, 5, 1, 49, AVERAGE(4, 4)),
    ALONE(12, 8, 8, 12, 3, 33, .out_before = 2),
    ALONE(10, 8, 9, 16, 5, 33, .out_after = 4),
    ALONE(32, 10, 7, 24, 3, 49, .out_after = 3),
};
const int op_case_count = COUNT_OF(op_cases);

static struct shape output_of(const struct op_case *op_case)
{
    switch (op_case->kind) {
    case OP_CONV_BN_RELU:
    case OP_CONV: {
        int height = (op_case->height - 1) / op_case->stride + 1, width = (op_case->width - 1) / op_case->stride + 1;
        if (!op_case->pool)
            return (struct shape){op_case->outputs, height, width};
        return (struct shape){op_case->outputs, (height - op_case->pool_size) / op_case->pool_stride + 1,
                              (width - op_case->pool_size) / op_case->pool_stride + 1};
    }
    case OP_BN_RELU:
        if (!op_case->pool)
            return (struct shape){op_case->inputs, op_case->height, op_case->width};
        /* fall through */
    case OP_POOL:
        return (struct shape){op_case->inputs, (op_case->height - op_case->pool_size) / op_case->pool_stride + 1,
                              (op_case->width - op_case->pool_size) / op_case->pool_stride + 1};
    case OP_DROPOUT:
        return (struct shape){op_case->inputs, op_case->height, op_case->width};
    default:
        return (struct shape){op_case->outputs, 1, 1};
    }
}

static void print_part(char *name, const char *format, int a, int b)
{
    size_t length = strlen(name);
    snprintf(name + length, OP_CASE_NAME - length, format, a, b);
}

char *op_case_name(const struct op_case *op_case, char name[OP_CASE_NAME])
{
    static const char *const kinds[OP_KINDS] = {"conv", "fc", "pool", "dropout", "classifier", "norm", "conv alone"};
    snprintf(name, OP_CASE_NAME, "%s %d", kinds[op_case->kind], op_case->inputs);
    if (op_case->outputs)
        print_part(name, ">%d", op_case->outputs, 0);
    print_part(name, " %dx%d", op_case->height, op_case->width);
    if (op_case->kind == OP_CONV_BN_RELU || op_case->kind == OP_CONV)
        print_part(name, " k%d s%d", op_case->kernel, op_case->stride);
    if (op_case->pool)
        print_part(name, op_case->pool == POOL_MAX ? " max %d/%d" : " average %d/%d", op_case->pool_size,
                   op_case->pool_stride);
    print_part(name, ", %d of %d", op_case->count, op_case->batch ? op_case->batch : op_case->count);
    if (op_case->first)
        print_part(name, ", first", 0, 0);
    if (op_case->in_after)
        print_part(name, ", %d behind the input", op_case->in_after, 0);
    if (op_case->out_before || op_case->out_after)
        print_part(name, ", output between %d and %d", op_case->out_before, op_case->out_after);
    if (op_case->adds)
        print_part(name, ", adds", 0, 0);
    return name;
}

int64_t op_case_multiplies(const struct op_case *op_case)
{
    if (op_case->kind == OP_POOL || op_case->kind == OP_DROPOUT || op_case->kind == OP_BN_RELU)
        return 0;
    int64_t matrix = (int64_t)op_case->inputs * op_case->outputs;
    if (op_case->kind != OP_CONV_BN_RELU && op_case->kind != OP_CONV)
        return matrix * op_case->height * op_case->width;
    int height = (op_case->height - 1) / op_case->stride + 1, width = (op_case->width - 1) / op_case->stride + 1;
    return matrix * op_case->kernel * op_case->kernel * height * width;
}

/* In the order of arch/weights.h: what is trained, then the statistics. */
static void lay_weights(struct plan *plan, struct op *op, int inputs)
{
    bool normalised = op->kind == OP_CONV_BN_RELU || op->kind == OP_FC_BN_RELU || op->kind == OP_BN_RELU;
    op->weights = (struct weights_layer){-1, -1, -1, -1, -1, -1, inputs, op->channels, 1};
    if (op->kind == OP_POOL || op->kind == OP_DROPOUT)
        return;
    if (op->kernel)
        op->weights.kernel = op->kernel;
    if (op->kind != OP_BN_RELU) {
        op->weights.weight = 0;
        plan->trained = (int64_t)inputs * op->channels * op->weights.kernel * op->weights.kernel;
    }
    plan->total = plan->trained;
    if (op->kind == OP_CLASSIFIER) {
        op->weights.bias = plan->trained;
        plan->trained += op->channels;
        plan->total = plan->trained;
    }
    if (normalised) {
        op->weights.gamma = plan->trained;
        op->weights.beta = plan->trained + op->channels;
        plan->trained += 2 * op->channels;
        op->weights.mean = plan->trained;
        op->weights.variance = plan->trained + op->channels;
        plan->total = plan->trained + 2 * op->channels;
    }
}

void op_case_plan(const struct op_case *op_case, struct plan *plan)
{
    struct shape output = output_of(op_case);
    *plan = (struct plan){.op_count = 1, .tensor_count = 2};
    struct op *op = &plan->ops[0];
    *op = (struct op){.kind = op_case->kind,
                      .output = 1,
                      .kernel = op_case->kernel,
                      .stride = op_case->stride,
                      .channels = op_case->outputs,
                      .pool = op_case->pool,
                      .pool_size = op_case->pool_size,
                      .pool_stride = op_case->pool_stride,
                      .drop = op_case->drop,
                      .needs_input_gradient = !op_case->first,
                      .adds_input_gradient = op_case->adds};
    int border = 0, inputs = op_case->inputs;
    if (op->kind == OP_CONV_BN_RELU || op->kind == OP_CONV) {
        op->height = (op_case->height - 1) / op_case->stride + 1;
        op->width = (op_case->width - 1) / op_case->stride + 1;
        border = op_case->kernel / 2;
    } else if (op->kind == OP_FC_BN_RELU || op->kind == OP_CLASSIFIER) {
        op->height = op->width = 1;
        inputs *= op_case->height * op_case->width;
    } else if (op->kind == OP_DROPOUT) {
        border = op_case->border;
    } else if (op->kind == OP_BN_RELU) {
        op->height = op_case->height;
        op->width = op_case->width;
        op->channels = inputs;
    }
    if (op->kind == OP_CLASSIFIER)
        plan->classes = op_case->outputs;
    lay_weights(plan, op, inputs);
    plan->tensors[0] = (struct tensor){.channels = op_case->inputs,
                                       .height = op_case->height,
                                       .width = op_case->width,
                                       .border = border,
                                       .after = op_case->in_after};
    plan->tensors[1] = (struct tensor){.channels = output.channels,
                                       .height = output.height,
                                       .width = output.width,
                                       .border = op_case->border,
                                       .before = op_case->out_before,
                                       .after = op_case->out_after,
                                       .buffer = 1};
}

enum op_data op_case_data(const struct op_case *op_case)
{
    bool filtered = op_case->kind == OP_CONV_BN_RELU && op_case->kernel > 1 && op_case->stride == 1 && op_case->inputs >= 5;
    return filtered && op_case->pool == POOL_MAX ? OP_DATA_CONTINUOUS : OP_DATA_GRID;
}

static size_t size_of(const struct tensor *tensor, int count)
{
    return (size_t)count * tensor->channels * tensor->height * tensor->width;
}

static float *new_floats(size_t count)
{
    return memory_new(count, sizeof(float));
}

static float draw(struct random_stream *stream, enum op_data data, float unit)
{
    return data == OP_DATA_GRID ? unit * (float)((int)random_below(stream, 9) - 4) : 3 * unit * random_normal(stream);
}

static void draw_values(const struct op *op, enum op_data data, struct random_stream *stream, float *values)
{
    const struct weights_layer *w = &op->weights;
    int64_t size = w->weight < 0 ? 0 : (int64_t)w->inputs * w->outputs * w->kernel * w->kernel;
    for (int64_t i = 0; i < size; i++)
        values[w->weight + i] = draw(stream, data, 0.125f);
    for (int c = 0; c < w->outputs; c++) {
        if (w->bias >= 0)
            values[w->bias + c] = random_normal(stream);
        if (w->gamma < 0)
            continue;
        /* Far from 0, of either sign: a negative gamma turns maxima around. */
        values[w->gamma + c] = (random_below(stream, 4) ? 1 : -1) * (0.5f + random_uniform(stream));
        values[w->beta + c] = 0.5f * random_normal(stream);
        values[w->mean + c] = random_normal(stream);
        values[w->variance + c] = 0.5f + 4 * random_uniform(stream);
    }
}

void op_arrays_draw(const struct op_case *op_case, const struct plan *plan, enum op_data data, uint64_t seed,
                    struct op_arrays *arrays)
{
    struct random_stream stream = random_stream_new(seed, RANDOM_TEST, 0, 0);
    *arrays = (struct op_arrays){
        .x_size = size_of(&plan->tensors[0], op_case->count),
        .y_size = size_of(&plan->tensors[1], op_case->count),
        .trained = (size_t)plan->trained,
        .total = (size_t)plan->total,
        .classes_size = (size_t)op_case->count * plan->classes,
    };
    arrays->values = new_floats(arrays->total);
    arrays->gradients = new_floats(arrays->trained);
    arrays->x = new_floats(arrays->x_size);
    arrays->dx = new_floats(arrays->x_size);
    arrays->y = new_floats(arrays->y_size);
    arrays->dy = new_floats(arrays->y_size);
    arrays->logits = new_floats(arrays->classes_size);
    arrays->labels = memory_new((size_t)op_case->count, sizeof *arrays->labels);
    draw_values(&plan->ops[0], data, &stream, arrays->values);
    for (size_t i = 0; i < arrays->x_size; i++)
        arrays->x[i] = draw(&stream, data, 0.25f);
    for (size_t i = 0; i < arrays->y_size; i++)
        arrays->dy[i] = random_normal(&stream);
    if (plan->classes)
        for (int i = 0; i < op_case->count; i++)
            arrays->labels[i] = (uint16_t)random_below(&stream, (uint32_t)plan->classes);
}

void op_arrays_done(struct op_arrays *arrays)
{
    free(arrays->values);
    free(arrays->gradients);
    free(arrays->x);
    free(arrays->dx);
    free(arrays->y);
    free(arrays->dy);
    free(arrays->logits);
    free(arrays->labels);
    *arrays = (struct op_arrays){0};
}

/* A buffer whose every float is NaN, so that what is read before it was written shows. */
static void *new_poisoned(size_t bytes)
{
    float *buffer = memory_new_aligned(bytes);
    for (size_t i = 0; i < bytes / sizeof *buffer; i++)
        buffer[i] = NAN;
    return buffer;
}

void op_instance_init(struct op_instance *instance, const struct backend *backend, const struct op_case *op_case,
                      const struct plan *plan, const struct op_arrays *arrays)
{
    const struct op *op = &plan->ops[0];
    int batch = op_case->batch ? op_case->batch : op_case->count;
    const struct tensor *input = &plan->tensors[0], *output = &plan->tensors[1];
    *instance = (struct op_instance){.backend = backend};
    instance->x = new_poisoned(backend->tensor_bytes(input, batch));
    instance->y = new_poisoned(backend->tensor_bytes(output, batch));
    instance->dx = new_poisoned(backend->tensor_bytes(input, batch));
    instance->dy = new_poisoned(backend->tensor_bytes(output, batch));
    size_t in = backend->tensor_offset(input), out = backend->tensor_offset(output);
    backend->tensor_write(input, op_case->count, arrays->x, (char *)instance->x + in);
    backend->tensor_write(output, op_case->count, arrays->dy, (char *)instance->dy + out);
    if (op->adds_input_gradient)
        backend->tensor_write(input, op_case->count, arrays->x, (char *)instance->dx + in);
    instance->run = (struct op_run){
        .plan = plan,
        .op = op,
        .count = op_case->count,
        .precision = backend->precision,
        .bn_decay = 0.9f,
        .dropout_key = OP_CASE_DROPOUT_KEY,
        .values = memory_new_aligned(arrays->total * sizeof(float)),
        .gradients = new_poisoned(arrays->trained * sizeof(float)),
        .x = (char *)instance->x + in,
        .y = (char *)instance->y + out,
        .dy = op->kind == OP_CLASSIFIER ? NULL : (char *)instance->dy + out,
        .dx = op->needs_input_gradient ? (char *)instance->dx + in : NULL,
        .saved = new_poisoned(backend->saved_bytes(plan, op, batch)),
        .scratch = new_poisoned(backend->scratch_bytes(backend, plan, op, batch, 1)),
        .members = 1,
        .labels = arrays->labels,
        .logits = new_poisoned(arrays->classes_size * sizeof(float)),
        .loss = &instance->loss,
        .correct = &instance->correct,
    };
    memcpy(instance->run.values, arrays->values, arrays->total * sizeof(float));
}

void op_instance_forward(struct op_instance *instance, bool training)
{
    struct op_run run = instance->run;
    run.training = training;
    if (!training)
        run.saved = NULL;
    instance->loss = 0;
    instance->correct = 0;
    instance->backend->forward[run.op->kind](&run);
}

void op_instance_backward(struct op_instance *instance)
{
    struct op_run run = instance->run;
    run.training = true;
    instance->backend->backward[run.op->kind](&run);
}

void op_instance_read(const struct op_instance *instance, struct op_arrays *arrays)
{
    const struct op_run *run = &instance->run;
    const struct plan *plan = run->plan;
    if (run->op->kind != OP_CLASSIFIER)
        instance->backend->tensor_read(&plan->tensors[1], run->count, run->y, arrays->y);
    if (run->dx)
        instance->backend->tensor_read(&plan->tensors[0], run->count, run->dx, arrays->dx);
    for (size_t i = 0; run->op->adds_input_gradient && i < arrays->x_size; i++)
        arrays->dx[i] -= arrays->x[i];
    memcpy(arrays->values, run->values, arrays->total * sizeof(float));
    memcpy(arrays->gradients, run->gradients, arrays->trained * sizeof(float));
    memcpy(arrays->logits, run->logits, arrays->classes_size * sizeof(float));
    arrays->loss = instance->loss;
    arrays->correct = instance->correct;
}

void op_instance_done(struct op_instance *instance)
{
    free(instance->x);
    free(instance->y);
    free(instance->dx);
    free(instance->dy);
    free(instance->run.values);
    free(instance->run.gradients);
    free(instance->run.saved);
    free(instance->run.scratch);
    free(instance->run.logits);
    *instance = (struct op_instance){0};
}
