/*
 * cuda.h - the CUDA backend as the rest of the program sees it: a module that is opened where there is one.
 *
 * espalier-cuda.so exports one table, `espalier_cuda_module`.  The first thread that calls cuda_module() opens it; it
 * is never closed.  The program itself needs nothing of NVIDIA's: when the module, one of its libraries, the driver or
 * a device is missing, an error says so and the CPU backend is used.
 *
 * Devices are numbered by PCI address, among those that the driver shows (CUDA_VISIBLE_DEVICES, MIG).
 */
#ifndef ESPALIER_DEVICE_CUDA_H
#define ESPALIER_DEVICE_CUDA_H

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

struct backend;

enum { CUDA_DEVICES_MAX = 64 };

struct cuda_device {
    char name[64];    /* "NVIDIA A100-SXM4-40GB" */
    char uuid[48];    /* "GPU-…", or "MIG-…" for a part of a GPU */
    char bus[20];     /* PCI address, "0000:3b:00.0" */
    int major, minor; /* compute capability */
    int processors;   /* streaming multiprocessors */
    double memory;    /* bytes */
    bool bf16;        /* false: the device is fast at float16 only, which needs loss scaling */
};

struct cuda_module {
    const char *program;          /* the program that it was built with: "espalier 0.1.0" */
    const char *(*toolkit)(void); /* "CUDA 13.0, cuDNN 9.19.0, cuBLAS 13.1", as found at run time */
    /* All devices, in the order of their numbers.  -1 with the reason when there are none; any thread. */
    int (*devices)(struct cuda_device devices[CUDA_DEVICES_MAX], int *count, struct error *error);
    /* The bytes that are free on a device now. */
    int (*memory_free)(int device, double *bytes, struct error *error);
    /* The float32 backend; its `bf16` is the one for bfloat16, or for float16 on a device without bfloat16. */
    const struct backend *(*backend)(int device);
};

/* The module, or NULL with the reason why it can't be used. */
const struct cuda_module *cuda_module(struct error *error);
/* The file that it was loaded from, or the last one that was looked for. */
const char *cuda_module_path(void);

/* The symbol that the module exports. */
extern const struct cuda_module espalier_cuda_module;

#endif
