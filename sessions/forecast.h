/*
 * forecast.h - how much of a search's budget is spent, and when it will end.  Pure.
 */
#ifndef ESPALIER_SESSIONS_FORECAST_H
#define ESPALIER_SESSIONS_FORECAST_H

#include "sessions/state.h"

/* The share of the budget that is spent (0…1; 0 when there is no limit), and the seconds left by the pace of this search
   so far (negative: unknown). */
struct forecast {
    double share, seconds_left;
};
struct forecast session_forecast(const struct session_state *state);

#endif
