/*
 * state_steps.c - folds commands and their effects into steps, and finds what takes a step back.
 *
 * The engine writes the effect of a command right behind its COMMAND event, so the next durable event is the effect, or
 * the command had none.  A step keeps what was in force before it, which only this moment knows.  Logs from before the
 * field `undoes` say what an `undo` took back only by its effect.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/state_internal.h"
#include "sessions/steps.h"
#include "util/memory.h"

/* --- the steps of a state --- */

void session_step_release(struct session_step *step)
{
    if (--step->references)
        return;
    free(step->words);
    free(step->note);
    free(step);
}

/* For a change: this state's own. */
static struct session_step *own(struct session_state *state, int64_t index)
{
    struct session_step **step = &state->steps[index], *shared = *step;
    if (shared->references > 1) {
        *step = memory_new(1, sizeof **step);
        **step = *shared;
        (*step)->references = 1;
        (*step)->words = memory_copy_text(shared->words);
        (*step)->note = shared->note ? memory_copy_text(shared->note) : NULL;
        session_step_release(shared);
    }
    return *step;
}

const struct session_step *session_step(const struct session_state *state, int64_t step)
{
    return step >= 1 && step <= state->step_count ? state->steps[step - 1] : NULL;
}

static void mark_undone(struct session_state *state, int64_t index, int64_t command)
{
    if (index >= 0)
        own(state, index)->undone_by = command;
}

