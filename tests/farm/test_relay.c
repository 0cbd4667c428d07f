/*
 * test_relay.c - every transition and race of the protocol, as a worker sees it: the worker is real but for its
 * trainers, and the test plays the search with statements of its own.  test_protocol.c has the other side.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "export/safetensors.h"
#include "farm/controller.h"
#include "farm/relay_parts.h"
#include "farm/wire.h"
#include "farm_bed.h"
#include "util/clock.h"
#include "util/memory.h"

static int64_t search, worker, lane;
static struct bed_worker relay;

static int make_search(void **state)
{
    bed_renew(state);
    search = bed_sql("INSERT INTO espalier.search (name, session, host, process, program, options, data, data_hash,"
                     " instructions, kinds) VALUES ('s', '', '', 1, '', '', '', '', '', '') RETURNING id");
    return 0;
}

static void say_nothing(void *context, const char *line)
{
}

static void start_relay(double seconds, int slots)
{
    bed_worker_start(&relay, search, &(struct script){.slots = slots, .seconds = seconds});
    bed_wait_for(slots,
                 "SELECT count(*) FROM espalier.lane l JOIN espalier.worker w ON w.id = l.worker WHERE NOT w.gone");
    worker = bed_sql("SELECT max(id) FROM espalier.worker");
    lane = bed_sql("SELECT min(id) FROM espalier.lane WHERE worker = %d", (int)worker);
}

static void offer(int64_t node, int64_t fence, int64_t to, bool may_stop)
{
    struct trial trial = bed_trial(node);
    struct error error;
    trial.may_stop = may_stop;
    char *request = wire_write_trial(&trial);
    if (db_query(
            bed_db(), &error,
            "INSERT INTO espalier.trial (search, fence, node, worker, lane, request) VALUES ($1, $2, $3, $4, $5, $6)",
            DB_INTEGER(search), DB_INTEGER(fence), DB_INTEGER(node), DB_INTEGER(worker), DB_INTEGER(to),
            DB_TEXT(request)))
        fail_msg("%s", error.text);
    free(request);
}

static void close_search(void)
{
    bed_sql("UPDATE espalier.search SET closed = true");
    assert_int_equal(bed_worker_join(&relay), RELAY_CLOSED);
}

static void test_worker_trains(void **state)
{
    start_relay(0, 2);
    offer(1, 11, lane, true);
    offer(2, 12, lane + 1, false);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE fence = 12 AND state = 'done'");
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE fence = 12"), 3);
    /* the other one waits for the verdict */
    bed_wait_for(1, "SELECT count(*) FROM espalier.report WHERE fence = 11");
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.trial WHERE fence = 11 AND state = 'running'"), 1);
    bed_sql("UPDATE espalier.trial SET verdict = 1, goes_on = false WHERE fence = 11");
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE fence = 11 AND state = 'done'");
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE fence = 11"), 2);
    void *bytes;
    size_t length;
    struct error error;
    struct weights *weights;
    char name[BLOB_NAME];
    assert_int_equal(blob_get(bed_db(), search, blob_name(name, 11, 2), NULL, &bytes, &length, &error), 1);
    assert_int_equal(safetensors_decode(bytes, length, &weights, &error), 0);
    struct trial trial = bed_trial(1);
    assert_true(arch_equal(&weights->arch, &trial.arch));
    weights_free(weights);
    free(bytes);
    close_search();
}

/* Its connection breaks again and again: each trial has its reports once, and one end. */
static void test_worker_is_cut(void **state)
{
    enum { TRIALS = 20 };
    start_relay(0.002, 1);
    for (int i = 1; i <= TRIALS; i++) {
        offer(i, i, lane, false);
        for (int cuts = 0; cuts < 3; cuts++) {
            nanosleep(&(struct timespec){.tv_nsec = (i * 37 + cuts * 911) % 17 * 1000000L}, NULL);
            bed_disconnect("espalier worker");
        }
        bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE fence = %d AND state = 'done'", i);
    }
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report"), 3 * TRIALS);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE kind = 'result'"), TRIALS);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker"), 1);
    close_search();
}

