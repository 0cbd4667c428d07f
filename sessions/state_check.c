/*
 * state_check.c - the first half of the reducer: does an event follow from the state?
 *
 * session_accepts() changes nothing; session_apply() asks it first and can't fail after that.  An event is refused
 * when it would leave a state that no search can have: numbers that go back, a network that never joined, a result
 * of a network that is not in training, arrays of one decision with different lengths.  What is refused here is
 * what the rest of the program need not check again.
 *
 * Numbers may jump (a newer program's durable events are skipped by this one); the log's reader sees all frames and
 * checks that none is missing.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "sessions/state_internal.h"
#include "util/bug.h"

#define REFUSE(...) return error_set(error, __VA_ARGS__)

static int needs_node(const struct session_state *state, int64_t node, struct error *error)
{
    if (!session_node(state, node))
        REFUSE("there is no network %lld", (long long)node);
    return 0;
}

static int needs_running(const struct session_state *state, int64_t node, struct error *error)
{
    if (needs_node(state, node, error))
        return -1;
    if (session_node(state, node)->status != NODE_RUNNING)
        REFUSE("network %lld is not in training", (long long)node);
    return 0;
}

/* `ids`: those that an event names, which may be new. */
static int accepts_devices(const struct session_state *state, char *const *ids, int count, struct error *error)
{
    int devices = state->device_count;
    for (int i = 0; i < count; i++)
        devices += ids[i] && !state_device(state, ids[i]);
    if (devices > SESSION_DEVICES_MAX && devices > state->device_count &&
        devices - state_devices_to_forget(state) > SESSION_DEVICES_MAX)
        REFUSE("a session has at most %d devices", SESSION_DEVICES_MAX);
    return 0;
}

static int accepts_session(const struct session_state *state, const struct event_session *session, struct error *error)
{
    if (state->event_count)
        REFUSE("the session begins a second time");
    if (session->format < 1)
        REFUSE("format %lld is not one", (long long)session->format);
    return accepts_devices(state, session->devices.items, session->devices.count, error);
}

/* Proposals are numbered from 1 without gaps; 0: no policy made it.  Its arrays are parallel. */
static int accepts_proposal(const struct session_state *state, enum event_kind kind, const struct event_proposal *facts,
                            struct error *error)
{
    int probabilities = kind == EVENT_REFUSED ? facts->actions.count : facts->probabilities.count;
    if (kind == EVENT_NODE && facts->node != state->node_count + 1)
        REFUSE("network %lld follows network %lld", (long long)facts->node, (long long)state->node_count);
    if ((kind == EVENT_KNOWN && needs_node(state, facts->node, error)) ||
        ((kind != EVENT_NODE || facts->parent) && needs_node(state, facts->parent, error)))
        return -1;
    if (facts->proposal && facts->proposal != state->proposal_count + 1)
        REFUSE("proposal %lld follows proposal %lld", (long long)facts->proposal, (long long)state->proposal_count);
    if (facts->steps.count != facts->actions.count || probabilities != facts->actions.count)
        REFUSE("%d actions have %d steps and %d probabilities", facts->actions.count, facts->steps.count,
               probabilities);
    return 0;
}

static int accepts_started(const struct session_state *state, const struct event_started *started, struct error *error)
{
    if (needs_node(state, started->node, error))
        return -1;
    if (session_node(state, started->node)->status != NODE_QUEUED)
        REFUSE("network %lld starts, but it is not in the queue", (long long)started->node);
    if (started->attempt < 1 || started->attempt > INT_MAX || started->epochs < 0 || started->epochs > INT_MAX)
        REFUSE("network %lld starts attempt %lld of %lld epochs", (long long)started->node, (long long)started->attempt,
               (long long)started->epochs);
    if (started->epochs_done < 0 || started->epochs_done > session_node(state, started->node)->curve_count)
        REFUSE("network %lld goes on after epoch %lld, and has %d", (long long)started->node,
               (long long)started->epochs_done, session_node(state, started->node)->curve_count);
    return accepts_devices(state, &started->device, 1, error);
}

