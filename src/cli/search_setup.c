/* search_setup.c - puts a search together. */
#include "cli/search_setup.h"

#include <stdlib.h>
#include <string.h>

#include "cli/detach.h"
#include "cli/live.h"
#include "search/server.h"

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
    setup->evaluator =
        evaluator_local_new(setup->devices, setup->device_count, options->precision, &setup->train, &setup->validate);
    return 0;
}

void search_setup_close(struct search_setup *setup)
{
    if (setup->evaluator)
        setup->evaluator->kind->free(setup->evaluator);
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
