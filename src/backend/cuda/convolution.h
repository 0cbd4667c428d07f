/*
 * convolution.h - cuDNN's plans for convolutions, by its graph API.
 *
 * A plan is an engine of cuDNN configured for one shape, one type and one direction.  The engine is the first that
 * cuDNN's heuristics propose whose workspace fits and which is deterministic; for float32 it may not round its inputs
 * (TF32).  So two runs of one search use the same engines.  No GPU is needed to make a plan: cuDNN also takes a
 * description of a device (JSON).
 *
 * Errors: cuDNN's status.  Threads: what is made with a handle belongs to the handle's thread.
 */
#ifndef ESPALIER_BACKEND_CUDA_CONVOLUTION_H
#define ESPALIER_BACKEND_CUDA_CONVOLUTION_H

#include <stdbool.h>
#include <stdint.h>

#include <cudnn_graph.h>

#include "util/error.h"

enum storage { STORAGE_F32, STORAGE_BF16, STORAGE_F16, STORAGES };

enum conv_direction { CONV_FORWARD, CONV_DATA, CONV_FILTER, CONV_DIRECTIONS };

/* Bytes of workspace that a network's convolutions share, at most. */
enum { CONV_WORKSPACE_MOST = 256 << 20 };

/* Channels are rounded up, tensors NHWC.  All fields are plain integers: shapes are compared as memory. */
struct conv_shape {
    int batch, inputs, outputs, height, width, out_height, out_width, kernel, stride;
    int input_stride, output_stride; /* values from pixel to pixel */
    enum storage storage;
};

struct conv_plan {
    struct conv_shape shape;
    enum conv_direction direction;
    cudnnBackendDescriptor_t plan;
    int64_t workspace; /* bytes */
    int64_t most;      /* the bytes that it was allowed; with more, another engine might have been chosen */
    bool fallback;     /* none that the heuristics propose was suitable: a slow engine, and slow to find */
};

/* The device that plans are made for. */
struct conv_device;
/* The handle's device; where `handle` is NULL, the one that `description` describes: plans for it can't be run.  NULL
   with cuDNN's status. */
struct conv_device *conv_device_new(cudnnHandle_t handle, const char *description, cudnnStatus_t *status);
void conv_device_free(struct conv_device *device);

/* A new plan, the caller's to free; another status than CUDNN_STATUS_SUCCESS when cuDNN has none within `workspace`
   bytes, or fails. */
cudnnStatus_t conv_plan_new(const struct conv_device *device, const struct conv_shape *shape,
                            enum conv_direction direction, int64_t workspace, struct conv_plan **plan);
void conv_plan_free(struct conv_plan *plan);
/* CONV_FORWARD: y from x and w; CONV_DATA: x from y and w; CONV_FILTER: w from x and y. */
cudnnStatus_t conv_plan_run(cudnnHandle_t handle, const struct conv_plan *plan, const void *x, const void *w,
                            const void *y, void *workspace);

/* Plans for reuse, the one used last at the end. */
struct conv_plans {
    struct conv_plan **items;
    size_t count, capacity;
};
/* As conv_plan_new, but the plan belongs to `plans`. */
cudnnStatus_t conv_plans_find(struct conv_plans *plans, const struct conv_device *device,
                              const struct conv_shape *shape, enum conv_direction direction, int64_t workspace,
                              const struct conv_plan **plan);
/* Free all but the `most` plans used last. */
void conv_plans_trim(struct conv_plans *plans, size_t most);
void conv_plans_done(struct conv_plans *plans);

#endif
