/*
 * cuda.h - the interface of the CUDA backend, a module that is opened when it is there.
 *
 * espalier-cuda.so exports one table, `espalier_cuda_module`.  The first thread that asks opens it; it is never closed.
 * The program itself depends on nothing of NVIDIA's.  Where the module, one of its libraries, the driver or a device is
 * missing, a text says so, and the CPU is used.
 *
 * Devices are numbered in the order of their PCI addresses, among those that the driver shows (CUDA_VISIBLE_DEVICES,
 * MIG).
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
    char uuid[48];    /* "GPU-…"; "MIG-…" of a part of a GPU */
    char bus[20];     /* PCI address, "0000:3b:00.0" */
    int major, minor; /* compute capability */
    int processors;   /* streaming multiprocessors */
    double memory;    /* bytes */
    bool bf16;        /* false: float16 with loss scaling is the fast precision */
};

struct cuda_module {
    const char *program;          /* that it was built with: "espalier 0.1.0" */
    const char *(*toolkit)(void); /* "CUDA 13.0, cuDNN 9.19.0, cuBLAS 13.1", as found at run time */
    /* All devices, in the order of their numbers.  -1 with the reason when there are none; any thread. */
    int (*devices)(struct cuda_device devices[CUDA_DEVICES_MAX], int *count, struct error *error);
    /* Free memory of a device, in bytes. */
    int (*memory_free)(int device, double *bytes, struct error *error);
    /* The backend in float32.  Its `bf16` computes in bfloat16, or in float16 with loss scaling where the device has no
       bfloat16. */
    const struct backend *(*backend)(int device);
    /* In float16 with loss scaling, on any device: tests run it where `bf16` is another. */
    const struct backend *(*backend_f16)(int device);
};

/* NULL with the reason when it is not found or can't be loaded. */
const struct cuda_module *cuda_module(struct error *error);
/* The file that was opened, or the last that was looked for. */
const char *cuda_module_path(void);

/* What the module exports. */
extern const struct cuda_module espalier_cuda_module;

#endif
