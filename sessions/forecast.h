/*
 * forecast.h - how much of a search's budget is spent, and when it will end.  Pure.
 */
#ifndef ESPALIER_SESSIONS_FORECAST_H
#define ESPALIER_SESSIONS_FORECAST_H

#include "sessions/state.h"

/* Does the search end with a baseline or a final training, or is it made of rounds?  False: of before there were any. */
bool session_has_phases(const struct session_state *state);

struct forecast {
    double share;        /* of the whole search that is done, 0…1; 0 when there is no limit */
    double growth;       /* of the phase of growth, 0…1 */
    double seconds_left; /* by the pace of this search so far; negative: unknown */
    bool rough;          /* phases that cost no exactly known time are still to come */
};
struct forecast session_forecast(const struct session_state *state);

#endif
