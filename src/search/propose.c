/*
 * propose.c - proposals, the networks they lead to, and the episodes that the policy learns from.
 *
 * Proposals are numbered from 1; every `episode_networks` of them are one episode, known and refused ones
 * included.  Everything here is a function of the session's state: a policy is asked with a stream named by the
 * proposal's number, and its batch is rebuilt from the recorded proposals when the last outcome is there.  So a
 * resumed search proposes and learns what an uninterrupted one would have.
 *
 * With learn_from_user, an update is also shown the networks that a person grew and that were trained since the update
 * before; the POLICY event says which, so that none is shown twice.  Those of an episode without an outcome wait.
 *
 * A policy that learns has a barrier, the paper's: episode e + 1 isn't proposed before update e.  An outcome is
 * the accuracy of the network that a proposal led to, known or new; a proposal that was refused, or whose
 * network failed or was pruned before it had a result, has none.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"
#include "util/bug.h"
#include "util/memory.h"

static bool learns(const struct engine *engine)
{
    return engine->policy_kind->observe != NULL;
}

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

/* --- the networks of --actions --- */

/* The actions of network `number` (from 1) in "a b; c": its first byte and length.  False past the last. */
static bool manual_item(const char *list, int64_t number, const char **item, size_t *length)
{
    while (number-- > 1) {
        list += strcspn(list, ";");
        if (!*list)
            return false;
        list++;
    }
    *length = strcspn(list, ";");
    *item = list;
    return list[strspn(list, " ")] != '\0';
}

