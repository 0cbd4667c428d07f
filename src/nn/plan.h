/*
 * plan.h - an architecture lowered to the list of operations that a backend runs.
 *
 * An operation covers what is best done in one pass over memory: convolution, BN, ReLU and the pool behind them are one
 * OP_CONV_BN_RELU.  The ReLU of OP_CONV_BN_RELU and OP_DEPTHWISE_BN_RELU may be a hard-swish; then no pool is joined.  Tensor 0 is the input.  Operations stand in the order in which they run.  OP_ADD and OP_CONV_BN_ADD
 * read two tensors, every other operation reads one, and each writes one.  A plan is a plain value.
 *
 * A tensor is a range of the channels of a buffer.  Most tensors have a buffer of their own.  A dense block is one
 * buffer: the operation before the block writes its first channels, each layer of the block reads the channels written
 * so far and writes the next ones, and the operation behind the block reads all of them.  So nothing is copied to
 * concatenate.  Tensors of one buffer have one height, width and border.
 *
 * Where several operations read one buffer, their input gradients add up: in the backward pass the last reader comes
 * first and writes the gradient, the others add to it.
 */
#ifndef ESPALIER_NN_PLAN_H
#define ESPALIER_NN_PLAN_H

#include "arch/weights.h"

enum op_kind {
    OP_CONV_BN_RELU,      /* convolution, BN, ReLU, then `pool` when it has one */
    OP_FC_BN_RELU,        /* linear over the flattened input, BN, ReLU */
    OP_POOL,              /* a pool that no convolution precedes */
    OP_DROPOUT,           /* training only: zero with probability `drop`, scale the rest by 1/(1-drop) */
    OP_CLASSIFIER,        /* linear with bias; softmax cross-entropy in training */
    OP_BN_RELU,           /* BN, ReLU, then `pool` when it has one */
    OP_CONV,              /* convolution and nothing else; its output has no border */
    OP_ADD,               /* the sum of two tensors of one shape, which may have different borders */
    OP_DEPTHWISE_BN_RELU, /* depthwise convolution: output channel c reads input channel c only; BN, ReLU; no pool */
    OP_CONV_BN_ADD,       /* convolution, BN without a ReLU, plus the second input, which has the output's shape */
    OP_SQUEEZE_EXCITE,    /* squeeze-and-excitation (arch.h): the input, each channel times its gate */
    OP_KINDS
};

enum pool_kind { POOL_NONE, POOL_MAX, POOL_AVERAGE };

struct tensor {
    int channels, height, width;
    int border;        /* zero rows and columns around each map, as the convolutions that read it need; a dropout's
                          input has the border of its output, so that the dropout can run over whole maps */
    int before, after; /* channels of the buffer that are not the tensor's, ahead of it and behind it */
    int buffer;        /* number of the buffer: tensors that share one have one number */
};

struct op {
    enum op_kind kind;
    int layer;              /* of the architecture: the one whose weights it uses; OP_POOL: the pool's; OP_DROPOUT:
                               the one it follows */
    enum weights_part part; /* of the layer's weights: those it uses */
    int inputs[2], output;  /* tensors; the second input is what is added */
    int kernel, stride;     /* convolutions */
    int channels;           /* outputs of the linear part; OP_CLASSIFIER: classes; OP_BN_RELU, OP_SQUEEZE_EXCITE: of its
                               input */
    int height, width;      /* convolutions, OP_BN_RELU, OP_SQUEEZE_EXCITE: of the map before the pool; else 1 × 1, or 0
                               without weights */
    bool hard_swish;        /* OP_CONV_BN_RELU, OP_DEPTHWISE_BN_RELU: in place of the ReLU */
    enum pool_kind pool; /* OP_CONV_BN_RELU, OP_BN_RELU, OP_POOL */
    int pool_size, pool_stride;
    int pool_layer;               /* the layer that the pool is of */
    float drop;                   /* OP_DROPOUT */
    bool needs_input_gradient[2]; /* for each input: it depends on something that is trained */
    bool adds_input_gradient[2];  /* for each input: backward adds to the gradient that a later reader of the buffer
                                     has written; OP_ADD, OP_BN_RELU without a pool, and the second input */
    bool sums_input_gradient;     /* the same for the first input of an operation that can't add: the network adds what
                                     it writes */
    struct weights_layer weights; /* offsets into the flat buffer; OP_DEPTHWISE_BN_RELU: of one input;
                                     OP_SQUEEZE_EXCITE: squeezed values × channels, with a bias */
    struct weights_layer excite;  /* OP_SQUEEZE_EXCITE: channels × squeezed values, with a bias */
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

static inline int op_input_count(const struct op *op)
{
    return op->kind == OP_ADD || op->kind == OP_CONV_BN_ADD ? 2 : 1;
}

static inline bool op_is_convolution(const struct op *op)
{
    return op->kind == OP_CONV_BN_RELU || op->kind == OP_CONV || op->kind == OP_DEPTHWISE_BN_RELU ||
           op->kind == OP_CONV_BN_ADD;
}

static inline bool op_has_bn(const struct op *op)
{
    return op->kind == OP_FC_BN_RELU || op->kind == OP_BN_RELU || (op_is_convolution(op) && op->kind != OP_CONV);
}

static inline bool op_is_trained(const struct op *op)
{
    return op->kind != OP_POOL && op->kind != OP_DROPOUT && op->kind != OP_ADD;
}

/* Set what follows from which operation reads what: the borders of tensors, and the fields of operations about input
   gradients. */
void plan_complete(struct plan *plan);

/* Asserts that arch_shapes accepts the pair. */
void plan_lower(const struct arch *arch, struct shape input, const struct plan_options *options, struct plan *plan);

#endif
