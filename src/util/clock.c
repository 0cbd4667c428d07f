/* clock.c - CLOCK_MONOTONIC and CLOCK_REALTIME in seconds. */
#include "util/clock.h"

#include <time.h>

#include "util/bug.h"

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double clock_monotonic(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double clock_wall(void)
{
    return seconds_of(CLOCK_REALTIME);
}
