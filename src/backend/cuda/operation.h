/*
 * operation.h - the functions of the backend's table (nn/backend.h), one pair an operation.  They put work into the
 * context's stream and return.
 */
#ifndef ESPALIER_BACKEND_CUDA_OPERATION_H
#define ESPALIER_BACKEND_CUDA_OPERATION_H

#include "nn/backend.h"

void operation_load(void *context, const struct tensor *tensor, const struct batch *batch, void *data,
                    struct team *team);
void operation_update(void *context, const struct sgd *sgd, int64_t count, float *values, const float *gradients,
                      float *velocity);
void conv_bn_relu_forward(const struct op_run *run);
void conv_bn_relu_backward(const struct op_run *run);
void bn_relu_forward(const struct op_run *run);
void bn_relu_backward(const struct op_run *run);
void conv_forward(const struct op_run *run);
void conv_backward(const struct op_run *run);
void fc_bn_relu_forward(const struct op_run *run);
void fc_bn_relu_backward(const struct op_run *run);
void pool_forward(const struct op_run *run);
void pool_backward(const struct op_run *run);
void dropout_forward(const struct op_run *run);
void dropout_backward(const struct op_run *run);
void add_forward(const struct op_run *run);
void add_backward(const struct op_run *run);
void classifier_forward(const struct op_run *run);
void classifier_backward(const struct op_run *run);

#endif
