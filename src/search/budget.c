/* budget.c - see budget.h. */
#include "search/budget.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "search/rounds.h"

enum { EPOCHS_MAX = 100000 };

double budget_flops(const struct search_options *options, double speed)
{
    double seconds = options->seconds * speed;
    return options->flops > 0 && seconds > 0 ? fmin(options->flops, seconds) : options->flops + seconds;
}

int64_t budget_networks_of(const struct session_state *state, enum node_status status)
{
    int64_t count = state->status_count[status];
    for (int64_t number = 2; number <= state->node_count; number++) {
        const struct session_node *node = session_node(state, number);
        count -= node_is_final(node) && node->status == status;
    }
    return count;
}

double budget_spent(const struct session_state *state, const char *what, double now)
{
    return !strcmp(what, "episodes")   ? (double)state->episode
           : !strcmp(what, "networks") ? (double)budget_networks_of(state, NODE_DONE)
           : !strcmp(what, "flops")    ? session_flops(state)
                                       : session_active_seconds(state, now);
}

double budget_limit(const struct session_state *state, const char *what)
{
    return !strcmp(what, "episodes")   ? (double)state->budget_episodes
           : !strcmp(what, "networks") ? (double)state->budget_networks
           : !strcmp(what, "flops")    ? state->budget_flops
                                       : state->budget_seconds;
}

int budget_check(const struct session_state *state, const char *what, double limit, double now, struct error *error)
{
    bool counted = !strcmp(what, "episodes") || !strcmp(what, "networks"); /* what trains then is let to its end */
    double spent = budget_spent(state, what, now);
    if (limit <= 0 || (counted ? limit >= spent : limit > spent))
        return 0;
    return error_set(error, "%.15g %s are spent already", counted ? spent : ceil(spent), what);
}

/* A network that has reached --target; 0: none has. */
static int64_t find_target(const struct session_state *state, double target)
{
    for (int64_t number = 1; target > 0 && number <= state->node_count; number++) {
        const struct session_node *node = session_node(state, number);
        if (node->status == NODE_DONE && !node->pruned && !node_is_final(node) && node->accuracy >= target)
            return number;
    }
    return 0;
}

bool budget_ends_growth(const struct session_state *state, const struct search_options *options, double now,
                        struct error *message)
{
    double share = 1 - options->finish, seconds = share * state->budget_seconds, flops = share * state->budget_flops;
    int64_t reached = find_target(state, options->target);
    bool race = options->parent == PARENT_RACE && options->patience;
    char number[TEXT_SHORT];
    if (options->finish > 0 && seconds > 0 && session_active_seconds(state, now) >= seconds)
        error_set(message, "the budget of %s is spent", text_duration(number, state->budget_seconds));
    else if (flops > 0 && session_flops(state) >= flops)
        error_set(message, "the budget of %s FLOPs is spent", text_count(number, state->budget_flops));
    else if (reached)
        error_set(message, "n%" PRId64 " has reached %.2f %%", reached, 100 * session_node(state, reached)->accuracy);
    else if (race && rounds_won_by_control(state, options->episode_networks) >= options->patience)
        error_set(message, "the control has won %" PRId64 " rounds in a row", options->patience);
    else
        return false;
    return true;
}

static int64_t option_number(const struct session_state *state, const char *name)
{
    int64_t number;
    const char *text = session_option(state, name);
    return text && !text_to_integer(text, 0, INT64_MAX, &number) ? number : 0;
}

bool budget_growth_is_done(const struct session_state *state)
{
    const char *parent = session_option(state, "parent"), *text = session_option(state, "target");
    int64_t patience = option_number(state, "patience"), size = option_number(state, "episode-networks");
    double target;
    if (text && !text_to_real(text, 0, 1, &target) && find_target(state, target))
        return true;
    return parent && !strcmp(parent, "race") && patience && size && rounds_won_by_control(state, size) >= patience;
}

bool budget_is_over(const struct session_state *state, const struct search_options *options, double now)
{
    if (state->budget_seconds <= 0 || session_active_seconds(state, now) < state->budget_seconds)
        return false;
    enum session_phase phase = session_phase(state);
    return options->finish <= 0 || phase == PHASE_START || phase == PHASE_GROWTH;
}

static bool may_win(const struct session_node *node)
{
    return node->status == NODE_DONE && !node->pruned && !node->dropped && isfinite(node->loss);
}

int64_t budget_grown_winner(const struct session_state *state)
{
    int64_t winner = 0;
    for (int64_t number = 1; number <= state->node_count; number++) {
        const struct session_node *node = session_node(state, number);
        if (may_win(node) && !node_is_final(node) && (!winner || node->loss < session_node(state, winner)->loss))
            winner = number;
    }
    return winner;
}

int64_t budget_winner(const struct session_state *state)
{
    int64_t winner = 0;
    for (int64_t number = 1; number <= state->node_count; number++) {
        const struct session_node *node = session_node(state, number);
        if (may_win(node) && node->facts.by.value != AUTHOR_FINISH &&
            (!winner || node->loss < session_node(state, winner)->loss))
            winner = number;
    }
    return winner;
}

static int64_t whole_epochs(double epochs)
{
    return epochs >= EPOCHS_MAX ? EPOCHS_MAX : epochs > 1 ? (int64_t)epochs : 1;
}

int64_t budget_finish_epochs(const struct session_state *state, const struct search_options *options, double now,
                             int64_t winner)
{
    const struct session_node *node = session_node(state, winner);
    double images = (double)state->facts.train_images, epoch = 3 * (double)node->facts.flops * images;
    double spent = session_flops(state), share = options->finish, epochs = INFINITY;
    if (state->budget_flops > 0)
        epochs = (state->budget_flops - spent) / epoch;
    if (state->budget_seconds > 0 && node->images_per_second > 0)
        epochs = fmin(epochs,
                      (state->budget_seconds - session_active_seconds(state, now)) * node->images_per_second / images);
    if (!isfinite(epochs))
        epochs = share / (1 - share) * spent / epoch;
    return whole_epochs(epochs);
}

int64_t budget_baseline_epochs(const struct session_state *state, int64_t flops)
{
    double spent = 0;
    int64_t winner = budget_grown_winner(state);
    for (const struct session_node *node; (node = session_node(state, winner)); winner = node_inherits(node))
        spent += node_flops_spent(state, node);
    return whole_epochs(spent / (3 * (double)flops * (double)state->facts.train_images) + 0.5);
}
