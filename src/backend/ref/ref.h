/*
 * ref.h - what the files of the reference backend share.
 *
 * Tensors are plain [image][channel][y][x] floats without a border.  A tensor that is a part of a buffer is copied out
 * of it for an operation, and back (ref.c).  Every sum runs in double.  This code is written to be read, not to be
 * fast: the other backends are compared with it.
 */
#ifndef ESPALIER_BACKEND_REF_H
#define ESPALIER_BACKEND_REF_H

#include "nn/backend.h"

/* Maps before the pool: count × channels × positions values. */
struct ref_maps {
    int count, channels, positions;
};

static inline size_t ref_maps_size(struct ref_maps maps)
{
    return (size_t)maps.count * maps.channels * maps.positions;
}

/* What operations with a BN save: per channel mean and 1/std of the batch, then the linear
   part's output (of OP_BN_RELU its input). */
struct ref_saved {
    float *mean, *inverse_std, *linear;
};

struct ref_maps ref_maps_of(const struct op *op, int count);
size_t ref_tensor_size(const struct tensor *tensor, int count);
struct ref_saved ref_saved_of(const struct op *op, void *saved);

/* BN and ReLU or hard-swish; of OP_CONV_BN_ADD BN alone.  Forward in training takes mean and variance of the batch and moves the
   running ones; in inference it reads the running ones.  `mean` and `inverse_std` get what was used. */
void ref_norm_statistics(const struct op_run *run, const float *linear, float *mean, float *inverse_std);
void ref_norm_apply(const struct op_run *run, const float *linear, const float *mean, const float *inverse_std,
                    float *activation);
/* Turns the gradient of the activation into that of the linear part, in place; writes those of gamma and beta. */
void ref_norm_gradient(const struct op_run *run, struct ref_saved saved, float *gradient);

/* One pool over `planes` maps. */
void ref_pool_forward(const struct op *op, int planes, int height, int width, const float *x, float *y);
void ref_pool_backward(const struct op *op, int planes, int height, int width, const float *x, const float *dy,
                       float *dx);

/* Of ReLU, or of hard-swish where the operation has one; none of OP_CONV_BN_ADD.  The gradient is of `value` before it. */
float ref_activate(const struct op *op, float value);
float ref_activation_gradient(const struct op *op, float value);

size_t ref_squeeze_saved(const struct op *op, int batch); /* floats */
void ref_squeeze_forward(const struct op_run *run);
void ref_squeeze_backward(const struct op_run *run);
void ref_bn_relu_forward(const struct op_run *run);
void ref_bn_relu_backward(const struct op_run *run);
void ref_conv_forward(const struct op_run *run);
void ref_conv_backward(const struct op_run *run);
/* Also OP_DEPTHWISE_BN_RELU and OP_CONV_BN_ADD. */
void ref_conv_bn_relu_forward(const struct op_run *run);
void ref_conv_bn_relu_backward(const struct op_run *run);
void ref_fc_bn_relu_forward(const struct op_run *run);
void ref_fc_bn_relu_backward(const struct op_run *run);
void ref_classifier_forward(const struct op_run *run);
void ref_classifier_backward(const struct op_run *run);

#endif
