/*
 * parents.c - which network the next one grows from.
 *
 * Every trained network that isn't pruned may be a parent; once some of those are pinned, only the pinned ones
 * may; and those that can't grow any more, or whose weights are lost, stand back for those that can.  `start`: the
 * start network (of pinned ones, one drawn uniformly).  `best`: the highest accuracy, the earlier of equals.
 * `tournament`: the best of a few drawn with replacement.  `aging`: such a tournament among the youngest, by number.  A
 * draw depends on the seed, the proposal's number and the networks that are trained by then, and on nothing else.
 */
#include <stdlib.h>

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

void parent_doubt(struct engine *engine, int64_t number)
{
    if (number >= 1 && number <= engine->grows_count)
        engine->grows[number - 1] = -1;
}

/* Looked up once a network, and again when growing from it failed: neither space nor limits change, but files may. */
static bool can_grow(struct engine *engine, int64_t number)
{
    struct arch arch;
    if (engine->grows_count < engine->state->node_count) {
        engine->grows = memory_resize(engine->grows, (size_t)engine->state->node_count, 1);
        for (; engine->grows_count < engine->state->node_count; engine->grows_count++)
            engine->grows[engine->grows_count] = -1;
    }
    signed char *answer = &engine->grows[number - 1];
    if (*answer < 0) {
        engine_arch(engine, number, &arch);
        *answer = growth_possible(&engine->policy_options, &arch) && has_weights(engine, number);
    }
    return *answer;
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

/* Their numbers, ascending. */
static int64_t *candidates(struct engine *engine, int64_t *count)
{
    const struct session_state *state = engine->state;
    int64_t *nodes = memory_new((size_t)state->node_count, sizeof *nodes);
    *count = 0;
    for (int64_t number = 1; number <= state->node_count; number++)
        if (may_be_parent(session_node(state, number)))
            nodes[(*count)++] = number;
    *count = narrow(engine, nodes, *count, is_pinned);
    if (!is_manual(engine)) /* a person knows other ways */
        *count = narrow(engine, nodes, *count, can_grow);
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

int64_t parent_choose(struct engine *engine, int64_t proposal)
{
    struct random_stream stream =
        random_stream_new((uint64_t)engine->options.seed, RANDOM_PARENT, (uint32_t)proposal, 0);
    int64_t count;
    int64_t *all = candidates(engine, &count), *nodes = all;
    ASSERT(count > 0);
    if (engine->options.parent == PARENT_AGING && count > engine->options.population) {
        nodes += count - engine->options.population;
        count = engine->options.population;
    }
    int64_t chosen = 0;
    switch (engine->options.parent) {
    case PARENT_START:
        chosen = is_pinned(engine, nodes[0]) ? nodes[random_below(&stream, (uint32_t)count)] : 1;
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
    free(all);
    return chosen;
}
