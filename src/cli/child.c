/*
 * child.c - see child.h.
 *
 * Between fork() and exec() the child only calls what is safe in a process that had threads.  It is started by the path
 * of this program, not as /proc/self/exe: the name of a process says whether it is one of this program's.
 */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/detach.h"
#include "util/memory.h"

enum { WORDS_MAX = 64, PATH_BYTES = 4096 };

struct start {
    char program[PATH_BYTES];
    const char *arguments[WORDS_MAX];
    const sigset_t *signals;
    int death_signal;          /* that it gets when this process dies */
    int input, output, errors; /* descriptors; -1: as this process has them */
};

static int prepare(struct start *start, const char *const *words, const sigset_t *signals, struct error *error)
{
    ssize_t length = readlink("/proc/self/exe", start->program, sizeof start->program - 1);
    start->program[length > 0 ? length : 0] = '\0';
    if (access(start->program, X_OK))
        return error_set(error, "this program isn't where it was (%s); begin it anew", start->program);
    start->arguments[0] = "espalier";
    int count = 1;
    for (; *words && count < WORDS_MAX - 1; count++)
        start->arguments[count] = *words++;
    start->arguments[count] = NULL;
    start->signals = signals;
    start->input = start->output = start->errors = -1;
    return 0;
}

static _Noreturn void become(const struct start *start, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, start->death_signal);
    if (getppid() != parent)
        _exit(1);
    if (start->input >= 0)
        dup2(start->input, STDIN_FILENO);
    if (start->output >= 0)
        dup2(start->output, STDOUT_FILENO);
    if (start->errors >= 0)
        dup2(start->errors, STDERR_FILENO);
    sigprocmask(SIG_SETMASK, start->signals, NULL);
    execv(start->program, (char *const *)start->arguments);
    _exit(127);
}

static pid_t begin(const struct start *start, struct error *error)
{
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        become(start, parent);
    if (child < 0)
        error_set(error, "no process can be made (%s)", strerror(errno));
    return child;
}

static void read_all(int file, struct text *text)
{
    char bytes[4096];
    ssize_t got;
    for (off_t at = 0; (got = pread(file, bytes, sizeof bytes, at)) > 0; at += got)
        text_add_bytes(text, bytes, (size_t)got);
}

int child_on_terminal(const char *const *words, const sigset_t *signals, struct text *messages, int *status,
                      struct error *error)
{
    struct start start;
    sigset_t all, before;
    if (prepare(&start, words, signals, error))
        return -1;
    start.death_signal = SIGHUP;
    if (messages)
        start.errors = memfd_create("espalier-messages", MFD_CLOEXEC);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = begin(&start, error);
    if (child > 0)
        *status = detach_follow(child);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (start.errors >= 0) {
        read_all(start.errors, messages);
        close(start.errors);
    }
    return child > 0 ? 0 : -1;
}

int child_start(struct child *child, const char *const *words, const sigset_t *signals, struct error *error)
{
    struct start start;
    int ends[2];
    if (prepare(&start, words, signals, error))
        return -1;
    if (pipe2(ends, O_CLOEXEC))
        return error_set(error, "no pipe can be made (%s)", strerror(errno));
    start.death_signal = SIGKILL;
    start.input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    start.output = start.errors = ends[1];
    child->process = begin(&start, error);
    close(ends[1]);
    if (start.input >= 0)
        close(start.input);
    child->output = ends[0];
    if (child->process > 0) {
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        return 0;
    }
    close(ends[0]);
    *child = (struct child){0, -1};
    return -1;
}

static void reap(struct child *child)
{
    while (waitpid(child->process, NULL, 0) < 0 && errno == EINTR)
        ;
    close(child->output);
    *child = (struct child){0, -1};
}

bool child_read(struct child *child, struct text *printed, size_t most)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(child->output, bytes, sizeof bytes)) > 0) {
        size_t rest = printed->length < most ? most - printed->length : 0;
        text_add_bytes(printed, bytes, (size_t)got < rest ? (size_t)got : rest);
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    reap(child);
    return true;
}

void child_stop(struct child *child)
{
    if (child->process <= 0)
        return;
    kill(child->process, SIGKILL);
    reap(child);
}
