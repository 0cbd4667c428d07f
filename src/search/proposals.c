/*
 * propose.c - proposals, and the networks they lead to.
 *
 * Proposals are numbered from 1; every `episode_networks` of them are one episode, known and refused ones
 * included.  Everything here is a function of the session's state: a policy is asked with a stream named by the
 * proposal's number.  So a resumed search proposes what an uninterrupted one would have.
 *
 * A policy that learns has a barrier, the paper's: episode e + 1 isn't proposed before update e.  An asynchronous
 * search has none: it proposes whenever a trainer is free, with the policy as its last update (learn.c) left it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"
#include "search/manual.h"
#include "util/bug.h"
#include "util/memory.h"

bool is_manual(const struct engine *engine)
{
    return !strcmp(engine->policy_kind->name, "manual");
}

static int64_t episode_of(const struct engine *engine, int64_t proposal)
{
    return (proposal - 1) / engine->options.episode_networks + 1;
}

/* --- where a proposal leads --- */

enum growth growing_check(const struct engine *engine, struct growing *growing, struct error *error)
{
    growing->known = 0;
    if (!growing->proposal.count) {
        error_set(error, "no layer can grow within the space and its limits");
        return GROWTH_REFUSED;
    }
    if (proposal_apply(&growing->parent_arch, &growing->proposal, &growing->arch, error) ||
        arch_shapes(&growing->arch, engine->data.input, (struct shape[ARCH_LAYERS_MAX]){{0}}, error) ||
        arch_within(&growing->arch, engine->data.input, &engine->limits, error))
        return GROWTH_REFUSED;
    growing->known = pool_find(&engine->pool, arch_hash(&growing->arch));
    return growing->known ? GROWTH_KNOWN : GROWTH_NEW;
}

bool node_came_to_nothing(const struct session_node *node)
{
    return node->status == NODE_FAILED || node->status == NODE_CANCELLED;
}

void growing_join(struct engine *engine, const struct growing *growing, const char *by, int64_t episode,
                  int64_t proposal)
{
    struct event event = {.kind = EVENT_NODE};
    struct event_node *node = &event.as.node;
    struct arch_cost cost = arch_cost(&growing->arch, engine->data.input);
    struct text text = TEXT_EMPTY;
    arch_print(&growing->arch, &text);
    int64_t number = engine->state->node_count + 1;
    node->node = number;
    node->parent = growing->parent;
    node->by = event_text("%s", by);
    node->arch = text_take(&text);
    record_actions(&growing->proposal, &growing->parent_arch, &node->actions, &node->steps, &node->probabilities);
    node->log_probability = growing->proposal.log_probability;
    node->entropy = growing->proposal.entropy;
    node->episode = episode;
    node->proposal = proposal;
    node->parameters = cost.parameters;
    node->flops = cost.flops;
    node->activation_bytes = cost.activation_bytes;
    if (engine_emit(engine, &event))
        return;
    pool_put(&engine->pool, arch_hash(&growing->arch), number);
    trials_enqueue(engine, number);
}

static void emit_known(struct engine *engine, const struct growing *growing, int64_t episode, int64_t proposal)
{
    struct event event = {.kind = EVENT_KNOWN};
    struct event_known *known = &event.as.known;
    known->node = growing->known;
    known->parent = growing->parent;
    known->by = event_text("%s", engine->policy_kind->name);
    record_actions(&growing->proposal, &growing->parent_arch, &known->actions, &known->steps, &known->probabilities);
    known->log_probability = growing->proposal.log_probability;
    known->entropy = growing->proposal.entropy;
    known->episode = episode;
    known->proposal = proposal;
    engine_emit(engine, &event);
}

static void emit_refused(struct engine *engine, const struct growing *growing, const char *reason, int64_t episode,
                         int64_t proposal)
{
    struct event event = {.kind = EVENT_REFUSED};
    struct event_refused *refused = &event.as.refused;
    refused->parent = growing->parent;
    refused->by = event_text("%s", engine->policy_kind->name);
    refused->reason = event_text("%s", reason);
    record_actions(&growing->proposal, &growing->parent_arch, &refused->actions, &refused->steps, NULL);
    refused->episode = episode;
    refused->proposal = proposal;
    engine_emit(engine, &event);
}

