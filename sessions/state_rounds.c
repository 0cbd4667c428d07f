/*
 * state_rounds.c - what the networks of a state say of its search: the phase, what it has cost, what a child has
 * gained.
 */
#include "sessions/state.h"

bool node_is_final(const struct session_node *node)
{
    return node->facts.by.value == AUTHOR_BASELINE || node->facts.by.value == AUTHOR_FINISH;
}

enum session_phase session_phase(const struct session_state *state)
{
    if (!state->node_count || session_node(state, 1)->status != NODE_DONE)
        return PHASE_START;
    for (int64_t number = state->node_count; number > 1; number--) {
        const struct event_proposal *facts = &session_node(state, number)->facts;
        if (facts->by.value == AUTHOR_FINISH)
            return PHASE_FINISH;
        if (facts->by.value == AUTHOR_BASELINE)
            return PHASE_BASELINE;
        if (facts->proposal)
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
