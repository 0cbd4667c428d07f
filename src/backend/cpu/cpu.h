/*
 * cpu.h - the CPU backend's instruction sets: which there are, and which this machine has.
 *
 * backend_cpu() (nn/backend.h) takes the best, or the one that the environment's ESPALIER_ISA names if the machine
 * has it.  All are the same code compiled with other flags.
 */
#ifndef ESPALIER_BACKEND_CPU_CPU_H
#define ESPALIER_BACKEND_CPU_CPU_H

#include "nn/backend.h"

/* Names from best to plainest, ended by NULL, of what this program was built with: "avx512bf16", "avx512", "avx2",
   "baseline". */
extern const char *const cpu_isa_names[];

/* NULL when the name is unknown or this machine lacks it. */
const struct backend *backend_cpu_isa(const char *name);

/* The name of the instruction set that backend_cpu() takes. */
const char *cpu_isa_chosen(void);

extern const struct backend backend_cpu_avx512bf16, backend_cpu_avx512, backend_cpu_avx2, backend_cpu_baseline;
/* For tests alone: the code for vectors of 16 where there is no AVX-512. */
extern const struct backend backend_cpu_wide;

#endif
