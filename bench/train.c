/*
 * train.c - how fast the CPU backend trains: whole steps of four networks, or of one that is given, and each
 * operation's part of them.
 *
 * One thread, batch 64, 32 x 32 x 3 random images, conv-BN-ReLU; times are the fastest tenth's slowest, in CPU time of
 * this thread, because the machine may be shared.  With a team of threads (-t) they are time on the wall: the machine
 * should have nothing else to do.  GFLOP/s count the multiply-adds of the linear parts (two each):
 * forward, weight gradient and input gradient (the first layer has none).  The peak is what independent fused
 * multiply-adds of the same instruction set reach in the same run.
 *
 * -p measures trainers that run side by side, each on a core and a network of its own, against one by itself: by the
 * wall what a search gains from them, by CPU time what they cost each other in caches and memory alone.
 */
#include "config.h"

#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "networks.h"
#include "nn/network.h"
#include "peak.h"
#include "times.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"
#include "util/team.h"
#include "util/threads.h"

enum { BATCH = 64, IMAGES = 512, CLASSES = 10, SIDE = 32, CHANNELS = 3 };

static struct op_times {
    struct times forward, backward;
} op_times[PLAN_OPS_MAX], rest_times; /* rest_times: load, update */
static const struct backend *real;

/* A backend that times another. */
static void timed_forward(const struct op_run *run)
{
    double start = cpu_seconds();
    real->forward[run->op->kind](run);
    times_keep(&op_times[run->op - run->plan->ops].forward, cpu_seconds() - start);
}

static void timed_backward(const struct op_run *run)
{
    double start = cpu_seconds();
    real->backward[run->op->kind](run);
    times_keep(&op_times[run->op - run->plan->ops].backward, cpu_seconds() - start);
}

static void timed_load(void *context, const struct tensor *tensor, const struct batch *batch, void *data,
                       struct team *team)
{
    double start = cpu_seconds();
    real->load(context, tensor, batch, data, team);
    times_keep(&rest_times.forward, cpu_seconds() - start);
}

static void timed_update(void *context, const struct sgd *sgd, int64_t count, float *values, const float *gradients,
                         float *velocity)
{
    double start = cpu_seconds();
    real->update(context, sgd, count, values, gradients, velocity);
    times_keep(&rest_times.backward, cpu_seconds() - start);
}

static struct backend timed_backend(const struct backend *backend)
{
    struct backend timed = *backend;
    real = backend;
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
    if (op->kind != OP_CONV_BN_RELU && op->kind != OP_FC_BN_RELU && op->kind != OP_CLASSIFIER)
        return 0;
    return 2.0 * w->inputs * w->outputs * w->kernel * w->kernel * op->height * op->width;
}

static double op_backward_flops(const struct op *op)
{
    return (op->needs_input_gradient[0] ? 2 : 1) * op_flops(op);
}

static double training_flops(const struct plan *plan)
{
    double flops = 0;
    for (int i = 0; i < plan->op_count; i++)
        flops += op_flops(&plan->ops[i]) + op_backward_flops(&plan->ops[i]);
    return flops;
}

static struct view *new_view(void)
{
    struct images *images = memory_new(1, sizeof *images);
    struct view *view = memory_new(1, sizeof *view);
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 0, 0);
    *images = (struct images){.count = IMAGES, .classes = CLASSES, .shape = {CHANNELS, SIDE, SIDE}};
    images->pixels = memory_new((size_t)IMAGES * CHANNELS * SIDE, SIDE);
    images->labels = memory_new(IMAGES, sizeof *images->labels);
    for (size_t i = 0; i < (size_t)IMAGES * CHANNELS * SIDE * SIDE; i++)
        images->pixels[i] = (uint8_t)random_below(&stream, 256);
    for (int i = 0; i < IMAGES; i++)
        images->labels[i] = (uint16_t)random_below(&stream, CLASSES);
    *view = (struct view){.images = images, .count = IMAGES};
    view->index = memory_new(IMAGES, sizeof *view->index);
    for (int i = 0; i < IMAGES; i++)
        view->index[i] = i;
    random_shuffle(&stream, view->index, IMAGES);
    for (int c = 0; c < CHANNELS; c++) {
        view->scale[c] = 1 / 64.0f;
        view->shift[c] = -2;
    }
    return view;
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
    const struct backend *backend;
    double seconds; /* of each network */
    int steps;      /* instead, when not 0 */
    bool operations, bare;
    const struct subject *subjects;
    size_t subject_count;
    struct team *team; /* NULL: one thread */
    int trainers;      /* side by side; 0: not asked for */
};

