/*
 * launch.c - puts a search together.
 */
#include "cli/launch.h"

#include <stdlib.h>
#include <string.h>

#include "cli/detach.h"
#include "cli/live.h"
#include "search/server.h"

int launch_open(struct launch *launch, const struct search_options *options, struct error *error)
{
    struct data_spec spec;
    *launch = (struct launch){0};
    if (devices_find(options->devices, launch->devices, &launch->device_count, error))
        return error_prefix(error, "--devices %s", options->devices);
    for (int i = 0; i < launch->device_count; i++)
        if (!device_backend(&launch->devices[i], options->precision, error))
            return -1;
    if (data_spec_parse(options->data, &spec, error) || images_open(&spec, DATA_TRAIN, &launch->images, error) ||
        data_split(&launch->images, (int)options->validation, (int)options->train_subset, (uint64_t)options->seed,
                   &launch->train, &launch->validate, error))
        return -1;
    launch->data = (struct engine_data){
        .input = launch->images.shape,
        .classes = launch->images.classes,
        .train_images = launch->train.count,
        .validation_images = launch->validate.count,
        .hash = launch->images.hash,
    };
    launch->evaluator = evaluator_local_new(launch->devices, launch->device_count, options->precision, &launch->train,
                                            &launch->validate);
    return 0;
}

void launch_close(struct launch *launch)
{
    if (launch->evaluator)
        launch->evaluator->kind->free(launch->evaluator);
    view_done(&launch->train);
    view_done(&launch->validate);
    images_done(&launch->images);
}

int launch_search(struct engine *engine, const struct cli_arguments *arguments, const char *folder)
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
