/* progress.c - folds the events of a source and prints what they mean: lines, a bar, JSON. */
#include "cli/progress.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/progress_bar.h"
#include "sessions/forecast.h"
#include "tui/event_line.h"
#include "tui/node.h"
#include "tui/rounds.h"
#include "util/memory.h"
#include "util/print.h"

struct progress {
    FILE *out;
    enum progress_kind kind;
    const struct tui_source *source;
    struct session_state *state;
    bool unicode;
    double printed; /* session time of the last progress line */
};

/* A file or a pipe is read later, beside other logs: its lines begin with the date. */
static void begin_line(const struct progress *progress)
{
    char date[32] = "";
    time_t now = time(NULL);
    struct tm local;
    if (progress->kind != PROGRESS_LINES || !localtime_r(&now, &local))
        return;
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &local);
    print_to(progress->out, "%s  ", date);
}

static const double seconds_between_lines = 15, seconds_between_bars = 0.2;

static bool is_printed(enum event_kind kind)
{
    return kind == EVENT_FAILED || kind == EVENT_LOST || kind == EVENT_POLICY || kind == EVENT_COMMAND ||
           kind == EVENT_TEST || kind == EVENT_JOINED || kind == EVENT_WARNED;
}

/* Of a file that is read later: what was searched, and where. */
static bool is_first(enum event_kind kind)
{
    return kind == EVENT_SESSION || kind == EVENT_OPENED || kind == EVENT_FINISHED;
}

static void print_network(struct progress *progress, int64_t number)
{
    const struct session_state *state = progress->state;
    const struct session_node *node = session_node(state, number);
    struct text how = TEXT_EMPTY;
    double value;
    int64_t over = node->facts.parent;
    char parameters[TEXT_SHORT], seconds[TEXT_SHORT], name[TEXT_SHORT], gain[TEXT_SHORT] = "", from[TEXT_SHORT] = "";
    snprintf(name, sizeof name, "n%lld", (long long)number);
    node_edge(state, node, progress->unicode, INT_MAX, &how);
    if (session_gain(state, number, &value, &over))
        snprintf(gain, sizeof gain, "%+.2f", 100 * value);
    if (node->facts.parent)
        snprintf(from, sizeof from, "n%lld", (long long)node->facts.parent);
    else
        text_add(&how, ": %s", node->facts.arch);
    if (over != node->facts.parent)
        text_add(&how, "  (gain over control n%lld)", (long long)over);
    begin_line(progress);
    print_to(progress->out, "%-5s %6.2f %% %6s  %-5s %6s %6s  %s%s\n", name, 100 * node->accuracy, gain, from,
             text_count(parameters, (double)node->facts.parameters), text_duration(seconds, node->seconds),
             number == state->best ? (progress->unicode ? "★ " : "^ ") : "", text_string(&how));
    text_done(&how);
    if (!node->stopped)
        return;
    begin_line(progress);
    print_to(progress->out, "      stopped at %s; %.2f %% predicted\n", node->stopped, 100 * node->predicted);
}

/* A trained network is a row of a table; other events are printed as in the log pane. */
static void print_line(struct progress *progress, const struct event *event)
{
    struct event_line line;
    if (event->kind == EVENT_RESULT)
        print_network(progress, event->as.result.node);
    else if ((is_printed(event->kind) || (is_first(event->kind) && progress->kind == PROGRESS_LINES)) &&
             event_line(progress->state, event, &line)) {
        begin_line(progress);
        print_to(progress->out, "%-7s %s\n", strcmp(line.word, "you") ? line.word : "person", line.text);
    }
    if ((event->kind == EVENT_OPENED || event->kind == EVENT_LOST) && session_waits_for_device(progress->state)) {
        begin_line(progress);
        print_to(progress->out, "waits   no device is left to train on: the search goes on when a worker joins\n");
    }
    if (event->kind == EVENT_OPENED && progress->kind == PROGRESS_LINES) {
        begin_line(progress);
        print_to(progress->out, "%-5s %8s %6s  %-5s %6s %6s  %s\n", "", "val", "gain", "from", "size", "time",
                 "how it grew");
    }
}

/* How many train elsewhere changes the search; or there is nobody. */
static void trainers_text(const struct session_state *state, struct text *text)
{
    struct text how = TEXT_EMPTY;
    trainers_add(state, &how);
    if (how.length)
        text_add(text, "  %s", text_string(&how));
    if (session_waits_for_device(state))
        text_add(text, "  no device: waits for a worker");
    text_done(&how);
}

enum { RUNNING_MAX = 8 }; /* that are named one by one */

