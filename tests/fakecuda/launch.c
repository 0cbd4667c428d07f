/*
 * launch.c - the fake of the CUDA runtime, continued: graphs, kernels, and the functions that control the fake.
 */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/gpu.h"
#include "kernels/kernels.h"
#include "tests/kernels/on_cpu.h"

/* --- graphs --- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status)
        stream->captured = calloc(1, sizeof *stream->captured);
    fake_unlock();
    return status;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    struct CUgraph_st *captured = stream->captured;
    *graph = NULL;
    stream->captured = NULL; /* a capture ends in any case */
    if (!status && captured->spoilt)
        status = fake_last_error = cudaErrorStreamCaptureInvalidated;
    if (!status) {
        *graph = captured;
        fake.graph_nodes = captured->work.count;
        fake_alive.graphs++;
    } else {
        fake_clear(&captured->work);
        free(captured);
    }
    fake_unlock();
    return status;
}

cudaError_t cudaGraphCreate(cudaGraph_t *graph, unsigned flags)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status) {
        *graph = calloc(1, sizeof **graph);
        fake_alive.graphs++;
    }
    fake_unlock();
    return status;
}

/* Only behind the node that was added last, as a graph of work in a row. */
cudaError_t cudaGraphAddChildGraphNode(cudaGraphNode_t *node, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
                                       size_t dependency_count, cudaGraph_t child)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (dependency_count != (graph->work.count > 0) ||
        (dependency_count && dependencies[0] != (cudaGraphNode_t)graph->work.last))
        abort();
    for (struct stream_work *work = child->work.first; !status && work; work = work->next)
        fake_append(&graph->work, work->run, work->arguments, work->bytes);
    *node = (cudaGraphNode_t)graph->work.last;
    fake_unlock();
    return status;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long flags)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status) {
        *executable = calloc(1, sizeof **executable);
        for (struct stream_work *work = graph->work.first; work; work = work->next)
            fake_append(&(*executable)->work, work->run, work->arguments, work->bytes);
        fake_alive.graphs++;
    }
    fake_unlock();
    return status;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    fake_clear(&graph->work);
    free(graph);
    fake_alive.graphs--;
    fake_unlock();
    return status;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    fake_clear(&executable->work);
    free(executable);
    fake_alive.graphs--;
    fake_unlock();
    return status;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    for (struct stream_work *work = executable->work.first; !status && work; work = work->next)
        fake_append(&stream->waiting, work->run, work->arguments, work->bytes);
    fake.graph_launches += !status;
    fake_unlock();
    return status;
}

/* --- kernels --- */

static const struct {
    const char *name;
    size_t bytes; /* of its struct */
} arguments_of[] = {
#define ARGUMENTS_ONE(name, arguments, barriers) {#name, sizeof(struct arguments)},
#define ARGUMENTS_EACH(name, arguments, barriers)                                                                      \
    {#name "_f32", sizeof(struct arguments)}, {#name "_bf16", sizeof(struct arguments)},                               \
        {#name "_f16", sizeof(struct arguments)},
    KERNELS(ARGUMENTS_EACH, ARGUMENTS_ONE)};

struct CUkern_st {
    char name[48];
    size_t bytes;
};
enum { KERNELS_MAX = 128 };
static struct CUkern_st kernels[KERNELS_MAX];
static int kernel_count;

const struct kernel_image kernel_images[] = {{"fake", "fake"}, {0}};

cudaError_t cudaLibraryLoadData(cudaLibrary_t *library, const void *code, enum cudaJitOption *options,
                                void **option_values, unsigned option_count, enum cudaLibraryOption *library_options,
                                void **library_option_values, unsigned library_option_count)
{
    *library = (cudaLibrary_t)(uintptr_t)code;
    return fake_enter();
}

static size_t bytes_of(const char *name)
{
    for (size_t i = 0; i < sizeof arguments_of / sizeof arguments_of[0]; i++)
        if (strcmp(arguments_of[i].name, name) == 0)
            return arguments_of[i].bytes;
    return 0;
}

cudaError_t cudaLibraryGetKernel(cudaKernel_t *kernel, cudaLibrary_t library, const char *name)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status && !shim_has(name))
        status = fake_last_error = cudaErrorSymbolNotFound;
    if (!status) {
        struct CUkern_st *found = &kernels[kernel_count++];
        snprintf(found->name, sizeof found->name, "%s", name);
        found->bytes = bytes_of(name);
        if (kernel_count > KERNELS_MAX || !found->bytes)
            abort();
        *kernel = found;
    }
    fake_unlock();
    return status;
}

