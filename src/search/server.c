/*
 * server.c - one thread that polls the socket, a wake-up and the connected peers.
 *
 * The engine's thread and the server's share two things: a queue of answers (the words and numbers of COMMAND events)
 * and a wake-up, which says that the log has grown, that an answer is queued, or that it is time to stop.  The sink
 * copies a command's words and wakes the thread; it never waits, whatever the peers do.
 *
 *   1. Events are in the log and are never sent.  A wake-up that finds a peer's buffer full stays pending as a flag,
 *      which any number of wake-ups share.
 *   2. A peer has at most one command at the engine, so no peer can fill the engine's queue.  The engine answers in the
 *      order asked: an answer belongs to the peer that has waited longest among those that asked these words.  (When
 *      a person at the search's own screens asks the same words at the same moment, the answers may be exchanged.)
 *   3. The thread ends with the search: at its FINISHED event, or when it ended without one, at server_close().  The
 *      process may live on: its own screens are still open.
 *   4. The engine holds the session's lock, so nobody listens at a socket file that exists already.
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/memory.h"
#include "util/print.h"
#include "util/queue.h"
#include "util/threads.h"
#include "util/wake.h"

enum { ANSWERS_MAX = 1024, BACKLOG = 16 };

struct answer {
    char *words;
    int64_t number;
};

struct peer {
    int socket; /* -1: not connected; the entry is free when nothing is asked either */
    char line[SERVER_LINE_MAX];
    size_t used;
    char *asked;       /* words at the engine, or NULL; kept after a disconnect, so that their answer finds them */
    uint64_t order;    /* in which they were asked */
    int64_t answer;    /* number to be sent, or 0 */
    bool wake_pending; /* an empty line is to be sent */
};

struct server {
    struct engine *engine;
    int folder, socket, wake;
    struct queue *answers;
    atomic_bool stop;
    pthread_t thread;
    /* Only the server's thread uses these. */
    struct peer peers[SERVER_CLIENTS_MAX];
    uint64_t order;
    bool accept_paused; /* no descriptor is left for another peer: try again at the next event */
};

/* --- the socket's path --- */

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
    int folder_file = open_folder(folder, error);
    if (folder_file < 0)
        return -1;
    struct sockaddr_un address = address_in(folder_file);
    struct stat status;
    bool foreign = !fstatat(folder_file, SERVER_SOCKET, &status, AT_SYMLINK_NOFOLLOW) && !S_ISSOCK(status.st_mode);
    int file = foreign ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int reason = 0;
    if (foreign)
        errno = ENOTSOCK;
    if (file < 0 || connect(file, (struct sockaddr *)&address, sizeof address)) {
        reason = errno;
        error_set(error, "%s/%s: can't connect (%s)", folder, SERVER_SOCKET, strerror(reason));
        if (file >= 0)
            close(file);
        file = -1;
    }
    close(folder_file);
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
        return error_set(error, "%s/%s: can't listen (%s); nobody can attach to this search", folder,
                         SERVER_SOCKET, strerror(errno));
    return 0;
}

/* --- the engine's thread --- */

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
    wake_send(server->wake);
}

/* --- the server's thread --- */

static void disconnect(struct peer *peer)
{
    close(peer->socket);
    peer->socket = -1;
    peer->used = 0;
    peer->answer = 0;
}

/* False when the buffer is full now.  Lines are far shorter than the buffer: they are sent whole or not at all. */
static bool send_line(struct peer *peer, const char *line, size_t length)
{
    ssize_t sent = send(peer->socket, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent == (ssize_t)length)
        return true;
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    disconnect(peer);
    return false;
}

static void refuse(struct peer *peer, const char *why)
{
    char line[128];
    int length = snprintf(line, sizeof line, "%s%s\n", SERVER_REFUSED, why);
    send_line(peer, line, (size_t)length);
    if (peer->socket >= 0)
        disconnect(peer);
}

static bool same_user(int socket)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) && (peer.uid == geteuid() || peer.uid == 0);
}

static void add_peer(struct server *server, int socket)
{
    struct peer refused = {.socket = socket}, *peer = &refused;
    for (int i = 0; i < SERVER_CLIENTS_MAX && peer == &refused; i++)
        if (server->peers[i].socket < 0 && !server->peers[i].asked)
            peer = &server->peers[i];
    peer->socket = socket;
    peer->wake_pending = false;
    if (!same_user(socket))
        refuse(peer, "the search belongs to another user");
    else if (peer == &refused)
        refuse(peer, "too many are attached already");
    else
        send_line(peer, SERVER_GREETING "\n", strlen(SERVER_GREETING "\n"));
}

