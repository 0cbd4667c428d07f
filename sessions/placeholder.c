/*
 * placeholder.c - events that take the place of lost ones, so that the events after them can be folded.
 *
 * A damaged block loses some dozens of events.  Later events may depend on one of them, since networks and proposals
 * are numbered without gaps.  A placeholder states only what must have happened:
 *
 *     a network joined          NODE by "lost", the start network's architecture, and then PRUNED: never trained
 *     a proposal was answered   REFUSED, "lost": the policy doesn't learn from it
 *     the policy learned        POLICY with the update's number and no state
 *     a network started         STARTED on no device
 *     it trained for an epoch   EPOCH with numbers that are not known (NaN)
 *     a network's attempt ended FAILED, "lost", back in the queue
 *
 * A network that grew from a lost one keeps its result, but has no parent, no actions and no proposal.  A network whose
 * result is lost is trained again.  At the end, networks that wait to grow from a network without a result are pruned.
 *
 * Pure.  Each call makes one event: the caller applies it and calls again.
 */
#include <math.h>
#include <string.h>

#include "sessions/fields.h"
#include "sessions/log_internal.h"
#include "util/memory.h"

enum { LOST_MAX = 10000 }; /* a larger gap means that the number itself is damaged */

static bool is_placeholder(const struct session_node *node)
{
    return node && node->facts.by.value == AUTHOR_REPAIR;
}

static void lost_node(const struct session_state *state, struct event *placeholder)
{
    const struct session_node *start = session_node(state, 1);
    placeholder->kind = EVENT_NODE;
    placeholder->as.node = (struct event_proposal){
        .node = state->node_count + 1,
        .by = {AUTHOR_REPAIR},
        .arch = memory_copy_text(start ? start->facts.arch : ""),
    };
}

static void lost_pruned(int64_t node, struct event *placeholder)
{
    placeholder->kind = EVENT_PRUNED;
    placeholder->as.pruned = (struct event_pruned){.node = node, .by = {AUTHOR_REPAIR}};
}

static bool placeholder_proposal(const struct session_state *state, int64_t proposal, struct event *placeholder)
{
    if (proposal <= state->proposal_count + 1 || proposal >= state->proposal_count + LOST_MAX || !state->node_count)
        return false;
    placeholder->kind = EVENT_REFUSED;
    placeholder->as.refused = (struct event_proposal){.parent = 1,
                                                      .by = {AUTHOR_REPAIR},
                                                      .reason = memory_copy_text("lost"),
                                                      .episode = state->episode,
                                                      .proposal = state->proposal_count + 1};
    return true;
}

static bool placeholder_node(const struct session_state *state, const struct event_proposal *event,
                             struct event *placeholder)
{
    if (event->node >= state->node_count + LOST_MAX || event->proposal >= state->proposal_count + LOST_MAX)
        return false;
    if (event->node <= state->node_count + 1)
        return placeholder_proposal(state, event->proposal, placeholder);
    lost_node(state, placeholder);
    return true;
}
/* The STARTED event of a network that still waits though an event says that it trains: that one is lost. */
static bool placeholder_start(const struct session_state *state, int64_t number, int64_t epochs,
                              struct event *placeholder)
{
    const struct session_node *node = session_node(state, number);
    if (!node || node->status != NODE_QUEUED)
        return false;
    placeholder->kind = EVENT_STARTED;
    placeholder->as.started =
        (struct event_started){.node = node->facts.node, .attempt = node->attempts + 1, .epochs = epochs};
    return true;
}

static bool placeholder_epoch(const struct session_state *state, const struct event_epoch *event,
                              struct event *placeholder)
{
    const struct session_node *node = session_node(state, event->node);
    if (!node || node->status != NODE_RUNNING || event->epoch <= node->curve_count + 1 ||
        event->epoch > event->epochs || event->epoch > node->curve_count + LOST_MAX)
        return false;
    const double unknown = (double)NAN;
    placeholder->kind = EVENT_EPOCH;
    placeholder->as.epoch = (struct event_epoch){.node = node->facts.node,
                                                 .epoch = node->curve_count + 1,
                                                 .epochs = event->epochs,
                                                 .rate = unknown,
                                                 .train_loss = unknown,
                                                 .train_accuracy = unknown,
                                                 .validation_loss = unknown,
                                                 .validation_accuracy = unknown};
    return true;
}

