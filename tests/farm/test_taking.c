/*
 * test_taking.c - who may run a search: one process, with no older copy; and what it finds of one that was killed.
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
    insert_worker("node");
    farm = new_farm();
    assert_int_equal(evaluator_farm_take(farm, session, "folder.esp", &error), 0);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.search WHERE data_hash <> 'old' AND options <> 'old'"
                             " AND NOT paused AND NOT closed"),
                     1);
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.worker WHERE gone"), 1); /* it has the old images */
    session_state_free(session);
}

/* Its process is killed amid a trial, and the next one takes the search: the report of the lane. */
static struct report kill_and_resume(void)
{
    struct session_state *session = new_session();
    struct error error;
    submit(1);
    claim();
    epoch_comes(fence_of(1), 1);
    bed_sql("UPDATE espalier.search SET term = term + 1"); /* so that it leaves its rows */
    bed_disconnect("espalier run");
    struct report report = next_report(REPORT_BROKEN);
    report_done(&report);
    farm->kind->free(farm);
    farm = new_farm();
    sink = evaluator_farm_sink(farm, "folder.esp");
    assert_int_equal(evaluator_farm_take(farm, session, "folder.esp", &error), 0);
    session_state_free(session);
    return next_report(REPORT_JOINED);
}

static void test_adopted(void **state)
{
    struct report report = kill_and_resume();
    struct trial trial = bed_trial(1);
    trial.may_stop = true;
    int64_t fence = fence_of(1);
    assert_int_equal(report.node, 1);
    assert_false(farm->kind->adopts(farm, 0, &trial, 2)); /* the log has another attempt since then */
    trial.training.epochs++;
    assert_false(farm->kind->adopts(farm, 0, &trial, 1));
    trial.training.epochs--;
    trial.seconds_before = 3; /* of its checkpoint, from which it would go on elsewhere */
    assert_true(farm->kind->adopts(farm, 0, &trial, 1));
    trial.adopted = true;
    trial.adopted_epochs = 1;
    trial.fence = 7;
    farm->kind->submit(farm, 0, &trial);
    farm->kind->proceed(farm, 1, false);
    bed_wait_for(1, "SELECT count(*) FROM espalier.trial WHERE verdict = 1 AND NOT goes_on AND start_event = 7");
    report = next_report(REPORT_EPOCH); /* the first process had not said that it is in the log */
    assert_int_equal(report.fence, 7);
    assert_int_equal(deliver_result(fence, 2), 1);
    report = next_report(REPORT_RESULT);
    assert_int_equal(report.fence, 7);
    report_done(&report);
    tell_result();
    no_report();
    bed_wait_for(0, "SELECT count(*) FROM espalier.trial");
}

static void test_not_adopted(void **state)
{
    kill_and_resume();
    no_report(); /* it polls on */
    bed_wait_for(0, "SELECT count(*) FROM espalier.trial");
    submit(2);
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
    const struct CMUnitTest tests[] = {ENGINE(test_resumed), ENGINE(test_adopted), ENGINE(test_not_adopted),
                                       ENGINE(test_no_server_to_take_it), ENGINE(test_second_controller)};
    return bed_has_server() ? cmocka_run_group_tests_name("taking", tests, bed_open, bed_close) : 0;
}
