/*
 * detach.c - forks a search into the background.
 *
 * The fork comes before everything else, so the processes share nothing but a pipe.  The foreground process waits; the
 * background process searches like any other.  Until the search has begun, the background process belongs to the
 * terminal: it prints errors there, and Ctrl-C ends both.  When the engine has written the OPENED event, the search can
 * be attached to: the background process then leaves the terminal (setsid) and sends the folder's name through the
 * pipe.  A pipe that ends without a name says that the search failed before it began.
 */
#include "cli/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/report.h"
#include "sessions/frame.h"
#include "sessions/session_file.h"
#include "util/file.h"

/* Global, because the process is in the background. */
static struct {
    int ready;  /* the end of the pipe until the search has begun; -1 otherwise, and in all other processes */
    int output; /* FOLDER/output.log */
    const char *folder;
} background = {-1, -1, NULL};

/* --- the foreground process --- */

static int wait_for_beginning(pid_t child, int pipe)
{
    struct text folder = TEXT_EMPTY;
    struct error error;
    int status = 0;
    char bytes[512];
    ssize_t got;
    while ((got = read(pipe, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR))
        text_add_bytes(&folder, bytes, got > 0 ? (size_t)got : 0);
    close(pipe);
    if (folder.length) {
        char *name = report_session(text_string(&folder));
        printf("%s\nespalier attach %s\n", text_string(&folder), name);
        free(name);
        text_done(&folder);
        return 0;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    error_set(&error, "the search was ended by signal %d before it began", WTERMSIG(status));
    return cli_fail(&error);
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
    if (background.ready >= 0 && event->kind == EVENT_OPENED)
        leave_terminal();
}

int detach_settle(struct engine *engine, const char *folder, struct error *error)
{
    if (background.ready < 0)
        return 0;
    char *path = file_join(folder, OUTPUT_FILE);
    background.output = session_file_open(path, IN_SESSION, O_WRONLY | O_CREAT | O_APPEND, true, error);
    free(path);
    if (background.output < 0)
        return -1;
    fflush(stdout);
    dup2(background.output, STDOUT_FILENO);
    background.folder = folder;
    engine_add_sink(engine, (struct event_sink){.event = on_event});
    return 0;
}

int detach_begin(const struct cli_arguments *arguments)
{
    int ends[2];
    struct error error;
    if (!cli_value(arguments, "detach"))
        return -1;
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
