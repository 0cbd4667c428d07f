/* event_line.c - one sentence for each kind of event that has one. */
#include "tui/event_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tui/node.h"
#include "tui/rounds.h"

__attribute__((format(printf, 4, 5))) static bool set(struct event_line *line, enum style style, const char *word,
                                                      const char *format, ...)
{
    va_list list;
    *line = (struct event_line){.style = style, .word = word};
    va_start(list, format);
    vsnprintf(line->text, sizeof line->text, format, list);
    va_end(list);
    return true;
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

static const char *colon_before(const char *text)
{
    return text && *text ? ": " : "";
}

static const char *text_of(const char *text)
{
    return text ? text : "";
}

/* How the network grew, shortened when it is longer than a log line. */
static const char *edge_of(const struct session_state *state, const struct session_node *node, char buffer[160])
{
    struct text text = TEXT_EMPTY;
    node_edge(state, node, true, 48, &text);
    snprintf(buffer, 160, "%s", text_string(&text));
    text_done(&text);
    return buffer;
}

static bool session_line(const struct session_state *state, const struct event_session *session,
                         struct event_line *line)
{
    const char *policy = session_option(state, "policy");
    return set(line, STYLE_NORMAL, "session", "%s: %lld training and %lld validation images, seed %lld, policy %s",
               session->data, (long long)session->train_images, (long long)session->validation_images,
               (long long)session->seed, policy ? policy : "unknown");
}

/* The policy's networks and their controls are seen in the tree. */
static bool node_line(const struct session_state *state, const struct event_proposal *facts, struct event_line *line)
{
    const struct session_node *node = session_node(state, facts->node);
    char edge[160];
    if (facts->by.value == AUTHOR_BASELINE)
        return set(line, STYLE_TITLE, "phase", "baseline n%lld: a network that nothing grew, from scratch",
                   (long long)facts->node);
    if (facts->by.value == AUTHOR_RETRAIN)
        return set(line, STYLE_TITLE, "phase", "retrain n%lld: the architecture of n%lld, from scratch",
                   (long long)facts->node, (long long)facts->parent);
    if (facts->by.value == AUTHOR_FINISH)
        return set(line, STYLE_TITLE, "phase", "finish n%lld: the final training of n%lld", (long long)facts->node,
                   (long long)facts->parent);
    return node && node_is_users(node) &&
           set(line, STYLE_USER, "you", "n%lld from n%lld: %s", (long long)facts->node, (long long)facts->parent,
               edge_of(state, node, edge));
}

/* Was it the best network when its result came?  The state knows the best of its own time only. */
static bool became_best(const struct session_state *state, const struct session_node *node, double time)
{
    if (state->time == time)
        return state->best == node->facts.node;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *other = session_node(state, i);
        if (other != node && other->status == NODE_DONE && other->ended <= time && other->accuracy >= node->accuracy)
            return false;
    }
    return true;
}

static bool result_line(const struct session_state *state, double time, const struct event_result *result,
                        struct event_line *line)
{
    const struct session_node *node = session_node(state, result->node);
    char edge[160], gain[64] = "";
    double value;
    int64_t over;
    if (!node)
        return false;
    if (session_gain(state, result->node, &value, &over)) {
        struct text text = TEXT_EMPTY;
        node_add_over(state, over, &text);
        snprintf(gain, sizeof gain, " %+.2f%s", 100 * value, text_string(&text));
        text_done(&text);
    }
    if (result->stopped && *result->stopped)
        return set(line, STYLE_DIM, "stop", "n%lld %.2f%%%s, %.2f%% predicted: %s", (long long)result->node,
                   100 * result->accuracy, gain, 100 * result->predicted, result->stopped);
    bool best = became_best(state, node, time);
    return set(line, best ? STYLE_BEST : STYLE_NORMAL, best ? "best" : "done", "n%lld %.2f%%%s: %s",
               (long long)result->node, 100 * result->accuracy, gain, edge_of(state, node, edge));
}

static bool failed_line(const struct event_failed *failed, struct event_line *line)
{
    bool cancelled = failed->reason.value == FAILURE_CANCELLED;
    return set(line, cancelled ? STYLE_DIM : STYLE_FAILED, cancelled ? "cancel" : "fail", "n%lld %s%s%s%s",
               (long long)failed->node, failure_name(&failed->reason), colon_before(failed->message),
               text_of(failed->message), failed->again ? "; it will be tried again" : "");
}

static bool policy_line(const struct event_policy *policy, struct event_line *line)
{
    char asked[40] = "";
    if (policy->asked.count)
        snprintf(asked, sizeof asked, " and %d of yours", policy->asked.count);
    if (!policy->networks && !policy->asked.count)
        return set(line, STYLE_TITLE, "policy", "episode %lld: no new network of the policy, nothing to learn from",
                   (long long)policy->episode);
    return set(line, STYLE_TITLE, "policy", "episode %lld learned: mean %.2f%%, best %.2f%% of %lld%s, entropy %.2f",
               (long long)policy->episode, 100 * policy->accuracy_mean, 100 * policy->accuracy_best,
               (long long)policy->networks, asked, policy->entropy);
}

static bool command_line(const struct event_command *command, struct event_line *line)
{
    bool user = command->by.value == AUTHOR_USER;
    return set(line, command->refused ? STYLE_WARNING : STYLE_USER, user ? "you" : "asked", "%s%s%s%s", command->words,
               colon_before(command->answer), command->refused ? "no: " : "", text_of(command->answer));
}

