/* fork.h - a new search from a moment or a network of a recorded session. */
#ifndef ESPALIER_CLI_FORK_H
#define ESPALIER_CLI_FORK_H

#include "cli/cli.h"
#include "tui/tui.h"

/* Begin the search that the screens of a replay were left for: a copy of the session up to event `which`, which is
   resumed, or a search with the session's options that starts with network `which`.  This process becomes that search;
   on failure the exit status after a message. */
int fork_search(const struct cli_arguments *arguments, const char *folder, enum tui_outcome outcome, int64_t which);

#endif