struct kernel_call {
    const struct CUkern_st *kernel;
    unsigned x, y;
};

static void run_kernel(void *arguments)
{
    struct kernel_call *call = arguments;
    void *pointers[] = {call + 1};
    shim_launch(call->kernel->name, call->x, call->y, pointers);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *configuration, const void *kernel, void **arguments)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    struct {
        struct kernel_call call;
        char arguments[512];
    } packed = {{kernel, configuration->gridDim.x, configuration->gridDim.y}, {0}};
    if (packed.call.kernel->bytes > sizeof packed.arguments || configuration->blockDim.x != KERNEL_THREADS ||
        !packed.call.x || !packed.call.y)
        abort();
    memcpy(packed.arguments, arguments[0], packed.call.kernel->bytes);
    if (!status)
        fake_put(configuration->stream, run_kernel, &packed, sizeof packed);
    fake_unlock();
    return status;
}

/* Work that is no kernel of the project's is a library's, or a copy. */
cudaError_t cudaGraphDebugDotPrint(cudaGraph_t graph, const char *path, unsigned flags)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    FILE *file = status ? NULL : fopen(path, "w");
    if (file) {
        int number = 0;
        fprintf(file, "digraph dot {\n");
        for (struct stream_work *work = graph->work.first; work; work = work->next, number++)
            fprintf(file, "\"graph_0_node_%d\"[label=\"%d\n%s\n\"];\n", number, number,
                    work->run == run_kernel ? ((struct kernel_call *)work->arguments)->kernel->name : "library");
        fprintf(file, "}\n");
        fclose(file);
    }
    fake_unlock();
    return status;
}

/* --- control --- */

static int64_t control_calls(void)
{
    fake_lock();
    int64_t calls = fake.calls;
    fake_unlock();
    return calls;
}

static void control_fail_function(const char *name, int64_t call, int status)
{
    fake_lock();
    fake.fail_function = name;
    fake.fail_at = call;
    fake.fail_status = status;
    fake_unlock();
}

static void control_fail_at(int64_t call, int status)
{
    control_fail_function(NULL, call, status);
}

static int control_functions(struct fake_function functions[FAKE_FUNCTIONS_MAX])
{
    fake_lock();
    int count = fake.function_count;
    memcpy(functions, fake.functions, sizeof fake.functions);
    fake_unlock();
    return count;
}

static int control_failures(void)
{
    fake_lock();
    int failures = fake.failures;
    fake_unlock();
    return failures;
}

static void control_counts(struct fake_counts *counts)
{
    fake_lock();
    *counts = fake_alive;
    fake_unlock();
}

static void control_set_memory(size_t bytes)
{
    fake_lock();
    fake.memory = bytes;
    fake_unlock();
}

static void control_heal(void)
{
    fake_lock();
    memset(fake.broken, 0, sizeof fake.broken);
    fake.fail_at = 0;
    fake_unlock();
}

/* An allocation that no device can satisfy makes the backend free all that is idle. */
static void control_drop_idle(void)
{
    int count;
    struct gpu *list = gpus(&count, NULL);
    for (int i = 0; i < count; i++) {
        void *memory;
        if (cudaSetDevice(list[i].ordinal) || device_memory(&list[i], &memory, SIZE_MAX / 2) == cudaSuccess)
            abort();
    }
    cudaGetLastError();
}

static int64_t control_graph_launches(void)
{
    fake_lock();
    int64_t launches = fake.graph_launches;
    fake_unlock();
    return launches;
}

static int64_t control_graph_nodes(void)
{
    fake_lock();
    int64_t nodes = fake.graph_nodes;
    fake_unlock();
    return nodes;
}

static int64_t control_fallbacks(void)
{
    return fake_fallbacks;
}

__attribute__((visibility("default"))) const struct fake_cuda fake_cuda = {
    .calls = control_calls,
    .fail_at = control_fail_at,
    .fail_function = control_fail_function,
    .functions = control_functions,
    .failures = control_failures,
    .counts = control_counts,
    .set_memory = control_set_memory,
    .heal = control_heal,
    .drop_idle = control_drop_idle,
    .graph_launches = control_graph_launches,
    .graph_nodes = control_graph_nodes,
    .fallbacks = control_fallbacks,
};
