/* threads.h - starts threads that leave all signals to the main thread. */
#ifndef ESPALIER_UTIL_THREADS_H
#define ESPALIER_UTIL_THREADS_H

#include <pthread.h>
#include <stdbool.h>

/* False: the system has no more threads.  `run` must return, not call pthread_exit(). */
bool thread_start(pthread_t *thread, void *(*run)(void *context), void *context);
/* Keep the calling thread on one CPU.  Where the system refuses, the thread runs as before. */
void thread_pin(int core);

#endif
