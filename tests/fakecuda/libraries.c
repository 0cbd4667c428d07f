/*
 * libraries.c - the fake of cuDNN's graph API and of cuBLAS: convolutions and matrix products by plain loops.
 *
 * A descriptor keeps its attributes as bytes.  When it is finalised, its meaning (a convolution's shapes) is computed,
 * so that the descriptors it was made of may be destroyed.  The heuristics propose an engine that isn't deterministic,
 * for float32 many that round its inputs (tensor cores), one that needs a large workspace, and one that needs little;
 * the fallback is an engine that needs as little.
 */
#define FAKE_INTERNAL
#include "fake.h"

#include <stdlib.h>
#include <string.h>

#include <cublas_v2.h>
#include <cudnn_graph.h>

#include "tests/kernels/on_cpu.h"

/* --- values of a storage type --- */

static float read_value(const void *data, cudaDataType_t type, int64_t i)
{
    return type == CUDA_R_32F    ? ((const float *)data)[i]
           : type == CUDA_R_16BF ? shim_from_bf16(((const uint16_t *)data)[i])
                                 : shim_from_f16(((const uint16_t *)data)[i]);
}

static void write_value(void *data, cudaDataType_t type, int64_t i, float value)
{
    if (type == CUDA_R_32F)
        ((float *)data)[i] = value;
    else
        ((uint16_t *)data)[i] = type == CUDA_R_16BF ? shim_to_bf16(value) : shim_to_f16(value);
}

/* --- cuBLAS --- */

struct cublasContext {
    cudaStream_t stream;
};

struct gemm_call {
    bool a_transposed, b_transposed;
    int m, n, k, a_stride, b_stride, c_stride;
    const void *a, *b;
    void *c;
    cudaDataType_t type, c_type;
};

static void run_product(void *arguments)
{
    const struct gemm_call *p = arguments;
    for (int column = 0; column < p->n; column++)
        for (int row = 0; row < p->m; row++) {
            double sum = 0;
            for (int i = 0; i < p->k; i++) {
                int64_t a = p->a_transposed ? (int64_t)row * p->a_stride + i : (int64_t)i * p->a_stride + row;
                int64_t b = p->b_transposed ? (int64_t)i * p->b_stride + column : (int64_t)column * p->b_stride + i;
                sum += (double)read_value(p->a, p->type, a) * read_value(p->b, p->type, b);
            }
            write_value(p->c, p->c_type, (int64_t)column * p->c_stride + row, (float)sum);
        }
}

static cublasStatus_t cublas_status(cudaError_t status)
{
    return status == cudaSuccess                 ? CUBLAS_STATUS_SUCCESS
           : status == cudaErrorMemoryAllocation ? CUBLAS_STATUS_ALLOC_FAILED
                                                 : CUBLAS_STATUS_EXECUTION_FAILED;
}

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle)
{
    cudaError_t status = fake_enter();
    if (status == cudaSuccess) {
        *handle = calloc(1, sizeof **handle);
        fake_count(&fake_alive.handles, 1);
    }
    return cublas_status(status);
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
    free(handle);
    fake_count(&fake_alive.handles, -1);
    return cublas_status(fake_enter());
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return cublas_status(fake_enter());
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t bytes)
{
    fake_close(workspace);
    return cublas_status(fake_enter());
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    return "a fake status";
}

cublasStatus_t cublasGetProperty(libraryPropertyType type, int *value)
{
    *value = 0;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t a_operation, cublasOperation_t b_operation, int m,
                            int n, int k, const void *alpha, const void *a, cudaDataType_t a_type, int a_stride,
                            const void *b, cudaDataType_t b_type, int b_stride, const void *beta, void *c,
                            cudaDataType_t c_type, int c_stride, cublasComputeType_t compute,
                            cublasGemmAlgo_t algorithm)
{
    cudaError_t status = fake_enter();
    struct gemm_call product = {a_operation == CUBLAS_OP_T,
                                b_operation == CUBLAS_OP_T,
                                m,
                                n,
                                k,
                                a_stride,
                                b_stride,
                                c_stride,
                                a,
                                b,
                                c,
                                a_type,
                                c_type};
    if (a_type != b_type || *(const float *)alpha != 1 || *(const float *)beta != 0 || compute != CUBLAS_COMPUTE_32F)
        abort();
    if (status == cudaSuccess)
        fake_enqueue(handle->stream, run_product, &product, sizeof product);
    return cublas_status(status);
}

