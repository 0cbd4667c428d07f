/*
 * node.c - status, progress, gain and edge of a network, for all views.
 *
 * An edge can hold many actions (one wider decision may widen every layer). It is printed in full, by layer, or as
 * counts: the longest form that fits.
 */
#include "tui/node.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/action.h"
#include "arch/lineage.h"
#include "sessions/forecast.h"
#include "util/memory.h"

uint32_t node_glyph(const struct session_node *node)
{
    static const uint32_t glyphs[NODE_STATUS_COUNT] = {L'·', L'*', L'✓', L'✗', L'-'};
    if (node->status != NODE_DONE)
        return glyphs[node->status];
    switch (node->facts.by.value) {
    case AUTHOR_CONTROL:
        return L'=';
    case AUTHOR_BASELINE:
        return L'□';
    case AUTHOR_RETRAIN:
        return L'▣';
    case AUTHOR_FINISH:
        return L'■';
    default:
        return node->stopped ? L'~' : L'✓';
    }
}

enum style node_style(enum node_status status)
{
    static const enum style styles[NODE_STATUS_COUNT] = {STYLE_QUEUED, STYLE_RUNNING, STYLE_DONE, STYLE_FAILED,
                                                         STYLE_DIM};
    return styles[status];
}

const char *node_word(enum node_status status)
{
    static const char *const words[NODE_STATUS_COUNT] = {"queued", "training", "done", "failed", "cancelled"};
    return words[status];
}

bool node_is_users(const struct session_node *node)
{
    return node->facts.by.value == AUTHOR_USER;
}

bool node_has_role(const struct session_node *node)
{
    return node->facts.by.value == AUTHOR_CONTROL || node_is_final(node);
}

enum style node_edge_style(const struct session_node *node)
{
    switch (node->facts.by.value) {
    case AUTHOR_USER:
        return STYLE_USER;
    case AUTHOR_CONTROL:
        return STYLE_DIM;
    case AUTHOR_BASELINE:
    case AUTHOR_RETRAIN:
        return STYLE_TITLE;
    case AUTHOR_FINISH:
        return STYLE_BEST;
    default:
        return STYLE_NORMAL;
    }
}

bool node_gain(const struct session_state *state, const struct session_node *node, double *gain, int64_t *over)
{
    if (node->status == NODE_DONE)
        return session_gain(state, node->facts.node, gain, over) && isfinite(*gain);
    if (node_is_final(node)) /* its rate is still high, and the other's was low at its end: it makes good for that */
        return false;
    int64_t control = session_control(state, node->facts.node);
    const struct session_node *other = session_node(state, control ? control : node->facts.parent);
    if (node->status != NODE_RUNNING || !node->curve_count || !other || other->status != NODE_DONE)
        return false;
    bool same_epoch = control && node->curve_count <= other->curve_count;
    *over = other->facts.node;
    *gain = node->accuracy - (same_epoch ? other->curve[node->curve_count - 1].validation_accuracy : other->accuracy);
    return isfinite(*gain);
}

int node_draw_gain(const struct session_state *state, const struct session_node *node, struct canvas *canvas,
                   struct area area, int x, int y, int width)
{
    double gain;
    int64_t over;
    if (node->status == NODE_RUNNING && node_is_final(node) && width)
        return canvas_text(canvas, area, x, y, STYLE_DIM, "%*s", width, "trains");
    if (!node_gain(state, node, &gain, &over))
        return x;
    bool dim = node->status != NODE_DONE || node->facts.by.value == AUTHOR_CONTROL;
    return canvas_text(canvas, area, x, y,
                       dim        ? STYLE_DIM
                       : gain < 0 ? STYLE_LOSS
                                  : STYLE_GAIN,
                       "%+*.2f", width, 100 * gain);
}

void node_add_over(const struct session_state *state, int64_t over, struct text *text)
{
    bool control = session_node(state, over)->facts.by.value == AUTHOR_CONTROL;
    text_add(text, " %s n%lld", control ? "over control" : "on", (long long)over);
}

