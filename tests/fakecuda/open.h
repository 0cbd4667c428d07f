/*
 * open.h - opens the CUDA module that has the fake inside, for tests.
 */
#ifndef ESPALIER_TESTS_FAKE_OPEN_H
#define ESPALIER_TESTS_FAKE_OPEN_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "device/cuda.h"
#include "fake.h"

/* The module; NULL with a line on standard error. */
static inline const struct cuda_module *fake_open(const struct fake_cuda **fake)
{
    struct error error;
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/fakecuda/espalier-cuda.so", getenv("top_builddir"));
    setenv("ESPALIER_CUDA_MODULE", path, 0);
    const struct cuda_module *module = cuda_module(&error);
    void *library = module ? dlopen(cuda_module_path(), RTLD_NOW | RTLD_LOCAL) : NULL;
    *fake = library ? dlsym(library, "fake_cuda") : NULL;
    if (!*fake)
        fprintf(stderr, "# %s: %s\n", path, module ? "has no fake of CUDA inside" : error.text);
    return *fake ? module : NULL;
}

#endif