/* --- cuDNN: descriptors --- */

enum { ATTRIBUTES_MAX = 16, TENSOR_CORE_ENGINES = 24 };
enum engine { ENGINE_NONDETERMINISTIC, ENGINE_LARGE, ENGINE_SMALL, ENGINE_TENSOR_CORE };

_Atomic int64_t fake_fallbacks;

struct cudnnContext {
    cudaStream_t stream;
};

struct tensor_facts {
    int64_t uid, dimensions[4], strides[4];
    cudnnDataType_t type;
};

struct conv_facts {
    cudnnBackendDescriptorType_t direction;
    struct tensor_facts x, w, y;
    int64_t pad, stride;
};

struct descriptor {
    cudnnBackendDescriptorType_t type;
    bool finalised;
    struct {
        cudnnBackendAttributeName_t name;
        int64_t count;
        void *values;
    } attributes[ATTRIBUTES_MAX];
    int attribute_count;
    struct tensor_facts tensor;
    struct conv_facts convolution;
    cudnnHandle_t handle; /* of an operation graph, its heuristics and plan */
    bool fallback;
    enum engine engine;
};

static int64_t workspace_of(enum engine engine)
{
    return engine == ENGINE_LARGE ? fake_large_workspace() : engine == ENGINE_SMALL ? 1000 : 0;
}

/* What the heuristics propose: the number of engines, and which one is the nth. */
static int64_t engine_count(const struct descriptor *heuristics)
{
    bool whole = heuristics->convolution.x.type == CUDNN_DATA_FLOAT;
    return heuristics->fallback ? 1 : whole ? 3 + TENSOR_CORE_ENGINES : 3;
}

static enum engine nth_engine(const struct descriptor *heuristics, int64_t n)
{
    int64_t last = engine_count(heuristics) - 1;
    return n == last       ? ENGINE_SMALL
           : n == 0        ? ENGINE_NONDETERMINISTIC
           : n == last - 1 ? ENGINE_LARGE
                           : ENGINE_TENSOR_CORE;
}

static size_t size_of(cudnnBackendAttributeType_t type)
{
    switch (type) {
    case CUDNN_TYPE_CHAR:
        return 1;
    case CUDNN_TYPE_FLOAT:
    case CUDNN_TYPE_DATA_TYPE:
    case CUDNN_TYPE_CONVOLUTION_MODE:
    case CUDNN_TYPE_HEUR_MODE:
        return 4;
    default:
        return 8;
    }
}

static cudnnStatus_t cudnn_status(cudaError_t status)
{
    return status == cudaSuccess                 ? CUDNN_STATUS_SUCCESS
           : status == cudaErrorMemoryAllocation ? CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED
                                                 : CUDNN_STATUS_EXECUTION_FAILED;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *descriptor)
{
    cudaError_t status = fake_enter();
    if (status == cudaSuccess) {
        struct descriptor *made = calloc(1, sizeof *made);
        made->type = type;
        *descriptor = made;
        fake_count(&fake_alive.descriptors, 1);
    }
    return cudnn_status(status);
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t opaque)
{
    struct descriptor *descriptor = opaque;
    for (int i = 0; i < descriptor->attribute_count; i++)
        free(descriptor->attributes[i].values);
    free(descriptor);
    fake_count(&fake_alive.descriptors, -1);
    return cudnn_status(fake_enter());
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t opaque, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    struct descriptor *descriptor = opaque;
    cudaError_t status = fake_enter();
    if (status != cudaSuccess)
        return cudnn_status(status);
    if (descriptor->finalised || descriptor->attribute_count == ATTRIBUTES_MAX)
        return CUDNN_STATUS_BAD_PARAM;
    for (int64_t i = 0; type == CUDNN_TYPE_BACKEND_DESCRIPTOR && i < count; i++)
        if (!((struct descriptor *const *)values)[i]->finalised)
            return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
    int at = descriptor->attribute_count++;
    size_t bytes = (size_t)count * size_of(type);
    descriptor->attributes[at].name = name;
    descriptor->attributes[at].count = count;
    descriptor->attributes[at].values = malloc(bytes);
    memcpy(descriptor->attributes[at].values, values, bytes);
    return CUDNN_STATUS_SUCCESS;
}

