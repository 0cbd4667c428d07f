/*
 * state.c - the reducer: what each kind of event does to a state.
 *
 * session_apply() first asks session_accepts() (state_check.c); what follows here can't fail, so a refused event
 * leaves the state as it was.  A network's status moves along
 *
 *     NODE: queued --STARTED--> running --RESULT--> done
 *              ^                   |--FAILED------> failed
 *              |--FAILED (again)---'--FAILED (cancelled)--> cancelled
 *
 * and a queued one is cancelled by PRUNED.  OPENED and FINISHED bring running ones back to the queue: no process
 * trains them then.  Nodes lie at their number, in order of joining, so parents come before children.
 */
#include "sessions/state_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/fields.h"
#include "util/bug.h"
#include "util/memory.h"

static void replace_text(char **text, const char *with)
{
    free(*text);
    *text = with ? memory_copy_text(with) : NULL;
}

static const char *text_of(const char *text)
{
    return text ? text : "";
}

void state_set_status(struct session_state *state, struct session_node *node, enum node_status status)
{
    state->status_count[node->status]--;
    state->status_count[status]++;
    node->status = status;
}

static void stop_all_training(struct session_state *state)
{
    state_devices_stop(state);
    for (size_t i = 0; i < state->started_count; i++) {
        if (session_node(state, state->started[i])->status != NODE_RUNNING)
            continue;
        struct session_node *node = session_node_own(state, state->started[i]);
        state_set_status(state, node, node->pruned ? NODE_CANCELLED : NODE_QUEUED);
    }
    state->started_count = 0;
}

/* --- the kinds ----------------------------------------------------------------------------------------------- */

static int64_t integer_option(const struct session_state *state, const char *name)
{
    int64_t value = 0;
    const char *text = session_option(state, name);
    return text && !text_to_integer(text, 0, INT64_MAX, &value) ? value : 0;
}

static double real_option(const struct session_state *state, const char *name, double otherwise)
{
    double value;
    const char *text = session_option(state, name);
    return text && !text_to_real(text, 0, 1e15, &value) ? value : otherwise;
}

static void apply_session(struct session_state *state, const struct event_session *session)
{
    event_fields_copy(EVENT_SESSION, session, &state->facts);
    state_add_devices(state, &session->devices, &session->device_names);
    state->budget_episodes = integer_option(state, "episodes");
    state->budget_networks = integer_option(state, "networks");
    state->budget_seconds = real_option(state, "seconds", 0);
    state->budget_flops = real_option(state, "flops", 0);
    state->epochs = integer_option(state, "epochs");
    state->rate = real_option(state, "rate", -1);
}

bool node_is_pending(const struct session_node *node)
{
    return node->status == NODE_QUEUED || node->status == NODE_RUNNING;
}

bool node_has_no_result(const struct session_node *node)
{
    return node->status == NODE_FAILED || node->status == NODE_CANCELLED;
}

static bool is_fruitless(const struct session_state *state, const struct proposal_record *record)
{
    enum event_author author = (enum event_author)record->facts.by.value;
    if (record->answer == EVENT_REFUSED)
        return author != AUTHOR_USER && author != AUTHOR_REPAIR; /* the latter may stand in for a new network */
    return record->answer == EVENT_KNOWN && !node_is_pending(session_node(state, record->facts.node));
}

static void add_proposal(struct session_state *state, enum event_kind kind, const struct event_proposal *facts)
{
    struct proposal_record *record = memory_new(1, sizeof *record);
    *record = (struct proposal_record){.answer = kind, .references = 1};
    event_fields_copy(kind, facts, &record->facts);
    record->fruitless = is_fruitless(state, record);
    proposal_find_control(state, record);
    state->proposals = memory_grow(state->proposals, (size_t)state->proposal_count, &state->proposal_capacity,
                                   sizeof *state->proposals);
    state->proposals[state->proposal_count++] = record;
    state->episode = facts->episode;
    state->not_new_count = kind == EVENT_NODE ? 0 : state->not_new_count + 1;
    if (facts->parent && (record->fruitless || kind == EVENT_NODE)) {
        struct session_node *parent = session_node_own(state, facts->parent);
        parent->fruitless_count = record->fruitless ? parent->fruitless_count + 1 : 0;
    }
}

