/*
 * gpu.h - the devices, and what stays on them between networks.
 *
 *   gpu       one device: its facts, whether it is lost, its idle streams, the data sets that lie on it
 *   stream    a CUDA stream with its cuDNN and cuBLAS handles, convolution plans, workspace and pinned memory.  One
 *             network at a time uses it; the next one finds ready what took a second to make
 *   data_set  the images of one data set as bytes; any number of networks use it
 *
 * Threads: any.  The gpu's mutex guards its idle streams and its data sets, for a moment each; `upload`, which is
 * locked before it, is held while a data set is sent.  A stream belongs to the thread of the network that uses it.
 * Errors: of the context that asked (status.c).
 */
#ifndef ESPALIER_BACKEND_CUDA_GPU_H
#define ESPALIER_BACKEND_CUDA_GPU_H

#include <pthread.h>
#include <stdatomic.h>

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn_graph.h>

#include "backend/cuda/convolution.h"
#include "device/cuda.h"
#include "nn/backend.h"

struct context;

struct data_set {
    struct data_set *next;
    struct hash hash;
    int users;
    uint8_t *pixels;
    uint16_t *labels;
};

struct stream {
    struct stream *next; /* the next idle one */
    struct gpu *gpu;
    cudaStream_t handle;
    cudaEvent_t done; /* waited for without spinning */
    cudnnHandle_t cudnn;
    cublasHandle_t cublas;
    struct conv_device *conv_device;
    struct conv_plans plans;
    void *workspace, *cublas_workspace;
    size_t workspace_bytes;
    void *pinned;
    size_t pinned_bytes;
};

struct gpu {
    int number, ordinal; /* in the order of PCI addresses, and in the runtime's */
    struct cuda_device facts;
    atomic_bool lost;
    pthread_mutex_t mutex, upload;
    struct stream *idle;
    struct data_set *data_sets;
};

enum {
    PLANS_KEPT = 512, /* convolution plans that an idle stream keeps: those used last */
    CUBLAS_WORKSPACE = 8 << 20
};

/* All devices, found by the first call.  NULL with the reason when there are none. */
struct gpu *gpus(int *count, struct error *error);

/* An idle stream of the context's device, or a new one.  NULL when that failed. */
struct stream *stream_acquire(struct context *context);
/* Make the context's stream idle, or free it when the context failed. */
void stream_release(struct context *context);

/* The data set on the context's device; the first call sends it.  NULL when that failed. */
struct data_set *data_set_acquire(struct context *context, const struct images *images);
/* `set` may be NULL.  A data set that nobody uses stays until its memory is wanted. */
void data_set_release(struct gpu *gpu, struct data_set *set);

/* As cudaMalloc; when memory is short, once more after idle streams and unused data sets are freed. */
cudaError_t device_memory(struct gpu *gpu, void **memory, size_t bytes);

#endif