static void test_worker_is_given_up(void **state)
{
    start_relay(1000, 1);
    offer(1, 1, lane, false);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE state = 'running'");
    int64_t old = worker;
    bed_sql("BEGIN; UPDATE espalier.worker SET gone = true; DELETE FROM espalier.trial; COMMIT");
    bed_wait_for(1, "SELECT count(*) FROM espalier.worker WHERE NOT gone AND id > %d", (int)old);
    worker = bed_sql("SELECT max(id) FROM espalier.worker");
    lane = bed_sql("SELECT max(id) FROM espalier.lane");
    /* a trial that is withdrawn makes room for the next one */
    offer(2, 2, lane, false);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE state = 'running'");
    bed_sql("DELETE FROM espalier.trial");
    offer(3, 3, lane, false);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE fence = 3 AND state = 'running'");
    bed_sql("UPDATE espalier.trial SET cancel = true");
    bed_wait_for(1, "SELECT count(*) FROM espalier.report WHERE fence = 3 AND kind = 'cancelled'");
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE fence <> 3"), 0);
    close_search();
}

static void test_worker_leaves(void **state)
{
    start_relay(1000, 1);
    offer(1, 1, lane, false);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE state = 'running'");
    atomic_store(&relay.stop, true);
    assert_int_equal(bed_worker_join(&relay), RELAY_STOPPED);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker WHERE gone AND in_order"), 1);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report"), 0); /* handed back: no word of a cancellation */
    relay.idle = 0.3;
    start_relay(0, 1);
    assert_int_equal(bed_worker_join(&relay), RELAY_IDLE);
    relay.idle = 0;
}

static void test_worker_lacks_weights(void **state)
{
    struct trial trial = bed_trial(1);
    struct error error;
    trial.from_scratch = false;
    trial.parent_arch = trial.arch;
    trial.parent_hash = (struct hash){1, 2};
    start_relay(0, 1);
    char *request = wire_write_trial(&trial);
    for (int fence = 1; fence <= 2; fence++) {
        const char *text = fence == 1 ? request : "{}";
        if (db_query(
                bed_db(), &error,
                "INSERT INTO espalier.trial (search, fence, node, worker, lane, request) VALUES ($1, $2, 1, $3, $4,"
                " $5)",
                DB_INTEGER(search), DB_INTEGER(fence), DB_INTEGER(worker), DB_INTEGER(lane), DB_TEXT(text)))
            fail_msg("%s", error.text);
        bed_wait_for(1, "SELECT count(*) FROM espalier.report WHERE fence = %d AND kind = 'failed'", fence);
    }
    free(request);
    char *body = bed_sql_text("SELECT body FROM espalier.report WHERE fence = 1");
    assert_non_null(strstr(body, "the farm doesn't have the weights"));
    free(body);
    close_search();
}

/* A trial that begins with the weights of a network of its own architecture. */
static void offer_child(int64_t node)
{
    struct trial trial = bed_trial(node);
    struct weights *weights = weights_new(&trial.arch, scripted_data().input);
    struct error error;
    char name[HASH_TEXT];
    void *bytes;
    size_t length;
    weights->values[0] = (float)node;
    safetensors_encode(weights, NULL, &bytes, &length, &trial.parent_hash);
    weights_free(weights);
    trial.from_scratch = false;
    trial.parent_arch = trial.arch;
    char *request = wire_write_trial(&trial);
    if (blob_put(bed_db(), search, hash_print(trial.parent_hash, name), 0, bytes, length, NULL, &error) ||
        db_query(
            bed_db(), &error,
            "INSERT INTO espalier.trial (search, fence, node, worker, lane, request) VALUES ($1, $2, $2, $3, $4, $5)",
            DB_INTEGER(search), DB_INTEGER(node), DB_INTEGER(worker), DB_INTEGER(lane), DB_TEXT(request)))
        fail_msg("%s", error.text);
    free(request);
    free(bytes);
}

