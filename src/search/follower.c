/*
 * follower.c - the log's reader and the socket's end, put together.
 *
 * The order matters.  The log is read to its present end; then the socket is read until it is quiet; and when anything
 * was there, the log is read again.  So an event that was written before its bell was heard is never left lying, and
 * the descriptor is quiet only when the log has been read up to the last bell.  After the socket's end the log is read
 * once more: the writer closed the socket after its last event, or was killed and writes no more.
 */
#include "config.h"

#include "search/follower.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "search/server.h"
#include "util/memory.h"

enum { PATIENCE = 10000 /* milliseconds to wait for the greeting */ };

struct follower {
    struct log_reader *log;
    int socket;
    char line[256]; /* the server's, not whole yet */
    size_t used;
    bool hung_up, ended;
    int64_t answer; /* number of the event that answered the last words sent; 0: not yet */
    struct error trouble;
};

/* Length of the first line with its end, which becomes a terminator; 0: it isn't whole yet. */
static size_t whole_line(struct follower *follower)
{
    char *end = memchr(follower->line, '\n', follower->used);
    if (!end)
        return 0;
    *end = '\0';
    return (size_t)(end - follower->line) + 1;
}

static void drop_line(struct follower *follower, size_t length)
{
    follower->used -= length;
    memmove(follower->line, follower->line + length, follower->used);
}

/* What the socket has now: the number of bytes, 0 when there is nothing, or -1 at its end. */
static ssize_t receive(struct follower *follower)
{
    if (follower->used == sizeof follower->line)
        return -1; /* not what a server says */
    for (;;) {
        ssize_t got = recv(follower->socket, follower->line + follower->used, sizeof follower->line - follower->used,
                           MSG_DONTWAIT);
        if (got > 0)
            follower->used += (size_t)got;
        if (got > 0 || (got < 0 && errno == EAGAIN))
            return got > 0 ? got : 0;
        if (got == 0 || errno != EINTR)
            return -1;
    }
}

static void understand(struct follower *follower)
{
    size_t length;
    while ((length = whole_line(follower))) {
        if (length > 1) /* an empty line is a bell */
            follower->answer = strtoll(follower->line, NULL, 10);
        drop_line(follower, length);
    }
}

/* Read the socket until it is quiet.  False: nothing was there. */
static bool listen_up(struct follower *follower)
{
    bool heard = false;
    ssize_t got = 0;
    while (!follower->hung_up && (got = receive(follower)) != 0) {
        heard = true;
        follower->hung_up = got < 0;
        understand(follower);
    }
    return heard;
}

static int greeted(struct follower *follower, const char *folder, struct error *error)
{
    const char *line = follower->line;
    size_t length;
    while (!(length = whole_line(follower))) {
        struct pollfd wait = {.fd = follower->socket, .events = POLLIN};
        int ready = poll(&wait, 1, PATIENCE);
        if (!ready)
            return error_set(error, "%s: the process that runs it doesn't answer; is it stopped?", folder);
        if (ready > 0 && receive(follower) < 0)
            return FOLLOWER_ALONE; /* it ended as we came */
    }
    if (!strncmp(line, SERVER_REFUSED, strlen(SERVER_REFUSED)))
        return error_set(error, "%s: %s", folder, line + strlen(SERVER_REFUSED));
    if (strcmp(line, SERVER_GREETING))
        return error_set(error, "%s: it is run by another version of this program, which says \"%.40s\"", folder, line);
    drop_line(follower, length);
    return FOLLOWER_OPEN;
}

int follower_open(const char *folder, struct follower **result, struct error *error)
{
    struct follower *follower = memory_new(1, sizeof *follower);
    int status = -1;
    follower->socket = -1;
    if (!log_read(folder, &follower->log, error)) {
        follower->socket = server_connect(folder, error);
        if (follower->socket >= 0)
            status = greeted(follower, folder, error);
        else if (errno == ENOENT || errno == ECONNREFUSED)
            status = FOLLOWER_ALONE;
    }
    if (status == FOLLOWER_OPEN)
        *result = follower;
    else
        follower_free(follower);
    return status;
}

void follower_free(struct follower *follower)
{
    if (!follower)
        return;
    log_reader_free(follower->log);
    if (follower->socket >= 0)
        close(follower->socket);
    free(follower);
}

int follower_descriptor(const struct follower *follower)
{
    return follower->ended ? -1 : follower->socket;
}

bool follower_next(struct follower *follower, struct event *event)
{
    while (!follower->ended) {
        int got = log_next(follower->log, event, &follower->trouble);
        if (got == LOG_EVENT)
            return true;
        follower->ended = got < 0 || follower->hung_up;
        if (!follower->ended && !listen_up(follower))
            return false;
    }
    return false;
}

bool follower_ended(const struct follower *follower, struct error *error)
{
    if (follower->ended && error)
        *error = follower->trouble;
    return follower->ended;
}

int follower_send(struct follower *follower, const char *words, struct error *error)
{
    char line[SERVER_LINE_MAX];
    size_t length = strlen(words);
    if (strchr(words, '\n') || length + 1 > sizeof line)
        return error_set(error, "a command is one line of at most %d bytes", SERVER_LINE_MAX - 1);
    memcpy(line, words, length);
    line[length] = '\n';
    follower->answer = 0;
    for (size_t sent = 0; sent <= length;) {
        ssize_t now = send(follower->socket, line + sent, length + 1 - sent, MSG_NOSIGNAL);
        if (now < 0 && errno != EINTR)
            return error_set(error, "the search has ended");
        sent += now > 0 ? (size_t)now : 0;
    }
    return 0;
}

int follower_ask(struct follower *follower, const char *words, struct event *answer, struct error *error)
{
    struct pollfd wait = {.fd = follower->socket, .events = POLLIN};
    if (follower_send(follower, words, error))
        return -1;
    while (!follower->answer && !follower->hung_up)
        if (!listen_up(follower))
            poll(&wait, 1, -1);
    while (follower->answer && follower_next(follower, answer)) {
        if (answer->kind == EVENT_COMMAND && answer->number == follower->answer)
            return 0;
        event_done(answer);
    }
    return error_set(error, "%s",
                     *follower->trouble.text ? follower->trouble.text : "the search ended before it answered");
}
