/*
 * test_farm_search.c - whole searches through a farm, whose trainers are scripted: the same digest as on this machine,
 * and a torture in which everything is killed, stopped and cut again and again.
 *
 * The engine and each worker are processes.  The faults are drawn: kills and terminations of workers, workers that
 * stand still for longer than the lease, kills of the engine, broken connections, immediate stops of the server, and
 * second controllers with a copy of the session.  Whatever they were, each network has one result, with the right
 * weights, and nothing is left in the database.
 *
 * ESPALIER_TEST_LONG=1: 2,000 networks in the torture, =short: 60; without it there is none.  ESPALIER_TEST_SEED: other
 * faults.
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine_bed.h"
#include "export/safetensors.h"
#include "farm/evaluator_farm.h"
#include "farm_bed.h"
#include "sessions/log.h"
#include "util/bug.h"
#include "util/clock.h"

enum { WORKERS = 3, SLOTS = 2, NETWORKS = 60, NETWORKS_LONG = 2000, NODES_MAX = 10000 };
#define LEASE 2.0

static void nap(double seconds)
{
    nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)}, NULL);
}

/* --- engines and workers --- */

static struct search_options search_options_of(int64_t networks)
{
    struct search_options options = bed_options();
    options.networks = networks;
    strcpy(options.rungs, "1");
    options.rung_keep = 0.7;
    return options;
}

enum engine_end { ENGINE_DONE, ENGINE_REFUSED = 3, ENGINE_FAILED = 4 };

static enum engine_end run_engine(const char *path, bool fresh, int64_t networks, struct error *error)
{
    struct search_data data = scripted_data();
    struct search_options options = search_options_of(networks);
    struct evaluator *evaluator = evaluator_farm_new(bed_url, LEASE, &options, &data, (struct hash){0}, error);
    struct engine *engine = NULL;
    struct error warning;
    enum engine_end end = ENGINE_REFUSED;
    if (!evaluator)
        return ENGINE_REFUSED;
    if (!(fresh ? engine_create(&options, path, &data, evaluator, &engine, error)
                : engine_resume(path, &data, evaluator, &engine, &warning, error))) {
        engine_add_sink(engine, evaluator_farm_sink(evaluator, path));
        if (!evaluator_farm_take(evaluator, engine_state(engine), path, error))
            end = engine_run(engine, error) ? ENGINE_FAILED : ENGINE_DONE;
        engine_free(engine);
    }
    evaluator->kind->free(evaluator);
    return end;
}

static pid_t start_engine(const char *path, bool fresh, int64_t networks)
{
    pid_t child = fork();
    struct error error = {{0}};
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    enum engine_end end = run_engine(path, fresh, networks, &error);
    if (end == ENGINE_FAILED)
        fprintf(stderr, "# the engine: %s\n", error.text);
    _exit(end);
}

static struct bed_worker served;

static void stop_serving(int signal)
{
    atomic_store(&served.stop, true);
}

static double trial_seconds = 0.05;

static pid_t start_worker(uint64_t seed)
{
    pid_t child = fork();
    struct db *db;
    struct error error;
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, stop_serving);
    served.script = (struct script){.slots = SLOTS, .seed = seed, .seconds = trial_seconds};
    if (db_new(bed_url, "espalier worker", &db, &error))
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
            nap(0.05);
        }
    }
    _exit(0);
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

/* --- the torture --- */

struct torture {
    char *folder, *path, *copy;
    int64_t networks;
    pid_t engine, workers[WORKERS];
    double stopped[WORKERS]; /* when a worker that stands still goes on; 0: it runs */
    bool is_begun;           /* the session has its first event */
    struct random_stream stream;
    int faults, kinds[8];
};

static bool has_ended(pid_t child, int *status)
{
    return waitpid(child, status, WNOHANG) == child;
}

static bool is_running(pid_t child)
{
    siginfo_t info = {.si_pid = 0};
    return !waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

static void kill_child(pid_t child)
{
    int status;
    kill(child, SIGKILL);
    CHECK(waitpid(child, &status, 0) == child);
}

static bool is_session(const char *path)
{
    struct session_state *session;
    struct error error, warning;
    if (session_load(path, &session, &warning, &error))
        return false;
    bool begun = session->event_count;
    session_state_free(session);
    return begun;
}

static void begin_engine(struct torture *torture)
{
    torture->is_begun = torture->is_begun || is_session(torture->path);
    if (!torture->is_begun)
        scratch_remove(torture->path);
    torture->engine = start_engine(torture->path, !torture->is_begun, torture->networks);
}

static void begin_worker(struct torture *torture, int number)
{
    torture->stopped[number] = 0;
    torture->workers[number] = start_worker(random_below(&torture->stream, 1000));
}

/* Does an engine run the search, and not just one that was killed a moment ago?  Else the copy could be the first. */
static bool is_taken(void)
{
    static const char locks[] = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    bool was_taken = bed_sql(locks);
    nap(0.5);
    return was_taken && bed_sql(locks);
}

/* A copy of the session begins to run while the first one does.  False: there is none yet. */
static bool run_copy(struct torture *torture)
{
    char command[512];
    int status;
    torture->is_begun = torture->is_begun || is_session(torture->path);
    if (!torture->is_begun || !is_taken())
        return false;
    snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s' 2>/dev/null", torture->copy, torture->path,
             torture->copy);
    if (system(command) || !is_session(torture->copy))
        return false;
    pid_t child = start_engine(torture->copy, false, torture->networks);
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == ENGINE_REFUSED)
        return true;
    if (!is_running(torture->engine)) /* it had ended before its copy began */
        return false;
    fail_msg("a second controller was not refused (%d)", status);
    return false;
}

