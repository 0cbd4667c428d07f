/* module.c - what this module exports: its devices, and a backend for each device and storage type. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/cuda/context.h"
#include "util/memory.h"

#define SIZES(suffix, storage)                                                                                         \
    static size_t tensor_bytes_##suffix(const struct tensor *tensor, int batch)                                        \
    {                                                                                                                  \
        return tensor_bytes_of(tensor, batch, storage);                                                                \
    }                                                                                                                  \
    static size_t tensor_offset_##suffix(const struct tensor *tensor)                                                  \
    {                                                                                                                  \
        return (size_t)tensor->before * storage_bytes(storage);                                                        \
    }                                                                                                                  \
    static size_t saved_bytes_##suffix(const struct plan *plan, const struct op *op, int batch)                        \
    {                                                                                                                  \
        return saved_layout(plan, op, batch, storage, NULL).bytes;                                                     \
    }                                                                                                                  \
    static size_t scratch_bytes_##suffix(const struct backend *backend, const struct plan *plan, const struct op *op,  \
                                         int batch, int members)                                                       \
    {                                                                                                                  \
        return scratch_layout(op, batch, storage, NULL).bytes;                                                         \
    }
SIZES(f32, STORAGE_F32)
SIZES(half, STORAGE_F16) /* bf16 is as large */

static const struct backend_device device_table = {
    .plan_bytes = sizeof(struct plan),
    .workspace_most = (size_t)CONV_WORKSPACE_MOST + CUBLAS_WORKSPACE,
    .network_bytes = context_bytes,
    .open = context_open,
    .close = context_close,
    .write = context_write,
    .read = context_read,
    .download = context_download,
    .announce = step_announce,
    .begin = step_begin,
    .end = step_end,
    .results = step_results,
    .trouble = context_status,
};

static struct backend make_backend(enum storage storage)
{
    static const char *const names[STORAGES] = {"cuda f32", "cuda bf16", "cuda f16"};
    static const char *const descriptions[STORAGES] = {
        "[image][y][x][channel], float32, cuDNN and cuBLAS",
        "[image][y][x][channel], bfloat16 with float32 masters, cuDNN and cuBLAS",
        "[image][y][x][channel], float16 with float32 masters and loss scaling, cuDNN and cuBLAS",
    };
    bool whole = storage == STORAGE_F32;
    struct backend backend = cuda_operations;
    backend.name = names[storage];
    backend.description = descriptions[storage];
    backend.precision = whole ? PRECISION_F32 : PRECISION_BF16;
    backend.tensor_bytes = whole ? tensor_bytes_f32 : tensor_bytes_half;
    backend.tensor_offset = whole ? tensor_offset_f32 : tensor_offset_half;
    backend.saved_bytes = whole ? saved_bytes_f32 : saved_bytes_half;
    backend.scratch_bytes = whole ? scratch_bytes_f32 : scratch_bytes_half;
    backend.device = &device_table;
    return backend;
}

static struct cuda_backend backends[CUDA_DEVICES_MAX][STORAGES];
static pthread_once_t backends_once = PTHREAD_ONCE_INIT;

static void make_backends(void)
{
    int count;
    struct gpu *list = gpus(&count, NULL);
    for (int i = 0; i < count; i++) {
        for (int storage = 0; storage < STORAGES; storage++)
            backends[i][storage] =
                (struct cuda_backend){make_backend((enum storage)storage), &list[i], (enum storage)storage};
        backends[i][STORAGE_F32].base.prefers_bf16 = list[i].facts.bf16;
        backends[i][STORAGE_F32].base.bf16 = &backends[i][list[i].facts.bf16 ? STORAGE_BF16 : STORAGE_F16].base;
    }
}

static const struct backend *backend_of(int device)
{
    pthread_once(&backends_once, make_backends);
    return &backends[device][STORAGE_F32].base;
}

static const struct backend *backend_f16_of(int device)
{
    pthread_once(&backends_once, make_backends);
    return &backends[device][STORAGE_F16].base;
}

static const char *toolkit(void)
{
    static char text[96];
    int runtime = 0, blas[3] = {0}, dnn[3] = {0};
    cudaRuntimeGetVersion(&runtime);
    cublasGetProperty(MAJOR_VERSION, &blas[0]);
    cublasGetProperty(MINOR_VERSION, &blas[1]);
    cudnnGetProperty(MAJOR_VERSION, &dnn[0]);
    cudnnGetProperty(MINOR_VERSION, &dnn[1]);
    cudnnGetProperty(PATCH_LEVEL, &dnn[2]);
    snprintf(text, sizeof text, "CUDA %d.%d, cuDNN %d.%d.%d, cuBLAS %d.%d", runtime / 1000, runtime % 1000 / 10, dnn[0],
             dnn[1], dnn[2], blas[0], blas[1]);
    return text;
}

static int list_devices(struct cuda_device devices[CUDA_DEVICES_MAX], int *count, struct error *error)
{
    struct gpu *list = gpus(count, error);
    for (int i = 0; i < *count; i++)
        devices[i] = list[i].facts;
    return list ? 0 : -1;
}

static int memory_free(int device, double *bytes, struct error *error)
{
    int count;
    size_t available, total;
    const struct gpu *list = gpus(&count, error);
    if (!list || device >= count)
        return -1;
    cudaError_t status = cudaSetDevice(list[device].ordinal);
    if (status == cudaSuccess)
        status = cudaMemGetInfo(&available, &total);
    if (status != cudaSuccess)
        return error_set(error, "cuda:%d: %s (CUDA error %d)", device, cudaGetErrorString(status), (int)status);
    *bytes = (double)available;
    return 0;
}

__attribute__((visibility("default"))) const struct cuda_module espalier_cuda_module = {
    .program = PACKAGE_STRING,
    .toolkit = toolkit,
    .devices = list_devices,
    .memory_free = memory_free,
    .backend = backend_of,
    .backend_f16 = backend_f16_of,
};
