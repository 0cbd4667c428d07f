/*
 * internal.h - what the files of the CUDA backend share.
 *
 *   gpu       one device: its facts, whether it is lost, its lanes, the data sets that lie on it
 *   lane      a stream with its cuDNN and cuBLAS handles, convolution plans, workspace and pinned memory: lent to one
 *             network at a time, so that what it cost to make is there for the next
 *   context   one network on the device: memory, walks, recorded walks, results, and what went wrong
 *
 * Locks: a gpu's mutex guards its idle lanes and its data sets, for a moment each; `upload` is held, before it, while a
 * data set is sent.  All else belongs to the thread of the network.
 *
 * What went wrong first stays: from then on every call of that context does nothing.  A device is lost when CUDA says
 * so by an error that it repeats from then on; memory that can't be had, and what cuDNN refuses, are one network's.
 */
#ifndef ESPALIER_BACKEND_CUDA_INTERNAL_H
#define ESPALIER_BACKEND_CUDA_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn_graph.h>

#include "backend/cuda/convolution.h"
#include "device/cuda.h"
#include "kernels/kernels.h"
#include "nn/backend.h"

/* --- kernels (kernel.c) --- */

enum kernel {
#define KERNEL_ENUM(name, together) KERNEL_##name,
    KERNELS(KERNEL_ENUM, KERNEL_ENUM)
#undef KERNEL_ENUM
        KERNEL_COUNT
};

/* --- devices (gpu.c) --- */

struct data_set {
    struct data_set *next;
    struct hash hash;
    int users;
    uint8_t *pixels;
    uint16_t *labels;
};

struct lane {
    struct lane *next; /* of the idle ones */
    struct gpu *gpu;
    cudaStream_t stream;
    cudaEvent_t done; /* waited for without spinning */
    cudnnHandle_t cudnn;
    cublasHandle_t cublas;
    struct conv_target *target;
    struct conv_plans plans;
    void *workspace, *cublas_workspace;
    size_t workspace_bytes;
    void *pinned;
    size_t pinned_bytes;
};

struct gpu {
    int number, ordinal; /* ours, and the runtime's */
    struct cuda_device facts;
    atomic_bool lost;
    pthread_mutex_t mutex, upload;
    struct lane *idle;
    struct data_set *sets;
};

/* --- contexts (context.c) --- */

/* The device's order of values: every weight, each as kernels want it; then vectors by channel, gamma, beta and biases,
   which are trained too; then the running statistics. */
struct stored {
    int64_t weights, trained, total; /* values before the vectors, before the statistics, and all */
    int weight_parts, trained_parts, part_count;
    struct kernel_part parts[PLAN_OPS_MAX * 5];
    struct stored_op {
        int64_t weight, gamma, beta, bias, mean, variance; /* offsets of the first value */
    } ops[PLAN_OPS_MAX];
};

/* A walk that can be replayed: walked once as it is, recorded the second time. */
struct recorded {
    enum step_kind kind;
    struct kernel_load load; /* all that may differ between two walks of a kind but isn't in the step */
    int walks;
    cudaGraphExec_t graph;
};

/* What goes up and comes down for one walk, in pinned memory. */
struct slot {
    struct kernel_step *step; /* then the index, then the places of augmentation */
    struct kernel_result *result;
    cudaEvent_t done;
    int count; /* images of the result; 0: it has none */
};

enum {
    SLOTS = 4,
    RECORDED_MAX = 4,
    HELD_SETS = 2,       /* one to train with and one to test with, by turns */
    PLANS_KEPT = 512,    /* of a lane, between two networks: those of the last few */
    POOL_SIZE_MAX = 255, /* of a max pool that is trained: see kernel_window.choice */
    CUBLAS_WORKSPACE = 8 << 20
};

struct context {
    struct gpu *gpu;
    struct lane *lane;
    enum storage storage;
    const struct plan *plan;
    int batch;
    bool training;
    bool shared[PLAN_TENSORS_MAX];    /* buffers that hold more than one tensor */
    struct data_set *sets[HELD_SETS]; /* that of the last walk first; the rest may be NULL */

    enum device_trouble trouble;
    struct error reason;

    void *memory; /* all of it; the pieces: */
    struct stored stored;
    float *values, *velocity, *vector_gradients, *canonical;
    void *copies; /* of the weights in the storage type; f32: the values themselves */
    void *weight_gradients;
    struct kernel_part *parts;
    struct kernel_loss_scale *loss_scale; /* f16; else NULL */
    struct kernel_step *step;             /* what goes up for each walk: the step, the index, the augmentation */
    int32_t *index;
    int8_t *augment;
    uint16_t *labels;
    struct kernel_result *result;

    const struct conv_plan *plans[PLAN_OPS_MAX][CONV_DIRECTIONS];
    struct recorded recorded[RECORDED_MAX];
    int recorded_count;

