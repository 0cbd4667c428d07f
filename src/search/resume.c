/*
 * resume.c - the engine from the folded state of its session.
 *
 * The state was folded from a file, so everything is checked here that the rest of the engine takes for granted:
 * that architectures, actions and options can be read and are of this search, that parents were trained, that the data
 * is the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

enum { POLICY_BYTES_MAX = 1 << 28 };

static int check_data(const struct engine *engine, struct error *error)
{
    const struct event_session *facts = &engine->state->facts;
    const struct engine_data *data = &engine->data;
    char hash[HASH_TEXT], input[RECORD_INPUT];
    record_input(data->input, input);
    if (strcmp(facts->data_hash, hash_print(data->hash, hash)))
        return error_set(error, "the images of %s are not those that the session began with (checksum %.8s, was %.8s)",
                         facts->data, hash, facts->data_hash);
    if (strcmp(facts->input, input) || facts->classes != data->classes)
        return error_set(error, "the session's images are %s of %" PRId64 " classes, these are %s of %d", facts->input,
                         facts->classes, input, data->classes);
    return 0;
}

/* Can the recorded proposal be made again from its parent? */
static int check_proposal(const struct engine *engine, const struct proposal_record *record, struct error *error)
{
    if (!record->node)
        return 0;
    struct arch parent;
    struct proposal proposal;
    const struct session_node *node = session_node(engine->state, record->parent);
    if (!node || arch_parse(&parent, node->facts.arch, error) ||
        record_proposal(&parent, &record->actions, &record->steps, &record->probabilities, &proposal, error))
        return error_prefix(error, "proposal %" PRId64, record->proposal);
    return 0;
}

/* An update learns from an episode's proposals: from more, and the next would wait for proposals that never come. */
static int check_update(const struct engine *engine, const struct event_policy *facts, struct error *error)
{
    if (facts->proposals.count <= engine->options.episode_networks)
        return 0;
    return error_set(error, "update %" PRId64 " learns from %d proposals, but an episode has %" PRId64, facts->update,
                     facts->proposals.count, engine->options.episode_networks);
}

/* What it reached: policies are taught by it. */
static int check_result(const struct session_node *node, struct error *error)
{
    const double values[] = {node->accuracy, node->stopped ? node->predicted : 0};
    for (size_t i = 0; i < COUNT_OF(values) && node->status == NODE_DONE; i++)
        if (!(values[i] >= 0 && values[i] <= 1))
            return error_set(error, "an accuracy of %g is none", values[i]);
    return 0;
}

/* Node `number` into the pool, and into the queue when it waits for training. */
static int restore_node(struct engine *engine, int64_t number, struct error *error)
{
    const struct session_node *node = session_node(engine->state, number);
    const struct session_node *parent = session_node(engine->state, node->facts.parent);
    struct arch arch, parent_arch, made;
    struct proposal proposal;
    if (arch_parse(&arch, node->facts.arch, error) || engine_check_arch(&engine->options, &engine->data, &arch, error) ||
        check_result(node, error))
        return -1;
    bool waits = (node->status == NODE_QUEUED || node->status == NODE_RUNNING) && !node->pruned;
    if (parent) {
        if (waits && parent->status != NODE_DONE)
            return error_set(error, "its parent %" PRId64 " was never trained", node->facts.parent);
        if (arch_parse(&parent_arch, parent->facts.arch, error) ||
            record_proposal(&parent_arch, &node->facts.actions, &node->facts.steps, &node->facts.probabilities,
                            &proposal, error) ||
            proposal_apply(&parent_arch, &proposal, &made, error))
            return -1;
        if (!arch_equal(&made, &arch))
            return error_set(error, "its actions make another network than it is");
    }
    struct hash hash = arch_hash(&arch);
    int64_t twin = pool_find(&engine->pool, hash);
    if (twin && !node_came_to_nothing(session_node(engine->state, twin))) {
        if (!node_came_to_nothing(node))
            return error_set(error, "it is the same network as %" PRId64, twin);
        return 0; /* stands in for one that was lost: sessions/bridge.c */
    }
    pool_put(&engine->pool, hash, number);
    if (waits)
        trials_enqueue(engine, number); /* the OPENED event takes running ones back to the queue */
    return 0;
}

static int restore_nodes(struct engine *engine, struct error *error)
{
    const struct session_state *state = engine->state;
    for (int64_t number = 1; number <= state->node_count; number++)
        if (restore_node(engine, number, error))
            return error_prefix(error, "network %" PRId64, number);
    for (int64_t i = 0; i < state->proposal_count; i++)
        if (check_proposal(engine, state->proposals[i], error))
            return -1;
    for (int64_t i = 0; i < state->policy_count; i++)
        if (check_update(engine, &state->policies[i].facts, error))
            return -1;
    const struct session_node *start = session_node(state, 1);
    if (start && (start->status == NODE_FAILED || start->status == NODE_CANCELLED))
        return error_set(error,
                         "its start network failed (%s): begin a new search with another --start or --start-rate",
                         start->failure ? start->failure : "cancelled");
    return start && start->pruned ? error_set(error, "its start network is pruned: nothing can grow") : 0;
}

/* The policy as its last update left it. */
static int restore_policy(struct engine *engine, struct error *error)
{
    const struct session_state *state = engine->state;
    if (!state->policy_count || !engine->policy_kind->load)
        return 0;
    const struct event_policy *facts = &state->policies[state->policy_count - 1].facts;
    struct text path = TEXT_EMPTY;
    text_add(&path, "%s/policy/%s", log_folder(engine->log), facts->state);
    void *bytes = NULL;
    size_t length;
    char hash[HASH_TEXT];
    int status = file_read(text_string(&path), POLICY_BYTES_MAX, &bytes, &length, error);
    if (!status && strcmp(hash_print(hash_of(bytes, length), hash), facts->state_hash))
        status = error_set(error, "%s: is not the file that was written (checksum %.8s, was %.8s)", text_string(&path),
                           hash, facts->state_hash);
    else if (!status && engine->policy_kind->load(engine->policy, bytes, length, error))
        status = error_prefix(error, "%s", text_string(&path));
    free(bytes);
    text_done(&path);
    return status;
}

/* Did this proposal lead to no new network, and none was trained since? */
static bool is_barren(const struct session_state *state, const struct proposal_record *record)
{
    return (record->known || !record->node) && record->trained == state->status_count[NODE_DONE];
}

/* Such proposals in a row, up to the last.  A search that ended for that has another go. */
static int count_barren(const struct session_state *state)
{
    int barren = 0;
    if (state->finished && !strcmp(state->finish_reason, "exhausted"))
        return 0;
    for (int64_t i = state->proposal_count - 1; i >= 0 && is_barren(state, state->proposals[i]); i--)
        barren++;
    return barren;
}

static int restore(struct engine *engine, struct error *error)
{
    if (engine_options_of(engine->state, &engine->options, error) || options_settle(&engine->options, error) ||
        check_data(engine, error))
        return -1;
    engine_prepare(engine);
    if (restore_nodes(engine, error) || restore_policy(engine, error))
        return -1;
    const struct session_node *start = session_node(engine->state, 1);
    if ((!start || start->status != NODE_DONE) && engine_find_start(engine, error))
        return -1;
    engine->barren = count_barren(engine->state);
    return 0;
}

int engine_restore(struct engine *engine, struct error *error)
{
    return restore(engine, error) ? error_prefix(error, "%s", log_folder(engine->log)) : 0;
}
