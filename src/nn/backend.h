/*
 * backend.h - what a backend does: one const table of functions over its own tensor layout.
 *
 * A backend is a folder with one table.  `ref` is plain C over [image][channel][y][x] and the oracle of the
 * tests; `cpu` keeps 16 images innermost.  network.c plans all memory and walks the plan; the functions here
 * hold no state, allocate nothing and may run on any thread, one network at a time per set of buffers.
 * A network may have a team of threads (util/team.h): the functions may hand out parts of their work to it, as long as
 * what they compute is the same to the bit whoever helps.
 *
 * A backend whose memory or time is not the host's (a GPU) has a second table, `device`, and keeps what belongs to
 * one network in a context.  Then every pointer in an op_run is an address on the device, and the functions only put
 * work into a queue.  Results come late, and no walk fails in its middle: `trouble` says afterwards what went wrong.
 *
 * Numbers: float32 (also what is accumulated across a batch, unless a backend says otherwise); BN eps
 * BN_EPSILON (arch/weights.h); batch variance biased in the forward, unbiased in the running statistics (as
 * PyTorch; over a single value, which has no unbiased variance, the running one stays).  ReLU is x < 0 ? 0 : x,
 * so that NaN passes; its gradient is 0 where its output is 0.  Of equal maxima in a pooling window the first in
 * row order takes the gradient.  Average pools divide by the whole window.
 *
 * A hard-swish is h(x) = x * min(max(x + 3, 0), 6) / 6; its gradient is 0 where x <= -3, 1 where x >= 3, and (2x + 3) /
 * 6 between.
 *
 * OP_SQUEEZE_EXCITE, of an image's map x with n pixels, weight W and bias b of op->weights, V and c of op->excite:
 *     m[k] = mean of x[k]     a = relu(W m + b)     s = V a + c     g = min(max(1 + s / 3, 0), 2)     y[k] = g[k] x[k]
 * and backward, from dy, all sums over the images where they are of weights:
 *     ds[k] = (sum over pixels of dy[k] x[k]) / 3 where -3 < s[k] < 3, else 0     dV = ds a^T     dc = ds
 *     da = V^T ds where a > 0, else 0     dW = da m^T     db = da     dm = W^T da     dx[k] = g[k] dy[k] + dm[k] / n
 */
#ifndef ESPALIER_NN_BACKEND_H
#define ESPALIER_NN_BACKEND_H

#include "data/images.h"
#include "nn/plan.h"
#include "util/team.h"

/* The precision of what convolutions multiply.  Sums, weights, BN and the update are always float32.  PRECISION_AUTO is
   one of the others, as the device prefers; no backend has it. */
enum precision { PRECISION_F32, PRECISION_BF16, PRECISION_AUTO };

/* One operation, one direction, one batch.  `count` images of at most the `batch` that the buffers were
   sized for: the last batch of an epoch is smaller and exact.  A tensor is given by its first value, which may lie
   inside a buffer (plan.h): an operation writes its own channels and leaves the others alone. */