enum fault { KILL_WORKER, END_WORKER, STOP_WORKER, KILL_ENGINE, CUT_ENGINE, CUT_WORKERS, STOP_SERVER, COPY_SESSION };
/* Out of 100; the dear ones are rare. */
static const int weights_of[] = {20, 14, 12, 12, 18, 16, 4, 4};

static void make_fault(struct torture *torture, enum fault fault)
{
    int number = (int)random_below(&torture->stream, WORKERS), status;
    pid_t worker = torture->workers[number];
    switch (fault) {
    case KILL_WORKER:
        kill_child(worker);
        begin_worker(torture, number);
        break;
    case END_WORKER:
        if (torture->stopped[number] > 0)
            return;
        kill(worker, SIGTERM);
        CHECK(waitpid(worker, &status, 0) == worker);
        begin_worker(torture, number);
        break;
    case STOP_WORKER:
        if (torture->stopped[number] > 0)
            return;
        kill(worker, SIGSTOP);
        torture->stopped[number] = clock_monotonic() + LEASE * (0.5 + 0.01 * random_below(&torture->stream, 200));
        break;
    case KILL_ENGINE:
        kill_child(torture->engine);
        begin_engine(torture);
        break;
    case CUT_ENGINE:
        bed_disconnect("espalier run");
        break;
    case CUT_WORKERS:
        bed_disconnect("espalier worker");
        break;
    case STOP_SERVER:
        bed_server("stop", "immediate");
        nap(0.01 * random_below(&torture->stream, 50));
        bed_server("start", NULL);
        break;
    case COPY_SESSION:
        if (!run_copy(torture))
            return;
        break;
    }
    torture->faults++;
    torture->kinds[fault]++;
}

static void draw_fault(struct torture *torture)
{
    int drawn = (int)random_below(&torture->stream, 100), fault = 0;
    while (drawn >= weights_of[fault])
        drawn -= weights_of[fault++];
    make_fault(torture, (enum fault)fault);
}

static void wake_workers(struct torture *torture)
{
    for (int i = 0; i < WORKERS; i++)
        if (torture->stopped[i] > 0 && clock_monotonic() > torture->stopped[i]) {
            kill(torture->workers[i], SIGCONT);
            torture->stopped[i] = 0;
        }
}

/* In the whole log, every network has one result at most. */
static void check_log(const char *path)
{
    static bool has_result[NODES_MAX];
    struct log_reader *reader;
    struct event event;
    struct error error;
    assert_int_equal(log_read(path, &reader, &error), 0);
    while (log_next(reader, &event, &error) == LOG_EVENT) {
        if (event.kind == EVENT_RESULT) {
            assert_true(event.as.result.node < NODES_MAX && !has_result[event.as.result.node]);
            has_result[event.as.result.node] = true;
        }
        event_done(&event);
    }
    log_reader_free(reader);
}

/* Those that the trainers made: a scripted one has the weights of a new network. */
static void check_weights(const struct torture *torture, const struct session_state *session)
{
    for (int64_t i = 1; i <= session->node_count; i++) {
        const struct session_node *node = session_node(session, i);
        struct text path = TEXT_EMPTY;
        struct weights *weights;
        struct error error;
        if (node->status != NODE_DONE || node->dropped)
            continue;
        struct hash hash = hash_scan(node->weights_hash);
        text_add(&path, "%s/weights/%s", torture->path, node->weights);
        assert_int_equal(safetensors_read(text_string(&path), &hash, &weights, &error), 0);
        struct weights *right = weights_new(&weights->arch, scripted_data().input);
        assert_memory_equal(weights->values, right->values, (size_t)right->layout.total * sizeof(float));
        weights_free(right);
        weights_free(weights);
        text_done(&path);
    }
}

static void check_end(struct torture *torture)
{
    struct session_state *session;
    struct error error, warning;
    struct fsck_report report;
    struct text findings = TEXT_EMPTY;
    assert_int_equal(session_load(torture->path, &session, &warning, &error), 0);
    assert_true(session->finished);
    int64_t done = 0;
    for (int64_t i = 1; i <= session->node_count; i++)
        done += session_node(session, i)->status == NODE_DONE;
    assert_in_range(done, torture->networks, torture->networks + WORKERS * SLOTS);
    check_log(torture->path);
    check_weights(torture, session);
    assert_int_equal(session_check(torture->path, false, &report, &findings, &error), 0);
    assert_int_equal(report.frames_bad + report.weights_missing + report.weights_wrong, 0);
    text_done(&findings);
    session_state_free(session);
    bed_wait_for(0, "SELECT (SELECT count(*) FROM espalier.trial) + (SELECT count(*) FROM espalier.report)"
                    " + (SELECT count(*) FROM espalier.blob) + (SELECT count(*) FROM espalier.chunk)"
                    " + (SELECT count(*) FROM espalier.worker) + (SELECT count(*) FROM espalier.lane)"
                    " + (SELECT count(*) FROM espalier.live)");
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.search WHERE closed AND mark = %d", (int)done), 1);
}

