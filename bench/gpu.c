/*
 * gpu.c - how fast a GPU trains: images a second of whole steps of the bench's networks, by the wall, in float32 and in
 * the 16-bit type that is fast there; or the time of each operation.
 *
 * The images lie on the device; the steps are those of a training, replayed as a graph.  The time begins after some
 * steps and ends when the device has done all of them.  Several trainers each train a network of their own.
 */
#include "config.h"

#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "device/cuda.h"
#include "operations.h"
#include "times.h"
#include "util/memory.h"
#include "workload.h"

enum { IMAGES = 4096, WARM_UP = 20, STEPS_AT_ONCE = 50, TRAINERS_MAX = 64 };

struct options {
    struct workload_options workload;
    int device, batch, trainers;
    bool operations;
};

/* What the trainers of one measurement share; `begin` is where they wait for each other. */
struct measurement {
    const struct options *options;
    const struct backend *backend;
    const struct bench_network *network;
    const struct view *view;
    pthread_barrier_t begin;
};

struct trainer {
    struct measurement *of;
    pthread_t thread;
    double rate; /* images a second; -1: `error` says why */
    struct error error;
};

/* The sum of the losses. */
static double run_steps(struct workload *workload, int count)
{
    workload_announce(workload, count);
    for (int i = 0; i < count; i++)
        workload_step(workload);
    return network_finish(workload->network).loss;
}

static void *run_trainer(void *argument)
{
    struct trainer *trainer = argument;
    const struct measurement *of = trainer->of;
    const struct options *options = of->options;
    int fixed = options->workload.steps, warm_up = fixed ? 1 : WARM_UP;
    struct workload *workload = memory_new(1, sizeof *workload);
    trainer->rate = -1;
    bool started = workload_start(workload, of->backend, of->network, of->view, options->batch, &trainer->error) == 0;
    if (started)
        run_steps(workload, warm_up);
    pthread_barrier_wait(&trainer->of->begin);
    if (started) {
        double start = wall_seconds(), seconds, loss;
        do {
            loss = run_steps(workload, fixed ? fixed : STEPS_AT_ONCE);
            seconds = wall_seconds() - start;
        } while (!fixed && seconds < options->workload.seconds);
        if (network_trouble(workload->network, &trainer->error) == DEVICE_FINE && isfinite(loss))
            trainer->rate = (double)(workload->steps - warm_up) * options->batch / seconds;
        else if (network_trouble(workload->network, &trainer->error) == DEVICE_FINE)
            error_set(&trainer->error, "the loss is not finite");
        workload_stop(workload);
    }
    free(workload);
    return NULL;
}

/* Images a second of all trainers; -1 with the reason. */
static double measure(const struct options *options, const struct backend *backend, const struct bench_network *network,
                      const struct view *view, struct error *error)
{
    static struct trainer trainers[TRAINERS_MAX];
    struct measurement of = {.options = options, .backend = backend, .network = network, .view = view};
    double rate = 0;
    pthread_barrier_init(&of.begin, NULL, (unsigned)options->trainers);
    for (int i = 0; i < options->trainers; i++) {
        trainers[i] = (struct trainer){.of = &of};
        if (pthread_create(&trainers[i].thread, NULL, run_trainer, &trainers[i])) {
            fprintf(stderr, "gpu: no more threads\n");
            exit(1);
        }
    }
    for (int i = 0; i < options->trainers; i++) {
        pthread_join(trainers[i].thread, NULL);
        if (trainers[i].rate < 0)
            *error = trainers[i].error;
        rate = rate < 0 || trainers[i].rate < 0 ? -1 : rate + trainers[i].rate;
    }
    pthread_barrier_destroy(&of.begin);
    return rate;
}

static int measure_all(const struct options *options, const struct backend *backend)
{
    struct view *view = workload_images(IMAGES);
    struct error error;
    int failed = 0;
    printf("%-8s %14s %14s   images/s, batch %d, %d trainer%s\n", "network", backend->name, backend->bf16->name,
           options->batch, options->trainers, options->trainers == 1 ? "" : "s");
    for (int i = 0; i < options->workload.network_count; i++) {
        const struct bench_network *network = &options->workload.networks[i];
        double whole = measure(options, backend, network, view, &error);
        double half = whole < 0 ? -1 : measure(options, backend->bf16, network, view, &error);
        printf("%-8s %14.0f %14.0f\n", network->name, whole, half);
        fflush(stdout);
        if (half < 0) {
            fprintf(stderr, "gpu: %s: %s\n", network->name, error.text);
            failed = 1;
        }
    }
    workload_images_free(view);
    return failed;
}

static int time_operations(const struct options *options, const struct backend *backend)
{
    struct view *view = workload_images(options->batch);
    struct error error;
    int failed = 0;
    for (int i = 0; i < options->workload.network_count && !failed; i++)
        for (int half = 0; half < 2 && !failed; half++)
            if (operations_time(half ? backend->bf16 : backend, &options->workload.networks[i], view, options->batch,
                                options->workload.steps ? options->workload.steps : 20, &error)) {
                fprintf(stderr, "gpu: %s: %s\n", options->workload.networks[i].name, error.text);
                failed = 1;
            }
    workload_images_free(view);
    return failed;
}

/* A number from `low` to `high`, or the program ends. */
static int number(int option, const char *text, int low, int high)
{
    int value = atoi(text);
    if (value >= low && value <= high)
        return value;
    fprintf(stderr, "gpu: -%c %s: it takes %d to %d\n", option, text, low, high);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct cuda_device devices[CUDA_DEVICES_MAX];
    struct options options = {.workload = workload_defaults, .batch = 64, .trainers = 1};
    struct error error;
    int count;
    options.workload.seconds = 5;
    for (int option; (option = getopt(argc, argv, WORKLOAD_OPTIONS "g:b:t:o")) != -1;)
        if (option == 'g') {
            options.device = number(option, optarg, 0, CUDA_DEVICES_MAX - 1);
        } else if (option == 'b') {
            options.batch = number(option, optarg, 1, IMAGES);
        } else if (option == 't') {
            options.trainers = number(option, optarg, 1, TRAINERS_MAX);
        } else if (option == 'o') {
            options.operations = true;
        } else if (!workload_option(&options.workload, option, optarg)) {
            fprintf(stderr, "usage: gpu [-g GPU] [-n NETWORK] [-s SECONDS | -k STEPS] [-b BATCH] [-t TRAINERS] [-o]\n"
                            "  -o  the time of each operation in place of images a second\n" WORKLOAD_USAGE);
            return 2;
        }
    const struct cuda_module *module = cuda_module(&error);
    if (!module || module->devices(devices, &count, &error)) {
        fprintf(stderr, "gpu: %s\n", error.text);
        return 1;
    }
    if (options.device >= count) {
        fprintf(stderr, "gpu: there are %d GPUs, from 0 on\n", count);
        return 2;
    }
    printf("%s; %s\n", devices[options.device].name, module->toolkit());
    const struct backend *backend = module->backend(options.device);
    return options.operations ? time_operations(&options, backend) : measure_all(&options, backend);
}
