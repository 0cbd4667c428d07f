/*
 * farm.h - what the parts of `espalier farm` know of each other: farm.c has the table, farm_serve.c runs a
 * server, farm_database.c has the verbs that speak with one, farm_status.c prints.  One thread.
 */
#ifndef ESPALIER_CLI_COMMANDS_FARM_H
#define ESPALIER_CLI_COMMANDS_FARM_H

#include <jansson.h>

#include "cli/cli.h"

/* The verbs. */
int farm_init(const struct cli_arguments *arguments);
int farm_serve(const struct cli_arguments *arguments);
int farm_status(const struct cli_arguments *arguments);
int farm_drop(const struct cli_arguments *arguments);

/* Make the farm in a database, unless it is there, and renew the rights; says what it did on `out` (NULL: nothing). */
int farm_prepare(const char *place, FILE *out, struct error *error);

/* A farm's place as a word for a shell: what a search is given, and what a worker is (the folder of `serve` has one for
   workers).  The caller's to free(). */
char *farm_search_word(const char *place);
char *farm_worker_word(const char *place);

/* Print a farm's status (farm/status.h) for people, and what to do about what is missing. */
void farm_print_status(const char *place, const json_t *status);

#endif
