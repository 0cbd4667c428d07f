/*
 * sandbox.c - fork, limits (setrlimit), and a filter of system calls (libseccomp).
 *
 * The filter refuses calls with EPERM and doesn't kill, so that a library that asks for more than it needs goes on.
 */
#include "config.h"

#include "data/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

/* The sanitizers take terabytes of addresses. */
#ifndef __has_feature /* clang's */
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||               \
    __has_feature(thread_sanitizer)
static const bool limits_memory = false;
#else
static const bool limits_memory = true;
#endif

/* The addresses that this process uses, in bytes; 0: not known. */
static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit(int what, size_t most)
{
    struct rlimit bound = {most, most};
    setrlimit(what, &bound); /* it can fail only where the limit is lower already */
}

/* Standard output and errors lead nowhere, other descriptors are closed. */
static void close_others(int keep, int pipe)
{
    int nowhere = open("/dev/null", O_WRONLY);
    for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO && nowhere >= 0; stream++)
        dup2(nowhere, stream);
    int low = keep < pipe ? keep : pipe, high = keep < pipe ? pipe : keep;
    if (low > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned)low - 1, 0);
    if (high > low + 1)
        close_range((unsigned)low + 1, (unsigned)high - 1, 0);
    close_range((unsigned)high + 1, ~0u, 0);
}

/* The child is killed with its parent, leaves no memory image, and can't gain rights by a program that it starts. */
static void be_limited(size_t used, size_t memory, unsigned seconds)
{
    static const int defaults[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM};
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        signal(defaults[i], SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_CPU, seconds);
    if (limits_memory && used)
        limit(RLIMIT_AS, used + memory);
}

pid_t sandbox_fork(size_t memory, unsigned seconds, int keep, int *pipe, struct error *error)
{
    int ends[2];
    size_t used = address_space();
    pid_t child = pipe2(ends, O_CLOEXEC) ? -1 : fork();
    if (child < 0)
        return error_set(error, "no process to read it in (%s); end other programs, or raise ulimit -u",
                         strerror(errno));
    *pipe = ends[child ? 0 : 1];
    close(ends[child ? 1 : 0]);
    if (!child) {
        close_others(keep, *pipe);
        be_limited(used, memory, seconds);
    }
    return child;
}

void sandbox_seal(void)
{
#ifdef HAVE_SECCOMP
    static const int calls[] = {
        SCMP_SYS(read),
        SCMP_SYS(pread64),
        SCMP_SYS(readv),
        SCMP_SYS(lseek),
        SCMP_SYS(fstat),
        SCMP_SYS(newfstatat),
        SCMP_SYS(close),
        SCMP_SYS(write),
        SCMP_SYS(mmap),
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(mprotect),
        SCMP_SYS(madvise),
        SCMP_SYS(brk),
        SCMP_SYS(futex),
        SCMP_SYS(getpid),
        SCMP_SYS(gettid),
        SCMP_SYS(tgkill),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sigaltstack),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(sched_yield),
        SCMP_SYS(restart_syscall),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    for (size_t i = 0; filter && i < sizeof calls / sizeof *calls; i++)
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0); /* one that this processor family lacks is left out */
    if (filter)
        seccomp_load(filter); /* a kernel without filters still has the limits */
    seccomp_release(filter);
#endif
}

void sandbox_leave(void)
{
    _exit(0);
}

int sandbox_end(pid_t child, int pipe, struct error *error)
{
    int status = 0;
    close(pipe);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFSIGNALED(status))
        return error_set(error,
                         "its reader was ended by signal %d (%s): it is damaged, or claims more than its length "
                         "allows; copy the file again",
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
    return WEXITSTATUS(status) ? error_set(error, "its reader ended early; copy the file again") : 0;
}

int sandbox_send(int pipe, const void *bytes, size_t length)
{
    for (ssize_t done; length; bytes = (const char *)bytes + done, length -= (size_t)done) {
        done = write(pipe, bytes, length);
        if (done < 0 && errno == EINTR)
            done = 0;
        else if (done <= 0)
            return -1;
    }
    return 0;
}

int sandbox_receive(int pipe, void *bytes, size_t length)
{
    for (ssize_t done; length; bytes = (char *)bytes + done, length -= (size_t)done) {
        done = read(pipe, bytes, length);
        if (done < 0 && errno == EINTR)
            done = 0;
        else if (done <= 0)
            return -1;
    }
    return 0;
}
