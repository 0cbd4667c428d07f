/*
 * status.c - see status.h.
 *
 * A worker's beat is a counter, and no table has a time.  So what doesn't move is found by looking twice: the first
 * look notes the counters of all workers, and the later ones count as silent whose counter is still the same.
 */
#include "farm/status.h"

#include <stdlib.h>

#include "farm/controller.h"
#include "util/clock.h"
#include "util/memory.h"

/* A worker beats once a second. */
#define LOOK_STEP 0.2
#define LOOK_MOST 4.0

/* Does the process that has the search still hold its lock? */
#define HAS_PROCESS                                                                                                    \
    "EXISTS (SELECT FROM pg_locks k JOIN pg_database d ON d.oid = k.database WHERE d.datname = current_database()"     \
    " AND k.locktype = 'advisory' AND k.granted AND k.classid::bigint = $2::bigint AND k.objid::bigint = s.id)"

static const char beats[] = "SELECT coalesce(string_agg(id || ':' || beats, ','), '') FROM espalier.worker"
                            " WHERE NOT gone AND refused IS NULL";
static const char silent[] = "SELECT count(*) FROM espalier.worker WHERE NOT gone AND refused IS NULL"
                             " AND id || ':' || beats = ANY(string_to_array($1::text, ','))";

static const char status[] =
    "WITH lanes AS (SELECT l.worker, count(*) FILTER (WHERE NOT l.lost) AS lanes, count(*) FILTER (WHERE l.lost) AS "
    "lost,"
    "   count(t.fence) AS training,"
    "   sum(substring(v.step FROM '\"step.images_per_second\": *([0-9.]+)')::float8) FILTER (WHERE v.fence = t.fence) "
    "AS speed,"
    "   array_agg(DISTINCT l.speed_class) AS names"
    "  FROM espalier.lane l LEFT JOIN espalier.trial t ON t.lane = l.id AND t.state = 'running'"
    "  LEFT JOIN espalier.live v ON v.lane = l.id GROUP BY l.worker),"
    " workers AS (SELECT w.*, l.*, w.id || ':' || w.beats = ANY(string_to_array($1::text, ',')) AS silent"
    "  FROM espalier.worker w LEFT JOIN lanes l ON l.worker = w.id),"
    " hosts AS (SELECT search, host,"
    "   count(*) FILTER (WHERE NOT gone AND refused IS NULL AND NOT silent) AS workers,"
    "   count(*) FILTER (WHERE NOT gone AND refused IS NULL AND silent) AS silent,"
    "   count(*) FILTER (WHERE gone AND in_order AND refused IS NULL) AS away,"
    "   count(*) FILTER (WHERE gone AND NOT in_order AND refused IS NULL) AS lost_workers,"
    "   coalesce(sum(lanes) FILTER (WHERE NOT gone), 0) AS lanes, coalesce(sum(lost) FILTER (WHERE NOT gone), 0) AS "
    "lost,"
    "   coalesce(sum(training) FILTER (WHERE NOT gone), 0) AS training,"
    "   coalesce(sum(speed) FILTER (WHERE NOT gone AND NOT silent), 0) AS speed,"
    "   (SELECT json_agg(DISTINCT n) FROM workers o, unnest(o.names) n WHERE o.search = w.search AND o.host = w.host"
    "    AND NOT o.gone) AS names,"
    "   json_agg(DISTINCT refused) FILTER (WHERE refused IS NOT NULL) AS refused"
    "  FROM workers w GROUP BY search, host)"
    " SELECT json_build_object('postgresql', current_setting('server_version'),"
    "  'bytes', pg_database_size(current_database()),"
    "  'connections', (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL),"
    "  'connections_max', current_setting('max_connections')::int,"
    "  'searches', (SELECT coalesce(json_agg(json_build_object('session', s.session, 'host', s.host,"
    "    'process', s.process, 'running', " HAS_PROCESS ", 'paused', s.paused, 'ended', s.closed, 'data', s.data,"
    "    'instructions', s.instructions, 'devices', s.kinds, 'results', s.mark, 'results_an_hour', s.hourly,"
    "    'offered', (SELECT count(*) FROM espalier.trial t WHERE t.search = s.id AND t.state = 'offered'),"
    "    'training', (SELECT count(*) FROM espalier.trial t WHERE t.search = s.id AND t.state = 'running'),"
    "    'reported', (SELECT count(*) FROM espalier.trial t WHERE t.search = s.id AND t.state = 'done'),"
    "    'lanes', (SELECT coalesce(sum(h.lanes), 0) FROM hosts h WHERE h.search = s.id),"
    "    'images_per_second', (SELECT coalesce(sum(h.speed), 0) FROM hosts h WHERE h.search = s.id),"
    "    'hosts', (SELECT coalesce(json_agg(json_build_object('host', h.host, 'workers', h.workers, 'silent', h.silent,"
    "      'left', h.away, 'lost', h.lost_workers, 'lanes', h.lanes, 'lanes_lost', h.lost, 'training', h.training,"
    "      'images_per_second', h.speed, 'lanes_on', coalesce(h.names, '[]'), 'refused', coalesce(h.refused, '[]'))"
    "      ORDER BY h.host), '[]') FROM hosts h WHERE h.search = s.id))"
    "   ORDER BY s.id), '[]') FROM espalier.search s))";

int farm_status_read(struct db *db, char **json, struct error *error)
{
    double end = clock_monotonic() + LOOK_MOST;
    if (db_command(db, beats, error))
        return -1;
    char *noted = memory_copy_text(db_text(db, 0, 0));
    int failed = 0;
    do {
        failed = *noted && clock_monotonic() < end ? db_wait(db, -1, LOOK_STEP, error) : 0;
        failed = failed < 0 || db_query(db, error, silent, DB_TEXT(noted)) ? -1 : 0;
    } while (!failed && db_integer(db, 0, 0) && clock_monotonic() < end);
    if (!failed && !(failed = db_query(db, error, status, DB_TEXT(noted), DB_INTEGER(ADVISORY_CLASS))))
        *json = memory_copy_text(db_text(db, 0, 0));
    free(noted);
    return failed;
}

int farm_status_running(struct db *db, const char *session, char **running, struct error *error)
{
    if (db_query(db, error,
                 "SELECT s.session || ' (process ' || s.process || ' on ' || s.host || ')' FROM espalier.search s"
                 " WHERE ($1::text IS NULL OR s.session = $1) AND " HAS_PROCESS " LIMIT 1",
                 DB_TEXT(session), DB_INTEGER(ADVISORY_CLASS)))
        return -1;
    *running = memory_copy_text(db_rows(db) ? db_text(db, 0, 0) : "");
    return 0;
}

int farm_status_remove(struct db *db, const char *session, int *count, struct error *error)
{
    if (db_query(db, error, "DELETE FROM espalier.search WHERE session = $1", DB_TEXT(session)))
        return -1;
    *count = db_rows(db);
    return 0;
}
