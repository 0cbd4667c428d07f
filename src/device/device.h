/*
 * device.h - which devices exist and how busy they are.
 *
 * The values come from /proc and /sys, those of GPUs from NVIDIA's management library (NVML).  Each may be unknown:
 * `valid` says which are known.  Sampling may block on a hung driver: do it on a thread of its own.
 */
#ifndef ESPALIER_DEVICE_DEVICE_H
#define ESPALIER_DEVICE_DEVICE_H

#include <stdbool.h>

#include "util/error.h"
#include "util/text.h"

struct backend;

/* A place for one trainer. */
struct device {
    char id[96];    /* as in events: "cpu:0", "cuda:0", "cuda:0.1" (the second trainer on that GPU); "node17/cuda:0" */
    char host[64];  /* the machine that has it: "node17"; "": this one, and else core, cuda, gpu, bus and uuid are 0 */
    char name[160]; /* "AMD EPYC, core 0, avx2"; "NVIDIA L4, 0000:3b:00.0, GPU-1fd0…" */
    char speed_class[64]; /* devices of one class are equally fast: "AMD EPYC 9354, avx512"; "": not known */
    bool is_gpu;    /* here or on another machine */
    int core;       /* CPU number to pin the trainer to, or -1 */
    bool own_core;  /* a core of its own, pinned or not, which may help other trainers while this one is idle */
    const struct backend *cuda; /* of a GPU, in float32 (cuda.h); NULL: a processor, and the fields below mean nothing */
    int gpu;                    /* its number */
    char bus[20], uuid[48];     /* as in struct cuda_device */
    bool lost;                  /* nothing can run on it any more in this process, or until it joins again */
};

enum { DEVICES_MAX = 256, GPU_TRAINERS_MAX = 16 };

/* Find the devices of a list, whose entries are joined by commas:
     auto   one CPU device for each core that this process may use (affinity, and the CPU quota of its control group)
     cpu    the same; cpu:N is N devices, pinned to one core each where N is at least the number of cores
     cuda   every GPU; cuda:0,2 are two of them by number, cuda:GPU-1fd0 is one by the beginning of its UUID
   A core is a physical one; only `cpu:N` uses its second hardware thread.  A GPU has one trainer for each 2 GiB of memory,
   up to four, or the number that follows an x (cuda:0x2, cudax1).  -1 with the reason: there is no such device. */
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
    double utilisation;               /* 0…1 of this core since the last sample; of a GPU as its driver counts it */
    double memory_used, memory_total; /* bytes, of the machine or of the GPU */
    double temperature;               /* °C, of the hottest processor or of the GPU */
    double power;                     /* W, of the machine's processors or of the GPU's board */
    double clock;                     /* Hz */
};

struct device_monitor;
struct device_monitor *device_monitor_new(const struct device *devices, int count);
void device_monitor_sample(struct device_monitor *monitor, struct device_sample *samples);
void device_monitor_free(struct device_monitor *monitor);

/* What `espalier devices --explain` prints: processor, caches, instruction sets, quota, memory, and the GPUs or why
   there are none.  `root` is put before /proc and /sys: "" is this machine, and tests name a folder with files of
   another. */
void devices_explain(const char *root, struct text *text);

#endif
