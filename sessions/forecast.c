/*
 * forecast.c - how far a search is in the limit that it will reach first, and how long it will take.
 *
 * The share counts networks, and those in training in part, by their epochs.  The time left comes from FLOPs: what is
 * left of the networks that wait and train, and those to come, at the speed of the devices with the networks trained
 * last.  Networks grow, so those to come cost more than those so far: between what the last quarter cost, and what they
 * will cost if they go on growing as they did.  The finish trains on one device alone.
 *
 * With a finish the budget of networks or episodes is that of the growth, which is the first part of the search; while
 * the finish trains, its epochs say how far the search is.
 */
#include "sessions/forecast.h"

#include <math.h>
#include <string.h>

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

bool session_has_phases(const struct session_state *state)
{
    const char *parent = session_option(state, "parent");
    return finish_share(state) > 0 || session_phase(state) > PHASE_GROWTH || (parent && !strcmp(parent, "race"));
}

/* NULL while there is none. */
static const struct session_node *finish_of(const struct session_state *state)
{
    int64_t number = session_phase(state) == PHASE_FINISH ? state->node_count : 0;
    while (number && session_node(state, number)->facts.by.value != AUTHOR_FINISH)
        number--;
    return session_node(state, number);
}

static int64_t episode_networks(const struct session_state *state)
{
    int64_t count;
    const char *text = session_option(state, "episode-networks");
    return text && !text_to_integer(text, 1, 1000000, &count) ? count : 0;
}

/* --- the time left, from the FLOPs of what will come --- */

struct range {
    double least, most;
};

/* FLOPs of its whole training. */
static double flops_of(const struct session_state *state, const struct session_node *node)
{
    double epochs = (double)(node->epochs ? node->epochs : state->epochs);
    return 3 * (double)node->facts.flops * epochs * (double)state->facts.train_images;
}

/* Mean of a sample, and the standard error of that mean. */
struct sample {
    double count, sum, squares;
};

static void sample_add(struct sample *sample, double value)
{
    sample->count++;
    sample->sum += value;
    sample->squares += value * value;
}

static double sample_error(const struct sample *sample)
{
    double mean = sample->sum / sample->count;
    double variance = sample->squares / sample->count - mean * mean;
    return sample->count > 1 && variance > 0 ? sqrt(variance / (sample->count - 1)) : 0;
}

/* FLOPs a second of a device: of the networks trained last, since the load of a machine changes; of the one that trains
   while none is done.  Least and most by their spread; 0: not known yet. */
static struct range device_speed(const struct session_state *state)
{
    enum { LAST = 8 };
    struct sample sample = {0};
    for (int64_t i = state->node_count; i > 0 && sample.count < LAST; i--) {
        const struct session_node *node = session_node(state, i);
        if (node->curve_count && node->seconds > 0 && !node_is_final(node))
            sample_add(&sample, 3 * (double)node->facts.flops * node->curve_count * (double)state->facts.train_images /
                                    node->seconds);
    }
    double mean = sample.count ? sample.sum / sample.count : 0, error = sample.count ? sample_error(&sample) : 0;
    return (struct range){larger(mean - error, mean / 2), mean + error};
}

/* FLOPs of the next `count` networks that nobody has proposed yet, by their last quarter: as these are, and as they
   would be if they went on growing at the pace of the search so far, to the limit of FLOPs. */
static struct range flops_to_come(const struct session_state *state, double count)
{
    struct sample last = {0};
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    int64_t limit, quarter = state->node_count / 4 > 4 ? state->node_count / 4 : 4;
    const char *text = session_option(state, "limit-flops");
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        double flops = (double)node->facts.flops, place = (double)i;
        if (node_is_final(node) || node_has_no_result(node))
            continue;
        n++, x += place, y += flops, xx += place * place, xy += place * flops;
        if (i > state->node_count - quarter)
            sample_add(&last, flops);
    }
    double epochs = 3 * (double)state->epochs * (double)state->facts.train_images, spread = n * xx - x * x;
    if (count <= 0 || !last.count)
        return (struct range){0, 0};
    double slope = spread > 0 ? larger((n * xy - x * y) / spread, 0) : 0, level = last.sum / last.count;
    double most = level + larger(slope * (fmin(count, 2 * n) + (double)quarter) / 2, sample_error(&last));
    if (text && !text_to_integer(text, 1, INT64_MAX, &limit) && most > (double)limit)
        most = larger((double)limit, level);
    return (struct range){count * epochs * larger(level - sample_error(&last), 0), count * epochs * most};
}

/* What is left of the networks that wait and train. */
static double flops_pending(const struct session_state *state)
{
    double sum = 0;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (node_is_pending(node) && !node_is_final(node))
            sum += flops_of(state, node) * larger(1 - (node->status == NODE_RUNNING ? progress(node) : 0), 0);
    }
    return sum;
}