static double rate(double flops, double seconds)
{
    return seconds > 0 ? flops / seconds * 1e-9 : 0;
}

static void print_row(const char *what, struct op_times *times, double forward_flops, double backward_flops,
                      double step)
{
    double forward = times_best(&times->forward), backward = times_best(&times->backward);
    printf("  %-34s %9.1f %8.1f %9.1f %8.1f %7.1f\n", what, forward * 1e6, rate(forward_flops, forward), backward * 1e6,
           rate(backward_flops, backward), 100 * (forward + backward) / step);
}

static void print_operations(const struct plan *plan)
{
    static const char *const kinds[OP_KINDS] = {"conv", "fc", "pool", "dropout", "classifier", "bn", "conv alone", "add"};
    double step = times_best(&rest_times.forward) + times_best(&rest_times.backward);
    for (int i = 0; i < plan->op_count; i++)
        step += times_best(&op_times[i].forward) + times_best(&op_times[i].backward);
    printf("  %-34s %9s %8s %9s %8s %7s\n", "operation", "fwd us", "GFLOP/s", "bwd us", "GFLOP/s", "share");
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        const struct tensor *input = &plan->tensors[op->inputs[0]];
        char name[80];
        snprintf(name, sizeof name, "%s %d>%d %dx%d%s%s", kinds[op->kind], input->channels, op->channels, input->height,
                 input->width,
                 op->kind != OP_CONV_BN_RELU       ? ""
                 : op->weights.kernel == 1 ? " k1"
                 : op->weights.kernel == 5 ? " k5"
                                           : "",
                 op->pool == POOL_MAX       ? " max"
                 : op->pool == POOL_AVERAGE ? " average"
                                            : "");
        print_row(name, &op_times[i], BATCH * op_flops(op), BATCH * op_backward_flops(op), step);
    }
    print_row("load; update", &rest_times, 0, 0, step);
}

/* What is trained again and again, and how long its steps take. */
struct trainee {
    struct weights *weights;
    struct network *network;
    const struct view *view;
    const struct augment *augment;
    int steps;
    struct times cpu, wall;
};

static void trainee_init(struct trainee *trainee, const struct backend *backend, const struct subject *subject,
                         const struct view *view, const struct augment *augment, struct plan *plan)
{
    struct error error;
    struct arch arch;
    struct shape input = {CHANNELS, SIDE, SIDE};
    struct plan_options plain = {0};
    struct random_stream stream = random_stream_new(3, RANDOM_TEST, 0, 0);
    ASSERT(arch_parse(&arch, subject->notation, &error) == 0);
    plan_lower(&arch, input, &plain, plan);
    struct weights *weights = weights_new(&arch, input);
    for (int64_t i = 0; i < weights->layout.trained; i++)
        if (weights->values[i] == 0)
            weights->values[i] = 0.05f * random_normal(&stream);
    struct network *network = network_new(backend, plan, BATCH, NETWORK_TRAINING, weights, &error);
    ASSERT(network);
    *trainee = (struct trainee){.weights = weights, .network = network, .view = view, .augment = augment};
}

static void trainee_done(struct trainee *trainee)
{
    network_free(trainee->network);
    weights_free(trainee->weights);
}

static void trainee_step(struct trainee *trainee)
{
    static const struct sgd sgd = {.rate = 0.001f, .momentum = 0.9f, .weight_decay = 1e-4f, .nesterov = true};
    int first = trainee->steps * BATCH % IMAGES;
    struct batch batch = {trainee->view, trainee->view->index + first,
                          trainee->augment ? trainee->augment + first : NULL, BATCH};
    double cpu = cpu_seconds(), wall = wall_seconds();
    network_train(trainee->network, &batch, &sgd, 0.9f, (uint64_t)trainee->steps++);
    times_keep(&trainee->cpu, cpu_seconds() - cpu);
    times_keep(&trainee->wall, wall_seconds() - wall);
}

