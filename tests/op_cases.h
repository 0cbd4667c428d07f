/*
 * op_cases.h - the one list of operation cases, and one operation on one backend from plain arrays.
 *
 * Used by test_gradient (the reference against finite differences), test_ops (every backend against the
 * reference) and the bench of operations (speed).  A case is one operation with its shapes; op_case_plan() gives the
 * plan of that operation alone: tensor 0 in, tensor 1 out, tensor 2 the second input.
 */
#ifndef ESPALIER_TESTS_OP_CASES_H
#define ESPALIER_TESTS_OP_CASES_H

#include "nn/backend.h"

struct op_case {
    enum op_kind kind;
    int inputs, height, width; /* of the input tensor */
    int outputs;               /* convolutions: filters; OP_FC_BN_RELU: units; OP_CLASSIFIER: classes; OP_SQUEEZE_EXCITE:
                                  squeezed values */
    int kernel, stride;        /* convolutions only */
    enum pool_kind pool;
    int pool_size, pool_stride;
    float drop;
    int count, batch; /* images in the batch; that the buffers are for (0: count) */
    int border;       /* of the output tensor */
    bool first;       /* nothing before it is trained: no input gradient */
    int in_after;     /* channels of the input's buffer behind the input */
    int out_before, out_after;
    bool adds; /* the input gradient is added to what is there */
    /* With two inputs: the second as above; OP_ADD: border of the first. */
    int in_border, in2_border, in2_before, in2_after;
    bool adds2;
    bool hard_swish;
    bool targets; /* OP_CLASSIFIER: probabilities say what is right, not labels alone */
};

extern const struct op_case op_cases[];
extern const int op_case_count;

enum { OP_CASE_NAME = 96 };
/* "conv 3>8 28x28 k3 s1 max 2/2, 17 of 64": for messages. */
char *op_case_name(const struct op_case *op_case, char name[OP_CASE_NAME]);
void op_case_plan(const struct op_case *op_case, struct plan *plan);
/* Can the backend run it? */
bool op_case_runs(const struct op_case *op_case, const struct backend *backend);
/* Multiply-adds of the linear part for one image: an op's forward; backward does them once or twice more. */
int64_t op_case_multiplies(const struct op_case *op_case);

/* Everything that goes in and comes out, as plain arrays; op_arrays_done() frees them. */
struct op_arrays {
    size_t x_size, x2_size, y_size, trained, total, classes_size;
    float *values;       /* total; in, and out: running statistics */
    float *gradients;    /* trained; out */
    float *x, *x2, *dy;  /* in */
    float *y, *dx, *dx2; /* out; y not for OP_CLASSIFIER, dx zero where not asked for, and without what it was added to;
                            x2 and dx2 are of the second input, x2_size 0 without one */
    uint16_t *labels;    /* count; in */
    float *targets;      /* count × classes; in; NULL: none */
    float *logits;       /* count × classes; out */
    double loss;
    int correct;
};

enum op_data {
    /* x and weights are small multiples of 1/4 and 1/8: the linear part is exact in float32 in any order, so that two
       backends agree on every ReLU and on every maximum, ties included. */
    OP_DATA_GRID,
    OP_DATA_CONTINUOUS, /* normal: no ties, for finite differences and where the linear part can't be exact */
    OP_DATA_KINDS
};

/* The grid but for maxima of wide convolutions, which a backend may take by minimal filtering: its factors are no
   powers of two. */
enum op_data op_case_data(const struct op_case *op_case);

void op_arrays_draw(const struct op_case *op_case, const struct plan *plan, enum op_data data, uint64_t seed,
                    struct op_arrays *arrays);
/* The same inputs again, of a batch of `count`: drawing takes longer than most operations. */
void op_arrays_copy(const struct op_arrays *drawn, int count, struct op_arrays *arrays);
void op_arrays_done(struct op_arrays *arrays);

/* One operation on one backend: its buffers, exactly as large as the backend asks for, filled with NaN except for
   what `arrays` gives.  Borrows the plan. */
struct op_instance {
    const struct backend *backend;
    struct op_run run;
    void *x, *x2, *y, *dx, *dx2, *dy; /* buffers */
    double loss;
    int correct;
};

enum { OP_CASE_DROPOUT_KEY = 12345 };
void op_instance_init(struct op_instance *instance, const struct backend *backend, const struct op_case *op_case,
                      const struct plan *plan, const struct op_arrays *arrays);
void op_instance_forward(struct op_instance *instance, bool training);
/* After a forward in training. */
void op_instance_backward(struct op_instance *instance);
/* What came out, into arrays drawn for the same case. */
void op_instance_read(const struct op_instance *instance, struct op_arrays *arrays);
void op_instance_done(struct op_instance *instance);

#endif
