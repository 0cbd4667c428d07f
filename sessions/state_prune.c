/* state_prune.c - a network and all that grew from it stop growing, and may grow again; weights that are not kept. */
#include "sessions/state_internal.h"

/* The network after `number` in a walk over all that grew from `top`; `inside`: first those that grew from it. */
static int64_t next_below(const struct session_state *state, int64_t top, int64_t number, bool inside)
{
    const struct session_node *node = session_node(state, number);
    if (inside && node->first_child)
        return node->first_child;
    while (number != top && !node->next_sibling) {
        number = node->facts.parent;
        node = session_node(state, number);
    }
    return number == top ? 0 : node->next_sibling;
}

/* The node and all that grew from it.  What is in training ends by itself, soon: the engine cancels it.  What is pruned
   already is pruned with all below it, unless some joined there later. */
static void prune(struct session_state *state, int64_t root)
{
    bool skip_pruned = !state->joined_pruned, inside;
    for (int64_t i = root; i; i = next_below(state, root, i, inside)) {
        bool is_pruned = session_node(state, i)->pruned;
        inside = !skip_pruned || !is_pruned;
        if (is_pruned)
            continue;
        struct session_node *node = session_node_own(state, i);
        node->pruned = true;
        node->pruned_with = root;
        if (node->status == NODE_QUEUED)
            state_set_status(state, node, NODE_CANCELLED);
    }
}

/* What was pruned with it may grow again; what was cancelled stays so. */
static void unprune(struct session_state *state, int64_t root)
{
    for (int64_t i = root; i; i = next_below(state, root, i, true))
        if (session_node(state, i)->pruned_with == root) {
            struct session_node *node = session_node_own(state, i);
            node->pruned = false;
            node->pruned_with = 0;
        }
    state->unpruned_count++;
}

void state_apply_pruned(struct session_state *state, const struct event_pruned *facts, double time)
{
    if (facts->back) {
        unprune(state, facts->node);
        return;
    }
    prune(state, facts->node);
    struct session_node *node = session_node_own(state, facts->node);
    node->pruned_at = time;
    node->pruned_by = (enum event_author)facts->by.value;
}

void state_apply_dropped(struct session_state *state, const struct event_dropped *facts)
{
    for (int i = 0; i < facts->nodes.count; i++)
        session_node_own(state, facts->nodes.items[i])->dropped = true;
}
