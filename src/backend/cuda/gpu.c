/*
 * gpu.c - see gpu.h.
 *
 * There are as many streams as networks ran at once.  Idle streams and unused data sets stay until an allocation finds
 * no memory (device_memory).  What a lost device holds is never freed: no call on that device succeeds any more.
 */
#include "backend/cuda/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

static struct {
    pthread_once_t once;
    struct gpu *list;
    int count;
    struct error reason;
} all = {.once = PTHREAD_ONCE_INIT};

static cudaError_t read_facts(struct gpu *gpu)
{
    struct cudaDeviceProp facts;
    cudaError_t status = cudaGetDeviceProperties(&facts, gpu->ordinal);
    if (status != cudaSuccess) {
        cudaGetLastError();
        return status;
    }
    struct cuda_device *device = &gpu->facts;
    snprintf(device->name, sizeof device->name, "%.63s", facts.name);
    /* As the driver's tools print it.  The name of a MIG device holds " MIG ": "NVIDIA A100 MIG 1g.5gb". */
    const unsigned char *b = (const unsigned char *)facts.uuid.bytes;
    snprintf(device->uuid, sizeof device->uuid,
             "%s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             strstr(facts.name, " MIG ") ? "MIG" : "GPU", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
             b[10], b[11], b[12], b[13], b[14], b[15]);
    snprintf(device->bus, sizeof device->bus, "%04x:%02x:%02x.0", (unsigned)facts.pciDomainID, (unsigned)facts.pciBusID,
             (unsigned)facts.pciDeviceID);
    device->major = facts.major;
    device->minor = facts.minor;
    device->processors = facts.multiProcessorCount;
    device->memory = (double)facts.totalGlobalMem;
    device->bf16 = facts.major >= 8;
    return cudaSuccess;
}

static int by_bus(const void *a, const void *b)
{
    const struct gpu *first = a, *second = b;
    int order = strcmp(first->facts.bus, second->facts.bus);
    return order ? order : first->ordinal - second->ordinal; /* MIG devices share an address */
}

static void find_all(void)
{
    int count = 0;
    cudaError_t status = cudaGetDeviceCount(&count); /* without a driver it doesn't set count */
    if (status == cudaErrorInsufficientDriver) {
        int driver = 0, runtime = 0;
        cudaDriverGetVersion(&driver);
        cudaRuntimeGetVersion(&runtime);
        if (driver)
            error_set(&all.reason,
                      "the NVIDIA driver is for CUDA %d.%d, older than CUDA %d.%d of this build; update it%s",
                      driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10,
                      runtime / 1000 == 13   ? " to 580 or newer"
                      : runtime / 1000 == 12 ? " to 525 or newer"
                                             : "");
        else
            error_set(&all.reason, "there is no NVIDIA driver (libcuda.so.1)");
        return;
    }
    if (status != cudaSuccess || !count) {
        const char *visible = getenv("CUDA_VISIBLE_DEVICES");
        error_set(&all.reason, "the driver shows no device: %s%s%s",
                  status == cudaSuccess ? "none is there" : cudaGetErrorString(status),
                  visible ? "; CUDA_VISIBLE_DEVICES is " : "", visible ? visible : "");
        return;
    }
    if (count > CUDA_DEVICES_MAX)
        count = CUDA_DEVICES_MAX;
    all.list = memory_new((size_t)count, sizeof *all.list);
    for (int i = 0; i < count; i++) {
        struct gpu *gpu = &all.list[all.count];
        *gpu = (struct gpu){.ordinal = i};
        cudaError_t unreadable = read_facts(gpu);
        if (unreadable != cudaSuccess)
            status = unreadable;
        else if (gpu->facts.major > 7 || (gpu->facts.major == 7 && gpu->facts.minor >= 5))
            all.count++;
    }
    qsort(all.list, (size_t)all.count, sizeof *all.list, by_bus);
    for (int i = 0; i < all.count; i++) {
        all.list[i].number = i;
        atomic_init(&all.list[i].lost, false);
        pthread_mutex_init(&all.list[i].mutex, NULL);
        pthread_mutex_init(&all.list[i].upload, NULL);
    }
    if (!all.count && status != cudaSuccess)
        error_set(&all.reason, "the driver can't describe %d device%s: %s (CUDA error %d)", count,
                  count == 1 ? "" : "s", cudaGetErrorString(status), (int)status);
    else if (!all.count)
        error_set(&all.reason, "none of %d device%s has compute capability 7.5 or more (Turing)", count,
                  count == 1 ? "" : "s");
}

struct gpu *gpus(int *count, struct error *error)
{
    pthread_once(&all.once, find_all);
    *count = all.count;
    if (!all.count)
        error_set(error, "%s", all.reason.text);
    return all.count ? all.list : NULL;
}

static void stream_free(struct stream *stream)
{
    conv_plans_done(&stream->plans);
    conv_device_free(stream->conv_device);
    if (stream->cublas)
        cublasDestroy(stream->cublas);
    if (stream->cudnn)
        cudnnDestroy(stream->cudnn);
    cudaFree(stream->workspace);
    cudaFree(stream->cublas_workspace);
    cudaFreeHost(stream->pinned);
    if (stream->done)
        cudaEventDestroy(stream->done);
    if (stream->handle)
        cudaStreamDestroy(stream->handle);
    free(stream);
}

