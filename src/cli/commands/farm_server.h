/*
 * farm_server.h - a private PostgreSQL server of one person, in a folder, for a farm (`espalier farm serve`).
 *
 * The folder, which only its owner may enter, has
 *
 *     data/                          what PostgreSQL stores
 *     url, passfile, server.crt      for `espalier run --farm FOLDER`: role `espalier`, the owner of database
 * `espalier` worker/url, passfile, server.crt   for `espalier worker FOLDER/worker`, here or copied: role
 * `espalier_worker` server.key, log, running       the certificate's key, what the server says, and where it runs
 *
 * Passwords are random and in files of mode 0600 that libpq reads (passfile).  The server accepts connections on a Unix
 * socket in the folder; with an address also by TCP, only with TLS.  One thread.  Every error says what to do.
 */
#ifndef ESPALIER_CLI_COMMANDS_FARM_SERVER_H
#define ESPALIER_CLI_COMMANDS_FARM_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/error.h"

struct farm_server {
    char *folder;      /* an absolute path; owned */
    char *programs;    /* the folder of PostgreSQL's programs; owned */
    char *address;     /* where it listens; NULL: only on the socket.  Owned */
    int port, version; /* of TCP and of the socket's name; of PostgreSQL: 15 */
    int lock;          /* a descriptor that holds the folder for this process */
    pid_t process;     /* of the server; 0: it doesn't run */
};

enum { FARM_SERVER_PORT = 5432 };

/* Open the folder, and make it and what PostgreSQL stores if they are not there.  `listen` is ADDRESS, ADDRESS:PORT or
   NULL.  farm_server_close() also after an error. */
int farm_server_open(struct farm_server *server, const char *folder, const char *listen, struct error *error);
/* Start the server; 0 when it accepts connections.  It gets no signals of the terminal, and ends with this process. */
int farm_server_start(struct farm_server *server, struct error *error);
/* Wait until Ctrl-C, SIGTERM or SIGHUP asks for its end: 0.  -1: it has ended by itself. */
int farm_server_wait(struct farm_server *server, struct error *error);
/* End it, if it runs, wait until it has ended, and free what the struct owns. */
void farm_server_close(struct farm_server *server);

#endif
