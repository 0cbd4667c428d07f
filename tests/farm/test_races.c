/*
 * test_races.c - the transitions of a trial and of a worker, each against the statement that could overtake it: two
 * connections, of which one stands still after its statement has seen the rows, while the other changes them.
 * Whichever comes first, one of the two has an effect, and the other finds that out.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "farm/evaluator_farm.h"
#include "farm/wire.h"
#include "farm_bed.h"
#include "util/clock.h"

static int64_t search, worker, lane;

/* --- a worker's statements, with the real worker; the test is the search --- */

static struct bed_worker relay;

static int make_search(void **state)
{
    bed_renew(state);
    search = bed_sql("INSERT INTO espalier.search (name, session, host, process, program, options, data, data_hash,"
                     " instructions, kinds) VALUES ('s', '', '', 1, '', '', '', '', '', '') RETURNING id");
    return 0;
}

static void start_relay(double seconds)
{
    bed_worker_start(&relay, search, &(struct script){.slots = 1, .seconds = seconds});
    bed_wait_for(1, "SELECT count(*) FROM espalier.lane");
    worker = bed_sql("SELECT id FROM espalier.worker");
    lane = bed_sql("SELECT id FROM espalier.lane");
}

static void offer(int64_t node)
{
    struct trial trial = bed_trial(node);
    struct error error;
    char *request = wire_write_trial(&trial);
    if (db_query(
            bed_db(), &error,
            "INSERT INTO espalier.trial (search, fence, node, worker, lane, request) VALUES ($1, $2, $3, $4, $5, $6)",
            DB_INTEGER(search), DB_INTEGER(node), DB_INTEGER(node), DB_INTEGER(worker), DB_INTEGER(lane),
            DB_TEXT(request)))
        fail_msg("%s", error.text);
    free(request);
}

/* The worker has lost nothing but that trial: it trains the next one. */
static void check_next(int64_t node)
{
    worker = bed_sql("SELECT max(id) FROM espalier.worker WHERE NOT gone");
    lane = bed_sql("SELECT max(id) FROM espalier.lane");
    offer(node);
    bed_wait_for(1, "SELECT count(*) FROM espalier.report WHERE kind = 'result' AND fence = %d", (int)node);
    bed_sql("UPDATE espalier.search SET closed = true");
    assert_int_equal(bed_worker_join(&relay), RELAY_CLOSED);
}

/* A claim, and the search withdraws the trial. */
static void test_claim_and_withdrawal(void **state)
{
    start_relay(0);
    bed_gate("UPDATE", "trial");
    offer(1);
    bed_gate_wait();
    assert_int_equal(bed_sql("DELETE FROM espalier.trial"), 1);
    bed_gate_open();
    check_next(2);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE fence = 1"), 0);
}

/* The trial is trained, and its claim has been carried out; the next statement of the worker about it is its result. */
static void train_up_to_result(void)
{
    start_relay(0.1);
    offer(1);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE state = 'running'");
    bed_gate("UPDATE", "trial");
    bed_gate_wait();
}

static void test_result_and_withdrawal(void **state)
{
    train_up_to_result();
    assert_int_equal(bed_sql("DELETE FROM espalier.trial WHERE state = 'running'"), 1);
    bed_gate_open();
    check_next(2);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE fence = 1"), 0);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.blob WHERE fence = 1"), 0);
}

static void test_result_and_cancellation(void **state)
{
    train_up_to_result();
    assert_int_equal(bed_sql("UPDATE espalier.trial SET cancel = true"), 1);
    bed_gate_open();
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE state = 'done'");
    check_next(2);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE fence = 1 AND kind = 'result'"), 1);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE fence = 1 AND kind = 'cancelled'"), 0);
}

/* The search gives the worker up: its result is refused, and it enrols anew. */
static void test_result_and_giving_up(void **state)
{
    train_up_to_result();
    bed_sql("BEGIN; UPDATE espalier.worker SET gone = true; DELETE FROM espalier.trial WHERE state <> 'done'; COMMIT");
    bed_gate_open();
    bed_wait_for(1, "SELECT count(*) FROM espalier.worker WHERE NOT gone AND id > %d", (int)worker);
    check_next(2);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE fence = 1"), 0);
}

/* The connection breaks in the midst of a claim, and of a result: each is carried out once. */
static void test_cut_statements(void **state)
{
    start_relay(0);
    bed_gate("UPDATE", "trial");
    offer(1);
    bed_gate_wait();
    bed_disconnect("espalier worker");
    bed_gate_wait(); /* it claims again */
    bed_disconnect("espalier worker");
    bed_gate_open();
    bed_wait_for(1, "SELECT count(*) FROM espalier.report WHERE kind = 'result'");
    check_next(2);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE fence = 1 AND kind = 'result'"), 1);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker"), 1);
}

/* The search ends while a worker enrols: it sees that, and leaves nothing.  The other order: test_farm_search.c. */
static void test_enrolment_and_end(void **state)
{
    assert_int_equal(bed_sql("BEGIN; SELECT 1 FROM espalier.search FOR UPDATE"), 1);
    bed_worker_start(&relay, search, &(struct script){.slots = 1});
    bed_wait_for(1, "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'");
    bed_sql("UPDATE espalier.search SET closed = true; COMMIT");
    assert_int_equal(bed_worker_join(&relay), RELAY_CLOSED);
    char *left = bed_left();
    assert_string_equal(left, "");
    free(left);
}

