/* phases.c - see phases.h. */
#include "search/phases.h"

#include "arch/template.h"
#include "search/budget.h"

/* The last network that `author` made; NULL: there is none. */
static const struct session_node *last_of(const struct session_state *state, enum event_author author)
{
    for (int64_t number = state->node_count; number > 0; number--)
        if (session_node(state, number)->facts.by.value == (int)author)
            return session_node(state, number);
    return NULL;
}

static bool find_template(const struct proposals *proposals, struct arch *arch)
{
    return !arch_template(proposals->input, (int)proposals->journal->state->facts.classes,
                          proposals->options->space == SPACE_MODERN, &proposals->learner->policy->options.limits,
                          arch, NULL);
}

/* Is there a baseline to train?  Not a second one, and not when the search began with that network, which has had its
   controls, or when the grown winner is that network. */
static bool find_baseline(const struct proposals *proposals, const struct arch *grown, struct candidate *candidate)
{
    struct arch start;
    *candidate = (struct candidate){0};
    if (last_of(proposals->journal->state, AUTHOR_BASELINE) || !find_template(proposals, &candidate->arch))
        return false;
    candidate->parent_arch = candidate->arch;
    journal_arch(proposals->journal, 1, &start);
    return !arch_equal(&start, &candidate->arch) && !arch_equal(grown, &candidate->arch);
}

static bool has_arch(const struct proposals *proposals, const struct session_node *node, const struct arch *arch)
{
    struct arch other;
    if (!node)
        return false;
    journal_arch(proposals->journal, node->facts.node, &other);
    return arch_equal(&other, arch);
}

/* Is the grown winner to be trained from scratch?  Not twice, not when it never grew, and not when the baseline is that
   network. */
static bool find_retrain(const struct proposals *proposals, int64_t winner, const struct arch *grown,
                         struct candidate *candidate)
{
    const struct session_state *state = proposals->journal->state;
    if (has_arch(proposals, session_node(state, 1), grown) ||
        has_arch(proposals, last_of(state, AUTHOR_BASELINE), grown) ||
        has_arch(proposals, last_of(state, AUTHOR_RETRAIN), grown))
        return false;
    *candidate = (struct candidate){.parent = winner, .arch = *grown, .parent_arch = *grown};
    return true;
}

/* A network from scratch, which trains with as many FLOPs as the lineage of the grown winner. */
static bool find_from_scratch(const struct proposals *proposals, struct candidate *candidate, enum event_author *by)
{
    const struct search_options *options = proposals->options;
    int64_t winner = budget_grown_winner(proposals->journal->state);
    struct arch grown;
    if (options->baseline == BASELINE_NO || options->parent != PARENT_RACE || !winner)
        return false;
    journal_arch(proposals->journal, winner, &grown);
    *by = AUTHOR_BASELINE;
    if (find_baseline(proposals, &grown, candidate))
        return true;
    *by = AUTHOR_RETRAIN;
    return options->baseline == BASELINE_RETRAIN && find_retrain(proposals, winner, &grown, candidate);
}

/* Has the last growth its finish?  One whose winner was pruned after that doesn't count, nor one that could not train
   because its winner's weights are gone. */
static bool is_finished(const struct session_state *state)
{
    if (session_phase(state) != PHASE_FINISH)
        return false;
    const struct session_node *finish = last_of(state, AUTHOR_FINISH);
    const struct session_node *winner = session_node(state, finish->facts.parent);
    return !winner->pruned && (finish->status == NODE_DONE || !winner->dropped);
}

/* The network to train after the growth, and who makes it.  False: none is left. */
static bool find_final(const struct proposals *proposals, struct candidate *candidate, enum event_author *by)
{
    const struct session_state *state = proposals->journal->state;
    int64_t winner = budget_winner(state);
    if (proposals->options->finish <= 0 || !winner || is_finished(state))
        return false;
    if (find_from_scratch(proposals, candidate, by))
        return true;
    *by = AUTHOR_FINISH;
    *candidate = (struct candidate){.parent = winner};
    journal_arch(proposals->journal, winner, &candidate->arch);
    candidate->parent_arch = candidate->arch;
    return true;
}

static bool is_busy(const struct session_state *state)
{
    return state->status_count[NODE_QUEUED] + state->status_count[NODE_RUNNING];
}

bool phases_make(struct proposals *proposals)
{
    struct candidate candidate;
    struct error message;
    enum event_author by;
    enum finish_reason end = proposals_end(proposals, &message);
    if (!end)
        return proposals_make(proposals);
    if (end == FINISH_ERROR || is_busy(proposals->journal->state) || !find_final(proposals, &candidate, &by))
        return false;
    proposals_join(proposals, &candidate, (struct event_word){.value = (int)by});
    return !proposals->journal->broken;
}

enum finish_reason phases_end(const struct proposals *proposals, struct error *message)
{
    struct candidate candidate;
    enum event_author by;
    enum finish_reason end = proposals_end(proposals, message);
    bool more =
        end && end != FINISH_ERROR && (is_busy(proposals->journal->state) || find_final(proposals, &candidate, &by));
    return more ? FINISH_UNKNOWN : end;
}
