/*
 * bars.c - the header, the replay bar and the key bar.
 *
 * A bar is a line of segments, the most important first. A segment that does not fit is left out, and so are all
 * segments after it.
 */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "sessions/forecast.h"
#include "tui/node.h"
#include "tui/rounds.h"
#include "tui/view.h"
#include "util/bug.h"
#include "util/round.h"

static const double quiet_seconds = 10; /* without an event before the header says so */

struct bar {
    struct canvas *canvas;
    struct area area;
    int x;
    bool full;
};

__attribute__((format(printf, 4, 5))) static bool say(struct bar *bar, int gap, enum style style, const char *format,
                                                      ...)
{
    char text[300];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    int x = bar->x + gap;
    bar->full = bar->full || x + canvas_columns(text) > bar->area.width;
    if (!bar->full)
        bar->x = canvas_text(bar->canvas, bar->area, x, 0, style, "%s", text);
    return !bar->full;
}

static struct bar bar_at(struct canvas *canvas, struct area area, int y)
{
    return (struct bar){.canvas = canvas, .area = area_part(area, 0, y, area.width, 1), .x = 0};
}

/* --- the header --- */

static void say_state(struct bar *bar, const struct model *model)
{
    const struct session_state *state = model->state;
    double quiet = model->now - state->time;
    if (model->mode == MODE_REPLAY)
        say(bar, 2, STYLE_WARNING, model->replay.playing ? "▶ REPLAY" : "‖ REPLAY");
    else if (model_has_died(model))
        say(bar, 2, STYLE_FAILED, "✗ DIED");
    else if (state->finished || model->ended)
        say(bar, 2, STYLE_WARNING, "ENDED");
    else if (state->paused)
        say(bar, 2, STYLE_WARNING, "‖ PAUSED");
    else
        say(bar, 2, STYLE_GAIN, model->mode == MODE_ATTACHED ? "▶ ATTACHED" : "▶ LIVE");
    if (session_waits_for_device(state) && !model_has_died(model) && !model->ended)
        say(bar, 1, STYLE_FAILED, "no device: waits for a worker");
    if (model->frozen)
        say(bar, 1, STYLE_WARNING, "(frozen)");
    if (model->mode != MODE_REPLAY && !state->finished && !model->ended && !state->paused &&
        !session_waits_for_device(state) && quiet > quiet_seconds) {
        char age[TEXT_SHORT];
        say(bar, 1, STYLE_WARNING, "silent for %s", node_age(age, quiet));
    }
}

/* Why it ended, in the engine's words. */
static void say_end(struct bar *bar, const struct model *model)
{
    const struct session_state *state = model->state;
    if (model_has_died(model)) {
        if (!say(bar, 3, STYLE_NORMAL, "the process that ran it is gone: `espalier resume %s` goes on", model->session_name)) {
            bar->full = false;
            say(bar, 3, STYLE_NORMAL, "its process is gone: resume it");
        }
        return;
    }
    bool message = state->finish_message && *state->finish_message;
    if (message && say(bar, 3, STYLE_NORMAL, "%s", state->finish_message))
        return;
    bar->full = false;
    say(bar, 3, STYLE_NORMAL, "%s", finish_name(&state->finish_reason));
}

static void say_phase(struct bar *bar, const struct session_state *state)
{
    struct text text = TEXT_EMPTY;
    phase_add(state, &text);
    if (text.length)
        say(bar, 3, STYLE_HEADER, "%s", text_string(&text));
    text_done(&text);
}

/* The share of the limit that is nearest, by its name where there are several; "12.4T of 30T" of FLOPs alone. */
static void budget_words(const struct session_state *state, const struct forecast *forecast, char words[64])
{
    int limits = (state->budget_networks > 0) + (state->budget_episodes > 0) + (state->budget_seconds > 0) +
                 (state->budget_flops > 0);
    char used[TEXT_SHORT], budget[TEXT_SHORT];
    if (limits > 1 && forecast->binds)
        snprintf(words, 64, "%.0f%% of %s", floor(100 * forecast->share), forecast->binds);
    else if (state->budget_flops > 0)
        snprintf(words, 64, "%s of %s", text_count(used, session_flops(state)),
                 text_count(budget, state->budget_flops));
    else
        snprintf(words, 64, "%.0f%%", floor(100 * forecast->share));
}

