/*
 * learner.c - what the policy learns from: batches of its proposals with their outcomes.
 *
 * A proposal is settled when it was refused, or when the network that it led to, known or new, is not in the queue or
 * in training any more.  The policy learns as soon as there are `episode_networks` settled proposals that it hasn't
 * learned from; it takes the first of them, by number.  With the barrier (proposals.c) these are one episode.  Without
 * it trainers never wait, and some outcomes of an update are of the policy before the last update.  With one trainer
 * the two are the same.  With many trainers an update without barrier learns from a quarter as many proposals as there
 * are trainers (session_update_size), if that is more than an episode.
 *
 * The outcome is the accuracy of the network; the predicted accuracy when it was stopped early (stopping.c).  A
 * proposal that was refused, or whose network has no result, has no outcome.  The POLICY event names the proposals of
 * its batch, so that none is used twice.  A batch is built from the recorded proposals: a resumed search learns what an
 * uninterrupted one would have learned.
 *
 * In a race it is the gain over the control of the round: of a network that joined in this round, once its control is
 * trained; of one that a person grew, over its parent.  A control is no outcome, nor is a known network, which trained
 * in another round.
 *
 * A session may change its policy.  One that learns then has updates of the proposals before it too, without outcomes,
 * so that updates and episodes stay in step.
 *
 * With learn_from_user, an update also observes the networks that a person grew and that no update has observed; the
 * event names them.  They wait while an update has no outcome of its own.
 *
 * With `imitate`, it also observes the proposals that led to the best networks so far, by accuracy, the earlier of
 * equals; no stopped ones; of those that led to one network, the first.
 */
#include "search/learner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "search/record.h"
#include "sessions/session_file.h"
#include "util/bug.h"
#include "util/memory.h"

enum { POLICY_BYTES_MAX = 1 << 28 };

void learner_init(struct learner *learner, struct journal *journal, const struct search_options *options,
                  struct shape input, const struct event_integers *match)
{
    struct policy_options policy_options = options_policy(options, input);
    policy_options.match = match->items;
    policy_options.match_count = match->count;
    *learner = (struct learner){journal, options, policy_new(policy_find(options->policy), &policy_options)};
}

void learner_done(struct learner *learner)
{
    policy_free(learner->policy);
}

int learner_restore(struct learner *learner, struct error *error)
{
    const struct session_state *state = learner->journal->state;
    if (!state->policy_count || !learner->policy->kind->load)
        return 0;
    const struct event_policy *facts = &state->policies[state->policy_count - 1]->facts;
    char *path = journal_path(learner->journal, "policy", facts->state);
    void *bytes = NULL;
    size_t length;
    char hash[HASH_TEXT];
    int status = session_file_read(path, IN_PLACE, POLICY_BYTES_MAX, &bytes, &length, error);
    if (!status && strcmp(hash_print(hash_of(bytes, length), hash), facts->state_hash))
        status = error_set(error, "%s: is not the file that was written (checksum %.8s, was %.8s)", path, hash,
                           facts->state_hash);
    else if (!status && learner->policy->kind->load(learner->policy, bytes, length, error))
        status = error_prefix(error, "%s", path);
    free(bytes);
    free(path);
    return status;
}

/* --- the batch --- */

/* Each outcome borrows from the arrays beside it. */
struct batch_of_outcomes {
    struct event_integers proposals, of_person; /* for the event: proposals, and networks that a person grew */
    int count, own;                             /* outcomes, and how many of them are the policy's: these come first */
    struct outcome *outcomes;
    struct arch *parents;
    struct proposal *proposal_values;
};

static struct batch_of_outcomes batch_new(int64_t capacity)
{
    return (struct batch_of_outcomes){
        .outcomes = memory_new((size_t)capacity, sizeof(struct outcome)),
        .parents = memory_new((size_t)capacity, sizeof(struct arch)),
        .proposal_values = memory_new((size_t)capacity, sizeof(struct proposal)),
    };
}

static void batch_done(struct batch_of_outcomes *batch)
{
    free(batch->outcomes);
    free(batch->parents);
    free(batch->proposal_values);
}

static bool is_race(const struct learner *learner)
{
    return learner->options->parent == PARENT_RACE;
}

static double reached(const struct session_node *node)
{
    return node->stopped ? node->predicted : node->accuracy;
}

