/*
 * progress.c - lines and the bar, from events that were folded just before.  It reads the state of whoever folds (the
 * engine's own, on the engine's thread, or an attached program's) and keeps none but what is on the screen.
 */
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>

#include "arch/lineage.h"
#include "cli/bar.h"
#include "cli/cli.h"
#include "sessions/forecast.h"
#include "util/memory.h"

struct progress {
    FILE *out;
    enum progress_kind kind;
    const struct session_state *state;
    bool unicode;
    double printed; /* event time of the last progress line */
};

static const double seconds_between_lines = 15, seconds_between_bars = 0.2;

static void print_network(struct progress *progress, const struct session_state *state, int64_t number)
{
    const struct session_node *node = session_node(state, number);
    const struct session_node *parent = session_node(state, node->facts.parent);
    struct text how = TEXT_EMPTY;
    char parameters[TEXT_SHORT], seconds[TEXT_SHORT], name[TEXT_SHORT], gain[TEXT_SHORT] = "", from[TEXT_SHORT] = "";
    snprintf(name, sizeof name, "n%lld", (long long)number);
    if (parent) {
        lineage_show(parent->facts.arch, node->facts.actions.items, node->facts.actions.count, progress->unicode, &how);
        snprintf(from, sizeof from, "n%lld", (long long)node->facts.parent);
        snprintf(gain, sizeof gain, "%+.2f", 100 * (node->accuracy - parent->accuracy));
    } else {
        text_add(&how, "start: %s", node->facts.arch);
    }
    fprintf(progress->out, "%-5s %6.2f %% %6s  %-5s %6s %6s  %s%s\n", name, 100 * node->accuracy, gain, from,
            text_count(parameters, (double)node->facts.parameters), text_duration(seconds, node->seconds),
            number == state->best ? (progress->unicode ? "★ " : "^ ") : "", text_string(&how));
    text_done(&how);
    if (node->stopped)
        fprintf(progress->out, "      stopped at %s; %.2f %% predicted\n", node->stopped, 100 * node->predicted);
}

static void print_failure(struct progress *progress, const struct event_failed *failed)
{
    if (failed->reason.value == FAILURE_CANCELLED)
        fprintf(progress->out, "n%-4lld stopped%s\n", (long long)failed->node,
                failed->again ? ": it goes back to the queue" : "");
    else
        fprintf(progress->out, "n%-4lld failed: %s: %s%s\n", (long long)failed->node, failure_name(&failed->reason),
                failed->message, failed->again ? "; it will be tried again" : "");
}

static void print_episode(struct progress *progress, const struct event_policy *policy)
{
    fprintf(progress->out, "episode %lld: ", (long long)policy->episode);
    if (policy->networks)
        fprintf(progress->out, "%lld network%s, mean %.2f %%, best %.2f %%; the controller learned\n",
                (long long)policy->networks, policy->networks == 1 ? "" : "s", 100 * policy->accuracy_mean,
                100 * policy->accuracy_best);
    else
        fprintf(progress->out, "no network came of it; nothing to learn from\n");
}

static void progress_text(const struct progress *progress, const struct session_state *state, struct text *text)
{
    struct forecast forecast = session_forecast(state);
    char left[TEXT_SHORT];
    text_add(text, "%s%3.0f %%  %lld trained", progress->kind == PROGRESS_BAR ? "" : "progress ", 100 * forecast.share,
             (long long)state->status_count[NODE_DONE]);
    if (state->budget_networks > 0)
        text_add(text, " of %lld", (long long)state->budget_networks);
    text_add(text, "  eta %s", forecast.seconds_left < 0 ? "?" : text_duration(left, forecast.seconds_left));
    if (state->best)
        text_add(text, "  best n%lld %.2f %%", (long long)state->best,
                 100 * session_node(state, state->best)->accuracy);
    for (int i = 0; i < state->device_count; i++) {
        const struct session_node *node = session_node(state, state->devices[i].node);
        if (node)
            text_add(text, "  n%lld:%d/%d", (long long)node->facts.node, node->curve_count, node->epochs);
    }
}

static void draw_bar(struct progress *progress, const struct session_state *state)
{
    struct text text = TEXT_EMPTY;
    progress_text(progress, state, &text);
    bar_draw(progress->out, session_forecast(state).share, progress->unicode, text_string(&text));
    text_done(&text);
}

static void clear_bar(const struct progress *progress)
{
    if (progress->kind == PROGRESS_BAR)
        bar_clear(progress->out);
}

void progress_show(struct progress *progress)
{
    struct text text = TEXT_EMPTY;
    if (progress->kind == PROGRESS_BAR) {
        draw_bar(progress, progress->state);
    } else if (progress->kind == PROGRESS_LINES) {
        progress_text(progress, progress->state, &text);
        fprintf(progress->out, "%s\n", text_string(&text));
        fflush(progress->out);
    }
    text_done(&text);
    progress->printed = progress->state->time;
}

static void print_event(struct progress *progress, const struct event *event)
{
    const struct session_state *state = progress->state;
    clear_bar(progress);
    switch (event->kind) {
    case EVENT_RESULT:
        print_network(progress, state, event->as.result.node);
        break;
    case EVENT_FAILED:
        print_failure(progress, &event->as.failed);
        break;
    case EVENT_LOST:
        fprintf(progress->out, "%s is lost: %s\n", event->as.lost.device, event->as.lost.message);
        break;
    case EVENT_POLICY:
        print_episode(progress, &event->as.policy);
        break;
    case EVENT_COMMAND:
        fprintf(progress->out, "%s: %s%s%s\n", author_name(&event->as.command.by), event->as.command.words,
                *event->as.command.answer ? ": " : "", event->as.command.answer);
        break;
    default:
        break;
    }
    if (progress->kind == PROGRESS_BAR || event->time - progress->printed >= seconds_between_lines)
        progress_show(progress);
    fflush(progress->out);
}

void progress_event(void *context, const struct event *event)
{
    struct progress *progress = context;
    if (progress->kind == PROGRESS_JSON) {
        if (!event_is_durable(event->kind))
            return;
        struct text text = TEXT_EMPTY;
        event_print_json(event, &text);
        fprintf(progress->out, "%s\n", text_string(&text));
        fflush(progress->out);
        text_done(&text);
    } else if (event_is_durable(event->kind)) {
        print_event(progress, event);
    } else if (progress->kind == PROGRESS_BAR && event->time - progress->printed >= seconds_between_bars) {
        progress_show(progress);
    }
}

struct progress *progress_new(FILE *out, enum progress_kind kind, const struct session_state *state)
{
    struct progress *progress = memory_new(1, sizeof *progress);
    *progress = (struct progress){.out = out, .kind = kind, .state = state, .unicode = cli_is_unicode()};
    progress->printed = state->time;
    return progress;
}

enum progress_kind progress_kind_for(FILE *out, bool json)
{
    return json ? PROGRESS_JSON : cli_is_terminal(out) ? PROGRESS_BAR : PROGRESS_LINES;
}

void progress_free(struct progress *progress)
{
    clear_bar(progress);
    fflush(progress->out);
    free(progress);
}
