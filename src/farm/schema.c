/*
 * schema.c - the tables of a farm.
 *
 * A trial's states:
 *
 *     offered --worker claims it--> running --result, failure or cancellation--> done --the log has it--> (deleted)
 *
 * `fence` numbers attempts: the term of who runs the search, and below it the attempt's number in the log.  It never
 * comes again, so every statement about an attempt can be repeated when its answer was lost, and what a lane that was
 * given up still sends about an old fence finds no row and changes nothing.
 *
 * Bytes are rows of `blob`, in parts of 1 MB (`chunk`).  A parent's weights are named by their hash, and shared by the
 * trials of a search.  The bytes of a trial (the checkpoint that it goes on from, and what a report carries) belong to
 * its fence and go with its row, so nothing is left of a trial that has ended.
 *
 * Weights that a worker sends are in parts before the statement that ends its trial: nobody reads them until that
 * statement has named them (docs/decisions.md says why they are not in one transaction with it).
 *
 * No column holds a time of day.  `beats` and `used` are counters: clocks of different machines never meet.
 */
#include "config.h"

#include "farm/schema.h"

#include <string.h>

#include "farm/farm.h"
#include "util/text.h"

static const char tables[] =
    "CREATE SCHEMA espalier;"
    "CREATE TABLE espalier.meta (version int NOT NULL, program text NOT NULL);"
    /* `name` is made from the session's first event, so a copy of the session has the same.  `term` counts who has
       taken the search, `mark` the results that the log has, `hourly` how many of them come in an hour; `session`,
       `host` and `process` say who has it.  The rest is what a worker must have: options as NAME=VALUE lines, the
       checksum of the images, the instruction set, and the kinds of device that may train ('cpu', 'gpu' or 'any'). */
    "CREATE TABLE espalier.search (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE NOT NULL,"
    " session text NOT NULL, host text NOT NULL, process bigint NOT NULL, program text NOT NULL, options text NOT NULL,"
    " data text NOT NULL, data_hash text NOT NULL, instructions text NOT NULL, kinds text NOT NULL,"
    " term bigint NOT NULL DEFAULT 0, mark bigint NOT NULL DEFAULT 0, hourly float8 NOT NULL DEFAULT 0,"
    " paused boolean NOT NULL DEFAULT false, closed boolean NOT NULL DEFAULT false);"
    /* `gone`: it has no trials any more, because it left `in_order` or was silent for too long.  `refused`: why it
       can't serve the search; it has no lanes then. */
    "CREATE TABLE espalier.worker (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " search bigint NOT NULL REFERENCES espalier.search ON DELETE CASCADE, host text NOT NULL, process bigint NOT NULL,"
    " program text NOT NULL, beats bigint NOT NULL DEFAULT 0, gone boolean NOT NULL DEFAULT false,"
    " in_order boolean NOT NULL DEFAULT false, refused text)"
    " WITH (fillfactor = 50);"
    /* One trainer of a worker; `number` is its place there, the rest as in struct device. */
    "CREATE TABLE espalier.lane (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " search bigint NOT NULL REFERENCES espalier.search ON DELETE CASCADE,"
    " worker bigint NOT NULL REFERENCES espalier.worker ON DELETE CASCADE, number int NOT NULL, device text NOT NULL,"
    " name text NOT NULL, speed_class text NOT NULL, gpu boolean NOT NULL, lost boolean NOT NULL DEFAULT false, why "
    "text);"
    "CREATE INDEX ON espalier.lane (worker);"
    /* `request` is the trial as JSON (wire.h), `parent` the hash of the weights it begins with, `start_event` the
       number of its STARTED event in the log, by which the next process of a search that was killed adopts it.
       `verdict` is the last epoch that the search has answered, and `goes_on` the answer. */
    "CREATE TABLE espalier.trial (search bigint NOT NULL REFERENCES espalier.search ON DELETE CASCADE,"
    " fence bigint NOT NULL, node bigint NOT NULL, worker bigint NOT NULL REFERENCES espalier.worker ON DELETE CASCADE,"
    " lane bigint NOT NULL REFERENCES espalier.lane ON DELETE CASCADE,"
    " state text NOT NULL DEFAULT 'offered' CHECK (state IN ('offered', 'running', 'done')),"
    " request text NOT NULL, parent text, start_event bigint NOT NULL DEFAULT 0,"
    " cancel boolean NOT NULL DEFAULT false, verdict int NOT NULL DEFAULT 0,"
    " goes_on boolean NOT NULL DEFAULT true, PRIMARY KEY (search, fence)) WITH (fillfactor = 50);"
    "CREATE INDEX ON espalier.trial (worker);"
    "CREATE INDEX ON espalier.trial (lane);"
    /* `number` counts the reports of a fence from 1; `blob` names the bytes that belong to it, or is null. */
    "CREATE TABLE espalier.report (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, search bigint NOT NULL,"
    " fence bigint NOT NULL, number int NOT NULL, kind text NOT NULL, body text NOT NULL, blob text,"
    " UNIQUE (search, fence, number),"
    " FOREIGN KEY (search, fence) REFERENCES espalier.trial ON DELETE CASCADE);"
    /* `fence` null: weights of a parent, and `name` their hash; `used` is the fence of the last trial that needed
       them. */
    "CREATE TABLE espalier.blob (search bigint NOT NULL REFERENCES espalier.search ON DELETE CASCADE,"
    " name text NOT NULL, length bigint NOT NULL, fence bigint, used bigint NOT NULL DEFAULT 0,"
    " PRIMARY KEY (search, name), FOREIGN KEY (search, fence) REFERENCES espalier.trial ON DELETE CASCADE);"
    "CREATE INDEX ON espalier.blob (search, fence);"
    "CREATE TABLE espalier.chunk (search bigint NOT NULL, name text NOT NULL, part int NOT NULL, bytes bytea NOT NULL,"
    " PRIMARY KEY (search, name, part), FOREIGN KEY (search, name) REFERENCES espalier.blob ON DELETE CASCADE);"
    "ALTER TABLE espalier.chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;"
    /* What a lane last said of its step and its device (wire.h); may be lost.  `number` grows, so that it is read once.
     */
    "CREATE UNLOGGED TABLE espalier.live (lane bigint PRIMARY KEY REFERENCES espalier.lane ON DELETE CASCADE,"
    " number bigint NOT NULL, fence bigint NOT NULL, step text, sample text) WITH (fillfactor = 50);";

