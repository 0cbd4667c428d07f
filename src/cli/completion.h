/*
 * completion.h - prints what a shell needs to complete the command line, from the tables of commands and options.
 *
 * `make` writes it into files with `espalier --completion SHELL`, which no help names.
 */
#ifndef ESPALIER_CLI_COMPLETION_H
#define ESPALIER_CLI_COMPLETION_H

#include "cli/cli.h"

/* `shell`: bash, zsh or fish.  -1: it is none of these. */
int completion_print(const char *shell, const struct cli_command *const *commands, size_t count);

#endif