/* The budget's meter stands for the limit that is nearest. */
static void say_budget(struct bar *bar, const struct model *model)
{
    const struct session_state *state = model->state;
    struct forecast forecast = session_forecast(state);
    bool flops = state->budget_flops > 0,
         limited = state->budget_networks || state->budget_episodes || state->budget_seconds > 0 || flops;
    char words[64], end[NODE_END];
    if (!state->event_count)
        return;
    if (state->finished || (model->ended && model->mode != MODE_REPLAY)) {
        say_end(bar, model);
        return;
    }
    say_phase(bar, state);
    if (!limited) {
        say(bar, 3, STYLE_DIM, "no budget: runs until it is stopped");
        return;
    }
    budget_words(state, &forecast, words);
    node_end(end, state);
    const char *rest = flops ? "   budget  12.4T of 30.5T" : "   budget  100%";
    int spare = bar->area.width - bar->x - (int)strlen(rest) - 3 - (int)strlen("1h10m to 1h50m left");
    if (flops && spare < 4) { /* the FLOPs say what they are */
        spare += (int)strlen("budget ");
        bar->x += 2;
    } else {
        say(bar, 3, STYLE_DIM, "budget");
    }
    int width = spare > 32 ? 32 : spare;
    if (width >= 4 && !bar->full) {
        canvas_meter(bar->canvas, bar->area, bar->x + 1, 0, width, forecast.share, STYLE_METER);
        bar->x += width + 1;
    }
    say(bar, 1, STYLE_HEADER, "%s", words);
    say(bar, 3, forecast.seconds_left < 0 ? STYLE_DIM : STYLE_NORMAL, "%s", end);
}

/* What a search is for.  False: the finished network isn't tested, or more networks have grown since. */
static bool say_test(struct bar *bar, const struct session_state *state)
{
    struct text verdict = TEXT_EMPTY;
    if (!state->test.node || session_phase(state) != PHASE_FINISH)
        return false;
    say(bar, 2, STYLE_BEST, "test %.2f%% n%lld, finished", 100 * state->test.accuracy, (long long)state->test.node);
    bool won = verdict_add(state, &verdict);
    if (verdict.length)
        say(bar, 2, won ? STYLE_GAIN : STYLE_LOSS, "%s", text_string(&verdict));
    text_done(&verdict);
    return true;
}

static void say_best(struct bar *bar, const struct model *model, bool with_start)
{
    const struct session_state *state = model->state;
    const struct session_node *best = session_node(state, state->best), *start = session_node(state, 1);
    char age[TEXT_SHORT];
    if (!best) {
        say(bar, 1, STYLE_DIM, state->event_count ? "no network is trained yet" : "waiting for the first event");
        return;
    }
    say(bar, 1, STYLE_BEST, "★ %.2f%% n%lld", 100 * best->accuracy, (long long)state->best);
    say(bar, 1, STYLE_DIM, "%s ago", node_age(age, model->now - state->best_time));
    if (with_start && start != best && start->status == NODE_DONE)
        say(bar, 1, best->accuracy > start->accuracy ? STYLE_GAIN : STYLE_LOSS, "%+.2f on the start",
            100 * (best->accuracy - start->accuracy));
}

/* What binds the search beside its budget: pins, and a limit that a network has nearly reached. */
static void say_bounds(struct bar *bar, const struct session_state *state)
{
    static const struct { const char *option, *name; size_t offset; } limits[] = {
        {"limit-params", "parameters", offsetof(struct event_proposal, parameters)},
        {"limit-flops", "FLOPs", offsetof(struct event_proposal, flops)},
    };
    const double near = 0.95;
    int64_t pinned = 0, limit;
    for (int64_t i = 1; i <= state->node_count; i++)
        pinned += session_node(state, i)->pinned;
    if (pinned)
        say(bar, 2, STYLE_PINNED, "%lld pinned", (long long)pinned);
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        const char *value = session_option(state, limits[i].option);
        int64_t most = 0;
        for (int64_t j = 1; j <= state->node_count; j++) {
            int64_t cost = *(const int64_t *)((const char *)&session_node(state, j)->facts + limits[i].offset);
            most = cost > most ? cost : most;
        }
        if (value && !text_to_size(value, &limit) && limit > 0 && (double)most >= near * (double)limit)
            say(bar, 2, STYLE_WARNING, "%s at limit", limits[i].name);
    }
}

