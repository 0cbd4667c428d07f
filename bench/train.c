/*
 * train.c - how fast the CPU backend trains: whole steps of six networks, or of a given one, and the part that each
 * operation has in them.
 *
 * One thread, batch 64.  Times are the 10th percentile, in CPU time of this thread, because the machine may be shared.
 * With a team of threads (-t) they are by the wall, and the machine should be idle.  GFLOP/s count the multiply-adds of
 * the linear parts, two each: forward, weight gradient and input gradient (the first layer has none).  The peak is what
 * independent fused multiply-adds of the same instruction set reach in the same run.
 *
 * -o also counts bytes: of an operation's inputs, linear part and output, and backward of these and of the gradients of
 * inputs and output, each once and without borders.  Where neighbours share work (backend/cpu/bn.h) some are not
 * touched, and what an operation does for its neighbour counts as its time; a row of all operations sums that up.  The
 * memory's rate is that of adding 1 to numbers in 16 MiB in place, read and written.
 *
 * -p measures trainers that run side by side, each on a core and a network of its own, against a single one: by the
 * wall what a search gains from them; by CPU time what they cost each other in caches and memory alone.
 */
#include "config.h"

#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "nn/arena.h"
#include "peak.h"
#include "times.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"
#include "util/team.h"
#include "util/threads.h"
#include "workload.h"

enum { BATCH = 64, IMAGES = 512 };

static struct op_times {
    struct times forward, backward;
} op_times[PLAN_OPS_MAX], rest_times; /* rest_times: load, update */
static struct times sum_times;        /* of all operations of a step with which the network adds gradients */
static double sum_seconds;            /* in this step */
static const struct backend *measured;

/* A backend that measures another one's times. */
static void timed_forward(const struct op_run *run)
{
    double start = cpu_seconds();
    measured->forward[run->op->kind](run);
    double seconds = cpu_seconds() - start;
    for (int i = 0; i < run->plan->op_count; i++)
        if (run->op == &run->plan->ops[i]) {
            times_add(&op_times[i].forward, seconds);
            return;
        }
    sum_seconds += seconds;
}

static void timed_backward(const struct op_run *run)
{
    double start = cpu_seconds();
    measured->backward[run->op->kind](run);
    times_add(&op_times[run->op - run->plan->ops].backward, cpu_seconds() - start);
}

static void timed_load(void *context, const struct tensor *tensor, const struct batch *batch, void *data,
                       struct team *team)
{
    double start = cpu_seconds();
    measured->load(context, tensor, batch, data, team);
    times_add(&rest_times.forward, cpu_seconds() - start);
}

static void timed_update(void *context, const struct sgd *sgd, int64_t count, float *values, const float *gradients,
                         float *velocity)
{
    double start = cpu_seconds();
    measured->update(context, sgd, count, values, gradients, velocity);
    times_add(&rest_times.backward, cpu_seconds() - start);
    times_add(&sum_times, sum_seconds);
    sum_seconds = 0;
}

static struct backend timed_backend(const struct backend *backend)
{
    struct backend timed = *backend;
    measured = backend;
    for (int kind = 0; kind < OP_KINDS; kind++) {
        timed.forward[kind] = timed_forward;
        timed.backward[kind] = timed_backward;
    }
    timed.load = timed_load;
    timed.update = timed_update;
    return timed;
}

/* FLOPs of one op's linear part, forward, one image. */
static double op_flops(const struct op *op)
{
    const struct weights_layer *w = &op->weights;
    if (!op_is_convolution(op) && op->kind != OP_FC_BN_RELU && op->kind != OP_CLASSIFIER)
        return 0;
    return 2.0 * w->inputs * w->outputs * w->kernel * w->kernel * op->height * op->width;
}

static double op_backward_flops(const struct op *op)
{
    return (op->needs_input_gradient[0] ? 2 : 1) * op_flops(op);
}

static double tensor_bytes(const struct plan *plan, int tensor)
{
    const struct tensor *t = &plan->tensors[tensor];
    return 4.0 * t->channels * t->height * t->width;
}

/* Bytes of one image, forward and backward. */
static double op_bytes(const struct plan *plan, const struct op *op)
{
    double inputs = 0, gradients = 0, output = tensor_bytes(plan, op->output), linear = 0;
    for (int k = 0; k < op_input_count(op); k++) {
        inputs += tensor_bytes(plan, op->inputs[k]);
        gradients += op->needs_input_gradient[k] ? tensor_bytes(plan, op->inputs[k]) : 0;
    }
    if (op_is_convolution(op) && op->kind != OP_CONV)
        linear = 4.0 * op->channels * op->height * op->width;
    return 2 * (inputs + linear + output) + gradients;
}

