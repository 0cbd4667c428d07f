/* rounds.c - see rounds.h. */
#include "search/rounds.h"

#include <math.h>

static int64_t round_of(int64_t size, int64_t proposal)
{
    return (proposal - 1) / size + 1;
}

static int64_t first_of(int64_t size, int64_t round)
{
    return (round - 1) * size + 1;
}

bool rounds_is_control(int64_t size, int64_t proposal)
{
    return proposal == first_of(size, round_of(size, proposal));
}

int64_t rounds_own_number(int64_t size, int64_t proposal)
{
    return proposal - round_of(size, proposal) + rounds_is_control(size, proposal);
}

/* How many rounds have all their proposals. */
static int64_t complete_rounds(const struct session_state *state, int64_t size)
{
    return state->proposal_count / size;
}

bool rounds_may_begin(const struct session_state *state, int64_t size)
{
    int64_t before = first_of(size, round_of(size, state->proposal_count + 1)) - 1;
    for (int64_t i = 0; i < before; i++) {
        const struct session_node *node = session_node(state, state->proposals[i]->facts.node);
        if (node && state->proposals[i]->answer == EVENT_NODE && node_is_pending(node))
            return false;
    }
    return true;
}

/* `kept`: of those alone that have their weights. */
static int64_t lowest_of_round(const struct session_state *state, int64_t size, int64_t round, bool kept)
{
    int64_t winner = 0, first = first_of(size, round);
    for (int64_t i = first; i < first + size && i <= state->proposal_count; i++) {
        const struct proposal_record *record = state->proposals[i - 1];
        const struct session_node *node = session_node(state, record->facts.node);
        if (record->answer != EVENT_NODE || node->status != NODE_DONE || node->pruned || node->stopped ||
            (kept && node->dropped) || !isfinite(node->loss))
            continue;
        if (!winner || node->loss < session_node(state, winner)->loss)
            winner = node->facts.node;
    }
    return winner;
}

int64_t rounds_winner(const struct session_state *state, int64_t size, int64_t round)
{
    return lowest_of_round(state, size, round, false);
}

/* The parent of a round that has begun; 0 when it is pruned, or its weights are not kept. */
static int64_t parent_of_round(const struct session_state *state, int64_t size, int64_t round)
{
    int64_t parent = state->proposals[first_of(size, round) - 1]->facts.parent;
    const struct session_node *node = session_node(state, parent);
    return node->pruned || node->dropped ? 0 : parent;
}

bool rounds_goes_on(const struct session_state *state, int64_t size)
{
    int64_t next = state->proposal_count + 1;
    return !rounds_is_control(size, next) && parent_of_round(state, size, round_of(size, next));
}

/* The start network, or where its weights are gone the lowest loss of those that have theirs. */
static int64_t first_parent(const struct session_state *state)
{
    int64_t lowest = 0;
    for (int64_t i = 2; session_node(state, 1)->dropped && i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (node->status == NODE_DONE && !node->pruned && !node->dropped && !node_is_final(node) &&
            isfinite(node->loss) && (!lowest || node->loss < session_node(state, lowest)->loss))
            lowest = i;
    }
    return lowest ? lowest : 1;
}

int64_t rounds_parent(const struct session_state *state, int64_t size)
{
    int64_t round = round_of(size, state->proposal_count + 1), parent = 0;
    if (rounds_goes_on(state, size))
        return parent_of_round(state, size, round);
    while (!parent && --round > 0) {
        parent = lowest_of_round(state, size, round, true);
        if (!parent)
            parent = parent_of_round(state, size, round);
    }
    return parent ? parent : first_parent(state);
}

int64_t rounds_won_by_control(const struct session_state *state, int64_t size)
{
    int64_t won = 0;
    for (int64_t round = complete_rounds(state, size); round > 0; round--, won++) {
        int64_t winner = rounds_winner(state, size, round);
        if (!winner || session_node(state, winner)->facts.by.value != AUTHOR_CONTROL)
            break;
    }
    return won;
}

static bool is_fruitless(const struct session_state *state, int64_t size, int64_t round)
{
    int64_t first = first_of(size, round);
    for (int64_t i = first; i < first + size; i++)
        if (!rounds_is_control(size, i) && state->proposals[i - 1]->answer == EVENT_NODE)
            return false;
    return true;
}

int64_t rounds_fruitless(const struct session_state *state, int64_t size)
{
    int64_t count = 0;
    for (int64_t round = complete_rounds(state, size); round > 0 && is_fruitless(state, size, round); round--)
        count++;
    return count;
}
