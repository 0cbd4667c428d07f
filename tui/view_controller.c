/*
 * view_controller.c - the policy's last decisions, and whether it learns.
 *
 * Probabilities are those of the chosen actions, as recorded with the proposal. A policy that does not learn has
 * decisions and no updates.  The heat map (heat_map.c) takes the pane while it is open.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sessions/policy_map.h"
#include "tui/node.h"
#include "tui/view.h"
#include "util/bug.h"

enum trend { TREND_MEAN, TREND_BEST, TREND_REWARD, TREND_ENTROPY, TREND_COUNT };

static double trend_value(const struct event_policy *policy, enum trend trend)
{
    switch (trend) {
    case TREND_MEAN:
        return policy->accuracy_mean;
    case TREND_BEST:
        return policy->accuracy_best;
    case TREND_REWARD:
        return policy->reward_mean;
    default:
        return policy->entropy;
    }
}

/* "mean   ▁▂▃▅▆█  81.20 → 84.41" */
static void draw_trend(const struct session_state *state, enum trend trend, struct canvas *canvas, struct area inside,
                       int y)
{
    static const char *const names[TREND_COUNT] = {"mean", "best", "reward", "entropy"};
    static const enum style styles[TREND_COUNT] = {STYLE_CURVE_A, STYLE_CURVE_C, STYLE_CURVE_B, STYLE_CURVE_D};
    enum { WIDEST = 120 };
    double values[WIDEST], low = INFINITY, high = -INFINITY;
    int width = inside.width - 8 - 16;
    width = width > WIDEST ? WIDEST : width;
    int count = 0, used = 0;
    int64_t first_update = state->policy_count;
    while (first_update > 0 && count < width)
        count += policy_has_learned(&state->policies[--first_update]->facts);
    if (count < 1)
        return;
    for (int64_t i = first_update; i < state->policy_count; i++) {
        if (!policy_has_learned(&state->policies[i]->facts))
            continue;
        values[used++] = trend_value(&state->policies[i]->facts, trend);
        if (!isfinite(values[used - 1]))
            continue;
        low = fmin(low, values[used - 1]);
        high = fmax(high, values[used - 1]);
    }
    bool percent = trend == TREND_MEAN || trend == TREND_BEST;
    double first = (percent ? 100 : 1) * values[0], last = (percent ? 100 : 1) * values[count - 1];
    canvas_text(canvas, inside, 0, y, STYLE_DIM, "%s", names[trend]);
    canvas_spark(canvas, inside, 8, y, width, values, count, low, high, styles[trend]);
    if (count > 1)
        canvas_text(canvas, inside, 8 + count + 1, y, STYLE_NORMAL, "%.2f → %.2f", first, last);
    else
        canvas_text(canvas, inside, 8 + count + 1, y, STYLE_NORMAL, "%.2f", last);
}

static void draw_update(const struct session_state *state, struct canvas *canvas, struct area inside)
{
    const char *policy = session_option(state, "policy");
    if (!state->policy_count) {
        bool learns = policy && !strcmp(policy, "reinforce");
        canvas_text(canvas, inside, 0, 0, STYLE_DIM, "%s%s", policy ? policy : "",
                    learns ? " learns after its first episode" : " does not learn");
        return;
    }
    const struct event_policy *last = &state->policies[state->policy_count - 1]->facts;
    int x = canvas_text(canvas, inside, 0, 0, STYLE_HEADER, "update %lld", (long long)last->update);
    x = canvas_text(canvas, inside, x + 2, 0, STYLE_NORMAL, "reward %.3f", last->reward_mean);
    if (x + 17 <= inside.width)
        x = canvas_text(canvas, inside, x + 2, 0, STYLE_NORMAL, "baseline %.3f", last->baseline);
    if (x + 15 <= inside.width)
        canvas_text(canvas, inside, x + 2, 0, STYLE_NORMAL, "entropy %.2f", last->entropy);
}

/* The last proposal that has probabilities. */
static const struct proposal_record *last_decision(const struct session_state *state)
{
    for (int64_t i = state->proposal_count; i-- > 0;)
        if (state->proposals[i]->facts.by.value != AUTHOR_USER && state->proposals[i]->facts.probabilities.count)
            return state->proposals[i];
    return NULL;
}

/* "widen:conv2:48" as "W conv2 48". */
static void action_words(const char *action, char words[40])
{
    char kind[16] = "", name[24] = "", value[8] = "";
    sscanf(action, "%15[^:]:%23[^:]:%7[^:]", kind, name, value);
    bool deepen = kind[0] == 'd';
    snprintf(words, 40, "%c %s%s%s", toupper((unsigned char)kind[0]), name, !*value ? "" : deepen ? " +" : " →", value);
}

