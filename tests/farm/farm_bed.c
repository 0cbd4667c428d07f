/* farm_bed.c - see the header. */
#include "config.h"

#include "farm_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/threads.h"

char bed_url[256];
static char server[128];
static struct db *connection;

static void run_script(const char *arguments, char *line, size_t size)
{
    char command[512];
    snprintf(command, sizeof command, "sh '%s/tests/farm/server.sh' %s", getenv("top_srcdir"), arguments);
    FILE *out = popen(command, "r");
    ASSERT(out);
    if (line && !fgets(line, (int)size, out))
        line[0] = '\0';
    if (line)
        line[strcspn(line, "\n")] = '\0';
    CHECK(!pclose(out));
}

bool bed_has_server(void)
{
    char command[512];
    snprintf(command, sizeof command, "sh '%s/tests/farm/server.sh' have 2>/dev/null", getenv("top_srcdir"));
    if (!system(command))
        return true;
    puts("1..0 # SKIP PostgreSQL is not installed");
    return false;
}

void bed_server(const char *verb, const char *argument)
{
    char arguments[256];
    snprintf(arguments, sizeof arguments, "%s '%s' %s", verb, server, argument ? argument : "");
    run_script(arguments, NULL, 0);
}

struct db *bed_db(void)
{
    struct error error;
    for (int i = 0; i < 100 && !db_is_open(connection); i++)
        if (db_connect(connection, &error))
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    if (!db_is_open(connection))
        BUG(error.text);
    return connection;
}

int bed_open(void **state)
{
    char arguments[256];
    struct error error;
    run_script("make", server, sizeof server);
    bed_server("start", NULL);
    snprintf(arguments, sizeof arguments, "url '%s'", server);
    run_script(arguments, bed_url, sizeof bed_url);
    if (db_new(bed_url, "test", &connection, &error) || farm_schema_create(bed_db(), &error))
        BUG(error.text);
    return 0;
}

int bed_close(void **state)
{
    db_free(connection);
    bed_server("remove", NULL);
    return 0;
}

int bed_renew(void **state)
{
    struct error error;
    if (farm_schema_drop(bed_db(), &error) || farm_schema_create(bed_db(), &error))
        BUG(error.text);
    return 0;
}

/* --- statements --- */

static void execute(const char *format, va_list values)
{
    char sql[2048];
    struct error error;
    CHECK(vsnprintf(sql, sizeof sql, format, values) < (int)sizeof sql);
    if (!db_command(bed_db(), sql, &error))
        return;
    if (db_trouble(connection) != DB_CUT || db_command(bed_db(), sql, &error))
        fail_msg("%s: %s", sql, error.text);
}

static int64_t first_value(void)
{
    return db_has_values(connection) && db_rows(connection) ? db_integer(connection, 0, 0) : db_rows(connection);
}

int64_t bed_sql(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    execute(format, values);
    va_end(values);
    return first_value();
}

char *bed_sql_text(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    execute(format, values);
    va_end(values);
    return memory_copy_text(db_rows(connection) ? db_text(connection, 0, 0) : "");
}

void bed_wait_for(int64_t value, const char *format, ...)
{
    double until = clock_monotonic() + 20;
    int64_t found;
    do {
        va_list values;
        va_start(values, format);
        execute(format, values);
        va_end(values);
        found = first_value();
        if (found == value)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    } while (clock_monotonic() < until);
    fail_msg("%s: %d, not %d", format, (int)found, (int)value);
}

char *bed_left(void)
{
    return bed_sql_text("SELECT coalesce(string_agg(n || ' ' || name, ', '), '') FROM (VALUES"
                        " ((SELECT count(*) FROM espalier.trial), 'trial'),"
                        " ((SELECT count(*) FROM espalier.report), 'report'),"
                        " ((SELECT count(*) FROM espalier.blob), 'blob'),"
                        " ((SELECT count(*) FROM espalier.chunk), 'chunk'),"
                        " ((SELECT count(*) FROM espalier.worker), 'worker'),"
                        " ((SELECT count(*) FROM espalier.lane), 'lane'),"
                        " ((SELECT count(*) FROM espalier.live), 'live')) AS left_rows (n, name) WHERE n > 0");
}

void bed_gate(const char *verb, const char *table)
{
    bed_sql("SELECT pg_advisory_lock(7, 7)");
    bed_sql("CREATE FUNCTION espalier.gate() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7, 7); RETURN NULL; END $$;"
            "CREATE TRIGGER gate BEFORE %s ON espalier.%s EXECUTE FUNCTION espalier.gate()",
            verb, table);
}