/* A search whose start network loses its devices again and again has nothing to grow, and ends. */
static void wait_for_start(const struct torture *torture)
{
    bool is_done = false;
    while (!is_done && is_running(torture->engine)) {
        struct session_state *session;
        struct error error, warning;
        nap(0.05);
        if (session_load(torture->path, &session, &warning, &error))
            continue;
        is_done = session->status_count[NODE_DONE];
        session_state_free(session);
    }
}

/* Until the search is over. */
static void run_torture(struct torture *torture)
{
    int status;
    wait_for_start(torture);
    double next = clock_monotonic() + 0.5;
    for (;;) {
        nap(0.01);
        wake_workers(torture);
        if (clock_monotonic() > next) {
            draw_fault(torture);
            next = clock_monotonic() + 0.02 + 0.01 * random_below(&torture->stream, 25);
        }
        if (!has_ended(torture->engine, &status))
            continue;
        if (WIFEXITED(status) && WEXITSTATUS(status) == ENGINE_DONE)
            return;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != ENGINE_REFUSED)
            fail_msg("the engine ended with %d", status);
        begin_engine(torture); /* the server was away when it began */
    }
}

/* A copy from the middle of a search that has ended: the farm knows how far it went. */
static void check_older_copy(struct torture *torture)
{
    char command[512];
    struct error error = {{0}};
    snprintf(command, sizeof command,
             "rm -rf '%s' && cp -r '%s' '%s' && truncate -s $(($(stat -c %%s '%s/events.log') / 2)) '%s/events.log'",
             torture->copy, torture->path, torture->copy, torture->path, torture->copy);
    assert_int_equal(system(command), 0);
    assert_int_equal(run_engine(torture->copy, false, torture->networks, &error), ENGINE_REFUSED);
    assert_non_null(strstr(error.text, "is an older copy"));
}

static void test_torture(void **state)
{
    static const char *const names[] = {"workers killed",  "workers terminated", "workers stopped", "engines killed",
                                        "engines cut off", "workers cut off",    "server stops",    "copies refused"};
    const char *seed = getenv("ESPALIER_TEST_SEED");
    const char *mode = getenv("ESPALIER_TEST_LONG"); /* "short": 60 networks in half a minute */
    if (!mode)
        skip();
    struct torture torture = {.networks = strcmp(mode, "short") ? NETWORKS_LONG : NETWORKS};
    torture.folder = scratch_new();
    torture.path = bed_path(torture.folder, "a");
    torture.copy = bed_path(torture.folder, "copy");
    torture.stream = random_stream_new(seed ? strtoull(seed, NULL, 10) : 1, RANDOM_TEST, 0, 0);
    double began = clock_monotonic();
    begin_engine(&torture);
    for (int i = 0; i < WORKERS; i++)
        begin_worker(&torture, i);
    run_torture(&torture);
    double seconds = clock_monotonic() - began;
    for (int i = 0; i < WORKERS; i++)
        kill_child(torture.workers[i]);
    printf("# %d networks, %d faults in %.0f s:", (int)torture.networks, torture.faults, seconds);
    for (int i = 0; i < 8; i++)
        printf(" %d %s%s", torture.kinds[i], names[i], i < 7 ? "," : "\n");
    check_end(&torture);
    check_older_copy(&torture);
    scratch_remove(torture.folder);
    free(torture.folder);
    free(torture.path);
    free(torture.copy);
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
    struct evaluator *farm = evaluator_farm_new(bed_url, FARM_LEASE, &options, &data, (struct hash){0}, &error);
    struct event first = {.kind = EVENT_SESSION};
    double submitted[WORKERS * SLOTS], latency[MEASURED], began = 0, processor = 0;
    int64_t sent = 0, done = 0, bytes = 0, started = 0;
    pid_t workers[WORKERS];
    assert_non_null(farm);
    first.as.session.data_hash = "0";
    struct event_sink sink = evaluator_farm_sink(farm, "a");
    sink.event(sink.context, &first);
    trial_seconds = 0;
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(1);
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
    for (int i = 0; i < WORKERS; i++)
        kill_child(workers[i]);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_same_digest, bed_renew),
                                       cmocka_unit_test_setup(test_figures, bed_renew),
                                       cmocka_unit_test_setup(test_torture, bed_renew)};
    return bed_has_server() ? cmocka_run_group_tests_name("farm_search", tests, bed_open, bed_close) : 0;
}