static const void *attribute(const struct descriptor *descriptor, cudnnBackendAttributeName_t name)
{
    for (int i = 0; i < descriptor->attribute_count; i++)
        if (descriptor->attributes[i].name == name)
            return descriptor->attributes[i].values;
    return NULL;
}

static const struct descriptor *referred(const struct descriptor *descriptor, cudnnBackendAttributeName_t name)
{
    const void *value = attribute(descriptor, name);
    return value ? *(struct descriptor *const *)value : NULL;
}

static bool resolve_tensor(struct descriptor *descriptor)
{
    const void *dimensions = attribute(descriptor, CUDNN_ATTR_TENSOR_DIMENSIONS);
    const void *strides = attribute(descriptor, CUDNN_ATTR_TENSOR_STRIDES);
    const int64_t *uid = attribute(descriptor, CUDNN_ATTR_TENSOR_UNIQUE_ID);
    const cudnnDataType_t *type = attribute(descriptor, CUDNN_ATTR_TENSOR_DATA_TYPE);
    if (!dimensions || !strides || !uid || !type || !attribute(descriptor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT))
        return false;
    memcpy(descriptor->tensor.dimensions, dimensions, sizeof descriptor->tensor.dimensions);
    memcpy(descriptor->tensor.strides, strides, sizeof descriptor->tensor.strides);
    descriptor->tensor.uid = *uid;
    descriptor->tensor.type = *type;
    return true;
}

