/*
 * enrol.c - which search a worker serves, and the rows that say that it does.
 *
 * A search that ends removes its rows, and none may come after that.  So whoever adds rows of a worker does it in this
 * order: insert them, which locks the search's row (by their foreign key); see that the search is open, and still what
 * the worker was made for; commit.  The search takes that lock against all of them before it closes (controller.c), and
 * whoever resumes it before it changes anything (take.c): they see the rows, or the worker sees what they did.  A
 * worker that is frozen in between, with its machine perhaps, loses its connection soon: it holds up nobody.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "farm/controller.h"
#include "farm/relay_parts.h"
#include "util/identity.h"
#include "util/memory.h"

/* A search, s, runs while a connection holds its advisory lock; $2 is their class. */
#define IS_RUN                                                                                                         \
    "EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = $2 AND objid = s.id AND granted"         \
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"

void farm_search_done(struct farm_search *search)
{
    free(search->session);
    free(search->host);
    free(search->program);
    free(search->options);
    free(search->data);
    free(search->data_hash);
    free(search->instructions);
    free(search->kinds);
    *search = (struct farm_search){0};
}

int farm_find_search(struct db *db, const int64_t *refused, int count, struct farm_search *search, struct error *error)
{
    struct text list = TEXT_EMPTY;
    for (int i = 0; i < count; i++)
        text_add(&list, "%s%" PRId64, i ? "," : "", refused[i]);
    struct text array = TEXT_EMPTY;
    text_add(&array, "{%s}", text_string(&list));
    int failed = db_query(
        db, error,
        "SELECT id, session, host, program, options, data, data_hash, instructions, kinds FROM espalier.search s"
        " WHERE NOT closed AND id <> ALL ($1::bigint[])"
        " AND " IS_RUN " ORDER BY (SELECT count(*) FROM espalier.lane l JOIN espalier.worker w ON w.id = l.worker"
        " WHERE l.search = s.id AND NOT w.gone), id LIMIT 1",
        DB_TEXT(text_string(&array)), DB_INTEGER(ADVISORY_CLASS));
    text_done(&list);
    text_done(&array);
    if (failed || !db_rows(db))
        return failed;
    *search = (struct farm_search){
        .id = db_integer(db, 0, 0),
        .session = memory_copy_text(db_text(db, 0, 1)),
        .host = memory_copy_text(db_text(db, 0, 2)),
        .program = memory_copy_text(db_text(db, 0, 3)),
        .options = memory_copy_text(db_text(db, 0, 4)),
        .data = memory_copy_text(db_text(db, 0, 5)),
        .data_hash = memory_copy_text(db_text(db, 0, 6)),
        .instructions = memory_copy_text(db_text(db, 0, 7)),
        .kinds = memory_copy_text(db_text(db, 0, 8)),
    };
    return 1;
}

int relay_is_orphan(struct relay *relay, struct error *error)
{
    if (db_query(relay->db, error, "SELECT 1 FROM espalier.search s WHERE id = $1 AND " IS_RUN,
                 DB_INTEGER(relay->search->id), DB_INTEGER(ADVISORY_CLASS)))
        return -1;
    return !db_rows(relay->db);
}

/* The name of this machine without its domain, as people say it. */
static const char *host_name(char host[256])
{
    memset(host, 0, 256);
    if (gethostname(host, 255) || !*host)
        strcpy(host, "unknown");
    host[strcspn(host, ".")] = '\0';
    return host;
}

static int insert_worker(struct db *db, int64_t search, const char *refused, struct error *error)
{
    char host[256];
    return db_query(db, error,
                    "INSERT INTO espalier.worker (search, host, process, program, refused)"
                    " VALUES ($1, $2, $3, $4, $5) RETURNING id",
                    DB_INTEGER(search), DB_TEXT(host_name(host)), DB_INTEGER(getpid()), DB_TEXT(identity),
                    DB_TEXT(refused));
}

static int begin(struct db *db, struct error *error)
{
    return db_command(db, "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '3s'", error);
}

/* With rows of a worker inserted.  Whoever resumed the search may have changed what this worker was made for: then it
   is not open either.  1, 0, or -1. */
static int search_is_open(struct db *db, const struct farm_search *search, struct error *error)
{
    if (db_query(db, error,
                 "SELECT 1 FROM espalier.search WHERE id = $1 AND NOT closed AND program = $2 AND options = $3"
                 " AND data_hash = $4 AND instructions = $5 AND kinds = $6",
                 DB_INTEGER(search->id), DB_TEXT(search->program), DB_TEXT(search->options), DB_TEXT(search->data_hash),
                 DB_TEXT(search->instructions), DB_TEXT(search->kinds)))
        return -1;
    return db_rows(db);
}

