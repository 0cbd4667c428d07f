/* threads.h - how threads start: they leave signals to the thread that started the program. */
#ifndef ESPALIER_UTIL_THREADS_H
#define ESPALIER_UTIL_THREADS_H

#include <pthread.h>
#include <stdbool.h>

/* False when the system has no thread to give.  `run` returns; it does not call pthread_exit(). */
bool thread_start(pthread_t *thread, void *(*run)(void *context), void *context);
/* Keep the calling thread on one CPU.  Where that isn't allowed it runs as before: slower, not wrong. */
void thread_pin(int core);

#endif