static double memory_rate(void)
{
    enum { FLOATS = 4 << 20, RUNS = 20 };
    static struct times times;
    float *values = (float *)arena_new(FLOATS * sizeof *values); /* as a network's memory is */
    memset(values, 0, FLOATS * sizeof *values);
    for (int i = 0; i < RUNS; i++) {
        double start = cpu_seconds();
        for (int v = 0; v < FLOATS; v++)
            values[v] += 1;
        times_add(&times, cpu_seconds() - start);
    }
    free(values);
    return 2.0 * FLOATS * sizeof *values / times_best(&times);
}

static double training_flops(const struct plan *plan)
{
    double flops = 0;
    for (int i = 0; i < plan->op_count; i++)
        flops += op_flops(&plan->ops[i]) + op_backward_flops(&plan->ops[i]);
    return flops;
}

static struct augment *new_augment(void)
{
    struct augment *augment = memory_new(IMAGES, sizeof *augment);
    struct random_stream stream = random_stream_new(2, RANDOM_TEST, 0, 0);
    for (int i = 0; i < IMAGES; i++)
        augment[i] = (struct augment){(int8_t)((int)random_below(&stream, 9) - 4),
                                      (int8_t)((int)random_below(&stream, 9) - 4), random_below(&stream, 2) != 0};
    return augment;
}

struct options {
    struct workload_options workload;
    const char *isa;
    const struct backend *backend; /* for `isa`; NULL: this machine or build has none */
    bool bf16, augmented;
    bool operations, bare;
    int threads;
    struct team *team; /* NULL: one thread */
    int trainers;      /* side by side; 0: no comparison */
};

static double rate(double flops, double seconds)
{
    return seconds > 0 ? flops / seconds * 1e-9 : 0;
}

/* What limits the machine sets: FLOPs and bytes in a second. */
struct limits {
    double flops, bytes;
};

static void print_row(const char *what, struct op_times *times, double forward_flops, double backward_flops,
                      double bytes, double step, const struct limits *limits)
{
    double forward = times_best(&times->forward), backward = times_best(&times->backward);
    printf("  %-34s %9.1f %8.1f %9.1f %8.1f %7.1f %8.1f %7.1f %7.1f\n", what, forward * 1e6,
           rate(forward_flops, forward), backward * 1e6, rate(backward_flops, backward),
           100 * (forward + backward) / step, bytes * 1e-6, 100e9 * rate(bytes, forward + backward) / limits->bytes,
           100e9 * rate(forward_flops + backward_flops, forward + backward) / limits->flops);
}

static void print_operations(const struct plan *plan, const struct limits *limits)
{
    double all_bytes = 0;
    static const char *const kinds[] = {"conv", "fc",  "pool",      "dropout",  "classifier",    "bn",
                                        "conv", "add", "depthwise", "conv add", "squeeze-excite"};
    _Static_assert(COUNT_OF(kinds) == OP_KINDS, "every kind of operation has a name");
    struct op_times sums = {{0}, sum_times};
    double step = times_best(&rest_times.forward) + times_best(&rest_times.backward) + times_best(&sum_times);
    for (int i = 0; i < plan->op_count; i++)
        step += times_best(&op_times[i].forward) + times_best(&op_times[i].backward);
    printf("  %-34s %9s %8s %9s %8s %7s %8s %7s %7s\n", "operation; %: of step, memory, peak", "fwd us", "GFLOP/s",
           "bwd us", "GFLOP/s", "share", "MB", "memory", "peak");
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        const struct tensor *input = &plan->tensors[op->inputs[0]];
        char name[80];
        snprintf(name, sizeof name, "%s %d>%d %dx%d%s%s", kinds[op->kind], input->channels, op->channels, input->height,
                 input->width,
                 !op_is_convolution(op)    ? ""
                 : op->weights.kernel == 1 ? " k1"
                 : op->weights.kernel == 5 ? " k5"
                                           : "",
                 op->pool == POOL_MAX       ? " max"
                 : op->pool == POOL_AVERAGE ? " average"
                                            : "");
        all_bytes += BATCH * op_bytes(plan, op);
        print_row(name, &op_times[i], BATCH * op_flops(op), BATCH * op_backward_flops(op), BATCH * op_bytes(plan, op),
                  step, limits);
    }
    if (times_best(&sum_times) > 0)
        print_row("sums of gradients", &sums, 0, 0, 0, step, limits);
    print_row("load; update", &rest_times, 0, 0, 0, step, limits);
    printf("  all: %.0f MB, %.0f %% of the memory's rate, %.0f %% of the peak\n", all_bytes * 1e-6,
           100 * all_bytes / step / limits->bytes, 100 * BATCH * training_flops(plan) / step / limits->flops);
}

