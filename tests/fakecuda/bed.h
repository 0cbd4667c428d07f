/*
 * bed.h - what tests of the CUDA backend share: the module, which contains the fake unless ESPALIER_CUDA_MODULE names
 * another, and initial weights.
 */
#ifndef ESPALIER_TESTS_FAKE_BED_H
#define ESPALIER_TESTS_FAKE_BED_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "device/cuda.h"
#include "fake.h"
#include "nn/trainer.h"
#include "tests/repeats.h"
#include "util/bug.h"
#include "util/random.h"

/* NULL with a line on standard error.  `*fake` is NULL where the module is the real one. */
static inline const struct cuda_module *bed_module(const struct fake_cuda **fake)
{
    struct error error;
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/fakecuda/espalier-cuda.so", getenv("top_builddir"));
    setenv("ESPALIER_CUDA_MODULE", path, 0);
    const struct cuda_module *module = cuda_module(&error);
    if (!module)
        fprintf(stderr, "# %s\n", error.text);
    *fake = module ? dlsym(dlopen(cuda_module_path(), RTLD_NOW | RTLD_LOCAL), "fake_cuda") : NULL;
    return module;
}

static inline struct weights *bed_weights(const char *text, struct shape input, uint64_t seed)
{
    struct arch arch;
    struct error error;
    if (arch_parse(&arch, text, &error))
        BUG(error.text);
    struct weights *weights = weights_new(&arch, input);
    struct random_stream stream = random_stream_new(seed, RANDOM_TEST, 1, 0);
    weights_initialise(weights, &stream);
    return weights;
}

#endif
