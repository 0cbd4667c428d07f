/*
 * farm_server_run.c - the processes of a private server; see farm_server.h.
 *
 * The server is a child in a process group of its own, so that Ctrl-C reaches this process alone.  SIGINT asks it for a
 * fast end: transactions that are open are rolled back.  It gets that signal too when this process is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands/farm_server_internal.h"
#include "util/file.h"
#include "util/memory.h"

enum { READY_STEP_MS = 20, LOG_TAIL = 4096, NOT_RUN = 127 };

/* --- programs --- */

static _Noreturn void become(const char *const words[], int input, int output, bool server, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    if (server) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGINT);
        if (getppid() != parent)
            _exit(1);
    }
    signal(SIGXFSZ, SIG_DFL); /* what main() and a shell's & have set */
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(words[0], (char *const *)words);
    _exit(NOT_RUN);
}

static pid_t start(const char *const words[], int input, int output, bool server, struct error *error)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        become(words, input < 0 ? nothing : input, output < 0 ? nothing : output, server, parent);
    if (nothing >= 0)
        close(nothing);
    return child < 0 ? error_set(error, "no process can be made (%s)", strerror(errno)) : child;
}

const char *farm_last_line(const char *text, int *length)
{
    size_t end = strlen(text);
    while (end && text[end - 1] == '\n')
        end--;
    size_t begin = end;
    while (begin && text[begin - 1] != '\n')
        begin--;
    *length = (int)(end - begin);
    return text + begin;
}

/* Add the last bytes of a file. */
static void add_tail(struct text *text, int file)
{
    char bytes[LOG_TAIL];
    off_t length = lseek(file, 0, SEEK_END);
    ssize_t got = pread(file, bytes, sizeof bytes, length > LOG_TAIL ? length - LOG_TAIL : 0);
    if (got > 0)
        text_add_bytes(text, bytes, (size_t)got);
}

int farm_run_program(const char *const words[], int input, struct text *printed, struct error *error)
{
    int output = memfd_create("espalier-farm", MFD_CLOEXEC), status = 0, length;
    pid_t child = start(words, input, output, false, error);
    if (child < 0) {
        if (output >= 0)
            close(output);
        return -1;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (output >= 0) {
        add_tail(printed, output);
        close(output);
    }
    const char *line = farm_last_line(text_string(printed), &length);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_RUN)
        return error_set(error, "%s can't be run", words[0]);
    return status ? error_set(error, "%s failed (%.*s)", words[0], length, line) : 0;
}

/* --- the server --- */

/* The signals that ask for the end, without those that whoever started this process has switched off. */
static void wanted_signals(sigset_t *signals)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;
        if (!sigaction(numbers[i], NULL, &action) && action.sa_handler != SIG_IGN)
            sigaddset(signals, numbers[i]);
    }
}

/* The server writes "ready" into the eighth line of this file. */
static bool is_ready(const struct farm_server *server)
{
    char line[256] = "", *path = file_join(server->folder, "data/postmaster.pid");
    FILE *file = fopen(path, "re");
    long process = 0;
    for (int i = 0; file && i < 8 && fgets(line, sizeof line, file); i++)
        process = i ? process : atol(line);
    if (file)
        fclose(file);
    free(path);
    return process == server->process && !strncmp(line, "ready", 5);
}

/* It has ended, and nobody asked for that. */
static int ended(struct farm_server *server, int log, struct error *error)
{
    struct text tail = TEXT_EMPTY;
    int length = 0;
    server->process = 0;
    if (log >= 0)
        add_tail(&tail, log);
    const char *line = farm_last_line(text_string(&tail), &length);
    error_set(error, "%s: the server has ended: %.*s; see %s/log", server->folder, length, line, server->folder);
    text_done(&tail);
    return -1;
}

static bool has_ended(const struct farm_server *server)
{
    return waitpid(server->process, NULL, WNOHANG) == server->process;
}

void farm_server_stop(struct farm_server *server)
{
    if (server->process <= 0)
        return;
    kill(server->process, SIGINT);
    while (waitpid(server->process, NULL, 0) < 0 && errno == EINTR)
        ;
    server->process = 0;
}

static int open_log(const struct farm_server *server)
{
    char *path = file_join(server->folder, "log");
    int log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    free(path);
    return log;
}

int farm_server_start(struct farm_server *server, struct error *error)
{
    const char *tls = server->address ? "ssl=on" : "ssl=off";
    struct text port = TEXT_EMPTY, listen = TEXT_EMPTY, socket = TEXT_EMPTY, certificate = TEXT_EMPTY, key = TEXT_EMPTY;
    char *postgres = file_join(server->programs, "postgres"), *store = file_join(server->folder, "data");
    int log = open_log(server), failed = 0;
    text_add(&port, "port=%d", server->port);
    text_add(&listen, "listen_addresses=%s", server->address ? server->address : "");
    text_add(&socket, "unix_socket_directories=\"%s\"", server->folder);
    text_add(&certificate, "ssl_cert_file=%s/server.crt", server->folder);
    text_add(&key, "ssl_key_file=%s/server.key", server->folder);
    const char *const words[] = {postgres,
                                 "-D",
                                 store,
                                 "-c",
                                 port.bytes,
                                 "-c",
                                 listen.bytes,
                                 "-c",
                                 socket.bytes,
                                 "-c",
                                 certificate.bytes,
                                 "-c",
                                 key.bytes,
                                 "-c",
                                 tls,
                                 "-c",
                                 "unix_socket_permissions=0700",
                                 NULL};
    sigset_t signals;
    wanted_signals(&signals);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    server->process = start(words, -1, log, true, error);
    failed = server->process < 0 ? -1 : 0;
    if (failed)
        server->process = 0;
    while (!failed && !is_ready(server)) {
        int number = sigtimedwait(&signals, NULL, &(struct timespec){.tv_nsec = READY_STEP_MS * 1000000L});
        if (has_ended(server)) {
            failed = ended(server, log, error);
        } else if (number > 0 && number != SIGCHLD) {
            farm_server_stop(server);
            failed = error_set(error, "%s: stopped before it was ready", server->folder);
        }
    }
    close(log);
    text_done(&port);
    text_done(&listen);
    text_done(&socket);
    text_done(&certificate);
    text_done(&key);
    free(postgres);
    free(store);
    return failed;
}

int farm_server_wait(struct farm_server *server, struct error *error)
{
    sigset_t signals;
    int number;
    wanted_signals(&signals);
    sigaddset(&signals, SIGCHLD);
    do {
        number = sigwaitinfo(&signals, NULL);
        if (has_ended(server)) {
            int log = open_log(server);
            ended(server, log, error);
            return close(log), -1;
        }
    } while (number < 0 || number == SIGCHLD);
    return 0;
}
