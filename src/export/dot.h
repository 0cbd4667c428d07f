/*
 * dot.h - a session's tree as a Graphviz graph: `espalier show --dot SESSION | dot -Tsvg > tree.svg`.
 */
#ifndef ESPALIER_EXPORT_DOT_H
#define ESPALIER_EXPORT_DOT_H

#include "sessions/state.h"

/* Add the whole graph to `text`.  A node shows its number, last action, accuracy, gain over its
   control and parameters, and has its
   architecture as the tooltip; the best one is filled. */
void export_dot(const struct session_state *state, struct text *text);

#endif
