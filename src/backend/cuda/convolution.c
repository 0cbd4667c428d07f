/*
 * convolution.c - from a shape to a plan: tensors, operation, graph, heuristics, engine, plan.
 *
 * A descriptor is created, its attributes are set, and it is finalised; after that the descriptors that it was made of
 * may be destroyed.  `struct builder` holds all descriptors of one plan until then.  It keeps the first status that
 * isn't success; after a failure its functions do nothing, so that their callers need no checks.
 */
#include "backend/cuda/convolution.h"

#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"

enum { BUILT_MAX = 16, DIMENSIONS = 4, NOTES_MAX = 16 };
enum { UID_X = 'x', UID_W = 'w', UID_Y = 'y' };

/* One of the two: on a device graphs and plans carry the handle that runs them, as in NVIDIA's samples. */
struct conv_device {
    cudnnHandle_t handle;
    cudnnBackendDescriptor_t description;
};

struct builder {
    cudnnStatus_t status;
    cudnnBackendDescriptor_t built[BUILT_MAX];
    int count;
};

static cudnnBackendDescriptor_t make(struct builder *builder, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t descriptor = NULL;
    ASSERT(builder->count < BUILT_MAX);
    if (builder->status == CUDNN_STATUS_SUCCESS)
        builder->status = cudnnBackendCreateDescriptor(type, &descriptor);
    if (builder->status != CUDNN_STATUS_SUCCESS)
        return NULL;
    return builder->built[builder->count++] = descriptor;
}

static void set(struct builder *builder, cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (builder->status == CUDNN_STATUS_SUCCESS)
        builder->status = cudnnBackendSetAttribute(descriptor, name, type, count, values);
}

