/*
 * convolution.h - cuDNN's plans for convolutions, by its graph API.
 *
 * A plan is an engine of cuDNN configured for one shape, one type and one direction.  Which engine: the first that
 * cuDNN's heuristics propose whose workspace fits and that gives the same bits each time; for float32, none that
 * rounds its inputs (TF32).  So two runs of one search take the same engines.  A target needs no device: with a
 * description of one (JSON) cuDNN says what it would run there.
 */
#ifndef ESPALIER_BACKEND_CUDA_CONVOLUTION_H
#define ESPALIER_BACKEND_CUDA_CONVOLUTION_H

#include <stdbool.h>
#include <stdint.h>

#include <cudnn_graph.h>

#include "util/error.h"

enum storage { STORAGE_F32, STORAGE_BF16, STORAGE_F16, STORAGES };

enum conv_direction { CONV_FORWARD, CONV_DATA, CONV_FILTER, CONV_DIRECTIONS };

/* What a network's convolutions may take between them, unless memory is short. */
enum { CONV_WORKSPACE_MOST = 256 << 20 };

/* Channels as stored, rounded up; NHWC.  Plain integers only: compared as memory. */
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
    int64_t most;      /* bytes that it was allowed: with more another might have come first */
};

/* For what device plans are made. */
struct conv_target;
/* Of the device that the handle is on; or, with NULL, of one that is described. */
struct conv_target *conv_target_new(cudnnHandle_t handle, const char *description, cudnnStatus_t *status);
void conv_target_free(struct conv_target *target);

/* CUDNN_STATUS_SUCCESS and a new plan; another status when cuDNN has none within `workspace` bytes, or fails. */
cudnnStatus_t conv_plan_new(const struct conv_target *target, const struct conv_shape *shape,
                            enum conv_direction direction, int64_t workspace, struct conv_plan **plan);
void conv_plan_free(struct conv_plan *plan);
/* CONV_FORWARD: y from x and w; CONV_DATA: x from y and w; CONV_FILTER: w from x and y. */
cudnnStatus_t conv_plan_run(cudnnHandle_t handle, const struct conv_plan *plan, const void *x, const void *w,
                            const void *y, void *workspace);

/* Plans that were made before, the one used last at the end. */
struct conv_plans {
    struct conv_plan **items;
    size_t count, capacity;
};
cudnnStatus_t conv_plans_find(struct conv_plans *plans, const struct conv_target *target,
                              const struct conv_shape *shape, enum conv_direction direction, int64_t workspace,
                              const struct conv_plan **plan);
/* Keep at most so many, those used last.  Nobody may hold one of the others. */
void conv_plans_trim(struct conv_plans *plans, size_t most);
void conv_plans_done(struct conv_plans *plans);

#endif