static void add_node(struct session_state *state, const struct event_proposal *facts, double time)
{
    struct session_node *node = memory_new(1, sizeof *node);
    event_fields_copy(EVENT_NODE, facts, &node->facts);
    node->references = 1;
    node->joined = time;
    node->status = NODE_QUEUED;
    state->status_count[NODE_QUEUED]++;
    state->nodes = memory_grow(state->nodes, (size_t)state->node_count, &state->node_capacity, sizeof *state->nodes);
    state->nodes[state->node_count++] = node;
    if (!facts->parent)
        return;
    struct session_node *parent = session_node_own(state, facts->parent);
    parent->child_count++;
    node->next_sibling = parent->first_child;
    parent->first_child = facts->node;
    state->joined_pruned += parent->pruned;
}

static void apply_proposal(struct session_state *state, enum event_kind kind, const struct event_proposal *facts,
                           double time)
{
    if (kind == EVENT_NODE)
        add_node(state, facts, time);
    else if (kind == EVENT_KNOWN)
        session_node_own(state, facts->node)->known_count++;
    state->known_count += kind == EVENT_KNOWN;
    state->refused_count += kind == EVENT_REFUSED;
    if (facts->proposal)
        add_proposal(state, kind, facts);
}

static void clear_step(struct session_node *node)
{
    node->step = node->steps = 0;
    node->step_loss = node->step_rate = 0;
}

static void apply_started(struct session_state *state, const struct event *event)
{
    const struct event_started *facts = &event->as.started;
    struct session_node *node = session_node_own(state, facts->node);
    state_set_status(state, node, NODE_RUNNING);
    state->started =
        memory_grow(state->started, state->started_count, &state->started_capacity, sizeof *state->started);
    state->started[state->started_count++] = facts->node;
    node->started = event->time;
    node->start_event = event->number;
    node->ended = 0;
    node->attempts = facts->attempt < INT_MAX ? (int)facts->attempt : INT_MAX - 1; /* another may follow */
    node->epochs = (int)facts->epochs;
    int done = (int)facts->epochs_done;
    node->seconds = done ? node->seconds * done / node->curve_count : 0;
    node->curve_count = done;
    node->accuracy = done ? node->curve[done - 1].validation_accuracy : 0;
    node->loss = done ? node->curve[done - 1].validation_loss : 0;
    node->images_per_second = done ? node->images_per_second : 0;
    event_field_done(EVENT_FIELD_FAILURE, &node->failure_reason);
    replace_text(&node->failure, NULL);
    replace_text(&node->device, text_of(facts->device));
    clear_step(node);
    state_device_trains(state, node->device, facts->node);
}

static void apply_epoch(struct session_state *state, const struct event_epoch *facts)
{
    struct session_node *node = session_node_own(state, facts->node);
    node->curve = memory_grow(node->curve, (size_t)node->curve_count, &node->curve_capacity, sizeof *node->curve);
    node->curve[node->curve_count++] = (struct curve_point){.rate = facts->rate,
                                                            .train_loss = facts->train_loss,
                                                            .train_accuracy = facts->train_accuracy,
                                                            .validation_loss = facts->validation_loss,
                                                            .validation_accuracy = facts->validation_accuracy};
    node->epochs = (int)facts->epochs;
    node->accuracy = facts->validation_accuracy;
    node->loss = facts->validation_loss;
    node->seconds += facts->seconds;
    node->images_per_second = facts->images_per_second;
    clear_step(node);
}

/* Does this result make it the best? */
static bool is_best(const struct session_state *state, const struct session_node *node, double accuracy)
{
    const struct session_node *best = session_node(state, state->best);
    bool finished = node->facts.by.value == AUTHOR_FINISH,
         best_finished = best && best->facts.by.value == AUTHOR_FINISH;
    if (accuracy != accuracy || !best)
        return accuracy == accuracy;
    return finished == best_finished ? accuracy > best->accuracy : finished;
}

static void apply_result(struct session_state *state, const struct event_result *facts, double time)
{
    struct session_node *node = session_node_own(state, facts->node);
    state_set_status(state, node, NODE_DONE);
    state_device_release(state, node);
    node->ended = time;
    node->accuracy = facts->accuracy;
    node->loss = facts->loss;
    node->seconds = facts->seconds;
    node->images_per_second = facts->images_per_second;
    replace_text(&node->weights, text_of(facts->weights));
    replace_text(&node->weights_hash, text_of(facts->weights_hash));
    replace_text(&node->stopped, text_of(facts->stopped)[0] ? facts->stopped : NULL);
    node->predicted = facts->predicted;
    state_set_health(node, facts);
    clear_step(node);
    if (!node_is_final(node))
        state->not_new_count = 0;
    if (is_best(state, node, facts->accuracy)) {
        state->best = facts->node;
        state->best_time = time;
    }
}

