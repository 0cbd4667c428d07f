/*
 * hooks.h - commands of a person that run when a search has a new best network, and when it ends (--on-best, --on-end).
 *
 * They are given to /bin/sh as they were typed. What they may want to know is in environment variables, so nothing of a
 * session becomes part of a command. What they print goes to FOLDER/hooks.log. The search doesn't wait for them.
 */
#ifndef ESPALIER_CLI_HOOKS_H
#define ESPALIER_CLI_HOOKS_H

#include <sys/types.h>

#include "search/engine.h"

enum { HOOKS_RUNNING_MAX = 32 }; /* more --on-best don't start before one of these has ended; --on-end does */

struct hooks {
    const char *on_best, *on_end; /* NULL: none */
    const char *folder;
    int log; /* a descriptor; -1: none */
    struct engine *engine;
    int64_t best;                         /* for which on_best ran last */
    pid_t running[HOOKS_RUNNING_MAX + 1]; /* that are not known to have ended; 0: none */
};

/* Add the commands to the engine, NULL: none, before it runs.  `hooks` has to live as long as the engine runs; texts
   are borrowed.  -1 with a warning when FOLDER/hooks.log can't be written, or isn't a file of the session's own: the
   commands run, and what they print is lost. */
int hooks_add(struct hooks *hooks, const char *on_best, const char *on_end, struct engine *engine, const char *folder,
              struct error *warning);
/* The engine has ended.  Commands that still run go on. */
void hooks_done(struct hooks *hooks);

#endif
