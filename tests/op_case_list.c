/*
 * op_case_list.c - the list of operation cases.
 *
 * It walks each dimension by itself (kernels, strides, channel counts, sides, pools, batches) around small sizes, and
 * then adds the shapes of real networks.  Kept cheap for the reference: it does at most some 10^7 multiply-adds a case.
 */
#include "op_cases.h"
#include "util/bug.h"

#define CONV(in, h, w, out, k, s, n, ...)                                                                              \
    {                                                                                                                  \
        .kind = OP_CONV_BN_RELU, .inputs = in, .height = h, .width = w, .outputs = out, .kernel = k, .stride = s,      \
        .count = n, __VA_ARGS__                                                                                        \
    }
#define FC(in, h, w, out, n, ...)                                                                                      \
    {                                                                                                                  \
        .kind = OP_FC_BN_RELU, .inputs = in, .height = h, .width = w, .outputs = out, .count = n, __VA_ARGS__          \
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
        .kind = OP_BN_RELU, .inputs = in, .height = h, .width = w, .count = n, __VA_ARGS__                             \
    }
#define ALONE(in, h, w, out, k, n, ...)                                                                                \
    {                                                                                                                  \
        .kind = OP_CONV, .inputs = in, .height = h, .width = w, .outputs = out, .kernel = k, .stride = 1, .count = n,  \
        __VA_ARGS__                                                                                                    \
    }
#define ADD(in, h, w, n, ...)                                                                                          \
    {                                                                                                                  \
        .kind = OP_ADD, .inputs = in, .height = h, .width = w, .count = n, __VA_ARGS__                                 \
    }
#define DEPTHWISE(in, h, w, k, s, n, ...)                                                                              \
    {                                                                                                                  \
        .kind = OP_DEPTHWISE_BN_RELU, .inputs = in, .height = h, .width = w, .outputs = in, .kernel = k, .stride = s,  \
        .count = n, __VA_ARGS__                                                                                        \
    }
#define CONV_ADD(in, h, w, out, k, s, n, ...)                                                                          \
    {                                                                                                                  \
        .kind = OP_CONV_BN_ADD, .inputs = in, .height = h, .width = w, .outputs = out, .kernel = k, .stride = s,       \
        .count = n, __VA_ARGS__                                                                                        \
    }
