/*
 * proposals.c - proposals, and the networks they lead to.
 *
 * Proposals are numbered from 1; every `episode_networks` of them are one episode, known and refused ones
 * included.  Everything here is a function of the session's state: a policy is asked with a stream named by the
 * proposal's number.  So a resumed search proposes what an uninterrupted one would have.
 *
 * In a race an episode is a round (rounds.h).  Its first proposal is the control, which the policy doesn't make; it
 * begins when all networks of the rounds before have ended.
 *
 * A policy that learns has a barrier, the paper's: episode e + 1 isn't proposed before update e.  An asynchronous
 * search has none: it proposes whenever a trainer is free, with the policy as its last update (learner.c) left it. With
 * more than a few trainers that is the default.
 */
#include "search/proposals.h"

#include <inttypes.h>

#include "search/budget.h"
#include "search/record.h"
#include "search/rounds.h"

/* The space is exhausted when this many proposals in a row led to networks that are known or can't be built, every
   network that may be a parent is exhausted (parents.c), and none is in training from which others may grow. */
enum { PROPOSALS_NOT_NEW_MAX = 50 };
/* While networks are in training, the next proposal waits for a result after this many that led to nothing new. */
enum { NOT_NEW_BESIDE_MAX = 10 };
/* In a race it is exhausted when this many rounds in a row led to no new network beside their control. */
enum { ROUNDS_FRUITLESS_MAX = 3 };
/* The search ends when this many networks in a row failed: weights are lost, or the training can't work. */
enum { FAILURES_MAX = 20 };
/* This many proposals at most are made before the engine looks again for commands, results and the end of the time. */
enum { PROPOSALS_AT_ONCE = 50 };

void proposals_done(struct proposals *proposals)
{
    arch_index_done(&proposals->known);
}

static int64_t episode_of(const struct proposals *proposals, int64_t proposal)
{
    return (proposal - 1) / proposals->options->episode_networks + 1;
}

/* --- where a proposal leads --- */

enum event_kind proposals_check(const struct proposals *proposals, struct candidate *candidate)
{
    candidate->known = 0;
    if (!candidate->proposal.count) {
        error_set(&candidate->refusal, "no layer can grow within the space and its limits");
        return EVENT_REFUSED;
    }
    if (proposal_apply(&candidate->parent_arch, &candidate->proposal, &candidate->arch, &candidate->refusal) ||
        arch_shapes(&candidate->arch, proposals->input, (struct shape[ARCH_LAYERS_MAX]){{0}}, &candidate->refusal) ||
        arch_within(&candidate->arch, proposals->input, &proposals->learner->policy->options.limits,
                    &candidate->refusal))
        return EVENT_REFUSED;
    if (arch_is_modern(&candidate->arch) && !proposals->learner->policy->options.space->modern) {
        error_set(&candidate->refusal, "a network with R, M or S needs --space modern");
        return EVENT_REFUSED;
    }
    candidate->known = arch_index_find(&proposals->known, arch_hash(&candidate->arch));
    return candidate->known ? EVENT_KNOWN : EVENT_NODE;
}

static void add_network(struct proposals *proposals, const struct arch *arch, struct event_proposal *facts)
{
    struct arch_cost cost = arch_cost(arch, proposals->input);
    struct text text = TEXT_EMPTY;
    arch_print(arch, &text);
    facts->node = proposals->journal->state->node_count + 1;
    facts->arch = text_take(&text);
    facts->parameters = cost.parameters;
    facts->flops = cost.flops;
    facts->activation_bytes = cost.activation_bytes;
}

bool proposals_indexes(const struct event_word *by)
{
    return by->value != AUTHOR_CONTROL && by->value != AUTHOR_BASELINE && by->value != AUTHOR_RETRAIN &&
           by->value != AUTHOR_FINISH;
}

/* Write where a candidate led.  `number` 0: it isn't a proposal of the policy. */
static void emit(struct proposals *proposals, enum event_kind kind, const struct candidate *candidate,
                 struct event_word by, int64_t number)
{
    struct event event = {.kind = kind};
    struct event_proposal *facts = &event.as.node; /* the same for the three kinds */
    facts->parent = candidate->parent;
    facts->by = by;
    facts->proposal = number;
    facts->episode = number ? episode_of(proposals, number) : 0;
    record_proposal(&candidate->proposal, &candidate->parent_arch, kind, facts);
    if (kind == EVENT_NODE)
        add_network(proposals, &candidate->arch, facts);
    else if (kind == EVENT_KNOWN)
        facts->node = candidate->known;
    else
        facts->reason = event_text("%s", candidate->refusal.text);
    int64_t node = facts->node;
    bool indexed = proposals_indexes(&facts->by);
    if (journal_emit(proposals->journal, &event) || kind != EVENT_NODE)
        return;
    if (indexed)
        arch_index_put(&proposals->known, arch_hash(&candidate->arch), node);
    trials_enqueue(proposals->trials, node);
}

void proposals_join(struct proposals *proposals, const struct candidate *candidate, struct event_word by)
{
    emit(proposals, EVENT_NODE, candidate, by, 0);
}

/* --- counting --- */

static bool is_race(const struct proposals *proposals)
{
    return proposals->options->parent == PARENT_RACE;
}

/* The number that the next network will have among those that the policy grew. */
static int64_t next_grown(const struct session_state *state)
{
    int64_t grown = 1;
    for (int64_t i = 0; i < state->proposal_count; i++)
        grown += state->proposals[i]->answer == EVENT_NODE && state->proposals[i]->facts.by.value != AUTHOR_CONTROL;
    return grown;
}

