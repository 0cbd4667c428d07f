/* node.c - the words of the exports are part of their formats: change none, only add. */
#include "export/node.h"

#include "util/bug.h"

static const char *const status_words[] = {[NODE_QUEUED] = "queued",
                                           [NODE_RUNNING] = "running",
                                           [NODE_DONE] = "done",
                                           [NODE_FAILED] = "failed",
                                           [NODE_CANCELLED] = "cancelled"};
_Static_assert(COUNT_OF(status_words) == NODE_STATUS_COUNT, "every status has a word");

const char *export_status(enum node_status status)
{
    return status_words[status];
}

static const char *const phase_words[] = {
    [PHASE_START] = "start", [PHASE_GROWTH] = "growth", [PHASE_BASELINE] = "baseline", [PHASE_FINISH] = "finish"};

const char *export_phase(const struct session_node *node)
{
    return phase_words[node_phase(node)];
}

const char *export_session_phase(const struct session_state *state)
{
    return phase_words[session_phase(state)];
}

bool export_is_measured(const struct session_node *node)
{
    return node->status == NODE_DONE || node->curve_count > 0;
}
