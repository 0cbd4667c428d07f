/*
 * state_rounds.c - what the networks of a state say of its search: the phase, what it has cost, what a child has
 * gained.
 */
#include "sessions/state_internal.h"

int64_t node_inherits(const struct session_node *node)
{
    return node->facts.by.value == AUTHOR_RETRAIN ? 0 : node->facts.parent;
}

bool node_is_final(const struct session_node *node)
{
    return node_phase(node) > PHASE_GROWTH;
}

enum session_phase session_phase(const struct session_state *state)
{
    if (!state->node_count || session_node(state, 1)->status != NODE_DONE)
        return PHASE_START;
    for (int64_t number = state->node_count; number > 1; number--) {
        const struct session_node *node = session_node(state, number);
        if (node_is_final(node))
            return node_phase(node);
        if (node->facts.proposal)
            break;
    }
    return PHASE_GROWTH;
}

double session_flops(const struct session_state *state)
{
    double sum = 0;
    for (int64_t number = 1; number <= state->node_count; number++) {
        const struct session_node *node = session_node(state, number);
        sum += 3 * (double)node->facts.flops * node->curve_count;
    }
    return sum * (double)state->facts.train_images;
}

double node_flops_spent(const struct session_state *state, const struct session_node *node)
{
    return 3 * (double)node->facts.flops * node->curve_count * (double)state->facts.train_images;
}

enum session_phase node_phase(const struct session_node *node)
{
    if (node->facts.by.value == AUTHOR_FINISH)
        return PHASE_FINISH;
    if (node->facts.by.value == AUTHOR_BASELINE || node->facts.by.value == AUTHOR_RETRAIN)
        return PHASE_BASELINE;
    return node->facts.parent ? PHASE_GROWTH : PHASE_START;
}

void proposal_find_control(struct session_state *state, struct proposal_record *record)
{
    const struct event_proposal *facts = &record->facts;
    int64_t number = state->proposal_count + 1;
    if (!state->proposal_count || facts->episode != state->episode)
        state->round_first = number;
    const struct session_node *parent = session_node(state, facts->parent);
    if (!parent)
        return;
    if (parent->control_proposal >= state->round_first)
        record->control = state->proposals[parent->control_proposal - 1]->facts.node;
    if (record->answer != EVENT_REFUSED && facts->by.value == AUTHOR_CONTROL)
        session_node_own(state, facts->parent)->control_proposal = number;
}

int64_t session_control(const struct session_state *state, int64_t number)
{
    const struct session_node *node = session_node(state, number);
    if (!node || !node->facts.proposal)
        return 0;
    int64_t control = state->proposals[node->facts.proposal - 1]->control;
    return control && session_node(state, control)->status == NODE_DONE ? control : 0;
}

bool session_gain(const struct session_state *state, int64_t number, double *gain, int64_t *over)
{
    const struct session_node *node = session_node(state, number);
    if (!node || node->status != NODE_DONE)
        return false;
    int64_t control = session_control(state, number);
    const struct session_node *other = session_node(state, control ? control : node->facts.parent);
    if (!other || other->status != NODE_DONE)
        return false;
    *over = other->facts.node;
    *gain = node->accuracy - other->accuracy;
    return true;
}