/* Networks that will still be proposed until a limit of networks or episodes; negative: there is none. */
static double networks_to_come(const struct session_state *state)
{
    double pending = (double)(state->status_count[NODE_QUEUED] + state->status_count[NODE_RUNNING]);
    double left = -1, size = (double)episode_networks(state), asked = (double)state->proposal_count;
    if (state->budget_networks > 0)
        left = larger((double)state->budget_networks - (double)state->status_count[NODE_DONE] - pending, 0);
    if (state->budget_episodes > 0 && size > 0) {
        double made = asked > 0 ? ((double)state->node_count - 1) / asked : 1;
        double come = larger((double)state->budget_episodes * size - asked, 0) * (made < 1 ? made : 1);
        left = left < 0 || come < left ? come : left;
    }
    return left;
}

/* FLOPs so far, with the parts of epochs that are in training. */
static double flops_spent(const struct session_state *state)
{
    double sum = session_flops(state);
    for (int i = 0; i < state->device_count; i++) {
        const struct session_node *node = session_node(state, state->devices[i].node);
        if (node && node->steps > 0)
            sum += 3 * (double)node->facts.flops * (double)state->facts.train_images * (double)node->step /
                   (double)node->steps;
    }
    return sum;
}

/* All devices train the growth; the finish has one, whatever the growth had. */
static struct range seconds_of_growth(const struct session_state *state, double finish)
{
    struct range speed = device_speed(state), flops = flops_to_come(state, networks_to_come(state)), left = {-1, -1};
    double pending = flops_pending(state), spent = flops_spent(state), share = finish < 1 ? finish / (1 - finish) : 0;
    int present = session_devices_present(state);
    double devices = present > 1 ? present : 1;
    if (speed.least <= 0 || state->epochs <= 0) /* old logs don't say the epochs */
        return left;
    if (networks_to_come(state) >= 0) {
        double least = pending + flops.least, most = pending + flops.most;
        left.least = (least / devices + share * (spent + least)) / speed.most;
        left.most = (most / devices + share * (spent + most)) / speed.least;
    }
    if (state->budget_flops > 0) {
        double growth = larger((1 - finish) * state->budget_flops - spent, 0);
        double all = growth / devices + finish * state->budget_flops;
        left.least = left.least < 0 || all / speed.most < left.least ? all / speed.most : left.least;
        left.most = left.most < 0 || all / speed.least < left.most ? all / speed.least : left.most;
    }
    return left;
}

/* Once the finish has had an epoch by its own pace.  By the share of the search that is done where nothing else is
   known. */
static struct range seconds_left(const struct session_state *state, const struct session_node *finish, double active,
                                 double share)
{
    double left = -1;
    struct range range = {-1, -1};
    if (finish && finish->status == NODE_RUNNING && finish->curve_count && finish->seconds > 0)
        left = finish->seconds / finish->curve_count * finish->epochs * larger(1 - progress(finish), 0);
    else if (session_phase(state) <= PHASE_GROWTH)
        range = seconds_of_growth(state, finish_share(state));
    if (left < 0 && range.least < 0 && share > 0)
        left = active * (1 - share) / share;
    if (left >= 0)
        range = (struct range){left, left};
    double seconds = state->budget_seconds > 0 ? larger(state->budget_seconds - active, 0) : -1;
    if (seconds >= 0 && (range.least < 0 || seconds < range.least))
        range.least = seconds;
    if (seconds >= 0 && (range.most < 0 || seconds < range.most))
        range.most = seconds;
    return range;
}

static void nearest(double *share, const char **binds, double other, const char *name)
{
    if (*binds && other <= *share)
        return;
    *share = larger(*share, other);
    *binds = name;
}

struct forecast session_forecast(const struct session_state *state)
{
    double done = trained(state), share = 0, active = session_active_seconds(state, state->time);
    double finish = finish_share(state), growth = 1 - finish;
    const char *binds = NULL;
    if (state->budget_networks > 0)
        nearest(&share, &binds, growth * done / (double)state->budget_networks, "networks");
    if (state->budget_flops > 0)
        nearest(&share, &binds, session_flops(state) / state->budget_flops, "FLOPs");
    if (state->budget_seconds > 0)
        nearest(&share, &binds, active / state->budget_seconds, "time");
    if (state->budget_episodes > 0 && episode_networks(state) > 0)
        nearest(&share, &binds, growth * (done + (double)(state->known_count + state->refused_count)) /
                                  ((double)state->budget_episodes * (double)episode_networks(state) + 1),
                "episodes");
    const struct session_node *last = finish_of(state);
    double grown = growth > 0 ? share / growth : 1;
    if (finish > 0 && last)
        share = growth + finish * (node_is_pending(last) ? progress(last) : 1);
    else if (finish > 0 && share > growth)
        share = growth; /* the last networks of the growth, and the baseline */
    share = share > 1 ? 1 : share;
    struct range left = seconds_left(state, last, active, share);
    return (struct forecast){.share = share,
                             .binds = binds,
                             .growth = grown > 1 ? 1 : grown,
                             .seconds_left = left.least,
                             .seconds_most = left.most,
                             .rough = session_has_phases(state) || state->budget_flops > 0};
}
