/* times.h - the times of one thing that is done again and again, and the one that is reported. */
#ifndef ESPALIER_BENCH_TIMES_H
#define ESPALIER_BENCH_TIMES_H

enum { TIMES_MAX = 4096 };
struct times {
    int count;
    double seconds[TIMES_MAX];
};

/* CPU time of this thread; time by the wall. */
double cpu_seconds(void);
double wall_seconds(void);
/* What comes after TIMES_MAX is ignored. */
void times_add(struct times *times, double seconds);
/* The 10th percentile, or 0 without any.  Not the very fastest: the kernel's count of CPU time is now and then short by
   a good part of a millisecond.  Sorts them. */
double times_best(struct times *times);

#endif
