/*
 * farm_server_internal.h - what farm_server.c (the folder), farm_server_address.c (how it is reached) and
 * farm_server_run.c (its processes) know of each other.  One thread.
 */
#ifndef ESPALIER_CLI_COMMANDS_FARM_SERVER_INTERNAL_H
#define ESPALIER_CLI_COMMANDS_FARM_SERVER_INTERNAL_H

#include "cli/commands/farm_server.h"
#include "util/text.h"

/* Run a program to its end, with `input` (a descriptor; -1: nothing) as its standard input.  `printed` gets what it
   prints, on both streams.  -1, with the last line that it printed: it ended with an error. */
int farm_run_program(const char *const words[], int input, struct text *printed, struct error *error);
/* The last line of a text that is not empty, within it; its length in `*length`. */
const char *farm_last_line(const char *text, int *length);

/* End the server, if it runs, and wait until it has ended. */
void farm_server_stop(struct farm_server *server);

/* Take address and port from --listen, and try whether they are free. */
int farm_server_listen(struct farm_server *server, const char *listen, struct error *error);
/* Write a file of the folder that says how to connect. */
int farm_server_write(const struct farm_server *server, const char *name, const char *text, struct error *error);
/* Write url, worker/url and pg_hba.conf, and make the certificate where it is needed. */
int farm_server_connections(const struct farm_server *server, struct error *error);

#endif
