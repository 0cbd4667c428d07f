/*
 * test_farm_search.c - whole searches through a farm, whose trainers are scripted: the same digest as on this machine,
 * what is left of a search when a worker stands still, and (with ESPALIER_TEST_LONG) the farm's figures.  The torture
 * is test_torture.c's.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine_bed.h"
#include "farm/evaluator_farm.h"
#include "farm_bed.h"
#include "util/bug.h"
#include "util/clock.h"

enum { WORKERS = 3, SLOTS = 2 };

static struct search_options search_options_of(int64_t networks)
{
    struct search_options options = bed_options();
    options.networks = networks;
    strcpy(options.rungs, "1");
    options.rung_keep = 0.7;
    return options;
}

/* --- one digest --- */

static void test_same_digest(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "far");
    struct search_options options = search_options_of(25);
    struct error error, warning;
    strcpy(options.policy, "reinforce");
    struct session_state *here = bed_run(folder, "here", &options, &(struct script){.slots = 1, .seed = 1}), *far;
    struct bed_worker worker = {0};
    struct search_data data = scripted_data();
    struct evaluator *evaluator = evaluator_farm_new(bed_url, FARM_LEASE, &options, &data, (struct hash){0}, &error);
    struct engine *engine;
    assert_non_null(evaluator);
    assert_int_equal(engine_create(&options, path, &data, evaluator, &engine, &error), 0);
    engine_add_sink(engine, evaluator_farm_sink(evaluator, path));
    assert_int_equal(evaluator_farm_take(evaluator, engine_state(engine), path, &error), 0);
    bed_worker_start(&worker, 0, &(struct script){.slots = 1, .seed = 1});
    if (engine_run(engine, &error))
        fail_msg("%s", error.text);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    assert_int_equal(bed_worker_join(&worker), RELAY_CLOSED);
    assert_int_equal(session_load(path, &far, &warning, &error), 0);
    assert_true(hash_equal(session_digest(here), session_digest(far)));
    session_state_free(here);
    session_state_free(far);
    scratch_remove(folder);
    free(folder);
    free(path);
}

/* --- the end of a search --- */

/* A search of no networks yet, on the farm. */
static struct evaluator *begin_search(struct search_options *options, const struct search_data *data)
{
    struct error error;
    struct evaluator *farm = evaluator_farm_new(bed_url, FARM_LEASE, options, data, (struct hash){0}, &error);
    struct event first = {.kind = EVENT_SESSION};
    assert_non_null(farm);
    first.as.session.data_hash = "0";
    struct event_sink sink = evaluator_farm_sink(farm, "a.esp");
    sink.event(sink.context, &first);
    return farm;
}

/* A worker is frozen in the transaction in which it enrols, and the search ends: it doesn't wait for long, nothing of
   it stays, and the worker leaves nothing when it goes on. */
static void test_frozen_worker(void **state)
{
    struct search_data data = scripted_data();
    struct search_options options = search_options_of(1);
    struct evaluator *farm = begin_search(&options, &data);
    struct error error;
    struct db *gate;
    int status;
    assert_int_equal(db_new(bed_url, "gate", &gate, &error), 0);
    assert_int_equal(db_connect(gate, &error), 0);
    bed_wait_for(1, "SELECT count(*) FROM espalier.search WHERE term = 1");
    assert_int_equal(db_command(gate, "BEGIN; LOCK TABLE espalier.lane IN EXCLUSIVE MODE", &error), 0);
    pid_t worker = bed_worker_fork(bed_url, &(struct script){.slots = 1});
    bed_wait_for(1, "SELECT count(*) FROM pg_locks WHERE NOT granted");
    kill(worker, SIGSTOP);
    assert_int_equal(db_command(gate, "COMMIT", &error), 0);
    bed_wait_for(1, "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'");
    assert_int_equal(evaluator_farm_end(farm, &error), 0);
    farm->kind->free(farm);
    kill(worker, SIGCONT);
    bed_wait_for(0, "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'");
    kill(worker, SIGTERM);
    assert_int_equal(waitpid(worker, &status, 0), worker);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char *left = bed_left();
    assert_string_equal(left, "");
    free(left);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.search WHERE closed"), 1);
    db_free(gate);
}