static bool stream_make(struct context *context, struct stream *stream)
{
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    return check_cuda(context, cudaStreamCreateWithFlags(&stream->handle, cudaStreamNonBlocking), "making a stream") &&
           check_cuda(context, cudaEventCreateWithFlags(&stream->done, cudaEventDisableTiming | cudaEventBlockingSync),
                      "making an event") &&
           check_cudnn(context, cudnnCreate(&stream->cudnn), "starting cuDNN") &&
           check_cudnn(context, cudnnSetStream(stream->cudnn, stream->handle), "starting cuDNN") &&
           ((stream->conv_device = conv_device_new(stream->cudnn, NULL, &status)) ||
            check_cudnn(context, status, "describing the device to cuDNN")) &&
           check_cublas(context, cublasCreate(&stream->cublas), "starting cuBLAS") &&
           check_cublas(context, cublasSetStream(stream->cublas, stream->handle), "starting cuBLAS") &&
           check_cuda(context, device_memory(context->gpu, &stream->cublas_workspace, CUBLAS_WORKSPACE),
                      "workspace for cuBLAS") &&
           check_cublas(context, cublasSetWorkspace(stream->cublas, stream->cublas_workspace, CUBLAS_WORKSPACE),
                        "workspace for cuBLAS");
}

struct stream *stream_acquire(struct context *context)
{
    struct gpu *gpu = context->gpu;
    pthread_mutex_lock(&gpu->mutex);
    struct stream *stream = gpu->idle;
    if (stream)
        gpu->idle = stream->next;
    pthread_mutex_unlock(&gpu->mutex);
    if (stream)
        return stream;
    stream = memory_new(1, sizeof *stream);
    stream->gpu = gpu;
    if (stream_make(context, stream))
        return stream;
    stream_free(stream);
    return NULL;
}

void stream_release(struct context *context)
{
    struct stream *stream = context->stream;
    struct gpu *gpu = context->gpu;
    context->stream = NULL;
    if (!stream)
        return;
    if (context->status != DEVICE_FINE) {
        stream_free(stream);
        return;
    }
    conv_plans_trim(&stream->plans, PLANS_KEPT);
    pthread_mutex_lock(&gpu->mutex);
    stream->next = gpu->idle;
    gpu->idle = stream;
    pthread_mutex_unlock(&gpu->mutex);
}

static void data_set_free(struct data_set *set)
{
    cudaFree(set->pixels);
    cudaFree(set->labels);
    free(set);
}

static struct data_set *data_set_make(struct context *context, const struct images *images)
{
    struct data_set *set = memory_new(1, sizeof *set);
    size_t labels = (size_t)images->count * sizeof *images->labels;
    size_t pixels = (size_t)images->count * images->shape.channels * images->shape.height * images->shape.width;
    set->hash = images->hash;
    if (check_cuda(context, device_memory(context->gpu, (void **)&set->pixels, pixels), "memory for the images") &&
        check_cuda(context, device_memory(context->gpu, (void **)&set->labels, labels), "memory for the labels") &&
        check_cuda(
            context,
            cudaMemcpyAsync(set->pixels, images->pixels, pixels, cudaMemcpyHostToDevice, context->stream->handle),
            "sending the images") &&
        check_cuda(
            context,
            cudaMemcpyAsync(set->labels, images->labels, labels, cudaMemcpyHostToDevice, context->stream->handle),
            "sending the labels") &&
        synchronise(context))
        return set;
    data_set_free(set);
    return NULL;
}

struct data_set *data_set_acquire(struct context *context, const struct images *images)
{
    struct gpu *gpu = context->gpu;
    pthread_mutex_lock(&gpu->upload); /* so that two threads send a data set once */
    pthread_mutex_lock(&gpu->mutex);
    struct data_set *set = gpu->data_sets;
    while (set && !hash_equal(set->hash, images->hash))
        set = set->next;
    if (set)
        set->users++;
    pthread_mutex_unlock(&gpu->mutex);
    if (!set && (set = data_set_make(context, images))) {
        set->users = 1;
        pthread_mutex_lock(&gpu->mutex);
        set->next = gpu->data_sets;
        gpu->data_sets = set;
        pthread_mutex_unlock(&gpu->mutex);
    }
    pthread_mutex_unlock(&gpu->upload);
    return set;
}

void data_set_release(struct gpu *gpu, struct data_set *set)
{
    if (!set)
        return;
    pthread_mutex_lock(&gpu->mutex);
    set->users--;
    pthread_mutex_unlock(&gpu->mutex);
}

cudaError_t device_memory(struct gpu *gpu, void **memory, size_t bytes)
{
    struct data_set *unused = NULL;
    cudaError_t status = cudaMalloc(memory, bytes);
    if (status != cudaErrorMemoryAllocation)
        return status;
    cudaGetLastError();
    pthread_mutex_lock(&gpu->mutex);
    struct stream *idle = gpu->idle;
    gpu->idle = NULL;
    for (struct data_set **at = &gpu->data_sets; *at;) {
        struct data_set *set = *at;
        if (set->users) {
            at = &set->next;
            continue;
        }
        *at = set->next;
        set->next = unused;
        unused = set;
    }
    pthread_mutex_unlock(&gpu->mutex);
    for (struct stream *next; idle; idle = next) {
        next = idle->next;
        stream_free(idle);
    }
    for (struct data_set *set = unused, *next; set; set = next) {
        next = set->next;
        data_set_free(set);
    }
    return cudaMalloc(memory, bytes);
}
