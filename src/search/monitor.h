/*
 * monitor.h - a thread that samples devices about once a second.
 */
#ifndef ESPALIER_SEARCH_MONITOR_H
#define ESPALIER_SEARCH_MONITOR_H

#include "device/device.h"

struct monitor;
struct monitor_sample {
    char device[sizeof((struct device *)0)->id];
    struct device_sample sample;
};
/* NULL when the system has no thread for it. */
struct monitor *monitor_new(const struct device *devices, int count);
/* The next sample, without waiting.  False: there is none, or `monitor` is NULL. */
bool monitor_take(struct monitor *monitor, struct monitor_sample *sample);
void monitor_free(struct monitor *monitor);

#endif
