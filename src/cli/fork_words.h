/*
 * fork_words.h - the command line of a search that begins with a network of a recorded session.
 *
 * Somebody else may have made the session.  So none of its texts becomes part of the command line as it is: its options
 * are read into struct search_options, which refuses unknown names and bad values, and the table of options is printed
 * from there.  What starts programs (--on-best, --on-end) is no option of a search, so no session can hold it.
 */
#ifndef ESPALIER_CLI_FORK_WORDS_H
#define ESPALIER_CLI_FORK_WORDS_H

#include "sessions/state.h"

struct words {
    char **items; /* owned, and ended by NULL for execv() */
    size_t count, capacity;
};

void words_add(struct words *words, const char *word);
/* `--name value` */
void words_add_option(struct words *words, const char *name, const char *value);
void words_done(struct words *words);
/* Add `run`, every option of a search, and `--out TO`: the options in force, with the epochs and the rate that a person
   set; the budgets that the session began with, which count anew; network `node` of the session in `folder` as the
   start, which isn't trained again.  -1 when the session has an option that this program doesn't take. */
int fork_words(const struct session_state *state, const char *folder, int64_t node, const char *to, struct words *words,
               struct error *error);

#endif
