/*
 * test_torture.c - a search on a farm in which everything is killed, stopped and cut again and again.
 *
 * The engine and each worker are processes; trainers are scripted.  Two networks lie between them and the server.  The
 * faults are drawn: kills and terminations of workers, workers and networks that stand still for less than the lease or
 * longer, kills of the engine, broken connections, immediate stops of the server, and second controllers with a copy of
 * the session.  Whatever they were, each network has one result, with the right weights, and nothing is left in the
 * database.
 *
 * 60 networks; ESPALIER_TEST_LONG=1: 2,000.  ESPALIER_TEST_SEED: other faults.
 */
#include "config.h"

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
#include <sys/stat.h>
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

enum engine_end { ENGINE_DONE, ENGINE_REFUSED = 3, ENGINE_FAILED = 4, ENGINE_LEFT = 5 /* rows in the farm */ };

static enum engine_end run_engine(const char *url, const char *path, bool fresh, int64_t networks, struct error *error)
{
    struct search_data data = scripted_data();
    struct search_options options = search_options_of(networks);
    struct evaluator *evaluator = evaluator_farm_new(url, LEASE, &options, &data, (struct hash){0}, error);
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
    if (evaluator_farm_end(evaluator, error) && end == ENGINE_DONE)
        end = ENGINE_LEFT;
    evaluator->kind->free(evaluator);
    return end;
}

static pid_t start_engine(const char *url, const char *path, bool fresh, int64_t networks)
{
    pid_t child = fork();
    struct error error = {{0}};
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    enum engine_end end = run_engine(url, path, fresh, networks, &error);
    if (end == ENGINE_FAILED || end == ENGINE_LEFT)
        fprintf(stderr, "# the engine: %s\n", error.text);
    _exit(end);
}

/* --- the torture --- */

/* The networks that can be cut: of the engine, and of the first two workers.  The third one is beside the server. */
enum { NET_ENGINE, NET_WORKERS, NETS, KINDS = 10 };

struct torture {
    char *folder, *path, *copy;
    int64_t networks;
    pid_t engine, workers[WORKERS], nets[NETS];
    char urls[NETS][256];
    double stopped[WORKERS], cut[NETS]; /* when what stands still goes on; 0: it runs */
    bool is_begun;                      /* the session has its first event */
    struct random_stream stream;
    int faults, kinds[KINDS];
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
    torture->engine = start_engine(torture->urls[NET_ENGINE], torture->path, !torture->is_begun, torture->networks);
}

static void begin_worker(struct torture *torture, int number)
{
    torture->stopped[number] = 0;
    struct script script = {.slots = SLOTS, .seed = random_below(&torture->stream, 1000), .seconds = 0.05};
    torture->workers[number] = bed_worker_fork(number < 2 ? torture->urls[NET_WORKERS] : bed_url, &script);
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
    pid_t child = start_engine(bed_url, torture->copy, false, torture->networks);
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == ENGINE_REFUSED)
        return true;
    if (!is_running(torture->engine)) /* it had ended before its copy began */
        return false;
    fail_msg("a second controller was not refused (%d)", status);
    return false;
}

enum fault {
    KILL_WORKER,
    END_WORKER,
    STOP_WORKER,
    KILL_ENGINE,
    CUT_ENGINE,
    CUT_WORKERS,
    STOP_SERVER,
    COPY_SESSION,
    PART_ENGINE,
    PART_WORKERS
};
/* Out of 100; the dear ones are rare. */
static const int weights_of[KINDS] = {17, 13, 10, 12, 17, 15, 4, 4, 3, 5};

/* For less than the lease, or for longer. */
static double draw_length(struct torture *torture)
{
    return clock_monotonic() + LEASE * (0.5 + 0.01 * random_below(&torture->stream, 200));
}

