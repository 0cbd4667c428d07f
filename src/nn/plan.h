/*
 * plan.h - an architecture lowered to the list of operations that a backend runs.
 *
 * One operation stands for what is best done in one pass: convolution, BN, ReLU and the pool behind it are
 * one OP_CONV.  Tensor 0 is the input; operation i reads tensor i and writes tensor i+1 (the plain space
 * is a chain; `input` and `output` are explicit for the dense space to come).  A plan is a plain value.
 */
#ifndef ESPALIER_NN_PLAN_H
#define ESPALIER_NN_PLAN_H

#include "arch/weights.h"

enum op_kind {
    OP_CONV,       /* convolution, BN, ReLU, then `pool` when it has one */
    OP_FC,         /* linear over the flattened input, BN, ReLU */
    OP_POOL,       /* a pool that no convolution precedes */
    OP_DROPOUT,    /* training only: zero with probability `drop`, scale the rest by 1/(1-drop) */
    OP_CLASSIFIER, /* linear with bias; softmax cross-entropy in training */
    OP_KINDS
};

enum pool_kind { POOL_NONE, POOL_MAX, POOL_AVERAGE };

struct tensor {
    int channels, height, width;
    int border; /* zero rows and columns that the next convolution wants around each map; a dropout's input has
                   the border of its output, so that it can run over the whole buffer */
};

struct op {
    enum op_kind kind;
    int layer;             /* of the architecture: the one whose weights it uses; OP_POOL: the pool's; OP_DROPOUT:
                              the one it follows */
    int input, output;     /* tensors */
    int kernel, stride;    /* OP_CONV */
    int channels;          /* OP_CONV, OP_FC: outputs of the linear part; OP_CLASSIFIER: classes */
    int height, width;     /* OP_CONV: of the map before the pool; else 1 × 1, or 0 without a linear part */
    enum pool_kind pool;   /* OP_CONV, OP_POOL */
    int pool_size, pool_stride;
    float drop;            /* OP_DROPOUT */
    bool needs_input_gradient; /* false when nothing before it is trained */
    struct weights_layer weights; /* offsets into the flat buffer */
};

enum { PLAN_OPS_MAX = 2 * ARCH_LAYERS_MAX };

struct plan {
    int op_count;
    struct op ops[PLAN_OPS_MAX];
    struct tensor tensors[PLAN_OPS_MAX + 1];
    int classes;
    int64_t trained, total; /* as in weights_layout */
};

struct plan_options {
    float drop_pool, drop_fc; /* dropout after max pools and after FC; 0: none */
};

/* Asserts that arch_shapes accepts the pair. */
void plan_lower(const struct arch *arch, struct shape input, const struct plan_options *options, struct plan *plan);

#endif
