/*
 * child.h - runs this program once more, with other words: on the terminal, or with what it prints taken here.
 *
 * `words` are the arguments without the program's name, ended by NULL; `signals` is the mask that the child gets.  One
 * thread.
 */
#ifndef ESPALIER_CLI_CHILD_H
#define ESPALIER_CLI_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "util/error.h"
#include "util/text.h"

/* Let it have the terminal until it ends.  `*status` is its end, as waitpid() gives it.  `messages` gets what it writes to
   standard error; NULL: that goes to the terminal.  -1: it can't be started. */
int child_on_terminal(const char *const *words, const sigset_t *signals, struct text *messages, int *status,
                      struct error *error);

struct child {
    pid_t process; /* 0: none */
    int output;    /* becomes readable when it has printed something, or ended */
};
/* Start one without a terminal.  -1: it can't be. */
int child_start(struct child *child, const char *const *words, const sigset_t *signals, struct error *error);
/* Add what it has printed, up to `most` bytes in all.  True: it has ended, and `child` is none any more. */
bool child_read(struct child *child, struct text *printed, size_t most);
/* Kill it, if there is one. */
void child_stop(struct child *child);

#endif