void bed_gate_wait(void)
{
    bed_wait_for(1, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7 AND NOT granted");
}

void bed_gate_open(void)
{
    bed_sql("SELECT pg_advisory_unlock(7, 7)");
}

void bed_disconnect(const char *program)
{
    bed_sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '%s'", program);
}

/* --- trials and workers --- */

struct trial bed_trial(int64_t node)
{
    struct trial trial = {.node = node, .fence = node, .from_scratch = true, .training = training_paper};
    struct error error;
    if (arch_parse(&trial.arch, "C(4,3,1) A(2,2) SM(10)", &error))
        BUG(error.text);
    trial.training.epochs = 2;
    trial.training.node = (uint32_t)node;
    return trial;
}

static void say(void *context, const char *line)
{
}

/* The search that runs, as soon as there is one. */
static void find_search(struct db *db, struct farm_search *search)
{
    struct error error;
    while ((!db_is_open(db) && db_connect(db, &error)) || farm_find_search(db, NULL, 0, search, &error) != 1)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

enum relay_end bed_worker_run(struct bed_worker *worker)
{
    struct db *db;
    struct evaluator *local = scripted_evaluator_new(&worker->script);
    struct relay_options options = {
        .idle = worker->idle, .patience = worker->patience, .stop = &worker->stop, .say = say};
    worker->end = RELAY_FAILED;
    if (!db_new(worker->url ? worker->url : bed_url, "espalier worker", &db, &worker->error)) {
        bool finds = !worker->search.id;
        if (finds)
            find_search(db, &worker->search);
        worker->end = relay_run(db, &worker->search, local, scripted_data().input, &options, &worker->error);
        if (finds)
            farm_search_done(&worker->search);
        db_free(db);
    }
    local->kind->free(local);
    return worker->end;
}

static void *worker_thread(void *worker)
{
    bed_worker_run(worker);
    return NULL;
}

struct farm_search bed_row(int64_t id)
{
    return (struct farm_search){.id = id,
                                .session = "a session",
                                .host = "a host",
                                .program = "",
                                .options = "",
                                .data_hash = "",
                                .instructions = "",
                                .kinds = ""};
}

void bed_worker_start(struct bed_worker *worker, int64_t search, const struct script *script)
{
    worker->search = bed_row(search);
    worker->script = *script;
    worker->error.text[0] = '\0';
    atomic_store(&worker->stop, false);
    ASSERT(thread_start(&worker->thread, worker_thread, worker));
}

enum relay_end bed_worker_join(struct bed_worker *worker)
{
    pthread_join(worker->thread, NULL);
    if (worker->end == RELAY_FAILED)
        fail_msg("a worker: %s", worker->error.text);
    return worker->end;
}

/* --- processes --- */

static struct bed_worker served;

static void stop_serving(int signal)
{
    atomic_store(&served.stop, true);
}

pid_t bed_worker_fork(const char *url, const struct script *script)
{
    pid_t child = fork();
    struct db *db;
    struct error error;
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    served = (struct bed_worker){.script = *script, .url = url};
    signal(SIGTERM, stop_serving);
    if (db_new(url, "espalier worker", &db, &error))
        _exit(1);
    while (!atomic_load(&served.stop)) {
        bool open = db_is_open(db) || !db_connect(db, &error);
        if (open && farm_find_search(db, NULL, 0, &served.search, &error) == 1) {
            if (bed_worker_run(&served) == RELAY_FAILED) {
                fprintf(stderr, "# a worker: %s\n", served.error.text);
                _exit(1);
            }
            farm_search_done(&served.search);
        } else {
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        }
    }
    _exit(0);
}

pid_t bed_network(const char *folder, char url[256])
{
    char program[256], path[256];
    const char *top = getenv("top_builddir");
    snprintf(program, sizeof program, "%s/tests/farm/network", top ? top : ".");
    snprintf(path, sizeof path, "%s/.s.PGSQL.5432", folder);
    snprintf(url, 256, "postgresql://espalier@/postgres?host=%s", folder);
    pid_t child = fork();
    if (!child) {
        execl(program, program, folder, server, NULL);
        BUG(program);
    }
    while (access(path, F_OK) && !kill(child, 0))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return child;
}
