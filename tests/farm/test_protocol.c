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
#include "protocol_bed.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

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

/* More reports than the search reads at once stand before the result of a worker that is gone: it counts. */
static void test_late_behind_many(void **state)
{
    enum { MANY = 2000 };
    char *body = wire_write_report(&(struct report){.kind = REPORT_EPOCH, .epoch = {.epoch = 1, .epochs = 2}});
    submit(1);
    int64_t fence = fence_of(1);
    claim();
    bed_sql("BEGIN; INSERT INTO espalier.report (search, fence, number, kind, body) SELECT %d, %" PRId64
            ", number, 'epoch', '%s' FROM generate_series(1, %d) AS number",
            (int)search, fence, body, MANY);
    deliver_result(fence, MANY + 1);
    bed_sql("UPDATE espalier.worker SET gone = true; COMMIT");
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 200000000}, NULL); /* so that it looks at workers next */
    for (int i = 0; i < MANY; i++)
        next_report(REPORT_EPOCH);
    struct report report = next_report(REPORT_RESULT);
    report_done(&report);
    report = next_report(REPORT_LOST);
    report_done(&report);
    free(body);
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

int main(void)
{
#define SHORT(name)  cmocka_unit_test_setup_teardown(name, begin_short, end_search)
#define ENGINE(name) cmocka_unit_test_setup_teardown(name, begin_search, end_search)
    const struct CMUnitTest tests[] = {
        ENGINE(test_way_of_a_trial),
        SHORT(test_zombie),
        SHORT(test_silent_lanes),
        ENGINE(test_late_but_in_time),
        ENGINE(test_late_behind_many),
        ENGINE(test_leaves_in_order),
        ENGINE(test_lost_device),
        SHORT(test_cancel),
        ENGINE(test_pause),
        ENGINE(test_broken_connections),
        ENGINE(test_server_restarts),
        ENGINE(test_full_disk),
        ENGINE(test_damage),
        ENGINE(test_refused_worker),
    };
    return bed_has_server() ? cmocka_run_group_tests_name("protocol", tests, bed_open, bed_close) : 0;
}
