/*
 * report.h - prints a session's state: summary, tree, best networks, one network with its curve.
 *
 * For `show`, `run`, `resume` and `attach`.  Glyphs are UTF-8 where the locale is.
 */
#ifndef ESPALIER_CLI_REPORT_H
#define ESPALIER_CLI_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "sessions/state.h"
#include "tui/filter.h"

/* The name of the session on a command line: the short name where that finds it, else its path, quoted for the shell.
   free() it. */
char *report_session(const char *folder);
/* The end of a search: the best network, what was done, where the session is, and the next commands. */
void report_end(FILE *out, const struct session_state *state, const char *folder);
/* Has a search that ended spent a budget, so that a larger one goes on?  Not when a list of networks ended (--actions,
   --match), a target was reached, or the control won. */
bool report_may_go_on(const struct session_state *state);
/* Data, main options, counts and the best network. */
void report_summary(FILE *out, const struct session_state *state, const char *folder);
void report_tree(FILE *out, const struct session_state *state);
/* The trained networks, best first; of equals the earlier first.  free() the list. */
const struct session_node **report_ranked(const struct session_state *state, int64_t *count);
void report_best(FILE *out, const struct session_state *state, int count);
/* The networks that satisfy a filter (tui/filter.h), the best first, then those without a result. */
void report_found(FILE *out, const struct session_state *state, const struct filter *filter);
/* The networks that no other beats in both accuracy and parameters, smallest first. */
void report_pareto(FILE *out, const struct session_state *state);
/* What the policy proposed, by action and layer and episode; what that gained; that it has collapsed, where it has. */
void report_policy(FILE *out, const struct session_state *state);
void report_node(FILE *out, const struct session_state *state, int64_t node);

#endif