/* The step of the COMMAND event with that number, or -1. */
static int64_t index_of(const struct session_state *state, int64_t number)
{
    int64_t low = 0, high = state->step_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (state->steps[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < state->step_count && state->steps[low]->number == number ? low : -1;
}

/* What an old `undo` took back: a pruning, or a network that a person grew. */
static int64_t index_of_effect(const struct session_state *state, const struct event_pruned *facts)
{
    for (int64_t i = state->step_count - 1; i >= 0; i--) {
        const struct session_step *step = state->steps[i];
        if (!step->undone_by && step->node == facts->node && step->effect == (facts->back ? EVENT_PRUNED : EVENT_NODE))
            return i;
    }
    return -1;
}

static bool is_undo(const char *words)
{
    return words && !strncmp(words, "undo", 4) && (!words[4] || words[4] == ' ');
}

static void add_command(struct session_state *state, const struct event *event)
{
    const struct event_command *command = &event->as.command;
    if (command->refused)
        return;
    if (is_undo(command->words)) {
        mark_undone(state, command->undoes ? index_of(state, command->undoes) : -1, event->number);
        state->step_waits = command->undoes ? STEP_NONE : STEP_OLD_UNDO;
        return;
    }
    struct session_step *step = memory_new(1, sizeof *step);
    *step = (struct session_step){.number = event->number,
                                  .time = event->time,
                                  .by = (enum event_author)command->by.value,
                                  .words = memory_copy_text(command->words ? command->words : ""),
                                  .effect = EVENT_COMMAND,
                                  .references = 1};
    state->steps = memory_grow(state->steps, (size_t)state->step_count, &state->step_capacity, sizeof *state->steps);
    state->steps[state->step_count++] = step;
    state->step_waits = STEP_NEW;
}

static void set_change(struct session_step *step, const char *setting, double before, double after)
{
    if (before == after || step->setting)
        return;
    step->setting = setting;
    step->before = before;
    step->after = after;
}

static void add_budget(const struct session_state *state, const struct event_budget *budget, struct session_step *step)
{
    set_change(step, "networks", (double)state->budget_networks, (double)budget->networks);
    set_change(step, "episodes", (double)state->budget_episodes, (double)budget->episodes);
    set_change(step, "seconds", state->budget_seconds, budget->seconds);
    set_change(step, "flops", state->budget_flops, budget->flops);
}

/* `event` is what the step did; the state doesn't have it yet. */
static void add_effect(const struct session_state *state, const struct event *event, struct session_step *step)
{
    step->effect = event->kind;
    switch (event->kind) {
    case EVENT_NODE:
        step->node = event->as.node.node;
        break;
    case EVENT_PRUNED:
        step->node = event->as.pruned.node;
        step->back = event->as.pruned.back;
        break;
    case EVENT_PINNED:
        step->node = event->as.pinned.node;
        step->back = !event->as.pinned.pinned;
        break;
    case EVENT_NOTED: {
        const struct session_node *node = session_node(state, step->node = event->as.noted.node);
        step->note = node->note ? memory_copy_text(node->note) : NULL;
        break;
    }
    case EVENT_BUDGET:
        add_budget(state, &event->as.budget, step);
        break;
    case EVENT_SETTINGS:
        set_change(step, "epochs", (double)state->epochs, (double)event->as.settings.epochs);
        set_change(step, "rate", state->rate, event->as.settings.rate);
        break;
    case EVENT_PAUSED:
        break;
    default:
        step->effect = EVENT_COMMAND;
    }
}

void state_add_step(struct session_state *state, const struct event *event)
{
    enum step_waits waits = state->step_waits;
    if (!event_is_durable(event->kind))
        return;
    state->step_waits = STEP_NONE;
    if (event->kind == EVENT_COMMAND)
        add_command(state, event);
    else if (waits == STEP_NEW && (int)event_author(event) == (int)state->steps[state->step_count - 1]->by)
        add_effect(state, event, own(state, state->step_count - 1));
    else if (waits == STEP_OLD_UNDO && event->kind == EVENT_PRUNED)
        mark_undone(state, index_of_effect(state, &event->as.pruned), event->number - 1);
}

/* --- taking back --- */

/* Did it change something that a command can change back? */
static bool is_reversible(const struct session_step *step)
{
    if (step->effect == EVENT_BUDGET || step->effect == EVENT_SETTINGS)
        return step->setting != NULL;
    return step->effect != EVENT_COMMAND && step->effect != EVENT_PAUSED;
}

int64_t session_step_last(const struct session_state *state, enum event_author by)
{
    for (int64_t i = state->step_count; i > 0; i--)
        if (state->steps[i - 1]->by == by && !state->steps[i - 1]->undone_by && is_reversible(state->steps[i - 1]))
            return i;
    return 0;
}

/* `budget networks +10`: it adds to what is there. */
static bool is_relative(const struct session_step *step)
{
    const char *value = step->effect == EVENT_BUDGET ? strrchr(step->words, ' ') : NULL;
    return value && (value[1] == '+' || value[1] == '-');
}

static bool same_thing(const struct session_step *a, const struct session_step *b)
{
    return a->effect == b->effect && a->node == b->node && a->setting == b->setting;
}

/* The step after it that is in its way, or 0. */
static int64_t step_in_the_way(const struct session_state *state, int64_t number)
{
    const struct session_step *step = session_step(state, number);
    for (int64_t i = number + 1; i <= state->step_count; i++) {
        const struct session_step *later = session_step(state, i);
        if (!later->undone_by && same_thing(step, later) && !(is_relative(step) && is_relative(later)))
            return i;
    }
    return 0;
}

static int reverse_grow(const struct session_node *node, struct text *words, struct error *error)
{
    int64_t number = node->facts.node;
    if (node->pruned)
        return error_set(error, "n%" PRId64 " is pruned", number);
    if (node->status == NODE_DONE)
        return error_set(error, "n%" PRId64 " is trained: `prune %" PRId64 "` gives it up", number, number);
    if (node_has_no_result(node))
        return error_set(error, "n%" PRId64 " has %s", number,
                         node->status == NODE_FAILED ? "failed" : "been cancelled");
    text_add(words, "prune %" PRId64, number);
    return 0;
}

/* A network that was cancelled alone stays so: say how it is asked for again. */
static int reverse_prune(const struct session_node *node, struct text *words, struct error *error)
{
    struct text actions = TEXT_EMPTY;
    int64_t number = node->facts.node;
    int status = 0;
    if (node->pruned_with != number)
        return error_set(error, "n%" PRId64 " isn't pruned any more", number);
    for (int i = 0; i < node->facts.actions.count; i++)
        text_add(&actions, " %s", node->facts.actions.items[i]);
    if (node->status == NODE_CANCELLED && !node->child_count)
        status = error_set(error, "n%" PRId64 " was cancelled, and stays so: `grow %" PRId64 "%s` asks for it again",
                           number, node->facts.parent, text_string(&actions));
    else
        text_add(words, "unprune %" PRId64, number);
    text_done(&actions);
    return status;
}

static double budget_now(const struct session_state *state, const char *name)
{
    return !strcmp(name, "networks")   ? (double)state->budget_networks
           : !strcmp(name, "episodes") ? (double)state->budget_episodes
           : !strcmp(name, "seconds")  ? state->budget_seconds
                                       : state->budget_flops;
}

static int reverse_setting(const struct session_step *step, struct text *words, struct error *error)
{
    if (step->before < (strcmp(step->setting, "epochs") ? 0 : 1))
        return error_set(error, "this log doesn't say what it was before");
    text_add(words, "%s %.15g", step->setting, step->before);
    return 0;
}

/* 0 would be no limit, and a sign a change. */
static int reverse_budget(const struct session_state *state, const struct session_step *step, struct text *words,
                          struct error *error)
{
    double value = step->before;
    if (is_relative(step)) {
        value = budget_now(state, step->setting) - (step->after - step->before);
        if (value <= 0)
            return error_set(error, "later steps have taken more from the budget; `budget %s N` sets one", step->setting);
    }
    text_add(words, "budget %s %.15g", step->setting, value);
    return 0;
}

static int reverse_of(const struct session_state *state, const struct session_step *step, struct text *words,
                      struct error *error)
{
    const struct session_node *node = session_node(state, step->node);
    switch (step->effect) {
    case EVENT_NODE:
        return reverse_grow(node, words, error);
    case EVENT_PRUNED:
        if (!step->back)
            return reverse_prune(node, words, error);
        text_add(words, "prune %" PRId64, step->node);
        return 0;
    case EVENT_PINNED:
        text_add(words, "%s %" PRId64, step->back ? "pin" : "unpin", step->node);
        return 0;
    case EVENT_NOTED:
        text_add(words, "note %" PRId64 " %s", step->node, step->note ? step->note : "");
        return 0;
    case EVENT_BUDGET:
        return reverse_budget(state, step, words, error);
    default:
        return reverse_setting(step, words, error);
    }
}

int session_step_reverse(const struct session_state *state, int64_t number, struct text *words, struct error *error)
{
    const struct session_step *step = session_step(state, number);
    if (!step)
        return error_set(error, "there is no step %" PRId64 "; there are %" PRId64, number, state->step_count);
    if (step->undone_by)
        return error_set(error, "`%s` is taken back already", step->words);
    if (!is_reversible(step))
        return error_set(error, "`%s` changed nothing that can be taken back", step->words);
    int64_t later = step_in_the_way(state, number);
    if (later)
        return error_set(error, "`%s` came after it: take that back first (`undo %" PRId64 "`)",
                         session_step(state, later)->words, later);
    return reverse_of(state, step, words, error);
}

void session_step_describe(const struct session_state *state, int64_t number, struct text *text)
{
    struct text words = TEXT_EMPTY;
    struct error error;
    const struct session_step *step = session_step(state, number);
    if (step->undone_by)
        text_add(text, "taken back");
    else if (is_reversible(step) && session_step_reverse(state, number, &words, &error))
        text_add(text, "%s", error.text);
    else if (is_reversible(step))
        text_add(text, "`%s` takes it back", text_string(&words));
    text_done(&words);
}
