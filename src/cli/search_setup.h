/*
 * setup.h - a search in this process: data, devices, trainers, engine and display put together for `run` and
 * `resume`.
 */
#ifndef ESPALIER_CLI_SEARCH_SETUP_H
#define ESPALIER_CLI_SEARCH_SETUP_H

#include "cli/cli.h"
#include "search/engine.h"

struct search_setup {
    struct images images;
    struct view train, validate;
    struct device devices[DEVICES_MAX];
    int device_count;
    struct evaluator *evaluator;
    struct engine_data data;
};

/* Find the devices, open the data, split it, start the trainers.  search_setup_close() it, also after a failure. */
int search_setup_open(struct search_setup *setup, const struct search_options *options, struct error *error);
void search_setup_close(struct search_setup *setup);

/* Run the engine with the screens or the lines that the options ask for, then print the summary.  The exit status. */
int search_setup_run(struct engine *engine, const struct cli_arguments *arguments, const char *folder);

#endif
