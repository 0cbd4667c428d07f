/*
 * budget.h - what a search has spent of its budget, when its growth ends, and how long its last networks train.
 *
 * Functions of the session's state, the options and the event time `now` alone.
 *
 * With --finish SHARE the growth has 1 - SHARE of a budget of FLOPs or seconds, and the finish what is then left; of a
 * budget of networks or episodes the growth has all, and the finish takes SHARE / (1 - SHARE) of the FLOPs so far.
 */
#ifndef ESPALIER_SEARCH_BUDGET_H
#define ESPALIER_SEARCH_BUDGET_H

#include "search/options.h"
#include "sessions/state.h"

/* FLOPs of training that the options allow in all, at so many FLOPs a second; 0: they set no limit of FLOPs or seconds.
 */
double budget_flops(const struct search_options *options, double speed);
/* Networks with a status, without those that train at the end. */
int64_t budget_networks_of(const struct session_state *state, enum node_status status);
/* What is spent at event time `now` of the budget of that name: "episodes", "networks", "flops" or "seconds". */
double budget_spent(const struct session_state *state, const char *what, double now);
/* The limit in force; 0: there is none. */
double budget_limit(const struct session_state *state, const char *what);
/* Would a search with this much for its limit end at once?  Then `error` says what is spent. */
int budget_check(const struct session_state *state, const char *what, double limit, double now, struct error *error);
/* Has the growth reached an end: of its FLOPs, its seconds (these only with a finish), its --target or --patience?  Then
   `message` says which. */
bool budget_ends_growth(const struct session_state *state, const struct search_options *options, double now,
                        struct error *message);
/* By the options in the log: is the --target reached, or the --patience over?  Then no larger budget lets networks
   grow. */
bool budget_growth_is_done(const struct session_state *state);
/* Does the end of the seconds stop what trains?  Not at the end of a search with a finish: that has counted on them. */
bool budget_is_over(const struct session_state *state, const struct search_options *options, double now);
/* The network with the lowest loss that isn't pruned, the earlier of equals, finishes left out; 0: there is none. */
int64_t budget_winner(const struct session_state *state);
/* The same among those of the growth: without baselines and retrained networks. */
int64_t budget_grown_winner(const struct session_state *state);
/* Epochs of a finish that starts from network `winner`, and of a baseline or retrained network of so many FLOPs an image:
   for as many as the growth's winner and those that it grew from have had.  At least 1. */
int64_t budget_finish_epochs(const struct session_state *state, const struct search_options *options, double now,
                             int64_t winner);
int64_t budget_baseline_epochs(const struct session_state *state, int64_t flops);

#endif
