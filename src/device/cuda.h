/*
 * cuda.h - the CUDA backend as the rest of the program sees it: a module beside it, opened when it is there.
 *
 * espalier-cuda.so exports one table, `espalier_cuda_module`.  It is opened once, by the first thread that asks, and
 * never closed.  The program itself depends on nothing of NVIDIA's: where the module, a library of it, the driver or a
 * device is missing, that is one line of text, and the CPU goes on.
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
    char uuid[48];    /* "GPU-…", of a part of a GPU "MIG-…" */
    char bus[20];     /* PCI address, "0000:3b:00.0" */
    int major, minor; /* compute capability */
    int processors;   /* streaming multiprocessors */
    double memory;    /* bytes */
    bool bf16;        /* else float16 with loss scaling is what is fast there */
};

struct cuda_module {
    const char *program;          /* of the same build: "espalier 0.1.0" */
    const char *(*toolkit)(void); /* "CUDA 13.0, cuDNN 9.19.0, cuBLAS 13.1", as found at run time */
    /* All devices, in the order of their numbers.  -1 with the reason when there are none; any thread. */
    int (*devices)(struct cuda_device devices[CUDA_DEVICES_MAX], int *count, struct error *error);
    /* Bytes that are free on a device now. */
    int (*memory_free)(int device, double *bytes, struct error *error);
    /* Of float32; its `bf16` multiplies bfloat16, or float16 with loss scaling where that is what the device has. */
    const struct backend *(*backend)(int device);
};

/* NULL with the reason: not found, or what of it can't be loaded. */
const struct cuda_module *cuda_module(struct error *error);
/* Where it was found, or where it was looked for. */
const char *cuda_module_path(void);

/* Its symbol. */
extern const struct cuda_module espalier_cuda_module;

#endif