/* The number of the next proposal among those of the policy. */
static int64_t next_number(const struct proposals *proposals)
{
    int64_t next = proposals->journal->state->proposal_count + 1;
    return is_race(proposals) ? rounds_own_number(proposals->options->episode_networks, next) : next;
}

/* --- the end: each of these says whether its reason holds, and then writes it to `reason` --- */

static bool is_budget_spent(const struct proposals *proposals, struct error *reason)
{
    const struct session_state *state = proposals->journal->state;
    int64_t done = budget_networks_of(state, NODE_DONE),
            networks = done + budget_networks_of(state, NODE_RUNNING) + budget_networks_of(state, NODE_QUEUED);
    if (state->budget_networks && networks >= state->budget_networks)
        error_set(reason, "%" PRId64 " network%s trained", done, done == 1 ? " is" : "s are");
    else if (budget_ends_growth(state, proposals->options, journal_time(proposals->journal), reason))
        return true;
    else if (state->budget_episodes && episode_of(proposals, state->proposal_count + 1) > state->budget_episodes)
        error_set(reason, "%" PRId64 " episode%s done", state->budget_episodes,
                  state->budget_episodes == 1 ? " is" : "s are");
    else
        return false;
    return true;
}

static bool is_policy_at_end(const struct proposals *proposals, struct error *reason)
{
    const struct policy *policy = proposals->learner->policy;
    return policy->kind->ends_before &&
           policy->kind->ends_before(policy, next_number(proposals), next_grown(proposals->journal->state), reason);
}

static bool is_space_exhausted(const struct proposals *proposals, struct error *reason)
{
    const struct session_state *state = proposals->journal->state;
    bool race = is_race(proposals);
    int64_t rounds = race ? rounds_fruitless(state, proposals->options->episode_networks) : 0;
    if (rounds >= ROUNDS_FRUITLESS_MAX)
        error_set(reason, "%" PRId64 " rounds in a row led to no new network: the space is exhausted, or too narrow",
                  rounds);
    else if (!race && state->not_new_count >= PROPOSALS_NOT_NEW_MAX && parents_exhausted(proposals->parents))
        error_set(reason, "%" PRId64 " proposals in a row led to no new network: the space is exhausted, or too narrow",
                  state->not_new_count);
    else
        return false;
    return true;
}

static bool all_networks_fail(const struct proposals *proposals, struct error *reason)
{
    const struct trials *trials = proposals->trials;
    if (trials->failures < FAILURES_MAX)
        return false;
    error_set(reason, "%d networks in a row failed (the last: %s)", trials->failures,
              session_node(proposals->journal->state, trials->last_failed)->failure);
    return true;
}

enum finish_reason proposals_end(const struct proposals *proposals, struct error *reason)
{
    if (is_budget_spent(proposals, reason) || is_policy_at_end(proposals, reason))
        return FINISH_BUDGET;
    if (is_space_exhausted(proposals, reason))
        return FINISH_EXHAUSTED;
    if (all_networks_fail(proposals, reason))
        return FINISH_ERROR;
    return FINISH_UNKNOWN;
}

/* --- proposing --- */

static bool is_training(const struct session_state *state)
{
    return state->status_count[NODE_QUEUED] + state->status_count[NODE_RUNNING];
}

/* Has the next proposal to wait?  With many trainers most proposals may lead to networks that are in training already:
   then it waits for a result, from which others can grow. */
static bool must_wait(const struct proposals *proposals)
{
    const struct session_state *state = proposals->journal->state;
    if (is_race(proposals))
        return !rounds_may_begin(state, proposals->options->episode_networks) || learner_must_learn(proposals->learner);
    return learner_must_learn(proposals->learner) || (state->not_new_count >= NOT_NEW_BESIDE_MAX && is_training(state));
}

static void make_control(struct proposals *proposals, struct candidate *candidate, int64_t number)
{
    candidate->arch = candidate->parent_arch;
    emit(proposals, EVENT_NODE, candidate, (struct event_word){.value = AUTHOR_CONTROL}, number);
}

/* Make one proposal.  True when a network joined. */
static bool make_one(struct proposals *proposals)
{
    const struct session_state *state = proposals->journal->state;
    struct policy *policy = proposals->learner->policy;
    int64_t number = state->proposal_count + 1;
    struct random_stream stream =
        random_stream_new((uint64_t)proposals->options->seed, RANDOM_POLICY, (uint32_t)number, 0);
    struct candidate candidate = {.parent = parents_choose(proposals->parents, number)};
    journal_arch(proposals->journal, candidate.parent, &candidate.parent_arch);
    if (is_race(proposals) && rounds_is_control(proposals->options->episode_networks, number)) {
        make_control(proposals, &candidate, number);
        return true;
    }
    struct proposal_request request = {.parent = &candidate.parent_arch,
                                       .proposal = next_number(proposals),
                                       .network = next_grown(state),
                                       .stream = &stream};
    bool refused = policy->kind->propose(policy, &request, &candidate.proposal, &candidate.refusal);
    enum event_kind kind = refused ? EVENT_REFUSED : proposals_check(proposals, &candidate);
    emit(proposals, kind, &candidate, author_of(policy->kind->name), number);
    return kind == EVENT_NODE;
}

bool proposals_make(struct proposals *proposals)
{
    for (int made = 0; made < PROPOSALS_AT_ONCE && !proposals->journal->broken; made++) {
        learner_learn(proposals->learner);
        struct error reason;
        if (proposals_end(proposals, &reason) || must_wait(proposals))
            return false;
        if (make_one(proposals))
            return true;
    }
    return false;
}
