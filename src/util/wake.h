/*
 * wake.h - a descriptor that another thread or a signal handler makes readable, to wake who polls it.
 *
 * The caller closes it with close().
 */
#ifndef ESPALIER_UTIL_WAKE_H
#define ESPALIER_UTIL_WAKE_H

#include <stdbool.h>

int wake_new(void);
/* Never blocks; async-signal-safe.  Many calls before a wake_take() are as one. */
void wake_send(int wake);
/* Make it unreadable again.  False: nobody has woken it since the last time. */
bool wake_take(int wake);

#endif