/* --- proposing --- */

/* Of the networks that the policy made, the number that the next one will have. */
static int64_t next_grown(const struct session_state *state)
{
    int64_t grown = 1;
    for (int64_t i = 0; i < state->proposal_count; i++)
        grown += state->proposals[i]->node && !state->proposals[i]->known;
    return grown;
}

const char *propose_end(struct engine *engine, struct error *message)
{
    const struct session_state *state = engine->state;
    const int64_t *counts = state->status_count;
    int64_t next = state->proposal_count + 1, networks = counts[NODE_DONE] + counts[NODE_RUNNING] + counts[NODE_QUEUED];
    if (state->budget_networks && networks >= state->budget_networks)
        error_set(message, "%" PRId64 " networks are trained", counts[NODE_DONE]);
    else if (state->budget_episodes && episode_of(engine, next) > state->budget_episodes)
        error_set(message, "%" PRId64 " episodes are done", state->budget_episodes);
    else if (is_manual(engine) && next > manual_count(engine->options.actions))
        error_set(message, "all networks of --actions are made");
    else if (engine->policy_kind->aim && next_grown(state) > state->facts.match.count)
        error_set(message, "all %d networks of --match are matched", state->facts.match.count);
    else if (engine->barren >= ENGINE_BARREN_MAX && parents_spent(engine)) {
        error_set(message, "%d proposals in a row led to no new network: the space is exhausted, or too narrow",
                  engine->barren);
        return "exhausted";
    } else if (engine->failures >= ENGINE_FAILURES_MAX) {
        error_set(message, "%d networks in a row failed (the last: %s)", engine->failures,
                  session_node(state, engine->last_failed)->failure);
        return "error";
    } else
        return NULL;
    return "budget";
}

static bool has_barrier(const struct engine *engine)
{
    return engine->policy_kind->observe && !engine->options.asynchronous;
}

/* One proposal.  True when a network joined. */
static bool propose_one(struct engine *engine)
{
    int64_t number = engine->state->proposal_count + 1, episode = episode_of(engine, number);
    struct growing growing = {.parent = parent_choose(engine, number)};
    struct error reason;
    engine_arch(engine, growing.parent, &growing.parent_arch);
    enum growth growth = GROWTH_NEW;
    if (is_manual(engine)) {
        if (manual_propose(engine->options.actions, number, &growing.parent_arch, engine->space, &growing.proposal,
                           &reason))
            growth = GROWTH_REFUSED;
    } else {
        struct random_stream stream =
            random_stream_new((uint64_t)engine->options.seed, RANDOM_POLICY, (uint32_t)number, 0);
        if (engine->policy_kind->aim)
            engine->policy_kind->aim(engine->policy, engine->state->facts.match.items[next_grown(engine->state) - 1]);
        engine->policy_kind->propose(engine->policy, &growing.parent_arch, &stream, &growing.proposal);
    }
    if (growth == GROWTH_NEW)
        growth = growing_check(engine, &growing, &reason);
    switch (growth) {
    case GROWTH_NEW:
        growing_join(engine, &growing, engine->policy_kind->name, episode, number);
        break;
    case GROWTH_KNOWN:
        emit_known(engine, &growing, episode, number);
        break;
    case GROWTH_REFUSED:
        emit_refused(engine, &growing, reason.text, episode, number);
        break;
    }
    engine->barren = growth == GROWTH_NEW ? 0 : engine->barren + 1;
    return growth == GROWTH_NEW;
}

bool propose(struct engine *engine)
{
    /* Not for long at once: a command, a result, the end of the time may be waiting. */
    for (int tries = 0; tries < ENGINE_BARREN_MAX && !engine->broken; tries++) {
        learn(engine);
        struct error message;
        if (propose_end(engine, &message))
            return false;
        int64_t episode = episode_of(engine, engine->state->proposal_count + 1);
        if (has_barrier(engine) && episode > engine->state->policy_count + 1)
            return false;
        if (propose_one(engine))
            return true;
    }
    return false;
}
