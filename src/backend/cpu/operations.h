/*
 * operations.h - the operations of one instruction set, as backend.c lists them: one file of functions for each kind.
 */
#ifndef ESPALIER_BACKEND_CPU_OPERATIONS_H
#define ESPALIER_BACKEND_CPU_OPERATIONS_H

#include "backend/cpu/vector.h"
#include "nn/backend.h"

/* op_conv.c */
#define conv_forward               ISA_SYMBOL(conv_forward)
#define conv_backward              ISA_SYMBOL(conv_backward)
#define conv_scratch_bytes         ISA_SYMBOL(conv_scratch_bytes)
#define conv_bn_relu_forward       ISA_SYMBOL(conv_bn_relu_forward)
#define conv_bn_relu_backward      ISA_SYMBOL(conv_bn_relu_backward)
#define conv_bn_relu_scratch_bytes ISA_SYMBOL(conv_bn_relu_scratch_bytes)
void conv_forward(const struct op_run *run);
void conv_backward(const struct op_run *run);
size_t conv_scratch_bytes(const struct plan *plan, const struct op *op, enum precision precision, int blocks,
                          int members);
void conv_bn_relu_forward(const struct op_run *run);
void conv_bn_relu_backward(const struct op_run *run);
size_t conv_bn_relu_scratch_bytes(const struct plan *plan, const struct op *op, enum precision precision, int blocks,
                                  int members);

/* op_bn.c */
#define bn_relu_forward       ISA_SYMBOL(bn_relu_forward)
#define bn_relu_backward      ISA_SYMBOL(bn_relu_backward)
#define bn_relu_scratch_bytes ISA_SYMBOL(bn_relu_scratch_bytes)
void bn_relu_forward(const struct op_run *run);
void bn_relu_backward(const struct op_run *run);
size_t bn_relu_scratch_bytes(const struct plan *plan, const struct op *op, int blocks);

/* op_linear.c */
#define fc_bn_relu_forward   ISA_SYMBOL(fc_bn_relu_forward)
#define fc_bn_relu_backward  ISA_SYMBOL(fc_bn_relu_backward)
#define classifier_forward   ISA_SYMBOL(classifier_forward)
#define classifier_backward  ISA_SYMBOL(classifier_backward)
#define linear_scratch_bytes ISA_SYMBOL(linear_scratch_bytes)
void fc_bn_relu_forward(const struct op_run *run);
void fc_bn_relu_backward(const struct op_run *run);
void classifier_forward(const struct op_run *run);
void classifier_backward(const struct op_run *run);
size_t linear_scratch_bytes(const struct plan *plan, const struct op *op, int blocks);

/* op_pool.c */
#define pool_forward  ISA_SYMBOL(pool_forward)
#define pool_backward ISA_SYMBOL(pool_backward)
void pool_forward(const struct op_run *run);
void pool_backward(const struct op_run *run);

/* op_dropout.c */
#define dropout_forward  ISA_SYMBOL(dropout_forward)
#define dropout_backward ISA_SYMBOL(dropout_backward)
void dropout_forward(const struct op_run *run);
void dropout_backward(const struct op_run *run);

/* load.c */
#define load_batch ISA_SYMBOL(load_batch)
void load_batch(void *context, const struct tensor *tensor, const struct batch *batch, void *data, struct team *team);

#endif
