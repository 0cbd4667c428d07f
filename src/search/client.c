/*
 * client.c - a reader of the log that the server's socket wakes.
 *
 * The order matters.  The log is read to its present end; then the socket is drained; and when anything was there, the
 * log is read again.  So an event that was written before its wake-up arrived is always read, and the descriptor is
 * quiet only when the log has been read up to the last wake-up.  After the socket's end the log is read once more: the
 * server closes the socket after its last event, or was killed and writes no more.
 */
#include "config.h"

#include "search/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "search/server.h"
#include "util/memory.h"

enum { HANDSHAKE_MILLISECONDS = 10000 };

struct client {
    struct log_reader *log;
    int socket;
    char line[256]; /* from the server, not complete yet */
    size_t used;
    bool disconnected, ended;
    int64_t answer; /* number of the event that answered the last words sent; 0: not yet */
    struct error error;
};

/* Length of the first line with its newline, which becomes a terminator; 0: it isn't complete yet. */
static size_t first_line(struct client *client)
{
    char *end = memchr(client->line, '\n', client->used);
    if (!end)
        return 0;
    *end = '\0';
    return (size_t)(end - client->line) + 1;
}

static void drop_line(struct client *client, size_t length)
{
    client->used -= length;
    memmove(client->line, client->line + length, client->used);
}

/* The number of bytes received, 0 when there are none now, or -1 at the end. */
static ssize_t receive(struct client *client)
{
    if (client->used == sizeof client->line)
        return -1; /* no server sends so long a line */
    for (;;) {
        ssize_t got =
            recv(client->socket, client->line + client->used, sizeof client->line - client->used, MSG_DONTWAIT);
        if (got > 0)
            client->used += (size_t)got;
        if (got > 0 || (got < 0 && errno == EAGAIN))
            return got > 0 ? got : 0;
        if (got == 0 || errno != EINTR)
            return -1;
    }
}

static void parse_lines(struct client *client)
{
    size_t length;
    while ((length = first_line(client))) {
        if (length > 1) /* an empty line only wakes */
            client->answer = strtoll(client->line, NULL, 10);
        drop_line(client, length);
    }
}

/* False: nothing was there. */
static bool drain_socket(struct client *client)
{
    bool got_some = false;
    ssize_t got = 0;
    while (!client->disconnected && (got = receive(client)) != 0) {
        got_some = true;
        client->disconnected = got < 0;
        parse_lines(client);
    }
    return got_some;
}

static int handshake(struct client *client, const char *folder, struct error *error)
{
    const char *line = client->line;
    size_t length;
    while (!(length = first_line(client))) {
        struct pollfd wait = {.fd = client->socket, .events = POLLIN};
        int ready = poll(&wait, 1, HANDSHAKE_MILLISECONDS);
        if (!ready)
            return error_set(error, "%s: the process that runs it doesn't answer; is it stopped?", folder);
        if (ready > 0 && receive(client) < 0)
            return CLIENT_NO_SERVER; /* it has just ended */
    }
    if (!strncmp(line, SERVER_REFUSED, strlen(SERVER_REFUSED)))
        return error_set(error, "%s: %s", folder, line + strlen(SERVER_REFUSED));
    if (strcmp(line, SERVER_GREETING))
        return error_set(error, "%s: it is run by another version of this program, which says \"%.40s\"", folder, line);
    drop_line(client, length);
    return CLIENT_OPEN;
}

int client_open(const char *folder, struct client **result, struct error *error)
{
    struct client *client = memory_new(1, sizeof *client);
    int status = -1;
    client->socket = -1;
    if (!log_read(folder, &client->log, error)) {
        client->socket = server_connect(folder, error);
        if (client->socket >= 0)
            status = handshake(client, folder, error);
        else if (errno == ENOENT || errno == ECONNREFUSED)
            status = CLIENT_NO_SERVER;
    }
    if (status == CLIENT_OPEN)
        *result = client;
    else
        client_free(client);
    return status;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    log_reader_free(client->log);
    if (client->socket >= 0)
        close(client->socket);
    free(client);
}

int client_descriptor(const struct client *client)
{
    return client->ended ? -1 : client->socket;
}

bool client_next(struct client *client, struct event *event)
{
    while (!client->ended) {
        int got = log_next(client->log, event, &client->error);
        if (got == LOG_EVENT)
            return true;
        client->ended = got < 0 || client->disconnected;
        if (!client->ended && !drain_socket(client))
            return false;
    }
    return false;
}

bool client_ended(const struct client *client, struct error *error)
{
    if (client->ended && error)
        *error = client->error;
    return client->ended;
}

int client_send(struct client *client, const char *words, struct error *error)
{
    char line[SERVER_LINE_MAX];
    size_t length = strlen(words);
    if (strchr(words, '\n') || length + 1 > sizeof line)
        return error_set(error, "a command is one line of at most %d bytes", SERVER_LINE_MAX - 1);
    memcpy(line, words, length);
    line[length] = '\n';
    client->answer = 0;
    for (size_t sent = 0; sent <= length;) {
        ssize_t now = send(client->socket, line + sent, length + 1 - sent, MSG_NOSIGNAL);
        if (now < 0 && errno != EINTR)
            return error_set(error, "the search has ended");
        sent += now > 0 ? (size_t)now : 0;
    }
    return 0;
}

int client_ask(struct client *client, const char *words, struct event *answer, struct error *error)
{
    struct pollfd wait = {.fd = client->socket, .events = POLLIN};
    if (client_send(client, words, error))
        return -1;
    while (!client->answer && !client->disconnected)
        if (!drain_socket(client))
            poll(&wait, 1, -1);
    while (client->answer && client_next(client, answer)) {
        if (answer->kind == EVENT_COMMAND && answer->number == client->answer)
            return 0;
        event_done(answer);
    }
    return error_set(error, "%s", *client->error.text ? client->error.text : "the search ended before it answered");
}
