/* clock.h - the two clocks.  Code without side effects (arch, morph, sessions/state) takes times as arguments. */
#ifndef ESPALIER_UTIL_CLOCK_H
#define ESPALIER_UTIL_CLOCK_H

/* Seconds from an arbitrary start that never go back: for durations. */
double clock_monotonic(void);
/* Seconds since 1970 UTC: for the date of a session. */
double clock_wall(void);

#endif
