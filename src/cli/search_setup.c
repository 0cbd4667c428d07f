/*
 * search_setup.c - puts a search together.
 */
#include "cli/search_setup.h"

#include <stdlib.h>
#include <string.h>

#include "arch/template.h"
#include "cli/detach.h"
#include "cli/live.h"
#include "cli/training_cost.h"
#include "search/server.h"
#include "search/start.h"
#include "sessions/log.h"
#include "util/print.h"

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
        view_all(test, &setup->train, &setup->test);
        return;
    }
    error_prefix(&error, "the finished network won't be tested");
    cli_warn(&error);
}

static int check_device(const struct device *device, const struct search_options *options, struct error *error)
{
    const struct backend *backend = device_backend(device, options->precision, error);
    if (backend && options->space == SPACE_MODERN && !backend->forward[OP_DEPTHWISE_BN_RELU])
        return error_set(error,
                         "%s: a GPU can't train residual and separable layers (--space modern) yet; use "
                         "--devices cpu",
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

int search_setup_open(struct search_setup *setup, const struct search_options *options, struct error *error)
{
    struct data_spec spec;
    *setup = (struct search_setup){0};
    if (devices_find(options->devices, setup->devices, &setup->device_count, error))
        return error_prefix(error, "--devices %s", options->devices);
    for (int i = 0; i < setup->device_count; i++)
        if (check_device(&setup->devices[i], options, error))
            return -1;
    if (data_spec_parse(options->data, &spec, error) || images_open(&spec, DATA_TRAIN, &setup->images, error) ||
        data_split(&setup->images, (int)options->validation, (int)options->train_subset, (uint64_t)options->seed,
                   &setup->train, &setup->validate, error))
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
        .facts = &setup->facts,
    };
    setup->evaluator = evaluator_local_new(setup->devices, setup->device_count, options->precision, &setup->train,
                                           &setup->validate, setup->test.count ? &setup->test : NULL);
    if (!setup->evaluator)
        return error_set(error,
                         "the search: the system has no thread for each of its %d trainers; end other programs, raise "
                         "ulimit -u, or give fewer --devices",
                         setup->device_count);
    return 0;
}

void search_setup_close(struct search_setup *setup)
{
    if (setup->engine)
        engine_free(setup->engine);
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
    if (arch_template(setup->images.shape, setup->images.classes, options->space == SPACE_MODERN, &limits, &arch,
                      NULL))
        options_start(options, setup->images.shape, setup->images.classes, &arch);
    if (training_cost_time(&arch, setup, options, &seconds, error))
        return -1;
    setup->data.speed = (double)TRAINING_PASSES * (double)arch_cost(&arch, setup->images.shape).flops / seconds *
                        training_cost_devices(setup);
    return 0;
}

int search_setup_limit(struct search_setup *setup, struct search_options *options, bool quiet, struct error *error)
{
    struct start_network start = {.weights = NULL};
    char flops[TEXT_SHORT];
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
    if (detach_settle(engine, folder, &error))
        return cli_fail(&error);
    session_remember(folder);
    if (server_open(engine, folder, &server, &error))
        cli_warn(&error);
    int status = live_search(engine, arguments, folder, &error);
    server_close(server);
    return status < 0 ? cli_fail(&error) : status;
}
