/*
 * dry_run.c - estimates a search: time the start network, simulate a tree without training, and scale by FLOPs.
 *
 * No accuracy is known.  So a round is won by its largest child, and elsewhere parents are drawn at random; a policy
 * that learns proposes as one that has learned to widen.  Larger networks reach more FLOP/s than the start network.  So
 * the estimate is rather too long than too short.
 */
#include "cli/commands/dry_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/template.h"
#include "cli/training_cost.h"
#include "policy/manual.h"
#include "search/budget.h"
#include "search/start.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/print.h"

/* A long search is estimated by its first networks. */
enum { SIMULATED_MOST = 2000, LARGE_BATCH = 512 };

/* FLOPs are of training on all images. */
struct phases {
    double start, growth, baseline, retrain, finish;
    int64_t networks, finish_epochs;
    int64_t bytes; /* the most memory that one network needs in training */
};

struct simulation {
    const struct search_options *options;
    const struct search_setup *setup;
    struct policy *policy;
    double growth_most; /* FLOPs of start and growth together; 0: no limit */
    struct simulated_network {
        struct arch arch;
        double epoch, lineage; /* FLOPs of one epoch; of all epochs of it and its ancestors */
    } * networks;
    int64_t count;  /* with the start network */
    int64_t parent; /* of the round */
    struct phases phases;
};

/* The policy that proposes: `widen` for one that learns, and random for one that matches a session, which isn't read
   here. */
static const struct policy_kind *simulated_policy(const struct search_options *options)
{
    const struct policy_kind *kind = policy_find(options->policy);
    return kind->observe ? policy_find("widen") : kind->takes_match ? policy_find("random") : kind;
}

static double flops_of_epoch(const struct simulation *simulation, const struct arch *arch)
{
    return (double)TRAINING_PASSES * (double)arch_cost(arch, simulation->setup->images.shape).flops *
           simulation->setup->train.count;
}

static void add_network(struct simulation *simulation, const struct arch *arch, double lineage, int64_t epochs)
{
    struct simulated_network *network = &simulation->networks[simulation->count++];
    int64_t bytes = training_cost_memory(arch, simulation->setup, simulation->options);
    network->arch = *arch;
    network->epoch = flops_of_epoch(simulation, arch);
    network->lineage = lineage + network->epoch * (double)epochs;
    simulation->phases.bytes = bytes > simulation->phases.bytes ? bytes : simulation->phases.bytes;
}

/* The largest network from `first` on. */
static int64_t largest(const struct simulation *simulation, int64_t first)
{
    int64_t best = first;
    for (int64_t i = first; i < simulation->count; i++)
        if (simulation->networks[i].epoch > simulation->networks[best].epoch)
            best = i;
    return best;
}

static int64_t choose_parent(struct simulation *simulation, struct random_stream *stream)
{
    int64_t round = simulation->options->episode_networks;
    switch (simulation->options->parent) {
    case PARENT_START:
        return 0;
    case PARENT_RACE:
        if (simulation->count > round && (simulation->count - 1) % round == 0)
            simulation->parent = largest(simulation, simulation->count - round);
        return simulation->parent;
    default:
        return random_below(stream, (uint32_t)simulation->count);
    }
}

/* A child; the first of a round is its control, which is its parent again. */
static void simulate_network(struct simulation *simulation)
{
    const struct search_options *options = simulation->options;
    int64_t number = simulation->count;
    struct random_stream stream = random_stream_new((uint64_t)options->seed, RANDOM_POLICY, (uint32_t)number, 0);
    struct simulated_network *parent = &simulation->networks[choose_parent(simulation, &stream)];
    struct proposal_request request = {
        .parent = &parent->arch, .proposal = number, .network = number, .stream = &stream};
    struct proposal proposal;
    struct arch child;
    bool control = options->parent == PARENT_RACE && (number - 1) % options->episode_networks == 0;
    if (control || simulation->policy->kind->propose(simulation->policy, &request, &proposal, NULL) ||
        proposal_apply(&parent->arch, &proposal, &child, NULL))
        child = parent->arch;
    add_network(simulation, &child, parent->lineage, options->epochs);
    simulation->phases.growth += simulation->networks[number].epoch * (double)options->epochs;
    simulation->phases.networks++;
}

