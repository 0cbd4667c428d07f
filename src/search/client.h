/*
 * client.h - a session that another process writes: its events from the first one on, as they come, and commands to it.
 *
 * Events are read from the log, so none is lost or comes twice; the socket (search/server.h) wakes the reader when
 * there are more, and takes the commands.  One thread.
 */
#ifndef ESPALIER_SEARCH_CLIENT_H
#define ESPALIER_SEARCH_CLIENT_H

#include "sessions/log.h"

struct client;

/* CLIENT_OPEN; CLIENT_NO_SERVER: it is a session, but no process runs it (`error` is not set: the caller knows what to
   suggest); or -1. */
enum { CLIENT_OPEN = 0, CLIENT_NO_SERVER = 1 };
int client_open(const char *folder, struct client **client, struct error *error);
void client_free(struct client *client);

/* A descriptor that is readable from when there are more events until client_next() has read them; -1 after the end. */
int client_descriptor(const struct client *client);
/* The next event (the caller's to event_done), or false: there is none now.  Never waits. */
bool client_next(struct client *client, struct event *event);
/* Has client_next() given the last event?  Then the search has ended, in good order or not, or the log can't be read:
   `error` says so, and is "" otherwise. */
bool client_ended(const struct client *client, struct error *error);

/* Send a command; its answer will be among the events.  -1: these words can't be sent (two lines, too long), or the
   search has ended. */
int client_send(struct client *client, const char *words, struct error *error);
/* The same, and wait for the COMMAND event that answers it (the caller's to event_done); skip the events before it. */
int client_ask(struct client *client, const char *words, struct event *answer, struct error *error);

#endif
