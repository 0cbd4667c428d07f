/*
 * forecast.c - the pace of the search so far, applied to the limit that it will reach first.
 *
 * With a finish the budget of networks or episodes is that of the growth, which is the first part of the search; while
 * the finish trains, its epochs say how far the search is.
 *
 * Networks in training count in part, by their epochs: so the forecast of a search of few long trainings moves between
 * results too.
 */
#include "sessions/forecast.h"

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* How much of its training has it had? */
static double progress(const struct session_node *node)
{
    double epochs = (double)node->curve_count + (node->steps > 0 ? (double)node->step / (double)node->steps : 0);
    return node->epochs > 0 ? epochs / node->epochs : 0;
}

/* Trained networks, and the parts of those in training. */
static double trained(const struct session_state *state)
{
    double sum = (double)state->status_count[NODE_DONE];
    for (int i = 0; i < state->device_count; i++) {
        const struct session_node *node = session_node(state, state->devices[i].node);
        if (node)
            sum += progress(node);
    }
    return sum;
}

static double finish_share(const struct session_state *state)
{
    double share;
    const char *text = session_option(state, "finish");
    return text && !text_to_real(text, 0, 1, &share) ? share : 0;
}

/* Of the finish; 0 while there is none. */
static double finish_progress(const struct session_state *state)
{
    int64_t number = session_phase(state) == PHASE_FINISH ? state->node_count : 0;
    while (number && session_node(state, number)->facts.by.value != AUTHOR_FINISH)
        number--;
    const struct session_node *finish = session_node(state, number);
    return !finish ? 0 : node_is_pending(finish) ? progress(finish) : 1;
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
    double finish = finish_share(state), growth = 1 - finish;
    if (state->budget_networks > 0)
        share = larger(share, growth * done / (double)state->budget_networks);
    if (state->budget_flops > 0)
        share = larger(share, session_flops(state) / state->budget_flops);
    if (state->budget_seconds > 0)
        share = larger(share, active / state->budget_seconds);
    if (state->budget_episodes > 0 && episode_networks(state) > 0)
        share = larger(share, growth * (done + (double)(state->known_count + state->refused_count)) /
                                  ((double)state->budget_episodes * (double)episode_networks(state) + 1));
    if (finish > 0 && session_phase(state) == PHASE_FINISH)
        share = growth + finish * finish_progress(state);
    else if (finish > 0 && share > growth)
        share = growth; /* the last networks of the growth, and the baseline */
    share = share > 1 ? 1 : share;
    return (struct forecast){share, share > 0 ? active * (1 - share) / share : -1};
}
