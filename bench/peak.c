/*
 * peak.c - the floating-point peak of one core, one instruction set.
 *
 * Twelve independent sums in registers: enough to hide the latency of a fused multiply-add on any processor tried so
 * far.  The 10th percentile of many short runs, in CPU time.
 */
#include "config.h"

#include "peak.h"
#include "times.h"

#include <string.h>

enum { SUMS = 12, TURNS = 20000, RUNS = 200 };

typedef float vector4 __attribute__((vector_size(16)));

/* The asm keeps the sums in registers, and the compiler from removing iterations. */
#define PEAK(name, vector, constraint, attributes)                                                                     \
    attributes static void name(void)                                                                                  \
    {                                                                                                                  \
        vector a = (vector){0} + 0.5f, b = (vector){0} + 1e-3f, sums[SUMS] = {0};                                      \
        for (int turn = 0; turn < TURNS; turn++) {                                                                     \
            _Pragma("GCC unroll 12") for (int i = 0; i < SUMS; i++)                                                    \
            {                                                                                                          \
                sums[i] = sums[i] * a + b;                                                                             \
            }                                                                                                          \
            _Pragma("GCC unroll 12") for (int i = 0; i < SUMS; i++) __asm__ volatile("" : constraint(sums[i]));        \
        }                                                                                                              \
    }

#ifdef ESPALIER_X86_64
typedef float vector8 __attribute__((vector_size(32)));
typedef float vector16 __attribute__((vector_size(64)));
PEAK(peak_avx512, vector16, "+v", __attribute__((target("avx512f"), optimize("fp-contract=fast"))))
PEAK(peak_avx2, vector8, "+x", __attribute__((target("avx2,fma"), optimize("fp-contract=fast"))))
PEAK(peak_baseline, vector4, "+x", )
#else
PEAK(peak_baseline, vector4, "+w", __attribute__((optimize("fp-contract=fast"))))
#endif

double peak_flops(const char *isa)
{
    void (*run)(void) = peak_baseline;
    int width = 4;
#ifdef ESPALIER_X86_64
    if (!strncmp(isa, "avx512", strlen("avx512"))) {
        run = peak_avx512;
        width = 16;
    } else if (!strcmp(isa, "avx2")) {
        run = peak_avx2;
        width = 8;
    }
#endif
    static struct times times;
    times.count = 0;
    for (int i = 0; i < RUNS; i++) {
        double start = cpu_seconds();
        run();
        times_add(&times, cpu_seconds() - start);
    }
    return 2.0 * SUMS * TURNS * width / times_best(&times);
}