/* It keeps the weights of some parents as files, and leaves none of them. */
static void test_worker_keeps_few_files(void **state)
{
    char *scratch = scratch_new(), pattern[300];
    glob_t found;
    setenv("TMPDIR", scratch, 1);
    start_relay(0, 1);
    for (int node = 1; node <= PARENTS_KEPT + 3; node++) {
        offer_child(node);
        bed_wait_for(1, "SELECT count(*) FROM espalier.report WHERE fence = %d AND kind = 'result'", node);
    }
    snprintf(pattern, sizeof pattern, "%s/espalier-worker.*/weights/*.safetensors", scratch);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, PARENTS_KEPT);
    globfree(&found);
    close_search();
    snprintf(pattern, sizeof pattern, "%s/*", scratch);
    assert_int_equal(glob(pattern, 0, NULL, &found), GLOB_NOMATCH);
    unsetenv("TMPDIR");
    scratch_remove(scratch);
    free(scratch);
}

/* One that goes on never begins anew instead. */
static void test_worker_lacks_checkpoint(void **state)
{
    struct trial trial = bed_trial(1);
    struct error error;
    char name[BLOB_NAME];
    trial.has_checkpoint = true;
    start_relay(0, 1);
    char *request = wire_write_trial(&trial);
    for (int fence = 1; fence <= 2; fence++) {
        if (db_command(bed_db(), "BEGIN", &error) ||
            db_query(
                bed_db(), &error,
                "INSERT INTO espalier.trial (search, fence, node, worker, lane, request) VALUES ($1, $2, 1, $3, $4,"
                " $5)",
                DB_INTEGER(search), DB_INTEGER(fence), DB_INTEGER(worker), DB_INTEGER(lane), DB_TEXT(request)) ||
            (fence == 2 && blob_put(bed_db(), search, blob_name(name, fence, 0), fence, "dust", 4, NULL, &error)) ||
            db_command(bed_db(), "COMMIT", &error))
            fail_msg("%s", error.text);
        bed_wait_for(1, "SELECT count(*) FROM espalier.report WHERE fence = %d AND kind = 'failed'", fence);
    }
    free(request);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report WHERE kind <> 'failed'"), 0);
    char *body = bed_sql_text("SELECT body FROM espalier.report WHERE fence = 1");
    assert_non_null(strstr(body, "the farm doesn't have the checkpoint"));
    free(body);
    close_search();
}

/* Also while weights come, which takes minutes where the network is slow. */
static void test_worker_leaves_a_transfer(void **state)
{
    struct trial trial = bed_trial(1);
    struct error error;
    char name[HASH_TEXT];
    trial.from_scratch = false;
    trial.parent_arch = trial.arch;
    trial.parent_hash = (struct hash){1, 2};
    hash_print(trial.parent_hash, name);
    bed_sql("INSERT INTO espalier.blob (search, name, length) VALUES (%d, '%s', %d)", (int)search, name,
            50 * BLOB_PART);
    bed_sql("INSERT INTO espalier.chunk SELECT %d, '%s', 0, decode(repeat('00', %d), 'hex')", (int)search, name,
            BLOB_PART);
    bed_sql("ALTER TABLE espalier.chunk RENAME TO chunks; CREATE VIEW espalier.chunk AS SELECT search, name, n AS part,"
            " bytes FROM espalier.chunks, pg_sleep(0.2), generate_series(0, 49) n");
    start_relay(0, 1);
    char *request = wire_write_trial(&trial);
    if (db_query(
            bed_db(), &error,
            "INSERT INTO espalier.trial (search, fence, node, worker, lane, request) VALUES ($1, 1, 1, $2, $3, $4)",
            DB_INTEGER(search), DB_INTEGER(worker), DB_INTEGER(lane), DB_TEXT(request)))
        fail_msg("%s", error.text);
    free(request);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE state = 'running'");
    double began = clock_monotonic();
    atomic_store(&relay.stop, true);
    assert_int_equal(bed_worker_join(&relay), RELAY_STOPPED);
    assert_true(clock_monotonic() - began < 4);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker WHERE gone AND in_order"), 1);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.report"), 0);
}