/* The server is away when the search ends: a person hears that rows are left, and what removes them. */
static void test_away_at_the_end(void **state)
{
    struct search_data data = scripted_data();
    struct search_options options = search_options_of(1);
    struct evaluator *farm = begin_search(&options, &data);
    struct report report;
    struct error error = {{0}};
    bed_wait_for(1, "SELECT count(*) FROM espalier.search WHERE term = 1");
    bed_server("stop", "immediate");
    while (!farm->kind->poll(farm, &report, 1)) /* until it says that the server is away */
        ;
    report_done(&report);
    assert_int_equal(evaluator_farm_end(farm, &error), -1);
    assert_non_null(strstr(error.text,
                           "so the farm still has rows of a.esp, which has ended: `espalier farm drop URL a.esp`"
                           " removes them"));
    farm->kind->free(farm);
    bed_server("start", NULL);
}

/* --- figures --- */

enum { MEASURED = 400 };

static int by_value(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static double processor_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* MEASURED trials that take no time, of a network of about so many bytes.  What a poll costs is the evaluator's: there
   is no engine, and no log. */
static void measure(const char *arch)
{
    struct search_data data = scripted_data();
    struct search_options options = search_options_of(1);
    struct error error;
    struct evaluator *farm = begin_search(&options, &data);
    double submitted[WORKERS * SLOTS], latency[MEASURED], began = 0, processor = 0;
    int64_t sent = 0, done = 0, bytes = 0, started = 0;
    pid_t workers[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        workers[i] = bed_worker_fork(bed_url, &(struct script){.slots = SLOTS, .seed = 1});
    while (done < MEASURED) {
        struct report report;
        if (!farm->kind->poll(farm, &report, 1))
            continue;
        bool frees = report.kind == REPORT_JOINED || report.kind == REPORT_RESULT;
        if (report.kind == REPORT_EPOCH && report.epoch.epoch == 1 && started < MEASURED)
            latency[started++] = clock_monotonic() - submitted[report.slot];
        if (report.kind == REPORT_RESULT) {
            done++;
            bytes = report.weights->layout.total * (int64_t)sizeof(float);
        }
        if (frees && sent < MEASURED) {
            struct trial trial = bed_trial(++sent);
            assert_int_equal(arch_parse(&trial.arch, arch, &error), 0);
            began = began > 0 ? began : clock_monotonic();
            processor = processor > 0 ? processor : processor_seconds();
            submitted[report.slot] = clock_monotonic();
            farm->kind->submit(farm, report.slot, &trial);
        }
        report_done(&report);
    }
    double seconds = clock_monotonic() - began;
    processor = processor_seconds() - processor;
    qsort(latency, (size_t)started, sizeof *latency, by_value);
    printf("# %d KB: %.0f trials a second with %d lanes, %.2f ms of the search's processor each; from the offer to the "
           "first"
           " report %.1f ms (half of them), %.1f ms (95 %%)\n",
           (int)(bytes / 1000), (double)done / seconds, WORKERS * SLOTS, 1000 * processor / (double)done,
           1000 * latency[started / 2], 1000 * latency[started * 95 / 100]);
    for (int i = 0; i < WORKERS; i++) {
        int status;
        kill(workers[i], SIGKILL);
        CHECK(waitpid(workers[i], &status, 0) == workers[i]);
    }
    farm->kind->free(farm);
}

static void test_figures(void **state)
{
    if (!getenv("ESPALIER_TEST_LONG"))
        skip();
    measure("C(16,3,1) A(2,2) SM(10)");
    measure("C(64,3,1) C(128,3,1) C(128,3,1) A(2,2) SM(10)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_same_digest, bed_renew), cmocka_unit_test_setup(test_figures, bed_renew),
        cmocka_unit_test_setup(test_frozen_worker, bed_renew), cmocka_unit_test_setup(test_away_at_the_end, bed_renew)};
    return bed_has_server() ? cmocka_run_group_tests_name("farm_search", tests, bed_open, bed_close) : 0;
}
