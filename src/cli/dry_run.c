/*
 * dry_run.c - an estimate in three steps: time the start network, imagine a tree of random decisions without training
 * any of it, and scale by FLOPs.  Larger networks reach more FLOP/s than the start network, so that the time is
 * rather too long than too short.
 */
#include "cli/dry_run.h"

#include <stdlib.h>

#include "nn/trainer.h"
#include "util/clock.h"
#include "util/memory.h"

/* Seconds of training an image of this architecture takes. */
static int time_training(const struct arch *arch, const struct launch *launch, const struct search_options *options,
                         double *seconds, struct error *error)
{
    int batch = (int)options->batch;
    const struct backend *backend = device_backend(&launch->devices[0], options->precision, error);
    if (!backend)
        return -1;
    struct plan *plan = memory_new(1, sizeof *plan);
    struct weights *weights = weights_new(arch, launch->images.shape);
    struct random_stream stream = random_stream_new(0, RANDOM_INITIALISE, 0, 0);
    struct sgd sgd = {.rate = 0.01f, .momentum = 0.9f, .nesterov = true};
    struct plan_options none = {0};
    weights_initialise(weights, &stream);
    plan_lower(arch, launch->images.shape, &none, plan);
    struct network *network = network_new(backend, plan, batch, NETWORK_TRAINING, weights, error);
    if (network) {
        int count = launch->train.count < batch ? launch->train.count : batch, images = 0;
        struct batch data = {.view = &launch->train, .index = launch->train.index, .count = count};
        network_train(network, &data, &sgd, 0.9f, 0);
        double begin = clock_monotonic();
        do {
            network_train(network, &data, &sgd, 0.9f, 0);
            images += count;
        } while (clock_monotonic() - begin < 1);
        *seconds = (clock_monotonic() - begin) / images;
        network_free(network);
    }
    weights_free(weights);
    free(plan);
    return network ? 0 : -1;
}

/* Of a network in training on the first device. */
static int64_t training_bytes(const struct arch *arch, const struct launch *launch, const struct search_options *options)
{
    const struct backend *backend = device_backend(&launch->devices[0], options->precision, NULL);
    struct plan *plan = memory_new(1, sizeof *plan);
    struct plan_options none = {0};
    plan_lower(arch, launch->images.shape, &none, plan);
    int64_t bytes = network_bytes(backend, plan, (int)options->batch, NETWORK_TRAINING);
    free(plan);
    return bytes;
}

/* Of all networks of an imagined search. */
struct imagined {
    double flops;  /* of an image, forward, together */
    int64_t bytes; /* the largest arena of one in training */
};

static struct imagined imagine(const struct search_options *options, const struct launch *launch, const struct arch *start,
                      int64_t networks)
{
    struct policy_options policy_options = {
        .space = space_find(options->widths),
        .input = launch->images.shape,
        .limits = {options->limit_depth, options->limit_parameters, options->limit_flops, options->limit_memory,
                   (int)options->batch},
        .wider_decisions = (int)options->wider,
        .deeper_decisions = (int)options->deeper,
    };
    const struct policy_kind *kind = policy_find("random");
    struct policy *policy = kind->create(&policy_options);
    struct imagined imagined = {0};
    struct arch *pool = memory_new((size_t)networks + 1, sizeof *pool);
    struct proposal *proposal = memory_new(1, sizeof *proposal);
    pool[0] = *start;
    for (int64_t i = 1; i <= networks; i++) {
        struct random_stream stream =
            random_stream_new((uint64_t)options->seed, RANDOM_POLICY, (uint32_t)i, 0);
        const struct arch *parent = &pool[options->parent == PARENT_START ? 0 : random_below(&stream, (uint32_t)i)];
        kind->propose(policy, parent, &stream, proposal);
        if (proposal_apply(parent, proposal, &pool[i], NULL))
            pool[i] = *parent;
        int64_t bytes = training_bytes(&pool[i], launch, options);
        imagined.bytes = bytes > imagined.bytes ? bytes : imagined.bytes;
        imagined.flops += (double)arch_cost(&pool[i], launch->images.shape).flops;
    }
    kind->destroy(policy);
    free(proposal);
    free(pool);
    return imagined;
}

/* Trainers that share a GPU share its speed: it counts once, so that the time is rather too long here too. */
static int devices_apart(const struct launch *launch)
{
    int count = 0;
    for (int i = 0; i < launch->device_count; i++) {
        const struct device *device = &launch->devices[i];
        count += !i || !device->cuda || !device[-1].cuda || device[-1].gpu != device->gpu;
    }
    return count;
}

int dry_run(const struct search_options *options, const struct launch *launch, struct error *error)
{
    struct arch start;
    struct shape input = launch->images.shape;
    int64_t networks = options->networks > 0   ? options->networks - 1
                       : options->episodes > 0 ? options->episodes * options->episode_networks
                                               : 0;
    networks = networks > 100000 ? 100000 : networks;
    if (*options->start) {
        struct target target;
        if (target_find(options->start, &target, error))
            return -1;
        start = target.arch;
        target_done(&target);
    } else {
        options_start(options, input, launch->images.classes, &start);
    }
    struct shape shapes[ARCH_LAYERS_MAX];
    double image_seconds;
    if (arch_shapes(&start, input, shapes, error) ||
        time_training(&start, launch, options, &image_seconds, error))
        return -1;
    struct text text = TEXT_EMPTY;
    char parameters[TEXT_SHORT], work[TEXT_SHORT], time[TEXT_SHORT], memory[TEXT_SHORT];
    struct arch_cost cost = arch_cost(&start, input);
    arch_print(&start, &text);
    printf("start     %s\n          %s parameters, %s FLOPs an image, %s in training; %.0f images/s on one device\n",
           text_string(&text), text_count(parameters, (double)cost.parameters), text_count(work, (double)cost.flops),
           text_bytes(memory, (double)training_bytes(&start, launch, options)), 1 / image_seconds);
    text_done(&text);
    printf("data      %d training images, %d for validation\n", launch->train.count, launch->validate.count);
    printf("devices   %d\n", devices_apart(launch));
    if (!networks) {
        printf("search    no limit of networks or episodes; %s\n",
               options->seconds > 0 ? text_duration(time, options->seconds) : "it runs until it is stopped");
        return 0;
    }
    double images = (double)launch->train.count;
    struct imagined imagined = imagine(options, launch, &start, networks);
    double start_seconds = image_seconds * images * (double)options->start_epochs;
    double grown_seconds = image_seconds / (double)cost.flops * imagined.flops * images * (double)options->epochs;
    double flops =
        3 * images * ((double)cost.flops * (double)options->start_epochs + imagined.flops * (double)options->epochs);
    double seconds = start_seconds + grown_seconds / devices_apart(launch);
    bool cut = options->seconds > 0 && options->seconds < seconds;
    printf("search    %lld grown networks of %lld epochs, about %s FLOPs, about %s%s\n", (long long)networks,
           (long long)options->epochs, text_count(work, flops), text_duration(time, cut ? options->seconds : seconds),
           cut ? " (ended by --seconds)" : "");
    printf("memory    about %s a trainer for the largest network, besides the images\n",
           text_bytes(memory, (double)imagined.bytes));
    return 0;
}
