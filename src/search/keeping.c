/* keeping.c - see keeping.h. */
#include "search/keeping.h"

#include <stdlib.h>

#include "search/budget.h"
#include "search/rounds.h"
#include "sessions/session_file.h"
#include "util/memory.h"

/* A network that may be a parent in searches that aren't a race. */
static bool is_candidate(const struct session_node *node)
{
    return node->status == NODE_DONE && !node->dropped && !node_is_final(node);
}

/* How many candidates come before it by accuracy, and how many are younger: is it among the first of either? */
static bool is_among_first(const struct session_state *state, const struct session_node *node, int64_t count)
{
    int64_t better = 0, younger = 0;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *other = session_node(state, i);
        if (other->pruned || !is_candidate(other) || other == node)
            continue;
        bool before = i < node->facts.node;
        better += other->accuracy > node->accuracy || (other->accuracy == node->accuracy && before);
        younger += !before;
    }
    return better < count || younger < count;
}

/* Was it proposed in the last round that has begun? */
static bool is_of_last_round(const struct session_state *state, const struct session_node *node, int64_t size)
{
    int64_t first = state->proposal_count ? (state->proposal_count - 1) / size * size + 1 : 1;
    return node->facts.proposal >= first;
}

static bool may_grow(const struct session_state *state, const struct search_options *options,
                     const struct session_node *node)
{
    if (options->parent == PARENT_START)
        return false; /* from the start network, which stays anyway */
    if (options->parent == PARENT_RACE)
        return is_of_last_round(state, node, options->episode_networks);
    return is_candidate(node) && is_among_first(state, node, options->population);
}

/* A bool for each network by its number, the caller's to free(). */
static bool *find_needed(const struct session_state *state, const struct search_options *options)
{
    bool *needed = memory_new((size_t)state->node_count + 1, sizeof *needed);
    const int64_t some[] = {1, state->best, budget_winner(state), budget_grown_winner(state),
                            options->parent == PARENT_RACE ? rounds_parent(state, options->episode_networks) : 0};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        needed[some[i]] = true;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (node->pinned || node->facts.by.value == AUTHOR_USER || node->facts.by.value == AUTHOR_FINISH ||
            may_grow(state, options, node))
            needed[i] = true;
        if (node_is_pending(node))
            needed[node->facts.parent] = true;
    }
    return needed;
}

bool keeping_has_weights(const struct journal *journal, int64_t number)
{
    const char *weights = session_node(journal->state, number)->weights;
    if (!weights)
        return false;
    char *path = journal_path(journal, "weights", weights);
    bool there = session_file_exists(path, IN_PLACE);
    free(path);
    return there;
}

int keeping_check(const struct journal *journal, const struct search_options *options, struct error *error)
{
    const struct session_state *state = journal->state;
    if (!state->node_count || session_node(state, 1)->status != NODE_DONE)
        return 0;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        bool may_grow = i == 1 || node->pinned || (options->parent != PARENT_START && !node_is_final(node));
        if (may_grow && node->status == NODE_DONE && !node->pruned && !node->dropped && keeping_has_weights(journal, i))
            return 0;
    }
    const char *arch = session_node(state, state->best ? state->best : 1)->facts.arch;
    return error_set(error, "no network that others may grow from has its weights; begin anew: "
                            "espalier run --start \"%s\"", arch);
}

void keeping_note_missing(struct journal *journal)
{
    const struct session_state *state = journal->state;
    struct event event = {.kind = EVENT_DROPPED};
    for (int64_t i = 1; i <= state->node_count && !journal->broken; i++) {
        const struct session_node *node = session_node(state, i);
        if (node->status == NODE_DONE && !node->dropped && !keeping_has_weights(journal, i))
            event_integers_add(&event.as.dropped.nodes, i);
    }
    if (event.as.dropped.nodes.count)
        journal_emit(journal, &event);
}

static void remove_weights(const struct journal *journal, int64_t number)
{
    char *path = journal_path(journal, "weights", session_node(journal->state, number)->weights);
    session_file_remove(path, IN_PLACE);
    free(path);
}

void keeping_drop(struct journal *journal, const struct search_options *options)
{
    const struct session_state *state = journal->state;
    struct event event = {.kind = EVENT_DROPPED}, copy;
    if (options->keep != KEEP_BEST || journal->broken || !state->node_count)
        return;
    bool *needed = find_needed(state, options);
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (node->status == NODE_DONE && !node->dropped && !needed[i])
            event_integers_add(&event.as.dropped.nodes, i);
    }
    free(needed);
    if (!event.as.dropped.nodes.count)
        return;
    event_copy(&event, &copy);
    if (!journal_emit(journal, &event))
        for (int i = 0; i < copy.as.dropped.nodes.count; i++)
            remove_weights(journal, copy.as.dropped.nodes.items[i]);
    event_done(&copy);
}

void keeping_tidy(const struct journal *journal, const struct search_options *options)
{
    if (options->keep != KEEP_BEST)
        return;
    for (int64_t i = 1; i <= journal->state->node_count; i++)
        if (session_node(journal->state, i)->dropped)
            remove_weights(journal, i);
}
