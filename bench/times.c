/* times.c - clocks, and the times of one thing. */
#include "config.h"

#include "times.h"

#include <stdlib.h>
#include <time.h>

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double cpu_seconds(void)
{
    return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

double wall_seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

void times_add(struct times *times, double seconds)
{
    if (times->count < TIMES_MAX)
        times->seconds[times->count++] = seconds;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double times_best(struct times *times)
{
    if (!times->count)
        return 0;
    qsort(times->seconds, (size_t)times->count, sizeof *times->seconds, by_size);
    return times->seconds[times->count / 10];
}
