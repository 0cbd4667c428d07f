/*
 * model.c - events into what the screen shows: the state by its reducer; beside it device histories, log lines, the
 * selection.
 *
 * What is kept here beside the state is all for the eye: leaving it out changes nothing that is known.  Texts in log
 * lines are the model's own.  Rows of the tree are marked stale here and made anew in tree.c when they are drawn.
 */
#include "tui/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/node.h"
#include "util/memory.h"

static const double message_seconds = 6;

void model_init(struct model *model, enum model_mode mode, const char *session_name)
{
    *model = (struct model){.mode = mode, .follow = true, .rows_stale = true, .speed = 1};
    model->state = session_state_new();
    model->session_name = memory_copy_text(session_name ? session_name : "");
    model->log = memory_new(LOG_LINES, sizeof *model->log);
}

static void clear_log(struct model *model)
{
    for (int i = 0; i < model->log_count; i++)
        free(model->log[i].text);
    model->log_count = model->log_top = 0;
}

void model_done(struct model *model)
{
    clear_log(model);
    session_state_free(model->state);
    free(model->log);
    free(model->histories);
    free(model->folded);
    free(model->rows);
    free(model->marks);
    free(model->session_name);
    *model = (struct model){0};
}

void model_say(struct model *model, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(model->message, sizeof model->message, format, list);
    va_end(list);
    model->message_until = model->now + message_seconds * (model->playing && model->speed > 1 ? model->speed : 1);
}

/* --- the log's lines --- */

__attribute__((format(printf, 5, 6))) static void add_line(struct model *model, double time, enum style style,
                                                           const char *word, const char *format, ...)
{
    char text[400];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (model->log_count == LOG_LINES) {
        free(model->log[0].text);
        memmove(model->log, model->log + 1, sizeof *model->log * (LOG_LINES - 1));
        model->log_count--;
    }
    struct log_line *line = &model->log[model->log_count++];
    *line = (struct log_line){.time = time, .style = style, .text = memory_copy_text(text)};
    snprintf(line->word, sizeof line->word, "%s", word);
    if (model->log_top) /* who has scrolled back keeps what he reads */
        model->log_top++;
}

/* An edge for the log, whatever its length; canvas_text cuts it. */
static const char *edge_of(const struct model *model, const struct session_node *node, char buffer[160])
{
    struct text text = TEXT_EMPTY;
    node_edge(model, node, true, 48, &text);
    snprintf(buffer, 160, "%s", text_string(&text));
    text_done(&text);
    return buffer;
}

static void log_session(struct model *model, double time, const struct event_session *session)
{
    add_line(model, time, STYLE_NORMAL, "session", "%s: %lld training and %lld validation images, seed %lld, policy %s",
             session->data, (long long)session->train_images, (long long)session->validation_images,
             (long long)session->seed,
             session_option(model->state, "policy") ? session_option(model->state, "policy") : "unknown");
}

static void log_opened(struct model *model, double time, const struct event_opened *opened)
{
    add_line(model, time, STYLE_NORMAL, model->state->opened_count > 1 ? "resume" : "open", "%s on %s, process %lld",
             opened->program, opened->host, (long long)opened->process);
}

static void log_node(struct model *model, double time, const struct event_proposal *facts)
{
    const struct session_node *node = session_node(model->state, facts->node);
    char edge[160];
    if (!node || !node_is_users(node))
        return; /* the policy's show in the tree as they come */
    add_line(model, time, STYLE_USER, "you", "n%lld from n%lld: %s", (long long)facts->node, (long long)facts->parent,
             edge_of(model, node, edge));
}

/* Was it the best when its result came?  The state says so only of the present one. */
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

static void log_result(struct model *model, double time, const struct event_result *result)
{
    const struct session_node *node = session_node(model->state, result->node);
    if (!node)
        return;
    const struct session_node *parent = session_node(model->state, node->facts.parent);
    bool best = became_best(model->state, node, time);
    char edge[160], gain[40] = "";
    if (parent && parent->status == NODE_DONE)
        snprintf(gain, sizeof gain, " %+.2f on n%lld", 100 * (result->accuracy - parent->accuracy),
                 (long long)node->facts.parent);
    if (result->stopped && *result->stopped)
        add_line(model, time, STYLE_DIM, "stop", "n%lld %.2f%%%s, %.2f%% predicted: %s", (long long)result->node,
                 100 * result->accuracy, gain, 100 * result->predicted, result->stopped);
    else
        add_line(model, time, best ? STYLE_BEST : STYLE_NORMAL, best ? "best" : "done", "n%lld %.2f%%%s: %s",
                 (long long)result->node, 100 * result->accuracy, gain, edge_of(model, node, edge));
}

