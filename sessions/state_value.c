/*
 * state_value.c - a state as a value: made, copied, freed, and reduced to a digest.
 *
 * Most of a big state never changes again: proposals, updates of the policy, and networks that are done.  A copy shares
 * them, counted by `references`; the reducer changes a network only through session_node_own(), which first makes a
 * shared one this state's own.  Everything else is copied.
 *
 * The digest reads the whole durable state through one walk that leaves out times, TIMING fields, devices and the
 * transient step, and adds state->history for the facts that events have and the state doesn't keep (who paused, the
 * reason of a refusal).  So it differs when the log's facts differ and also when the reducer does something else
 * with the same facts.
 */
#include <stdlib.h>
#include <string.h>

#include "sessions/fields.h"
#include "sessions/state_internal.h"
#include "util/bug.h"
#include "util/memory.h"

struct session_state *session_state_new(void)
{
    return memory_new(1, sizeof(struct session_state));
}

static void release_node(struct session_node *node)
{
    if (--node->references)
        return;
    event_fields_done(EVENT_NODE, &node->facts);
    free(node->device);
    free(node->curve);
    free(node->weights);
    free(node->weights_hash);
    free(node->stopped);
    free(node->failure);
    event_field_done(EVENT_FIELD_FAILURE, &node->failure_reason);
    free(node->lost_on);
    free(node->note);
    free(node);
}

static void release_proposal(struct proposal_record *record)
{
    if (--record->references)
        return;
    event_fields_done(record->answer, &record->facts);
    free(record);
}

static void release_policy(struct policy_record *record)
{
    if (--record->references)
        return;
    event_fields_done(EVENT_POLICY, &record->facts);
    free(record);
}

void session_state_free(struct session_state *state)
{
    if (!state)
        return;
    event_fields_done(EVENT_SESSION, &state->facts);
    for (int64_t i = 0; i < state->node_count; i++)
        release_node(state->nodes[i]);
    free(state->nodes);
    for (int64_t i = 0; i < state->proposal_count; i++)
        release_proposal(state->proposals[i]);
    free(state->proposals);
    for (int64_t i = 0; i < state->policy_count; i++)
        release_policy(state->policies[i]);
    free(state->policies);
    for (int64_t i = 0; i < state->step_count; i++)
        session_step_release(state->steps[i]);
    free(state->steps);
    state_devices_free(state);
    event_field_done(EVENT_FIELD_TEXTS, &state->instructions);
    event_field_done(EVENT_FIELD_TEXTS, &state->changed);
    event_field_done(EVENT_FIELD_FINISH, &state->finish_reason);
    free(state->finish_message);
    text_done(&state->scratch);
    free(state->started);
    free(state);
}

/* --- copy ---------------------------------------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
    return text ? memory_copy_text(text) : NULL;
}

static void *copy_items(const void *items, size_t count, size_t size)
{
    return count ? memcpy(memory_new(count, size), items, count * size) : NULL;
}

static struct session_node *copy_node(const struct session_node *from)
{
    struct session_node *to = copy_items(from, 1, sizeof *from);
    event_fields_copy(EVENT_NODE, &from->facts, &to->facts);
    to->curve = copy_items(from->curve, (size_t)from->curve_count, sizeof *from->curve);
    to->curve_capacity = (size_t)from->curve_count;
    to->device = copy_text(from->device);
    to->weights = copy_text(from->weights);
    to->weights_hash = copy_text(from->weights_hash);
    to->stopped = copy_text(from->stopped);
    to->failure = copy_text(from->failure);
    event_field_copy(EVENT_FIELD_FAILURE, &from->failure_reason, &to->failure_reason);
    to->lost_on = copy_text(from->lost_on);
    to->note = copy_text(from->note);
    to->references = 1;
    return to;
}

struct session_node *session_node_own(struct session_state *state, int64_t node)
{
    ASSERT(node >= 1 && node <= state->node_count);
    struct session_node **own = &state->nodes[node - 1], *shared = *own;
    if (shared->references > 1) {
        *own = copy_node(shared);
        release_node(shared);
    }
    return *own;
}

static void copy_lists(const struct session_state *from, struct session_state *to)
{
    to->nodes = copy_items(from->nodes, (size_t)from->node_count, sizeof *from->nodes);
    for (int64_t i = 0; i < from->node_count; i++)
        to->nodes[i]->references++;
    to->proposals = copy_items(from->proposals, (size_t)from->proposal_count, sizeof *from->proposals);
    for (int64_t i = 0; i < from->proposal_count; i++)
        to->proposals[i]->references++;
    to->policies = copy_items(from->policies, (size_t)from->policy_count, sizeof *from->policies);
    for (int64_t i = 0; i < from->policy_count; i++)
        to->policies[i]->references++;
    to->steps = copy_items(from->steps, (size_t)from->step_count, sizeof *from->steps);
    for (int64_t i = 0; i < from->step_count; i++)
        to->steps[i]->references++;
    to->step_capacity = (size_t)to->step_count;
    state_devices_copy(from, to);
    to->started = copy_items(from->started, from->started_count, sizeof *from->started);
    to->started_capacity = to->started_count;
    to->node_capacity = (size_t)to->node_count;
    to->proposal_capacity = (size_t)to->proposal_count;
    to->policy_capacity = (size_t)to->policy_count;
}

struct session_state *session_state_copy(const struct session_state *from)
{
    struct session_state *to = copy_items(from, 1, sizeof *from);
    if (from->event_count)
        event_fields_copy(EVENT_SESSION, &from->facts, &to->facts);
    copy_lists(from, to);
    event_field_copy(EVENT_FIELD_TEXTS, &from->instructions, &to->instructions);
    event_field_copy(EVENT_FIELD_TEXTS, &from->changed, &to->changed);
    event_field_copy(EVENT_FIELD_FINISH, &from->finish_reason, &to->finish_reason);
    to->finish_message = copy_text(from->finish_message);
    to->scratch = TEXT_EMPTY;
    return to;
}

/* --- digest -------------------------------------------------------------------------------------------------- */