double node_share(const struct session_node *node)
{
    if (node->status == NODE_DONE)
        return 1;
    if (node->status != NODE_RUNNING || node->epochs <= 0)
        return 0;
    double step = node->steps > 0 ? (double)node->step / (double)node->steps : 0;
    double share = (node->curve_count + step) / node->epochs;
    return share > 1 ? 1 : share;
}

double node_seconds_left(const struct model *model, const struct session_node *node)
{
    double share = node_share(node), passed = model->now - node->started;
    if (node->status != NODE_RUNNING || share <= 0 || model->state->paused)
        return -1;
    if (node->curve_count && node->seconds > 0) /* the epochs' own seconds, which leave out pauses */
        return node->seconds / node->curve_count * node->epochs * (1 - share);
    return passed > 0 ? passed * (1 - share) / share : -1;
}

bool node_is_held(const struct model *model, const struct session_node *node)
{
    return node->status == NODE_RUNNING && model->state->paused;
}

double node_rate(const struct model *model, const struct session_node *node)
{
    if (node_is_held(model, node))
        return 0;
    return node->status == NODE_RUNNING && node->step_rate > 0 ? node->step_rate : node->images_per_second;
}

/* --- the edge --- */

static void add_role(const struct session_node *node, struct text *text)
{
    text_add(text, "%s", node_has_role(node) ? author_name(&node->facts.by) : node->facts.parent ? "" : "start");
    if (node_has_role(node) && node->facts.parent)
        text_add(text, " of n%lld", (long long)node->facts.parent);
}

/* All actions in full. */
static void edge_in_full(const struct session_state *state, const struct session_node *node, bool unicode,
                         struct text *text)
{
    const struct session_node *parent = session_node(state, node->facts.parent);
    if (parent && node->facts.actions.count)
        lineage_show(parent->facts.arch, node->facts.actions.items, node->facts.actions.count, unicode, text);
    else
        add_role(node, text);
}

/* "widen:conv2:48" as its kind ('W') and its layer's name. */
static char split_action(const char *action, char name[32])
{
    const char *colon = strchr(action, ':');
    const char *rest = colon ? colon + 1 : "";
    snprintf(name, 32, "%.*s", (int)strcspn(rest, ":"), rest);
    return (char)toupper((unsigned char)action[0]);
}

enum { GROUP_MAX = 128 };

/* "1,3,5-9" */
static void add_numbers(const int *numbers, int count, struct text *text)
{
    for (int first = 0, last; first < count; first = last + 1) {
        last = first;
        while (last + 1 < count && numbers[last + 1] == numbers[last] + 1)
            last++;
        last = last - first < 2 ? first : last; /* write 1,2, not 1-2 */
        text_add(text, last > first ? "%s%d-%d" : "%s%d", first ? "," : "", numbers[first], numbers[last]);
    }
}

/* "W conv1,3 fc1 D conv2", or with initials "W c1,3 f1 D c2": neighbouring actions of one kind on layers of one kind
   are printed together. */
static void edge_by_layer(const struct event_texts *actions, bool letters_only, struct text *text)
{
    char last_kind = 0;
    for (int i = 0; i < actions->count;) {
        int numbers[GROUP_MAX], count = 0;
        char name[32], kind = split_action(actions->items[i], name), word[32] = "";
        size_t letters = strcspn(name, "0123456789");
        memcpy(word, name, letters);
        do {
            numbers[count++] = atoi(name + letters);
            if (++i == actions->count || split_action(actions->items[i], name) != kind)
                break;
        } while (count < GROUP_MAX && strcspn(name, "0123456789") == letters && !strncmp(name, word, letters));
        if (kind != last_kind)
            text_add(text, "%s%c", last_kind ? " " : "", kind);
        text_add(text, " %.*s", letters_only ? 1 : (int)letters, word);
        add_numbers(numbers, count, text);
        last_kind = kind;
    }
}

/* "4W 5D" */
static void edge_counted(const struct event_texts *actions, struct text *text)
{
    const char *between = "";
    for (int kind = 0; kind < ACTION_KINDS; kind++) {
        char name[32], letter = (char)toupper((unsigned char)action_kind_word((enum action_kind)kind)[0]);
        int count = 0;
        for (int i = 0; i < actions->count; i++)
            count += split_action(actions->items[i], name) == letter;
        if (!count)
            continue;
        text_add(text, "%s%d%c", between, count, letter);
        between = " ";
    }
}

