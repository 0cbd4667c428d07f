/*
 * detach.c - forks a search into the background.
 *
 * The fork comes before everything else, so the processes share nothing but a pipe.  The foreground process waits; the
 * background process searches like any other.  Until the search has begun, the background process belongs to the
 * terminal: it prints errors there, and Ctrl-C ends both.  When the first network trains, the search has begun: the
 * background process then leaves the terminal (setsid) and sends the folder's name through the pipe.  A pipe that ends
 * without a name says that the search failed before it began, or had nothing to do.
 *
 * A search with screens is forked likewise, so that it can leave the terminal later: the shell waits for the process
 * that it started, which only keeps the terminal for the one that searches.  It hands on the signals that are sent to
 * it, stops and ends as that does, and ends when that has left the terminal (detach_leave).  When it is killed, the
 * search gets SIGHUP.
 */
#include "cli/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/report.h"
#include "cli/screens.h"
#include "sessions/frame.h"
#include "sessions/session_file.h"
#include "util/file.h"
#include "util/print.h"

/* Global, because the process is in the background. */
static struct {
    int ready;  /* the end of the pipe until the search has begun; -1 otherwise, and in all other processes */
    int output; /* FOLDER/output.log */
    const char *folder;
    bool has_screens; /* it leaves the terminal when a person asks, not when it begins */
} background = {.ready = -1, .output = -1};

/* --- the foreground process --- */

/* Read the folder's name, which comes when the search has left the terminal, and print how to attach to it.  False: the
   pipe ended without. */
