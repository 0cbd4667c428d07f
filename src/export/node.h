/* node.h - private to src/export: what every format says of a node in the same way. */
#ifndef ESPALIER_EXPORT_NODE_H
#define ESPALIER_EXPORT_NODE_H

#include "sessions/state.h"

/* "queued", "running", "done", "failed", "cancelled" */
const char *export_status(enum node_status status);
/* What a network is trained for: "start", "growth", "baseline", "finish". */
const char *export_phase(const struct session_node *node);
/* The phase of a search. */
const char *export_session_phase(const struct session_state *state);
/* Accuracy and loss are known: of the result, or of the epochs so far. */
bool export_is_measured(const struct session_node *node);

#endif