static void say_trainers(struct bar *bar, const struct session_state *state)
{
    struct text text = TEXT_EMPTY;
    trainers_add(state, &text);
    if (text.length && !state->finished)
        say(bar, 2, STYLE_WARNING, "%s", text_string(&text));
    text_done(&text);
}

static void say_counts(struct bar *bar, const struct model *model)
{
    const struct session_state *state = model->state;
    const int64_t *count = state->status_count;
    if (!state->event_count)
        return;
    if (state->budget_networks)
        say(bar, 3, STYLE_HEADER, "%lld/%lld network%s", (long long)count[NODE_DONE], (long long)state->budget_networks,
            state->budget_networks == 1 ? "" : "s");
    else
        say(bar, 3, STYLE_HEADER, "%lld done", (long long)count[NODE_DONE]);
    say_bounds(bar, state);
    say(bar, 2, count[NODE_RUNNING] ? STYLE_RUNNING : STYLE_DIM, "%lld training", (long long)count[NODE_RUNNING]);
    say_trainers(bar, state);
    if (count[NODE_FAILED])
        say(bar, 2, STYLE_FAILED, "%lld failed", (long long)count[NODE_FAILED]);
    say(bar, 2, STYLE_DIM, "%lld queued", (long long)count[NODE_QUEUED]);
    if (count[NODE_CANCELLED])
        say(bar, 2, STYLE_DIM, "%lld cancelled", (long long)count[NODE_CANCELLED]);
    if (state->known_count)
        say(bar, 2, STYLE_DIM, "%lld known", (long long)state->known_count);
    if (state->refused_count)
        say(bar, 2, STYLE_DIM, "%lld refused", (long long)state->refused_count);
    if (state->episode)
        say(bar, 2, STYLE_DIM, "episode %lld", (long long)state->episode);
    if (state->epochs && state->rate >= 0)
        say(bar, 2, STYLE_DIM, "%lld epoch%s from rate %g", (long long)state->epochs, state->epochs == 1 ? "" : "s",
            state->rate);
}

void bars_draw_header(const struct model *model, struct canvas *canvas, struct area area)
{
    char clock[TEXT_SHORT];
    struct bar bar = bar_at(canvas, area, 0);
    if (area.height == 1 && area.width < 60) { /* the smallest screens: state and best accuracy only */
        bar.x = -1;
        say_state(&bar, model);
        if (!say_test(&bar, model->state))
            say_best(&bar, model, false);
        return;
    }
    say(&bar, 1, STYLE_HEADER, "%s", model->session_name);
    say_state(&bar, model);
    bool tested = say_test(&bar, model->state);
    if (area.height == 1) {
        bar.x += 1;
        if (!tested)
            say_best(&bar, model, false);
        say_budget(&bar, model);
        return;
    }
    say(&bar, 2, STYLE_NORMAL, "%s", clock_text(clock, model->now));
    say_budget(&bar, model);
    bar = bar_at(canvas, area, 1);
    say_best(&bar, model, true);
    say_counts(&bar, model);
}

/* --- the replay bar --- */

static double share_of(const struct model *model, double time)
{
    return model->replay.length > 0 ? fmin(fmax(time / model->replay.length, 0), 1) : 0;
}

/* The line between the two clocks. */
struct area bars_replay_line(const struct model *model, struct area area)
{
    char clock[TEXT_SHORT];
    int left = 2 + (int)strlen(clock_text(clock, model->now)),
        right = 17 + (int)strlen(clock_text(clock, model->replay.length));
    return area_part(area, left, 0, area.width - left - right, 1);
}

