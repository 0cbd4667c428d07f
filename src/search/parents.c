/*
 * parents.c - which network the next one grows from.
 *
 * Every trained network that isn't pruned may be a parent, but for those that train at the end; once some of those are
 * pinned, only the pinned ones may.  A network that can't grow any more, whose weights are lost, or that is exhausted
 * (the last proposals from it led to nothing new) is chosen only when there is no other.
 *
 *     start        the start network; of pinned ones, one drawn uniformly
 *     best         the highest accuracy, the earlier of equals
 *     tournament   the best of a few drawn with replacement
 *     aging        such a tournament among the youngest, by number
 *     race         the winner of the round before (rounds.h); of pinned ones, the one with the lowest loss.  Within a
 *                  round it stays the same
 *
 * A draw depends on the seed, the proposals before and the networks that are trained by then, and on nothing else: a
 * resumed search chooses as one that was never interrupted.
 */
#include "search/parents.h"

#include <stdlib.h>
#include <string.h>

#include "policy/growth.h"
#include "search/keeping.h"
#include "search/rounds.h"
#include "util/bug.h"
#include "util/memory.h"

/* After this many fruitless proposals in a row a parent is exhausted.  Near the limits nearly all children of a network
   may be known while the search is far from its end elsewhere. */
enum { EXHAUSTED = 10 };

void parents_recheck(struct parents *parents, int64_t number)
{
    if (number >= 1 && number <= parents->count)
        parents->growth[number - 1] = GROWTH_UNKNOWN;
}

void parents_done(struct parents *parents)
{
    free(parents->growth);
}

static const struct session_node *node_of(const struct parents *parents, int64_t number)
{
    return session_node(parents->journal->state, number);
}

static bool can_grow(struct parents *parents, int64_t number)
{
    int64_t count = parents->journal->state->node_count;
    if (parents->count < count) {
        parents->growth = memory_resize(parents->growth, (size_t)count, sizeof *parents->growth);
        while (parents->count < count)
            parents->growth[parents->count++] = GROWTH_UNKNOWN;
    }
    enum growth *growth = &parents->growth[number - 1];
    if (*growth == GROWTH_UNKNOWN) {
        struct arch arch;
        journal_arch(parents->journal, number, &arch);
        bool can = growth_possible(&parents->policy->options, &arch) && keeping_has_weights(parents->journal, number);
        *growth = can ? CAN_GROW : CAN_NOT_GROW;
    }
    return *growth == CAN_GROW;
}

static bool is_not_exhausted(struct parents *parents, int64_t number)
{
    return node_of(parents, number)->fruitless_count < EXHAUSTED;
}

static bool is_pinned(struct parents *parents, int64_t number)
{
    return node_of(parents, number)->pinned;
}

/* Keep the numbers for which `good` holds, or all when there is none. */
static int64_t narrow(struct parents *parents, int64_t *nodes, int64_t count, bool (*good)(struct parents *, int64_t))
{
    int64_t left = 0;
    for (int64_t i = 0; i < count; i++)
        if (good(parents, nodes[i]))
            nodes[left++] = nodes[i];
    return left ? left : count; /* nothing has moved when none is good */
}

/* Keep those that the option --parent chooses from. */
static int64_t narrow_by_option(const struct parents *parents, int64_t *nodes, int64_t count)
{
    int64_t population = parents->options->population;
    if (!count)
        return 0;
    if (parents->options->parent == PARENT_START && !node_of(parents, nodes[0])->pinned) {
        nodes[0] = 1;
        return 1;
    }
    if (parents->options->parent != PARENT_AGING || count <= population)
        return count;
    memmove(nodes, nodes + count - population, (size_t)population * sizeof *nodes);
    return population;
}

static bool may_be_parent(const struct session_node *node)
{
    return node->status == NODE_DONE && !node->pruned && !node->dropped && (node->pinned || !node_is_final(node));
}

/* The numbers of the networks to choose from, ascending; the caller's to free(). */
static int64_t *find_candidates(struct parents *parents, int64_t *count)
{
    const struct session_state *state = parents->journal->state;
    int64_t *nodes = memory_new((size_t)state->node_count, sizeof *nodes);
    *count = 0;
    for (int64_t number = 1; number <= state->node_count; number++)
        if (may_be_parent(session_node(state, number)))
            nodes[(*count)++] = number;
    *count = narrow(parents, nodes, *count, is_pinned);
    if (!parents->policy->kind->takes_actions)
        *count = narrow(parents, nodes, *count, can_grow);
    *count = narrow_by_option(parents, nodes, *count);
    if (!parents->policy->kind->takes_actions)
        *count = narrow(parents, nodes, *count, is_not_exhausted);
    return nodes;
}

bool parents_exhausted(struct parents *parents)
{
    int64_t count, left = 0;
    int64_t *nodes = find_candidates(parents, &count);
    for (int64_t i = 0; i < count; i++)
        left += is_not_exhausted(parents, nodes[i]);
    free(nodes);
    return !left;
}

/* The first argument on a tie. */
static int64_t better(const struct session_state *state, int64_t a, int64_t b)
{
    double first = session_node(state, a)->accuracy, second = session_node(state, b)->accuracy;
    if (first == second)
        return a < b ? a : b;
    return first > second ? a : b;
}

static int64_t choose_for_round(const struct parents *parents)
{
    const struct session_state *state = parents->journal->state;
    int64_t size = parents->options->episode_networks, pinned = 0;
    for (int64_t number = 1; number <= state->node_count; number++) {
        const struct session_node *node = session_node(state, number);
        if (node->pinned && may_be_parent(node) && (!pinned || node->loss < session_node(state, pinned)->loss))
            pinned = number;
    }
    return pinned && !rounds_goes_on(state, size) ? pinned : rounds_parent(state, size);
}

int64_t parents_choose(struct parents *parents, int64_t proposal)
{
    if (parents->options->parent == PARENT_RACE)
        return choose_for_round(parents);
    struct random_stream stream =
        random_stream_new((uint64_t)parents->options->seed, RANDOM_PARENT, (uint32_t)proposal, 0);
    int64_t count, chosen = 0;
    int64_t *nodes = find_candidates(parents, &count);
    ASSERT(count > 0);
    switch (parents->options->parent) {
    case PARENT_RACE:
        BUG("a race draws no parents");
    case PARENT_START:
        chosen = nodes[random_below(&stream, (uint32_t)count)];
        break;
    case PARENT_BEST:
        chosen = nodes[0];
        for (int64_t i = 1; i < count; i++)
            chosen = better(parents->journal->state, chosen, nodes[i]);
        break;
    case PARENT_TOURNAMENT:
    case PARENT_AGING:
        chosen = nodes[random_below(&stream, (uint32_t)count)];
        for (int64_t i = 1; i < parents->options->tournament; i++)
            chosen = better(parents->journal->state, chosen, nodes[random_below(&stream, (uint32_t)count)]);
        break;
    }
    free(nodes);
    return chosen;
}
