/* live.h - a search in this process: the engine on a thread of its own, what shows it on the main thread. */
#ifndef ESPALIER_CLI_LIVE_H
#define ESPALIER_CLI_LIVE_H

#include "cli/cli.h"
#include "search/engine.h"

/* Run the engine; show its events on the screens, or print them as lines, whichever the options ask for; print the
   summary.  Leaving the screens and a signal stop the search in good order.  Returns the exit status, or -1 when the
   search can't be started or shown. */
int live_search(struct engine *engine, const struct cli_arguments *arguments, const char *folder, struct error *error);

#endif