/* One network: returns the time of a step. */
static double measure(const struct options *options, const struct subject *subject, const struct view *view,
                      const struct augment *augment, struct plan *plan)
{
    static struct trainee trainee;
    struct backend backend = options->operations ? timed_backend(options->backend) : *options->backend;
    memset(op_times, 0, sizeof op_times);
    memset(&rest_times, 0, sizeof rest_times);
    trainee_init(&trainee, &backend, subject, view, augment, plan);
    if (options->team)
        network_share(trainee.network, options->team);
    double began = cpu_seconds();
    while (options->steps ? trainee.steps < options->steps
                          : trainee.steps < 3 || cpu_seconds() - began < options->seconds)
        trainee_step(&trainee);
    trainee_done(&trainee);
    return times_best(options->team ? &trainee.wall : &trainee.cpu);
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
    struct trainee trainee;
    pthread_t thread;
    pthread_barrier_t *start;
    int core;
    double seconds;   /* to train for, on the wall */
    double rate, own; /* images/s by the wall, and by CPU time */
};

static void *train_pinned(void *context)
{
    struct pinned *pinned = context;
    thread_pin(pinned->core);
    for (int i = 0; i < 3; i++)
        trainee_step(&pinned->trainee);
    pthread_barrier_wait(pinned->start);
    int before = pinned->trainee.steps;
    double began = wall_seconds(), cpu = cpu_seconds();
    while (wall_seconds() - began < pinned->seconds)
        trainee_step(&pinned->trainee);
    int images = (pinned->trainee.steps - before) * BATCH;
    pinned->rate = images / (wall_seconds() - began);
    pinned->own = images / (cpu_seconds() - cpu);
    return NULL;
}

/* Sums over `count` trainers side by side. */
static void train_side_by_side(const struct options *options, const struct subject *subject, const struct view *view,
                               int count, const int *cores, double *rate_together, double *own_together)
{
    struct pinned *pinned = memory_new((size_t)count, sizeof *pinned);
    struct plan *plan = memory_new(1, sizeof *plan);
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)count);
    *rate_together = *own_together = 0;
    for (int i = 0; i < count; i++) {
        trainee_init(&pinned[i].trainee, options->backend, subject, view, NULL, plan);
        pinned[i].start = &start;
        pinned[i].core = cores[i];
        pinned[i].seconds = options->seconds;
        if (!thread_start(&pinned[i].thread, train_pinned, &pinned[i]))
            BUG("no thread for a trainer");
    }
    for (int i = 0; i < count; i++) {
        pthread_join(pinned[i].thread, NULL);
        *rate_together += pinned[i].rate;
        *own_together += pinned[i].own;
        trainee_done(&pinned[i].trainee);
    }
    pthread_barrier_destroy(&start);
    free(plan);
    free(pinned);
}

static void compare_trainers(const struct options *options, const struct view *view)
{
    int cores[TRAINERS_MAX], here = cores_here(cores), count = options->trainers < here ? options->trainers : here;
    printf("%-8s %21s %27s %21s\n", "network", "one trainer, images/s", "", "by the wall, CPU time");
    for (size_t i = 0; i < options->subject_count; i++) {
        const struct subject *subject = &options->subjects[i];
        double rate[2], own[2];
        train_side_by_side(options, subject, view, 1, cores, &rate[0], &own[0]);
        train_side_by_side(options, subject, view, count, cores, &rate[1], &own[1]);
        printf("%-8s %21.0f %2d together, times as fast %10.2f %10.2f\n", subject->name, rate[0], count,
               rate[1] / rate[0], own[1] / own[0]);
        fflush(stdout);
    }
}

static void usage(FILE *file)
{
    fprintf(
        file,
        "usage: train [-i ISA] [-n NETWORK] [-s SECONDS] [-k STEPS] [-t THREADS] [-p TRAINERS] [-a] [-o] [-b] [-r]\n"
        "  -n  TINY, SMALL, MID, BIG, or one in notation\n"
        "  -a  augmented images   -o  each operation's times   -b  bare: images/s only, for scripts\n"
        "  -r  convolutions of numbers rounded to bf16\n"
        "  -k  that many steps instead of a time, for instruction counts\n"
        "  -t  threads that train one network; times are by the wall then\n"
        "  -p  trainers side by side, each on a core of its own, against one\n");
}

