/*
 * gpu.c - how fast a GPU trains: images a second of whole steps of the bench's networks, by the wall, in float32 and in
 * the 16-bit type that is fast there.
 *
 * The images lie on the device; the steps are those of a training, replayed as a graph.  The time begins after some
 * steps and ends when the device has done all of them.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "device/cuda.h"
#include "times.h"
#include "util/memory.h"
#include "workload.h"

enum { IMAGES = 4096, WARM_UP = 20, STEPS_AT_ONCE = 50 };

struct options {
    struct workload_options workload;
    int device, batch;
};

static void run_steps(struct workload *workload, int count)
{
    for (int i = 0; i < count; i++)
        workload_step(workload);
    network_finish(workload->network);
}

/* Images a second; -1 with the reason. */
static double measure(const struct options *options, const struct backend *backend, const struct bench_network *network,
                      const struct view *view, struct error *error)
{
    int fixed = options->workload.steps, warm_up = fixed ? 1 : WARM_UP;
    struct workload *workload = memory_new(1, sizeof *workload);
    double rate = -1;
    if (workload_start(workload, backend, network, view, options->batch, error) == 0) {
        run_steps(workload, warm_up);
        double start = wall_seconds(), seconds;
        do {
            run_steps(workload, fixed ? fixed : STEPS_AT_ONCE);
            seconds = wall_seconds() - start;
        } while (!fixed && seconds < options->workload.seconds);
        if (network_trouble(workload->network, error) == DEVICE_FINE)
            rate = (double)(workload->steps - warm_up) * options->batch / seconds;
        workload_stop(workload);
    }
    free(workload);
    return rate;
}

static int measure_all(const struct options *options, const struct backend *backend)
{
    struct view *view = workload_images(IMAGES);
    struct error error;
    int failed = 0;
    printf("%-8s %14s %14s   images/s, batch %d\n", "network", backend->name, backend->bf16->name, options->batch);
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

int main(int argc, char **argv)
{
    static struct cuda_device devices[CUDA_DEVICES_MAX];
    struct options options = {.workload = workload_defaults, .batch = 64};
    struct error error;
    int count;
    options.workload.seconds = 5;
    options.workload.network_count = WORKLOAD_PLAIN; /* the CUDA backend runs no others yet */
    for (int option; (option = getopt(argc, argv, WORKLOAD_OPTIONS "g:b:")) != -1;)
        if (option == 'g') {
            options.device = atoi(optarg);
        } else if (option == 'b') {
            options.batch = atoi(optarg);
        } else if (!workload_option(&options.workload, option, optarg)) {
            fprintf(stderr, "usage: gpu [-g GPU] [-n NETWORK] [-s SECONDS | -k STEPS] [-b BATCH]\n" WORKLOAD_USAGE);
            return 2;
        }
    const struct cuda_module *module = cuda_module(&error);
    if (!module || module->devices(devices, &count, &error)) {
        fprintf(stderr, "gpu: %s\n", error.text);
        return 1;
    }
    if (options.device < 0 || options.device >= count || options.batch < 1 || options.batch > IMAGES) {
        fprintf(stderr, "gpu: there are %d GPUs, from 0 on; a batch has 1 to %d images\n", count, IMAGES);
        return 2;
    }
    printf("%s; %s\n", devices[options.device].name, module->toolkit());
    return measure_all(&options, module->backend(options.device));
}