static void progress_text(const struct progress *progress, struct text *text)
{
    const struct session_state *state = progress->state;
    struct forecast forecast = session_forecast(state);
    char left[TEXT_SHORT], budget[TEXT_SHORT], end[NODE_END];
    text_add(text, "%s%3.0f %%  ", progress->kind == PROGRESS_BAR ? "" : "progress ", 100 * forecast.share);
    size_t length = text->length;
    phase_add(state, text);
    text_add(text, "%s%lld trained", text->length > length ? "  " : "", (long long)state->status_count[NODE_DONE]);
    if (state->budget_networks > 0)
        text_add(text, " of %lld", (long long)state->budget_networks);
    if (state->budget_flops > 0)
        text_add(text, "  %s of %s FLOPs", text_count(left, session_flops(state)),
                 text_count(budget, state->budget_flops));
    trainers_text(state, text);
    text_add(text, "  %s", node_end(end, state));
    if (state->best)
        text_add(text, "  best n%lld %.2f %%", (long long)state->best,
                 100 * session_node(state, state->best)->accuracy);
    if (state->status_count[NODE_RUNNING] > RUNNING_MAX)
        text_add(text, "  %lld training", (long long)state->status_count[NODE_RUNNING]);
    for (int i = 0; i < state->device_count && state->status_count[NODE_RUNNING] <= RUNNING_MAX; i++) {
        const struct session_node *node = session_node(state, state->devices[i].node);
        if (node)
            text_add(text, "  n%lld:%d/%d", (long long)node->facts.node, node->curve_count, node->epochs);
    }
}

static void clear_bar(const struct progress *progress)
{
    if (progress->kind == PROGRESS_BAR)
        progress_bar_clear(progress->out);
}

void progress_show(struct progress *progress)
{
    struct text text = TEXT_EMPTY;
    progress_text(progress, &text);
    if (progress->kind == PROGRESS_BAR)
        progress_bar_draw(progress->out, session_forecast(progress->state).share, progress->unicode,
                          text_string(&text));
    else if (progress->kind == PROGRESS_LINES) {
        begin_line(progress);
        print_to(progress->out, "%s\n", text_string(&text));
    }
    fflush(progress->out);
    text_done(&text);
    progress->printed = progress->state->time;
}

static void print_json(struct progress *progress, const struct event *event)
{
    struct text text = TEXT_EMPTY;
    event_print_json(event, &text);
    print_to(progress->out, "%s\n", text_string(&text));
    fflush(progress->out);
    text_done(&text);
}

static void print_event(struct progress *progress, const struct event *event)
{
    bool durable = event_is_durable(event->kind), bar = progress->kind == PROGRESS_BAR;
    double since = event->time - progress->printed;
    if (progress->kind == PROGRESS_JSON) {
        if (durable)
            print_json(progress, event);
        return;
    }
    if (durable) {
        clear_bar(progress);
        print_line(progress, event);
    }
    if (durable ? bar || since >= seconds_between_lines : bar && since >= seconds_between_bars)
        progress_show(progress);
    if (durable)
        fflush(progress->out);
}

/* --- events from the source --- */

/* All events that are there now. */
static int take_events(struct progress *progress, bool print, struct error *error)
{
    struct event event;
    while (progress->source->next(progress->source->context, &event)) {
        int status = session_apply(progress->state, &event, error);
        if (!status && print)
            print_event(progress, &event);
        event_done(&event);
        if (status)
            return error_prefix(error, "the session contradicts itself");
    }
    return 0;
}

int progress_skip(struct progress *progress, struct error *error)
{
    int status = take_events(progress, false, error);
    progress->printed = progress->state->time;
    return status;
}

bool progress_ended(const struct progress *progress, struct error *error)
{
    return progress->source->ended(progress->source->context, error);
}

int progress_run(struct progress *progress, int leave, struct error *error)
{
    struct pollfd wait[2] = {{.fd = progress->source->descriptor(progress->source->context), .events = POLLIN},
                             {.fd = leave, .events = POLLIN}};
    int status = 0;
    bool ended = false;
    *error = (struct error){{0}};
    while (!status && !ended && !wait[1].revents) {
        status = take_events(progress, true, error);
        ended = progress_ended(progress, error);
        if (!status && !ended)
            poll(wait, 2, -1);
    }
    clear_bar(progress);
    fflush(progress->out);
    return status || *error->text ? -1 : 0;
}

const struct session_state *progress_state(const struct progress *progress)
{
    return progress->state;
}

struct progress *progress_new(FILE *out, enum progress_kind kind, const struct tui_source *source)
{
    struct progress *progress = memory_new(1, sizeof *progress);
    *progress = (struct progress){
        .out = out, .kind = kind, .source = source, .state = session_state_new(), .unicode = cli_is_unicode()};
    return progress;
}

enum progress_kind progress_kind_for(FILE *out, bool json)
{
    return json ? PROGRESS_JSON : cli_is_terminal(out) ? PROGRESS_BAR : PROGRESS_LINES;
}

void progress_free(struct progress *progress)
{
    session_state_free(progress->state);
    free(progress);
}
