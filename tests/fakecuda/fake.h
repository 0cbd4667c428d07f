/*
 * fake.h - a CUDA runtime, cuDNN and cuBLAS without a GPU: only the calls that the CUDA backend makes, compiled against
 * NVIDIA's headers and linked into a module in place of NVIDIA's libraries.
 *
 * It is stricter than a GPU, so that mistakes of the host's code show:
 *   - device memory starts as NaN, and only work that runs on its device can access it (PROT_NONE: else a crash);
 *   - work in a stream runs only when somebody waits for it, and reads pinned memory as it is then;
 *   - a captured stream runs nothing until its graph is launched, and may not be asked whether it is ready;
 *   - cuDNN and cuBLAS have an error state of their own, which cudaGetLastError() doesn't show;
 *   - cuDNN's descriptors must be finalised before they are used, and can't be changed afterwards; a plan runs only
 * with the handle that it was made for;
 *   - the workspace of a convolution is filled with NaN, to its last byte;
 *   - the nth call can be made to fail; a sticky error then fails every later call on that device.
 *
 * tests/kernels/on_cpu.h runs the kernels, plain loops compute convolutions and matrix products.  The module exports
 * `fake_cuda`.  Environment: FAKE_CUDA_DEVICES (2), FAKE_CUDA_MEMORY (bytes of each device), FAKE_CUDA_CAPABILITY (80),
 * FAKE_CUDA_NAME ("Fake GPU"), FAKE_CUDA_WORKSPACE (64 MiB: what cuDNN's preferred engine needs), FAKE_CUDA_FAIL_AT and
 * FAKE_CUDA_FAIL_STATUS.
 */
#ifndef ESPALIER_TESTS_FAKE_CUDA_H
#define ESPALIER_TESTS_FAKE_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_DEVICES_MAX = 8, FAKE_FUNCTIONS_MAX = 64 };

struct fake_counts {
    int allocations, pinned, streams, events, graphs, handles, descriptors;
};

struct fake_function {
    const char *name;
    int64_t calls;
};

struct fake_cuda {
    int64_t (*calls)(void);                                               /* so far */
    void (*fail_at)(int64_t call, int status);                            /* that call, counted from 1; 0: none */
    void (*fail_function)(const char *name, int64_t call, int status);    /* that call of one function, the same */
    int (*functions)(struct fake_function functions[FAKE_FUNCTIONS_MAX]); /* all that were called so far */
    int (*failures)(void);                                                /* calls that were made to fail so far */
    void (*counts)(struct fake_counts *counts);                           /* what is alive */
    void (*set_memory)(size_t bytes);                                     /* of each device */
    void (*heal)(void);                                                   /* no device is broken */
    void (*drop_idle)(void); /* the backend gives back all that no network uses */
    int64_t (*graph_launches)(void);
    int64_t (*graph_nodes)(void); /* of the step that was captured last */
    int64_t (*fallbacks)(void);   /* how often cuDNN's fallback heuristics were asked */
};
extern const struct fake_cuda fake_cuda;

#ifdef FAKE_INTERNAL
#include <cuda_runtime_api.h>

/* Every function of CUDA begins with this: it counts the call, and returns the status that it must fail with. */
cudaError_t fake_enter_named(const char *function);
#define fake_enter() fake_enter_named(__func__)
int64_t fake_large_workspace(void);
/* A library owns this memory: no work may access it. */
void fake_close(const void *memory);
/* Work for a stream: `run` gets a copy of `arguments` when it runs. */
void fake_enqueue(cudaStream_t stream, void (*run)(void *arguments), const void *arguments, size_t bytes);
/* Objects that exist; `change` is 1 or -1. */
extern struct fake_counts fake_alive;
extern _Atomic int64_t fake_fallbacks;
void fake_count(int *counter, int change);
#endif

#endif
