/*
 * forecast.h - how much of a search's budget is spent, and when it will end.  Pure.
 */
#ifndef ESPALIER_SESSIONS_FORECAST_H
#define ESPALIER_SESSIONS_FORECAST_H

#include "sessions/state.h"

/* Does the search have rounds, a baseline or a finish?  No search of before these does. */
bool session_has_phases(const struct session_state *state);

struct forecast {
    double share;        /* of the whole search that is done, 0…1; 0 when there is no limit */
    const char *binds;   /* the budget that is nearest to its limit, which the share is of: "networks"; NULL: none */
    double growth;       /* of the phase of growth, 0…1 */
    double seconds_left; /* at the pace of this search so far, for the FLOPs of what will come; negative: unknown */
    double seconds_most; /* if networks go on growing; both are a budget of seconds that ends before */
    bool rough;          /* phases don't go at one pace, so it is only about that long */
};
struct forecast session_forecast(const struct session_state *state);

#endif
