/*
 * operation.h - what the operations (operation.c) share: their operands, and BN.
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

/* --- BN, ReLU and a joined pool (normalise.c) --- */

void normalise_forward(const struct op_run *run, struct kernel_map z);
/* Compute the gradients of gamma, beta and `z` from that of the output.  `dz` without data: not wanted. */
void normalise_backward(const struct op_run *run, struct kernel_map z, struct kernel_map dz, bool accumulate);

/* What the kernels of both directions get; partials and tickets included. */
struct kernel_norm_whole normalise_arguments(const struct op_run *run, struct kernel_map z);
struct kernel_norm_backward normalise_backward_arguments(const struct op_run *run, struct kernel_map z,
                                                         struct kernel_map dz, bool accumulate);

/* --- fully connected layers and the classifier (linear.c) --- */

void fc_bn_relu_forward(const struct op_run *run);
void fc_bn_relu_backward(const struct op_run *run);
void classifier_forward(const struct op_run *run);
void classifier_backward(const struct op_run *run);

#endif
