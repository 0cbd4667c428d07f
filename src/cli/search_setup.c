/*
 * search_setup.c - puts a search together.
 */
#include "config.h"

#include "cli/search_setup.h"

#include <stdlib.h>
#include <string.h>

#include "arch/template.h"
#include "cli/detach.h"
#include "cli/live.h"
#include "cli/training_cost.h"
#include "farm/evaluator_farm.h"
#include "farm/farm.h"
#include "search/picture_rules.h"
#include "search/server.h"
#include "search/start.h"
#include "sessions/log.h"
#include "util/memory.h"
#include "util/print.h"

enum { UNEVEN = 2 };

/* The test images, which the finished network alone sees.  Without them a search goes on, with a warning. */
static void open_test(struct search_setup *setup, const struct data_spec *spec)
{
    const struct images *train = &setup->images;
    struct images *test = &setup->test_images;
    struct error error;
    int failed = images_open(spec, DATA_TEST, test, &error);
    if (!failed && (memcmp(&test->shape, &train->shape, sizeof train->shape) || test->classes > train->classes)) {
        failed =
            error_set(&error, "%s: the test images differ from the training images in size or classes", spec->name);
        images_done(test);
    }
    if (!failed) {
        cli_warn_of_images(test);
        view_all(test, &setup->train, &setup->test);
        return;
    }
    error_prefix(&error, "the finished network won't be tested");
    cli_warn(&error);
}

static int check_device(const struct device *device, const struct search_options *options, struct error *error)
{
    const struct backend *backend = device_backend(device, options->precision, error);
    if (backend && options->mixup > 0 && backend->device)
        return error_set(error, "%s: a GPU can't mix images (--mixup) yet; leave --mixup out, or use --devices cpu",
                         device->id);
    return backend ? 0 : -1;
}

int search_setup_settle_data(struct search_options *options, struct error *error)
{
    const char *colon = strchr(options->data, ':');
    char *path = colon ? realpath(colon + 1, NULL) : NULL;
    if (!path)
        return 0;
    struct text text = TEXT_EMPTY;
    text_add(&text, "%.*s:%s", (int)(colon - options->data), options->data, path);
    int status = options_set(options, "data", text_string(&text), error);
    text_done(&text);
    free(path);
    return status;
}

/* Open the images, and give a number of validation images that is `auto` its number. */
static int open_images(struct search_setup *setup, const struct data_spec *spec, struct search_options *options,
                       struct error *error)
{
    if (images_open(spec, DATA_TRAIN, &setup->images, error))
        return -1;
    cli_warn_of_images(&setup->images);
    if (options->validation == OPTION_AUTO)
        options->validation = data_validation(&setup->images);
    return data_split(&setup->images, (int)options->validation, (int)options->train_subset, (uint64_t)options->seed,
                      &setup->train, &setup->validate, error);
}

static int open_devices(struct search_setup *setup, const char *list, const struct search_options *options,
                        struct error *error)
{
    if (devices_find(list, setup->devices, &setup->device_count, error))
        return error_prefix(error, "--devices %s", list);
    for (int i = 0; i < setup->device_count; i++)
        if (check_device(&setup->devices[i], options, error))
            return -1;
    return 0;
}

static int open_data(struct search_setup *setup, struct search_options *options, struct error *error)
{
    struct data_spec spec;
    if (data_spec_parse(options->data, &spec, error))
        return -1;
    picture_rules_set(options, &spec);
    if (open_images(setup, &spec, options, error))
        return -1;
    if (options->finish > 0)
        open_test(setup, &spec);
    data_facts_of(options->data, &setup->images, &setup->train, &setup->facts);
    setup->data = (struct search_data){
        .input = setup->images.shape,
        .classes = setup->images.classes,
        .train_images = setup->train.count,
        .validation_images = setup->validate.count,
        .hash = setup->images.hash,
        .own_validation = setup->images.validation > 0,
        .facts = &setup->facts,
    };
    return 0;
}

int search_setup_open(struct search_setup *setup, struct search_options *options, struct error *error)
{
    *setup = (struct search_setup){0};
    if (open_devices(setup, options->devices, options, error) || open_data(setup, options, error))
        return -1;
    setup->evaluator = evaluator_local_new(setup->devices, setup->device_count, options->precision, &setup->train,
                                           &setup->validate, setup->test.count ? &setup->test : NULL);
    if (!setup->evaluator)
        return error_set(error,
                         "the search: the system has no thread for each of its %d trainers; end other programs, raise "
                         "ulimit -u, or give fewer --devices",
                         setup->device_count);
    return 0;
}

#ifdef HAVE_FARM
int search_setup_open_farm(struct search_setup *setup, struct search_options *options, const char *url, double lease,
                           struct error *error)
{
    *setup = (struct search_setup){.is_farm = true};
    if (open_devices(setup, "cpu:1", options, error) || open_data(setup, options, error))
        return -1;
    setup->evaluator = evaluator_farm_new(url, lease, options, &setup->data,
                                          setup->test.count ? setup->test_images.hash : (struct hash){0}, error);
    return setup->evaluator ? 0 : -1;
}

int search_setup_take(struct search_setup *setup, const char *folder, struct error *error)
{
    if (!setup->is_farm)
        return 0;
    engine_add_sink(setup->engine, evaluator_farm_sink(setup->evaluator, folder));
    return evaluator_farm_take(setup->evaluator, engine_state(setup->engine), folder, error);
}

