/*
 * operation.h - what the operations (operation.c, linear.c, depthwise.c, squeeze.c) share: their operands, their linear
 * part, and BN.
 *
 * All of it concerns the operation `run` of the network on its context; nothing here waits.
 */
#ifndef ESPALIER_BACKEND_CUDA_OPERATION_H
#define ESPALIER_BACKEND_CUDA_OPERATION_H

#include "backend/cuda/context.h"

/* --- operands (operands.c) --- */

/* Memory that holds one map. */
struct kernel_map map_of(void *data, int channels);
/* A tensor in the network's memory: an input, the output, or the gradient of one. */
struct kernel_map input_map(const struct op_run *run, int input, const void *data);
struct kernel_map output_map(const struct op_run *run, const void *data);
int op_index(const struct op_run *run);
const struct op_offsets *offsets_of(const struct op_run *run);
char *weight_at(const struct op_run *run);
char *weight_gradient_at(const struct op_run *run);
/* `offset`: of gamma, beta or bias, from offsets_of(). */
float *vector_gradient_at(const struct op_run *run, int64_t offset);
struct saved saved_of(const struct op_run *run);
struct scratch scratch_of(const struct op_run *run);
struct kernel_window window_of(const struct op_run *run);
/* Positions of a map, over all images of the batch. */
int64_t rows_of(const struct context *context, int height, int width);

/* --- the linear part of an operation with a BN (operation.c) --- */

/* Where it lies; in training it is saved for backward. */
void *linear_part(const struct op_run *run);
/* Compute the gradients of BN, and of an addend; returns that of the linear part, in scratch memory. */
void *linear_part_backward(const struct op_run *run);

/* --- BN, its activation, and a joined pool or addition (normalise.c) --- */

/* What the kernels take: the activation, and what is joined, included.  Forward is for the statistics and for what
   follows them. */
struct kernel_norm_whole normalise_arguments(const struct op_run *run, struct kernel_map z);
struct kernel_norm_backward normalise_backward_arguments(const struct op_run *run, struct kernel_map z,
                                                         struct kernel_map dz, bool accumulate);
void normalise_forward(const struct op_run *run, struct kernel_map z);
/* The part of it behind the statistics. */
void normalise_rows(const struct op_run *run, const struct kernel_norm_forward *arguments);
/* Compute the gradients of gamma, beta, `z` and an addend from that of the output.  `dz` without data: not wanted; then
   there is no addend. */
void normalise_backward(const struct op_run *run, struct kernel_map z, struct kernel_map dz, bool accumulate);

/* --- fully connected layers and the classifier (linear.c) --- */

void fc_bn_relu_forward(const struct op_run *run);
void fc_bn_relu_backward(const struct op_run *run);
void classifier_forward(const struct op_run *run);
void classifier_backward(const struct op_run *run);

/* --- depthwise convolutions (depthwise.c) --- */

void depthwise_bn_relu_forward(const struct op_run *run);
void depthwise_bn_relu_backward(const struct op_run *run);

/* --- squeeze and excitation (squeeze.c) --- */

void squeeze_excite_forward(const struct op_run *run);
void squeeze_excite_backward(const struct op_run *run);

#endif
