/* detach.h - a search in the background, for `run` and `resume`: from its beginning (`--detach`), or from its screens. */
#ifndef ESPALIER_CLI_DETACH_H
#define ESPALIER_CLI_DETACH_H

#include <sys/types.h>

#include "cli/cli.h"
#include "search/engine.h"

/* With --detach, and for a search with screens, fork.  The foreground process waits until the search has begun or failed, prints where it is, and returns
   the exit status; with screens it waits until the search has ended or left the terminal.  -1: this process must search.  Call it before
   anything is opened and before any thread is started. */
int detach_begin(const struct cli_arguments *arguments);

/* In the background process: print to FOLDER/output.log from now on, and leave the terminal when the engine has written its
   first events.  Call it before engine_run().  Without --detach it does nothing. */
int detach_settle(struct engine *engine, const char *folder, struct error *error);

/* A search with screens: may it leave the terminal?  Do so, after the screens are closed: print to FOLDER/output.log from
   now on, in a session without a terminal; the process that the shell waits for ends.  -1: output.log can't be written. */
bool detach_can_leave(void);
int detach_leave(const char *folder, struct error *error);

/* Wait for the end of a child that has the terminal, and hand on signals; when it stops, this process stops too.  Return its
   status, as waitpid() gives it.  All signals must be blocked. */
int detach_follow(pid_t child);

#endif
