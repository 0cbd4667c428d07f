/*
 * status.c - what a status of CUDA, cuDNN or cuBLAS means for a network and its device.
 *
 * There are three kinds: no memory (a smaller network may succeed), refused (an argument or a shape of this network),
 * and a lost device, whose error CUDA repeats at every later call.  CUDA's error number tells the kind.  cuDNN and
 * cuBLAS report "execution failed" for the last two.  They have a CUDA runtime of their own inside, whose last error
 * this module's runtime doesn't know, so the stream is asked: on a lost device that fails too.
 */
#include <stdarg.h>
#include <stdio.h>

#include "backend/cuda/context.h"

void context_fail(struct context *context, enum device_trouble status, const char *format, ...)
{
    if (context->status != DEVICE_FINE)
        return;
    char what[sizeof context->reason.text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    context->status = status;
    error_set(&context->reason, "cuda:%d: %s", context->gpu->number, what);
    if (status == DEVICE_LOST)
        atomic_store(&context->gpu->lost, true);
}

static enum device_trouble status_of(cudaError_t status)
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
    case cudaErrorStreamCaptureMerge:
    case cudaErrorStreamCaptureUnmatched:
    case cudaErrorStreamCaptureUnjoined:
    case cudaErrorStreamCaptureIsolation:
    case cudaErrorStreamCaptureImplicit:
    case cudaErrorCapturedEvent:
    case cudaErrorStreamCaptureWrongThread:
    case cudaErrorGraphExecUpdateFailure:
        return DEVICE_REFUSED;
    default:
        return DEVICE_LOST;
    }
}

bool check_cuda(struct context *context, cudaError_t status, const char *what)
{
    if (status == cudaSuccess)
        return true;
    enum device_trouble kind = status_of(status);
    if (kind != DEVICE_LOST)
        cudaGetLastError(); /* or the next call would report it again */
    static const char *const advice[] = {
        [DEVICE_FINE] = "",
        [DEVICE_NO_MEMORY] = "; use a smaller batch, fewer trainers, or a limit on parameters or memory",
        [DEVICE_REFUSED] = "",
        [DEVICE_LOST] = "; the device is lost for this process",
    };
    context_fail(context, kind, "%s: %s (CUDA error %d)%s", what, cudaGetErrorString(status), (int)status,
                 advice[kind]);
    return false;
}

/* A library reported that execution failed: is the device lost?  A stream may not be asked while it is captured, and
   what was captured is of no use any more. */
static void check_execution(struct context *context, const char *what, const char *library, const char *text,
                            int status)
{
    if (context->capturing)
        capture_drop(context);
    cudaError_t found = cudaStreamQuery(context->stream ? context->stream->handle : cudaStreamPerThread);
    if (found == cudaErrorNotReady) {
        cudaGetLastError();
        found = cudaSuccess;
    }
    if (check_cuda(context, found, what))
        context_fail(context, DEVICE_REFUSED, "%s: %s (%s status %d)", what, text, library, status);
}

bool check_cudnn(struct context *context, cudnnStatus_t status, const char *what)
{
    if (status == CUDNN_STATUS_SUCCESS)
        return true;
    if (status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
        status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
        return check_cuda(context, cudaErrorMemoryAllocation, what);
    check_execution(context, what, "cuDNN", cudnnGetErrorString(status), (int)status);
    return false;
}

bool check_cublas(struct context *context, cublasStatus_t status, const char *what)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return true;
    if (status == CUBLAS_STATUS_ALLOC_FAILED)
        return check_cuda(context, cudaErrorMemoryAllocation, what);
    check_execution(context, what, "cuBLAS", cublasGetStatusString(status), (int)status);
    return false;
}

bool select_device(struct context *context)
{
    if (context->status == DEVICE_FINE && atomic_load(&context->gpu->lost))
        context_fail(context, DEVICE_LOST, "the device was lost before");
    return context->status == DEVICE_FINE &&
           check_cuda(context, cudaSetDevice(context->gpu->ordinal), "choosing the device");
}

bool synchronise(struct context *context)
{
    return check_cuda(context, cudaEventRecord(context->stream->done, context->stream->handle), "marking the stream") &&
           check_cuda(context, cudaEventSynchronize(context->stream->done), "waiting for the device");
}
