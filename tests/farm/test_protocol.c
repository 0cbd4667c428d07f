/*
 * test_protocol.c - every transition and race of the protocol, as the engine sees it: the test is the engine, on the
 * farm's evaluator, and plays the workers with statements of its own.  test_relay.c has the other side.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export/safetensors.h"
#include "farm/blob.h"
#include "farm/controller.h"
#include "farm/evaluator_farm.h"
#include "farm/wire.h"
#include "farm_bed.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

/* --- the test is the engine --- */

static struct search_options options;
static struct search_data data;
static struct evaluator *farm;
static struct event_sink sink;
static int64_t search, worker, lane;
static double lease; /* of the next search */

static struct evaluator *new_farm(void)
{
    struct error error;
    options_default(&options);
    data = scripted_data();
    struct evaluator *made = evaluator_farm_new(bed_url, lease, &options, &data, (struct hash){0}, &error);
    if (!made)
        fail_msg("%s", error.text);
    return made;
}

static void tell_first_event(double created)
{
    struct event event = {.kind = EVENT_SESSION};
    event.as.session.created = created;
    event.as.session.seed = 1;
    event.as.session.data_hash = "0123";
    sink.event(sink.context, &event);
}

static void tell_result(void)
{
    sink.event(sink.context, &(struct event){.kind = EVENT_RESULT});
}

/* The next report of this kind; those before it may only be of steps and samples. */
static struct report next_report(enum report_kind kind)
{
    double until = clock_monotonic() + 20;
    struct report report;
    while (clock_monotonic() < until) {
        if (!farm->kind->poll(farm, &report, 0.1))
            continue;
        if (report.kind == kind)
            return report;
        if (report.kind != REPORT_STEP && report.kind != REPORT_SAMPLE)
            fail_msg("a report of kind %d (%s), not %d", report.kind, report.message ? report.message : "", kind);
        report_done(&report);
    }
    fail_msg("no report of kind %d came", kind);
    return report;
}

static void no_report(void)
{
    struct report report;
    for (int i = 0; i < 3; i++)
        if (farm->kind->poll(farm, &report, 0.1))
            fail_msg("a report of kind %d (%s)", report.kind, report.message ? report.message : "");
}

static int64_t insert_worker(const char *host)
{
    return bed_sql(
        "INSERT INTO espalier.worker (search, host, process, program) VALUES (%d, '%s', 1, 'x') RETURNING id",
        (int)search, host);
}

static int64_t insert_lane(int64_t of)
{
    int64_t made = bed_sql("INSERT INTO espalier.lane (search, worker, number, device, name, speed_class, gpu) VALUES"
                           " (%d, %d, 0, 'cpu:0', 'a core', 'a class', false) RETURNING id",
                           (int)search, (int)of);
    bed_sql("NOTIFY espalier_%d", (int)search);
    return made;
}

static void beat(void)
{
    bed_sql("UPDATE espalier.worker SET beats = beats + 1 WHERE NOT gone");
}

static int begin_search_with(double seconds)
{
    lease = seconds;
    bed_renew(NULL);
    farm = new_farm();
    sink = evaluator_farm_sink(farm, "folder.esp");
    tell_first_event(1);
    bed_wait_for(1, "SELECT count(*) FROM espalier.search WHERE term = 1");
    search = bed_sql("SELECT id FROM espalier.search");
    worker = insert_worker("node");
    lane = insert_lane(worker);
    struct report report = next_report(REPORT_JOINED);
    assert_int_equal(report.slot, 0);
    return 0;
}

static int begin_search(void **state)
{
    return begin_search_with(FARM_LEASE);
}

static int begin_short(void **state)
{
    return begin_search_with(1.5);
}

static int end_search(void **state)
{
    farm->kind->free(farm);
    if (bed_sql("SELECT (SELECT count(*) FROM espalier.trial) + (SELECT count(*) FROM espalier.report)"
                " + (SELECT count(*) FROM espalier.blob) + (SELECT count(*) FROM espalier.chunk)"
                " + (SELECT count(*) FROM espalier.worker) + (SELECT count(*) FROM espalier.lane)"
                " + (SELECT count(*) FROM espalier.search WHERE NOT closed)"))
        BUG("the search left rows behind");
    return 0;
}

