/*
 * monitor.c - see monitor.h.
 *
 * A driver that hangs blocks this thread and nothing else: no more samples come, and the screen shows the last as old.
 * Thread and engine share two queues: `samples` (dropped when the queue is full) and `ended`.  A thread that doesn't
 * end in time is detached and never freed, with everything that it may still use.
 */
#include "search/monitor.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"
#include "util/queue.h"
#include "util/threads.h"

#define MONITOR_PERIOD   1.0 /* seconds between samples */
#define MONITOR_END_WAIT 2.0 /* seconds that monitor_free() waits for the thread */

struct monitor {
    pthread_t thread;
    struct queue *samples; /* struct monitor_sample, to the engine */
    struct queue *stop;    /* stays empty; closing it wakes the thread */
    struct queue *ended;   /* one char, from the thread */
    atomic_bool stopping;
    struct device_monitor *devices;
    char (*ids)[sizeof((struct device *)0)->id];
    int count;
};

static void *monitor_thread(void *context)
{
    struct monitor *monitor = context;
    struct device_sample *samples = memory_new((size_t)monitor->count, sizeof *samples);
    char nothing = 0;
    do {
        device_monitor_sample(monitor->devices, samples);
        for (int i = 0; i < monitor->count; i++) {
            struct monitor_sample message = {.sample = samples[i]};
            memcpy(message.device, monitor->ids[i], sizeof message.device);
            queue_try_put(monitor->samples, &message);
        }
        queue_take(monitor->stop, &nothing, MONITOR_PERIOD);
    } while (!atomic_load(&monitor->stopping));
    free(samples);
    queue_put(monitor->ended, &nothing);
    return NULL;
}

static void release(struct monitor *monitor)
{
    device_monitor_free(monitor->devices);
    free(monitor->ids);
    queue_free(monitor->samples);
    queue_free(monitor->stop);
    queue_free(monitor->ended);
    free(monitor);
}

struct monitor *monitor_new(const struct device *devices, int count)
{
    struct monitor *monitor = memory_new(1, sizeof *monitor);
    monitor->count = count;
    monitor->devices = device_monitor_new(devices, count);
    monitor->ids = memory_new((size_t)count, sizeof *monitor->ids);
    for (int i = 0; i < count; i++)
        memcpy(monitor->ids[i], devices[i].id, sizeof monitor->ids[i]);
    monitor->samples = queue_new(sizeof(struct monitor_sample), (size_t)count * 2);
    monitor->stop = queue_new(1, 1);
    monitor->ended = queue_new(1, 1);
    atomic_init(&monitor->stopping, false);
    if (thread_start(&monitor->thread, monitor_thread, monitor))
        return monitor;
    release(monitor);
    return NULL;
}

bool monitor_take(struct monitor *monitor, struct monitor_sample *sample)
{
    return monitor && queue_take(monitor->samples, sample, 0);
}

void monitor_free(struct monitor *monitor)
{
    char nothing;
    if (!monitor)
        return;
    atomic_store(&monitor->stopping, true);
    queue_close(monitor->stop);
    if (!queue_take(monitor->ended, &nothing, MONITOR_END_WAIT)) {
        pthread_detach(monitor->thread);
        return;
    }
    pthread_join(monitor->thread, NULL);
    release(monitor);
}