static int accepts_epoch(const struct session_state *state, const struct event_epoch *epoch, struct error *error)
{
    if (needs_running(state, epoch->node, error))
        return -1;
    int curve = session_node(state, epoch->node)->curve_count;
    if (epoch->epoch != curve + 1 || curve == INT_MAX)
        REFUSE("epoch %lld of network %lld follows epoch %d", (long long)epoch->epoch, (long long)epoch->node, curve);
    if (epoch->epochs < 0 || epoch->epochs > INT_MAX)
        REFUSE("network %lld has %lld epochs", (long long)epoch->node, (long long)epoch->epochs);
    return 0;
}

/* A file that an event names lies in a known folder of the session: its name must not lead out of it. */
static int accepts_file(const char *name, struct error *error)
{
    if (name && (strchr(name, '/') || name[0] == '.'))
        REFUSE("\"%s\" is not the name of a file in the session's folder", name);
    return 0;
}

static int accepts_result(const struct session_state *state, const struct event_result *result, struct error *error)
{
    if (needs_running(state, result->node, error))
        return -1;
    return accepts_file(result->weights, error);
}

static int accepts_failed(const struct session_state *state, const struct event_failed *failed, struct error *error)
{
    if (needs_node(state, failed->node, error))
        return -1;
    enum node_status status = session_node(state, failed->node)->status;
    if (status != NODE_RUNNING && status != NODE_QUEUED)
        REFUSE("network %lld fails, but it is neither in training nor in the queue", (long long)failed->node);
    return 0;
}

static int accepts_pruned(const struct session_state *state, const struct event_pruned *pruned, struct error *error)
{
    if (needs_node(state, pruned->node, error))
        return -1;
    if (!pruned->back)
        return 0;
    const struct session_node *node = session_node(state, pruned->node), *parent = session_node(state, node->facts.parent);
    if (node->pruned_with != pruned->node)
        REFUSE("the pruning of network %lld is taken back, which was not pruned", (long long)pruned->node);
    if (parent && parent->pruned)
        REFUSE("the pruning of network %lld is taken back, whose parent is pruned", (long long)pruned->node);
    if (state->unpruned_count == SESSION_UNPRUNED_MAX)
        REFUSE("a session takes back at most %d prunings", SESSION_UNPRUNED_MAX);
    return 0;
}

static int accepts_policy(const struct session_state *state, const struct event_policy *policy, struct error *error)
{
    if (policy->update != state->policy_count + 1)
        REFUSE("update %lld of the policy follows update %lld", (long long)policy->update,
               (long long)state->policy_count);
    for (int i = 0; i < policy->asked.count; i++)
        if (needs_node(state, policy->asked.items[i], error))
            return -1;
    for (int i = 0; i < policy->proposals.count; i++)
        if (policy->proposals.items[i] < 1 || policy->proposals.items[i] > state->proposal_count)
            REFUSE("there is no proposal %lld", (long long)policy->proposals.items[i]);
    return accepts_file(policy->state, error);
}

static int accepts_settings(const struct event_settings *settings, struct error *error)
{
    if (settings->epochs < 1 || settings->epochs > INT_MAX)
        REFUSE("networks can't train %lld epochs", (long long)settings->epochs);
    if (!isfinite(settings->rate) || settings->rate < 0)
        REFUSE("networks can't train at rate %g", settings->rate);
    return 0;
}

static int accepts_test(const struct session_state *state, const struct event_test *test, struct error *error)
{
    if (needs_node(state, test->node, error))
        return -1;
    enum node_status status = session_node(state, test->node)->status;
    if (status != NODE_DONE && status != NODE_RUNNING)
        REFUSE("network %lld is tested, but it is not trained", (long long)test->node);
    return 0;
}

