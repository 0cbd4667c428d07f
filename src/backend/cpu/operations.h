/*
 * operations.h - the operations of one instruction set: the list, from which backend.c makes its table.
 *
 * To add an operation, write its file with NAME_forward and NAME_backward, and a row here; if it needs scratch or saves
 * something, backend.c says how much.
 */
#ifndef ESPALIER_BACKEND_CPU_OPERATIONS_H
#define ESPALIER_BACKEND_CPU_OPERATIONS_H

#include "backend/cpu/vector.h"
#include "nn/backend.h"

#define OPERATIONS(_)                                                                                                  \
    _(OP_CONV_BN_RELU, conv_bn_relu)                                                                                   \
    _(OP_CONV, conv)                                                                                                   \
    _(OP_BN_RELU, bn_relu)                                                                                             \
    _(OP_FC_BN_RELU, fc_bn_relu)                                                                                       \
    _(OP_CLASSIFIER, classifier)                                                                                       \
    _(OP_POOL, pool)                                                                                                   \
    _(OP_ADD, add)                                                                                                     \
    _(OP_DROPOUT, dropout)                                                                                             \
    _(OP_DEPTHWISE_BN_RELU, depthwise)                                                                                 \
    _(OP_CONV_BN_ADD, conv_bn_add)                                                                                     \
    _(OP_SQUEEZE_EXCITE, squeeze)

#define OPERATION_DECLARE(kind, name)                                                                                  \
    void ISA_SYMBOL(name##_forward)(const struct op_run *run);                                                         \
    void ISA_SYMBOL(name##_backward)(const struct op_run *run);
OPERATIONS(OPERATION_DECLARE)

/* The scratch of every operation of op_conv.c, of op_depthwise.c, of op_linear.c and of op_squeeze.c, and what the last
   saves; the backend's `load` (load.c). */
#define conv_scratch_bytes      ISA_SYMBOL(conv_scratch_bytes)
#define depthwise_scratch_bytes ISA_SYMBOL(depthwise_scratch_bytes)
#define linear_scratch_bytes    ISA_SYMBOL(linear_scratch_bytes)
#define squeeze_saved_bytes     ISA_SYMBOL(squeeze_saved_bytes)
#define squeeze_scratch_bytes   ISA_SYMBOL(squeeze_scratch_bytes)
#define load_batch              ISA_SYMBOL(load_batch)
size_t conv_scratch_bytes(const struct plan *plan, const struct op *op, enum precision precision, int blocks,
                          int members);
size_t depthwise_scratch_bytes(const struct plan *plan, const struct op *op, int blocks, int members);
size_t linear_scratch_bytes(const struct plan *plan, const struct op *op, int blocks);
size_t squeeze_saved_bytes(const struct op *op, int blocks);
size_t squeeze_scratch_bytes(const struct op *op, int blocks);
void load_batch(void *context, const struct tensor *tensor, const struct batch *batch, void *data, struct team *team);

#endif
