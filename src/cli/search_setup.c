/*
 * search_setup.c - puts a search together.
 */
#include "cli/search_setup.h"

#include <stdlib.h>
#include <string.h>

#include "cli/detach.h"
#include "cli/live.h"
#include "search/server.h"

/* A search without test images is one all the same: its finish then has no test. */
static void open_test(struct search_setup *setup, const struct data_spec *spec)
{
    struct error error;
    struct images *images = &setup->test_images;
    if (images_open(spec, DATA_TEST, images, &error)) {
        error_prefix(&error, "the finished network won't be tested");
        cli_warn(&error);
        return;
    }
    if (images->classes <= setup->images.classes && !memcmp(&images->shape, &setup->images.shape, sizeof images->shape))
        view_all(images, &setup->train, &setup->test);
}

int search_setup_open(struct search_setup *setup, const struct search_options *options, struct error *error)
{
    struct data_spec spec;
    *setup = (struct search_setup){0};
    if (devices_find(options->devices, setup->devices, &setup->device_count, error))
        return error_prefix(error, "--devices %s", options->devices);
    for (int i = 0; i < setup->device_count; i++)
        if (!device_backend(&setup->devices[i], options->precision, error))
            return -1;
    if (data_spec_parse(options->data, &spec, error) || images_open(&spec, DATA_TRAIN, &setup->images, error) ||
        data_split(&setup->images, (int)options->validation, (int)options->train_subset, (uint64_t)options->seed,
                   &setup->train, &setup->validate, error))
        return -1;
    setup->data = (struct search_data){
        .input = setup->images.shape,
        .classes = setup->images.classes,
        .train_images = setup->train.count,
        .validation_images = setup->validate.count,
        .hash = setup->images.hash,
    };
    if (options->finish > 0)
        open_test(setup, &spec);
    setup->evaluator = evaluator_local_new(setup->devices, setup->device_count, options->precision, &setup->train,
                                           &setup->validate, setup->test.count ? &setup->test : NULL);
    return 0;
}

void search_setup_close(struct search_setup *setup)
{
    if (setup->evaluator)
        setup->evaluator->kind->free(setup->evaluator);
    view_done(&setup->test);
    images_done(&setup->test_images);
    view_done(&setup->train);
    view_done(&setup->validate);
    images_done(&setup->images);
}

int search_setup_run(struct engine *engine, const struct cli_arguments *arguments, const char *folder)
{
    struct server *server = NULL;
    struct error error = {{0}};
    if (detach_settle(engine, folder, &error))
        return cli_fail(&error);
    if (server_open(engine, folder, &server, &error))
        cli_warn(&error);
    int status = live_search(engine, arguments, folder, &error);
    server_close(server);
    return status < 0 ? cli_fail(&error) : status;
}