static void log_failed(struct model *model, double time, const struct event_failed *failed)
{
    bool cancelled = failed->reason.value == FAILURE_CANCELLED;
    add_line(model, time, cancelled ? STYLE_DIM : STYLE_FAILED, cancelled ? "cancel" : "fail", "n%lld %s%s%s%s",
             (long long)failed->node, failure_name(&failed->reason), failed->message && *failed->message ? ": " : "",
             failed->message ? failed->message : "", failed->again ? "; it will be tried again" : "");
}

static void log_policy(struct model *model, double time, const struct event_policy *policy)
{
    char yours[40] = "";
    if (policy->asked.count)
        snprintf(yours, sizeof yours, " and %d of yours", policy->asked.count);
    add_line(model, time, STYLE_TITLE, "policy", "episode %lld learned: mean %.2f%%, best %.2f%% of %lld%s, entropy %.2f",
             (long long)policy->episode, 100 * policy->accuracy_mean, 100 * policy->accuracy_best,
             (long long)policy->networks, yours, policy->entropy);
}

static void log_command(struct model *model, double time, const struct event_command *command)
{
    bool user = command->by.value == AUTHOR_USER;
    add_line(model, time, command->refused ? STYLE_WARNING : STYLE_USER, user ? "you" : "asked", "%s%s%s%s",
             command->words, command->answer && *command->answer ? ": " : "", command->refused ? "no: " : "",
             command->answer ? command->answer : "");
}

static void log_budget(struct model *model, double time, const struct event_budget *budget)
{
    char episodes[40] = "", networks[40] = "", seconds[40] = "", duration[TEXT_SHORT];
    if (budget->episodes)
        snprintf(episodes, sizeof episodes, " %lld episodes", (long long)budget->episodes);
    if (budget->networks)
        snprintf(networks, sizeof networks, " %lld networks", (long long)budget->networks);
    if (budget->seconds > 0)
        snprintf(seconds, sizeof seconds, " %s", text_duration(duration, budget->seconds));
    add_line(model, time, STYLE_NORMAL, "budget", "now%s%s%s", episodes, networks,
             *seconds || *networks || *episodes ? seconds : " without limit");
}

static void log_settings(struct model *model, double time, const struct event_settings *settings)
{
    add_line(model, time, STYLE_NORMAL, "train", "%lld epochs from rate %g, for networks that start from now on",
             (long long)settings->epochs, settings->rate);
}

static void log_event(struct model *model, const struct event *event)
{
    double time = event->time;
    switch (event->kind) {
    case EVENT_SESSION:
        log_session(model, time, &event->as.session);
        break;
    case EVENT_OPENED:
        log_opened(model, time, &event->as.opened);
        break;
    case EVENT_NODE:
        log_node(model, time, &event->as.node);
        break;
    case EVENT_REFUSED:
        add_line(model, time, STYLE_DIM, "refuse", "a proposal on n%lld: %s", (long long)event->as.refused.parent,
                 event->as.refused.reason);
        break;
    case EVENT_RESULT:
        log_result(model, time, &event->as.result);
        break;
    case EVENT_FAILED:
        log_failed(model, time, &event->as.failed);
        break;
    case EVENT_LOST:
        add_line(model, time, STYLE_FAILED, "lost", "%s: %s", event->as.lost.device, event->as.lost.message);
        break;
    case EVENT_POLICY:
        log_policy(model, time, &event->as.policy);
        break;
    case EVENT_COMMAND:
        log_command(model, time, &event->as.command);
        break;
    case EVENT_BUDGET:
        log_budget(model, time, &event->as.budget);
        break;
    case EVENT_SETTINGS:
        log_settings(model, time, &event->as.settings);
        break;
    case EVENT_FINISHED:
        add_line(model, time, STYLE_WARNING, "end", "%s%s%s", finish_name(&event->as.finished.reason),
                 event->as.finished.message && *event->as.finished.message ? ": " : "",
                 event->as.finished.message ? event->as.finished.message : "");
        break;
    default:
        break; /* told elsewhere on the screen, or by the command before it */
    }
}

