/*
 * threads.c - how a thread starts here: with every signal blocked that a person or the system may send.
 *
 * Signals that a fault raises in the thread itself stay deliverable: blocking them has no meaning.  For them it has a
 * stack of its own (SA_ONSTACK), since its usual one may have overflown; a sanitizer's own stays in its place.
 */
#include "config.h"

#include "util/threads.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "util/bug.h"
#include "util/memory.h"

enum { FAULT_STACK = 1 << 16 };

struct beginning {
    void *(*run)(void *context);
    void *context;
};

static void *begin(void *data)
{
    struct beginning beginning = *(struct beginning *)data;
    char *stack = NULL;
    stack_t before;
    free(data);
    if (!sigaltstack(NULL, &before) && before.ss_flags & SS_DISABLE) {
        stack = memory_new(FAULT_STACK, 1);
        sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = FAULT_STACK}, NULL);
    }
    void *result = beginning.run(beginning.context);
    if (stack)
        sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    free(stack);
    return result;
}

bool thread_start(pthread_t *thread, void *(*run)(void *context), void *context)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    struct beginning *beginning = memory_new(1, sizeof *beginning);
    *beginning = (struct beginning){run, context};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &before); /* inherited by the new thread */
    bool started = pthread_create(thread, NULL, begin, beginning) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started)
        free(beginning);
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
