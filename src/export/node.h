/* node.h - inside the room export: what every format says of a node in the same way. */
#ifndef ESPALIER_EXPORT_NODE_H
#define ESPALIER_EXPORT_NODE_H

#include "sessions/state.h"

/* "queued", "running", "done", "failed", "cancelled" */
const char *export_status(enum node_status status);
/* Accuracy and loss are known: of the result, or of the epochs so far. */
bool export_is_measured(const struct session_node *node);

#endif
