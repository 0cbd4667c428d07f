/*
 * db.c - a connection to PostgreSQL on which nothing waits longer than it may.
 *
 * The model.  libpq's socket is non-blocking.  Every operation has one deadline on the monotonic clock; until then
 * poll() waits for what libpq wants next, reading or writing.  An operation that passes its deadline leaves the
 * connection in the middle of an exchange, so the connection is closed: it is never used in an unknown state.
 *
 * The states:  closed --db_connect--> open --trouble DB_CUT--> closed.  Other troubles leave it open.
 */
#include "farm/db.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "farm/db_internal.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/text.h"

enum { PARAMETERS_MAX = 32 };
#define WAIT_MAX 5.0

void db_close(struct db *db)
{
    PQclear(db->rows);
    db->rows = NULL;
    PQfinish(db->connection);
    db->connection = NULL;
}

void db_free(struct db *db)
{
    if (!db)
        return;
    db_close(db);
    for (int i = 0; db->names[i]; i++) {
        free(db->names[i]);
        free(db->values[i]);
    }
    free(db->where);
    free(db);
}

bool db_is_open(const struct db *db)
{
    return db->connection;
}

void db_set_seconds(struct db *db, double seconds)
{
    db->seconds = seconds;
}

enum db_trouble db_trouble(const struct db *db)
{
    return db->trouble;
}

const char *db_state(const struct db *db)
{
    return db->state;
}

const char *db_where(const struct db *db)
{
    return db->where;
}

double db_wait_next(struct db *db)
{
    double wait = db->wait;
    db->wait = wait * 2 < WAIT_MAX ? wait * 2 : WAIT_MAX;
    return wait;
}

/* --- troubles --- */

/* What the server's codes mean for whoever tries: the appendix "PostgreSQL Error Codes" of its manual. */
static const struct {
    const char *state; /* or the class, its first two characters */
    enum db_trouble trouble;
    const char *advice;
} troubles[] = {
    {"53100", DB_FULL, "the server's disk is full: make room there; it goes on by itself then"},
    {"58030", DB_FULL, "the server can't write its files: see to its disk; it goes on by itself then"},
    {"53300", DB_CUT, "the server has too many connections: raise its max_connections, or use pgbouncer for workers"},
    {"57P03", DB_CUT, "the server is starting or stopping"},
    {"57P", DB_CUT, "the server ended the connection"},
    {"25P03", DB_CUT, "the server ended a transaction that stood still"},
    {"08", DB_CUT, "the connection broke"},
    {"53", DB_CUT, "the server lacks memory or another resource"},
    {"40", DB_CUT, "the server asks to try again"},
    {"28P01", DB_REFUSED, "the password is wrong: see ~/.pgpass"},
    {"28", DB_REFUSED, "the server doesn't let this user in: see its pg_hba.conf"},
    {"3D000", DB_REFUSED, "there is no such database: createdb NAME, then espalier farm init URL"},
    {"3F000", DB_REFUSED, "the database has no farm: espalier farm init URL"},
    {"42P01", DB_REFUSED, "the database has no farm, or one of another version: espalier farm init URL"},
    {"42703", DB_REFUSED, "the farm is of another version: espalier farm status URL says which"},
    {"42501", DB_REFUSED, "this user lacks the right: let who made the farm grant it"},
};

static void set_trouble(struct db *db, const char *state, enum db_trouble otherwise, const char **advice)
{
    snprintf(db->state, sizeof db->state, "%s", state ? state : "");
    db->trouble = otherwise;
    *advice = NULL;
    for (size_t i = 0; i < COUNT_OF(troubles); i++)
        if (!strncmp(db->state, troubles[i].state, strlen(troubles[i].state))) {
            db->trouble = troubles[i].trouble;
            *advice = troubles[i].advice;
            return;
        }
}

static int fail(struct db *db, const char *what, const char *advice, struct error *error)
{
    const char *end = what + strcspn(what, "\n");
    while (end > what && (end[-1] == ' ' || end[-1] == '.'))
        end--;
    error_set(error, "%s: %.*s%s%s%s", db->where, (int)(end - what), what, advice ? " (" : "", advice ? advice : "",
              advice ? ")" : "");
    if (db->trouble == DB_CUT)
        db_close(db);
    return -1;
}

static int fail_time(struct db *db, struct error *error)
{
    db->trouble = DB_CUT;
    db->state[0] = '\0';
    error_set(error, "%s: no answer within %g seconds; see whether the server or the network between stands still",
              db->where, db->seconds);
    db_close(db);
    return -1;
}

/* In the text of a connection that failed: the five characters of "FATAL:  28P01: …"; NULL: the server said nothing.
   `*message` is what follows them. */
static const char *find_state(const char *text, char state[STATE_LENGTH + 1], const char **message)
{
    const char *found = NULL;
    for (const char *at = text; (at = strstr(at, ":  ")); at++) {
        const char *code = at + 3;
        int length = 0;
        while (isupper((unsigned char)code[length]) || isdigit((unsigned char)code[length]))
            length++;
        if (length != STATE_LENGTH || code[length] != ':')
            continue;
        memcpy(state, code, STATE_LENGTH);
        state[STATE_LENGTH] = '\0';
        found = state;
        *message = code + STATE_LENGTH + 2;
    }
    return found;
}