static void leave_farm(struct search_setup *setup)
{
    struct error error;
    if (setup->is_farm && setup->evaluator && evaluator_farm_end(setup->evaluator, &error))
        cli_warn(&error);
}
#else
int search_setup_open_farm(struct search_setup *setup, struct search_options *options, const char *url, double lease,
                           struct error *error)
{
    *setup = (struct search_setup){0};
    return farm_is_built(error);
}

int search_setup_take(struct search_setup *setup, const char *folder, struct error *error)
{
    return 0;
}

static void leave_farm(struct search_setup *setup)
{
}
#endif

int search_setup_open_given(struct search_setup *setup, struct search_options *options,
                            const struct cli_arguments *arguments, struct error *error)
{
    const char *url = cli_value(arguments, "farm"), *given = cli_value(arguments, "farm-lease");
    double lease = FARM_LEASE;
    *setup = (struct search_setup){0};
    if (given && text_to_real(given, FARM_LEASE_MIN, 1e6, &lease))
        return error_set(error, "--farm-lease %s: is not a number of seconds from %g on", given, FARM_LEASE_MIN);
    return url ? search_setup_open_farm(setup, options, url, lease, error) : search_setup_open(setup, options, error);
}

void search_setup_close(struct search_setup *setup)
{
    if (setup->engine)
        engine_free(setup->engine);
    leave_farm(setup);
    if (setup->evaluator)
        setup->evaluator->kind->free(setup->evaluator);
    view_done(&setup->train);
    view_done(&setup->validate);
    view_done(&setup->test);
    images_done(&setup->images);
    images_done(&setup->test_images);
    data_facts_done(&setup->facts);
}

/* A network of the size that searches on two cores have. */
static int measure_speed(struct search_setup *setup, const struct search_options *options, struct error *error)
{
    static const struct arch_limits limits = {.flops = 2500000};
    struct arch arch;
    double seconds;
    if (arch_template(setup->images.shape, setup->images.classes, options->space == SPACE_MODERN, &limits, &arch, NULL))
        options_start(options, setup->images.shape, setup->images.classes, &arch);
    if (training_cost_time(&arch, setup, options, &seconds, error))
        return -1;
    setup->data.speed = (double)TRAINING_PASSES * (double)arch_cost(&arch, setup->images.shape).flops / seconds *
                        training_cost_devices(setup);
    return 0;
}

/* Classes of very different sizes make a high accuracy easy. */
static void tell_of_classes(const struct images *images)
{
    int *count = memory_new((size_t)images->classes, sizeof *count), least = 0, most = 0;
    for (int i = 0; i < images->count; i++)
        count[images->labels[i]]++;
    for (int class = 1; class < images->classes; class ++) {
        least = count[class] < count[least] ? class : least;
        most = count[class] > count[most] ? class : most;
    }
    if (count[most] >= UNEVEN * count[least])
        print_to(stdout,
                 "classes   uneven: %s has %d images, %s %d; espalier eval prints a balanced accuracy beside the "
                 "accuracy\n",
                 images_class_name(images, most), count[most], images_class_name(images, least), count[least]);
    free(count);
}

void search_setup_tell(const struct search_setup *setup)
{
    const struct images *images = &setup->images;
    if (!images->summary)
        return;
    print_to(stdout, "read      %s\n", images->summary);
    if (setup->test_images.summary && strcmp(setup->test_images.summary, images->summary))
        print_to(stdout, "          test images: %s\n", setup->test_images.summary);
    print_to(stdout, "split     %d to train, %d to validate%s, %d to test\n", setup->train.count, setup->validate.count,
             images->validation ? " (the set's own)" : "", setup->test.count);
    tell_of_classes(images);
    fflush(stdout);
}

int search_setup_limit(struct search_setup *setup, struct search_options *options, bool quiet, struct error *error)
{
    struct start_network start = {.weights = NULL};
    char flops[TEXT_SHORT];
    start_settle_space(options, &setup->data);
    if (options->limit_flops != OPTION_AUTO)
        return 0;
    if (options->seconds > 0 && measure_speed(setup, options, error))
        return -1;
    int failed = start_find(options, &setup->data, &start, error);
    free(start.weights);
    if (failed)
        return -1;
    if (!quiet)
        print_to(stdout, "limit     %s FLOPs an image%s; --limit-flops sets another\n",
                 text_count(flops, (double)options->limit_flops),
                 options->seconds > 0 || options->flops > 0 ? ", from the budget" : "");
    fflush(stdout);
    return 0;
}

int search_setup_run(struct search_setup *setup, const struct cli_arguments *arguments, const char *folder)
{
    struct engine *engine = setup->engine;
    struct server *server = NULL;
    struct error error = {{0}};
    if (detach_settle(engine, folder, &error) || search_setup_take(setup, folder, &error))
        return cli_fail(&error);
    session_remember(folder);
    if (server_open(engine, folder, &server, &error))
        cli_warn(&error);
    int status = live_search(engine, arguments, folder, &error);
    server_close(server);
    return status < 0 ? cli_fail(&error) : status;
}

/* A copied session may lack the files of its weights.  It can go on when at least one network has its file. */
int search_setup_weights(const char *folder, const struct session_state *state, struct error *error)
{
    const struct session_node *trained = NULL;
    struct error missing;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        char *path;
        if (!node->weights || node->dropped)
            continue;
        int status = session_weights_path(folder, node, &path, &missing);
        free(path);
        if (status <= 0)
            return status ? error_set(error, "%s", missing.text) : 0;
        trained = node;
    }
    return trained ? error_set(error,
                               "%s: came without its weights: it can be shown and replayed, but not resumed; begin "
                               "anew: espalier run --start \"%s\"",
                               folder, session_node(state, state->best)->facts.arch)
                   : 0;
}