/* Add a proposal with its outcome, which is that of network facts->node. */
static void batch_add(const struct learner *learner, const struct event_proposal *facts, enum outcome_role role,
                      struct batch_of_outcomes *batch)
{
    struct arch *parent = &batch->parents[batch->count];
    struct proposal *proposal = &batch->proposal_values[batch->count];
    struct error error;
    journal_arch(learner->journal, facts->parent, parent);
    if (recorded_proposal(parent, facts, proposal, &error))
        BUG(error.text); /* resume has checked those that it found in the log */
    const struct session_state *state = learner->journal->state;
    struct outcome *outcome = &batch->outcomes[batch->count++];
    *outcome = (struct outcome){.parent = parent, .proposal = proposal, .role = role};
    outcome->accuracy = reached(session_node(state, facts->node));
    outcome->has_gain = is_race(learner);
    if (outcome->has_gain) {
        int64_t control = session_control(state, facts->node);
        outcome->gain = outcome->accuracy - session_node(state, control ? control : facts->parent)->accuracy;
    }
}

/* --- the policy's own --- */

static bool is_settled(const struct session_state *state, const struct proposal_record *record)
{
    return record->answer == EVENT_REFUSED || !node_is_pending(session_node(state, record->facts.node));
}

/* Has the policy learned from proposal i + 1?  One bool for each, the caller's to free(). */
static bool *find_learned(const struct learner *learner)
{
    const struct session_state *state = learner->journal->state;
    int64_t size = learner->options->episode_networks;
    bool *learned = memory_new((size_t)state->proposal_count + 1, sizeof *learned);
    for (int64_t i = 0; i < state->policy_count; i++) {
        const struct event_integers *proposals = &state->policies[i]->facts.proposals;
        for (int k = 0; k < proposals->count; k++)
            learned[proposals->items[k] - 1] = true;
        for (int64_t k = i * size; !proposals->count && k < (i + 1) * size && k < state->proposal_count; k++)
            learned[k] = true; /* older events name the episode alone */
    }
    return learned;
}

/* How many proposals it has not learned from. */
static int64_t count_unlearned(const struct learner *learner)
{
    const struct session_state *state = learner->journal->state;
    int64_t unlearned = state->proposal_count;
    for (int64_t i = 0; i < state->policy_count; i++) {
        int count = state->policies[i]->facts.proposals.count;
        unlearned -= count ? count : learner->options->episode_networks;
    }
    return unlearned;
}

bool learner_must_learn(const struct learner *learner)
{
    return learner->policy->kind->observe && !session_is_asynchronous(learner->journal->state) &&
           count_unlearned(learner) >= learner->options->episode_networks;
}

/* The numbers of the next batch's proposals; empty while it isn't complete. */
static struct event_integers next_proposals(const struct learner *learner)
{
    const struct session_state *state = learner->journal->state;
    struct event_integers proposals = {0};
    int64_t size = session_update_size(state);
    if (count_unlearned(learner) < size)
        return proposals;
    bool *learned = find_learned(learner);
    for (int64_t i = 0; i < state->proposal_count && proposals.count < size; i++)
        if (!learned[i] && is_settled(state, state->proposals[i]))
            event_integers_add(&proposals, i + 1);
    free(learned);
    if (proposals.count < size) {
        free(proposals.items);
        proposals = (struct event_integers){0};
    }
    return proposals;
}

/* Has the policy something to learn from it? */
static bool has_outcome(const struct learner *learner, const struct proposal_record *record)
{
    const struct session_state *state = learner->journal->state;
    const struct session_node *node = session_node(state, record->facts.node);
    if (!node || node->status != NODE_DONE || record->facts.by.value == AUTHOR_CONTROL)
        return false;
    if (strcmp(author_name(&record->facts.by), learner->policy->kind->name) != 0)
        return false; /* of the policy that the session had before */
    return !is_race(learner) || (record->answer == EVENT_NODE && session_control(state, node->facts.node));
}

static void batch_fill(const struct learner *learner, struct batch_of_outcomes *batch)
{
    const struct session_state *state = learner->journal->state;
    for (int i = 0; i < batch->proposals.count; i++) {
        const struct proposal_record *record = state->proposals[batch->proposals.items[i] - 1];
        if (has_outcome(learner, record))
            batch_add(learner, &record->facts, OUTCOME_SAMPLED, batch);
    }
    batch->own = batch->count;
}

/* --- a person's --- */

/* Did a person grow it, and has the policy not observed it yet? */
static bool awaits_policy(const struct session_node *node)
{
    return node->status == NODE_DONE && !node->observed && !node->facts.proposal && node->facts.parent &&
           node->facts.by.value == AUTHOR_USER;
}

static int64_t count_of_person(const struct learner *learner)
{
    int64_t count = 0;
    for (int64_t i = 1; learner->options->learn_from_user && i <= learner->journal->state->node_count; i++)
        count += awaits_policy(session_node(learner->journal->state, i));
    return count;
}