static void submit(int64_t node)
{
    struct trial trial = bed_trial(node);
    trial.may_stop = true;
    farm->kind->submit(farm, 0, &trial);
    bed_wait_for(node, "SELECT coalesce(max(node), 0) FROM espalier.trial WHERE state = 'offered'");
}

static int64_t fence_of(int64_t node)
{
    return bed_sql("SELECT fence FROM espalier.trial WHERE node = %d", (int)node);
}

static void claim(void)
{
    assert_int_equal(bed_sql("UPDATE espalier.trial SET state = 'running' WHERE state = 'offered'"), 1);
}

static void put_report(int64_t fence, int number, const char *kind, const char *body, const char *blob)
{
    bed_sql("INSERT INTO espalier.report (search, fence, number, kind, body, blob) VALUES (%d, %" PRId64
            ", %d, '%s', '%s', %s%s%s)",
            (int)search, fence, number, kind, body, blob ? "'" : "", blob ? blob : "NULL", blob ? "'" : "");
    bed_sql("NOTIFY espalier_%d", (int)search);
}

/* As relay_reports.c does it; the rows that it changed. */
static int64_t end_trial(int64_t fence, int number, const char *kind, const char *body, const char *blob)
{
    int64_t rows =
        bed_sql("UPDATE espalier.trial SET state = 'done' WHERE fence = %" PRId64 " AND state = 'running'", fence);
    if (rows)
        put_report(fence, number, kind, body, blob);
    return rows;
}

static const char result_body[] = "{\"result.loss\":0.5,\"result.accuracy\":0.75,\"result.count\":50,\"test.loss\":0,"
                                  "\"test.accuracy\":0,\"test.count\":0,"
                                  "\"seconds\":2.5,\"images_per_second\":100}";

static int64_t deliver_result(int64_t fence, int number)
{
    struct trial trial = bed_trial(1);
    struct weights *weights = weights_new(&trial.arch, data.input);
    struct error error;
    struct hash hash;
    void *bytes;
    size_t length;
    char name[BLOB_NAME];
    weights->values[0] = 42;
    safetensors_encode(weights, NULL, &bytes, &length, &hash);
    if (blob_put(bed_db(), search, blob_name(name, fence, number), fence, bytes, length, NULL, &error))
        fail_msg("%s", error.text);
    free(bytes);
    weights_free(weights);
    return end_trial(fence, number, "result", result_body, name);
}

static void epoch_comes(int64_t fence, int number)
{
    struct report sent = {.kind = REPORT_EPOCH, .epoch = {.epoch = number, .epochs = 2}};
    char *body = wire_write_report(&sent);
    put_report(fence, number, "epoch", body, NULL);
    free(body);
    struct report report = next_report(REPORT_EPOCH);
    assert_int_equal(report.epoch.epoch, number);
    assert_int_equal(report.fence, report.node);
}

static void test_way_of_a_trial(void **state)
{
    const struct device *device = farm->kind->device(farm, 0);
    assert_string_equal(device->id, "node/cpu:0");
    assert_string_equal(device->host, "node");
    assert_int_equal(farm->kind->slots(farm), 1);
    submit(1);
    int64_t fence = fence_of(1);
    claim();
    epoch_comes(fence, 1);
    farm->kind->proceed(farm, 1, false);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE verdict = 1 AND NOT goes_on");
    assert_int_equal(deliver_result(fence, 2), 1);
    struct report report = next_report(REPORT_RESULT);
    assert_true(report.result.accuracy == 0.75 && report.seconds == 2.5 && report.node == 1);
    assert_true(report.weights->values[0] == 42);
    report_done(&report);
    /* the engine has not written it yet: it stays, however long that takes */
    struct timespec moment = {.tv_nsec = 700000000};
    nanosleep(&moment, NULL);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.trial"), 1);
    tell_result();
    no_report();
    bed_wait_for(0, "SELECT (SELECT count(*) FROM espalier.trial) + (SELECT count(*) FROM espalier.chunk)");
    bed_wait_for(1, "SELECT mark FROM espalier.search");
}

