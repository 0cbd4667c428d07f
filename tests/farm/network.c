/*
 * network.c - a network that can be cut: carries bytes between a socket of its own and a PostgreSQL server's.
 *
 *     network FOLDER SERVER    listens at FOLDER/.s.PGSQL.5432, and connects to the same name in SERVER
 *     network cut PROCESS      nothing arrives any more, and nobody is told
 *     network join PROCESS     what was sent meanwhile arrives
 *
 * Each connection is a process, and all of them are a process group: to cut is to stop it.
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un socket_in(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", folder);
    return address;
}

/* What can be read from one side goes to the other.  False: the connection has ended. */
static bool carry(int from, int to)
{
    char bytes[1 << 16];
    ssize_t length = read(from, bytes, sizeof bytes);
    for (ssize_t done = 0, sent; done < length; done += sent)
        if ((sent = send(to, bytes + done, (size_t)(length - done), MSG_NOSIGNAL)) < 0)
            return false;
    return length > 0;
}

static void carry_connection(int client, const char *folder)
{
    struct sockaddr_un address = socket_in(folder);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool goes_on = !connect(server, (struct sockaddr *)&address, sizeof address);
    while (goes_on) {
        struct pollfd ends[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
        goes_on = poll(ends, 2, -1) > 0 && (!ends[0].revents || carry(client, server)) &&
                  (!ends[1].revents || carry(server, client));
    }
    _exit(0);
}

int main(int count, char **words)
{
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client;
    if (count != 3)
        return 2;
    if (!strcmp(words[1], "cut") || !strcmp(words[1], "join"))
        return kill(-atoi(words[2]), strcmp(words[1], "cut") ? SIGCONT : SIGSTOP) != 0;
    struct sockaddr_un address = socket_in(words[1]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    signal(SIGCHLD, SIG_IGN);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) {
        perror(address.sun_path);
        return 1;
    }
    while ((client = accept(listener, NULL, NULL)) >= 0) {
        if (!fork())
            carry_connection(client, words[2]);
        close(client);
    }
    return 1;
}