static int draw_decision(const struct session_state *state, struct canvas *canvas, struct area inside, int y)
{
    const struct proposal_record *record = last_decision(state);
    int rows = inside.height - y - 1;
    if (!record || rows < 1)
        return y;
    int x = canvas_text(canvas, inside, 0, y, STYLE_DIM, "last decision ");
    x = canvas_text(canvas, inside, x, y, STYLE_NORMAL, "n%lld → ", (long long)record->facts.parent);
    if (record->facts.node)
        x = canvas_text(canvas, inside, x, y, STYLE_BOLD, "n%lld%s", (long long)record->facts.node,
                        record->answer == EVENT_KNOWN ? " (known)" : "");
    else
        x = canvas_text(canvas, inside, x, y, STYLE_DIM, "refused");
    if (record->facts.log_probability < 0)
        canvas_text(canvas, inside, x + 2, y, STYLE_DIM, "log p %.2f", record->facts.log_probability);
    int count = record->facts.actions.count;
    for (int i = 0; i < count && i < rows; i++) {
        char words[40];
        bool more = i == rows - 1 && count > rows;
        action_words(record->facts.actions.items[i], words);
        if (more) {
            canvas_text(canvas, inside, 1, y + 1 + i, STYLE_DIM, "and %d more", count - i);
            break;
        }
        double probability = i < record->facts.probabilities.count ? record->facts.probabilities.items[i] : NAN;
        canvas_text(canvas, inside, 1, y + 1 + i, STYLE_NORMAL, "%s", words);
        int width = inside.width - 16 - 6;
        width = width > 30 ? 30 : width;
        if (isfinite(probability) && width >= 3) {
            canvas_meter(canvas, inside, 16, y + 1 + i, width, probability, STYLE_CURVE_D);
            canvas_text(canvas, inside, 17 + width, y + 1 + i, STYLE_NORMAL, "%.2f", probability);
        }
    }
    return y + 1 + (count < rows ? count : rows);
}

/* "n12 → n41  W conv1,5 D conv2   89.38 +0.45": earlier decisions and their results. */
static void draw_earlier(const struct model *model, struct canvas *canvas, struct area inside, int y)
{
    const struct session_state *state = model->state;
    const struct proposal_record *last = last_decision(state);
    if (!last || y >= inside.height - 1)
        return;
    canvas_text(canvas, inside, 0, y++, STYLE_DIM, "before it");
    for (int64_t i = last->facts.proposal - 2; i >= 0 && y < inside.height; i--) {
        const struct proposal_record *record = state->proposals[i];
        const struct session_node *node = session_node(state, record->facts.node);
        char from[TEXT_SHORT], to[TEXT_SHORT] = "refused";
        if (record->facts.by.value != AUTHOR_POLICY)
            continue;
        snprintf(from, sizeof from, "n%lld", (long long)record->facts.parent);
        if (node)
            snprintf(to, sizeof to, "n%lld", (long long)record->facts.node);
        canvas_text(canvas, inside, 1, y, STYLE_NORMAL, "%-5s → %-5s", from, to);
        int end = inside.width - 14;
        if (node && record->answer != EVENT_KNOWN && end > 19) {
            struct text edge = TEXT_EMPTY;
            node_edge(model->state, node, canvas->unicode, end - 16, &edge);
            canvas_text(canvas, area_part(inside, 0, 0, end, inside.height), 15, y, STYLE_NORMAL, "%s",
                        text_string(&edge));
            text_done(&edge);
        } else if (record->answer == EVENT_KNOWN) {
            canvas_text(canvas, inside, 15, y, STYLE_DIM, "known already");
        }
        if (node && node->status == NODE_DONE && end > 0) {
            canvas_text(canvas, inside, end, y, STYLE_NORMAL, "%6.2f", 100 * node->accuracy);
            node_draw_gain(state, node, canvas, inside, end + 7, y, 6);
        } else if (node && end > 0) {
            canvas_text(canvas, inside, end + 1, y, node_style(node->status), "%s", node_word(node->status));
        }
        y++;
    }
}

/* A line where the policy has collapsed. */
static int draw_collapse(const struct session_state *state, struct canvas *canvas, struct area inside, int y)
{
    struct text words = TEXT_EMPTY;
    if (policy_has_collapsed(state, &words))
        canvas_text(canvas, inside, 0, y++, STYLE_WARNING, "%s", text_string(&words));
    text_done(&words);
    return y;
}

static void draw_controller(const struct model *model, struct canvas *canvas, struct area inside)
{
    const struct session_state *state = model->state;
    if (model->heat.open) {
        heat_map_draw(model, canvas, inside);
        return;
    }
    draw_update(state, canvas, inside);
    int y = draw_collapse(state, canvas, inside, 1);
    static const enum trend order[] = {TREND_MEAN, TREND_BEST, TREND_ENTROPY, TREND_REWARD};
    int trends = state->policy_count < 1 ? 0 : inside.height >= 12 ? 4 : inside.height >= 8 ? 2 : 1;
    for (int i = 0; i < trends; i++)
        draw_trend(state, order[i], canvas, inside, y++);
    y = draw_decision(state, canvas, inside, inside.height >= 10 ? y + 1 : y);
    draw_earlier(model, canvas, inside, y + 1);
}

static void settle_controller(struct model *model, struct area inside)
{
    if (model->heat.open)
        heat_map_settle(model, inside);
}

static bool request_controller(struct model *model, enum request request, struct area inside)
{
    return (model->heat.open && heat_map_request(model, request, inside)) || tree_request(model, request, inside);
}

static void title_controller(const struct model *model, struct text *text)
{
    if (model->heat.open) {
        heat_map_title(model, text);
        return;
    }
    const char *policy = session_option(model->state, "policy"), *parent = session_option(model->state, "parent");
    const char *from_user = session_option(model->state, "learn-from-user");
    bool shown = from_user && !strcmp(from_user, "yes");
    text_add(text, "%s%s%s%s", policy ? policy : "", shown ? ", learns from you too" : "", parent ? ", parents: " : "",
             parent ? parent : "");
}

const struct view view_controller = {
    .draw = draw_controller, .title = title_controller, .settle = settle_controller, .request = request_controller};