static int fail_connect(struct db *db, struct error *error)
{
    char state[STATE_LENGTH + 1];
    const char *advice, *message = PQerrorMessage(db->connection), *said = NULL;
    const char *code = find_state(message, state, &said);
    bool no_password = PQconnectionNeedsPassword(db->connection);
    char *copy = memory_copy_text(said ? said : message);
    set_trouble(db, code, DB_CUT, &advice);
    if (no_password) {
        db->trouble = DB_REFUSED;
        advice = "put the password into ~/.pgpass: HOST:PORT:DATABASE:USER:PASSWORD, mode 600";
    } else if (!code)
        advice = "is the server running, and the address right? A server of one's own: espalier farm serve";
    fail(db, copy, advice, error);
    free(copy);
    db_close(db);
    return -1;
}

/* --- waiting --- */

/* Wait until the socket can be read or, if `write`, written.  False: the deadline has passed. */
static bool wait_socket(const struct db *db, bool may_read, bool may_write, double deadline)
{
    for (;;) {
        double left = deadline - clock_monotonic();
        struct pollfd file = {PQsocket(db->connection), (short)((may_read ? POLLIN : 0) | (may_write ? POLLOUT : 0)),
                              0};
        int ready = left > 0 ? poll(&file, 1, (int)(left * 1000) + 1) : 0;
        if (ready > 0)
            return true;
        if (ready == 0 && left <= 0)
            return false;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

/* libpq would print what the server remarks. */
static void ignore_notice(void *context, const char *message)
{
}

static void start(struct db *db)
{
    db_close(db);
    db->connection = PQconnectStartParams((const char *const *)db->names, (const char *const *)db->values, 0);
    if (!db->connection)
        BUG("no memory for a connection");
}

int db_connect(struct db *db, struct error *error)
{
    double deadline = clock_monotonic() + db->seconds;
    start(db);
    if (PQstatus(db->connection) != CONNECTION_BAD && db_demand_encryption(db))
        start(db);
    if (PQstatus(db->connection) == CONNECTION_BAD)
        return fail_connect(db, error);
    PQsetNoticeProcessor(db->connection, ignore_notice, NULL);
    PQsetErrorVerbosity(db->connection, PQERRORS_VERBOSE); /* so that the code is in the message */
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (!wait_socket(db, next == PGRES_POLLING_READING, next == PGRES_POLLING_WRITING, deadline))
            return fail_time(db, error);
        next = PQconnectPoll(db->connection);
        if (next == PGRES_POLLING_FAILED)
            return fail_connect(db, error);
    }
    PQsetErrorVerbosity(db->connection, PQERRORS_TERSE);
    if (PQsetnonblocking(db->connection, 1))
        return fail_connect(db, error);
    db->trouble = DB_FINE;
    db->state[0] = '\0';
    return 0;
}

static int fail_cut(struct db *db, struct error *error)
{
    char *message = memory_copy_text(PQerrorMessage(db->connection));
    db->trouble = DB_CUT;
    fail(db, *message ? message : "the connection broke", NULL, error);
    free(message);
    return -1;
}

/* Send what is waiting, and read what comes meanwhile, so that neither side waits for the other. */
static int flush(struct db *db, double deadline, struct error *error)
{
    int left;
    while ((left = PQflush(db->connection)) > 0) {
        if (!wait_socket(db, true, true, deadline))
            return fail_time(db, error);
        if (!PQconsumeInput(db->connection))
            return fail_cut(db, error);
    }
    return left < 0 ? fail_cut(db, error) : 0;
}

static int fail_result(struct db *db, PGresult *result, struct error *error)
{
    const char *advice, *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool broken = PQstatus(db->connection) == CONNECTION_BAD;
    char *copy = memory_copy_text(message ? message : PQresultErrorMessage(result));
    set_trouble(db, PQresultErrorField(result, PG_DIAG_SQLSTATE), broken ? DB_CUT : DB_WRONG, &advice);
    if (broken)
        db->trouble = DB_CUT;
    PQclear(result);
    fail(db, *copy ? copy : "the connection broke", advice, error);
    free(copy);
    return -1;
}

/* Read all results of what was sent; the last one stays. */
static int receive(struct db *db, double deadline, struct error *error)
{
    PGresult *failed = NULL;
    for (;;) {
        while (PQisBusy(db->connection)) {
            if (!wait_socket(db, true, false, deadline)) {
                PQclear(failed);
                return fail_time(db, error);
            }
            if (!PQconsumeInput(db->connection)) {
                PQclear(failed);
                return fail_cut(db, error);
            }
        }
        PGresult *result = PQgetResult(db->connection);
        if (!result)
            break;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
            PQclear(db->rows);
            db->rows = result;
        } else if (failed) {
            PQclear(result);
        } else {
            failed = result;
        }
    }
    if (failed)
        return fail_result(db, failed, error);
    db->wait = DB_WAIT_MIN;
    db->trouble = DB_FINE;
    db->state[0] = '\0';
    return 0;
}