/* Another device was lost while it trained. */
static void add_loss(struct session_node *node)
{
    char *before = node->lost_on;
    if (node->loss_count == NODE_LOSSES_MAX)
        return;
    node->loss_count++;
    node->lost_on = event_text("%s%s%s", text_of(before), before ? ", " : "", text_of(node->device));
    free(before);
}

static void apply_failed(struct session_state *state, const struct event_failed *facts, double time)
{
    struct session_node *node = session_node_own(state, facts->node);
    const char *reason = failure_name(&facts->reason);
    bool cancelled = facts->reason.value == FAILURE_CANCELLED;
    if (facts->again)
        state_set_status(state, node, node->pruned ? NODE_CANCELLED : NODE_QUEUED);
    else
        state_set_status(state, node, cancelled ? NODE_CANCELLED : NODE_FAILED);
    state_device_release(state, node);
    node->ended = time;
    free(node->failure);
    event_field_done(EVENT_FIELD_FAILURE, &node->failure_reason);
    event_field_copy(EVENT_FIELD_FAILURE, &facts->reason, &node->failure_reason);
    node->failure =
        text_of(facts->message)[0] ? event_text("%s: %s", reason, facts->message) : memory_copy_text(reason);
    clear_step(node);
    if (facts->reason.value == FAILURE_DEVICE)
        add_loss(node);
    if (!cancelled)
        state->failure_count++;
}

static void add_instructions(struct session_state *state, const char *name)
{
    struct event_texts *known = &state->instructions;
    for (int i = 0; i < known->count; i++)
        if (!strcmp(known->items[i], name))
            return;
    if (*name && known->count < SESSION_INSTRUCTIONS_MAX) /* logs from before this field don't say */
        event_texts_add(known, name);
}

static void apply_opened(struct session_state *state, const struct event_opened *facts)
{
    stop_all_training(state);
    state->opened_count++;
    state->finished = false;
    state->served = !facts->devices.count && text_of(facts->instructions)[0]; /* the oldest logs don't say */
    state_devices_opened(state, facts->devices.count || text_of(facts->instructions)[0]);
    state_add_devices(state, &facts->devices, &facts->device_names);
    add_instructions(state, text_of(facts->instructions));
}

static void apply_policy(struct session_state *state, const struct event_policy *facts, double time)
{
    state->policies =
        memory_grow(state->policies, (size_t)state->policy_count, &state->policy_capacity, sizeof *state->policies);
    struct policy_record *record = memory_new(1, sizeof *record);
    state->policies[state->policy_count++] = record;
    record->references = 1;
    record->time = time;
    event_fields_copy(EVENT_POLICY, facts, &record->facts);
    for (int i = 0; i < facts->asked.count; i++)
        session_node_own(state, facts->asked.items[i])->observed = true;
}

static void apply_step(struct session_state *state, const struct event_step *facts)
{
    if (session_node(state, facts->node)->status != NODE_RUNNING)
        return;
    struct session_node *node = session_node_own(state, facts->node);
    node->step = facts->step;
    node->steps = facts->steps;
    node->step_loss = facts->loss;
    node->step_rate = facts->images_per_second;
}

/* After an event that may hold the search, or end that. */
static void apply_hold(struct session_state *state, enum event_kind kind, double time)
{
    if (kind != EVENT_PAUSED && kind != EVENT_OPENED && kind != EVENT_STARTED && kind != EVENT_JOINED &&
        kind != EVENT_LOST && kind != EVENT_FINISHED)
        return;
    state->held_seconds += state->held ? time - state->held_at : 0;
    state->held_at = time;
    state->held = state->paused || session_waits_for_device(state);
}

static void apply_finished(struct session_state *state, const struct event_finished *facts)
{
    stop_all_training(state);
    state->finished = true;
    event_field_done(EVENT_FIELD_FINISH, &state->finish_reason);
    event_field_copy(EVENT_FIELD_FINISH, &facts->reason, &state->finish_reason);
    replace_text(&state->finish_message, text_of(facts->message));
    if (facts->reason.value == FINISH_EXHAUSTED)
        state->not_new_count = 0; /* whoever resumes it tries again */
}

