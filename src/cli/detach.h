/* detach.h - `--detach`: a search in the background, for `run` and `resume`. */
#ifndef ESPALIER_CLI_DETACH_H
#define ESPALIER_CLI_DETACH_H

#include "cli/cli.h"
#include "search/engine.h"

/* With --detach fork.  The foreground process waits until the search has begun or failed, prints where it is, and returns
   the exit status.  -1: this process must search (it is the background process, or there is no --detach).  Call it before
   anything is opened and before any thread is started. */
int detach_begin(const struct cli_arguments *arguments);

/* In the background process: print to FOLDER/output.log from now on, and leave the terminal when the engine has written its
   first events.  Call it before engine_run().  Without --detach it does nothing. */
int detach_settle(struct engine *engine, const char *folder, struct error *error);

#endif
