/*
 * runtime.c - the fake of the CUDA runtime: devices, memory, streams, events.
 *
 * One mutex guards everything, and is held while work runs: the fake needn't be fast.  A stream is a list
 * of work; an event remembers how much of it must have run.  A device's memory can be accessed only while its work
 * runs.
 */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILLED_MOST = 2 << 20 };

struct fake_state fake = {.mutex = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

struct fake_counts fake_alive;
static _Thread_local int current_device;
_Thread_local cudaError_t fake_last_error;

static int64_t number_from(const char *name, int64_t fallback)
{
    const char *text = getenv(name);
    return text && *text ? strtoll(text, NULL, 10) : fallback;
}

static void initialise(void)
{
    fake.devices = (int)number_from("FAKE_CUDA_DEVICES", 2);
    fake.capability = (int)number_from("FAKE_CUDA_CAPABILITY", 80);
    fake.memory = (size_t)number_from("FAKE_CUDA_MEMORY", 1 << 30);
    fake.large_workspace = number_from("FAKE_CUDA_WORKSPACE", 64 << 20);
    fake.fail_at = number_from("FAKE_CUDA_FAIL_AT", 0);
    fake.fail_status = (int)number_from("FAKE_CUDA_FAIL_STATUS", cudaErrorMemoryAllocation);
}

void fake_lock(void)
{
    pthread_once(&fake.once, initialise);
    pthread_mutex_lock(&fake.mutex);
}

void fake_unlock(void)
{
    pthread_mutex_unlock(&fake.mutex);
}

static bool is_sticky(int status)
{
    return status >= 700 && status < 800 && status != cudaErrorLaunchOutOfResources;
}

static struct fake_function *find_function(const char *name)
{
    int i = 0;
    while (i < fake.function_count && strcmp(fake.functions[i].name, name) != 0)
        i++;
    if (i == FAKE_FUNCTIONS_MAX)
        abort();
    if (i == fake.function_count)
        fake.functions[fake.function_count++] = (struct fake_function){name, 0};
    return &fake.functions[i];
}

static bool must_fail(const struct fake_function *function)
{
    if (!fake.fail_function)
        return fake.calls == fake.fail_at;
    return function->calls == fake.fail_at && strcmp(function->name, fake.fail_function) == 0;
}

cudaError_t fake_count_named(const char *name)
{
    struct fake_function *function = find_function(name);
    function->calls++;
    fake.calls++;
    cudaError_t status = fake.broken[current_device];
    if (must_fail(function)) {
        fake.failures++;
        status = (cudaError_t)fake.fail_status;
        if (is_sticky(fake.fail_status))
            fake.broken[current_device] = status;
    }
    /* cuDNN and cuBLAS have a runtime of their own: the module's doesn't know what theirs reported. */
    if (status && strncmp(name, "cuda", 4) == 0)
        fake_last_error = status;
    return status;
}

cudaError_t fake_enter_named(const char *function)
{
    fake_lock();
    cudaError_t status = fake_count_named(function);
    fake_unlock();
    return status;
}

int64_t fake_large_workspace(void)
{
    fake_lock();
    int64_t bytes = fake.large_workspace;
    fake_unlock();
    return bytes;
}

void fake_count(int *counter, int change)
{
    fake_lock();
    *counter += change;
    fake_unlock();
}

/* --- work --- */

void fake_append(struct work_list *list, void (*run)(void *), const void *arguments, size_t bytes)
{
    struct stream_work *work = malloc(sizeof *work);
    *work = (struct stream_work){.run = run, .arguments = malloc(bytes ? bytes : 1), .bytes = bytes};
    memcpy(work->arguments, arguments, bytes);
    if (!list->first)
        list->last = &list->first;
    *list->last = work;
    list->last = &work->next;
    list->count++;
}

void fake_clear(struct work_list *list)
{
    for (struct stream_work *work = list->first; work;) {
        struct stream_work *next = work->next;
        free(work->arguments);
        free(work);
        work = next;
    }
    *list = (struct work_list){0};
}

void fake_put(struct CUstream_st *stream, void (*run)(void *), const void *arguments, size_t bytes)
{
    fake_append(stream->captured ? &stream->captured->work : &stream->waiting, run, arguments, bytes);
}

void fake_enqueue(cudaStream_t stream, void (*run)(void *arguments), const void *arguments, size_t bytes)
{
    fake_lock();
    fake_put(stream, run, arguments, bytes);
    fake_unlock();
}

static void protect(int device, int protection)
{
    for (struct allocation *at = fake.allocations; at; at = at->next)
        if (at->device == device && !at->closed)
            mprotect(at->memory, at->mapped, protection);
}

void fake_close(const void *memory)
{
    fake_lock();
    for (struct allocation *at = fake.allocations; at; at = at->next)
        at->closed |= at->memory == memory;
    fake_unlock();
}

/* Run a stream's work until `until` pieces of it are done. */
static void run(struct CUstream_st *stream, int64_t until)
{
    if (stream->done >= until || fake.broken[stream->device])
        return;
    protect(stream->device, PROT_READ | PROT_WRITE);
    while (stream->done < until) {
        struct stream_work *work = stream->waiting.first;
        stream->waiting.first = work->next;
        if (!work->next)
            stream->waiting.last = &stream->waiting.first;
        work->run(work->arguments);
        free(work->arguments);
        free(work);
        stream->done++;
    }
    protect(stream->device, PROT_NONE);
}

static void run_device(int device)
{
    for (struct CUstream_st *stream = fake.streams; stream; stream = stream->next)
        if (stream->device == device)
            run(stream, stream->waiting.count);
}

/* --- devices --- */

cudaError_t cudaGetDeviceCount(int *count)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status && !fake.devices)
        status = cudaErrorInsufficientDriver;
    if (!status)
        *count = fake.devices;
    fake_unlock();
    return status;
}

