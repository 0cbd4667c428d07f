/*
 * live.h - a search with its screens: the engine on a thread of its own, the terminal on the main one.
 */
#ifndef ESPALIER_CLI_LIVE_H
#define ESPALIER_CLI_LIVE_H

#include "cli/cli.h"
#include "search/engine.h"

/* Show the search until the person leaves or a signal comes, then let it end in good order. The exit status, or -1 when
   the terminal can't be used. */
int live_search(struct engine *engine, const struct cli_arguments *arguments, const char *folder, struct error *error);

#endif