/* --- histories --- */

static void keep_histories(struct model *model)
{
    int count = model->state->device_count;
    if (count <= model->history_count)
        return;
    model->histories = memory_resize(model->histories, (size_t)count, sizeof *model->histories);
    memset(model->histories + model->history_count, 0,
           sizeof *model->histories * (size_t)(count - model->history_count));
    model->history_count = count;
}

static void add_sample(struct model *model, const struct event_sample *sample)
{
    for (int i = 0; i < model->history_count; i++) {
        struct device_history *history = &model->histories[i];
        if (!sample->device || strcmp(model->state->devices[i].id, sample->device))
            continue;
        if (history->count == HISTORY_SAMPLES) {
            memmove(history->utilisation, history->utilisation + 1, sizeof(double) * (HISTORY_SAMPLES - 1));
            history->count--;
        }
        history->utilisation[history->count++] = sample->utilisation;
    }
}

/* --- following --- */

static bool in_training(const struct model *model, int64_t node)
{
    const struct session_node *selected = session_node(model->state, node);
    return selected && selected->status == NODE_RUNNING;
}

static void unfold_above(struct model *model, int64_t node)
{
    const struct session_node *above = session_node(model->state, node);
    while (above && (above = session_node(model->state, above->facts.parent)))
        model_fold(model, above->facts.node, false);
}

/* Stay with a network until it ends, then take the one that started last; after the end the best. */
static void follow(struct model *model)
{
    if (!model->selected && model->state->node_count)
        model->selected = 1;
    if (!model->follow || in_training(model, model->selected))
        return;
    int64_t newest = model->state->finished ? model->state->best : 0;
    for (int i = 0; i < model->state->device_count; i++) {
        int64_t node = model->state->devices[i].node;
        if (node &&
            (!newest || session_node(model->state, node)->started > session_node(model->state, newest)->started))
            newest = node;
    }
    if (newest) {
        model->selected = newest;
        unfold_above(model, newest);
    }
}

/* --- folding events --- */

static bool changes_rows(enum event_kind kind)
{
    return kind == EVENT_NODE || kind == EVENT_RESULT || kind == EVENT_FAILED || kind == EVENT_PRUNED ||
           kind == EVENT_PINNED || kind == EVENT_NOTED;
}

void model_recall(struct model *model, const struct event *event)
{
    keep_histories(model);
    if (event->kind == EVENT_SAMPLE)
        add_sample(model, &event->as.sample);
    else
        log_event(model, event);
}

void model_apply(struct model *model, const struct event *event)
{
    struct error error;
    if (session_apply(model->state, event, &error)) {
        add_line(model, event->time, STYLE_WARNING, "damage", "%s", error.text);
        return;
    }
    if (event->time > model->now)
        model->now = event->time;
    model_recall(model, event);
    if (changes_rows(event->kind))
        model->rows_stale = true;
    if (event->kind == EVENT_STARTED || event->kind == EVENT_NODE || event->kind == EVENT_FINISHED)
        follow(model);
    if (event->kind == EVENT_COMMAND && model->mode != MODE_REPLAY)
        model_say(model, "%s: %s", event->as.command.words,
                  event->as.command.answer && *event->as.command.answer ? event->as.command.answer : "done");
}

void model_replace(struct model *model, struct session_state *state)
{
    session_state_free(model->state);
    model->state = state;
    model->now = state->time;
    model->rows_stale = true;
    clear_log(model);
    if (model->history_count)
        memset(model->histories, 0, sizeof *model->histories * (size_t)model->history_count);
    keep_histories(model);
    if (model->selected > state->node_count)
        model->selected = state->node_count;
    for (int i = 0; i < 2; i++)
        if (model->marked[i] > state->node_count)
            model->marked[i] = 0;
    follow(model);
}