static void batch_fill_of_person(const struct learner *learner, struct batch_of_outcomes *batch)
{
    for (int64_t i = 1; learner->options->learn_from_user && i <= learner->journal->state->node_count; i++) {
        const struct session_node *node = session_node(learner->journal->state, i);
        if (!awaits_policy(node))
            continue;
        batch_add(learner, &node->facts, OUTCOME_BY_PERSON, batch);
        event_integers_add(&batch->of_person, i);
    }
}

/* --- the best --- */

/* Was it trained to the end? */
static bool is_measured(const struct session_node *node)
{
    return node->status == NODE_DONE && !node->stopped;
}

/* Is the outcome of the first better than that of the second? */
static bool is_better(const struct session_state *state, const struct event_proposal *first,
                      const struct event_proposal *second)
{
    double a = session_node(state, first->node)->accuracy, b = session_node(state, second->node)->accuracy;
    return a > b || (a == b && first->proposal < second->proposal);
}

/* The best `imitate` proposals with different networks, in order. */
static void batch_fill_best(const struct learner *learner, struct batch_of_outcomes *batch)
{
    const struct session_state *state = learner->journal->state;
    int64_t wanted = learner->options->imitate, count = 0;
    const struct event_proposal **best = memory_new((size_t)wanted + 1, sizeof *best);
    for (int64_t i = 0; wanted && i < state->proposal_count; i++) {
        const struct event_proposal *facts = &state->proposals[i]->facts;
        if (state->proposals[i]->answer != EVENT_NODE || facts->by.value == AUTHOR_CONTROL ||
            !is_measured(session_node(state, facts->node)))
            continue;
        int64_t place = count;
        for (; place > 0 && is_better(state, facts, best[place - 1]); place--)
            best[place] = best[place - 1];
        best[place] = facts;
        count += count < wanted;
    }
    for (int64_t i = 0; i < count; i++)
        batch_add(learner, best[i], OUTCOME_TO_IMITATE, batch);
    free(best);
}

/* --- learning --- */

/* Write the policy's state into a file named by its content.  `*name` and `*hash_text` are new texts. */
static int write_policy(struct learner *learner, int64_t update, char **name, char **hash_text)
{
    void *bytes;
    size_t length;
    char hash[HASH_TEXT];
    learner->policy->kind->save(learner->policy, &bytes, &length);
    hash_print(hash_of(bytes, length), hash);
    *name = event_text("u%" PRId64 "-%.8s.safetensors", update, hash);
    *hash_text = event_text("%s", hash);
    int status = journal_write(learner->journal, "policy", *name, bytes, length);
    free(bytes);
    return status;
}

/* The lists of the batch become the event's. */
static void observe(struct learner *learner, int64_t number, const struct batch_of_outcomes *batch)
{
    const struct session_state *state = learner->journal->state;
    struct event event = {.kind = EVENT_POLICY};
    struct event_policy *policy = &event.as.policy;
    struct policy_update update = {0};
    policy->update = policy->episode = number;
    policy->networks = batch->own;
    policy->proposals = batch->proposals;
    policy->asked = batch->of_person;
    for (int i = 0; i < batch->own; i++)
        policy->accuracy_mean += batch->outcomes[i].accuracy / batch->own;
    for (int i = 0; i < batch->proposals.count; i++) {
        const struct session_node *node =
            session_node(state, state->proposals[batch->proposals.items[i] - 1]->facts.node);
        if (node && node->status == NODE_DONE && node->accuracy > policy->accuracy_best)
            policy->accuracy_best = node->accuracy;
    }
    if (batch->count)
        learner->policy->kind->observe(learner->policy, batch->outcomes, batch->count, &update);
    policy->reward_mean = update.reward_mean;
    policy->baseline = update.baseline;
    policy->loss = update.loss;
    policy->entropy = update.entropy;
    policy->gradient_norm = update.gradient_norm;
    if (learner->policy->kind->save && write_policy(learner, number, &policy->state, &policy->state_hash)) {
        event_done(&event);
        return;
    }
    journal_emit(learner->journal, &event);
}

void learner_learn(struct learner *learner)
{
    while (learner->policy->kind->observe && !learner->journal->broken) {
        struct event_integers proposals = next_proposals(learner);
        if (!proposals.count)
            return;
        struct batch_of_outcomes batch =
            batch_new(proposals.count + count_of_person(learner) + learner->options->imitate);
        batch.proposals = proposals;
        batch_fill(learner, &batch);
        if (batch.own) {
            batch_fill_of_person(learner, &batch);
            batch_fill_best(learner, &batch);
        }
        observe(learner, learner->journal->state->policy_count + 1, &batch);
        batch_done(&batch);
    }
}
