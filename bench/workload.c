/*
 * workload.c - the networks, their images, and their steps.
 */
#include "config.h"

#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/trainer.h"
#include "tests/pictures.h"
#include "util/bug.h"

enum { CLASSES = 10 };
static const struct shape input = {3, 32, 32};

static const struct bench_network networks[] = {
    {"TINY", "C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) A(4,4) FC(8) SM(10)"},
    {"SMALL", "C(16,3,1) P(2,2) C(32,3,1) P(2,2) C(64,3,1) P(2,2) C(128,3,1) A(4,4) FC(256) SM(10)"},
    {"MID", "C(32,3,1) C(32,3,1) P(2,2) C(64,3,1) C(64,3,1) P(2,2) C(128,3,1) C(128,3,1) P(2,2) C(192,3,1) C(192,3,1) "
            "A(4,4) FC(256) SM(10)"},
    {"BIG",
     "C(64,3,1) C(64,3,1) C(64,3,1) C(64,3,1) P(2,2) C(128,3,1) C(128,3,1) C(128,3,1) C(128,3,1) P(2,2) "
     "C(256,3,1) C(256,3,1) C(256,3,1) C(256,3,1) P(2,2) C(256,3,1) C(256,3,1) C(256,3,1) A(4,4) FC(512) SM(10)"},
    {"MOBILE",
     "C(16,3,1) M(48,3) M(48,3) S(32,3,2) M(96,3) M(96,3) M(96,3) M(96,3) S(64,3,2) M(192,3) M(192,3) M(192,3) "
     "M(192,3) S(96,3,1) M(288,3) M(288,3) M(288,3) A(8,8) SM(10)"},
    {"RES",
     "C(16,3,1) R(16,3) R(16,3) R(16,3) C(32,3,2) R(32,3) R(32,3) R(32,3) C(64,3,2) R(64,3) R(64,3) R(64,3) A(8,8) "
     "SM(10)"},
};
const struct workload_options workload_defaults = {networks, COUNT_OF(networks), .seconds = 2};

struct view *workload_images(int count)
{
    struct images *images = memory_new(1, sizeof *images);
    struct view *view = memory_new(1, sizeof *view);
    pictures_draw(input, CLASSES, count, 80, 1, images, view);
    return view;
}

void workload_images_free(struct view *view)
{
    struct images *images = (struct images *)view->images;
    pictures_done(images, view);
    free(images);
    free(view);
}

int workload_start(struct workload *workload, const struct backend *backend, const struct bench_network *network,
                   const struct view *view, int batch, struct error *error)
{
    struct arch arch;
    struct random_stream stream = random_stream_new(3, RANDOM_TEST, 0, 0);
    ASSERT(arch_parse(&arch, network->notation, error) == 0 && batch <= view->count);
    *workload = (struct workload){.view = view, .batch = batch};
    plan_lower(&arch, input, &(struct plan_options){0}, &workload->plan);
    workload->weights = weights_new(&arch, input);
    weights_initialise(workload->weights, &stream);
    workload->network = network_open(backend, &workload->plan, batch, NETWORK_TRAINING, workload->weights, NULL, error);
    if (workload->network)
        return 0;
    weights_free(workload->weights);
    return -1;
}

static const struct sgd sgd = {.rate = 0.001f, .momentum = 0.9f, .weight_decay = 1e-4f, .nesterov = true};

static struct batch batch_at(const struct workload *workload, int step)
{
    int batches = workload->view->count / workload->batch, first = step % batches * workload->batch;
    return (struct batch){workload->view, workload->view->index + first,
                          workload->augment ? workload->augment + first : NULL, workload->batch, NULL};
}

void workload_announce(const struct workload *workload, int count)
{
    struct batch *batches = memory_new((size_t)count, sizeof *batches);
    struct step *steps = memory_new((size_t)count, sizeof *steps);
    for (int i = 0; i < count; i++) {
        batches[i] = batch_at(workload, workload->steps + i);
        steps[i] = (struct step){STEP_TRAIN, &batches[i], &sgd, 0.9f, (uint64_t)workload->steps + (uint64_t)i, 0};
    }
    network_announce(workload->network, steps, count);
    free(batches);
    free(steps);
}

void workload_step(struct workload *workload)
{
    struct batch batch = batch_at(workload, workload->steps);
    network_train(workload->network, &batch, &sgd, 0.9f, (uint64_t)workload->steps++);
}

void workload_stop(struct workload *workload)
{
    network_free(workload->network);
    weights_free(workload->weights);
}

/* One of the four, or any in notation that takes these images. */
static int choose(struct workload_options *options, const char *name, struct error *error)
{
    static struct bench_network given = {.name = "given"};
    struct arch arch;
    struct shape shapes[ARCH_LAYERS_MAX];
    options->network_count = 1;
    for (size_t i = 0; i < COUNT_OF(networks); i++)
        if (!strcmp(name, networks[i].name)) {
            options->networks = &networks[i];
            return 0;
        }
    given.notation = name;
    options->networks = &given;
    if (arch_parse(&arch, name, error) || arch_shapes(&arch, input, shapes, error))
        return -1;
    if (arch.layers[arch.layer_count - 1].units != CLASSES)
        return error_set(error, "the images have %d classes: end with SM(%d)", CLASSES, CLASSES);
    return 0;
}

bool workload_option(struct workload_options *options, int option, const char *value)
{
    struct error error;
    switch (option) {
    case 'n':
        if (choose(options, value, &error)) {
            fprintf(stderr, "-n %s: %s\n", value, error.text);
            exit(2);
        }
        return true;
    case 's':
        options->seconds = atof(value);
        return true;
    case 'k':
        options->steps = atoi(value);
        return true;
    default:
        return false;
    }
}
