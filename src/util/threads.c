/*
 * threads.c - a thread starts with every signal blocked that a person or the system may send.
 *
 * Signals that a fault raises in the thread itself are not blocked.  Their handlers run on a stack of their own
 * (SA_ONSTACK), because the thread's stack may have overflowed; where a sanitizer has set one, that one stays.
 */
#include "util/threads.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "util/bug.h"
#include "util/memory.h"

enum { FAULT_STACK = 1 << 16 };

struct thread_start {
    void *(*run)(void *context);
    void *context;
};

static void *run_thread(void *data)
{
    struct thread_start start = *(struct thread_start *)data;
    char *stack = NULL;
    stack_t before;
    free(data);
    if (!sigaltstack(NULL, &before) && before.ss_flags & SS_DISABLE) {
        stack = memory_new(FAULT_STACK, 1);
        sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = FAULT_STACK}, NULL);
    }
    void *result = start.run(start.context);
    if (stack)
        sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    free(stack);
    return result;
}

bool thread_start(pthread_t *thread, void *(*run)(void *context), void *context)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    struct thread_start *start = memory_new(1, sizeof *start);
    *start = (struct thread_start){run, context};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &before); /* the new thread inherits it */
    bool started = pthread_create(thread, NULL, run_thread, start) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started)
        free(start);
    return started;
}

void thread_pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core < 0 || core >= CPU_SETSIZE)
        return;
    CPU_SET(core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}