struct op_run {
    void *context; /* of a backend with a device: what its `open` gave; else NULL */
    const struct plan *plan;
    const struct op *op;
    const struct op_run *walk; /* the runs of all operations, when a walk goes forward and then backward over them: an
                                  operation may leave work to its neighbours.  NULL: it does all of its own */
    int count;
    enum precision precision; /* the backend's */
    bool training;            /* forward: batch statistics, running ones updated, dropout on, `saved` filled */
    float bn_decay;           /* training: running = decay * running + (1 - decay) * batch */
    uint64_t dropout_key;     /* OP_DROPOUT: the same mask for the same key and element (dropout.h) */
    float *values;            /* flat weights; forward in training writes the running statistics only */
    float *gradients;         /* backward: flat, `trained` values; this op's are overwritten, not added to */
    const void *x, *x2;       /* input tensors; x2 is what is added */
    void *y;           /* forward: output tensor, with its border zeroed; backward: what forward wrote, read only */
    const void *dy;    /* backward: gradient of the output tensor; unused for OP_CLASSIFIER */
    void *dx, *dx2;    /* backward: gradients of the input tensors, overwritten, or added to where the op says
                          adds_input_gradient; NULL when not needed */
    void *saved;       /* saved_bytes: written by forward in training, read by backward; NULL in inference */
    void *scratch;     /* scratch_bytes: no meaning between calls */
    struct team *team; /* who may help; NULL: nobody */
    int members;       /* scratch has room for so many: those of the team, 1 without one */
    const uint16_t *labels; /* OP_CLASSIFIER: `count`, or NULL when only logits are wanted */
    const float *targets;   /* OP_CLASSIFIER with labels: count × classes, as struct batch has them, or NULL */
    float *logits;          /* OP_CLASSIFIER forward: count × classes, image-major, plain floats; not NULL */
    double *loss;           /* OP_CLASSIFIER forward with labels: += summed cross-entropy of the batch, with the targets
                               where there are some */
    int *correct;           /* OP_CLASSIFIER forward with labels: += images whose largest logit is the label */
};
/* The loss that backward differentiates is the mean over `count`.  No operation reads the output tensor
   of OP_CLASSIFIER: a backend may keep there what it needs (probabilities). */