cudaError_t cudaSetDevice(int device)
{
    fake_lock();
    current_device = device;
    cudaError_t status = fake_count_call();
    fake_unlock();
    return status;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *facts, int device)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    memset(facts, 0, sizeof *facts);
    const char *name = getenv("FAKE_CUDA_NAME");
    snprintf(facts->name, sizeof facts->name, "%s %d", name ? name : "Fake GPU", device);
    facts->uuid.bytes[15] = (char)device;
    facts->pciBusID = 0x40 - device; /* not in the order of the ordinals */
    facts->major = fake.capability / 10;
    facts->minor = fake.capability % 10;
    facts->multiProcessorCount = 4;
    facts->totalGlobalMem = fake.memory;
    fake_unlock();
    return status;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    fake_lock();
    *version = fake.devices ? CUDART_VERSION : 0;
    fake_unlock();
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t status = fake_last_error;
    fake_last_error = cudaSuccess;
    return status;
}

const char *cudaGetErrorString(cudaError_t status)
{
    return status == cudaErrorMemoryAllocation ? "out of memory" : "a fake error";
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    *total = fake.memory;
    *available = fake.memory - fake.used[current_device];
    fake_unlock();
    return status;
}

/* --- memory --- */

/* NaN in any type.  In large memory only the two ends are filled: it is a library's workspace, and filling takes time.
 */
static void fill_with_nan(char *memory, size_t bytes)
{
    size_t end = bytes < FILLED_MOST ? bytes : FILLED_MOST;
    memset(memory, 0xff, end);
    memset(memory + bytes - end, 0xff, end);
}

static cudaError_t allocate(const char *function, void **memory, size_t bytes, int device)
{
    fake_lock();
    cudaError_t status = fake_count_named(function);
    if (!status && device >= 0 && fake.used[device] + bytes > fake.memory)
        status = fake_last_error = cudaErrorMemoryAllocation;
    if (!status) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        struct allocation *allocation = malloc(sizeof *allocation);
        *allocation = (struct allocation){fake.allocations, device, NULL, bytes, (bytes + page) / page * page, false};
        allocation->memory = mmap(NULL, allocation->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        fill_with_nan(allocation->memory, allocation->mapped);
        if (device >= 0) {
            mprotect(allocation->memory, allocation->mapped, PROT_NONE);
            fake.used[device] += bytes;
        }
        *(device >= 0 ? &fake_alive.allocations : &fake_alive.pinned) += 1;
        fake.allocations = allocation;
        *memory = allocation->memory;
    }
    fake_unlock();
    return status;
}

