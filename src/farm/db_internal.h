/*
 * db_internal.h - what db.c, the connection, and db_address.c, the address, share.
 */
#ifndef ESPALIER_FARM_DB_INTERNAL_H
#define ESPALIER_FARM_DB_INTERNAL_H

#include "farm/db.h"

struct pg_conn;
struct pg_result;

enum { OPTIONS_MAX = 64, STATE_LENGTH = 5 };
#define DB_WAIT_MIN 0.1

struct db {
    char *names[OPTIONS_MAX + 1], *values[OPTIONS_MAX + 1]; /* for PQconnectStartParams(): owned, NULL ends them */
    char *where;
    struct pg_conn *connection; /* NULL: closed */
    struct pg_result *rows;
    double seconds, wait;
    enum db_trouble trouble;
    char state[STATE_LENGTH + 1];
};

/* A connection has just been started, so what a service's file says is known: where it leads to another host and says
   nothing of encryption, demand that.  True: the connection is to be started again. */
bool db_demand_encryption(struct db *db);

#endif
