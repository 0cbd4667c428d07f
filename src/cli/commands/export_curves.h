/*
 * export_curves.h - `espalier export --curves`: the curves of all networks of a session.
 */
#ifndef ESPALIER_CLI_COMMANDS_EXPORT_CURVES_H
#define ESPALIER_CLI_COMMANDS_EXPORT_CURVES_H

#include "cli/cli.h"

/* Return the exit status. */
int export_curves(const struct cli_arguments *arguments);

#endif