static void simulate_growth(struct simulation *simulation, int64_t networks)
{
    struct phases *phases = &simulation->phases;
    while (phases->networks < networks && phases->networks < SIMULATED_MOST &&
           !(simulation->growth_most > 0 && phases->start + phases->growth >= simulation->growth_most))
        simulate_network(simulation);
    double more = 1;
    if (phases->networks == SIMULATED_MOST && networks < INT64_MAX)
        more = (double)networks / SIMULATED_MOST;
    if (phases->networks == SIMULATED_MOST && simulation->growth_most > 0)
        more = fmin(networks < INT64_MAX ? more : INFINITY, (simulation->growth_most - phases->start) / phases->growth);
    phases->growth *= more;
    phases->networks = (int64_t)((double)phases->networks * more);
}

/* What follows the growth; `budget` of FLOPs, 0: none. */
static void simulate_end(struct simulation *simulation, double budget)
{
    const struct search_options *options = simulation->options;
    struct phases *phases = &simulation->phases;
    const struct simulated_network *winner = &simulation->networks[largest(simulation, 0)];
    struct shape input = simulation->setup->images.shape;
    struct arch_limits limits = options_policy(options, input).limits;
    struct arch arch;
    bool from_scratch = options->parent == PARENT_RACE && options->baseline != BASELINE_NO && options->finish > 0;
    if (from_scratch &&
        !arch_template(input, simulation->setup->images.classes, options->space == SPACE_MODERN, &limits, &arch,
                       NULL) &&
        !arch_equal(&arch, &simulation->networks[0].arch)) {
        double epoch = flops_of_epoch(simulation, &arch);
        phases->baseline = fmax(1, round(winner->lineage / epoch)) * epoch;
    }
    if (from_scratch && options->baseline == BASELINE_RETRAIN)
        phases->retrain = fmax(1, round(winner->lineage / winner->epoch)) * winner->epoch;
    double spent = phases->start + phases->growth + phases->baseline + phases->retrain;
    double left = budget > 0 ? budget - spent : spent * options->finish / (1 - options->finish);
    if (options->finish > 0) {
        phases->finish_epochs = (int64_t)fmax(1, left / winner->epoch);
        phases->finish = (double)phases->finish_epochs * winner->epoch;
    }
}

