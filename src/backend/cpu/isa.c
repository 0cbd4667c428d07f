/*
 * isa.c - the CPU backend for one instruction set.
 *
 * This file is compiled once for each: the flags give the compiler the instruction set, and macros name it and size
 * its register tiles (vector.h).  Everything that it includes is static, so the copies live side by side; only the
 * table goes out, under the name ISA_TABLE, and cpu.c chooses among them when the program starts.
 */
#include "backend/cpu/vector.h"

#include "backend/cpu/conv.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/linear.h"
#include "backend/cpu/load.h"
#include "backend/cpu/norm.h"
#include "backend/cpu/simple.h"

static size_t saved_bytes(const struct plan *plan, const struct op *op, int batch)
{
    struct pieces pieces = {0};
    struct map out = map_of(&plan->tensors[op->output]);
    if (op->kind == OP_CONV_BN_RELU || op->kind == OP_FC_BN_RELU || op->kind == OP_BN_RELU)
        kept_new(&pieces, op, &out, groups_of(batch), op->kind != OP_FC_BN_RELU && op->pool == POOL_MAX);
    return pieces.used;
}

static size_t scratch_bytes(const struct plan *plan, const struct op *op, enum precision precision, int batch,
                            int members)
{
    struct pieces pieces = {0};
    if (op->kind == OP_CONV_BN_RELU)
        conv_new(&pieces, plan, op, precision, groups_of(batch), members);
    else if (op->kind == OP_CONV)
        convolution_new(&pieces, plan, op, precision, groups_of(batch), members);
    else if (op->kind == OP_BN_RELU)
        norm_new(&pieces, plan, op, groups_of(batch));
    else if (op->kind == OP_FC_BN_RELU || op->kind == OP_CLASSIFIER)
        linear_scratch_new(&pieces, plan, op, groups_of(batch));
    return pieces.used;
}

/* The table for one precision, and what in it depends on that. */
#define PRECISION_TABLE(linkage, name_of_table, name_of_precision, precision, table_of_bf16)                           \
    static size_t scratch_bytes_##precision(const struct plan *plan, const struct op *op, int batch, int members)      \
    {                                                                                                                  \
        return scratch_bytes(plan, op, precision, batch, members);                                                     \
    }                                                                                                                  \
    static void conv_forward_##precision(const struct op_run *run)                                                     \
    {                                                                                                                  \
        conv_forward(run, precision);                                                                                  \
    }                                                                                                                  \
    static void conv_backward_##precision(const struct op_run *run)                                                    \
    {                                                                                                                  \
        conv_backward(run, precision);                                                                                 \
    }                                                                                                                  \
    static void alone_forward_##precision(const struct op_run *run)                                                    \
    {                                                                                                                  \
        alone_forward(run, precision);                                                                                 \
    }                                                                                                                  \
    static void alone_backward_##precision(const struct op_run *run)                                                   \
    {                                                                                                                  \
        alone_backward(run, precision);                                                                                \
    }                                                                                                                  \
    linkage const struct backend name_of_table = {                                                                     \
        .name = "cpu",                                                                                                 \
        .description = "16 images innermost, " name_of_precision "; " ISA_DESCRIPTION,                                 \
        .images_a_member = LANES,                                                                                      \
        .bf16 = table_of_bf16,                                                                                         \
        .tensor_bytes = tensor_bytes,                                                                                  \
        .tensor_offset = tensor_offset,                                                                                \
        .saved_bytes = saved_bytes,                                                                                    \
        .scratch_bytes = scratch_bytes_##precision,                                                                    \
        .tensor_write = tensor_write,                                                                                  \
        .tensor_read = tensor_read,                                                                                    \
        .load = load,                                                                                                  \
        .forward = {[OP_CONV_BN_RELU] = conv_forward_##precision,                                                              \
                    [OP_FC_BN_RELU] = fc_forward,                                                                              \
                    [OP_POOL] = pool_forward,                                                                          \
                    [OP_DROPOUT] = dropout_forward,                                                                    \
                    [OP_CLASSIFIER] = classifier_forward,                                                              \
                    [OP_BN_RELU] = norm_forward,                                                                          \
                    [OP_CONV] = alone_forward_##precision},                                                      \
        .backward = {[OP_CONV_BN_RELU] = conv_backward_##precision,                                                            \
                     [OP_FC_BN_RELU] = fc_backward,                                                                            \
                     [OP_POOL] = pool_backward,                                                                        \
                     [OP_DROPOUT] = dropout_backward,                                                                  \
                     [OP_CLASSIFIER] = classifier_backward,                                                            \
                     [OP_BN_RELU] = norm_backward,                                                                        \
                     [OP_CONV] = alone_backward_##precision},                                                    \
        .update = update,                                                                                              \
    };

#if defined VECTOR_BF16 || defined EMULATE_BF16
PRECISION_TABLE(static, table_bf16, "bf16 in convolutions", PRECISION_BF16, NULL)
PRECISION_TABLE(, ISA_TABLE, "float32", PRECISION_F32, &table_bf16)
#else
PRECISION_TABLE(, ISA_TABLE, "float32", PRECISION_F32, NULL)
#endif