int farm_refuse_search(struct db *db, const struct farm_search *search, const char *reason, struct error *error)
{
    char host[256];
    int open = -1;
    int failed =
        begin(db, error) ||
        db_query(db, error, "DELETE FROM espalier.worker WHERE search = $1 AND host = $2 AND refused IS NOT NULL",
                 DB_INTEGER(search->id), DB_TEXT(host_name(host))) ||
        insert_worker(db, search->id, reason, error) || (open = search_is_open(db, search, error)) < 0 ||
        db_command(db, open ? "COMMIT" : "ROLLBACK", error);
    if (failed)
        db_rollback(db);
    return failed ? -1 : 0;
}

/* Of a processor "AMD EPYC, core 0, avx2" or "…, any core, avx2" without the core; of a GPU what stands before the
   first comma. */
static const char *speed_class(const struct device *device, char class[sizeof device->name])
{
    if (device->speed_class[0])
        return device->speed_class;
    snprintf(class, sizeof device->name, "%s", device->name);
    char *core = device->cuda ? strchr(class, ',') : strstr(class, ", core ");
    core = core || device->cuda ? core : strstr(class, ", any core");
    if (!core)
        return class;
    size_t length = device->cuda ? strlen(core) : 2 + strcspn(core + 2, ",");
    memmove(core, core + length, strlen(core + length) + 1);
    return class;
}

static int insert_lanes(struct relay *relay, struct error *error)
{
    for (int i = 0; i < relay->count; i++) {
        const struct device *device = &relay->devices[i];
        char class[sizeof device->name];
        if (db_query(relay->db, error,
                     "INSERT INTO espalier.lane (search, worker, number, device, name, speed_class, gpu, lost)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7::int = 1, $8::int = 1) RETURNING id",
                     DB_INTEGER(relay->search->id), DB_INTEGER(relay->worker), DB_INTEGER(i), DB_TEXT(device->id),
                     DB_TEXT(device->name), DB_TEXT(speed_class(device, class)), DB_INTEGER(device->cuda != NULL),
                     DB_INTEGER(relay_is_lost(relay, i))))
            return -1;
        relay->lanes[i].id = db_integer(relay->db, 0, 0);
    }
    return 0;
}

static int notify(struct relay *relay, struct error *error)
{
    char statement[64];
    snprintf(statement, sizeof statement, "NOTIFY espalier_%" PRId64, relay->search->id);
    return db_command(relay->db, statement, error);
}

/* Has the COMMIT whose answer was lost been carried out?  1: its rows are this worker's. */
static int find_enrolled(struct relay *relay, struct error *error)
{
    if (!relay->enrolling)
        return 0;
    if (db_query(relay->db, error, "SELECT 1 FROM espalier.worker WHERE id = $1 AND NOT gone",
                 DB_INTEGER(relay->enrolling)))
        return -1;
    relay->worker = db_rows(relay->db) ? relay->enrolling : 0;
    relay->enrolling = 0;
    return relay->worker != 0;
}

static int insert_rows(struct relay *relay, struct error *error)
{
    int open = -1;
    int failed = begin(relay->db, error) || insert_worker(relay->db, relay->search->id, NULL, error);
    if (!failed) {
        relay->worker = db_integer(relay->db, 0, 0);
        failed = insert_lanes(relay, error) || notify(relay, error) ||
                 (open = search_is_open(relay->db, relay->search, error)) < 0 ||
                 db_command(relay->db, open ? "COMMIT" : "ROLLBACK", error);
    }
    if (failed) {
        relay->enrolling = relay->worker;
        db_rollback(relay->db);
        open = strcmp(db_state(relay->db), FOREIGN_KEY) != 0; /* or else it was dropped */
    }
    if (failed || !open)
        relay->worker = 0;
    relay->is_closed |= !open;
    return failed && open ? -1 : 0;
}

int relay_enrol(struct relay *relay, struct error *error)
{
    int found = find_enrolled(relay, error);
    if (found < 0 || (!found && insert_rows(relay, error)))
        return -1;
    if (relay->is_closed)
        return 0;
    relay_say(relay, "serves %s of %s with %d trainer%s", relay->search->session, relay->search->host, relay->count,
              relay->count == 1 ? "" : "s");
    return 0;
}

int relay_sign_off(struct relay *relay, struct error *error)
{
    if (!relay->worker)
        return 0;
    if (db_query(relay->db, error, "UPDATE espalier.worker SET gone = true, in_order = true WHERE id = $1 AND NOT gone",
                 DB_INTEGER(relay->worker)))
        return -1;
    relay->worker = 0;
    return notify(relay, error);
}