/* --- statements --- */

static int begin_statement(struct db *db, struct error *error)
{
    PQclear(db->rows);
    db->rows = NULL;
    if (db->connection)
        return 0;
    db->trouble = DB_CUT;
    return error_set(error, "%s: not connected", db->where);
}

static int finish_statement(struct db *db, int sent, struct error *error)
{
    double deadline = clock_monotonic() + db->seconds;
    if (!sent)
        return fail_cut(db, error);
    return flush(db, deadline, error) || receive(db, deadline, error) ? -1 : 0;
}

enum { TYPE_INT8 = 20, TYPE_BYTEA = 17 }; /* of PostgreSQL's pg_type */

static int execute(struct db *db, const char *sql, const struct db_value *values, int binary, struct error *error)
{
    const char *texts[PARAMETERS_MAX];
    char numbers[PARAMETERS_MAX][24];
    int lengths[PARAMETERS_MAX] = {0}, formats[PARAMETERS_MAX] = {0}, count = 0;
    Oid types[PARAMETERS_MAX] = {0};
    if (begin_statement(db, error))
        return -1;
    for (; values && values[count].kind != DB_VALUE_END; count++) {
        const struct db_value *value = &values[count];
        ASSERT(count < PARAMETERS_MAX);
        texts[count] = value->kind == DB_VALUE_NULL ? NULL : value->bytes;
        if (value->kind == DB_VALUE_INTEGER) {
            snprintf(numbers[count], sizeof numbers[count], "%" PRId64, value->integer);
            texts[count] = numbers[count];
            types[count] = TYPE_INT8;
        } else if (value->kind == DB_VALUE_BYTES) {
            lengths[count] = (int)value->length;
            formats[count] = 1;
            types[count] = TYPE_BYTEA;
        }
    }
    int sent = PQsendQueryParams(db->connection, sql, count, types, texts, lengths, formats, binary);
    return finish_statement(db, sent, error);
}

int db_execute(struct db *db, const char *sql, const struct db_value *values, struct error *error)
{
    return execute(db, sql, values, 0, error);
}

int db_fetch(struct db *db, const char *sql, const struct db_value *values, struct error *error)
{
    return execute(db, sql, values, 1, error);
}

int db_command(struct db *db, const char *sql, struct error *error)
{
    if (begin_statement(db, error))
        return -1;
    return finish_statement(db, PQsendQuery(db->connection, sql), error);
}

void db_rollback(struct db *db)
{
    struct error error;
    enum db_trouble trouble = db->trouble;
    char state[sizeof db->state];
    memcpy(state, db->state, sizeof state);
    if (db->connection && PQtransactionStatus(db->connection) != PQTRANS_IDLE && db_command(db, "ROLLBACK", &error))
        db_close(db);
    db->trouble = trouble; /* that of what failed */
    memcpy(db->state, state, sizeof state);
}

/* --- rows --- */

int db_rows(const struct db *db)
{
    if (!db->rows)
        return 0;
    return PQresultStatus(db->rows) == PGRES_TUPLES_OK ? PQntuples(db->rows) : atoi(PQcmdTuples(db->rows));
}

bool db_has_values(const struct db *db)
{
    return db->rows && PQresultStatus(db->rows) == PGRES_TUPLES_OK;
}

bool db_is_null(const struct db *db, int row, int column)
{
    return PQgetisnull(db->rows, row, column);
}

const char *db_text(const struct db *db, int row, int column)
{
    return PQgetvalue(db->rows, row, column);
}

int64_t db_integer(const struct db *db, int row, int column)
{
    int64_t value;
    return text_to_integer(db_text(db, row, column), INT64_MIN, INT64_MAX, &value) ? 0 : value;
}

bool db_bool(const struct db *db, int row, int column)
{
    return *db_text(db, row, column) == 't';
}

const void *db_bytes(const struct db *db, int row, size_t *length)
{
    *length = (size_t)PQgetlength(db->rows, row, 0);
    return PQgetvalue(db->rows, row, 0);
}

/* --- notifications --- */

static bool take_notifications(struct db *db)
{
    bool any = false;
    PGnotify *notification;
    while ((notification = PQnotifies(db->connection))) {
        PQfreemem(notification);
        any = true;
    }
    return any;
}

int db_wait(struct db *db, int wake, double seconds, struct error *error)
{
    if (db->connection && take_notifications(db))
        return 1;
    struct pollfd files[] = {{wake, POLLIN, 0}, {db->connection ? PQsocket(db->connection) : -1, POLLIN, 0}};
    int ready = poll(files, COUNT_OF(files), seconds > 0 ? (int)(seconds * 1000) + 1 : 0);
    if (ready <= 0 || !files[1].revents)
        return 0;
    if (!PQconsumeInput(db->connection))
        return fail_cut(db, error);
    return take_notifications(db);
}
