/*
 * detach.h - `--detach`: a search in the background, for `run` and `resume`.
 */
#ifndef ESPALIER_CLI_DETACH_H
#define ESPALIER_CLI_DETACH_H

#include "cli/cli.h"
#include "search/engine.h"

/* With --detach: fork.  In the foreground process wait until the search has begun, say where it is, and return the exit
   status; when it could not begin, it has said why.  -1: this process is to do the search (it is the background one, or
   there is no --detach).  Before anything is opened and any thread is made. */
int detach_begin(const struct cli_arguments *arguments);

/* In the background process: print to FOLDER/output.log from here on, and let go of the terminal when the engine has
   written its first events.  Before engine_run(); without --detach it does nothing. */
int detach_settle(struct engine *engine, const char *folder, struct error *error);

#endif