/* One of the networks, or any in notation. */
static bool choose(struct options *options, const char *name)
{
    static struct subject given = {.name = "given"};
    struct arch arch;
    struct error error;
    options->subject_count = 1;
    for (size_t i = 0; i < COUNT_OF(subjects); i++)
        if (!strcmp(name, subjects[i].name)) {
            options->subjects = &subjects[i];
            return true;
        }
    given.notation = name;
    options->subjects = &given;
    if (arch_parse(&arch, name, &error) == 0 &&
        arch_shapes(&arch, (struct shape){CHANNELS, SIDE, SIDE}, (struct shape[ARCH_LAYERS_MAX]){{0}}, &error) == 0) {
        if (arch.layers[arch.layer_count - 1].units == CLASSES)
            return true;
        error_set(&error, "the images have %d classes: end with SM(%d)", CLASSES, CLASSES);
    }
    fprintf(stderr, "train: -n %s: %s\n", name, error.text);
    return false;
}

int main(int argc, char **argv)
{
    struct options options = {
        .backend = backend_cpu(), .seconds = 2, .subjects = subjects, .subject_count = COUNT_OF(subjects)};
    bool rounded = false;
    const char *isa = cpu_isa_chosen();
    struct augment *augment = NULL;
    int threads = 1, cores[TRAINERS_MAX], core_count = cores_here(cores);
    for (int option; (option = getopt(argc, argv, "i:n:s:k:t:p:aobrh")) != -1;)
        switch (option) {
        case 'i':
            isa = optarg;
            options.backend = backend_cpu_isa(isa);
            break;
        case 'n':
            if (!choose(&options, optarg))
                return 2;
            break;
        case 's':
            options.seconds = atof(optarg);
            break;
        case 'k':
            options.steps = atoi(optarg);
            break;
        case 't':
            threads = atoi(optarg);
            break;
        case 'p':
            options.trainers = atoi(optarg);
            break;
        case 'a':
            augment = new_augment();
            break;
        case 'o':
            options.operations = true;
            break;
        case 'b':
            options.bare = true;
            break;
        case 'r':
            rounded = true;
            break;
        default:
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    if (options.backend && rounded)
        options.backend = options.backend->bf16;
    if (!options.backend) {
        fprintf(stderr, "train: this machine or build has no %s%s\n", rounded ? "bf16 in " : "", isa);
        return 2;
    }
    if (threads < 1 || threads > core_count || options.trainers < 0) {
        fprintf(stderr, "train: from 1 thread to %d, one for each core here\n", core_count);
        return 2;
    }
    struct view *view = new_view();
    struct plan *plan = memory_new(1, sizeof *plan);
    struct helpers *helpers = NULL;
    if (options.trainers) {
        compare_trainers(&options, view);
        return 0;
    }
    if (threads > 1) {
        helpers = helpers_new(cores + 1, threads - 1, 1); /* they would inherit this thread's core */
        thread_pin(cores[0]);
        options.team = helpers ? helpers_team(helpers, 0) : NULL;
    }
    double peak = options.bare ? 0 : peak_flops(isa);
    if (!options.bare)
        printf("%s; peak %.1f GFLOP/s\n%-8s %10s %10s %10s %8s\n", options.backend->description, peak * 1e-9, "network",
               "images/s", "ms/step", "GFLOP/s", "of peak");
    for (size_t i = 0; i < options.subject_count; i++) {
        const struct subject *subject = &options.subjects[i];
        double step = measure(&options, subject, view, augment, plan);
        double flops = BATCH * training_flops(plan) / step;
        if (options.bare)
            printf("%.1f\n", BATCH / step);
        else
            printf("%-8s %10.0f %10.3f %10.1f %7.1f%%\n", subject->name, BATCH / step, step * 1e3, flops * 1e-9,
                   100 * flops / peak);
        if (options.operations)
            print_operations(plan);
        fflush(stdout);
    }
    helpers_free(helpers);
    free(plan);
    free(augment);
    free(view->index);
    free(view->images->pixels);
    free(view->images->labels);
    free((void *)view->images);
    free(view);
    return 0;
}