static bool budget_line(const struct event_budget *budget, struct event_line *line)
{
    char episodes[40] = "", networks[40] = "", seconds[40] = "", flops[40] = "", number[TEXT_SHORT];
    if (budget->episodes)
        snprintf(episodes, sizeof episodes, " %lld episode%s", (long long)budget->episodes, plural(budget->episodes));
    if (budget->networks)
        snprintf(networks, sizeof networks, " %lld network%s", (long long)budget->networks, plural(budget->networks));
    if (budget->seconds > 0)
        snprintf(seconds, sizeof seconds, " %s", text_duration(number, budget->seconds));
    if (budget->flops > 0)
        snprintf(flops, sizeof flops, " %s FLOPs", text_count(number, budget->flops));
    return set(line, STYLE_NORMAL, "budget", "now%s%s%s%s", episodes, networks, seconds,
               *seconds || *networks || *episodes || *flops ? flops : " without limit");
}

static bool changed_line(const struct event_changed *changed, struct event_line *line)
{
    struct text text = TEXT_EMPTY;
    for (int i = 0; i < changed->options.count; i++)
        text_add(&text, "%s%s", i ? ", " : "", changed->options.items[i]);
    set(line, STYLE_NORMAL, "change", "from now on %s", text_string(&text));
    text_done(&text);
    return true;
}

/* Of the devices of a host: how many are there, and how many are not. */
static void count_host(const struct session_state *state, const char *host, int *there, int *gone)
{
    *there = *gone = 0;
    for (int i = 0; i < state->device_count; i++) {
        bool present = device_is_present(&state->devices[i]);
        if (strcmp(state->devices[i].host, host) != 0)
            continue;
        *there += present;
        *gone += !present;
    }
}

/* One line for a host, which is of its first device. */
static bool joined_line(const struct session_state *state, const struct event_joined *joined, struct event_line *line)
{
    struct text text = TEXT_EMPTY;
    int there, gone;
    count_host(state, text_of(joined->host), &there, &gone);
    if (there == 1)
        set(line, STYLE_NORMAL, "joined", "%s%s%s", joined->device, colon_before(joined->name), text_of(joined->name));
    else if (session_devices_present(state) == DEVICES_FEW + 1) { /* it joined before, but this changes the search */
        trainers_add(state, &text);
        set(line, STYLE_NORMAL, "joined", "%s: %d trainers%s%s", joined->device, DEVICES_FEW + 1,
            text.length ? "; from now on " : "", text_string(&text));
    }
    bool is_line = there == 1 || session_devices_present(state) == DEVICES_FEW + 1;
    text_done(&text);
    return is_line;
}

/* A host that is lost with many devices has a line for the first of them, and one for all. */
enum { LINES_OF_HOST = 4 };

static bool lost_line(const struct session_state *state, const struct event_lost *lost, struct event_line *line)
{
    const struct session_device *device = session_device(state, text_of(lost->device));
    const char *host = device ? device->host : "", *word = lost->left ? "left" : "lost";
    enum style style = lost->left ? STYLE_DIM : STYLE_FAILED;
    int there = 1, gone = 1;
    if (host[0])
        count_host(state, host, &there, &gone);
    if (there && gone > LINES_OF_HOST)
        return false;
    if (there || gone == 1)
        return set(line, style, word, "%s%s%s", lost->device, colon_before(lost->message), text_of(lost->message));
    return set(line, style, word, "%s, with all of its %d devices%s%s", host, gone, colon_before(lost->message),
               text_of(lost->message));
}

bool event_line(const struct session_state *state, const struct event *event, struct event_line *line)
{
    switch (event->kind) {
    case EVENT_SESSION:
        return session_line(state, &event->as.session, line);
    case EVENT_OPENED:
        return set(line, STYLE_NORMAL, state->opened_count > 1 ? "resume" : "open", "%s on %s, process %lld",
                   event->as.opened.program, event->as.opened.host, (long long)event->as.opened.process);
    case EVENT_NODE:
        return node_line(state, &event->as.node, line);
    case EVENT_REFUSED:
        return set(line, STYLE_DIM, "refuse", "a proposal on n%lld: %s", (long long)event->as.refused.parent,
                   event->as.refused.reason);
    case EVENT_RESULT:
        return result_line(state, event->time, &event->as.result, line);
    case EVENT_FAILED:
        return failed_line(&event->as.failed, line);
    case EVENT_LOST:
        return lost_line(state, &event->as.lost, line);
    case EVENT_JOINED:
        return joined_line(state, &event->as.joined, line);
    case EVENT_WARNED:
        return set(line, STYLE_WARNING, "warning", "%s", text_of(event->as.warned.message));
    case EVENT_POLICY:
        return policy_line(&event->as.policy, line);
    case EVENT_COMMAND:
        return command_line(&event->as.command, line);
    case EVENT_BUDGET:
        return budget_line(&event->as.budget, line);
    case EVENT_SETTINGS:
        return set(line, STYLE_NORMAL, "train", "%lld epoch%s from rate %g, for networks that start from now on",
                   (long long)event->as.settings.epochs, plural(event->as.settings.epochs), event->as.settings.rate);
    case EVENT_DROPPED:
        return set(line, STYLE_DIM, "drop", "the weights of %d network%s are not kept", event->as.dropped.nodes.count,
                   plural(event->as.dropped.nodes.count));
    case EVENT_CHANGED:
        return changed_line(&event->as.changed, line);
    case EVENT_TEST:
        return set(line, STYLE_BEST, "test", "n%lld %.2f%% of %lld test images, loss %.4f",
                   (long long)event->as.test.node, 100 * event->as.test.accuracy, (long long)event->as.test.images,
                   event->as.test.loss);
    case EVENT_FINISHED:
        return set(line, STYLE_WARNING, "end", "%s%s%s", finish_name(&event->as.finished.reason),
                   colon_before(event->as.finished.message), text_of(event->as.finished.message));
    default:
        return false;
    }
}
