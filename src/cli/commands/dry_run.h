/* dry_run.h - `espalier run --dry-run`: what would run, and about how long it would take. */
#ifndef ESPALIER_CLI_COMMANDS_DRY_RUN_H
#define ESPALIER_CLI_COMMANDS_DRY_RUN_H

#include "cli/search_setup.h"

/* Time the start network for about a second, simulate a search, and print networks, FLOPs, time and memory. */
int dry_run(const struct search_options *options, const struct search_setup *setup, struct error *error);

#endif