static int accepts_changed(const struct session_state *state, const struct event_changed *changed, struct error *error)
{
    for (int i = 0; i < changed->options.count; i++)
        if (strcspn(changed->options.items[i], "=") == 0 || !strchr(changed->options.items[i], '='))
            REFUSE("\"%.100s\" is not an option and its value", changed->options.items[i]);
    if (state->changed.count + changed->options.count > SESSION_CHANGED_MAX)
        REFUSE("a session changes at most %d options", SESSION_CHANGED_MAX);
    return 0;
}

static int accepts_dropped(const struct session_state *state, const struct event_dropped *dropped, struct error *error)
{
    for (int i = 0; i < dropped->nodes.count; i++) {
        if (needs_node(state, dropped->nodes.items[i], error))
            return -1;
        if (session_node(state, dropped->nodes.items[i])->status != NODE_DONE)
            REFUSE("network %lld has no weights to drop", (long long)dropped->nodes.items[i]);
    }
    return 0;
}

static int accepts_kind(const struct session_state *state, const struct event *event, struct error *error)
{
    switch (event->kind) {
    case EVENT_SESSION:
        return accepts_session(state, &event->as.session, error);
    case EVENT_NODE:
    case EVENT_KNOWN:
    case EVENT_REFUSED:
        return accepts_proposal(state, event->kind, &event->as.node, error);
    case EVENT_STARTED:
        return accepts_started(state, &event->as.started, error);
    case EVENT_EPOCH:
        return accepts_epoch(state, &event->as.epoch, error);
    case EVENT_RESULT:
        return accepts_result(state, &event->as.result, error);
    case EVENT_FAILED:
        return accepts_failed(state, &event->as.failed, error);
    case EVENT_POLICY:
        return accepts_policy(state, &event->as.policy, error);
    case EVENT_PINNED:
        return needs_node(state, event->as.pinned.node, error);
    case EVENT_PRUNED:
        return accepts_pruned(state, &event->as.pruned, error);
    case EVENT_NOTED:
        return needs_node(state, event->as.noted.node, error);
    case EVENT_SETTINGS:
        return accepts_settings(&event->as.settings, error);
    case EVENT_TEST:
        return accepts_test(state, &event->as.test, error);
    case EVENT_DROPPED:
        return accepts_dropped(state, &event->as.dropped, error);
    case EVENT_CHANGED:
        return accepts_changed(state, &event->as.changed, error);
    case EVENT_STEP: /* a late one, of a network that has ended, is harmless */
        return needs_node(state, event->as.step.node, error);
    case EVENT_OPENED:
        return accepts_devices(state, event->as.opened.devices.items, event->as.opened.devices.count, error);
    case EVENT_JOINED:
        return accepts_devices(state, &event->as.joined.device, 1, error);
    case EVENT_LOST:
        return accepts_devices(state, &event->as.lost.device, 1, error);
    case EVENT_SAMPLE:
        return accepts_devices(state, &event->as.sample.device, 1, error);
    case EVENT_COMMAND:
    case EVENT_PAUSED:
    case EVENT_WARNED:
    case EVENT_BUDGET:
    case EVENT_FINISHED:
        return 0;
    case EVENT_KIND_COUNT:
        break;
    }
    BUG("an event without a kind");
}

int session_accepts(const struct session_state *state, const struct event *event, struct error *error)
{
    bool durable = event_is_durable(event->kind);
    int result;
    if (!state->event_count && event->kind != EVENT_SESSION)
        result = error_set(error, "it comes before the session's first event");
    else if (durable ? event->number <= state->last_number : event->number < state->last_number)
        result = error_set(error, "it follows event %lld", (long long)state->last_number);
    else if (!isfinite(event->time) || event->time < state->time)
        result = error_set(error, "its time %g comes before %g", event->time, state->time);
    else
        result = accepts_kind(state, event, error);
    return result ? error_prefix(error, "event %lld (%s)", (long long)event->number, event_kind_name(event->kind)) : 0;
}
