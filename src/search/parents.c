/*
 * parents.c - which network the next one grows from.
 *
 * Every trained network that isn't pruned may be a parent; once some of those are pinned, only the pinned ones
 * may; those that can't grow any more, or whose weights are lost, stand back for those that can; and so do those
 * that are spent, from which proposal after proposal led to nothing new.  `start`: the
 * start network (of pinned ones, one drawn uniformly).  `best`: the highest accuracy, the earlier of equals.
 * `tournament`: the best of a few drawn with replacement.  `aging`: such a tournament among the youngest, by number.  A
 * draw depends on the seed, the proposals before and the networks that are trained by then, and on nothing else: a
 * resumed search chooses as one that was never cut.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/growth.h"
#include "search/internal.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

static bool may_be_parent(const struct session_node *node)
{
    return node->status == NODE_DONE && !node->pruned;
}

static bool has_weights(const struct engine *engine, int64_t number)
{
    struct text path = TEXT_EMPTY;
    text_add(&path, "%s/weights/%s", log_folder(engine->log), session_node(engine->state, number)->weights);
    bool there = file_exists(text_string(&path));
    text_done(&path);
    return there;
}

/* Of a network as a parent.  Neither space nor limits change, but files may. */
struct prospect {
    enum { GROWTH_UNKNOWN, CAN_GROW, CAN_NOT_GROW } growth; /* looked up once, and again when growing from it failed */
    int barren; /* the last proposals from it, in a row, that led to no new network */
};

/* So many, and it is spent.  Of a network near the limits nearly all children may be known, with the search elsewhere
   far from its end. */
enum { SPENT = 10 };

/* Of every network there is, with every proposal there was: a function of the session's state. */
static void look(struct engine *engine)
{
    const struct session_state *state = engine->state;
    if (engine->prospect_count < state->node_count) {
        engine->prospects = memory_resize(engine->prospects, (size_t)state->node_count, sizeof *engine->prospects);
        for (; engine->prospect_count < state->node_count; engine->prospect_count++)
            engine->prospects[engine->prospect_count] = (struct prospect){0};
    }
    for (; engine->proposals_seen < state->proposal_count; engine->proposals_seen++) {
        const struct proposal_record *proposal = state->proposals[engine->proposals_seen];
        ASSERT(proposal->parent > 0 && proposal->parent <= engine->prospect_count);
        struct prospect *parent = &engine->prospects[proposal->parent - 1];
        if (proposal->barren)
            parent->barren++;
        else if (proposal->node && !proposal->known)
            parent->barren = 0;
    }
}

void parent_doubt(struct engine *engine, int64_t number)
{
    if (number >= 1 && number <= engine->prospect_count)
        engine->prospects[number - 1].growth = GROWTH_UNKNOWN;
}

static bool can_grow(struct engine *engine, int64_t number)
{
    struct prospect *prospect = &engine->prospects[number - 1];
    struct arch arch;
    if (prospect->growth == GROWTH_UNKNOWN) {
        engine_arch(engine, number, &arch);
        bool can = growth_possible(&engine->policy_options, &arch) && has_weights(engine, number);
        prospect->growth = can ? CAN_GROW : CAN_NOT_GROW;
    }
    return prospect->growth == CAN_GROW;
}

static bool is_unspent(struct engine *engine, int64_t number)
{
    return engine->prospects[number - 1].barren < SPENT;
}

/* Keep the numbers for which `good` holds, or all when there is none. */
static int64_t narrow(struct engine *engine, int64_t *nodes, int64_t count, bool (*good)(struct engine *, int64_t))
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++)
        kept += good(engine, nodes[i]);
    if (!kept)
        return count;
    kept = 0;
    for (int64_t i = 0; i < count; i++)
        if (good(engine, nodes[i]))
            nodes[kept++] = nodes[i];
    return kept;
}

static bool is_pinned(struct engine *engine, int64_t number)
{
    return session_node(engine->state, number)->pinned;
}

/* Keep those of which the parent choice chooses. */
static int64_t reach(const struct engine *engine, int64_t *nodes, int64_t count)
{
    int64_t population = engine->options.population;
    if (!count)
        return 0;
    if (engine->options.parent == PARENT_START && !session_node(engine->state, nodes[0])->pinned) {
        nodes[0] = 1;
        return 1;
    }
    if (engine->options.parent != PARENT_AGING || count <= population)
        return count;
    memmove(nodes, nodes + count - population, (size_t)population * sizeof *nodes);
    return population;
}

/* Their numbers, ascending. */
static int64_t *candidates(struct engine *engine, int64_t *count)
{
    const struct session_state *state = engine->state;
    int64_t *nodes = memory_new((size_t)state->node_count, sizeof *nodes);
    *count = 0;
    look(engine);
    for (int64_t number = 1; number <= state->node_count; number++)
        if (may_be_parent(session_node(state, number)))
            nodes[(*count)++] = number;
    *count = narrow(engine, nodes, *count, is_pinned);
    if (!is_manual(engine)) /* a person knows other ways */
        *count = narrow(engine, nodes, *count, can_grow);
    *count = reach(engine, nodes, *count);
    if (!is_manual(engine))
        *count = narrow(engine, nodes, *count, is_unspent);
    return nodes;
}

bool parents_spent(struct engine *engine)
{
    int64_t count, unspent = 0;
    int64_t *nodes = candidates(engine, &count);
    for (int64_t i = 0; i < count; i++)
        unspent += is_unspent(engine, nodes[i]);
    free(nodes);
    return !unspent;
}

/* The first argument on a tie. */
static int64_t better(const struct session_state *state, int64_t a, int64_t b)
{
    double first = session_node(state, a)->accuracy, second = session_node(state, b)->accuracy;
    if (first == second)
        return a < b ? a : b;
    return first > second ? a : b;
}

int64_t parent_choose(struct engine *engine, int64_t proposal)
{
    struct random_stream stream =
        random_stream_new((uint64_t)engine->options.seed, RANDOM_PARENT, (uint32_t)proposal, 0);
    int64_t count, chosen = 0;
    int64_t *nodes = candidates(engine, &count);
    ASSERT(count > 0);
    switch (engine->options.parent) {
    case PARENT_START:
        chosen = nodes[random_below(&stream, (uint32_t)count)];
        break;
    case PARENT_BEST:
        chosen = nodes[0];
        for (int64_t i = 1; i < count; i++)
            chosen = better(engine->state, chosen, nodes[i]);
        break;
    case PARENT_TOURNAMENT:
    case PARENT_AGING:
        chosen = nodes[random_below(&stream, (uint32_t)count)];
        for (int64_t i = 1; i < engine->options.tournament; i++)
            chosen = better(engine->state, chosen, nodes[random_below(&stream, (uint32_t)count)]);
        break;
    }
    free(nodes);
    return chosen;
}