    /* Walks: those up to `oldest` are over and in `known`, those up to `next` are under way. */
    struct slot slots[SLOTS];
    unsigned oldest, next;
    struct step_result known; /* not yet handed out */
    /* The one between begin and end: */
    struct kernel_load load;
    struct recorded *recording; /* NULL: neither recorded nor replayed */
    bool capturing;
};

/* A backend of one device and one type of storage. */
struct cuda_backend {
    struct backend base;
    struct gpu *gpu;
    enum storage storage;
};

/* All devices; made once.  NULL with the reason. */
struct gpu *gpus(int *count, struct error *error);
/* An idle lane or a new one; NULL when the context is in trouble by that. */
struct lane *lane_take(struct context *context);
/* Give it back, or take it apart when it was in trouble. */
void lane_return(struct context *context);
/* NULL when the context is in trouble by that. */
struct data_set *data_set_take(struct context *context, const struct images *images);
void data_set_return(struct gpu *gpu, struct data_set *set); /* or NULL */
/* As cudaMalloc, but where there is no memory, once more after idle lanes and unused data sets gave theirs back. */
cudaError_t device_memory(struct gpu *gpu, void **memory, size_t bytes);

/* --- trouble (trouble.c): true when fine; else the context is in trouble and says so --- */

bool check_cuda(struct context *context, cudaError_t status, const char *what);
bool check_cudnn(struct context *context, cudnnStatus_t status, const char *what);
bool check_cublas(struct context *context, cublasStatus_t status, const char *what);
void set_trouble(struct context *context, enum device_trouble trouble, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* This thread speaks to that device; false when in trouble. */
bool enter(struct context *context);
/* Until the stream has done all that was put in. */
bool wait_for_all(struct context *context);

/* --- kernel.c --- */

/* Put a kernel into the context's stream. */
void launch(struct context *context, enum kernel kernel, enum storage storage, struct kernel_grid grid,
            const void *arguments);

/* --- context.c, walk.c --- */

size_t context_bytes(const struct backend *backend, const struct plan *plan, int batch, bool training, size_t bytes);
void *context_open(const struct backend *backend, const struct plan *plan, int batch, bool training, size_t bytes,
                   void **memory, enum device_trouble *trouble, struct error *error);
void context_close(void *context);
void context_write(void *context, enum flat which, const float *canonical);
void context_read(void *context, enum flat which, float *canonical);
void context_download(void *context, void *to, const void *from, size_t bytes);
bool walk_begin(void *context, const struct step *step);
void walk_end(void *context);
struct step_result walk_results(void *context, bool wait);
enum device_trouble context_trouble(void *context, struct error *error);

/* --- operation.c --- */

void operation_load(void *context, const struct tensor *tensor, const struct batch *batch, void *data,
                    struct team *team);
void operation_update(void *context, const struct sgd *sgd, int64_t count, float *values, const float *gradients,
                      float *velocity);
void conv_forward(const struct op_run *run);
void conv_backward(const struct op_run *run);
void norm_forward(const struct op_run *run);
void norm_backward(const struct op_run *run);
void conv_alone_forward(const struct op_run *run);
void conv_alone_backward(const struct op_run *run);
void fc_forward(const struct op_run *run);
void fc_backward(const struct op_run *run);
void pool_forward(const struct op_run *run);
void pool_backward(const struct op_run *run);
void dropout_forward(const struct op_run *run);
void dropout_backward(const struct op_run *run);
void add_forward(const struct op_run *run);
void add_backward(const struct op_run *run);
void classifier_forward(const struct op_run *run);
void classifier_backward(const struct op_run *run);

/* --- layout.c: sizes, which follow from shapes alone --- */

size_t storage_bytes(enum storage storage);
/* Bytes, rounded up so that what follows is aligned for any kernel. */
size_t aligned(size_t bytes);
void stored_plan(const struct plan *plan, struct stored *stored);
/* Must the operation be planned in that direction? */
bool conv_wanted(const struct op *op, enum conv_direction direction, bool training);
struct conv_shape conv_shape_of(const struct plan *plan, const struct op *op, int batch, enum storage storage);

/* Pieces of an operation's `saved`. */
struct saved {
    size_t z, mean, inverse_std, choice, bytes;
};
struct saved saved_plan(const struct plan *plan, const struct op *op, int batch, enum storage storage);
/* Pieces of scratch: the linear part or its gradient; sums of blocks; two vectors; of the classifier. */
struct scratch {
    size_t z, partials, mean_gradient, mean_product, losses, hits, bytes;
};
struct scratch scratch_plan(const struct plan *plan, const struct op *op, int batch, enum storage storage);
size_t tensor_bytes_of(const struct tensor *tensor, int batch, enum storage storage);

#endif
