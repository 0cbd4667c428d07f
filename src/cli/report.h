/*
 * report.h - a session's state as text: summary, tree, best networks, one network with its curve.
 *
 * Functions of const state, for `show`, `run` and `resume`; the glyphs follow the locale.
 */
#ifndef ESPALIER_CLI_REPORT_H
#define ESPALIER_CLI_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "sessions/state.h"

/* What a person types to name this session from here: the short name where that finds it, else its path.  The caller's
   to free(). */
char *report_session(const char *folder);
/* What a search prints last: the best network, what was done, where the session is, what to type next. */
void report_end(FILE *out, const struct session_state *state, const char *folder);
/* Data, options that matter, counts, best. */
void report_summary(FILE *out, const struct session_state *state, const char *folder);
void report_tree(FILE *out, const struct session_state *state);
void report_best(FILE *out, const struct session_state *state, int count);
/* The networks that no other beats in both accuracy and parameters, smallest first. */
void report_pareto(FILE *out, const struct session_state *state);
void report_node(FILE *out, const struct session_state *state, int64_t node);

#endif