static bool print_folder(int pipe)
{
    struct text folder = TEXT_EMPTY;
    char bytes[512];
    ssize_t got;
    while ((got = read(pipe, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR))
        text_add_bytes(&folder, bytes, got > 0 ? (size_t)got : 0);
    bool left = folder.length > 0;
    if (left) {
        char *name = report_session(text_string(&folder));
        print_to(stdout, "%s\nespalier attach %s\n", text_string(&folder), name);
        free(name);
    }
    text_done(&folder);
    return left;
}

static int wait_for_beginning(pid_t child, int pipe)
{
    struct error error;
    int status = 0;
    bool left = print_folder(pipe);
    close(pipe);
    if (left)
        return 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    error_set(&error, "the search was ended by signal %d before it began", WTERMSIG(status));
    return cli_fail(&error);
}

/* --- the process that keeps the terminal for a search with screens --- */

/* End as the search did.  A core was written by it already. */
static int end_as(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    sigset_t all;
    sigfillset(&all);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    pthread_sigmask(SIG_UNBLOCK, &all, NULL);
    return 128 + WTERMSIG(status);
}

/* The search has stopped, as by Ctrl-Z: so does the process that the shell waits for.  True: it has ended, as `status`
   says.  `options` 0: wait for its end. */
static bool follow_child(pid_t child, int options, int *status)
{
    while (waitpid(child, status, options | WUNTRACED) > 0) {
        if (!WIFSTOPPED(*status))
            return true;
        raise(SIGSTOP);
    }
    return false;
}

/* Hand on a signal that was sent to this process alone: the kernel sends those of the terminal to both. */
static void hand_on(pid_t child, const struct signalfd_siginfo *signal)
{
    bool sent = signal->ssi_code <= 0 && signal->ssi_pid != (uint32_t)child;
    if (signal->ssi_signo != SIGCHLD && sent)
        kill(child, (int)signal->ssi_signo);
}

/* True: the child has ended, as `status` says; false: it has left the terminal, and said so in the pipe (-1: none). */
static bool keep(pid_t child, int pipe, int *status)
{
    sigset_t all;
    sigfillset(&all);
    int signals = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
    struct pollfd wait[2] = {{.fd = signals, .events = POLLIN}, {.fd = pipe, .events = POLLIN}};
    struct signalfd_siginfo signal;
    bool left = false, ended = false;
    while (!left && !ended) {
        bool only_end = wait[0].fd < 0 && wait[1].fd < 0; /* no signalfd could be made, and the pipe has ended */
        if (!only_end)
            poll(wait, 2, -1);
        while (read(wait[0].fd, &signal, sizeof signal) == sizeof signal)
            hand_on(child, &signal);
        ended = follow_child(child, only_end ? 0 : WNOHANG, status);
        if (!ended && wait[1].revents) {
            left = print_folder(pipe);
            wait[1].fd = -1; /* it is ending */
        }
    }
    if (signals >= 0)
        close(signals);
    return ended;
}

static int keep_terminal(pid_t child, int pipe)
{
    int status = 0;
    return keep(child, pipe, &status) ? end_as(status) : 0;
}

int detach_follow(pid_t child)
{
    int status = 0;
    keep(child, -1, &status);
    return status;
}

/* The search belongs to the process that keeps the terminal, until it leaves that. */
static void begin_with_screens(int pipe, pid_t keeper, const sigset_t *signals)
{
    background.ready = pipe;
    background.has_screens = true;
    prctl(PR_SET_PDEATHSIG, SIGHUP);
    if (getppid() != keeper)
        raise(SIGHUP);
    pthread_sigmask(SIG_SETMASK, signals, NULL);
}

/* As detach_begin(), for a search with screens.  Where no process can be made, it just can't be detached. */
static int begin_front(void)
{
    int ends[2];
    sigset_t all, before;
    pid_t keeper = getpid();
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    sigfillset(&all);
    fflush(NULL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    close(ends[child > 0 ? 1 : 0]);
    if (child > 0)
        return keep_terminal(child, ends[0]);
    if (child == 0) {
        begin_with_screens(ends[1], keeper, &before);
        return -1;
    }
    close(ends[1]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -1;
}

/* --- the background process --- */

/* Close what the shell had open: a search must not hold a lock, or a pipe that someone reads to its end. */
static void keep_only(int pipe)
{
    enum { KEPT = STDERR_FILENO + 1 };
    if (pipe != KEPT) {
        dup2(pipe, KEPT);
        close(pipe);
    }
    fcntl(KEPT, F_SETFD, FD_CLOEXEC);
    close_range(KEPT + 1, ~0U, 0);
    background.ready = KEPT;
}

static void leave_terminal(void)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        close(nothing);
    }
    dup2(background.output, STDERR_FILENO);
    close(background.output);
    setsid();
    ssize_t told = write(background.ready, background.folder, strlen(background.folder));
    (void)told; /* a failure means that nobody waits any more */
    close(background.ready);
    background.ready = -1;
}

static void on_event(void *context, const struct event *event)
{
    if (background.ready >= 0 && event->kind == EVENT_STARTED)
        leave_terminal();
}

/* Print to the session's folder from now on. */
static int open_output(const char *folder, struct error *error)
{
    char *path = file_join(folder, OUTPUT_FILE);
    background.output = session_file_open(path, IN_SESSION, O_WRONLY | O_CREAT | O_APPEND, true, error);
    free(path);
    if (background.output < 0)
        return -1;
    fflush(stdout);
    dup2(background.output, STDOUT_FILENO);
    background.folder = folder;
    return 0;
}

bool detach_can_leave(void)
{
    return background.ready >= 0 && background.has_screens;
}

int detach_leave(const char *folder, struct error *error)
{
    sigset_t all;
    sigfillset(&all);
    if (open_output(folder, error))
        return -1;
    prctl(PR_SET_PDEATHSIG, 0);
    leave_terminal();
    pthread_sigmask(SIG_UNBLOCK, &all, NULL); /* those that the screens have read */
    return 0;
}

int detach_settle(struct engine *engine, const char *folder, struct error *error)
{
    if (background.ready < 0 || background.has_screens)
        return 0;
    if (open_output(folder, error))
        return -1;
    engine_add_sink(engine, (struct event_sink){.event = on_event});
    return 0;
}

int detach_begin(const struct cli_arguments *arguments)
{
    int ends[2];
    struct error error;
    signal(SIGCHLD, SIG_DFL); /* where the parent ignored it, waitpid() would say nothing of the search's end */
    if (!cli_value(arguments, "detach"))
        return screens_wanted(arguments) ? begin_front() : -1;
    fflush(NULL);
    pid_t child = pipe2(ends, O_CLOEXEC) ? -1 : fork();
    if (child < 0) {
        error_set(&error, "no process can be made for the background (%s)", strerror(errno));
        return cli_fail(&error);
    }
    close(ends[child ? 1 : 0]);
    if (child)
        return wait_for_beginning(child, ends[0]);
    keep_only(ends[1]);
    return -1;
}
