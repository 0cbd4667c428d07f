/*
 * forecast.c - the pace of the search so far, applied to the limit that it will reach first.
 *
 * Networks in training count in part, by their epochs: so the forecast of a search of few long trainings moves between
 * results too.
 */
#include "sessions/forecast.h"

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Trained networks, and the parts of those in training. */
static double trained(const struct session_state *state)
{
    double sum = (double)state->status_count[NODE_DONE];
    for (int i = 0; i < state->device_count; i++) {
        const struct session_node *node = session_node(state, state->devices[i].node);
        if (node && node->epochs > 0)
            sum += ((double)node->curve_count + (node->steps > 0 ? (double)node->step / (double)node->steps : 0)) /
                   node->epochs;
    }
    return sum;
}

static int64_t episode_networks(const struct session_state *state)
{
    int64_t count;
    const char *text = session_option(state, "episode-networks");
    return text && !text_to_integer(text, 1, 1000000, &count) ? count : 0;
}

struct forecast session_forecast(const struct session_state *state)
{
    double done = trained(state), share = 0, active = session_active_seconds(state, state->time);
    if (state->budget_networks > 0)
        share = larger(share, done / (double)state->budget_networks);
    if (state->budget_seconds > 0)
        share = larger(share, active / state->budget_seconds);
    if (state->budget_episodes > 0 && episode_networks(state) > 0)
        share = larger(share, (done + (double)(state->known_count + state->refused_count)) /
                                  ((double)state->budget_episodes * (double)episode_networks(state) + 1));
    share = share > 1 ? 1 : share;
    return (struct forecast){share, share > 0 ? active * (1 - share) / share : -1};
}