static void add_integer(struct text *bytes, int64_t value)
{
    text_add_bytes(bytes, (const char *)&value, sizeof value);
}

static void add_real(struct text *bytes, double value)
{
    if (value != value)
        add_integer(bytes, -1); /* every NaN alike: the bits of one of them */
    else
        text_add_bytes(bytes, (const char *)&value, sizeof value);
}

static void add_text(struct text *bytes, const char *text)
{
    add_integer(bytes, text ? (int64_t)strlen(text) : -1);
    if (text && text[0])
        text_add_bytes(bytes, text, strlen(text));
}

static void add_node(struct text *bytes, const struct session_node *node)
{
    event_fields_add_facts(EVENT_NODE, &node->facts, bytes);
    add_integer(bytes, node->status);
    add_integer(bytes, node->attempts);
    add_integer(bytes, node->epochs);
    add_integer(bytes, node->curve_count);
    for (int i = 0; i < node->curve_count; i++) {
        add_real(bytes, node->curve[i].rate);
        add_real(bytes, node->curve[i].train_loss);
        add_real(bytes, node->curve[i].train_accuracy);
        add_real(bytes, node->curve[i].validation_loss);
        add_real(bytes, node->curve[i].validation_accuracy);
    }
    add_real(bytes, node->accuracy);
    add_real(bytes, node->loss);
    add_text(bytes, node->weights);
    add_text(bytes, node->weights_hash);
    add_text(bytes, node->stopped);
    add_real(bytes, node->predicted);
    add_text(bytes, node->failure);
    add_integer(bytes, node->pinned);
    add_integer(bytes, node->pruned);
    add_text(bytes, node->note);
    if (node->dropped)
        add_integer(bytes, 1);
    add_integer(bytes, node->child_count);
    add_integer(bytes, node->known_count);
}

static void add_proposal(struct text *bytes, const struct proposal_record *record)
{
    const struct event_proposal *facts = &record->facts;
    add_integer(bytes, facts->proposal);
    add_integer(bytes, facts->episode);
    add_integer(bytes, facts->parent);
    add_integer(bytes, facts->node);
    add_integer(bytes, record->answer == EVENT_KNOWN);
    add_integer(bytes, facts->by.value == AUTHOR_USER);
    add_real(bytes, facts->log_probability);
    add_real(bytes, facts->entropy);
    add_integer(bytes, facts->actions.count);
    for (int i = 0; i < facts->actions.count; i++) {
        add_text(bytes, facts->actions.items[i]);
        add_integer(bytes, facts->steps.items[i]);
        add_real(bytes, i < facts->probabilities.count ? facts->probabilities.items[i] : 0);
    }
}

static void add_test(struct text *bytes, const struct session_test *test)
{
    add_integer(bytes, test->node);
    add_real(bytes, test->accuracy);
    add_real(bytes, test->loss);
    add_integer(bytes, test->images);
}

struct hash session_digest(const struct session_state *state)
{
    struct text bytes = TEXT_EMPTY;
    event_fields_add_facts(EVENT_SESSION, &state->facts, &bytes);
    add_integer(&bytes, state->node_count);
    for (int64_t i = 0; i < state->node_count; i++)
        add_node(&bytes, state->nodes[i]);
    for (int i = 0; i < NODE_STATUS_COUNT; i++)
        add_integer(&bytes, state->status_count[i]);
    add_integer(&bytes, state->best);
    add_integer(&bytes, state->proposal_count);
    for (int64_t i = 0; i < state->proposal_count; i++)
        add_proposal(&bytes, state->proposals[i]);
    add_integer(&bytes, state->known_count);
    add_integer(&bytes, state->refused_count);
    add_integer(&bytes, state->failure_count);
    add_integer(&bytes, state->episode);
    add_integer(&bytes, state->policy_count);
    for (int64_t i = 0; i < state->policy_count; i++)
        event_fields_add_facts(EVENT_POLICY, &state->policies[i]->facts, &bytes);
    add_integer(&bytes, state->budget_episodes);
    add_integer(&bytes, state->budget_networks);
    add_real(&bytes, state->budget_seconds);
    add_integer(&bytes, state->epochs);
    add_real(&bytes, state->rate);
    add_integer(&bytes, state->paused);
    add_integer(&bytes, state->finished);
    const char *reason = finish_name(&state->finish_reason);
    add_text(&bytes, *reason ? reason : NULL);
    add_text(&bytes, state->finish_message);
    add_integer(&bytes, state->command_count);
    if (state->budget_flops > 0) /* what older logs don't have is left out, so that they keep their digest */
        add_real(&bytes, state->budget_flops);
    if (state->test.node)
        add_test(&bytes, &state->test);
    for (int i = 0; i < state->changed.count; i++)
        add_text(&bytes, state->changed.items[i]);
    add_integer(&bytes, (int64_t)state->history.low);
    add_integer(&bytes, (int64_t)state->history.high);
    struct hash hash = hash_of(bytes.bytes, bytes.length);
    text_done(&bytes);
    return hash;
}