/* The times of one network's steps. */
struct step_times {
    struct workload workload;
    struct times cpu, wall;
};

static void start_workload(struct workload *workload, const struct backend *backend,
                           const struct bench_network *network, const struct view *view)
{
    struct error error;
    if (workload_start(workload, backend, network, view, BATCH, &error)) {
        fprintf(stderr, "train: %s: %s\n", network->name, error.text);
        exit(1);
    }
}

static void timed_step(struct step_times *times)
{
    double cpu = cpu_seconds(), wall = wall_seconds();
    workload_step(&times->workload);
    times_add(&times->cpu, cpu_seconds() - cpu);
    times_add(&times->wall, wall_seconds() - wall);
}

/* One network: returns the time of a step. */
static double measure(const struct options *options, const struct bench_network *network, const struct view *view,
                      const struct augment *augment, struct plan *plan)
{
    static struct step_times times;
    struct backend backend = options->operations ? timed_backend(options->backend) : *options->backend;
    int steps = options->workload.steps;
    memset(op_times, 0, sizeof op_times);
    memset(&rest_times, 0, sizeof rest_times);
    memset(&sum_times, 0, sizeof sum_times);
    times.cpu.count = times.wall.count = 0;
    start_workload(&times.workload, &backend, network, view);
    times.workload.augment = augment;
    if (options->team)
        network_share(times.workload.network, options->team);
    double began = cpu_seconds();
    while (steps ? times.workload.steps < steps
                 : times.workload.steps < 3 || cpu_seconds() - began < options->workload.seconds)
        timed_step(&times);
    *plan = times.workload.plan;
    workload_stop(&times.workload);
    return times_best(options->team ? &times.wall : &times.cpu);
}

/* --- trainers side by side --- */

enum { TRAINERS_MAX = 64 };

/* The cores that this process may use; how many. */
static int cores_here(int cores[TRAINERS_MAX])
{
    cpu_set_t set;
    int count = 0;
    sched_getaffinity(0, sizeof set, &set);
    for (int core = 0; core < CPU_SETSIZE && count < TRAINERS_MAX; core++)
        if (CPU_ISSET(core, &set))
            cores[count++] = core;
    return count;
}

struct pinned {
    struct workload workload;
    pthread_t thread;
    pthread_barrier_t *start;
    int core;
    double seconds;   /* to train for, by the wall */
    double rate, own; /* images/s by the wall, and by CPU time */
};

static void *train_pinned(void *context)
{
    struct pinned *pinned = context;
    thread_pin(pinned->core);
    for (int i = 0; i < 3; i++)
        workload_step(&pinned->workload);
    pthread_barrier_wait(pinned->start);
    int before = pinned->workload.steps;
    double began = wall_seconds(), cpu = cpu_seconds();
    while (wall_seconds() - began < pinned->seconds)
        workload_step(&pinned->workload);
    int images = (pinned->workload.steps - before) * BATCH;
    pinned->rate = images / (wall_seconds() - began);
    pinned->own = images / (cpu_seconds() - cpu);
    return NULL;
}

/* Sums over `count` trainers side by side. */
static void train_side_by_side(const struct options *options, const struct bench_network *network,
                               const struct view *view, int count, const int *cores, double *rate_together,
                               double *own_together)
{
    struct pinned *pinned = memory_new((size_t)count, sizeof *pinned);
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)count);
    *rate_together = *own_together = 0;
    for (int i = 0; i < count; i++) {
        start_workload(&pinned[i].workload, options->backend, network, view);
        pinned[i].start = &start;
        pinned[i].core = cores[i];
        pinned[i].seconds = options->workload.seconds;
        if (!thread_start(&pinned[i].thread, train_pinned, &pinned[i]))
            BUG("no thread for a trainer");
    }
    for (int i = 0; i < count; i++) {
        pthread_join(pinned[i].thread, NULL);
        *rate_together += pinned[i].rate;
        *own_together += pinned[i].own;
        workload_stop(&pinned[i].workload);
    }
    pthread_barrier_destroy(&start);
    free(pinned);
}