int farm_is_built(struct error *error)
{
    return 0;
}

int farm_schema_create(struct db *db, struct error *error)
{
    int failed = db_command(db, "BEGIN", error) || db_command(db, tables, error) ||
                 db_query(db, error, "INSERT INTO espalier.meta VALUES ($1, $2)", DB_INTEGER(FARM_SCHEMA_VERSION),
                          DB_TEXT(PACKAGE_STRING)) ||
                 db_command(db, "COMMIT", error);
    bool there = failed && !strcmp(db_state(db), "42P06"); /* duplicate_schema */
    if (failed)
        db_rollback(db);
    if (there)
        return error_set(error,
                         "%s: has a farm already; espalier farm status URL shows it, espalier farm drop URL removes it",
                         db_where(db));
    return failed ? -1 : 0;
}

int farm_schema_exists(struct db *db, struct error *error)
{
    if (db_command(db, "SELECT 1 FROM pg_namespace WHERE nspname = 'espalier'", error))
        return -1;
    return db_rows(db) > 0;
}

/* A machine that vanishes sends no farewell.  A server that nobody has set up for that keeps its connections, and what
   they have locked, for two hours; so each connection asks for a minute. */
int farm_schema_check(struct db *db, struct error *error)
{
    if (db_command(db,
                   "SELECT set_config(s.name, v.value, false) FROM pg_settings s JOIN (VALUES"
                   " ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3'),"
                   " ('tcp_user_timeout', '60000')) AS v (name, value) ON s.name = v.name;"
                   "SELECT version, program FROM espalier.meta",
                   error))
        return -1;
    if (db_rows(db) != 1)
        return error_set(error, "%s: the farm is damaged: make it anew with espalier farm drop URL, then farm init",
                         db_where(db));
    int64_t version = db_integer(db, 0, 0);
    if (version != FARM_SCHEMA_VERSION)
        return error_set(
            error,
            "%s: the farm is %s than this program (its tables are version %d, made by %s; %s knows version %d); %s",
            db_where(db), version > FARM_SCHEMA_VERSION ? "newer" : "older", (int)version, db_text(db, 0, 1),
            PACKAGE_STRING, FARM_SCHEMA_VERSION,
            version > FARM_SCHEMA_VERSION
                ? "install that program here"
                : "make the farm anew when its searches have ended: espalier farm drop URL, then farm init");
    if (strcmp(db_text(db, 0, 1), PACKAGE_STRING) != 0)
        return error_set(
            error,
            "%s: the farm was made by %s, and this is %s; use one program on all machines, or make the farm "
            "anew: espalier farm drop URL, then farm init",
            db_where(db), db_text(db, 0, 1), PACKAGE_STRING);
    return 0;
}

int farm_schema_drop(struct db *db, struct error *error)
{
    return db_command(db, "DROP SCHEMA IF EXISTS espalier CASCADE", error);
}