static void test_zombie(void **state)
{
    submit(1);
    int64_t fence = fence_of(1);
    claim();
    beat(); /* and then never again */
    struct report report = next_report(REPORT_LOST);
    assert_false(report.left);
    assert_non_null(strstr(report.message, "no sign of life"));
    report_done(&report);
    assert_true(farm->kind->device(farm, 0)->lost);
    assert_int_equal(end_trial(fence, 1, "result", result_body, NULL), 0);
    /* the lane's successor takes its slot, and the trial begins anew under another fence */
    worker = insert_worker("node");
    lane = insert_lane(worker);
    report = next_report(REPORT_JOINED);
    assert_int_equal(report.slot, 0);
    struct trial again = bed_trial(1);
    again.fence = 9;
    farm->kind->submit(farm, 0, &again);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial");
    assert_true(fence_of(1) > fence);
    /* a report of the old fence can't be written at all: its trial's row is gone */
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.trial WHERE fence = %" PRId64, fence), 0);
}

/* All lanes of a silent worker are lost, each once, and none comes back. */
static void test_silent_lanes(void **state)
{
    insert_lane(worker);
    next_report(REPORT_JOINED);
    int seen = 0;
    for (int i = 0; i < 2; i++) {
        struct report report = next_report(REPORT_LOST);
        seen |= 1 << report.slot;
        report_done(&report);
    }
    assert_int_equal(seen, 3);
    for (int i = 0; i < 5; i++)
        no_report();
}

static void test_late_but_in_time(void **state)
{
    submit(1);
    int64_t fence = fence_of(1);
    claim();
    bed_sql("BEGIN; UPDATE espalier.worker SET gone = true; COMMIT"); /* as if given up by the statement before */
    deliver_result(fence, 1);
    /* what was delivered counts, whichever of the two is seen first */
    double until = clock_monotonic() + 20;
    bool has_result = false, is_lost = false;
    while (!(has_result && is_lost) && clock_monotonic() < until) {
        struct report report;
        if (!farm->kind->poll(farm, &report, 0.1))
            continue;
        has_result |= report.kind == REPORT_RESULT;
        is_lost |= report.kind == REPORT_LOST;
        report_done(&report);
        if (is_lost)
            break;
    }
    assert_true(is_lost);
    no_report();
    bed_wait_for(0, "SELECT count(*) FROM espalier.trial");
}

static void test_leaves_in_order(void **state)
{
    submit(1);
    claim();
    put_report(fence_of(1), 1, "cancelled", "{}", NULL);
    bed_sql("UPDATE espalier.trial SET state = 'done'");
    struct report report = next_report(REPORT_CANCELLED);
    report_done(&report);
    bed_sql("UPDATE espalier.worker SET gone = true, in_order = true");
    report = next_report(REPORT_LOST);
    assert_true(report.left);
    report_done(&report);
}

static void test_lost_device(void **state)
{
    int64_t other = insert_lane(worker);
    struct report report = next_report(REPORT_JOINED);
    assert_int_equal(report.slot, 1);
    assert_string_equal(farm->kind->device(farm, 1)->id, "node#2/cpu:0");
    bed_sql("UPDATE espalier.lane SET lost = true, why = 'it fell off the bus' WHERE id = %d", (int)other);
    beat();
    report = next_report(REPORT_LOST);
    assert_int_equal(report.slot, 1);
    assert_string_equal(report.message, "it fell off the bus");
    report_done(&report);
}

static void test_cancel(void **state)
{
    submit(1);
    int64_t fence = fence_of(1);
    claim();
    farm->kind->cancel(farm, 1);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE cancel");
    end_trial(fence, 1, "cancelled", "{}", NULL);
    struct report report = next_report(REPORT_CANCELLED);
    assert_int_equal(report.node, 1);
    /* a worker that doesn't answer is not waited for; what it says later is dropped */
    submit(2);
    fence = fence_of(2);
    claim();
    farm->kind->cancel(farm, 2);
    for (int i = 0; i < 4; i++) {
        beat();
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    }
    report = next_report(REPORT_CANCELLED);
    assert_int_equal(report.node, 2);
    submit(3);
    bed_wait_for(0, "SELECT count(*) FROM espalier.trial WHERE fence = %" PRId64, fence);
}