static void compare_trainers(const struct options *options, const struct view *view)
{
    int cores[TRAINERS_MAX], here = cores_here(cores), count = options->trainers < here ? options->trainers : here;
    printf("%-8s %21s %27s %21s\n", "network", "one trainer, images/s", "", "by the wall, CPU time");
    for (int i = 0; i < options->workload.network_count; i++) {
        const struct bench_network *network = &options->workload.networks[i];
        double rate[2], own[2];
        train_side_by_side(options, network, view, 1, cores, &rate[0], &own[0]);
        train_side_by_side(options, network, view, count, cores, &rate[1], &own[1]);
        printf("%-8s %21.0f %2d together, times as fast %10.2f %10.2f\n", network->name, rate[0], count,
               rate[1] / rate[0], own[1] / own[0]);
        fflush(stdout);
    }
}

/* --- networks one after another --- */

static void print_networks(const struct options *options, const struct view *view)
{
    struct augment *augment = options->augmented ? new_augment() : NULL;
    struct plan *plan = memory_new(1, sizeof *plan);
    double peak = options->bare ? 0 : peak_flops(options->isa);
    struct limits limits = {peak, options->bare ? 0 : memory_rate()};
    if (!options->bare)
        printf("%s; peak %.1f GFLOP/s, memory %.1f GB/s\n%-8s %10s %10s %10s %8s\n", options->backend->description,
               peak * 1e-9, limits.bytes * 1e-9, "network", "images/s", "ms/step", "GFLOP/s", "of peak");
    for (int i = 0; i < options->workload.network_count; i++) {
        const struct bench_network *network = &options->workload.networks[i];
        double step = measure(options, network, view, augment, plan), flops = BATCH * training_flops(plan) / step;
        if (options->bare)
            printf("%.1f\n", BATCH / step);
        else
            printf("%-8s %10.0f %10.3f %10.1f %7.1f%%\n", network->name, BATCH / step, step * 1e3, flops * 1e-9,
                   100 * flops / peak);
        if (options->operations)
            print_operations(plan, &limits);
        fflush(stdout);
    }
    free(plan);
    free(augment);
}

static void usage(FILE *file)
{
    fprintf(file,
            "usage: train [-i ISA] [-n NETWORK] [-s SECONDS] [-k STEPS] [-t THREADS] [-p TRAINERS] [-a] [-o] [-b] "
            "[-r]\n" WORKLOAD_USAGE "  -i  instruction set   -r  bf16 in convolutions   -a  augmented images\n"
            "  -o  the times of each operation   -b  images/s and nothing else, for scripts\n"
            "  -t  threads that train one network; times are by the wall then\n"
            "  -p  trainers side by side, each on a core of its own, against one\n");
}

static bool take_option(struct options *options, int option, const char *value)
{
    switch (option) {
    case 'i':
        options->isa = value;
        return true;
    case 't':
        options->threads = atoi(value);
        return true;
    case 'p':
        options->trainers = atoi(value);
        return true;
    case 'a':
        return options->augmented = true;
    case 'o':
        return options->operations = true;
    case 'b':
        return options->bare = true;
    case 'r':
        return options->bf16 = true;
    default:
        return workload_option(&options->workload, option, value);
    }
}

int main(int argc, char **argv)
{
    struct options options = {.workload = workload_defaults, .isa = cpu_isa_chosen(), .threads = 1};
    int cores[TRAINERS_MAX], core_count = cores_here(cores);
    for (int option; (option = getopt(argc, argv, WORKLOAD_OPTIONS "i:t:p:aobrh")) != -1;)
        if (!take_option(&options, option, optarg)) {
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    options.backend = backend_cpu_isa(options.isa);
    if (options.backend && options.bf16)
        options.backend = options.backend->bf16;
    if (!options.backend) {
        fprintf(stderr, "train: this machine or build has no %s%s\n", options.bf16 ? "bf16 in " : "", options.isa);
        return 2;
    }
    if (options.threads < 1 || options.threads > core_count || options.trainers < 0) {
        fprintf(stderr, "train: from 1 thread to %d, one for each core here\n", core_count);
        return 2;
    }
    struct view *view = workload_images(IMAGES);
    struct helpers *helpers = NULL;
    if (options.threads > 1 && !options.trainers) {
        helpers = helpers_new(cores + 1, options.threads - 1, 1); /* before this thread is pinned: they would be too */
        thread_pin(cores[0]);
        options.team = helpers ? helpers_team(helpers, 0) : NULL;
    }
    if (options.trainers)
        compare_trainers(&options, view);
    else
        print_networks(&options, view);
    helpers_free(helpers);
    workload_images_free(view);
    return 0;
}