bool placeholder_before(const struct session_state *state, const struct event *event, struct event *placeholder)
{
    *placeholder = (struct event){.time = event->time};
    switch (event->kind) {
    case EVENT_NODE:
        return placeholder_node(state, &event->as.node, placeholder);
    case EVENT_KNOWN:
        return placeholder_proposal(state, event->as.known.proposal, placeholder);
    case EVENT_REFUSED:
        return placeholder_proposal(state, event->as.refused.proposal, placeholder);
    case EVENT_POLICY:
        for (int i = 0; i < event->as.policy.asked.count; i++)
            if (event->as.policy.asked.items[i] > state->node_count &&
                event->as.policy.asked.items[i] < state->node_count + LOST_MAX) {
                lost_node(state, placeholder);
                return true;
            }
        if (event->as.policy.update <= state->policy_count + 1 ||
            event->as.policy.update > state->policy_count + LOST_MAX)
            return false;
        placeholder->kind = EVENT_POLICY;
        placeholder->as.policy =
            (struct event_policy){.update = state->policy_count + 1, .episode = state->policy_count + 1};
        return true;
    case EVENT_EPOCH:
        return placeholder_start(state, event->as.epoch.node, event->as.epoch.epochs, placeholder) ||
               placeholder_epoch(state, &event->as.epoch, placeholder);
    case EVENT_RESULT:
        return placeholder_start(state, event->as.result.node, event->as.result.epochs, placeholder);
    case EVENT_STARTED: {
        const struct session_node *node = session_node(state, event->as.started.node);
        if (!node || node->status != NODE_RUNNING)
            return false;
        placeholder->kind = EVENT_FAILED;
        placeholder->as.failed = (struct event_failed){
            .node = node->facts.node, .attempt = node->attempts, .reason = {FAILURE_LOST}, .again = true};
        return true;
    }
    default:
        return false;
    }
}

bool placeholder_after(const struct event *before, struct event *placeholder)
{
    *placeholder = (struct event){.time = before->time};
    if (before->kind != EVENT_NODE)
        return false;
    lost_pruned(before->as.node.node, placeholder);
    return true;
}

int placeholder_detach(const struct session_state *state, struct event *event, bool *changed, struct error *error)
{
    *changed = false;
    if (event->kind == EVENT_KNOWN && (is_placeholder(session_node(state, event->as.known.parent)) ||
                                       is_placeholder(session_node(state, event->as.known.node))))
        return error_set(error, "event %lld (known): its network is lost", (long long)event->number);
    if (event->kind == EVENT_NODE && is_placeholder(session_node(state, event->as.node.parent))) {
        struct event_proposal *node = &event->as.node;
        event_field_done(EVENT_FIELD_TEXTS, &node->actions);
        event_field_done(EVENT_FIELD_INTEGERS, &node->steps);
        event_field_done(EVENT_FIELD_REALS, &node->probabilities);
        node->log_probability = node->entropy = 0;
        node->parent = node->proposal = 0;
        *changed = true;
    }
    return 0;
}

bool placeholder_end(const struct session_state *state, int64_t *number, struct event *placeholder)
{
    *placeholder = (struct event){.time = state->time};
    for (int64_t i = (*number)++; i <= state->node_count; i = (*number)++) {
        const struct session_node *node = session_node(state, i), *parent = session_node(state, node->facts.parent);
        bool waits = node->status == NODE_QUEUED || node->status == NODE_RUNNING;
        if (waits && !node->pruned && parent && parent->status != NODE_DONE) {
            lost_pruned(i, placeholder);
            return true;
        }
    }
    return false;
}
