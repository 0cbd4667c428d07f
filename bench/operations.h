/* operations.h - how long each operation of a network takes on a device. */
#ifndef ESPALIER_BENCH_OPERATIONS_H
#define ESPALIER_BENCH_OPERATIONS_H

#include "workload.h"

/* Print a line for each operation and direction: microseconds, when it runs `repeats` times in a row.  -1 with the
   reason.  One thread at a time. */
int operations_time(const struct backend *backend, const struct bench_network *network, const struct view *view,
                    int batch, int repeats, struct error *error);

#endif
