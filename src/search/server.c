/*
 * server.c - one thread with a socket, a wake-up and the clients, in one poll().
 *
 * The model.  Engine and thread share two things: a queue of answers (the words and numbers of COMMAND events) and an
 * eventfd that says "the log has grown, or an answer is in the queue, or it is time to stop".  The sink copies a
 * command's words and writes to the eventfd; it never waits, whatever the clients do.
 *
 *   1. Nothing that a client must not miss is sent: events are in the log.  A bell that finds the client's buffer full
 *      is kept as a flag, which many bells share.
 *   2. A client has one command at the engine at most, so that no client can fill the engine's queue.  The engine
 *      answers in the order asked: an answer belongs to the client that has waited longest among those who asked
 *      these words.  (A person at the search's own screens may ask the same words at the same moment; then one of the
 *      two answers may be taken for the other.)
 *   3. The thread ends with the search: at its FINISHED event, or when it ended without one, at server_close().  Then
 *      nobody waits for more, though the process may live on (its own screens are still open).
 *   4. The engine holds the session's lock, so a socket file that is there already has no listener any more.
 *
 * The socket's path is /proc/self/fd/N/socket, N being the session's folder: no path is too long for it that way.
 */
#include "config.h"

#include "search/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/threads.h"
#include "util/memory.h"
#include "util/queue.h"

enum { ANSWERS_MAX = 1024, BACKLOG = 16 };

struct answer {
    char *words;
    int64_t number;
};

struct client {
    int socket; /* -1: nobody is here; the place is free when nothing is asked either */
    char line[SERVER_LINE_MAX];
    size_t used;
    char *asked;   /* words at the engine, or NULL; they stay when the client leaves, so that their answer finds them */
    uint64_t turn; /* when they were asked */
    int64_t answer; /* to be said, or 0 */
    bool bell;      /* to be rung */
};

struct server {
    struct engine *engine;
    int folder, socket, wake;
    struct queue *answers;
    atomic_bool stop;
    pthread_t thread;
    /* The thread's own. */
    struct client clients[SERVER_CLIENTS_MAX];
    uint64_t turn;
    bool deaf; /* no descriptor is left for another client: not before the next event */
};

/* --- the socket's place --- */

static int open_folder(const char *folder, struct error *error)
{
    int file = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        error_set(error, "%s: can't be opened (%s)", folder, strerror(errno));
    return file;
}

static struct sockaddr_un address_in(int folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, SERVER_SOCKET);
    return address;
}

int server_connect(const char *folder, struct error *error)
{
    int place = open_folder(folder, error);
    if (place < 0)
        return -1;
    struct sockaddr_un address = address_in(place);
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int reason = 0;
    if (file < 0 || connect(file, (struct sockaddr *)&address, sizeof address)) {
        reason = errno;
        error_set(error, "%s/%s: can't be connected to (%s)", folder, SERVER_SOCKET, strerror(reason));
        if (file >= 0)
            close(file);
        file = -1;
    }
    close(place);
    errno = reason;
    return file;
}

static int listen_in(struct server *server, const char *folder, struct error *error)
{
    server->folder = open_folder(folder, error);
    if (server->folder < 0)
        return -1;
    struct sockaddr_un address = address_in(server->folder);
    unlinkat(server->folder, SERVER_SOCKET, 0);
    server->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t before = umask(0177);
    bool bound = server->socket >= 0 && !bind(server->socket, (struct sockaddr *)&address, sizeof address);
    int reason = errno;
    umask(before);
    errno = reason;
    if (!bound || listen(server->socket, BACKLOG))
        return error_set(error, "%s/%s: can't be listened at (%s); nobody can attach to this search", folder,
                         SERVER_SOCKET, strerror(errno));
    return 0;
}

/* --- the engine's side --- */

static void wake(struct server *server)
{
    uint64_t one = 1;
    ssize_t written = write(server->wake, &one, sizeof one);
    (void)written; /* a full counter wakes as well */
}

static void on_event(void *context, const struct event *event)
{
    struct server *server = context;
    if (event->kind == EVENT_COMMAND) {
        struct answer answer = {memory_copy_text(event->as.command.words), event->number};
        if (!queue_try_put(server->answers, &answer))
            free(answer.words);
    }
    if (event->kind == EVENT_FINISHED)
        atomic_store(&server->stop, true);
    wake(server);
}

/* --- the thread's side --- */

static void hang_up(struct client *client)
{
    close(client->socket);
    client->socket = -1;
    client->used = 0;
    client->answer = 0;
}

/* False when there is no room for it now.  These lines are far shorter than a socket's buffer: they go whole or not. */
static bool say(struct client *client, const char *line, size_t length)
{
    ssize_t sent = send(client->socket, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent == (ssize_t)length)
        return true;
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    hang_up(client);
    return false;
}

static void refuse(struct client *client, const char *why)
{
    char line[128];
    int length = snprintf(line, sizeof line, "%s%s\n", SERVER_REFUSED, why);
    say(client, line, (size_t)length);
    if (client->socket >= 0)
        hang_up(client);
}

static bool same_person(int socket)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) && (peer.uid == geteuid() || peer.uid == 0);
}

static void greet(struct server *server, int socket)
{
    struct client late = {.socket = socket}, *client = &late;
    for (int i = 0; i < SERVER_CLIENTS_MAX && client == &late; i++)
        if (server->clients[i].socket < 0 && !server->clients[i].asked)
            client = &server->clients[i];
    client->socket = socket;
    client->bell = false;
    if (!same_person(socket))
        refuse(client, "the search belongs to another user");
    else if (client == &late)
        refuse(client, "too many are attached already");
    else
        say(client, SERVER_GREETING "\n", strlen(SERVER_GREETING "\n"));
}