static void test_pause(void **state)
{
    farm->kind->pause(farm, true);
    bed_wait_for(1, "SELECT count(*) FROM espalier.search WHERE paused");
    farm->kind->pause(farm, false);
    bed_wait_for(0, "SELECT count(*) FROM espalier.search WHERE paused");
    /* also when the connection is away at that moment */
    farm->kind->pause(farm, true);
    bed_wait_for(1, "SELECT count(*) FROM espalier.search WHERE paused");
    bed_disconnect("espalier run");
    farm->kind->pause(farm, false);
    bed_wait_for(0, "SELECT count(*) FROM espalier.search WHERE paused");
}

/* The engine's connection breaks again and again: each trial has one result. */
static void test_broken_connections(void **state)
{
    enum { TRIALS = 12 };
    int results = 0;
    for (int64_t node = 1; node <= TRIALS; node++) {
        struct trial trial = bed_trial(node);
        bed_disconnect("espalier run");
        farm->kind->submit(farm, 0, &trial);
        if (node % 3 == 0)
            bed_disconnect("espalier run");
        bed_wait_for(node, "SELECT coalesce(max(node), 0) FROM espalier.trial WHERE state = 'offered'");
        assert_int_equal(bed_sql("SELECT count(*) FROM espalier.trial WHERE node = %d", (int)node), 1);
        int64_t fence = fence_of(node);
        claim();
        beat();
        if (node % 3 == 1)
            bed_disconnect("espalier run");
        assert_int_equal(deliver_result(fence, 1), 1);
        if (node % 2)
            bed_disconnect("espalier run");
        struct report report = next_report(REPORT_RESULT);
        assert_int_equal(report.node, node);
        report_done(&report);
        tell_result();
        results++;
    }
    no_report();
    bed_wait_for(0, "SELECT count(*) FROM espalier.trial");
    bed_wait_for(results, "SELECT mark FROM espalier.search");
}

static void test_server_restarts(void **state)
{
    submit(1);
    int64_t fence = fence_of(1);
    claim();
    bed_server("stop", "immediate");
    struct report report = next_report(REPORT_WARNING);
    assert_non_null(strstr(report.message, "nothing is lost"));
    report_done(&report);
    bed_server("start", NULL);
    bed_sql("SELECT 1"); /* the test's connection too */
    assert_int_equal(deliver_result(fence, 1), 1);
    bool has_result = false, is_back = false;
    for (double until = clock_monotonic() + 20; !(has_result && is_back) && clock_monotonic() < until;) {
        if (!farm->kind->poll(farm, &report, 0.1))
            continue;
        has_result |= report.kind == REPORT_RESULT;
        is_back |= report.kind == REPORT_WARNING && strstr(report.message, "is there again");
        report_done(&report);
    }
    assert_true(has_result && is_back);
    tell_result();
}

static void test_full_disk(void **state)
{
    bed_sql("CREATE FUNCTION espalier.full() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON espalier.trial EXECUTE FUNCTION espalier.full()");
    struct trial trial = bed_trial(1);
    farm->kind->submit(farm, 0, &trial);
    struct report report = next_report(REPORT_WARNING);
    assert_non_null(strstr(report.message, "disk is full"));
    report_done(&report);
    bed_sql("DROP TRIGGER full_disk ON espalier.trial");
    beat();
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial");
    report = next_report(REPORT_WARNING);
    report_done(&report);
}

static void test_damage(void **state)
{
    static const char *const bodies[] = {"{}", "nonsense", "{\"result.loss\": \"x\"}"};
    int64_t node = 1;
    for (size_t i = 0; i <= COUNT_OF(bodies); i++, node++) {
        submit(node);
        int64_t fence = fence_of(node);
        claim();
        beat();
        end_trial(fence, 1, "result", i < COUNT_OF(bodies) ? bodies[i] : result_body, NULL);
        struct report report = next_report(REPORT_FAILED);
        assert_int_equal(report.failure, FAILURE_ERROR);
        report_done(&report);
    }
}