static void accept_peers(struct server *server)
{
    for (;;) {
        int file = accept4(server->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (file >= 0) {
            add_peer(server, file);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            server->accept_paused = errno != EAGAIN;
            return;
        }
    }
}

/* Give the first complete line to the engine, if the last one is answered. */
static void forward_command(struct server *server, struct peer *peer)
{
    char *end = memchr(peer->line, '\n', peer->used);
    if (!end && peer->used == sizeof peer->line) {
        refuse(peer, "a line is too long");
        return;
    }
    if (!end || peer->asked || peer->answer)
        return;
    *end = '\0';
    struct text visible = TEXT_EMPTY;
    print_add(&visible, peer->line); /* as the engine logs it, which is how its answer is found */
    peer->asked = text_take(&visible);
    peer->order = server->order++;
    engine_command(server->engine, AUTHOR_USER, peer->asked);
    size_t taken = (size_t)(end - peer->line) + 1;
    peer->used -= taken;
    memmove(peer->line, peer->line + taken, peer->used);
}

static void receive(struct server *server, struct peer *peer)
{
    ssize_t got = recv(peer->socket, peer->line + peer->used, sizeof peer->line - peer->used, MSG_DONTWAIT);
    if (got > 0) {
        peer->used += (size_t)got;
        forward_command(server, peer);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        disconnect(peer);
    }
}

static void send_waiting(struct server *server, struct peer *peer)
{
    char line[32];
    int length = snprintf(line, sizeof line, "%" PRId64 "\n", peer->answer);
    if (!peer->answer) {
        peer->wake_pending = peer->wake_pending && !send_line(peer, "\n", 1);
    } else if (send_line(peer, line, (size_t)length)) {
        peer->answer = 0;
        peer->wake_pending = false; /* the answer wakes as well */
        forward_command(server, peer);
    }
}

static struct peer *asker_of(struct server *server, const char *words)
{
    struct peer *found = NULL;
    for (struct peer *peer = server->peers; peer < server->peers + SERVER_CLIENTS_MAX; peer++)
        if (peer->asked && !strcmp(peer->asked, words) && (!found || peer->order < found->order))
            found = peer;
    return found;
}

static void match_answers(struct server *server)
{
    struct answer answer;
    while (queue_take(server->answers, &answer, 0)) {
        struct peer *peer = asker_of(server, answer.words);
        if (peer) {
            free(peer->asked);
            peer->asked = NULL;
            peer->answer = peer->socket >= 0 ? answer.number : 0;
        }
        free(answer.words);
    }
}

/* What is put after wake_take() wakes again. */
static void wake_up(struct server *server)
{
    if (!wake_take(server->wake))
        return;
    server->accept_paused = false;
    match_answers(server);
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        server->peers[i].wake_pending = true;
}

/* A peer that waits for an answer is not read, but its end is noticed: POLLHUP is always reported. */
static short poll_events(const struct peer *peer)
{
    bool readable = !peer->asked && !peer->answer && peer->used < sizeof peer->line;
    return (short)((readable ? POLLIN : 0) | (peer->wake_pending || peer->answer ? POLLOUT : 0));
}

static void close_all(struct server *server)
{
    unlinkat(server->folder, SERVER_SOCKET, 0);
    close(server->socket);
    server->socket = -1;
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        if (server->peers[i].socket >= 0)
            disconnect(&server->peers[i]);
}

static void *run(void *context)
{
    struct server *server = context;
    struct pollfd wait[SERVER_CLIENTS_MAX + 2];
    while (!atomic_load(&server->stop)) {
        for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
            wait[i] = (struct pollfd){.fd = server->peers[i].socket, .events = poll_events(&server->peers[i])};
        wait[SERVER_CLIENTS_MAX] = (struct pollfd){.fd = server->wake, .events = POLLIN};
        wait[SERVER_CLIENTS_MAX + 1] =
            (struct pollfd){.fd = server->accept_paused ? -1 : server->socket, .events = POLLIN};
        poll(wait, SERVER_CLIENTS_MAX + 2, -1);
        for (int i = 0; i < SERVER_CLIENTS_MAX; i++) {
            struct peer *peer = &server->peers[i];
            if (wait[i].revents & POLLIN) /* also what a peer sent before it left */
                receive(server, peer);
            else if (wait[i].revents & (POLLHUP | POLLERR))
                disconnect(peer);
            if (peer->socket >= 0 && wait[i].revents & POLLOUT)
                send_waiting(server, peer);
        }
        if (wait[SERVER_CLIENTS_MAX].revents)
            wake_up(server);
        if (wait[SERVER_CLIENTS_MAX + 1].revents)
            accept_peers(server);
    }
    wake_up(server);
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        if (server->peers[i].socket >= 0)
            send_waiting(server, &server->peers[i]);
    close_all(server);
    return NULL;
}

/* --- open and close --- */

static void server_free(struct server *server)
{
    struct answer answer;
    while (queue_take(server->answers, &answer, 0))
        free(answer.words);
    queue_free(server->answers);
    for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
        free(server->peers[i].asked);
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
        server->peers[i].socket = -1;
    server->answers = queue_new(sizeof(struct answer), ANSWERS_MAX);
    server->wake = wake_new();
    atomic_init(&server->stop, false);
    int status = listen_in(server, folder, error);
    if (!status && !thread_start(&server->thread, run, server))
        status = error_set(error, "%s: the system has no thread for clients; nobody can attach to this search", folder);
    if (status) {
        server_free(server);
        return -1;
    }
    engine_add_sink(engine, (struct event_sink){on_event, server});
    *result = server;
    return 0;
}

void server_close(struct server *server)
{
    if (!server)
        return;
    atomic_store(&server->stop, true);
    wake_send(server->wake);
    pthread_join(server->thread, NULL);
    server_free(server);
}