static void set_descriptor(struct builder *builder, cudnnBackendDescriptor_t descriptor,
                           cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t value)
{
    set(builder, descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void finish(struct builder *builder, cudnnBackendDescriptor_t descriptor)
{
    if (builder->status == CUDNN_STATUS_SUCCESS)
        builder->status = cudnnBackendFinalize(descriptor);
}

static void builder_done(struct builder *builder)
{
    for (int i = builder->count - 1; i >= 0; i--)
        cudnnBackendDestroyDescriptor(builder->built[i]);
}

/* --- devices --- */

struct conv_device *conv_device_new(cudnnHandle_t handle, const char *description, cudnnStatus_t *status)
{
    struct builder builder = {0};
    cudnnBackendDescriptor_t descriptor = NULL;
    if (!handle) {
        descriptor = make(&builder, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
        set(&builder, descriptor, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
            (int64_t)strlen(description) + 1, description);
        finish(&builder, descriptor);
    }
    *status = builder.status;
    if (builder.status != CUDNN_STATUS_SUCCESS) {
        builder_done(&builder);
        return NULL;
    }
    struct conv_device *device = memory_new(1, sizeof *device);
    *device = (struct conv_device){handle, descriptor};
    return device;
}

void conv_device_free(struct conv_device *device)
{
    if (device && device->description)
        cudnnBackendDestroyDescriptor(device->description);
    free(device);
}

/* Say in a descriptor which device it is for: by the handle, or by the description where the type takes one. */
static void set_device(struct builder *builder, cudnnBackendDescriptor_t descriptor, const struct conv_device *device,
                       int by_handle, int by_description)
{
    if (device->handle && by_handle)
        set(builder, descriptor, (cudnnBackendAttributeName_t)by_handle, CUDNN_TYPE_HANDLE, 1, &device->handle);
    if (device->description && by_description)
        set_descriptor(builder, descriptor, (cudnnBackendAttributeName_t)by_description, device->description);
}

/* --- the graph --- */

static cudnnBackendDescriptor_t make_tensor(struct builder *builder, int64_t uid, enum storage storage,
                                            const int64_t dimensions[DIMENSIONS], const int64_t strides[DIMENSIONS])
{
    static const cudnnDataType_t types[STORAGES] = {CUDNN_DATA_FLOAT, CUDNN_DATA_BFLOAT16, CUDNN_DATA_HALF};
    int64_t alignment = 16;
    cudnnBackendDescriptor_t tensor = make(builder, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(builder, tensor, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &types[storage]);
    set(builder, tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, DIMENSIONS, dimensions);
    set(builder, tensor, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, DIMENSIONS, strides);
    set(builder, tensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
    set(builder, tensor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    finish(builder, tensor);
    return tensor;
}

/* A tensor [image][y][x][channel]; cuDNN wants its dimensions in the order image, channel, y, x. */
static cudnnBackendDescriptor_t make_map(struct builder *builder, int64_t uid, enum storage storage, int images,
                                         int channels, int height, int width, int stride)
{
    const int64_t dimensions[DIMENSIONS] = {images, channels, height, width};
    const int64_t strides[DIMENSIONS] = {(int64_t)height * width * stride, 1, (int64_t)width * stride, stride};
    return make_tensor(builder, uid, storage, dimensions, strides);
}

static cudnnBackendDescriptor_t make_convolution(struct builder *builder, const struct conv_shape *shape)
{
    cudnnDataType_t compute = CUDNN_DATA_FLOAT;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t rank = 2, ones[] = {1, 1}, strides[] = {shape->stride, shape->stride};
    const int64_t pads[] = {shape->kernel / 2, shape->kernel / 2};
    cudnnBackendDescriptor_t convolution = make(builder, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set(builder, convolution, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute);
    set(builder, convolution, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(builder, convolution, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &rank);
    set(builder, convolution, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pads);
    set(builder, convolution, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pads);
    set(builder, convolution, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, ones);
    set(builder, convolution, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, strides);
    finish(builder, convolution);
    return convolution;
}

static cudnnBackendDescriptor_t make_graph(struct builder *builder, const struct conv_device *device,
                                           const struct conv_shape *shape, enum conv_direction direction)
{
    static const struct {
        cudnnBackendDescriptorType_t type;
        cudnnBackendAttributeName_t convolution, x, w, y, alpha, beta;
    } operations[CONV_DIRECTIONS] = {
        [CONV_FORWARD] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
        [CONV_DATA] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
        [CONV_FILTER] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
    };
    const float one = 1, zero = 0;
    cudnnBackendDescriptor_t x = make_map(builder, UID_X, shape->storage, shape->batch, shape->inputs, shape->height,
                                          shape->width, shape->input_stride);
    cudnnBackendDescriptor_t w = make_map(builder, UID_W, shape->storage, shape->outputs, shape->inputs, shape->kernel,
                                          shape->kernel, shape->inputs);
    cudnnBackendDescriptor_t y = make_map(builder, UID_Y, shape->storage, shape->batch, shape->outputs,
                                          shape->out_height, shape->out_width, shape->output_stride);
    cudnnBackendDescriptor_t convolution = make_convolution(builder, shape);
    cudnnBackendDescriptor_t operation = make(builder, operations[direction].type);
    set_descriptor(builder, operation, operations[direction].convolution, convolution);
    set_descriptor(builder, operation, operations[direction].x, x);
    set_descriptor(builder, operation, operations[direction].w, w);
    set_descriptor(builder, operation, operations[direction].y, y);
    set(builder, operation, operations[direction].alpha, CUDNN_TYPE_FLOAT, 1, &one);
    set(builder, operation, operations[direction].beta, CUDNN_TYPE_FLOAT, 1, &zero);
    finish(builder, operation);
    cudnnBackendDescriptor_t graph = make(builder, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set_device(builder, graph, device, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, 0);
    set_descriptor(builder, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
    finish(builder, graph);
    return graph;
}

/* --- the engine --- */

/* False when the engine isn't deterministic, must be compiled at run time, or rounds the inputs of float32. */
static bool engine_is_suitable(cudnnBackendDescriptor_t configuration, enum storage storage)
{
    cudnnBackendDescriptor_t engine = NULL;
    cudnnBackendNumericalNote_t notes[NOTES_MAX];
    cudnnBackendBehaviorNote_t behaviours[NOTES_MAX];
    int64_t count = 0, note_count = 0, behaviour_count = 0;
    bool suitable = false;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) != CUDNN_STATUS_SUCCESS)
        return false;
    if (cudnnBackendGetAttribute(configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count,
                                 &engine) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, NOTES_MAX,
                                 &note_count, notes) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, NOTES_MAX,
                                 &behaviour_count, behaviours) == CUDNN_STATUS_SUCCESS) {
        suitable = true;
        for (int64_t i = 0; i < note_count; i++) {
            bool rounds =
                notes[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE || notes[i] == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
            if (notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC || (rounds && storage == STORAGE_F32))
                suitable = false;
        }
        for (int64_t i = 0; i < behaviour_count; i++)
            if (behaviours[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)
                suitable = false;
    }
    cudnnBackendDestroyDescriptor(engine);
    return suitable;
}

/* A finalised plan of one configuration whose workspace fits, or NULL. */
static cudnnBackendDescriptor_t plan_of(const struct conv_device *device, cudnnBackendDescriptor_t configuration,
                                        int64_t most, int64_t *workspace, cudnnStatus_t *status)
{
    struct builder builder = {0};
    int64_t count;
    cudnnBackendDescriptor_t plan = make(&builder, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    set_descriptor(&builder, plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    set_device(&builder, plan, device, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
    finish(&builder, plan);
    if (builder.status == CUDNN_STATUS_SUCCESS)
        builder.status = cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                                  &count, workspace);
    if (builder.status == CUDNN_STATUS_SUCCESS && *workspace <= most)
        return plan;
    if (builder.status != CUDNN_STATUS_SUCCESS)
        *status = builder.status;
    builder_done(&builder);
    return NULL;
}

/* The first suitable engine that one mode of the heuristics proposes. */
static cudnnBackendDescriptor_t search_plan(const struct conv_device *device, cudnnBackendDescriptor_t graph,
                                            cudnnBackendHeurMode_t mode, enum storage storage, int64_t most,
                                            int64_t *workspace, cudnnStatus_t *status)
{
    struct builder builder = {0};
    cudnnBackendDescriptor_t *candidates = NULL, found = NULL;
    int64_t count = 0, made = 0;
    cudnnBackendDescriptor_t heuristics = make(&builder, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    set_descriptor(&builder, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    set(&builder, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    set_device(&builder, heuristics, device, 0, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
    finish(&builder, heuristics);
    if (builder.status == CUDNN_STATUS_SUCCESS)
        builder.status = cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                                  CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, NULL);
    if (builder.status == CUDNN_STATUS_SUCCESS && count)
        candidates = memory_new((size_t)count, sizeof *candidates);
    while (made < count && builder.status == CUDNN_STATUS_SUCCESS) {
        builder.status = cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &candidates[made]);
        made += builder.status == CUDNN_STATUS_SUCCESS;
    }
    if (builder.status == CUDNN_STATUS_SUCCESS && made)
        builder.status = cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                                  CUDNN_TYPE_BACKEND_DESCRIPTOR, made, &count, candidates);
    if (builder.status != CUDNN_STATUS_SUCCESS)
        *status = builder.status;
    for (int64_t i = 0; i < count && i < made && !found && builder.status == CUDNN_STATUS_SUCCESS; i++)
        if (engine_is_suitable(candidates[i], storage))
            found = plan_of(device, candidates[i], most, workspace, status);
    for (int64_t i = 0; i < made; i++)
        cudnnBackendDestroyDescriptor(candidates[i]);
    free(candidates);
    builder_done(&builder);
    return found;
}

static bool is_fatal(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
           status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ||
           CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_EXECUTION_FAILED;
}

cudnnStatus_t conv_plan_new(const struct conv_device *device, const struct conv_shape *shape,
                            enum conv_direction direction, int64_t workspace, struct conv_plan **result)
{
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    struct builder builder = {0};
    cudnnBackendDescriptor_t graph = make_graph(&builder, device, shape, direction), found = NULL;
    cudnnStatus_t status = builder.status != CUDNN_STATUS_SUCCESS ? builder.status : CUDNN_STATUS_NOT_SUPPORTED;
    int64_t needed = 0;
    size_t i;
    for (i = 0; i < COUNT_OF(modes) && !found && builder.status == CUDNN_STATUS_SUCCESS && !is_fatal(status); i++)
        found = search_plan(device, graph, modes[i], shape->storage, workspace, &needed, &status);
    builder_done(&builder);
    if (!found)
        return status;
    struct conv_plan *plan = memory_new(1, sizeof *plan);
    *plan = (struct conv_plan){*shape, direction, found, needed, workspace, modes[i - 1] == CUDNN_HEUR_MODE_FALLBACK};
    *result = plan;
    return CUDNN_STATUS_SUCCESS;
}

void conv_plan_free(struct conv_plan *plan)
{
    if (!plan)
        return;
    cudnnBackendDestroyDescriptor(plan->plan);
    free(plan);
}

cudnnStatus_t conv_plan_run(cudnnHandle_t handle, const struct conv_plan *plan, const void *x, const void *w,
                            const void *y, void *workspace)
{
    struct builder builder = {0};
    const int64_t uids[] = {UID_X, UID_W, UID_Y};
    const void *const data[] = {x, w, y};
    cudnnBackendDescriptor_t pack = make(&builder, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    set(&builder, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, uids);
    set(&builder, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, data);
    set(&builder, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    finish(&builder, pack);
    if (builder.status == CUDNN_STATUS_SUCCESS)
        builder.status = cudnnBackendExecute(handle, plan->plan, pack);
    builder_done(&builder);
    return builder.status;
}

/* --- reuse of plans --- */

cudnnStatus_t conv_plans_find(struct conv_plans *plans, const struct conv_device *device,
                              const struct conv_shape *shape, enum conv_direction direction, int64_t workspace,
                              const struct conv_plan **result)
{
    struct conv_plan *plan = NULL;
    for (size_t i = plans->count; i-- > 0 && !plan;) {
        struct conv_plan *known = plans->items[i];
        if (known->direction != direction || known->workspace > workspace || known->most < workspace ||
            memcmp(&known->shape, shape, sizeof *shape) != 0)
            continue;
        plan = known;
        memmove(plans->items + i, plans->items + i + 1, (--plans->count - i) * sizeof *plans->items);
    }
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    if (!plan)
        status = conv_plan_new(device, shape, direction, workspace, &plan);
    if (status != CUDNN_STATUS_SUCCESS)
        return status;
    plans->items = memory_grow(plans->items, plans->count, &plans->capacity, sizeof *plans->items);
    plans->items[plans->count++] = plan;
    *result = plan;
    return CUDNN_STATUS_SUCCESS;
}

void conv_plans_trim(struct conv_plans *plans, size_t most)
{
    size_t over = plans->count > most ? plans->count - most : 0;
    for (size_t i = 0; i < over; i++)
        conv_plan_free(plans->items[i]);
    if (over)
        memmove(plans->items, plans->items + over, (plans->count -= over) * sizeof *plans->items);
}

void conv_plans_done(struct conv_plans *plans)
{
    conv_plans_trim(plans, 0);
    free(plans->items);
    *plans = (struct conv_plans){0};
}
