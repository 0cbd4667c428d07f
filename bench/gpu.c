/*
 * gpu.c - how fast a GPU trains: images a second of whole steps of the bench's networks, by the wall, in float32 and in
 * the 16-bit type that is fast there.
 *
 * 32 x 32 x 3 random images that lie on the device; the steps are those of a training, replayed as a graph.  What is
 * timed begins after some steps and ends when the device has done them all.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda.h"
#include "networks.h"
#include "nn/trainer.h"
#include "tests/pictures.h"
#include "times.h"
#include "util/bug.h"

enum { IMAGES = 4096, CLASSES = 10, WARM = 20, STEPS_AT_ONCE = 50 };
static const struct shape input = {3, 32, 32};

struct options {
    int device, batch, steps; /* steps: instead of a time, when not 0 */
    double seconds;           /* of each network and type */
    const char *only;
};

static void train_steps(struct network *network, const struct view *view, int batch_size, int first, int count)
{
    static const struct sgd sgd = {.rate = 0.001f, .momentum = 0.9f, .weight_decay = 1e-4f, .nesterov = true};
    for (int step = first; step < first + count; step++) {
        struct batch batch = {view, view->index + step * batch_size % (IMAGES - batch_size + 1), NULL, batch_size};
        network_train(network, &batch, &sgd, 0.9f, (uint64_t)step);
    }
    network_finish(network);
}

/* Images a second; -1 with the reason. */
static double measure(const struct options *options, const struct backend *backend, const struct subject *subject,
                      const struct view *view, struct error *error)
{
    struct arch arch;
    struct plan *plan = memory_new(1, sizeof *plan);
    struct random_stream stream = random_stream_new(3, RANDOM_TEST, 0, 0);
    ASSERT(arch_parse(&arch, subject->notation, error) == 0);
    plan_lower(&arch, input, &(struct plan_options){0}, plan);
    struct weights *weights = weights_new(&arch, input);
    weights_initialise(weights, &stream);
    struct network *network = network_new(backend, plan, options->batch, NETWORK_TRAINING, weights, error);
    double rate = -1;
    if (network) {
        int warm = options->steps ? 1 : WARM, at_once = options->steps ? options->steps : STEPS_AT_ONCE, steps = 0;
        train_steps(network, view, options->batch, 0, warm);
        double began = wall_seconds(), seconds;
        do {
            train_steps(network, view, options->batch, warm + steps, at_once);
            steps += at_once;
            seconds = wall_seconds() - began;
        } while (!options->steps && seconds < options->seconds);
        if (network_trouble(network, error) == DEVICE_FINE)
            rate = (double)steps * options->batch / seconds;
        network_free(network);
    }
    weights_free(weights);
    free(plan);
    return rate;
}

static int measure_all(const struct options *options, const struct backend *backend)
{
    struct images images;
    struct view view;
    struct error error;
    int failed = 0;
    pictures_draw(input, CLASSES, IMAGES, 80, 1, &images, &view);
    printf("%-8s %14s %14s   images/s, batch %d\n", "network", backend->name, backend->bf16->name, options->batch);
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        if (options->only && strcmp(options->only, subjects[i].name))
            continue;
        double whole = measure(options, backend, &subjects[i], &view, &error);
        double half = whole < 0 ? -1 : measure(options, backend->bf16, &subjects[i], &view, &error);
        printf("%-8s %14.0f %14.0f\n", subjects[i].name, whole, half);
        fflush(stdout);
        if (half < 0) {
            fprintf(stderr, "gpu: %s: %s\n", subjects[i].name, error.text);
            failed = 1;
        }
    }
    pictures_done(&images, &view);
    return failed;
}

int main(int argc, char **argv)
{
    static struct cuda_device devices[CUDA_DEVICES_MAX];
    struct options options = {.batch = 64, .seconds = 5};
    struct error error;
    int count;
    for (int option; (option = getopt(argc, argv, "g:n:s:k:b:")) != -1;)
        switch (option) {
        case 'g':
            options.device = atoi(optarg);
            break;
        case 'n':
            options.only = optarg;
            break;
        case 's':
            options.seconds = atof(optarg);
            break;
        case 'k':
            options.steps = atoi(optarg);
            break;
        case 'b':
            options.batch = atoi(optarg);
            break;
        default:
            fprintf(stderr, "usage: gpu [-g GPU] [-n NETWORK] [-s SECONDS | -k STEPS] [-b BATCH]\n");
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
