/*
 * kernel.c - loads the project's kernels, once for all devices, finds them by name and launches them.
 *
 * The images of kernels/ are fat binaries inside this module; the runtime loads the right code for a device when a
 * kernel first runs there.  A kernel takes one struct by value.
 */
#include <stdio.h>

#include "backend/cuda/context.h"
#include "util/bug.h"

enum { LIBRARIES_MAX = 16 };

static struct {
    pthread_mutex_t mutex;
    bool loaded;
    cudaLibrary_t libraries[LIBRARIES_MAX];
    int library_count;
    _Atomic(cudaKernel_t) kernels[KERNEL_COUNT][STORAGES];
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static const struct {
    const char *name;
    bool each; /* there is one for each storage type */
} names[KERNEL_COUNT] = {
#define KERNEL_EACH(name, arguments, barriers) [KERNEL_##name] = {#name, true},
#define KERNEL_ONE(name, arguments, barriers)  [KERNEL_##name] = {#name, false},
    KERNELS(KERNEL_EACH, KERNEL_ONE)};

static bool load_libraries(struct context *context)
{
    for (int i = all.library_count; kernel_images[i].data; i++) {
        ASSERT(i < LIBRARIES_MAX);
        if (!check_cuda(context,
                        cudaLibraryLoadData(&all.libraries[i], kernel_images[i].data, NULL, NULL, 0, NULL, NULL, 0),
                        "loading the kernels"))
            return false;
        all.library_count = i + 1;
    }
    all.loaded = true;
    return true;
}

static cudaKernel_t find(struct context *context, enum kernel kernel, enum storage storage)
{
    static const char *const suffixes[STORAGES] = {"_f32", "_bf16", "_f16"};
    char name[64];
    cudaKernel_t found = NULL;
    snprintf(name, sizeof name, "%s%s", names[kernel].name, names[kernel].each ? suffixes[storage] : "");
    pthread_mutex_lock(&all.mutex);
    if (all.loaded || load_libraries(context)) {
        cudaError_t status = cudaErrorSymbolNotFound;
        for (int i = 0; i < all.library_count && status == cudaErrorSymbolNotFound; i++)
            status = cudaLibraryGetKernel(&found, all.libraries[i], name);
        if (check_cuda(context, status, name))
            atomic_store(&all.kernels[kernel][storage], found);
    }
    pthread_mutex_unlock(&all.mutex);
    return found;
}

void launch(struct context *context, enum kernel kernel, enum storage storage, struct kernel_grid grid,
            const void *arguments)
{
    if (context->status != DEVICE_FINE)
        return;
    cudaKernel_t found = atomic_load(&all.kernels[kernel][storage]);
    if (!found && !(found = find(context, kernel, storage)))
        return;
    cudaLaunchConfig_t configuration = {
        .gridDim = {grid.x, grid.y, 1}, .blockDim = {KERNEL_THREADS, 1, 1}, .stream = context->stream->handle};
    void *pointers[] = {(void *)arguments};
    check_cuda(context, cudaLaunchKernelExC(&configuration, (const void *)found, pointers), names[kernel].name);
}
