/*
 * state.h - what the files of the fake runtime share: its state, its lists of work, and the lock of both.
 */
#ifndef ESPALIER_TESTS_FAKE_CUDA_STATE_H
#define ESPALIER_TESTS_FAKE_CUDA_STATE_H

#define FAKE_INTERNAL
#include <pthread.h>

#include "fake.h"

struct stream_work {
    struct stream_work *next;
    void (*run)(void *arguments);
    void *arguments;
    size_t bytes;
};

struct work_list {
    struct stream_work *first, **last;
    int64_t count;
};

struct CUstream_st {
    int device;
    struct work_list waiting;
    int64_t done; /* work that has run */
    struct CUgraph_st *captured;
    struct CUstream_st *next;
};
struct CUevent_st {
    struct CUstream_st *stream;
    int64_t after; /* work of the stream */
};
struct CUgraph_st {
    struct work_list work;
    bool spoilt; /* by a call that no capture allows */
};
struct CUgraphExec_st {
    struct work_list work;
};

struct allocation {
    struct allocation *next;
    int device; /* -1: pinned */
    char *memory;
    size_t bytes, mapped;
    bool closed; /* the device's work may not access it either */
};

struct fake_state {
    pthread_mutex_t mutex;
    pthread_once_t once;
    int devices, capability;
    int64_t large_workspace;
    size_t memory, used[FAKE_DEVICES_MAX];
    cudaError_t broken[FAKE_DEVICES_MAX];
    struct allocation *allocations;
    struct CUstream_st *streams;
    struct fake_function functions[FAKE_FUNCTIONS_MAX];
    int function_count;
    const char *fail_function; /* NULL: any */
    int64_t calls, fail_at, graph_launches, graph_nodes;
    int fail_status, failures;
};
extern struct fake_state fake;
extern _Thread_local cudaError_t fake_last_error;

void fake_lock(void);
void fake_unlock(void);
/* With the lock held: counts a call of a function, and says what it must fail with. */
cudaError_t fake_count_named(const char *function);
#define fake_count_call() fake_count_named(__func__)
void fake_append(struct work_list *list, void (*run)(void *), const void *arguments, size_t bytes);
void fake_clear(struct work_list *list);
void fake_put(struct CUstream_st *stream, void (*run)(void *), const void *arguments, size_t bytes);

#endif