/* Waits for the device, as CUDA does; on a broken device it frees the memory all the same. */
static cudaError_t release(const char *function, void *memory)
{
    fake_lock();
    cudaError_t status = memory ? fake_count_named(function) : cudaSuccess;
    struct allocation **at = &fake.allocations;
    while (memory && *at && (*at)->memory != memory)
        at = &(*at)->next;
    if (memory) {
        struct allocation *allocation = *at;
        if (!allocation)
            abort(); /* it was freed before */
        if (allocation->device >= 0) {
            run_device(allocation->device);
            fake.used[allocation->device] -= allocation->bytes;
        }
        *(allocation->device >= 0 ? &fake_alive.allocations : &fake_alive.pinned) -= 1;
        munmap(allocation->memory, allocation->mapped);
        *at = allocation->next;
        free(allocation);
    }
    fake_unlock();
    return status;
}

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    return allocate(__func__, memory, bytes, current_device);
}

cudaError_t cudaFree(void *memory)
{
    return release(__func__, memory);
}

cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
    return allocate(__func__, memory, bytes, -1);
}

cudaError_t cudaFreeHost(void *memory)
{
    return release(__func__, memory);
}

static bool is_pinned(const void *place)
{
    for (const struct allocation *at = fake.allocations; at; at = at->next)
        if (at->device < 0 && (const char *)place >= at->memory && (const char *)place < at->memory + at->bytes)
            return true;
    return false;
}

struct copy_call {
    void *to;
    const void *from;
    size_t bytes;
};

static void run_copy(void *arguments)
{
    const struct copy_call *copy = arguments;
    memcpy(copy->to, copy->from, copy->bytes);
}

/* Pageable memory is read at once: the bytes follow the struct. */
static void run_staged_copy(void *arguments)
{
    struct copy_call *copy = arguments;
    memcpy(copy->to, copy + 1, copy->bytes);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    struct copy_call copy = {to, from, bytes};
    if (!status && kind == cudaMemcpyHostToDevice && !is_pinned(from)) {
        struct copy_call *staged = malloc(sizeof *staged + bytes);
        *staged = copy;
        memcpy(staged + 1, from, bytes);
        fake_put(stream, run_staged_copy, staged, sizeof *staged + bytes);
        free(staged);
    } else if (!status) {
        fake_put(stream, run_copy, &copy, sizeof copy);
    }
    fake_unlock();
    return status;
}

struct fill_call {
    void *to;
    int value;
    size_t bytes;
};

static void run_fill(void *arguments)
{
    const struct fill_call *fill = arguments;
    memset(fill->to, fill->value, fill->bytes);
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    struct fill_call fill = {to, value, bytes};
    if (!status)
        fake_put(stream, run_fill, &fill, sizeof fill);
    fake_unlock();
    return status;
}

/* --- streams and events --- */

/* While a stream is captured nobody may wait for its work or ask for it: that spoils the capture. */
static bool spoils_capture(struct CUstream_st *stream)
{
    if (stream == cudaStreamPerThread || !stream->captured)
        return false;
    stream->captured->spoilt = true;
    return true;
}

cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status && spoils_capture(stream))
        status = fake_last_error = cudaErrorStreamCaptureUnsupported;
    else if (!status && stream != cudaStreamPerThread && stream->waiting.first)
        status = fake_last_error = cudaErrorNotReady;
    fake_unlock();
    return status;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status) {
        *stream = calloc(1, sizeof **stream);
        (*stream)->device = current_device;
        (*stream)->next = fake.streams;
        fake.streams = *stream;
        fake_alive.streams++;
    }
    fake_unlock();
    return status;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    struct CUstream_st **at = &fake.streams;
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    if (stream->captured) {
        fake_clear(&stream->captured->work);
        free(stream->captured);
    }
    fake_clear(&stream->waiting);
    free(stream);
    fake_alive.streams--;
    fake_unlock();
    return status;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status) {
        *event = calloc(1, sizeof **event);
        fake_alive.events++;
    }
    fake_unlock();
    return status;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    free(event);
    fake_alive.events--;
    fake_unlock();
    return status;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status) {
        event->stream = stream;
        event->after = stream->waiting.count;
    }
    fake_unlock();
    return status;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status && event->stream)
        run(event->stream, event->after);
    fake_unlock();
    return status;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    fake_lock();
    cudaError_t status = fake_count_call();
    if (!status && event->stream && event->stream->done < event->after)
        status = fake_last_error = cudaErrorNotReady;
    fake_unlock();
    return status;
}