static void apply_test(struct session_state *state, const struct event_test *facts, double time)
{
    state->test = (struct session_test){facts->node, facts->accuracy, facts->loss, facts->images, time};
}

static void apply_kind(struct session_state *state, const struct event *event)
{
    switch (event->kind) {
    case EVENT_SESSION:
        apply_session(state, &event->as.session);
        break;
    case EVENT_OPENED:
        apply_opened(state, &event->as.opened);
        break;
    case EVENT_NODE:
    case EVENT_KNOWN:
    case EVENT_REFUSED:
        apply_proposal(state, event->kind, &event->as.node, event->time);
        break;
    case EVENT_STARTED:
        apply_started(state, event);
        break;
    case EVENT_EPOCH:
        apply_epoch(state, &event->as.epoch);
        break;
    case EVENT_RESULT:
        apply_result(state, &event->as.result, event->time);
        break;
    case EVENT_FAILED:
        apply_failed(state, &event->as.failed, event->time);
        break;
    case EVENT_JOINED:
        state_apply_joined(state, &event->as.joined);
        break;
    case EVENT_LOST:
        state_apply_lost(state, &event->as.lost);
        break;
    case EVENT_POLICY:
        apply_policy(state, &event->as.policy, event->time);
        break;
    case EVENT_WARNED: /* a message, for the log alone */
        break;
    case EVENT_COMMAND:
        state->command_count++;
        break;
    case EVENT_PAUSED:
        state->paused = event->as.paused.paused;
        break;
    case EVENT_PINNED:
        session_node_own(state, event->as.pinned.node)->pinned = event->as.pinned.pinned;
        break;
    case EVENT_PRUNED:
        state_apply_pruned(state, &event->as.pruned, event->time);
        break;
    case EVENT_NOTED:
        replace_text(&session_node_own(state, event->as.noted.node)->note, text_of(event->as.noted.note));
        break;
    case EVENT_BUDGET:
        state_apply_budget(state, &event->as.budget);
        break;
    case EVENT_SETTINGS:
        state_apply_settings(state, &event->as.settings);
        break;
    case EVENT_FINISHED:
        apply_finished(state, &event->as.finished);
        break;
    case EVENT_DROPPED:
        state_apply_dropped(state, &event->as.dropped);
        break;
    case EVENT_CHANGED:
        state_apply_changed(state, &event->as.changed);
        break;
    case EVENT_TEST:
        apply_test(state, &event->as.test, event->time);
        break;
    case EVENT_STEP:
        apply_step(state, &event->as.step);
        break;
    case EVENT_SAMPLE:
        state_apply_sample(state, &event->as.sample, event->time);
        break;
    case EVENT_KIND_COUNT:
        BUG("an event without a kind");
    }
}

/* Kinds without facts (opened) say nothing of the search, and transient ones may be missing. */
static void add_to_history(struct session_state *state, const struct event *event)
{
    if (!event_has_facts(event->kind))
        return;
    text_clear(&state->scratch);
    text_add_bytes(&state->scratch, event_kind_name(event->kind), strlen(event_kind_name(event->kind)) + 1);
    event_fields_add_facts(event->kind, &event->as, &state->scratch);
    struct hash hash = hash_of(state->scratch.bytes, state->scratch.length);
    state->history.low += hash.low;
    state->history.high += hash.high + (state->history.low < hash.low);
}

int session_apply(struct session_state *state, const struct event *event, struct error *error)
{
    if (session_accepts(state, event, error))
        return -1;
    state_add_step(state, event);
    apply_kind(state, event);
    apply_hold(state, event->kind, event->time);
    state->last_number = event->number;
    state->time = event->time;
    if (event_is_durable(event->kind)) {
        state->event_count++;
        add_to_history(state, event);
    }
    return 0;
}

void session_release(struct session_state *state)
{
    stop_all_training(state);
}

double session_active_seconds(const struct session_state *state, double now)
{
    return now - state->held_seconds - (state->held ? now - state->held_at : 0);
}

const struct session_node *session_node(const struct session_state *state, int64_t node)
{
    return node >= 1 && node <= state->node_count ? state->nodes[node - 1] : NULL;
}
