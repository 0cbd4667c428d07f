/*
 * training_run.h - one `espalier train`, and what it says of itself.
 */
#ifndef ESPALIER_CLI_COMMANDS_TRAINING_RUN_H
#define ESPALIER_CLI_COMMANDS_TRAINING_RUN_H

#include <signal.h>

#include "cli/cli_device.h"
#include "cli/cli_network.h"
#include "nn/trainer.h"
#include "search/checkpoint.h"

struct training_run {
    struct cli_network network, teacher; /* a teacher without weights: there is none */
    bool scratch, resume;
    int validation, subset;
    uint64_t split_seed;
    const char *teacher_name; /* borrowed, or NULL */
    struct training training;
    enum precision precision;
    struct cli_device device;
    struct view train, validate;
    struct data_facts facts; /* of the images that it trains on */
    struct weights *weights;
    char *out, *settings;
    int reservation; /* of `out`: file_reserve() */
    struct checkpoint checkpoint;
    bool bar, unicode;
    volatile sig_atomic_t stopped;
    double began, drawn, written; /* on the monotonic clock; written 0: no file yet */
    struct error unwritten;       /* why the last file could not be written, or "" */
};

/* Set `settings`: all that the result depends on, for the file and for people.  The weights are the initial ones. */
void training_describe(struct training_run *run);
/* Print what will be trained, from what, on what and how.  `name`: the network's, as it was typed. */
void training_print_plan(const char *name, const struct training_run *run);

#endif