/* Nobody runs the search any more: who has nothing to train leaves it. */
static void test_worker_of_a_killed_search(void **state)
{
    relay.patience = 0.2;
    bed_sql("SELECT pg_advisory_lock(%d, %d)", ADVISORY_CLASS, (int)search);
    start_relay(0.5, 1);
    offer(1, 1, lane, false);
    bed_wait_for(1, "SELECT count(*) FROM espalier.report WHERE kind = 'result'");
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 300000000}, NULL);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker WHERE gone"), 0);
    bed_sql("SELECT pg_advisory_unlock_all()");
    assert_int_equal(bed_worker_join(&relay), RELAY_CLOSED);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker WHERE gone AND in_order"), 1);
    relay.patience = 0;
}

/* The answer to its COMMIT was lost: it is not enrolled twice, unless that had no effect. */
static void test_worker_enrols_once(void **state)
{
    struct evaluator *local = scripted_evaluator_new(&(struct script){.slots = 1});
    struct farm_search row = bed_row(search);
    struct relay_lane its_lane = {0};
    struct device device = *local->kind->device(local, 0);
    struct error error;
    struct relay made = {.db = bed_db(),
                         .search = &row,
                         .local = local,
                         .options = &(struct relay_options){.say = say_nothing},
                         .count = 1,
                         .lanes = &its_lane,
                         .devices = &device};
    assert_int_equal(relay_enrol(&made, &error), 0);
    int64_t first = made.enrolling = made.worker;
    made.worker = 0;
    assert_int_equal(relay_enrol(&made, &error), 0);
    assert_int_equal(made.worker, first);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.lane WHERE id = %d", (int)its_lane.id), 1);
    made.enrolling = first + 100;
    assert_int_equal(relay_enrol(&made, &error), 0);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker"), 2);
    /* its lanes go at that moment: nothing that it says of itself is a trouble */
    bed_sql("CREATE FUNCTION espalier.gone() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no such lane' USING ERRCODE = '23503'; END $$;"
            "CREATE TRIGGER gone BEFORE INSERT ON espalier.live EXECUTE FUNCTION espalier.gone()");
    its_lane.step = memory_copy_text("{}");
    made.monitor = monitor_new(&device, 1);
    assert_int_equal(relay_send_live(&made, &error), 0);
    assert_null(its_lane.step);
    monitor_free(made.monitor);
    /* another device in the place of its own is not its lane any more: the search hears that */
    strcpy(device.id, "cuda:0");
    assert_true(relay_is_lost(&made, 0));
    assert_int_equal(relay_look(&made, &error), 0);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.lane WHERE lost AND id = %d", (int)its_lane.id), 1);
    local->kind->free(local);
}

int main(void)
{
#define WORKER(name) cmocka_unit_test_setup(name, make_search)
    const struct CMUnitTest tests[] = {
        WORKER(test_worker_trains),
        WORKER(test_worker_is_cut),
        WORKER(test_worker_is_given_up),
        WORKER(test_worker_leaves),
        WORKER(test_worker_lacks_weights),
        WORKER(test_worker_lacks_checkpoint),
        WORKER(test_worker_of_a_killed_search),
        WORKER(test_worker_enrols_once),
        WORKER(test_worker_keeps_few_files),
        WORKER(test_worker_leaves_a_transfer),
    };
    return bed_has_server() ? cmocka_run_group_tests_name("relay", tests, bed_open, bed_close) : 0;
}