static void test_refused_worker(void **state)
{
    bed_sql("INSERT INTO espalier.worker (search, host, process, program, refused) VALUES (%d, 'far', 1, 'x',"
            " 'other images')",
            (int)search);
    struct report report = next_report(REPORT_WARNING);
    assert_non_null(strstr(report.message, "a worker on far can't serve this search: other images"));
    report_done(&report);
    beat();
    no_report();
}

static struct session_state *new_session(void)
{
    struct session_state *session = session_state_new();
    struct error error;
    struct event first = {.kind = EVENT_SESSION, .number = 1};
    first.as.session = (struct event_session){.format = EVENT_FORMAT, .created = 1, .seed = 1, .data_hash = "0123"};
    if (session_apply(session, &first, &error))
        fail_msg("%s", error.text);
    return session;
}

/* What a worker must have is what the process says that runs the search now. */
static void test_resumed(void **state)
{
    struct session_state *session = new_session();
    struct error error;
    farm->kind->free(farm);
    bed_sql("UPDATE espalier.search SET data_hash = 'old', options = 'old', paused = true");
    farm = new_farm();
    assert_int_equal(evaluator_farm_take(farm, session, "folder.esp", &error), 0);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.search WHERE data_hash <> 'old' AND options <> 'old'"
                             " AND NOT paused AND NOT closed"),
                     1);
    session_state_free(session);
}

/* Whoever resumes a search doesn't wait without end for a server that is away. */
static void test_no_server_to_take_it(void **state)
{
    struct session_state *session = new_session();
    struct error error;
    struct evaluator *second = new_farm();
    ((struct farm *)second)->patience = 1;
    bed_server("stop", "immediate");
    assert_int_equal(evaluator_farm_take(second, session, "copy.esp", &error), -1);
    assert_true(strstr(error.text, "server") != NULL);
    second->kind->free(second);
    session_state_free(session);
    bed_server("start", NULL);
    bed_wait_for(1, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'");
}

/* A second process, with a copy of the session. */
static void test_second_controller(void **state)
{
    struct session_state *session = new_session();
    struct error error;
    tell_result();
    bed_wait_for(1, "SELECT mark FROM espalier.search");
    struct evaluator *second = new_farm();
    assert_int_equal(evaluator_farm_take(second, session, "copy.esp", &error), -1);
    assert_non_null(strstr(error.text, "runs this session (as folder.esp)"));
    second->kind->free(second);
    /* the first one has lost the lock for a moment, and another one takes it: the first one ends */
    bed_sql("UPDATE espalier.search SET term = term + 1");
    bed_disconnect("espalier run");
    struct report report = next_report(REPORT_BROKEN);
    assert_non_null(strstr(report.message, "another process took this session"));
    report_done(&report);
    /* and it leaves the rows of its successor alone */
    bed_wait_for(0, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'");
    second = new_farm();
    assert_int_equal(evaluator_farm_take(second, session, "copy.esp", &error), -1);
    assert_non_null(strstr(error.text, "is an older copy: it has 0 results, and the farm has written 1"));
    second->kind->free(second);
    session_state_free(session);
    bed_sql("DELETE FROM espalier.search");
}

int main(void)
{
#define ENGINE(name) cmocka_unit_test_setup_teardown(name, begin_search, end_search)
#define SHORT(name)  cmocka_unit_test_setup_teardown(name, begin_short, end_search)
    const struct CMUnitTest tests[] = {
        ENGINE(test_way_of_a_trial),
        SHORT(test_zombie),
        SHORT(test_silent_lanes),
        ENGINE(test_late_but_in_time),
        ENGINE(test_leaves_in_order),
        ENGINE(test_lost_device),
        SHORT(test_cancel),
        ENGINE(test_pause),
        ENGINE(test_broken_connections),
        ENGINE(test_server_restarts),
        ENGINE(test_full_disk),
        ENGINE(test_damage),
        ENGINE(test_refused_worker),
        ENGINE(test_resumed),
        ENGINE(test_no_server_to_take_it),
        ENGINE(test_second_controller),
    };
    return bed_has_server() ? cmocka_run_group_tests_name("protocol", tests, bed_open, bed_close) : 0;
}