static inline int largest_logit(const float *logits, int classes)
{
    int best = 0;
    for (int i = 1; i < classes; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

struct sgd {
    float rate, momentum, weight_decay;
    bool nesterov;
};

/* The results of one or more walks. */
struct step_result {
    double loss; /* summed over the images */
    int correct;
    int count; /* images that it covers */
};
static inline void step_result_add(struct step_result *sum, struct step_result more)
{
    sum->loss += more.loss;
    sum->correct += more.correct;
    sum->count += more.count;
}

enum step_kind {
    STEP_TRAIN,    /* load, forward, backward, update */
    STEP_GRADIENT, /* the same without the update */
    STEP_INFER,    /* load, forward in inference mode */
    STEP_PROBE     /* STEP_INFER up to one operation, which runs as in training */
};
/* One walk over the plan: what may differ from the last one.  Its pointers are good until `begin` returns. */
struct step {
    enum step_kind kind;
    const struct batch *batch;
    const struct sgd *sgd; /* STEP_TRAIN */
    float bn_decay;
    uint64_t dropout_key; /* of operation i: step_dropout_key(step, i) */
    float average_share;  /* STEP_TRAIN on a device: average += share * (value - average), once that is written */
};
/* Dropout operations of one step must not share a mask. */
static inline uint64_t step_dropout_key(const struct step *step, int op)
{
    return step->dropout_key + (uint64_t)op * 0x9e3779b97f4a7c15u;
}

/* The flat buffers of a network, in the canonical layout: `total` values and averages of them, `trained` gradients and
   velocities. */
enum flat { FLAT_VALUES, FLAT_GRADIENTS, FLAT_VELOCITY, FLAT_AVERAGE };

enum device_trouble {
    DEVICE_FINE,
    DEVICE_NO_MEMORY,
    DEVICE_REFUSED, /* this network can't be run there */
    DEVICE_LOST     /* no network can be run there, in this process */
};

struct backend;

/* A network's life on a device, all on the network's thread.  After the first failure every call does nothing and
   results are NaN, until `trouble` has been asked and the context is closed. */
struct backend_device {
    size_t plan_bytes;     /* of struct plan where this table was compiled: a module of another build means another */
    size_t workspace_most; /* bytes that may be taken there beside a network's, whatever network it is */
    /* Bytes that `open` takes for a network, of which `bytes` are the walker's. */
    size_t (*network_bytes)(const struct backend *backend, const struct plan *plan, int batch, bool training,
                            size_t bytes);
    /* A context with `bytes` of device memory at `*memory`, for a plan that stays where it is.  Weights, gradients and
       velocity (zeros) are the context's own and lie as it likes; in an op_run they are NULL.  NULL with the reason,
       and in `*trouble` whether that was memory or the device. */
    void *(*open)(const struct backend *backend, const struct plan *plan, int batch, bool training, size_t bytes,
                  void **memory, enum device_trouble *trouble, struct error *error);
    void (*close)(void *context);
    /* In order with the operations; reading waits for all that was put in before it. */
    void (*write)(void *context, enum flat which, const float *canonical);
    void (*read)(void *context, enum flat which, float *canonical);
    void (*download)(void *context, void *to, const void *from, size_t bytes);
    /* The next steps of training, all on one view: so many of them as it returns, and at least one, are sent at once, and
       `begin` then expects them in this order.  Copies what it needs.  Steps need not be announced. */
    int (*announce)(void *context, const struct step *steps, int count);
    /* Around each walk.  `begin` copies what it needs of the step.  True: call load, the operations and update now
       (they may be recorded); false: a walk of this kind and count was recorded before and needs no calls. */
    bool (*begin)(void *context, const struct step *step);
    void (*end)(void *context);
    /* What has become known since the last call; all of it when `wait`. */
    struct step_result (*results)(void *context, bool wait);
    enum device_trouble (*trouble)(void *context, struct error *error);
};

struct backend {
    const char *name;
    const char *description;  /* for `espalier devices`: layout, instruction set */
    const char *instructions; /* of the CPU backend: the instruction set, as ESPALIER_ISA names it; else NULL */
    enum precision precision;
    const struct backend *bf16; /* the same with bf16 operands where that is faster, or NULL: it can't */
    bool prefers_bf16;          /* for PRECISION_AUTO */

    int images_per_member; /* a team may have a member for each so many images of a batch; 0: no team is of use */

    /* In bytes: a tensor's buffer for `batch` images (a multiple of 64); the way from there to the tensor's first
       value; what forward saves; scratch for `members` of a team. */
    size_t (*tensor_bytes)(const struct tensor *tensor, int batch);
    size_t (*tensor_offset)(const struct tensor *tensor);
    size_t (*saved_bytes)(const struct plan *plan, const struct op *op, int batch);
    size_t (*scratch_bytes)(const struct backend *backend, const struct plan *plan, const struct op *op, int batch,
                            int members);

    /* Between the backend's layout and plain [count][channel][y][x] floats (no border): tests, fixtures. */
    void (*tensor_write)(const struct tensor *tensor, int count, const float *plain, void *data);
    void (*tensor_read)(const struct tensor *tensor, int count, const void *data, float *plain);

    /* Lay a batch of images into an input tensor: normalise, crop, flip; zero border.  What a crop takes from
       beyond the image is 0 after normalisation (the paper's code pads the normalised image).  `team` may help. */
    void (*load)(void *context, const struct tensor *tensor, const struct batch *batch, void *data, struct team *team);

    bool hard_swish; /* operations may have one */
    /* NULL: not supported.  OP_ADD's forward may write over one of its inputs: the network adds gradients with it. */
    void (*forward[OP_KINDS])(const struct op_run *run);
    void (*backward[OP_KINDS])(const struct op_run *run);

    /* One step over the flat buffer: g = gradient + weight_decay * w; v = momentum * v + g;
       w -= rate * (nesterov ? g + momentum * v : v).  Decay applies to every trained value (the paper's code). */
    void (*update)(void *context, const struct sgd *sgd, int64_t count, float *values, const float *gradients,
                   float *velocity);

    /* NULL: memory and time are the host's, and `context` is NULL everywhere. */
    const struct backend_device *device;
};

extern const struct backend backend_ref;
/* The CPU backend for the best instruction set of this machine, or that of ESPALIER_ISA (avx512bf16, avx512, avx2,
   baseline). */
const struct backend *backend_cpu(void);

#endif
