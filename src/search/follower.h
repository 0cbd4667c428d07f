/*
 * follower.h - a session that another process writes: its events from the first one on, as they come, and a letterbox
 * for commands.
 *
 * Events are read from the log, so none is lost or comes twice; the socket (search/server.h) rings when there are more.
 * One thread.
 */
#ifndef ESPALIER_SEARCH_FOLLOWER_H
#define ESPALIER_SEARCH_FOLLOWER_H

#include "sessions/log.h"

struct follower;

/* FOLLOWER_OPEN; FOLLOWER_ALONE: it is a session, but no process runs it (there is no message: the caller knows what to
   suggest); or -1. */
enum { FOLLOWER_OPEN = 0, FOLLOWER_ALONE = 1 };
int follower_open(const char *folder, struct follower **follower, struct error *error);
void follower_free(struct follower *follower);

/* A descriptor that becomes readable when there is more, which only follower_next() makes quiet; -1 after the end. */
int follower_descriptor(const struct follower *follower);
/* The next event (the caller's to event_done), or false: there is none now.  Never waits. */
bool follower_next(struct follower *follower, struct event *event);
/* No event will come any more: the search has ended, however it did, or the log can't be read (`error`, which stays ""
   otherwise).  True only after follower_next() has given the last one. */
bool follower_ended(const struct follower *follower, struct error *error);

/* Send a command; its answer will be among the events.  -1: these words can't be sent (two lines, too long), or the
   search has ended. */
int follower_send(struct follower *follower, const char *words, struct error *error);
/* The same, and wait for the COMMAND event that answers it (the caller's to event_done); events before it are passed
   over. */
int follower_ask(struct follower *follower, const char *words, struct event *answer, struct error *error);

#endif
