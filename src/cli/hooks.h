/*
 * hooks.h - commands of a person that run when a search has a new best network, and when it ends (--on-best, --on-end).
 *
 * They are given to /bin/sh as they were typed. What they may want to know is in environment variables, so nothing of a
 * session becomes part of a command. What they print goes to FOLDER/hooks.log. The search doesn't wait for them.
 */
#ifndef ESPALIER_CLI_HOOKS_H
#define ESPALIER_CLI_HOOKS_H

#include <sys/types.h>

#include "cli/cli.h"
#include "search/engine.h"

enum { HOOKS_RUNNING_MAX = 32 }; /* more don't start before one of these has ended */

struct hooks {
    const char *on_best, *on_end; /* NULL: none */
    const char *folder;
    struct engine *engine;
    int64_t best;                 /* for which on_best ran last */
    pid_t running[HOOKS_RUNNING_MAX]; /* that are not known to have ended; 0: none */
};

/* Add the commands of the options, if there are any, to the engine.  `hooks` has to live as long as the engine runs. */
void hooks_add(struct hooks *hooks, const struct cli_arguments *arguments, struct engine *engine, const char *folder);

#endif
