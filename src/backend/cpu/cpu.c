/* cpu.c - choosing the CPU backend's instruction set. */
#include "config.h"

#include "backend/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

const char *const cpu_isa_names[] = {
#ifdef ESPALIER_X86_64
    "avx512bf16", "avx512", "avx2",
#endif
    "baseline",   NULL,
};

#ifdef ESPALIER_X86_64
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

const struct backend *backend_cpu_isa(const char *name)
{
#ifdef ESPALIER_X86_64
    if (!strcmp(name, "avx512bf16") && has_avx512() && __builtin_cpu_supports("avx512bf16"))
        return &backend_cpu_avx512bf16;
    if (!strcmp(name, "avx512") && has_avx512())
        return &backend_cpu_avx512;
    if (!strcmp(name, "avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &backend_cpu_avx2;
#endif
    return strcmp(name, "baseline") ? NULL : &backend_cpu_baseline;
}

const char *cpu_isa_chosen(void)
{
    const char *wanted = getenv("ESPALIER_ISA");
    if (wanted && backend_cpu_isa(wanted))
        return wanted;
    int i = 0;
    while (!backend_cpu_isa(cpu_isa_names[i]))
        i++;
    return cpu_isa_names[i];
}

const struct backend *backend_cpu(void)
{
    return backend_cpu_isa(cpu_isa_chosen());
}
