/*
 * training_cost.h - what the training of a network costs on the devices of a search: measured time, computed memory.
 */
#ifndef ESPALIER_CLI_TRAINING_COST_H
#define ESPALIER_CLI_TRAINING_COST_H

#include "cli/search_setup.h"

/* Forward and backward are about three times forward. */
enum { TRAINING_PASSES = 3 };

/* Train a network of this architecture for about a second on the first device.  `*seconds`: for an image. */
int training_cost_time(const struct arch *arch, const struct search_setup *setup, const struct search_options *options,
                       double *seconds, struct error *error);
/* Bytes that its training takes on the first device; on a GPU with those of the evaluation and of the workspaces. */
int64_t training_cost_memory(const struct arch *arch, const struct search_setup *setup,
                             const struct search_options *options);
/* Devices that are as fast together as they are many: trainers on one GPU share its speed, so it counts once. */
int training_cost_devices(const struct search_setup *setup);

#endif
