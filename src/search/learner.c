/*
 * learn.c - what the policy learns from: batches of its proposals and what they came to.
 *
 * A proposal is settled when the network that it led to, known or new, has ended, or when it was refused.  As soon as
 * `episode_networks` settled proposals are there that it hasn't learned from, it learns from the first of them, by
 * number.  With the barrier (propose.c) these are one episode.  Without it trainers never wait, and some outcomes of an
 * update are of the policy before the last one.  With one trainer the two are the same.
 *
 * An outcome is the accuracy of the network, predicted when it was stopped (stopping.c); a proposal that was refused,
 * or whose network failed or was pruned before it had a result, has none.  The POLICY event names the proposals of its
 * batch, so that none is learned from twice. Everything is rebuilt from the recorded proposals: a resumed search learns
 * what an uninterrupted one would have.
 *
 * With learn_from_user, an update is also shown the networks that a person grew and that were trained since the update
 * before; the event says which, so that none is shown twice.  Those of an update without an outcome wait.
 *
 * With `imitate`, it is also shown the proposals that led to the best networks so far, by accuracy, the earlier of
 * equals, none of them predicted; of those that led to one network, the first.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"
#include "util/bug.h"
#include "util/memory.h"

/* --- the batch --- */

/* Each outcome borrows from the arrays beside it. */
struct batch_of_outcomes {
    struct event_integers proposals, asked; /* what it is made of, for the event */
    int count, own;                         /* the policy's own come first */
    struct outcome *outcomes;
    struct arch *parents;
    struct proposal *proposal_values;
};

static struct batch_of_outcomes batch_new(int64_t room)
{
    return (struct batch_of_outcomes){
        .outcomes = memory_new((size_t)room, sizeof(struct outcome)),
        .parents = memory_new((size_t)room, sizeof(struct arch)),
        .proposal_values = memory_new((size_t)room, sizeof(struct proposal)),
    };
}

static void batch_done(struct batch_of_outcomes *batch)
{
    free(batch->outcomes);
    free(batch->parents);
    free(batch->proposal_values);
}

/* What became of these actions on a parent: network `node`. */
static void batch_add(const struct engine *engine, int64_t parent_node, int64_t node, const struct event_texts *actions,
                      const struct event_integers *steps, const struct event_reals *probabilities,
                      enum outcome_role role, struct batch_of_outcomes *batch)
{
    struct arch *parent = &batch->parents[batch->count];
    struct proposal *proposal = &batch->proposal_values[batch->count];
    struct error error;
    engine_arch(engine, parent_node, parent);
    if (record_proposal(parent, actions, steps, probabilities, proposal, &error))
        BUG(error.text); /* resume has checked those that it found in the log */
    const struct session_node *child = session_node(engine->state, node);
    batch->outcomes[batch->count++] = (struct outcome){.parent = parent,
                                                       .proposal = proposal,
                                                       .accuracy = child->stopped ? child->predicted : child->accuracy,
                                                       .role = role};
}

static void batch_add_record(const struct engine *engine, const struct proposal_record *record, enum outcome_role role,
                             struct batch_of_outcomes *batch)
{
    batch_add(engine, record->parent, record->node, &record->actions, &record->steps, &record->probabilities, role,
              batch);
}

/* --- the policy's own --- */

static enum node_status status_of(const struct engine *engine, int64_t node)
{
    return session_node(engine->state, node)->status;
}

static bool is_settled(const struct engine *engine, const struct proposal_record *record)
{
    return !record->node ||
           (status_of(engine, record->node) != NODE_QUEUED && status_of(engine, record->node) != NODE_RUNNING);
}

/* Of each proposal, by number - 1: has the policy learned from it?  The caller's to free(). */
static bool *find_learned(const struct engine *engine)
{
    const struct session_state *state = engine->state;
    int64_t size = engine->options.episode_networks;
    bool *learned = memory_new((size_t)state->proposal_count + 1, sizeof *learned);
    for (int64_t i = 0; i < state->policy_count; i++) {
        const struct event_integers *proposals = &state->policies[i].facts.proposals;
        for (int k = 0; k < proposals->count; k++)
            learned[proposals->items[k] - 1] = true;
        for (int64_t k = i * size; !proposals->count && k < (i + 1) * size && k < state->proposal_count; k++)
            learned[k] = true; /* older events name the episode alone */
    }
    return learned;
}