static int manual_propose(const struct engine *engine, int64_t number, const struct arch *parent,
                          struct proposal *proposal, struct error *error)
{
    const char *item;
    size_t length;
    memset(proposal, 0, sizeof *proposal);
    ASSERT(manual_item(engine->options.actions, number, &item, &length));
    for (const char *end = item + length; item < end;) {
        size_t word = strcspn(item, " ;");
        if (word) {
            char text[64];
            if (word >= sizeof text)
                return error_set(error, "%.*s: is not an action", (int)word, item);
            memcpy(text, item, word);
            text[word] = '\0';
            if (proposal_add_text(parent, engine->space, text, proposal, error))
                return -1;
        }
        item += word + 1;
    }
    return 0;
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

const char *propose_end(const struct engine *engine, struct error *message)
{
    const struct session_state *state = engine->state;
    const int64_t *counts = state->status_count;
    int64_t next = state->proposal_count + 1, networks = counts[NODE_DONE] + counts[NODE_RUNNING] + counts[NODE_QUEUED];
    const char *item;
    size_t length;
    if (state->budget_networks && networks >= state->budget_networks)
        error_set(message, "%" PRId64 " networks are trained", counts[NODE_DONE]);
    else if (state->budget_episodes && episode_of(engine, next) > state->budget_episodes)
        error_set(message, "%" PRId64 " episodes are done", state->budget_episodes);
    else if (is_manual(engine) && !manual_item(engine->options.actions, next, &item, &length))
        error_set(message, "all networks of --actions are made");
    else if (engine->policy_kind->aim && next_grown(state) > state->facts.match.count)
        error_set(message, "all %d networks of --match are matched", state->facts.match.count);
    else if (engine->barren >= ENGINE_BARREN_MAX) {
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

/* One proposal.  True when a network joined. */
static bool propose_one(struct engine *engine)
{
    int64_t number = engine->state->proposal_count + 1, episode = episode_of(engine, number);
    struct growing growing = {.parent = parent_choose(engine, number)};
    struct error reason;
    engine_arch(engine, growing.parent, &growing.parent_arch);
    enum growth growth = GROWTH_NEW;
    if (is_manual(engine)) {
        if (manual_propose(engine, number, &growing.parent_arch, &growing.proposal, &reason))
            growth = GROWTH_REFUSED;
    } else {
        struct random_stream stream =
            random_stream_new((uint64_t)engine->options.seed, RANDOM_POLICY, (uint32_t)number, 0);
        if (engine->policy_kind->aim)
            engine->policy_kind->aim(engine->policy,
                                     engine->state->facts.match.items[next_grown(engine->state) - 1]);
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
    while (!engine->broken) {
        learn(engine);
        struct error message;
        if (propose_end(engine, &message))
            return false;
        int64_t episode = episode_of(engine, engine->state->proposal_count + 1);
        if (learns(engine) && episode > engine->state->policy_count + 1)
            return false; /* the barrier */
        if (propose_one(engine))
            return true;
    }
    return false;
}

/* --- learning --- */

/* What an episode's proposals came to.  Each outcome borrows from the arrays beside it. */
struct batch_of_outcomes {
    int count, own; /* the policy's own come first */
    struct outcome *outcomes;
    struct arch *parents;
    struct proposal *proposals;
};

static struct batch_of_outcomes batch_new(int64_t room)
{
    return (struct batch_of_outcomes){
        .outcomes = memory_new((size_t)room, sizeof(struct outcome)),
        .parents = memory_new((size_t)room, sizeof(struct arch)),
        .proposals = memory_new((size_t)room, sizeof(struct proposal)),
    };
}

static void batch_done(struct batch_of_outcomes *batch)
{
    free(batch->outcomes);
    free(batch->parents);
    free(batch->proposals);
}

/* What became of these actions on a parent: network `node`. */
static struct outcome *batch_add(const struct engine *engine, int64_t parent_node, int64_t node,
                                 const struct event_texts *actions, const struct event_integers *steps,
                                 const struct event_reals *probabilities, struct batch_of_outcomes *batch)
{
    struct arch *parent = &batch->parents[batch->count];
    struct proposal *proposal = &batch->proposals[batch->count];
    struct outcome *outcome = &batch->outcomes[batch->count++];
    struct error error;
    engine_arch(engine, parent_node, parent);
    if (record_proposal(parent, actions, steps, probabilities, proposal, &error))
        BUG(error.text); /* resume has checked those that it found in the log */
    *outcome = (struct outcome){
        .parent = parent, .proposal = proposal, .accuracy = session_node(engine->state, node)->accuracy};
    return outcome;
}

static enum node_status status_of(const struct engine *engine, int64_t node)
{
    return session_node(engine->state, node)->status;
}

/* Has every proposal first … last come to what it will come to? */
static bool all_settled(const struct engine *engine, int64_t first, int64_t last)
{
    for (int64_t proposal = first; proposal <= last; proposal++) {
        int64_t node = engine->state->proposals[proposal - 1]->node;
        if (node && (status_of(engine, node) == NODE_QUEUED || status_of(engine, node) == NODE_RUNNING))
            return false;
    }
    return true;
}

static void batch_fill(const struct engine *engine, int64_t first, int64_t last, struct batch_of_outcomes *batch)
{
    for (int64_t proposal = first; proposal <= last; proposal++) {
        const struct proposal_record *record = engine->state->proposals[proposal - 1];
        if (record->node && status_of(engine, record->node) == NODE_DONE)
            batch_add(engine, record->parent, record->node, &record->actions, &record->steps, &record->probabilities,
                      batch);
    }
}

/* Did a person grow it, and has the policy not seen it yet? */
static bool is_to_be_shown(const struct session_node *node)
{
    return node->status == NODE_DONE && !node->shown && !node->facts.proposal && node->facts.parent &&
           !strcmp(node->facts.by, "user");
}

static int64_t count_to_be_shown(const struct engine *engine)
{
    int64_t count = 0;
    for (int64_t i = 1; engine->options.learn_from_user && i <= engine->state->node_count; i++)
        count += is_to_be_shown(session_node(engine->state, i));
    return count;
}

static void batch_fill_asked(const struct engine *engine, struct batch_of_outcomes *batch)
{
    for (int64_t i = 1; engine->options.learn_from_user && i <= engine->state->node_count; i++) {
        const struct event_node *facts = &session_node(engine->state, i)->facts;
        if (is_to_be_shown(session_node(engine->state, i)))
            batch_add(engine, facts->parent, i, &facts->actions, &facts->steps, &facts->probabilities, batch)
                ->by_person = true;
    }
}

/* Keep the policy's state in a file named by its content.  `*name` and `*hash_text` are new texts. */
static int write_policy(struct engine *engine, int64_t update, char **name, char **hash_text)
{
    void *bytes;
    size_t length;
    char hash[HASH_TEXT];
    engine->policy_kind->save(engine->policy, &bytes, &length);
    hash_print(hash_of(bytes, length), hash);
    *name = event_text("u%" PRId64 "-%.8s.safetensors", update, hash);
    *hash_text = event_text("%s", hash);
    int status = engine_write(engine, "policy", *name, bytes, length);
    free(bytes);
    return status;
}

static void observe(struct engine *engine, int64_t episode, const struct batch_of_outcomes *batch)
{
    struct event event = {.kind = EVENT_POLICY};
    struct event_policy *policy = &event.as.policy;
    struct policy_update update = {0};
    policy->update = policy->episode = episode;
    policy->networks = batch->own;
    for (int i = 0; i < batch->own; i++) {
        policy->accuracy_mean += batch->outcomes[i].accuracy / batch->own;
        if (batch->outcomes[i].accuracy > policy->accuracy_best)
            policy->accuracy_best = batch->outcomes[i].accuracy;
    }
    for (int64_t i = 1; batch->count > batch->own && i <= engine->state->node_count; i++)
        if (is_to_be_shown(session_node(engine->state, i)))
            event_integers_add(&policy->asked, i);
    if (batch->count)
        engine->policy_kind->observe(engine->policy, batch->outcomes, batch->count, &update);
    policy->reward_mean = update.reward_mean;
    policy->baseline = update.baseline;
    policy->loss = update.loss;
    policy->entropy = update.entropy;
    policy->gradient_norm = update.gradient_norm;
    if (engine->policy_kind->save && write_policy(engine, episode, &policy->state, &policy->state_hash)) {
        event_done(&event);
        return;
    }
    engine_emit(engine, &event);
}

void learn(struct engine *engine)
{
    while (learns(engine) && !engine->broken) {
        int64_t episode = engine->state->policy_count + 1, room = engine->options.episode_networks;
        int64_t last = episode * room, first = last - room + 1;
        if (engine->state->proposal_count < last || !all_settled(engine, first, last))
            return;
        struct batch_of_outcomes batch = batch_new(room + count_to_be_shown(engine));
        batch_fill(engine, first, last, &batch);
        batch.own = batch.count;
        if (batch.own)
            batch_fill_asked(engine, &batch);
        observe(engine, episode, &batch);
        batch_done(&batch);
    }
}