void bars_draw_replay_bar(const struct model *model, struct canvas *canvas, struct area area)
{
    char now[TEXT_SHORT], end[TEXT_SHORT], speed[32];
    struct bar bar = bar_at(canvas, area, 0);
    snprintf(speed, sizeof speed, "×%g", model->replay.speed);
    clock_text(end, model->replay.length);
    say(&bar, 1, STYLE_HEADER, "%s", clock_text(now, model->now));
    int width = bars_replay_line(model, area).width;
    if (width >= 8) {
        struct area line = bars_replay_line(model, area);
        int place = round_within(share_of(model, model->now) * (width - 1), 0, width - 1);
        for (int x = 0; x < line.width; x++)
            canvas_glyph(canvas, line, x, 0, x < place ? L'━' : L'─', x < place ? STYLE_METER : STYLE_METER_REST);
        for (int i = 0; i < model->replay.mark_count; i++) {
            const struct replay_bar_mark *mark = &model->replay.marks[i];
            uint32_t glyph = mark->style == STYLE_BEST ? L'▲' : mark->style == STYLE_FAILED ? L'×' : L'◆';
            canvas_glyph(canvas, line, round_within(share_of(model, mark->time) * (width - 1), 0, width - 1), 0, glyph,
                         mark->style);
        }
        if (line.width)
            canvas_glyph(canvas, line, place, 0, L'●', STYLE_HEADER);
        bar.x += width + 1;
    }
    say(&bar, 1, STYLE_NORMAL, "%s", end);
    say(&bar, 2, STYLE_HEADER, "%-6s", speed);
    say(&bar, 1, STYLE_DIM, "%3.0f%%", floor(100 * share_of(model, model->now)));
}

/* --- the keys --- */

/* The most important first: a narrow screen leaves out the last ones, and `?` shows them all. */
struct bar_key {
    enum request first, second; /* whose keys are shown; `second` may be 0 */
    const char *label;
};

static const struct bar_key keys_live[] = {
    {REQUEST_HELP, 0, "Help"},       {REQUEST_PAUSE, 0, "Pause"},    {REQUEST_WIDEN, 0, "Widen"},
    {REQUEST_DEEPEN, 0, "Deepen"},   {REQUEST_PIN, 0, "Pin"},        {REQUEST_PRUNE, 0, "Prune"},
    {REQUEST_UNDO, 0, "Undo"},       {REQUEST_OPEN, 0, "Details"},   {REQUEST_NEXT_PANE, 0, "Pane"},
    {REQUEST_ZOOM, 0, "Zoom"},       {REQUEST_QUIT, 0, "Quit"},      {REQUEST_FIND, 0, "Find"},
    {REQUEST_BEST, 0, "Best"},       {REQUEST_FOLLOW, 0, "Follow"},  {REQUEST_SORT, 0, "Order"},
    {REQUEST_BOARD, 0, "Leaderboard"}, {REQUEST_COMMAND, 0, "Command"},
};
static const struct bar_key keys_replay[] = {
    {REQUEST_HELP, 0, "Help"},
    {REQUEST_PAUSE, 0, "Play"},
    {REQUEST_SLOWER, REQUEST_FASTER, "Speed"},
    {REQUEST_PREVIOUS_BEST, REQUEST_NEXT_BEST, "Best"},
    {REQUEST_STEP_BACK, REQUEST_STEP, "Event"},
    {REQUEST_NEXT_FAILURE, 0, "Fail"},
    {REQUEST_NEXT_USER, 0, "Person"},
    {REQUEST_OPEN, 0, "Details"},
    {REQUEST_ZOOM, 0, "Zoom"},
    {REQUEST_QUIT, 0, "Quit"},
    {REQUEST_FORK, 0, "Fork"},
    {REQUEST_NEXT_PANE, 0, "Pane"},
    {REQUEST_FIND, 0, "Find"},
    {REQUEST_FOLLOW, 0, "Follow"},
    {REQUEST_SORT, 0, "Order"},
};
/* After the end of a search, which takes no commands any more. */
static const struct bar_key keys_ended[] = {
    {REQUEST_HELP, 0, "Help"},       {REQUEST_OPEN, 0, "Details"}, {REQUEST_NEXT_PANE, 0, "Pane"},
    {REQUEST_ZOOM, 0, "Zoom"},       {REQUEST_QUIT, 0, "Quit"},    {REQUEST_FIND, 0, "Find"},
    {REQUEST_BEST, 0, "Best"},       {REQUEST_SORT, 0, "Order"},   {REQUEST_MARK, 0, "Mark"},
    {REQUEST_COMPARE, 0, "Compare"}, {REQUEST_SCALE, 0, "Scale"},  {REQUEST_SAVE_SCREEN, 0, "Save"},
};
static const struct bar_key keys_compare[] = {
    {REQUEST_CANCEL, 0, "Back"}, {REQUEST_SCALE, 0, "Scale"}, {REQUEST_HELP, 0, "Help"}, {REQUEST_QUIT, 0, "Quit"}};