/* The numbers of the next batch's proposals; empty while it isn't complete. */
static struct event_integers next_proposals(const struct engine *engine)
{
    const struct session_state *state = engine->state;
    struct event_integers proposals = {0};
    int64_t size = engine->options.episode_networks;
    if (state->proposal_count < (state->policy_count + 1) * size)
        return proposals;
    bool *learned = find_learned(engine);
    for (int64_t i = 0; i < state->proposal_count && proposals.count < size; i++)
        if (!learned[i] && is_settled(engine, state->proposals[i]))
            event_integers_add(&proposals, i + 1);
    free(learned);
    if (proposals.count < size) {
        free(proposals.items);
        proposals = (struct event_integers){0};
    }
    return proposals;
}

static void batch_fill(const struct engine *engine, struct batch_of_outcomes *batch)
{
    for (int i = 0; i < batch->proposals.count; i++) {
        const struct proposal_record *record = engine->state->proposals[batch->proposals.items[i] - 1];
        if (record->node && status_of(engine, record->node) == NODE_DONE)
            batch_add_record(engine, record, OUTCOME_SAMPLED, batch);
    }
    batch->own = batch->count;
}

/* --- a person's --- */

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
        if (!is_to_be_shown(session_node(engine->state, i)))
            continue;
        batch_add(engine, facts->parent, i, &facts->actions, &facts->steps, &facts->probabilities, OUTCOME_BY_PERSON,
                  batch);
        event_integers_add(&batch->asked, i);
    }
}

/* --- the best --- */

/* Was it trained to the end? */
static bool is_measured(const struct session_node *node)
{
    return node->status == NODE_DONE && !node->stopped;
}

/* Is the outcome of the first better than that of the second? */
static bool is_better(const struct engine *engine, const struct proposal_record *first,
                      const struct proposal_record *second)
{
    double a = session_node(engine->state, first->node)->accuracy;
    double b = session_node(engine->state, second->node)->accuracy;
    return a > b || (a == b && first->proposal < second->proposal);
}

/* The best `imitate` proposals with different networks, in order. */
static void batch_fill_best(const struct engine *engine, struct batch_of_outcomes *batch)
{
    int64_t wanted = engine->options.imitate, count = 0;
    const struct proposal_record **best = memory_new((size_t)wanted + 1, sizeof *best);
    for (int64_t i = 0; wanted && i < engine->state->proposal_count; i++) {
        const struct proposal_record *record = engine->state->proposals[i];
        if (!record->node || record->known || !is_measured(session_node(engine->state, record->node)))
            continue;
        int64_t place = count;
        for (; place > 0 && is_better(engine, record, best[place - 1]); place--)
            best[place] = best[place - 1];
        best[place] = record;
        count += count < wanted;
    }
    for (int64_t i = 0; i < count; i++)
        batch_add_record(engine, best[i], OUTCOME_TO_IMITATE, batch);
    free(best);
}

/* --- learning --- */

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

/* The lists of the batch become the event's. */
static void observe(struct engine *engine, int64_t number, const struct batch_of_outcomes *batch)
{
    struct event event = {.kind = EVENT_POLICY};
    struct event_policy *policy = &event.as.policy;
    struct policy_update update = {0};
    policy->update = policy->episode = number;
    policy->networks = batch->own;
    policy->proposals = batch->proposals;
    policy->asked = batch->asked;
    for (int i = 0; i < batch->own; i++) {
        policy->accuracy_mean += batch->outcomes[i].accuracy / batch->own;
    }
    for (int i = 0; i < batch->proposals.count; i++) {
        const struct session_node *node =
            session_node(engine->state, engine->state->proposals[batch->proposals.items[i] - 1]->node);
        if (node && node->status == NODE_DONE && node->accuracy > policy->accuracy_best)
            policy->accuracy_best = node->accuracy;
    }
    if (batch->count)
        engine->policy_kind->observe(engine->policy, batch->outcomes, batch->count, &update);
    policy->reward_mean = update.reward_mean;
    policy->baseline = update.baseline;
    policy->loss = update.loss;
    policy->entropy = update.entropy;
    policy->gradient_norm = update.gradient_norm;
    if (engine->policy_kind->save && write_policy(engine, number, &policy->state, &policy->state_hash)) {
        event_done(&event);
        return;
    }
    engine_emit(engine, &event);
}

void learn(struct engine *engine)
{
    while (engine->policy_kind->observe && !engine->broken) {
        struct event_integers proposals = next_proposals(engine);
        if (!proposals.count)
            return;
        struct batch_of_outcomes batch =
            batch_new(proposals.count + count_to_be_shown(engine) + engine->options.imitate);
        batch.proposals = proposals;
        batch_fill(engine, &batch);
        if (batch.own) {
            batch_fill_asked(engine, &batch);
            batch_fill_best(engine, &batch);
        }
        observe(engine, engine->state->policy_count + 1, &batch);
        batch_done(&batch);
    }
}
