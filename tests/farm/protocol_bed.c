/* protocol_bed.c - see the header. */
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

struct search_options options;
struct search_data data;
struct evaluator *farm;
struct event_sink sink;
int64_t search, worker, lane;
static double lease; /* of the next search */

struct evaluator *new_farm(void)
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

void tell_result(void)
{
    sink.event(sink.context, &(struct event){.kind = EVENT_RESULT});
}

struct report next_report(enum report_kind kind)
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

void no_report(void)
{
    struct report report;
    for (int i = 0; i < 3; i++)
        if (farm->kind->poll(farm, &report, 0.1))
            fail_msg("a report of kind %d (%s)", report.kind, report.message ? report.message : "");
}

int64_t insert_worker(const char *host)
{
    return bed_sql(
        "INSERT INTO espalier.worker (search, host, process, program) VALUES (%d, '%s', 1, 'x') RETURNING id",
        (int)search, host);
}

int64_t insert_lane(int64_t of)
{
    int64_t made = bed_sql("INSERT INTO espalier.lane (search, worker, number, device, name, speed_class, gpu) VALUES"
                           " (%d, %d, 0, 'cpu:0', 'a core', 'a class', false) RETURNING id",
                           (int)search, (int)of);
    bed_sql("NOTIFY espalier_%d", (int)search);
    return made;
}

void beat(void)
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

int begin_search(void **state)
{
    return begin_search_with(FARM_LEASE);
}

int begin_short(void **state)
{
    return begin_search_with(1.5);
}

int end_search(void **state)
{
    farm->kind->free(farm);
    if (bed_sql("SELECT (SELECT count(*) FROM espalier.trial) + (SELECT count(*) FROM espalier.report)"
                " + (SELECT count(*) FROM espalier.blob) + (SELECT count(*) FROM espalier.chunk)"
                " + (SELECT count(*) FROM espalier.worker) + (SELECT count(*) FROM espalier.lane)"
                " + (SELECT count(*) FROM espalier.search WHERE NOT closed)"))
        BUG("the search left rows behind");
    return 0;
}

void submit(int64_t node)
{
    struct trial trial = bed_trial(node);
    trial.may_stop = true;
    farm->kind->submit(farm, 0, &trial);
    bed_wait_for(node, "SELECT coalesce(max(node), 0) FROM espalier.trial WHERE state = 'offered'");
}

int64_t fence_of(int64_t node)
{
    return bed_sql("SELECT fence FROM espalier.trial WHERE node = %d", (int)node);
}

void claim(void)
{
    assert_int_equal(bed_sql("UPDATE espalier.trial SET state = 'running' WHERE state = 'offered'"), 1);
}

void put_report(int64_t fence, int number, const char *kind, const char *body, const char *blob)
{
    bed_sql("INSERT INTO espalier.report (search, fence, number, kind, body, blob) VALUES (%d, %" PRId64
            ", %d, '%s', '%s', %s%s%s)",
            (int)search, fence, number, kind, body, blob ? "'" : "", blob ? blob : "NULL", blob ? "'" : "");
    bed_sql("NOTIFY espalier_%d", (int)search);
}

/* As relay_reports.c does it; the rows that it changed. */
int64_t end_trial(int64_t fence, int number, const char *kind, const char *body, const char *blob)
{
    int64_t rows =
        bed_sql("UPDATE espalier.trial SET state = 'done' WHERE fence = %" PRId64 " AND state = 'running'", fence);
    if (rows)
        put_report(fence, number, kind, body, blob);
    return rows;
}

const char result_body[] = "{\"result.loss\":0.5,\"result.accuracy\":0.75,\"result.count\":50,\"test.loss\":0,"
                           "\"test.accuracy\":0,\"test.count\":0,"
                           "\"seconds\":2.5,\"images_per_second\":100}";

int64_t deliver_result(int64_t fence, int number)
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

void epoch_comes(int64_t fence, int number)
{
    struct report sent = {.kind = REPORT_EPOCH, .epoch = {.epoch = number, .epochs = 2}};
    char *body = wire_write_report(&sent);
    put_report(fence, number, "epoch", body, NULL);
    free(body);
    struct report report = next_report(REPORT_EPOCH);
    assert_int_equal(report.epoch.epoch, number);
    assert_int_equal(report.fence, report.node);
}
