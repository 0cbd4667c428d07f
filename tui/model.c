/*
 * model.c - folds events into the session's state and into what only the screens need.
 *
 * The tree's rows are only marked stale here; tree.c rebuilds them when they are drawn.
 */
#include "tui/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"
#include "util/print.h"

static const double message_seconds = 6, glance_seconds = 0.4;

void model_init(struct model *model, enum model_mode mode, const char *session_name)
{
    *model = (struct model){.mode = mode, .follow = true, .followed = -1, .replay.speed = 1};
    model_networks_changed(model);
    model->state = session_state_new();
    model->session_name = memory_copy_text(session_name ? session_name : "");
}

static void forget_sent(struct model *model, int index)
{
    free(model->sent[index]);
    memmove(model->sent + index, model->sent + index + 1, sizeof *model->sent * (size_t)(--model->sent_count - index));
}

void model_done(struct model *model)
{
    log_clear(&model->log);
    session_state_free(model->state);
    devices_done(&model->devices);
    tree_done(&model->tree);
    board_done(&model->board);
    trade_done(&model->trade);
    progress_view_done(&model->progress);
    policy_map_done(&model->heat.map);
    free(model->replay.marks);
    free(model->own);
    while (model->sent_count)
        forget_sent(model, 0);
    free(model->session_name);
    *model = (struct model){0};
}

void model_networks_changed(struct model *model)
{
    model->tree.stale = model->tree.matches_stale = true;
    model->board.stale = model->trade.stale = model->progress.stale = model->heat.stale = true;
}

void model_say(struct model *model, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(model->message, sizeof model->message, format, list);
    va_end(list);
    bool fast = model->replay.playing && model->replay.speed > 1;
    model->message_until = model->now + message_seconds * (fast ? model->replay.speed : 1);
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
        tree_fold(model, above->facts.node, false);
}

/* Keep the selection until its training ends, then select the network that started last; after the search the finished
   one, or the best. */
static void follow(struct model *model)
{
    if (!model->selected && model->state->node_count)
        model->selected = 1;
    if (!model->follow || in_training(model, model->selected))
        return;
    int64_t finished = model->state->test.node ? model->state->test.node : model->state->best;
    int64_t newest = model->state->finished ? finished : 0;
    for (int i = 0; i < model->state->device_count; i++) {
        int64_t node = model->state->devices[i].node;
        if (node &&
            (!newest || session_node(model->state, node)->started > session_node(model->state, newest)->started))
            newest = node;
    }
    if (newest && newest != model->selected) {
        model->selected = newest;
        model->followed = model->now;
        unfold_above(model, newest);
    }
}

bool model_may_act(struct model *model)
{
    bool moved = model->follow && model->followed >= 0 && model->now - model->followed < glance_seconds;
    model->follow = false;
    model->followed = -1;
    if (moved)
        model_say(model, "following has just gone to n%lld, and stays there: press again if it is meant",
                  (long long)model->selected);
    return !moved;
}

/* --- folding events --- */

static bool changes_rows(enum event_kind kind)
{
    return kind == EVENT_NODE || kind == EVENT_RESULT || kind == EVENT_FAILED || kind == EVENT_PRUNED ||
           kind == EVENT_PINNED || kind == EVENT_NOTED;
}

void model_recall(struct model *model, const struct event *event)
{
    devices_keep(&model->devices, model->state);
    if (event->kind == EVENT_SAMPLE)
        devices_add(&model->devices, model->state, &event->as.sample);
    else
        log_add(&model->log, model->state, event);
    if (event->kind == EVENT_JOINED)
        devices_join(&model->devices, model->state, &event->as.joined);
}

/* --- who asked --- */

void model_sent(struct model *model, const char *words)
{
    struct text visible = TEXT_EMPTY;
    print_add(&visible, words); /* as the engine logs them */
    if (model->sent_count == SENT_MAX)
        forget_sent(model, 0);
    model->sent[model->sent_count++] = text_take(&visible);
}

/* Was it asked at this terminal?  Commands are answered in their order, but others ask too.  What was sent before it and
   has no answer never gets one. */
static bool take_sent(struct model *model, const char *words)
{
    for (int i = 0; i < model->sent_count; i++)
        if (!strcmp(model->sent[i], words)) {
            for (; i >= 0; i--)
                forget_sent(model, 0);
            return true;
        }
    return false;
}

/* A command, or a network that a person grew, of another terminal or of before this one was there: the log's newest line
   doesn't say "you". */
static void name_person(struct model *model, const struct event *event)
{
    struct log_line *line = model->log.count ? &model->log.lines[model->log.count - 1] : NULL;
    if (event->kind == EVENT_COMMAND)
        model->others = !take_sent(model, event->as.command.words ? event->as.command.words : "");
    if (event->kind == EVENT_COMMAND && !model->others) {
        model->own = memory_grow(model->own, model->own_count, &model->own_capacity, sizeof *model->own);
        model->own[model->own_count++] = event->number;
    }
    if ((event->kind == EVENT_COMMAND || event->kind == EVENT_NODE) && model->others && line &&
        !strcmp(line->word, "you"))
        line->word = "person";
}

/* The command's answer.  What was logged before this terminal was there, and the budget that a resume asks for before it
   trains anything, are not from another terminal. */
static void say_answer(struct model *model, const struct event_command *command)
{
    bool elsewhere = model->others && model->caught_up && !model->opening;
    model_say(model, "%s%s: %s", elsewhere ? "another terminal: " : "", command->words,
              command->answer && *command->answer ? command->answer : "done");
}

void model_apply(struct model *model, const struct event *event)
{
    struct error error;
    if (session_apply(model->state, event, &error)) {
        log_add_text(&model->log, event->time, STYLE_WARNING, "damage", error.text);
        return;
    }
    if (event->time > model->now)
        model->now = event->time;
    model_recall(model, event);
    if (model->mode != MODE_REPLAY && event_author(event) == AUTHOR_USER)
        name_person(model, event);
    if (changes_rows(event->kind))
        model_networks_changed(model);
    if (event->kind == EVENT_OPENED || event->kind == EVENT_STARTED)
        model->opening = event->kind == EVENT_OPENED;
    if (event->kind == EVENT_STARTED || event->kind == EVENT_NODE || event->kind == EVENT_FINISHED)
        follow(model);
    if (event->kind == EVENT_COMMAND && model->mode != MODE_REPLAY)
        say_answer(model, &event->as.command);
}

bool model_asked(const struct model *model, int64_t command)
{
    for (size_t i = model->own_count; i > 0; i--)
        if (model->own[i - 1] == command)
            return true;
    return false;
}

bool model_has_died(const struct model *model)
{
    return model->ended && model->mode != MODE_REPLAY && !model->state->finished;
}

void model_end(struct model *model)
{
    model->ended = true;
    if (!model_has_died(model))
        return;
    session_release(model->state);
    log_add_text(&model->log, model->state->time, STYLE_FAILED, "died",
                 "its process has died; what was in training is in the queue");
}

void model_replace(struct model *model, struct session_state *state)
{
    session_state_free(model->state);
    policy_map_done(&model->heat.map);
    model->state = state;
    model->now = state->time;
    model_networks_changed(model);
    log_clear(&model->log);
    devices_clear(&model->devices);
    devices_keep(&model->devices, state);
    if (model->selected > state->node_count)
        model->selected = state->node_count;
    for (int i = 0; i < 2; i++)
        if (model->marked[i] > state->node_count) {
            model->marked[i] = 0;
            model->comparing = false;
        }
    follow(model);
}
