/* dry_run.h - `espalier run --dry-run`: what would run, and about how long. */
#ifndef ESPALIER_CLI_COMMANDS_DRY_RUN_H
#define ESPALIER_CLI_COMMANDS_DRY_RUN_H

#include "cli/search_setup.h"

/* Measures the start network for about a second, imagines a search of random decisions of the same size, and
   prints networks, FLOPs and time on the setup's devices. */
int dry_run(const struct search_options *options, const struct search_setup *setup, struct error *error);

#endif
