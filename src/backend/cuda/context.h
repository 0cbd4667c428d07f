/*
 * context.h - one network on a device.
 *
 * A context belongs to the thread of its network.  The first error stays: from then on every call does nothing, and
 * context_status() says what it was.  A device is lost when CUDA reports an error that it repeats from then on; memory
 * that can't be had, and what cuDNN refuses, concern this network only.
 */
#ifndef ESPALIER_BACKEND_CUDA_CONTEXT_H
#define ESPALIER_BACKEND_CUDA_CONTEXT_H

#include "backend/cuda/gpu.h"
#include "backend/cuda/layout.h"

/* A step that is replayed: run as it is the first time, captured the second. */
struct step_graph {
    enum step_kind kind;
    struct kernel_load load; /* what differs between two steps of one kind and isn't in kernel_step */
    int runs;
    cudaGraph_t captured;
    cudaGraphExec_t one, all; /* of one step; of KERNEL_LAUNCH_STEPS steps, made when it is first wanted */
};

enum {
    UPLOADS = 2,             /* areas of pinned memory, filled by turns: one while the other is sent and run */
    UPLOAD_IMAGES = 1 << 16, /* of an announcement of steps, at most: of most data sets an epoch */
    LAUNCHES = KERNEL_RESULTS / KERNEL_LAUNCH_STEPS, /* under way at once */
    GRAPHS_MAX = 4,
    DATA_SETS_HELD = 2,  /* one to train with and one to test with, by turns */
    POOL_SIZE_MAX = 255, /* of a max pool that is trained: see kernel_window.choice */
};

struct context {
    struct gpu *gpu;
    struct stream *stream;
    enum storage storage;
    const struct plan *plan;
    int batch;
    bool training;
    bool shared[PLAN_TENSORS_MAX];              /* buffers that hold more than one tensor */
    struct data_set *data_sets[DATA_SETS_HELD]; /* that of the last step first; the rest may be NULL */

    enum device_trouble status;
    struct error reason;

    void *memory; /* one allocation, which holds the following: */
    struct weight_layout layout;
    float *values, *velocity, *vector_gradients, *average, *canonical;
    void *copies; /* of the weights in the storage type; f32: the values themselves */
    void *weight_gradients;
    struct kernel_part *parts;
    struct kernel_loss_scale *loss_scale; /* f16; else NULL */
    struct kernel_queue *queue;           /* an upload, as it was sent */
    struct kernel_step *step;             /* the one that runs */
    uint16_t *labels;
    unsigned *tickets; /* for sums: 0 between kernels */

    const struct conv_plan *plans[PLAN_OPS_MAX][CONV_DIRECTIONS];
    struct step_graph graphs[GRAPHS_MAX];
    int graph_count;

    /* In pinned memory: */
    struct kernel_queue *uploads[UPLOADS];
    struct kernel_result *results; /* KERNEL_RESULTS */

    /* The upload that is filled, or was last, is number `upload`.  It has `filled` steps, of which `begun` were begun,
       the last `held` of them since the last launch. */
    unsigned upload;
    int filled, begun, held;
    bool sent;
    bool loaded; /* the device has loaded, or will have, the batch of the step behind those that were launched */

    /* Launches before `oldest` are over, those before `next` are under way. */
    cudaEvent_t launches[LAUNCHES];
    unsigned oldest, next;
    unsigned results_begun, results_read; /* of all steps: those that will have a result; those in `known` */
    struct step_result known;             /* not yet handed out */
    bool averages;                        /* steps move the average of the weights */

    /* Of the step that was begun last: */
    enum step_kind kind;
    struct kernel_load load;  /* but for x */
    void *x;                  /* where a batch is laid out; NULL before the first step */
    struct step_graph *graph; /* NULL: neither captured nor replayed */
    bool immediate; /* it runs when it ends: its operations are in the stream, or captured for the first time */
    bool capturing;
};

/* A backend of one device and one type of storage. */
struct cuda_backend {
    struct backend base;
    struct gpu *gpu;
    enum storage storage;
};

/* The operations, each of which puts work into the context's stream; no other field is set (operation.c). */
extern const struct backend cuda_operations;

/* --- backend_device (nn/backend.h): context.c, step.c --- */

size_t context_bytes(const struct backend *backend, const struct plan *plan, int batch, bool training, size_t bytes);
void *context_open(const struct backend *backend, const struct plan *plan, int batch, bool training, size_t bytes,
                   void **memory, enum device_trouble *status, struct error *error);
void context_close(void *context);
void context_write(void *context, enum flat which, const float *canonical);
void context_read(void *context, enum flat which, float *canonical);
void context_download(void *context, void *to, const void *from, size_t bytes);
enum device_trouble context_status(void *context, struct error *error);
int step_announce(void *context, const struct step *steps, int count);
bool step_begin(void *context, const struct step *step);
void step_end(void *context);
struct step_result step_results(void *context, bool wait);
/* Let the steps run that are held: before anything else that reads or writes what they do. */
void steps_run(struct context *context);
/* End a capture that has failed. */
void capture_drop(struct context *context);

void step_graph_done(struct step_graph *graph);
/* The most steps of an upload, and the bytes that so many take. */
int upload_steps(const struct context *context);
size_t upload_bytes(const struct context *context, int steps);
/* The arguments of the kernel that loads the next step. */
struct kernel_load load_arguments(const struct context *context);

/* --- kernels (kernel.c) --- */

enum kernel {
#define KERNEL_ENUM(name, arguments, barriers) KERNEL_##name,
    KERNELS(KERNEL_ENUM, KERNEL_ENUM)
#undef KERNEL_ENUM
        KERNEL_COUNT
};

/* Put a kernel into the context's stream; `arguments` is its struct. */
void launch(struct context *context, enum kernel kernel, enum storage storage, struct kernel_grid grid,
            const void *arguments);

/* --- errors (status.c): true, or false with the context's status and reason set --- */

bool check_cuda(struct context *context, cudaError_t status, const char *what);
bool check_cudnn(struct context *context, cudnnStatus_t status, const char *what);
bool check_cublas(struct context *context, cublasStatus_t status, const char *what);
/* Make this thread's calls go to the context's device. */
bool select_device(struct context *context);
/* Wait until the stream has done all that was put into it. */
bool synchronise(struct context *context);
/* Set status and reason, unless they are set. */
void context_fail(struct context *context, enum device_trouble status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