/* `budget`: FLOPs in all, 0: none. */
static struct phases simulate(const struct search_options *options, const struct search_setup *setup,
                              const struct arch *start, int64_t networks, double budget)
{
    struct policy_options policy_options = options_policy(options, setup->images.shape);
    struct simulation simulation = {
        .options = options,
        .setup = setup,
        .policy = policy_new(simulated_policy(options), &policy_options),
        .growth_most = budget * (1 - options->finish),
        .networks = memory_new(SIMULATED_MOST + 1, sizeof *simulation.networks),
    };
    add_network(&simulation, start, 0, options->start_epochs);
    simulation.phases.start = simulation.networks[0].lineage;
    simulate_growth(&simulation, networks);
    simulate_end(&simulation, budget);
    policy_free(simulation.policy);
    free(simulation.networks);
    return simulation.phases;
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

static void print_start(const struct arch *start, const struct search_options *options,
                        const struct search_setup *setup, double image_seconds)
{
    char parameters[TEXT_SHORT], flops[TEXT_SHORT], memory[TEXT_SHORT];
    struct text text = TEXT_EMPTY;
    struct arch_cost cost = arch_cost(start, setup->images.shape);
    arch_print(start, &text);
    print_to(stdout,
             "start     %s\n          %s parameters, %s FLOPs an image, %s in training; %.0f images/s on one device\n",
             text_string(&text), text_count(parameters, (double)cost.parameters), text_count(flops, (double)cost.flops),
             text_bytes(memory, (double)training_cost_memory(start, setup, options)), 1 / image_seconds);
    text_done(&text);
    print_to(stdout, "data      %d training images, %d for validation\n", setup->train.count, setup->validate.count);
    print_to(stdout, "devices   %d\n", training_cost_devices(setup));
    /* Rates that grow with the batch keep a step's way by image (Goyal et al., 2017). */
    double larger = LARGE_BATCH / (double)options->batch;
    if (setup->devices[0].cuda && larger >= 2 && setup->train.count >= LARGE_BATCH)
        print_to(stdout,
                 "batch     %lld images; a GPU trains larger ones faster: --batch %d --rate %.3g --start-rate %.3g, "
                 "with rates that grow as the batch does\n",
                 (long long)options->batch, LARGE_BATCH, options->rate * larger, options->start_rate * larger);
}

static void print_phase(const char *name, int64_t count, const char *what, double flops, double speed)
{
    char work[TEXT_SHORT], time[TEXT_SHORT], counted[64];
    snprintf(counted, sizeof counted, "%lld %s%s", (long long)count, what, count == 1 ? "" : "s");
    if (flops > 0)
        print_to(stdout, "%-10s %-12s about %s FLOPs, about %s\n", name, counted, text_count(work, flops),
                 text_duration(time, flops / speed));
}

/* `speed`: FLOPs of training a second on all devices. */
static void print_search(const struct phases *phases, const struct search_options *options, double speed)
{
    char work[TEXT_SHORT], time[TEXT_SHORT], memory[TEXT_SHORT];
    const struct policy_kind *kind = policy_find(options->policy), *simulated = simulated_policy(options);
    double flops = phases->start + phases->growth + phases->baseline + phases->retrain + phases->finish;
    double seconds = flops / speed;
    bool cut = options->seconds > 0 && options->seconds < seconds;
    print_to(stdout, "search    %lld grown network%s of %lld epoch%s, about %s FLOPs, about %s%s\n",
             (long long)phases->networks, phases->networks == 1 ? "" : "s", (long long)options->epochs,
             options->epochs == 1 ? "" : "s", text_count(work, flops),
             text_duration(time, cut ? options->seconds : seconds), cut ? " (ended by --seconds)" : "");
    print_to(stdout, "          (simulated: proposed by %s%s%s, on %s)\n", simulated->name,
             kind == simulated ? "" : " instead of ", kind == simulated ? "" : kind->name,
             options->parent == PARENT_START  ? "the start network"
             : options->parent == PARENT_RACE ? "the largest network of the round before"
                                              : "parents drawn at random");
    print_phase("  start", options->start_epochs, "epoch", phases->start, speed);
    print_phase("  growth", phases->networks, "network", phases->growth, speed);
    print_phase("  baseline", 1, "network", phases->baseline, speed);
    print_phase("  retrain", 1, "network", phases->retrain, speed);
    print_phase("  finish", phases->finish_epochs, "epoch", phases->finish, speed);
    print_to(stdout, "memory    about %s a trainer for the largest network, besides the images\n",
             text_bytes(memory, (double)phases->bytes));
}

int dry_run(const struct search_options *options, const struct search_setup *setup, struct error *error)
{
    struct search_options own = *options;
    struct start_network start = {.weights = NULL};
    double image_seconds;
    int failed = start_find(&own, &setup->data, &start, error);
    free(start.weights);
    if (failed || training_cost_time(&start.arch, setup, options, &image_seconds, error))
        return -1;
    print_start(&start.arch, options, setup, image_seconds);
    double flops = (double)TRAINING_PASSES * (double)arch_cost(&start.arch, setup->images.shape).flops;
    double speed = flops / image_seconds * training_cost_devices(setup), budget = budget_flops(options, speed);
    int64_t networks = grown_networks(options);
    if (networks == INT64_MAX && !budget) {
        print_to(stdout, "search    no limit of networks, episodes, FLOPs or time; it runs until it is stopped\n");
        return 0;
    }
    struct phases phases = simulate(&own, setup, &start.arch, networks, budget);
    print_search(&phases, &own, speed);
    return 0;
}