static void accept_clients(struct server *server)
{
    for (;;) {
        int file = accept4(server->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (file >= 0) {
            greet(server, file);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            server->deaf = errno != EAGAIN;
            return;
        }
    }
}

/* Take the first whole line to the engine, if the last one is answered. */
static void ask(struct server *server, struct client *client)
{
    char *end = memchr(client->line, '\n', client->used);
    if (!end && client->used == sizeof client->line) {
        refuse(client, "a line is too long");
        return;
    }
    if (!end || client->asked || client->answer)
        return;
    *end = '\0';
    client->asked = memory_copy_text(client->line);
    client->turn = server->turn++;
    engine_command(server->engine, AUTHOR_USER, client->asked);
    size_t taken = (size_t)(end - client->line) + 1;
    client->used -= taken;
    memmove(client->line, client->line + taken, client->used);
}

static void hear(struct server *server, struct client *client)
{
    ssize_t got = recv(client->socket, client->line + client->used, sizeof client->line - client->used, MSG_DONTWAIT);
    if (got > 0) {
        client->used += (size_t)got;
        ask(server, client);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        hang_up(client);
    }
}

static void tell(struct server *server, struct client *client)
{
    char line[32];
    int length = snprintf(line, sizeof line, "%" PRId64 "\n", client->answer);
    if (!client->answer) {
        client->bell = client->bell && !say(client, "\n", 1);
    } else if (say(client, line, (size_t)length)) {
        client->answer = 0;
        client->bell = false; /* the answer rings as well */
        ask(server, client);
    }
}

static struct client *who_asked(struct server *server, const char *words)
{
    struct client *found = NULL;
    for (struct client *client = server->clients; client < server->clients + SERVER_CLIENTS_MAX; client++)
        if (client->asked && !strcmp(client->asked, words) && (!found || client->turn < found->turn))
            found = client;
    return found;
}

static void take_answers(struct server *server)
{
    struct answer answer;
    while (queue_take(server->answers, &answer, 0)) {
        struct client *client = who_asked(server, answer.words);
        if (client) {
            free(client->asked);
            client->asked = NULL;
            client->answer = client->socket >= 0 ? answer.number : 0;
        }
        free(answer.words);
    }
}

/* Read the counter first: what is put after that wakes again. */
static void wake_up(struct server *server)
{
    uint64_t count;
    if (read(server->wake, &count, sizeof count) < 0)
        return;
    server->deaf = false;
    take_answers(server);
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        server->clients[i].bell = true;
}

/* A client that waits for an answer is not read, but its end is noticed (POLLHUP needs no asking). */
static short wanted(const struct client *client)
{
    bool listening = !client->asked && !client->answer && client->used < sizeof client->line;
    return (short)((listening ? POLLIN : 0) | (client->bell || client->answer ? POLLOUT : 0));
}

static void hang_up_all(struct server *server)
{
    unlinkat(server->folder, SERVER_SOCKET, 0);
    close(server->socket);
    server->socket = -1;
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        if (server->clients[i].socket >= 0)
            hang_up(&server->clients[i]);
}

static void *serve(void *context)
{
    struct server *server = context;
    struct pollfd wait[SERVER_CLIENTS_MAX + 2];
    while (!atomic_load(&server->stop)) {
        for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
            wait[i] = (struct pollfd){.fd = server->clients[i].socket, .events = wanted(&server->clients[i])};
        wait[SERVER_CLIENTS_MAX] = (struct pollfd){.fd = server->wake, .events = POLLIN};
        wait[SERVER_CLIENTS_MAX + 1] = (struct pollfd){.fd = server->deaf ? -1 : server->socket, .events = POLLIN};
        poll(wait, SERVER_CLIENTS_MAX + 2, -1);
        for (int i = 0; i < SERVER_CLIENTS_MAX; i++) {
            struct client *client = &server->clients[i];
            if (wait[i].revents & POLLIN) /* also what a client said before it left */
                hear(server, client);
            else if (wait[i].revents & (POLLHUP | POLLERR))
                hang_up(client);
            if (client->socket >= 0 && wait[i].revents & POLLOUT)
                tell(server, client);
        }
        if (wait[SERVER_CLIENTS_MAX].revents)
            wake_up(server);
        if (wait[SERVER_CLIENTS_MAX + 1].revents)
            accept_clients(server);
    }
    wake_up(server);
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        if (server->clients[i].socket >= 0)
            tell(server, &server->clients[i]);
    hang_up_all(server);
    return NULL;
}

/* --- open and close --- */

static void release(struct server *server)
{
    struct answer answer;
    while (queue_take(server->answers, &answer, 0))
        free(answer.words);
    queue_free(server->answers);
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        free(server->clients[i].asked);
    if (server->socket >= 0)
        close(server->socket);
    if (server->folder >= 0)
        close(server->folder);
    close(server->wake);
    free(server);
}

int server_open(struct engine *engine, const char *folder, struct server **result, struct error *error)
{
    struct server *server = memory_new(1, sizeof *server);
    *server = (struct server){.engine = engine, .folder = -1, .socket = -1};
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        server->clients[i].socket = -1;
    server->answers = queue_new(sizeof(struct answer), ANSWERS_MAX);
    server->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    atomic_init(&server->stop, false);
    int status = listen_in(server, folder, error);
    if (!status && !thread_start(&server->thread, serve, server))
        status = error_set(error, "%s: the system has no thread for those who attach to this search", folder);
    if (status) {
        release(server);
        return -1;
    }
    engine_add_sink(engine, (struct engine_sink){on_event, server});
    *result = server;
    return 0;
}

void server_close(struct server *server)
{
    if (!server)
        return;
    atomic_store(&server->stop, true);
    wake(server);
    pthread_join(server->thread, NULL);
    release(server);
}
