/* compare_from_scratch.h - `espalier compare --scratch`. */
#ifndef ESPALIER_CLI_COMMANDS_COMPARE_FROM_SCRATCH_H
#define ESPALIER_CLI_COMMANDS_COMPARE_FROM_SCRATCH_H

#include "cli/cli.h"

/* Print the comparison.  Return the exit status. */
int compare_from_scratch(const struct cli_arguments *arguments);

#endif
