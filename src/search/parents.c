/*
 * parents.c - which network the next one grows from.
 *
 * Every trained network that isn't pruned may be a parent; once some of those are pinned, only the pinned ones
 * may.  `start`: the start network (of the pinned ones, one drawn uniformly).  `best`: the highest accuracy,
 * the earlier of equals.  `tournament`: the best of a few drawn with replacement.  A draw depends on the seed,
 * the proposal's number and the networks that are trained by then, and on nothing else.
 */
#include <stdlib.h>

#include "search/internal.h"
#include "util/bug.h"
#include "util/memory.h"

static bool may_be_parent(const struct session_node *node)
{
    return node->status == NODE_DONE && !node->pruned;
}

/* Their numbers, ascending.  `*pinned`: only pinned ones are left. */
static int64_t *candidates(const struct session_state *state, int64_t *count, bool *pinned)
{
    int64_t *nodes = memory_new((size_t)state->node_count, sizeof *nodes);
    *count = 0;
    *pinned = false;
    for (int64_t i = 0; i < state->node_count; i++) {
        const struct session_node *node = state->nodes[i];
        if (!may_be_parent(node) || (*pinned && !node->pinned))
            continue;
        if (node->pinned && !*pinned) {
            *pinned = true;
            *count = 0;
        }
        nodes[(*count)++] = i + 1;
    }
    return nodes;
}

/* The first argument on a tie. */
static int64_t better(const struct session_state *state, int64_t a, int64_t b)
{
    double first = session_node(state, a)->accuracy, second = session_node(state, b)->accuracy;
    if (first == second)
        return a < b ? a : b;
    return first > second ? a : b;
}

int64_t parent_choose(const struct engine *engine, int64_t proposal)
{
    struct random_stream stream =
        random_stream_new((uint64_t)engine->options.seed, RANDOM_PARENT, (uint32_t)proposal, 0);
    int64_t count;
    bool pinned;
    int64_t *nodes = candidates(engine->state, &count, &pinned);
    ASSERT(count > 0);
    int64_t chosen = 0;
    switch (engine->options.parent) {
    case PARENT_START:
        chosen = pinned ? nodes[random_below(&stream, (uint32_t)count)] : 1;
        break;
    case PARENT_BEST:
        chosen = nodes[0];
        for (int64_t i = 1; i < count; i++)
            chosen = better(engine->state, chosen, nodes[i]);
        break;
    case PARENT_TOURNAMENT:
        chosen = nodes[random_below(&stream, (uint32_t)count)];
        for (int64_t i = 1; i < engine->options.tournament; i++)
            chosen = better(engine->state, chosen, nodes[random_below(&stream, (uint32_t)count)]);
        break;
    }
    free(nodes);
    return chosen;
}
