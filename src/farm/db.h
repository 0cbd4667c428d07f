/*
 * db.h - a connection to PostgreSQL on which nothing waits longer than it may.
 *
 * Statements are sent and read without blocking, each within `db_seconds`: behind a frozen server or proxy a statement
 * fails, it doesn't hang.  (Only the look-up of a host's name is the system's, with the time limits of its resolver.)
 * After a trouble of the connection the struct stays, and db_connect() connects it again; db_wait_next() says how long
 * to wait before.
 *
 * Where: URL is what libpq takes, postgresql://USER@HOST:PORT/DATABASE or "host=/run/postgresql dbname=espalier", or
 * "service=NAME", or a folder that `espalier farm serve` has made (place.h).  A password in it is refused, since
 * everybody on the machine can read arguments: libpq finds it in ~/.pgpass, PGPASSFILE or the service file.  To another
 * host `sslmode=require` and `channel_binding=require` hold unless the URL, the environment or a service says
 * otherwise.
 *
 * A `struct db` belongs to one thread at a time.  The rows of the last statement are the struct's, until the next
 * statement.  Every function that can fail returns -1 with a message, and db_trouble() says what kind of trouble it is.
 */
#ifndef ESPALIER_FARM_DB_H
#define ESPALIER_FARM_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

struct db;

enum db_trouble {
    DB_FINE,
    DB_CUT,  /* no server, no answer in time, the connection broke, the server restarts or is full: try again later */
    DB_FULL, /* the server's disk is full: try again later, the connection is good */
    DB_REFUSED, /* wrong password, no such database, missing rights, no farm in it: trying again is no use */
    DB_WRONG    /* the statement: a constraint forbids it, or the program has a bug */
};

/* `url` as above; `program` is the name that the server shows for the connection.  Connects to nothing yet.  -1 when
   the URL can't be read, or has a password. */
int db_new(const char *url, const char *program, struct db **db, struct error *error);
void db_free(struct db *db); /* NULL is fine */

/* Connect, or connect again: what was open is closed first. */
int db_connect(struct db *db, struct error *error);
void db_close(struct db *db);
bool db_is_open(const struct db *db);
/* Seconds that connecting and each statement may take (10). */
void db_set_seconds(struct db *db, double seconds);
/* The last trouble; DB_FINE after a success. */
enum db_trouble db_trouble(const struct db *db);
/* The five characters of the SQL standard that say what went wrong in the last statement, or "". */
const char *db_state(const struct db *db);
/* "socket /run/postgresql, database espalier": for messages; without a password. */
const char *db_where(const struct db *db);
/* Seconds to wait before connecting again: 0.1, then twice the last up to 5; a connection that was made begins anew. */
double db_wait_next(struct db *db);

/* A parameter of a statement, $1, $2 and so on. */
struct db_value {
    enum { DB_VALUE_END, DB_VALUE_NULL, DB_VALUE_INTEGER, DB_VALUE_TEXT, DB_VALUE_BYTES } kind;
    int64_t integer;
    const void *bytes; /* borrowed */
    size_t length;     /* of DB_VALUE_BYTES */
};
#define DB_NULL             ((struct db_value){.kind = DB_VALUE_NULL})
#define DB_INTEGER(value)   ((struct db_value){.kind = DB_VALUE_INTEGER, .integer = (value)})
#define DB_TEXT(value)      db_text_value(value) /* NULL: the null of SQL */
#define DB_BYTES(at, count) ((struct db_value){.kind = DB_VALUE_BYTES, .bytes = (at), .length = (count)})
static inline struct db_value db_text_value(const char *text)
{
    return (struct db_value){.kind = text ? DB_VALUE_TEXT : DB_VALUE_NULL, .bytes = text};
}

/* Execute one statement; its rows are there then.  `values` ends with DB_VALUE_END, NULL: none.  Numbers are integers
   to the server ($1::text where a text is meant). */
int db_execute(struct db *db, const char *sql, const struct db_value *values, struct error *error);
/* db_query(db, error, "SELECT … $1, $2", DB_INTEGER(5), DB_TEXT("x")) */
#define db_query(db, error, sql, ...)                                                                                  \
    db_execute(db, sql, (struct db_value[]){__VA_ARGS__, {.kind = DB_VALUE_END}}, error)
/* Without parameters; several statements, joined by semicolons, are one transaction. */
int db_command(struct db *db, const char *sql, struct error *error);
/* End a transaction that failed; a connection that can't is closed. */
void db_rollback(struct db *db);

/* Rows of the last statement that has some, from 0; those that an UPDATE, INSERT or DELETE changed count too. */
int db_rows(const struct db *db);
bool db_has_values(const struct db *db); /* it was a query, not a change alone */
bool db_is_null(const struct db *db, int row, int column);
const char *db_text(const struct db *db, int row, int column); /* null: "" */
int64_t db_integer(const struct db *db, int row, int column);  /* null or no number: 0 */
bool db_bool(const struct db *db, int row, int column);
/* Bytes of a statement executed by db_fetch(), which gets one column of bytes. */
int db_fetch(struct db *db, const char *sql, const struct db_value *values, struct error *error);
const void *db_bytes(const struct db *db, int row, size_t *length);

/* Wait for a notification (LISTEN), for descriptor `wake` to be readable (-1: none), or so long.  1: a notification
   came; 0: none; -1: the connection is broken.  Also when the connection is closed: then it waits for `wake` only. */
int db_wait(struct db *db, int wake, double seconds, struct error *error);

#endif