void node_edge(const struct session_state *state, const struct session_node *node, bool unicode, int columns,
               struct text *text)
{
    size_t length = text->length;
    edge_in_full(state, node, unicode, text);
    if (!node->facts.actions.count) { /* " of n4" goes first */
        if (canvas_columns(text->bytes + length) > columns)
            text->bytes[text->length = length + strcspn(text->bytes + length, " ")] = '\0';
        return;
    }
    for (int shorter = 0; shorter < 3 && canvas_columns(text->bytes + length) > columns; shorter++) {
        text->length = length;
        if (shorter < 2)
            edge_by_layer(&node->facts.actions, shorter == 1, text);
        else
            edge_counted(&node->facts.actions, text);
    }
}

/* --- small pictures and numbers --- */

void node_spark(const struct session_state *state, const struct session_node *node, struct canvas *canvas,
                struct area area, int x, int y, int width, enum style style)
{
    enum { WIDEST = 64 };
    double values[WIDEST];
    const struct session_node *best = session_node(state, state->best);
    double low = INFINITY, high = best ? best->accuracy : -INFINITY;
    width = width > WIDEST ? WIDEST : width;
    int count = node->curve_count < width ? node->curve_count : width;
    for (int i = 0; i < count; i++) {
        /* A long curve is sampled down, so that all of it is shown. */
        int point = count > 1 ? (int)((int64_t)i * (node->curve_count - 1) / (count - 1)) : node->curve_count - 1;
        values[i] = node->curve[point].validation_accuracy;
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    canvas_spark(canvas, area, x, y, width, values, count, low, high, style);
}

char *node_health_text(char buffer[TEXT_SHORT], const struct session_node *node, int layer, enum health_measure measure)
{
    double value = node_health(node, layer, measure);
    *buffer = '\0';
    if (!isfinite(value))
        return buffer;
    if (measure == HEALTH_DEAD)
        snprintf(buffer, TEXT_SHORT, "%.0f%%", 100 * value);
    else if (measure == HEALTH_FRESH && value < 1000)
        snprintf(buffer, TEXT_SHORT, "%.2f", value);
    else
        snprintf(buffer, TEXT_SHORT, measure == HEALTH_GRADIENT_NORM ? "%.2g" : "%.3g", value);
    return buffer;
}

char *node_age(char buffer[TEXT_SHORT], double seconds)
{
    if (seconds < 60)
        snprintf(buffer, TEXT_SHORT, "%.0fs", seconds < 0 ? 0 : floor(seconds));
    else if (seconds < 3600)
        snprintf(buffer, TEXT_SHORT, "%.0fm", floor(seconds / 60));
    else
        text_duration(buffer, seconds);
    return buffer;
}

char *node_end(char buffer[NODE_END], const struct session_state *state)
{
    struct forecast forecast = session_forecast(state);
    char least[TEXT_SHORT], most[TEXT_SHORT];
    bool exact = forecast.seconds_most < 1.1 * forecast.seconds_left, about = exact && forecast.rough;
    node_age(least, forecast.seconds_left);
    node_age(most, forecast.seconds_most);
    if (forecast.seconds_left < 0)
        snprintf(buffer, NODE_END, "end not known yet");
    else if (!exact && strcmp(least, most))
        snprintf(buffer, NODE_END, "%s to %s left", least, most);
    else if (about || !exact || state->paused)
        snprintf(buffer, NODE_END, "%s%s left", about || !exact ? "about " : "", least);
    else
        snprintf(buffer, NODE_END, "ends in %s", text_duration(least, forecast.seconds_left));
    return buffer;
}

char *clock_text(char buffer[TEXT_SHORT], double seconds)
{
    int64_t whole = seconds > 0 && seconds < 1e12 ? (int64_t)seconds : 0;
    snprintf(buffer, TEXT_SHORT, "%02d:%02d:%02d", (int)(whole / 3600 % 1000000), (int)(whole / 60 % 60),
             (int)(whole % 60));
    return buffer;
}
