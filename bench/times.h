/* times.h - CPU times of one thing done again and again, and the one that counts. */
#ifndef ESPALIER_BENCH_TIMES_H
#define ESPALIER_BENCH_TIMES_H

enum { TIMES_MAX = 4096 };
/* All zero: none yet. */
struct times {
    int count;
    double seconds[TIMES_MAX];
};

/* CPU time of this thread; time on the wall. */
double cpu_seconds(void);
double wall_seconds(void);
/* Past TIMES_MAX they are dropped. */
void times_keep(struct times *times, double seconds);
/* The fastest tenth's slowest; 0 of none.  Not the very fastest: the kernel's count of CPU time is now and then short
   by a good part of a millisecond.  Sorts them. */
double times_best(struct times *times);

#endif
