/*
 * launch.h - a search in this process: data, devices, trainers, engine and display put together for `run` and
 * `resume`.
 */
#ifndef ESPALIER_CLI_LAUNCH_H
#define ESPALIER_CLI_LAUNCH_H

#include "cli/cli.h"
#include "search/engine.h"

struct launch {
    struct images images;
    struct view train, validate;
    struct device devices[DEVICES_MAX];
    int device_count;
    struct evaluator *evaluator;
    struct engine_data data;
};

/* Find the devices, open the data, split it, start the trainers.  launch_close() it, also after a failure. */
int launch_open(struct launch *launch, const struct search_options *options, struct error *error);
void launch_close(struct launch *launch);

/* Run the engine with the screens or the lines that the options ask for, then print the summary.  The exit status. */
int launch_search(struct engine *engine, const struct cli_arguments *arguments, const char *folder);

#endif
