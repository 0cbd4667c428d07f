/*
 * server.h - lets other processes of the same user watch and steer a search, through FOLDER/socket.
 *
 * Events are read from the log; the socket says when the log has grown, and takes commands.  The lines of the protocol:
 *
 *     server: espalier 1     once, first: the protocol's version
 *     client: WORDS          a command (sessions/command.h lists them); the next is read when this one is answered
 *     server: NUMBER         the command is answered by the COMMAND event of that number, which is in the log
 *     server: (empty line)   the log has grown
 *     server: refused WHY    and the connection is closed
 *
 * A client reads every event from the log (search/client.h), so a slow one loses nothing and keeps nobody waiting: only
 * the last of several wake-ups matters, and an answer waits until the client takes it.
 */
#ifndef ESPALIER_SEARCH_SERVER_H
#define ESPALIER_SEARCH_SERVER_H

#include "search/engine.h"
#include "sessions/frame.h"

#define SERVER_SOCKET   SOCKET_FILE
#define SERVER_GREETING "espalier 1"
#define SERVER_REFUSED  "refused "
enum { SERVER_LINE_MAX = 4096, SERVER_CLIENTS_MAX = 32 };

struct server;

/* Listen in the folder of a session that `engine` has, replacing the socket of a process that was killed.  Call it
   before engine_run(), of which it becomes a sink, on the engine's thread. */
int server_open(struct engine *engine, const char *folder, struct server **server, struct error *error);
/* After engine_run() has returned.  The last answers are sent, the clients disconnected and the socket removed already
   when the search has finished.  NULL is fine. */
void server_close(struct server *server);

/* The client's end: a connected socket, or -1 (errno ENOENT or ECONNREFUSED: nobody listens). */
int server_connect(const char *folder, struct error *error);

#endif