#define SQUEEZE(in, h, w, units, n, ...)                                                                               \
    {                                                                                                                  \
        .kind = OP_SQUEEZE_EXCITE, .inputs = in, .height = h, .width = w, .outputs = units, .count = n, __VA_ARGS__    \
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

    /* Borders of all kinds, parts of buffers, gradients that are written, added and not asked for. */
    ADD(4, 8, 8, 16),
    ADD(3, 7, 9, 17, .border = 1, .in_border = 1),
    ADD(5, 6, 6, 33, .border = 1, .in_border = 2, .adds = true),
    ADD(5, 6, 5, 15, .in_border = 1, .in2_border = 2, .adds2 = true),
    ADD(8, 7, 7, 64, .border = 1, .in_border = 1, .in2_border = 1, .adds = true, .adds2 = true, .batch = 80),
    ADD(17, 1, 1, 1, .in_after = 3, .adds = true),
    ADD(6, 5, 3, 48, .in2_before = 2, .in2_after = 1, .out_before = 4),
    ADD(3, 4, 4, 16, .in_after = 2, .in2_before = 3, .out_before = 1, .out_after = 2, .adds = true, .adds2 = true),
    ADD(3, 4, 4, 16, .border = 2, .first = true),
    NORM(4, 8, 8, 17, .border = 1, .adds = true),

    /* Kernels, strides, sides around whatever a backend blocks by, maps smaller than the kernel, batches, parts. */
    DEPTHWISE(4, 8, 8, 3, 1, 16, .border = 1),
    DEPTHWISE(4, 8, 8, 5, 1, 16, .border = 2),
    DEPTHWISE(4, 8, 8, 7, 1, 16),
    DEPTHWISE(2, 13, 11, 9, 1, 16, .border = 1),
    DEPTHWISE(4, 8, 8, 3, 2, 16, .border = 1),
    DEPTHWISE(4, 8, 8, 5, 2, 16),
    DEPTHWISE(4, 8, 8, 7, 2, 17, .border = 3),
    DEPTHWISE(3, 9, 7, 3, 2, 33, .border = 1),
    DEPTHWISE(3, 7, 9, 5, 2, 16),
    DEPTHWISE(3, 11, 13, 7, 2, 15, .border = 1),
    DEPTHWISE(2, 11, 9, 3, 3, 16, .border = 1),
    DEPTHWISE(2, 9, 11, 5, 3, 17),
    DEPTHWISE(2, 5, 6, 3, 4, 16),
    DEPTHWISE(3, 6, 5, 3, 1, 1, .border = 1),
    DEPTHWISE(3, 6, 6, 3, 1, 2),
    DEPTHWISE(3, 6, 7, 3, 1, 15, .batch = 64, .border = 1),
    DEPTHWISE(3, 5, 9, 5, 1, 100, .border = 1),
    DEPTHWISE(3, 4, 10, 7, 1, 33, .batch = 40, .border = 2),
    DEPTHWISE(4, 1, 1, 3, 1, 16, .border = 1),
    DEPTHWISE(4, 1, 1, 5, 2, 17),
    DEPTHWISE(4, 2, 2, 7, 1, 16),
    DEPTHWISE(4, 3, 1, 5, 1, 16, .border = 1),
    DEPTHWISE(4, 1, 12, 3, 2, 16),
    DEPTHWISE(1, 28, 28, 3, 1, 17, .border = 1, .first = true),
    DEPTHWISE(3, 32, 32, 7, 2, 16, .border = 1, .first = true),
    DEPTHWISE(48, 16, 16, 3, 1, 33, .border = 1),
    DEPTHWISE(17, 16, 16, 5, 1, 16),
    DEPTHWISE(33, 15, 17, 3, 2, 16),
    DEPTHWISE(4, 6, 6, 3, 1, 33, .in_after = 3, .out_before = 2, .out_after = 1),
    DEPTHWISE(3, 7, 7, 5, 2, 17, .in_after = 1, .out_before = 1, .border = 1),

    CONV_ADD(3, 8, 8, 4, 3, 1, 16, .border = 1),
    CONV_ADD(3, 8, 8, 4, 1, 1, 16, .in2_border = 1),
    CONV_ADD(6, 8, 8, 5, 1, 1, 33, .border = 1, .in2_border = 2, .adds2 = true),
    CONV_ADD(3, 7, 9, 4, 5, 2, 17, .border = 1, .in2_border = 1, .adds2 = true),
    CONV_ADD(16, 8, 8, 16, 3, 1, 17, .border = 1, .in2_border = 1),
    CONV_ADD(9, 13, 10, 12, 5, 1, 15, .batch = 48, .border = 1, .adds2 = true),
    CONV_ADD(48, 8, 8, 16, 1, 1, 49, .border = 1, .in2_border = 1),
    CONV_ADD(5, 1, 1, 3, 3, 1, 5, .in2_border = 1),
    CONV_ADD(5, 1, 1, 3, 1, 1, 9, .border = 1),
    CONV_ADD(4, 5, 3, 6, 3, 1, 33, .in2_before = 2, .in2_after = 1, .out_before = 4, .adds2 = true),
    CONV_ADD(4, 6, 6, 4, 3, 1, 17, .in_after = 2, .in2_before = 3, .out_before = 1, .out_after = 2),
    CONV_ADD(3, 9, 9, 5, 3, 2, 33, .border = 1, .first = true),

    CONV(3, 8, 8, 4, 3, 1, 16, .border = 1, .hard_swish = true),
    CONV(8, 9, 7, 12, 3, 1, 33, .hard_swish = true),
    CONV(16, 8, 8, 24, 1, 1, 17, .border = 2, .hard_swish = true),
    CONV(5, 9, 9, 6, 5, 2, 15, .batch = 48, .hard_swish = true, .first = true),
    CONV(9, 1, 1, 5, 1, 1, 20, .hard_swish = true),
    CONV(6, 6, 6, 5, 3, 1, 16, .in_after = 2, .out_before = 3, .out_after = 1, .hard_swish = true),
    DEPTHWISE(4, 8, 8, 3, 1, 16, .border = 1, .hard_swish = true),
    DEPTHWISE(5, 9, 7, 5, 2, 33, .hard_swish = true),
    DEPTHWISE(17, 6, 6, 7, 1, 15, .batch = 64, .border = 2, .hard_swish = true),

    /* Squeezed values and channels around vectors, pixels, batches, borders of both sides, parts. */
    SQUEEZE(8, 4, 4, 2, 16),
    SQUEEZE(4, 8, 8, 1, 17, .border = 1),
    SQUEEZE(48, 5, 7, 12, 33, .in_border = 1),
    SQUEEZE(9, 6, 5, 3, 1, .in_border = 2, .border = 1),
    SQUEEZE(33, 1, 1, 8, 16, .batch = 64),
    SQUEEZE(3, 3, 1, 5, 100, .border = 3),
    SQUEEZE(24, 16, 16, 6, 15, .batch = 32),
    SQUEEZE(6, 5, 5, 1, 20, .first = true),
    SQUEEZE(6, 5, 5, 2, 16, .in_after = 3, .out_before = 2, .out_after = 1),
    CLASSIFIER(5, 1, 1, 10, 17, .batch = 64, .targets = true),
    CLASSIFIER(16, 1, 1, 3, 33, .targets = true),
};
const int op_case_count = COUNT_OF(op_cases);
