/* peak.h - the peak of this core's multiply-adds, measured. */
#ifndef ESPALIER_BENCH_PEAK_H
#define ESPALIER_BENCH_PEAK_H

/* FLOP/s of independent multiply-adds in registers, with the vectors of an instruction set (cpu.h). */
double peak_flops(const char *isa);

#endif
