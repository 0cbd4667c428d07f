/*
 * operations.c - see operations.h: a backend between the network and the device's, whose functions run those of the
 * device several times and wait.
 *
 * Steps for gradients are used, which no graph replays.  Repeating an operation leaves gradients that are added to
 * several times wrong; nobody reads them.
 */
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>

#include "nn/trainer.h"
#include "times.h"
#include "util/memory.h"

static struct {
    const struct backend *inner;
    int repeats;
    double seconds[2][PLAN_OPS_MAX]; /* forward, backward */
} timing;

static void wait(const struct op_run *run)
{
    float value;
    timing.inner->device->download(run->context, &value, run->logits, sizeof value);
}

static void time_operation(const struct op_run *run, void (*operation)(const struct op_run *run), int direction)
{
    operation(run);
    wait(run);
    double start = wall_seconds();
    wait(run);
    double waiting = wall_seconds() - start;
    start = wall_seconds();
    for (int i = 0; i < timing.repeats; i++)
        operation(run);
    wait(run);
    double seconds = (wall_seconds() - start - waiting) / timing.repeats; /* of a neighbour's work, it may be below 0 */
    timing.seconds[direction][run->op - run->plan->ops] = seconds > 0 ? seconds : 0;
}

static void time_forward(const struct op_run *run)
{
    time_operation(run, timing.inner->forward[run->op->kind], 0);
}

static void time_backward(const struct op_run *run)
{
    time_operation(run, timing.inner->backward[run->op->kind], 1);
}

/* The device's functions know their own backend only. */
static void *open_inner(const struct backend *backend, const struct plan *plan, int batch, bool training, size_t bytes,
                        void **memory, enum device_trouble *trouble, struct error *error)
{
    return timing.inner->device->open(timing.inner, plan, batch, training, bytes, memory, trouble, error);
}

static size_t inner_bytes(const struct backend *backend, const struct plan *plan, int batch, bool training,
                          size_t bytes)
{
    return timing.inner->device->network_bytes(timing.inner, plan, batch, training, bytes);
}

static void print_times(const struct bench_network *network, const struct plan *plan)
{
    static const char *const names[OP_KINDS] = {[OP_CONV_BN_RELU] = "convolution, BN, ReLU",
                                                [OP_CONV] = "convolution",
                                                [OP_BN_RELU] = "BN, ReLU",
                                                [OP_FC_BN_RELU] = "fully connected, BN, ReLU",
                                                [OP_POOL] = "pool",
                                                [OP_DROPOUT] = "dropout",
                                                [OP_ADD] = "addition",
                                                [OP_CLASSIFIER] = "classifier"};
    double sums[2] = {0};
    printf("%s, %s: microseconds forward and backward\n", network->name, timing.inner->name);
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        printf("  %2d %-26s %3d×%3d×%4d %9.1f %9.1f\n", i, names[op->kind] ? names[op->kind] : "other", op->height,
               op->width, op->channels, timing.seconds[0][i] * 1e6, timing.seconds[1][i] * 1e6);
        for (int direction = 0; direction < 2; direction++)
            sums[direction] += timing.seconds[direction][i] * 1e6;
    }
    printf("  %-42s %9.1f %9.1f\n", "all", sums[0], sums[1]);
}

int operations_time(const struct backend *backend, const struct bench_network *network, const struct view *view,
                    int batch, int repeats, struct error *error)
{
    struct backend outer = *backend;
    struct backend_device device = *backend->device;
    struct workload *workload = memory_new(1, sizeof *workload);
    device.open = open_inner;
    device.network_bytes = inner_bytes;
    outer.device = &device;
    timing.inner = backend;
    timing.repeats = repeats;
    for (int kind = 0; kind < OP_KINDS; kind++) {
        outer.forward[kind] = backend->forward[kind] ? time_forward : NULL;
        outer.backward[kind] = backend->backward[kind] ? time_backward : NULL;
    }
    int failed = workload_start(workload, &outer, network, view, batch, error);
    if (!failed) {
        struct batch images = {view, view->index, NULL, batch, NULL};
        struct step_result result;
        network_gradient(workload->network, &images, 1, &result);
        failed = network_trouble(workload->network, error) != DEVICE_FINE ? -1 : 0;
        if (!failed)
            print_times(network, &workload->plan);
        workload_stop(workload);
    }
    free(workload);
    return failed;
}
