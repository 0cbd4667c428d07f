/*
 * backends.h - the backends that can run on this machine, each instruction set of the CPU backend by itself.
 *
 * Under the sanitizers one of each vector width: AVX-512 with and without bf16 have the same loops over float32.
 */
#ifndef ESPALIER_TESTS_BACKENDS_H
#define ESPALIER_TESTS_BACKENDS_H

#include <string.h>

#include "backend/cpu/cpu.h"
#include "nn/backend.h"
#include "repeats.h"

enum { BACKENDS_MAX = 8 };

/* Fills the list, the reference first, and returns how many. */
static inline int backends_here(const struct backend *list[BACKENDS_MAX])
{
    int count = 0;
    list[count++] = &backend_ref;
    for (int i = 0; cpu_isa_names[i]; i++) {
        bool again = SANITIZED && !strcmp(cpu_isa_names[i], "avx512") && backend_cpu_isa("avx512bf16");
        if (backend_cpu_isa(cpu_isa_names[i]) && !again)
            list[count++] = backend_cpu_isa(cpu_isa_names[i]);
    }
    return count;
}

/* "ref", the name of the CPU backend's instruction set, or the description of one that is for tests alone. */
static inline const char *backend_label(const struct backend *backend)
{
    for (int i = 0; cpu_isa_names[i]; i++) {
        const struct backend *isa = backend_cpu_isa(cpu_isa_names[i]);
        if (isa == backend)
            return cpu_isa_names[i];
        if (isa && isa->bf16 == backend)
            return "bf16";
    }
    return strcmp(backend->name, "cpu") ? backend->name : backend->description;
}

#endif
