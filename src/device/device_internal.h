/*
 * device_internal.h - what the files of src/device/ share; its tests use it too.
 *
 * `root` is put before /proc and /sys: "" is this machine, and tests name a folder with files of another one.
 */
#ifndef ESPALIER_DEVICE_DEVICE_INTERNAL_H
#define ESPALIER_DEVICE_DEVICE_INTERNAL_H

#include <stdbool.h>

#include "device/cuda.h"
#include "device/device.h"

enum { PROCESSORS_MAX = 1024 };

/* The processors (hardware threads) that this process may use. */
struct processors {
    char model[64];              /* "AMD EPYC" */
    const char *instructions;    /* "avx512bf16", "avx512", "avx2", "neon" or "baseline" */
    int count;                   /* processors in `numbers` */
    int cores;                   /* physical cores among them */
    int numbers[PROCESSORS_MAX]; /* one of each core first, then the cores' other hardware threads */
    double quota;                /* processor seconds a second that the control group allows; 0: no limit */
};

void processors_read(const char *root, struct processors *processors);
/* The default number of trainers: one for each core, but no more than the quota can keep busy. */
int processors_trainers(const struct processors *processors);

/* The default number of trainers on a GPU: one for each 2 GiB, up to GPU_TRAINERS_MAX, because a small network leaves
   most of it idle: its steps wait for launches, not for the GPU's arithmetic. */
int gpu_trainers(const struct cuda_device *gpu);

int devices_find_under(const char *root, const char *list, struct device devices[DEVICES_MAX], int *count,
                       struct error *error);
struct device_monitor *device_monitor_new_under(const char *root, const struct device *devices, int count, double now);
/* `now` is of the monotonic clock, in seconds: power is energy divided by the time between two samples. */
void device_monitor_sample_at(struct device_monitor *monitor, struct device_sample *samples, double now);

/* nvml.c: can NVIDIA's management library be used?  Any thread; false with the reason. */
bool nvml_open(struct error *error);
/* Sample the GPU at a PCI address, or a part of it (a UUID "MIG-…").  May block on a hung driver. */
void nvml_sample(const char *bus, const char *uuid, struct device_sample *sample);

/* proc.c: read a small file as text, or the number at its start.  False: there is none, or it can't be read. */
bool proc_read(const char *root, struct text *text, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool proc_number(const char *root, double *number, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Copy to `value` what follows `key`, blanks and a colon on the line that begins with `key`.  False: no such line. */
bool proc_field(const char *text, const char *key, char *value, size_t size);
/* The names in a folder, sorted, each followed by a zero byte; `*count` of them. */
void proc_list(const char *root, const char *folder, struct text *names, int *count);

/* Visit each folder, without `root`, whose limits of a controller ("cpu", "memory") hold for this process: that of its
   control group and all above it.  A folder need not exist. */
typedef void control_group_visit(void *context, const char *folder);
void control_group_each(const char *root, const char *controller, control_group_visit *visit, void *context);

#endif
