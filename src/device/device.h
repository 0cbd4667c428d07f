/*
 * device.h - which devices exist and how busy they are.
 *
 * Figures come from /proc and /sys, those of GPUs from NVIDIA's management library (NVML), and are optional one by one:
 * `valid` says which are known.  Samples may block on a hung driver: take them on a thread of their own.
 */
#ifndef ESPALIER_DEVICE_DEVICE_H
#define ESPALIER_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"
#include "util/text.h"

struct backend;

/* One trainer runs on it. */
struct device {
    char id[16];    /* the name in events: "cpu:0"; "cuda:0" and, for further trainers on that GPU, "cuda:0.1" */
    char name[160]; /* "AMD EPYC, core 0, avx2"; "NVIDIA L4, 0000:3b:00.0, GPU-1fd0…" */
    int core;       /* CPU number to pin the trainer to, or -1 */
    bool own_core;  /* pinned or not, no other trainer of the list needs it: it may help others while this one is idle */
    const struct backend *cuda; /* of a GPU, at float32 (cuda.h); NULL: a processor, and the rest has no meaning */
    int gpu;                    /* its number */
    char bus[20], uuid[48];     /* as in struct cuda_device */
    bool lost;                  /* in this process: nothing can run on it any more */
};

enum { DEVICES_MAX = 256, GPU_TRAINERS_MAX = 16 };

/* A list of entries, joined by commas:
     auto       one CPU device for each core this process may use (affinity, and the CPU quota of its cgroup)
     cpu        the same; cpu:N is N trainers; as many as the cores or more are pinned to one each
     cuda       every GPU; cuda:0,2 are two of them by their numbers, cuda:GPU-1fd0 is one by how its UUID begins
   A core is a physical one: its second hardware thread is used by `cpu:N` only.  A GPU has one
   trainer for each 2 GiB of memory, up to four, or as many as stand behind an x (cuda:0x2, cudax1).  Refused with the
   reason where there is no such device. */
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
    double utilisation;               /* 0…1 of this core since the last sample; of a GPU, as its driver counts */
    double memory_used, memory_total; /* bytes, of the machine; of a GPU its own */
    double temperature;               /* °C, of the hottest processor; of the GPU */
    double power;                     /* W, of the machine's processors; of the GPU's board */
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