/* Or another process resumes it, which trains in another precision: the worker has to look at it anew. */
static void test_enrolment_and_change(void **state)
{
    assert_int_equal(bed_sql("BEGIN; SELECT 1 FROM espalier.search FOR UPDATE"), 1);
    bed_worker_start(&relay, search, &(struct script){.slots = 1});
    bed_wait_for(1, "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'");
    bed_sql("UPDATE espalier.search SET options = 'precision=tf32'; COMMIT");
    assert_int_equal(bed_worker_join(&relay), RELAY_CLOSED);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker"), 0);
}

/* Or it is dropped. */
static void test_enrolment_and_drop(void **state)
{
    assert_int_equal(bed_sql("BEGIN; DELETE FROM espalier.search"), 1);
    bed_worker_start(&relay, search, &(struct script){.slots = 1});
    bed_wait_for(1, "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'");
    bed_sql("COMMIT");
    assert_int_equal(bed_worker_join(&relay), RELAY_CLOSED);
}

/* Likewise while it says why it can't serve the search. */
static void test_refusal_and_end(void **state)
{
    struct farm_search row = bed_row(search);
    struct error error;
    assert_int_equal(farm_refuse_search(bed_db(), &row, "other images", &error), 0);
    assert_int_equal(farm_refuse_search(bed_db(), &row, "other images", &error), 0);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker WHERE refused = 'other images'"), 1);
    bed_sql("DELETE FROM espalier.worker; UPDATE espalier.search SET closed = true");
    assert_int_equal(farm_refuse_search(bed_db(), &row, "other images", &error), 0);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker"), 0);
}

/* --- the search's statements, with the real evaluator; the test is the worker --- */

#define LEASE 1.5
static struct evaluator *farm;

static int begin_search(void **state)
{
    struct search_options options;
    struct search_data data = scripted_data();
    struct event first = {.kind = EVENT_SESSION};
    struct error error;
    bed_renew(state);
    options_default(&options);
    farm = evaluator_farm_new(bed_url, LEASE, &options, &data, (struct hash){0}, &error);
    if (!farm)
        fail_msg("%s", error.text);
    first.as.session.data_hash = "0";
    struct event_sink sink = evaluator_farm_sink(farm, "folder.esp");
    sink.event(sink.context, &first);
    bed_wait_for(1, "SELECT count(*) FROM espalier.search WHERE term = 1");
    search = bed_sql("SELECT id FROM espalier.search");
    worker = bed_sql("INSERT INTO espalier.worker (search, host, process, program) VALUES (%d, 'node', 1, 'x')"
                     " RETURNING id",
                     (int)search);
    lane = bed_sql("INSERT INTO espalier.lane (search, worker, number, device, name, speed_class, gpu) VALUES"
                   " (%d, %d, 0, 'cpu:0', 'a core', 'a class', false) RETURNING id",
                   (int)search, (int)worker);
    return 0;
}

static int end_search(void **state)
{
    farm->kind->free(farm);
    return 0;
}

/* The next report but steps and samples; nothing within so many seconds: -1. */
static int next_kind(double seconds)
{
    double until = clock_monotonic() + seconds;
    struct report report;
    while (clock_monotonic() < until) {
        if (!farm->kind->poll(farm, &report, 0.1))
            continue;
        int kind = report.kind;
        report_done(&report);
        if (kind != REPORT_STEP && kind != REPORT_SAMPLE)
            return kind;
    }
    return -1;
}

static void submit_and_claim(void)
{
    struct trial trial = bed_trial(1);
    assert_int_equal(next_kind(20), REPORT_JOINED);
    farm->kind->submit(farm, 0, &trial);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial");
    assert_int_equal(bed_sql("UPDATE espalier.trial SET state = 'running'"), 1);
}

/* The search gives a silent worker up, which beats at that moment: it is not given up. */
static void test_giving_up_and_beat(void **state)
{
    submit_and_claim();
    bed_gate("UPDATE", "worker");
    bed_gate_wait();
    bed_sql("UPDATE espalier.worker SET beats = beats + 1");
    bed_gate_open();
    assert_int_equal(next_kind(LEASE / 2), -1);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker WHERE NOT gone"), 1);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.trial WHERE state = 'running'"), 1);
}

/* It delivers its result at that moment: that counts, although the worker is given up. */
static void test_giving_up_and_result(void **state)
{
    submit_and_claim();
    bed_gate("UPDATE", "worker");
    bed_gate_wait();
    bed_sql("BEGIN; UPDATE espalier.trial SET state = 'done'; INSERT INTO espalier.report (search, fence, number, kind,"
            " body) SELECT search, fence, 1, 'failed', '{\"failure\": \"error\", \"message\": \"it was so\"}'"
            " FROM espalier.trial; COMMIT");
    bed_gate_open();
    assert_int_equal(next_kind(20), REPORT_FAILED);
    assert_int_equal(next_kind(20), REPORT_LOST);
    assert_int_equal(next_kind(0.5), -1);
}

int main(void)
{
#define WORKER(name) cmocka_unit_test_setup(name, make_search)
#define ENGINE(name) cmocka_unit_test_setup_teardown(name, begin_search, end_search)
    const struct CMUnitTest tests[] = {
        WORKER(test_claim_and_withdrawal), WORKER(test_result_and_withdrawal), WORKER(test_result_and_cancellation),
        WORKER(test_result_and_giving_up), WORKER(test_cut_statements),        WORKER(test_enrolment_and_end),
        WORKER(test_enrolment_and_change), WORKER(test_enrolment_and_drop),    WORKER(test_refusal_and_end),
        ENGINE(test_giving_up_and_beat),   ENGINE(test_giving_up_and_result),
    };
    return bed_has_server() ? cmocka_run_group_tests_name("races", tests, bed_open, bed_close) : 0;
}
