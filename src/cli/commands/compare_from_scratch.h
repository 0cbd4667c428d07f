/* scratch.h - `espalier compare --scratch`: grown networks against the same architectures trained from fresh weights. */
#ifndef ESPALIER_CLI_COMMANDS_COMPARE_FROM_SCRATCH_H
#define ESPALIER_CLI_COMMANDS_COMPARE_FROM_SCRATCH_H

#include "cli/cli.h"

/* The exit status. */
int compare_scratch(const struct cli_arguments *arguments);

#endif
