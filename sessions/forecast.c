/*
 * forecast.c - the pace of the search so far, applied to the limit that it will reach first.
 *
 * Networks in training count in part, by their epochs: so the forecast of a search of few long trainings moves between
 * results too.  A search that ends with a final training keeps a share of its budget for it (the option `finish`).  Growth
 * may use the rest of the FLOPs or seconds; where the budget is networks or episodes, the final training costs as many FLOPs
 * in proportion to growth.  Once the final training has begun, its epochs are known.
 */
#include "sessions/forecast.h"

#include <string.h>

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double option(const struct session_state *state, const char *name)
{
    double value;
    const char *text = session_option(state, name);
    return text && !text_to_real(text, 0, 1e15, &value) ? value : 0;
}

bool session_has_phases(const struct session_state *state)
{
    const char *parent = session_option(state, "parent");
    return option(state, "finish") > 0 || session_phase(state) > PHASE_GROWTH || (parent && !strcmp(parent, "race"));
}

/* The part of an epoch that is done in the running step. */
static double epochs_done(const struct session_node *node)
{
    return node->curve_count + (node->steps > 0 ? (double)node->step / (double)node->steps : 0);
}

/* Trained networks, and the parts of those in training. */
static double trained(const struct session_state *state)
{
    double sum = (double)state->status_count[NODE_DONE];
    for (int i = 0; i < state->device_count; i++) {
        const struct session_node *node = session_node(state, state->devices[i].node);
        if (node && node->epochs > 0)
            sum += epochs_done(node) / node->epochs;
    }
    return sum;
}

/* The final training once its epochs are known, or NULL. */
static const struct session_node *finish_of(const struct session_state *state)
{
    const struct session_node *last = session_node(state, state->node_count);
    bool finishes = last && last->facts.by.value == AUTHOR_FINISH && last->epochs > 0;
    return finishes && session_phase(state) == PHASE_FINISH ? last : NULL;
}

static double limit(double share)
{
    return share > 1 ? 1 : share;
}

/* The share of growth by the limits that count networks and episodes. */
static double growth_by_count(const struct session_state *state)
{
    double done = trained(state), share = 0, size = option(state, "episode-networks");
    if (state->budget_networks > 0)
        share = larger(share, done / (double)state->budget_networks);
    if (state->budget_episodes > 0 && size > 0)
        share = larger(share, (done + (double)(state->known_count + state->refused_count)) /
                                  ((double)state->budget_episodes * size + 1));
    return share;
}

/* The share of the search by the limits that count what it spends. */
static double share_by_cost(const struct session_state *state, double active)
{
    double share = state->budget_seconds > 0 ? active / state->budget_seconds : 0;
    return state->budget_flops > 0 ? larger(share, session_flops(state) / state->budget_flops) : share;
}

struct forecast session_forecast(const struct session_state *state)
{
    double active = session_active_seconds(state, state->time), reserve = limit(option(state, "finish"));
    double cost = share_by_cost(state, active), count = growth_by_count(state);
    const struct session_node *finish = finish_of(state);
    struct forecast forecast = {.rough = session_has_phases(state) || state->budget_flops > 0};
    forecast.growth = limit(larger(count, reserve < 1 ? cost / (1 - reserve) : 0));
    forecast.share = limit(larger(limit(count) * (1 - reserve), cost));
    if (finish) {
        double spent = session_flops(state), left = 3 * (double)finish->facts.flops *
                                                    (double)state->facts.train_images *
                                                    (finish->epochs - finish->curve_count);
        forecast.share = finish->status == NODE_DONE || spent + left <= 0 ? 1 : spent / (spent + left);
    }
    forecast.seconds_left = forecast.share > 0 ? active * (1 - forecast.share) / forecast.share : -1;
    if (finish && finish->curve_count && finish->seconds > 0) /* its own pace */
        forecast.seconds_left = finish->seconds / finish->curve_count * larger(finish->epochs - epochs_done(finish), 0);
    return forecast;
}
