/*
 * dry_run.c - estimates a search: time the start network, simulate a tree without training, and scale by FLOPs.
 *
 * In the simulation the policy proposes as it does before it has learned anything, and parents are drawn at random
 * because no accuracy is known.  Larger networks reach more FLOP/s than the start network, so the estimated time is
 * rather too long than too short.
 */
#include "cli/commands/dry_run.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli_network.h"
#include "nn/trainer.h"
#include "policy/manual.h"
#include "search/engine.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

/* Dropout takes time and memory too. */
static struct plan_options dropout_of(const struct search_options *options)
{
    return (struct plan_options){(float)options->drop_pool, (float)options->drop_fc, (float)options->drop_dense};
}

/* Seconds of training an image of this architecture takes. */
static int time_training(const struct arch *arch, const struct search_setup *setup,
                         const struct search_options *options, double *seconds, struct error *error)
{
    int batch = (int)options->batch;
    const struct backend *backend = device_backend(&setup->devices[0], options->precision, error);
    if (!backend)
        return -1;
    struct plan *plan = memory_new(1, sizeof *plan);
    struct weights *weights = weights_new(arch, setup->images.shape);
    struct random_stream stream = random_stream_new(0, RANDOM_INITIALISE, 0, 0);
    struct sgd sgd = {.rate = 0.01f, .momentum = 0.9f, .nesterov = true};
    struct plan_options dropout = dropout_of(options);
    weights_initialise(weights, &stream);
    plan_lower(arch, setup->images.shape, &dropout, plan);
    struct network *network = network_open(backend, plan, batch, NETWORK_TRAINING, weights, NULL, error);
    if (network) {
        int count = setup->train.count < batch ? setup->train.count : batch, images = 0;
        struct batch data = {.view = &setup->train, .index = setup->train.index, .count = count};
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

/* The memory of a network in training on the first device. */
static int64_t training_bytes(const struct arch *arch, const struct search_setup *setup,
                              const struct search_options *options)
{
    const struct backend *backend = device_backend(&setup->devices[0], options->precision, NULL);
    struct plan *plan = memory_new(1, sizeof *plan);
    struct plan_options dropout = dropout_of(options);
    plan_lower(arch, setup->images.shape, &dropout, plan);
    int64_t bytes = network_bytes(backend, plan, (int)options->batch, NETWORK_TRAINING);
    free(plan);
    return bytes;
}

/* All networks of a simulated search together. */
struct simulation {
    double flops;  /* forward, of one image */
    int64_t bytes; /* the most memory that one of them needs in training */
};

/* The policy that proposes: the one of the options, or random for a policy that matches a session, which isn't read
   here. */
static const struct policy_kind *simulated_policy(const struct search_options *options)
{
    const struct policy_kind *kind = policy_find(options->policy);
    return kind->takes_match ? policy_find("random") : kind;
}

static void simulate_network(struct policy *policy, int64_t number, const struct arch *parent,
                             struct random_stream *stream, struct arch *child)
{
    struct proposal proposal;
    struct proposal_request request = {.parent = parent, .proposal = number, .network = number, .stream = stream};
    if (policy->kind->propose(policy, &request, &proposal, NULL) || proposal_apply(parent, &proposal, child, NULL))
        *child = *parent;
}

/* A long search is estimated by its first networks. */
enum { SIMULATED_MOST = 2000 };

static struct simulation simulate(const struct search_options *options, const struct search_setup *setup,
                                  const struct arch *start, int64_t networks)
{
    struct policy_options policy_options = options_policy(options, setup->images.shape);
    const struct policy_kind *kind = simulated_policy(options);
    struct policy *policy = policy_new(kind, &policy_options);
    struct simulation simulation = {.bytes = training_bytes(start, setup, options)};
    int64_t count = networks < SIMULATED_MOST ? networks : SIMULATED_MOST;
    struct arch *pool = memory_new((size_t)count + 1, sizeof *pool);
    pool[0] = *start;
    for (int64_t i = 1; i <= count; i++) {
        struct random_stream stream = random_stream_new((uint64_t)options->seed, RANDOM_POLICY, (uint32_t)i, 0);
        const struct arch *parent = &pool[options->parent == PARENT_START ? 0 : random_below(&stream, (uint32_t)i)];
        simulate_network(policy, i, parent, &stream, &pool[i]);
        int64_t bytes = training_bytes(&pool[i], setup, options);
        simulation.bytes = bytes > simulation.bytes ? bytes : simulation.bytes;
        simulation.flops += (double)arch_cost(&pool[i], setup->images.shape).flops;
    }
    simulation.flops *= count ? (double)networks / (double)count : 0;
    policy_free(policy);
    free(pool);
    return simulation;
}

/* Trainers on one GPU share its speed, so the GPU counts once. */
static int distinct_devices(const struct search_setup *setup)
{
    int count = 0;
    for (int i = 0; i < setup->device_count; i++) {
        const struct device *device = &setup->devices[i];
        count += !i || !device->cuda || !device[-1].cuda || device[-1].gpu != device->gpu;
    }
    return count;
}

/* The number that the budget allows; INT64_MAX: any number. */
static int64_t grown_networks(const struct search_options *options)
{
    const int64_t limits[] = {
        options->networks > 0 ? options->networks - 1 : INT64_MAX,
        options->episodes > 0 ? options->episodes * options->episode_networks : INT64_MAX,
        policy_find(options->policy)->takes_actions ? manual_count(options->actions) : INT64_MAX,
    };
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        least = limits[i] < least ? limits[i] : least;
    return least;
}

static int find_start(const struct search_options *options, const struct search_setup *setup, struct arch *start,
                      struct error *error)
{
    struct cli_network *network = memory_new(1, sizeof *network);
    int failed = 0;
    if (!*options->start) {
        options_start(options, setup->images.shape, setup->images.classes, start);
    } else {
        failed = cli_network_find(options->start, network, error) || cli_network_check_weights(network, error);
        *start = network->arch;
        cli_network_done(network);
    }
    free(network);
    return failed ? error_prefix(error, "--start") : start_check(options, &setup->data, start, error);
}

static void print_start(const struct arch *start, const struct search_options *options,
                        const struct search_setup *setup, double image_seconds)
{
    char parameters[TEXT_SHORT], flops[TEXT_SHORT], memory[TEXT_SHORT];
    struct text text = TEXT_EMPTY;
    struct arch_cost cost = arch_cost(start, setup->images.shape);
    arch_print(start, &text);
    printf("start     %s\n          %s parameters, %s FLOPs an image, %s in training; %.0f images/s on one device\n",
           text_string(&text), text_count(parameters, (double)cost.parameters), text_count(flops, (double)cost.flops),
           text_bytes(memory, (double)training_bytes(start, setup, options)), 1 / image_seconds);
    text_done(&text);
    printf("data      %d training images, %d for validation\n", setup->train.count, setup->validate.count);
    printf("devices   %d\n", distinct_devices(setup));
}

static void print_search(const struct arch *start, const struct search_options *options,
                         const struct search_setup *setup, int64_t networks, double image_seconds)
{
    char work[TEXT_SHORT], time[TEXT_SHORT], memory[TEXT_SHORT];
    const struct policy_kind *kind = simulated_policy(options);
    struct simulation simulation = simulate(options, setup, start, networks);
    double images = setup->train.count, start_flops = (double)arch_cost(start, setup->images.shape).flops;
    double start_work = start_flops * images * (double)options->start_epochs,
           grown_work = simulation.flops * images * (double)options->epochs;
    double seconds = image_seconds / start_flops * (start_work + grown_work / distinct_devices(setup));
    bool cut = options->seconds > 0 && options->seconds < seconds;
    printf("search    %lld grown network%s of %lld epoch%s, about %s FLOPs, about %s%s\n", (long long)networks,
           networks == 1 ? "" : "s", (long long)options->epochs, options->epochs == 1 ? "" : "s",
           text_count(work, 3 * (start_work + grown_work)), text_duration(time, cut ? options->seconds : seconds),
           cut ? " (ended by --seconds)" : "");
    printf("          (simulated: proposed by %s%s, on %s)\n", kind->name,
           kind->observe                               ? ", which has learned nothing"
           : policy_find(options->policy)->takes_match ? ", whatever --match says"
                                                       : "",
           options->parent == PARENT_START ? "the start network" : "parents drawn at random");
    printf("memory    about %s a trainer for the largest network, besides the images\n",
           text_bytes(memory, (double)simulation.bytes));
}

int dry_run(const struct search_options *options, const struct search_setup *setup, struct error *error)
{
    struct arch start;
    double image_seconds;
    char time[TEXT_SHORT];
    if (find_start(options, setup, &start, error) || time_training(&start, setup, options, &image_seconds, error))
        return -1;
    print_start(&start, options, setup, image_seconds);
    int64_t networks = grown_networks(options);
    if (networks < INT64_MAX)
        print_search(&start, options, setup, networks, image_seconds);
    else
        printf("search    no limit of networks or episodes; %s\n",
               options->seconds > 0 ? text_duration(time, options->seconds) : "it runs until it is stopped");
    return 0;
}
