/*
 * trouble.c - what a status of CUDA, cuDNN or cuBLAS means for a network and its device.
 *
 * Three outcomes: memory that can't be had (the next network may be smaller), a refusal (an argument, a shape: this
 * network's matter), and a lost device.  CUDA repeats the errors of the last kind at every call from then on; they are
 * told apart by their number.  cuDNN and cuBLAS say "execution failed" for either, so the runtime is asked.
 */
#include <stdarg.h>
#include <stdio.h>

#include "backend/cuda/internal.h"

void set_trouble(struct context *context, enum device_trouble trouble, const char *format, ...)
{
    if (context->trouble != DEVICE_FINE)
        return;
    char what[sizeof context->reason.text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    context->trouble = trouble;
    error_set(&context->reason, "cuda:%d: %s", context->gpu->number, what);
    if (trouble == DEVICE_LOST)
        atomic_store(&context->gpu->lost, true);
}

static enum device_trouble meaning(cudaError_t status)
{
    switch (status) {
    case cudaErrorMemoryAllocation:
        return DEVICE_NO_MEMORY;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorInvalidKernelImage:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorSymbolNotFound:
    case cudaErrorLaunchOutOfResources:
    case cudaErrorNotSupported:
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureImplicit:
        return DEVICE_REFUSED;
    default:
        return DEVICE_LOST;
    }
}

bool check_cuda(struct context *context, cudaError_t status, const char *what)
{
    if (status == cudaSuccess)
        return true;
    enum device_trouble trouble = meaning(status);
    if (trouble != DEVICE_LOST)
        cudaGetLastError(); /* else the next call would report it again */
    static const char *const outcomes[] = {
        [DEVICE_FINE] = "",
        [DEVICE_NO_MEMORY] = "; use a smaller batch, fewer trainers, or a limit on parameters or memory",
        [DEVICE_REFUSED] = "",
        [DEVICE_LOST] = "; the device is lost for this process",
    };
    set_trouble(context, trouble, "%s: %s (CUDA error %d)%s", what, cudaGetErrorString(status), (int)status,
                outcomes[trouble]);
    return false;
}

/* After a library said that execution failed: the runtime's own word, if it has one. */
static void ask_runtime(struct context *context, const char *what, const char *library, const char *text, int status)
{
    if (check_cuda(context, cudaGetLastError(), what))
        set_trouble(context, DEVICE_REFUSED, "%s: %s (%s status %d)", what, text, library, status);
}

bool check_cudnn(struct context *context, cudnnStatus_t status, const char *what)
{
    if (status == CUDNN_STATUS_SUCCESS)
        return true;
    if (status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
        status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
        return check_cuda(context, cudaErrorMemoryAllocation, what);
    ask_runtime(context, what, "cuDNN", cudnnGetErrorString(status), (int)status);
    return false;
}

bool check_cublas(struct context *context, cublasStatus_t status, const char *what)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return true;
    if (status == CUBLAS_STATUS_ALLOC_FAILED)
        return check_cuda(context, cudaErrorMemoryAllocation, what);
    ask_runtime(context, what, "cuBLAS", cublasGetStatusString(status), (int)status);
    return false;
}

bool enter(struct context *context)
{
    if (context->trouble == DEVICE_FINE && atomic_load(&context->gpu->lost))
        set_trouble(context, DEVICE_LOST, "the device was lost before");
    return context->trouble == DEVICE_FINE &&
           check_cuda(context, cudaSetDevice(context->gpu->ordinal), "choosing the device");
}

bool wait_for_all(struct context *context)
{
    return check_cuda(context, cudaEventRecord(context->lane->done, context->lane->stream), "marking the stream") &&
           check_cuda(context, cudaEventSynchronize(context->lane->done), "waiting for the device");
}