/* False: it is cut already. */
static bool cut_net(struct torture *torture, int net)
{
    if (torture->cut[net] > 0)
        return false;
    kill(-torture->nets[net], SIGSTOP);
    torture->cut[net] = draw_length(torture);
    return true;
}

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
        if (torture->stopped[number] > 0 || torture->cut[NET_WORKERS] > 0)
            return;
        kill(worker, SIGTERM);
        CHECK(waitpid(worker, &status, 0) == worker);
        begin_worker(torture, number);
        break;
    case STOP_WORKER:
        if (torture->stopped[number] > 0)
            return;
        kill(worker, SIGSTOP);
        torture->stopped[number] = draw_length(torture);
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
    case PART_ENGINE:
    case PART_WORKERS:
        if (!cut_net(torture, fault == PART_ENGINE ? NET_ENGINE : NET_WORKERS))
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

static void wake(pid_t process, double *until)
{
    if (*until > 0 && clock_monotonic() > *until) {
        kill(process, SIGCONT);
        *until = 0;
    }
}

static void wake_all(struct torture *torture)
{
    for (int i = 0; i < WORKERS; i++)
        wake(torture->workers[i], &torture->stopped[i]);
    for (int i = 0; i < NETS; i++)
        wake(-torture->nets[i], &torture->cut[i]);
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
    char *left = bed_left();
    assert_string_equal(left, "");
    free(left);
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
        wake_all(torture);
        if (clock_monotonic() > next && torture->faults < torture->networks) {
            draw_fault(torture);
            next = clock_monotonic() + 0.02 + 0.01 * random_below(&torture->stream, 25);
        }
        if (!has_ended(torture->engine, &status))
            continue;
        if (WIFEXITED(status) && WEXITSTATUS(status) == ENGINE_DONE)
            return;
        if (!WIFEXITED(status) || (WEXITSTATUS(status) != ENGINE_REFUSED && WEXITSTATUS(status) != ENGINE_LEFT))
            fail_msg("the engine ended with %d", status);
        begin_engine(torture); /* the server was away when it began, or when it ended */
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
    assert_int_equal(run_engine(bed_url, torture->copy, false, torture->networks, &error), ENGINE_REFUSED);
    assert_non_null(strstr(error.text, "is an older copy"));
}

static void test_torture(void **state)
{
    static const char *const names[KINDS] = {"workers killed",       "workers terminated", "workers stopped",
                                             "engines killed",       "engines cut off",    "workers cut off",
                                             "server stops",         "copies refused",     "partitions of the engine",
                                             "partitions of workers"};
    const char *seed = getenv("ESPALIER_TEST_SEED");
    struct torture torture = {.networks = getenv("ESPALIER_TEST_LONG") ? NETWORKS_LONG : NETWORKS};
    torture.folder = scratch_new();
    torture.path = bed_path(torture.folder, "a");
    torture.copy = bed_path(torture.folder, "copy");
    torture.stream = random_stream_new(seed ? strtoull(seed, NULL, 10) : 1, RANDOM_TEST, 0, 0);
    for (int i = 0; i < NETS; i++) {
        char *net = bed_path(torture.folder, i ? "workers" : "engine");
        CHECK(!mkdir(net, 0755));
        torture.nets[i] = bed_network(net, torture.urls[i]);
        free(net);
    }
    double began = clock_monotonic();
    begin_engine(&torture);
    for (int i = 0; i < WORKERS; i++)
        begin_worker(&torture, i);
    run_torture(&torture);
    double seconds = clock_monotonic() - began;
    for (int i = 0; i < WORKERS; i++)
        kill_child(torture.workers[i]);
    for (int i = 0; i < NETS; i++)
        kill_child(torture.nets[i]);
    printf("# %d networks, %d faults in %.0f s:", (int)torture.networks, torture.faults, seconds);
    for (int i = 0; i < KINDS; i++)
        printf(" %d %s%s", torture.kinds[i], names[i], i < KINDS - 1 ? "," : "\n");
    check_end(&torture);
    check_older_copy(&torture);
    scratch_remove(torture.folder);
    free(torture.folder);
    free(torture.path);
    free(torture.copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_torture, bed_renew)};
    return bed_has_server() ? cmocka_run_group_tests_name("torture", tests, bed_open, bed_close) : 0;
}
