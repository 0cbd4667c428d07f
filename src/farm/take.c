/*
 * take.c - how a process takes a search: alone, and with no fewer results than the farm has seen.
 *
 * The advisory lock says who is alone now, and goes with its connection.  The term says who was the last: after a
 * broken connection whoever finds another term than its own has a successor.  `mark` counts the results that a log had:
 * a log with fewer is an older copy.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "farm/controller.h"
#include "farm/schema.h"
#include "nn/backend.h"
#include "util/clock.h"
#include "util/identity.h"

#define LOCK_SECONDS 2.0 /* the server needs a moment to see that a killed process is gone */

static int insert_search(struct farm *farm, struct error *error)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    if (db_query(farm->db, error,
                 "INSERT INTO espalier.search (name, session, host, process, program, options, data, data_hash,"
                 " instructions, kinds) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
                 " ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
                 DB_TEXT(farm->name), DB_TEXT(farm->session), DB_TEXT(host), DB_INTEGER(getpid()), DB_TEXT(identity),
                 DB_TEXT(farm->options), DB_TEXT(farm->data), DB_TEXT(farm->data_hash),
                 DB_TEXT(backend_cpu()->instructions), DB_TEXT(farm->kinds)))
        return -1;
    farm->search = db_integer(farm->db, 0, 0);
    return 0;
}

/* 1: it is ours; 0: another connection has it. */
static int lock_search(struct farm *farm, struct error *error)
{
    double until = clock_monotonic() + LOCK_SECONDS;
    do {
        if (db_query(farm->db, error, "SELECT pg_try_advisory_lock($1::int, $2::int)", DB_INTEGER(ADVISORY_CLASS),
                     DB_INTEGER(farm->search)))
            return -1;
        if (db_bool(farm->db, 0, 0))
            return 1;
    } while (clock_monotonic() < until && db_wait(farm->db, -1, 0.1, error) >= 0);
    return db_is_open(farm->db) ? 0 : -1;
}

static enum taking refuse_locked(struct farm *farm, struct error *error)
{
    if (db_query(farm->db, error, "SELECT host, process, session FROM espalier.search WHERE id = $1",
                 DB_INTEGER(farm->search)))
        return TAKING_FAILED;
    error_set(error,
              "%s: process %" PRId64 " on %s runs this session (as %s); end it first, or wait a minute if that machine "
              "is cut off",
              farm->session, db_integer(farm->db, 0, 1), db_text(farm->db, 0, 0), db_text(farm->db, 0, 2));
    return TAKING_REFUSED;
}

static enum taking refuse_older(struct farm *farm, int64_t results, struct error *error)
{
    if (db_query(farm->db, error, "SELECT mark, host, session FROM espalier.search WHERE id = $1",
                 DB_INTEGER(farm->search)))
        return TAKING_FAILED;
    error_set(error,
              "%s: is an older copy: it has %" PRId64 " results, and the farm has written %" PRId64
              " of this session, last to %s on %s; resume that one",
              farm->session, results, db_integer(farm->db, 0, 0), db_text(farm->db, 0, 2), db_text(farm->db, 0, 1));
    return TAKING_REFUSED;
}

/* Workers of another program, or that train with other instructions or another precision, would deliver other bits:
   they are given up, and enrol anew if they can. */
static int dismiss_others(struct farm *farm, struct error *error)
{
    return db_query(
        farm->db, error,
        "UPDATE espalier.worker w SET gone = true FROM espalier.search s WHERE s.id = $1 AND w.search = s.id"
        " AND NOT w.gone AND (s.program, s.instructions, s.kinds, s.data_hash,"
        " substring(s.options from '(?n)^precision=.*$')) IS DISTINCT FROM"
        " ($2, $3, $4, $5, substring($6 from '(?n)^precision=.*$'))",
        DB_INTEGER(farm->search), DB_TEXT(identity), DB_TEXT(backend_cpu()->instructions), DB_TEXT(farm->kinds),
        DB_TEXT(farm->data_hash), DB_TEXT(farm->options));
}