static bool resolve_operation(struct descriptor *descriptor, cudnnBackendAttributeName_t x,
                              cudnnBackendAttributeName_t w, cudnnBackendAttributeName_t y,
                              cudnnBackendAttributeName_t convolution)
{
    const struct descriptor *parts[] = {referred(descriptor, x), referred(descriptor, w), referred(descriptor, y),
                                        referred(descriptor, convolution)};
    for (int i = 0; i < 4; i++)
        if (!parts[i])
            return false;
    const int64_t *pads = attribute(parts[3], CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
    const int64_t *strides = attribute(parts[3], CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
    descriptor->convolution = (struct conv_facts){descriptor->type, parts[0]->tensor, parts[1]->tensor,
                                                  parts[2]->tensor, pads[0],          strides[0]};
    return true;
}

static bool inherit(struct descriptor *descriptor, const struct descriptor *from)
{
    if (!from)
        return false;
    descriptor->convolution = from->convolution;
    descriptor->engine = from->engine;
    descriptor->handle = from->handle;
    return true;
}

/* An operation graph and a plan must name the handle that runs them. */
static bool resolve_handle(struct descriptor *descriptor, cudnnBackendAttributeName_t name)
{
    const cudnnHandle_t *handle = attribute(descriptor, name);
    descriptor->handle = handle ? *handle : NULL;
    return handle != NULL;
}

static bool resolve_heuristics(struct descriptor *descriptor)
{
    const cudnnBackendHeurMode_t *mode = attribute(descriptor, CUDNN_ATTR_ENGINEHEUR_MODE);
    descriptor->fallback = mode && *mode == CUDNN_HEUR_MODE_FALLBACK;
    fake_fallbacks += descriptor->fallback;
    return mode && inherit(descriptor, referred(descriptor, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH));
}

static bool resolve(struct descriptor *descriptor)
{
    switch (descriptor->type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        return resolve_tensor(descriptor);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
        return resolve_operation(descriptor, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        return resolve_operation(
            descriptor, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        return resolve_operation(
            descriptor, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
        return inherit(descriptor, referred(descriptor, CUDNN_ATTR_OPERATIONGRAPH_OPS)) &&
               resolve_handle(descriptor, CUDNN_ATTR_OPERATIONGRAPH_HANDLE);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        return resolve_heuristics(descriptor);
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        return inherit(descriptor, referred(descriptor, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)) &&
               resolve_handle(descriptor, CUDNN_ATTR_EXECUTION_PLAN_HANDLE);
    default:
        return true;
    }
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t opaque)
{
    struct descriptor *descriptor = opaque;
    cudaError_t status = fake_enter();
    if (status != cudaSuccess)
        return cudnn_status(status);
    if (descriptor->finalised || !resolve(descriptor))
        return CUDNN_STATUS_BAD_PARAM;
    descriptor->finalised = true;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t opaque, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t requested, int64_t *count,
                                       void *values)
{
    const struct descriptor *descriptor = opaque;
    struct descriptor **descriptors = values;
    cudaError_t status = fake_enter();
    if (status != cudaSuccess)
        return cudnn_status(status);
    if (!descriptor->finalised)
        return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
    *count = 1;
    switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
        *count = engine_count(descriptor);
        for (int64_t i = 0; i < *count && i < requested; i++) {
            inherit(descriptors[i], descriptor);
            descriptors[i]->engine = nth_engine(descriptor, i);
            descriptors[i]->finalised = true;
        }
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINECFG_ENGINE:
        inherit(descriptors[0], descriptor);
        descriptors[0]->finalised = true;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        *count = descriptor->engine == ENGINE_NONDETERMINISTIC || descriptor->engine == ENGINE_TENSOR_CORE;
        if (*count)
            *(cudnnBackendNumericalNote_t *)values = descriptor->engine == ENGINE_TENSOR_CORE
                                                         ? CUDNN_NUMERICAL_NOTE_TENSOR_CORE
                                                         : CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE:
        *count = 0;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        *(int64_t *)values = workspace_of(descriptor->engine);
        return CUDNN_STATUS_SUCCESS;
    default:
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
}

/* --- cuDNN: running --- */

struct convolution_call {
    struct conv_facts shape;
    int64_t workspace_bytes;
    void *x, *w, *y, *workspace;
};

static cudaDataType_t plain_type(cudnnDataType_t type)
{
    return type == CUDNN_DATA_FLOAT ? CUDA_R_32F : type == CUDNN_DATA_BFLOAT16 ? CUDA_R_16BF : CUDA_R_16F;
}

static int64_t place(const struct tensor_facts *tensor, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t *s = tensor->strides;
    return a * s[0] + b * s[1] + c * s[2] + d * s[3];
}

/* A tensor's values in the order of its dimensions. */
static double *gather(const struct tensor_facts *tensor, const void *data)
{
    const int64_t *d = tensor->dimensions;
    double *values = malloc((size_t)(d[0] * d[1] * d[2] * d[3]) * sizeof *values), *value = values;
    for (int64_t i = 0; i < d[0]; i++)
        for (int64_t j = 0; j < d[1]; j++)
            for (int64_t k = 0; k < d[2]; k++)
                for (int64_t l = 0; l < d[3]; l++)
                    *value++ = read_value(data, plain_type(tensor->type), place(tensor, i, j, k, l));
    return values;
}

static void scatter(const struct tensor_facts *tensor, const double *value, void *data)
{
    const int64_t *d = tensor->dimensions;
    for (int64_t i = 0; i < d[0]; i++)
        for (int64_t j = 0; j < d[1]; j++)
            for (int64_t k = 0; k < d[2]; k++)
                for (int64_t l = 0; l < d[3]; l++)
                    write_value(data, plain_type(tensor->type), place(tensor, i, j, k, l), (float)*value++);
}

/* Multiply for one row of the output and one place of the filter; the direction says which tensor is the sum.  The
   first pixel of the output meets pixel `first` of the input; those that meet none are left out. */
static void convolve_row(const struct conv_facts *s, int64_t first, double *x_row, double *w, double *y_row)
{
    const int64_t stride = s->stride, width = s->x.dimensions[3], out_width = s->y.dimensions[3];
    int64_t from = first < 0 ? (stride - 1 - first) / stride : 0, to = (width - first + stride - 1) / stride;
    to = to < out_width ? to : out_width;
    x_row += first;
    double weight = *w;
    if (s->direction == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
        for (int64_t x = from; x < to; x++)
            y_row[x] += x_row[x * stride] * weight;
    else if (s->direction == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
        for (int64_t x = from; x < to; x++)
            x_row[x * stride] += y_row[x] * weight;
    else {
        for (int64_t x = from; x < to; x++)
            weight += x_row[x * stride] * y_row[x];
        *w = weight;
    }
}

static void convolve(const struct conv_facts *s, double *x, double *w, double *y)
{
    const int64_t *xd = s->x.dimensions, *wd = s->w.dimensions, *yd = s->y.dimensions;
    for (int64_t n = 0; n < yd[0]; n++)
        for (int64_t o = 0; o < wd[0]; o++)
            for (int64_t c = 0; c < wd[1]; c++)
                for (int64_t ky = 0; ky < wd[2]; ky++)
                    for (int64_t kx = 0; kx < wd[3]; kx++)
                        for (int64_t row = 0; row < yd[2]; row++) {
                            int64_t iy = row * s->stride - s->pad + ky;
                            if (iy >= 0 && iy < xd[2])
                                convolve_row(s, kx - s->pad, x + ((n * xd[1] + c) * xd[2] + iy) * xd[3],
                                             w + ((o * wd[1] + c) * wd[2] + ky) * wd[3] + kx,
                                             y + ((n * yd[1] + o) * yd[2] + row) * yd[3]);
                        }
}

/* Sums are double, and rounded once. */
static void run_convolution(void *arguments)
{
    const struct convolution_call *call = arguments;
    const struct conv_facts *s = &call->shape;
    const struct tensor_facts *tensors[] = {&s->x, &s->w, &s->y};
    void *data[] = {call->x, call->w, call->y};
    const int target = s->direction == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR         ? 2
                       : s->direction == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ? 0
                                                                                                      : 1;
    double *values[3];
    for (int i = 0; i < 3; i++) {
        const int64_t *d = tensors[i]->dimensions;
        values[i] =
            i == target ? calloc((size_t)(d[0] * d[1] * d[2] * d[3]), sizeof *values[i]) : gather(tensors[i], data[i]);
    }
    memset(call->workspace, 0xff, (size_t)call->workspace_bytes);
    convolve(s, values[0], values[1], values[2]);
    scatter(tensors[target], values[target], data[target]);
    for (int i = 0; i < 3; i++)
        free(values[i]);
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_opaque,
                                  cudnnBackendDescriptor_t pack_opaque)
{
    const struct descriptor *plan = plan_opaque, *pack = pack_opaque;
    cudaError_t status = fake_enter();
    if (status != cudaSuccess)
        return cudnn_status(status);
    if (!plan->finalised || !pack->finalised)
        return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
    if (plan->handle != handle)
        return CUDNN_STATUS_BAD_PARAM;
    const int64_t *uids = attribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    void *const *pointers = attribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
    void *const *workspace = attribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
    struct convolution_call call = {plan->convolution, workspace_of(plan->engine), NULL, NULL, NULL, *workspace};
    for (int i = 0; i < 3; i++) {
        if (uids[i] == call.shape.x.uid)
            call.x = pointers[i];
        else if (uids[i] == call.shape.w.uid)
            call.w = pointers[i];
        else
            call.y = pointers[i];
    }
    fake_enqueue(handle->stream, run_convolution, &call, sizeof call);
    return CUDNN_STATUS_SUCCESS;
}

/* --- cuDNN: the rest --- */

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    cudaError_t status = fake_enter();
    if (status == cudaSuccess) {
        *handle = calloc(1, sizeof **handle);
        fake_count(&fake_alive.handles, 1);
    }
    return cudnn_status(status);
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    free(handle);
    fake_count(&fake_alive.handles, -1);
    return cudnn_status(fake_enter());
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return cudnn_status(fake_enter());
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return "a fake status";
}

cudnnStatus_t cudnnGetProperty(libraryPropertyType type, int *value)
{
    *value = type == MAJOR_VERSION ? 9 : 0;
    return CUDNN_STATUS_SUCCESS;
}