static const struct bar_key keys_mistakes[] = {{REQUEST_CANCEL, 0, "Back"},
                                               {REQUEST_LEFT, REQUEST_RIGHT, "Page"},
                                               {REQUEST_UP, REQUEST_DOWN, "Scroll"},
                                               {REQUEST_BEST, 0, "Best"},
                                               {REQUEST_HELP, 0, "Help"},
                                               {REQUEST_QUIT, 0, "Quit"}};
static const struct bar_key keys_over[] = {{REQUEST_CANCEL, 0, "Back"},
                                           {REQUEST_LEFT, REQUEST_RIGHT, "Sibling"},
                                           {REQUEST_BEST, 0, "Best"},
                                           {REQUEST_MISTAKES, 0, "Mistakes"},
                                           {REQUEST_SCALE, 0, "Scale"},
                                           {REQUEST_HELP, 0, "Help"},
                                           {REQUEST_QUIT, 0, "Quit"}};

static const char *bar_key_names(const struct bar_key *key, char names[32])
{
    char first[16], second[16] = "";
    request_key(key->first, first);
    if (key->second)
        request_key(key->second, second);
    snprintf(names, 32, "%s%s", first, second);
    return names;
}

static void say_keys(struct bar *bar, const struct bar_key *keys, size_t count, const struct model *model)
{
    int columns = 0;
    char names[32];
    for (size_t i = 0; i < count; i++)
        columns += canvas_columns(bar_key_names(&keys[i], names)) + canvas_columns(keys[i].label) + 3;
    int apart = columns <= bar->area.width; /* blanks around the labels when all keys fit */
    for (size_t i = 0; i < count; i++) {
        const char *label = keys[i].label;
        if (!strcmp(label, "Pause") && model->state->paused)
            label = "Go on";
        if (!strcmp(label, "Play") && model->replay.playing)
            label = "Stop";
        if (!*bar_key_names(&keys[i], names)) /* the person's key file gives it no key */
            continue;
        if (bar->x + 1 + canvas_columns(names) + canvas_columns(label) > bar->area.width)
            return;
        say(bar, 1, STYLE_KEY, "%s", names);
        say(bar, apart, STYLE_KEY_LABEL, "%s", label);
        bar->x += apart;
    }
}

/* In full: a long one covers the lines above. */
static void draw_message(const char *message, struct canvas *canvas, struct area area)
{
    int width = area.width - 2, lines = canvas_words(canvas, (struct area){.width = width}, 0, STYLE_WARNING, message);
    lines = lines > 1 + area.y ? 1 + area.y : lines;
    struct area over = {area.x, area.y + 1 - lines, area.width, lines};
    canvas_fill(canvas, over, ' ', STYLE_NORMAL);
    canvas_words(canvas, area_part(over, 1, 0, width > 0 ? width : area.width, lines), 0, STYLE_WARNING, message);
}

void bars_draw_keys(const struct model *model, struct canvas *canvas, struct area area)
{
    struct bar bar = bar_at(canvas, area, 0);
    if (model->message[0] && model->now <= model->message_until) {
        draw_message(model->message, canvas, area);
        return;
    }
    if (model->comparing)
        say_keys(&bar, keys_compare, COUNT_OF(keys_compare), model);
    else if (model->mistakes.open)
        say_keys(&bar, keys_mistakes, COUNT_OF(keys_mistakes), model);
    else if (model->detail.open)
        say_keys(&bar, keys_over, COUNT_OF(keys_over), model);
    else if (model->mode == MODE_REPLAY)
        say_keys(&bar, keys_replay, COUNT_OF(keys_replay), model);
    else if (model->ended)
        say_keys(&bar, keys_ended, COUNT_OF(keys_ended), model);
    else
        say_keys(&bar, keys_live, COUNT_OF(keys_live), model);
}