/* In one transaction, which waits for whoever enrols at this moment (enrol.c).  0: the log is an older copy. */
static int write_term(struct farm *farm, int64_t results, int64_t *term, struct error *error)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    if (db_command(farm->db, "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '60s'", error) ||
        db_query(farm->db, error, "SELECT 1 FROM espalier.search WHERE id = $1 FOR UPDATE", DB_INTEGER(farm->search)) ||
        dismiss_others(farm, error) ||
        db_query(farm->db, error,
                 "UPDATE espalier.search SET term = term + 1, mark = $2, hourly = 0, closed = false, paused = false,"
                 " session = $3,"
                 " host = $4, process = $5, program = $6, options = $7, data = $8, instructions = $9, kinds = $10,"
                 " data_hash = $11"
                 " WHERE id = $1 AND mark <= $2 RETURNING term",
                 DB_INTEGER(farm->search), DB_INTEGER(results), DB_TEXT(farm->session), DB_TEXT(host),
                 DB_INTEGER(getpid()), DB_TEXT(identity), DB_TEXT(farm->options), DB_TEXT(farm->data),
                 DB_TEXT(backend_cpu()->instructions), DB_TEXT(farm->kinds), DB_TEXT(farm->data_hash)))
        return -1;
    int written = db_rows(farm->db);
    *term = written ? db_integer(farm->db, 0, 0) : 0;
    return db_command(farm->db, written ? "COMMIT" : "ROLLBACK", error) ? -1 : written;
}

/* A new term.  What trains for an older one may be adopted. */
static enum taking begin_term(struct farm *farm, struct error *error)
{
    int64_t results = atomic_load(&farm->results), term;
    int written = write_term(farm, results, &term, error);
    if (written < 0)
        db_rollback(farm->db);
    if (!written)
        return refuse_older(farm, results, error);
    if (written < 0 || farm_find_trials(farm, error))
        return TAKING_FAILED;
    farm->term = term;
    farm->mark = farm->noted = results;
    return TAKING_DONE;
}

static enum taking keep_term(struct farm *farm, struct error *error)
{
    if (db_query(farm->db, error, "SELECT host, session FROM espalier.search WHERE id = $1 AND term = $2",
                 DB_INTEGER(farm->search), DB_INTEGER(farm->term)))
        return TAKING_FAILED;
    if (db_rows(farm->db))
        return TAKING_DONE;
    error_set(error, "%s: while the server was away, another process took this session, or the farm was removed",
              farm->session);
    return TAKING_REFUSED;
}

/* A connection that does nothing for a minute is of a machine that is cut off: the server ends it, and the lock. */
static int set_limits(struct farm *farm, struct error *error)
{
    char listen[64];
    snprintf(listen, sizeof listen, "LISTEN espalier_%" PRId64, farm->search);
    return db_command(farm->db,
                      "SELECT set_config(name, '60s', false) FROM pg_settings WHERE name IN ('idle_session_timeout',"
                      " 'idle_in_transaction_session_timeout')",
                      error) ||
                   db_command(farm->db, listen, error)
               ? -1
               : 0;
}

/* On an open connection.  Everything that may not have arrived is to be sent (again). */
enum taking farm_take_search(struct farm *farm, struct error *error)
{
    bool again = farm->term;
    if (farm_schema_check(farm->db, error))
        return db_trouble(farm->db) == DB_FINE ? TAKING_REFUSED : TAKING_FAILED;
    if (!again && insert_search(farm, error))
        return TAKING_FAILED;
    int locked = lock_search(farm, error);
    if (locked < 0)
        return TAKING_FAILED;
    if (!locked && again) { /* by our own connection, perhaps, whose end the server has not seen */
        enum taking taking = keep_term(farm, error);
        if (taking != TAKING_DONE)
            return taking;
        db_close(farm->db);
        error_set(error, "%s: the server still holds the connection that broke", farm->session);
        return TAKING_FAILED;
    }
    enum taking taking = !locked ? refuse_locked(farm, error)
                         : again ? keep_term(farm, error)
                                 : begin_term(farm, error);
    if (taking != TAKING_DONE)
        return taking;
    if (set_limits(farm, error))
        return TAKING_FAILED;
    pthread_mutex_lock(&farm->mutex);
    for (int i = 0; i < farm->slots_used; i++) {
        struct farm_slot *slot = &farm->slots[i];
        slot->is_sent = slot->cancel_is_sent = slot->verdict_is_sent = false;
        slot->seen = clock_monotonic(); /* nobody could beat while the server was away */
    }
    pthread_mutex_unlock(&farm->mutex);
    farm->paused_sent = -1;
    farm->connected = clock_monotonic();
    return TAKING_DONE;
}
