/*
 * plan.h - an architecture lowered to the list of operations that a backend runs.
 *
 * One operation stands for what is best done in one pass: convolution, BN, ReLU and the pool behind it are
 * one OP_CONV_BN_RELU.  Tensor 0 is the input.  Operations are in the order in which they run; each reads one tensor and
 * writes one.  A plan is a plain value.
 *
 * A tensor is a range of the channels of a buffer; an ordinary one is the whole of its own.  A dense block is one
 * buffer: what comes before the block writes its first channels, each layer of the block reads those written so far
 * and writes the next, and what comes behind it reads all of them.  So nothing is ever copied to concatenate.  Tensors
 * of one buffer have one height, width and border, and only OP_BN_RELU reads a buffer that more than one operation reads.
 */
#ifndef ESPALIER_NN_PLAN_H
#define ESPALIER_NN_PLAN_H

#include "arch/weights.h"

enum op_kind {
    OP_CONV_BN_RELU,       /* convolution, BN, ReLU, then `pool` when it has one */
    OP_FC_BN_RELU,         /* linear over the flattened input, BN, ReLU */
    OP_POOL,       /* a pool that no convolution precedes */
    OP_DROPOUT,    /* training only: zero with probability `drop`, scale the rest by 1/(1-drop) */
    OP_CLASSIFIER, /* linear with bias; softmax cross-entropy in training */
    OP_BN_RELU,       /* BN, ReLU, then `pool` when it has one */
    OP_CONV, /* convolution and nothing else; its output has no border */
    OP_KINDS
};

enum pool_kind { POOL_NONE, POOL_MAX, POOL_AVERAGE };

struct tensor {
    int channels, height, width;
    int border; /* zero rows and columns that the next convolution wants around each map; a dropout's input has
                   the border of its output, so that it can run over whole maps */
    int before, after; /* channels of the buffer that are not the tensor's, ahead of it and behind it */
    int buffer;        /* number of the buffer: tensors that share one have one number */
};

struct op {
    enum op_kind kind;
    int layer;             /* of the architecture: the one whose weights it uses; OP_POOL: the pool's; OP_DROPOUT:
                              the one it follows */
    int inputs[2], output; /* tensors; the second only where the operation reads two */
    int kernel, stride;    /* OP_CONV_BN_RELU, OP_CONV */
    int channels;          /* OP_CONV_BN_RELU, OP_CONV, OP_FC_BN_RELU: outputs of the linear part; OP_CLASSIFIER: classes;
                              OP_BN_RELU: of its input */
    int height, width;     /* OP_CONV_BN_RELU, OP_CONV, OP_BN_RELU: of the map before the pool; else 1 × 1, or 0 without
                              weights */
    enum pool_kind pool;   /* OP_CONV_BN_RELU, OP_BN_RELU, OP_POOL */
    int pool_size, pool_stride;
    float drop;            /* OP_DROPOUT */
    bool needs_input_gradient; /* false when nothing before it is trained */
    bool adds_input_gradient;  /* a later operation reads its input's buffer too, and in the backward pass has written
                                  the gradient already; OP_BN_RELU without a pool on part of a buffer only */
    struct weights_layer weights; /* offsets into the flat buffer */
};

/* A D with dropout has most: a BN, two convolutions with a dropout each, and the BN between. */
enum { PLAN_OPS_MAX = 6 * ARCH_LAYERS_MAX, PLAN_TENSORS_MAX = 7 * ARCH_LAYERS_MAX + 1 };

struct plan {
    int op_count, tensor_count;
    struct op ops[PLAN_OPS_MAX];
    struct tensor tensors[PLAN_TENSORS_MAX];
    int classes;
    int64_t trained, total; /* as in weights_layout */
};

struct plan_options {
    float drop_pool, drop_fc; /* dropout after max pools and after FC; 0: none */
    float drop_dense;         /* after each convolution of D and T (Huang et al. 2017, section 4.2) */
};

/* All channels of a tensor's buffer. */
static inline int tensor_buffer_channels(const struct tensor *tensor)
{
    return tensor->before + tensor->channels + tensor->after;
}

/* Asserts that arch_shapes accepts the pair. */
void plan_lower(const struct arch *arch, struct shape input, const struct plan_options *options, struct plan *plan);

#endif
