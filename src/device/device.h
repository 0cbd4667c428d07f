/*
 * device.h - which devices exist and how busy they are.
 *
 * CPU figures come from /proc and /sys and are optional one by one: `valid` says which are known.  Samples
 * may block on a hung driver: take them on a thread of their own.
 */
#ifndef ESPALIER_DEVICE_DEVICE_H
#define ESPALIER_DEVICE_DEVICE_H

#include <stdint.h>

#include "util/error.h"
#include "util/text.h"

struct backend;

struct device {
    char id[16];   /* "cpu:0": the name in --devices and in events; one trainer runs on it */
    char name[96]; /* "AMD EPYC, core 0, avx2" */
    int core;      /* CPU number to pin the trainer to, or -1 */
    const struct backend *cuda; /* of a GPU, at float32 (cuda.h); NULL: a processor */
};

enum { DEVICES_MAX = 256 };

/* `auto`: one CPU device for each core this process may use (affinity, and the CPU quota of its cgroup).
   `cpu` the same, `cpu:N` N trainers, the first of them pinned to one processor each; entries may be joined by commas.
   `cuda` all GPUs, `cuda:N` one, by its number: one trainer each; refused with the reason where there is none.  A core is a physical one: its second hardware thread is used by `cpu:N` only. */
int devices_find(const char *list, struct device devices[DEVICES_MAX], int *count, struct error *error);

enum device_field {
    DEVICE_UTILISATION = 1,
    DEVICE_MEMORY = 2,
    DEVICE_TEMPERATURE = 4,
    DEVICE_POWER = 8,
    DEVICE_CLOCK = 16
};

struct device_sample {
    unsigned valid;                   /* of enum device_field */
    double utilisation;               /* 0…1 of this core since the last sample */
    double memory_used, memory_total; /* bytes, of the machine */
    double temperature;               /* °C, of the hottest processor */
    double power;                     /* W, of the machine's processors */
    double clock;                     /* Hz */
};

struct device_monitor;
struct device_monitor *device_monitor_new(const struct device *devices, int count);
void device_monitor_sample(struct device_monitor *monitor, struct device_sample *samples);
void device_monitor_free(struct device_monitor *monitor);

/* Everything `espalier devices --explain` prints: processor, caches, instruction sets, quota, memory, and why
   CUDA is or isn't available. */
void devices_explain(struct text *text);

#endif
