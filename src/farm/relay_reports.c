/*
 * relay_reports.c - from the local evaluator to the database.
 *
 * One report at a time is pending, until the database has it; meanwhile the trainers' queue holds the next ones.  A
 * report is numbered within its attempt, so one that is sent again is not there twice.  Bytes come first, in parts;
 * then one statement writes the report and, if it is the last one, ends the trial.  Its effect is all or nothing: 0
 * rows say that the attempt is not this worker's any more, or that the answer to an earlier try was lost.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/safetensors.h"
#include "farm/relay_parts.h"
#include "farm/wire.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

#define LOOK_MIN 0.02
enum { HEADER_ROOM = 1 << 20 };

static bool ends_trial(enum report_kind kind)
{
    return kind == REPORT_RESULT || kind == REPORT_FAILED || kind == REPORT_CANCELLED;
}

static void free_lane(struct relay *relay, int slot)
{
    struct relay_lane *lane = &relay->lanes[slot];
    free(lane->step);
    free(lane->sample);
    *lane = (struct relay_lane){.id = lane->id, .is_lost = lane->is_lost};
    relay->busy = clock_monotonic();
    relay->look = 0; /* the next trial may be there already */
    relay->look_wait = LOOK_MIN;
}

static void replace(char **text, char *by)
{
    free(*text);
    *text = by;
}

void relay_take(struct relay *relay, struct report *report)
{
    struct relay_lane *lane = &relay->lanes[report->slot];
    bool ends = ends_trial(report->kind);
    bool is_handed_back = relay->is_leaving && report->kind == REPORT_CANCELLED && !lane->is_cancelled;
    if (lane->is_dropped || is_handed_back) {
        if (is_handed_back)
            relay_say(relay, "n%" PRId64 " is handed back", lane->node);
        report_done(report);
        if (ends)
            free_lane(relay, report->slot);
    } else if (report->kind == REPORT_STEP) {
        replace(&lane->step, wire_write_report(report));
    } else {
        relay->pending = *report;
        relay->has_pending = true;
        lane->number++;
    }
}

/* --- bytes --- */

static int put_bytes(struct relay *relay, const struct relay_lane *lane, const char *name, struct error *error)
{
    struct report *report = &relay->pending;
    struct blob_pause pause = {relay_between, relay};
    if (report->kind == REPORT_CHECKPOINT)
        return blob_put(relay->db, relay->search->id, name, lane->fence, report->checkpoint, report->length, &pause,
                        error);
    void *bytes;
    size_t length;
    struct hash hash;
    if (2 * report->weights->layout.total * (int64_t)sizeof(float) > SAFETENSORS_FILE_MAX - HEADER_ROOM)
        weights_drop_raw(report->weights); /* as the search does before it writes the file */
    safetensors_encode(report->weights, NULL, &bytes, &length, &hash);
    int failed = blob_put(relay->db, relay->search->id, name, lane->fence, bytes, length, &pause, error);
    free(bytes);
    return failed;
}

/* --- reports --- */

/* 1: it is in the database, by this statement; 0: the trial is not running here (any more). */
static int put_report(struct relay *relay, const struct relay_lane *lane, const char *blob, struct error *error)
{
    static const char going_on[] =
        "WITH mine AS (SELECT 1 FROM espalier.trial WHERE search = $1 AND fence = $2 AND lane = $3"
        " AND state = 'running' FOR UPDATE),"
        " put AS (INSERT INTO espalier.report (search, fence, number, kind, body, blob)"
        " SELECT $1, $2, $4, $5, $6, $7 FROM mine ON CONFLICT DO NOTHING)"
        " SELECT pg_notify('espalier_' || $1::bigint, '') FROM mine";
    static const char last[] =
        "WITH mine AS (UPDATE espalier.trial SET state = 'done' WHERE search = $1 AND fence = $2 AND lane = $3"
        " AND state = 'running' RETURNING 1),"
        " put AS (INSERT INTO espalier.report (search, fence, number, kind, body, blob)"
        " SELECT $1, $2, $4, $5, $6, $7 FROM mine)"
        " SELECT pg_notify('espalier_' || $1::bigint, '') FROM mine";
    const struct report *report = &relay->pending;
    char *body = wire_write_report(report);
    int failed = db_query(relay->db, error, ends_trial(report->kind) ? last : going_on, DB_INTEGER(relay->search->id),
                          DB_INTEGER(lane->fence), DB_INTEGER(lane->id), DB_INTEGER(lane->number),
                          DB_TEXT(wire_report_word(report->kind)), DB_TEXT(body), DB_TEXT(blob));
    free(body);
    return failed ? -1 : db_rows(relay->db);
}

/* After 0 rows: was it delivered by an earlier try? */
static int is_delivered(struct relay *relay, const struct relay_lane *lane, struct error *error)
{
    if (db_query(relay->db, error,
                 "SELECT 1 FROM espalier.trial WHERE search = $1 AND fence = $2 AND lane = $3 AND state = 'done'",
                 DB_INTEGER(relay->search->id), DB_INTEGER(lane->fence), DB_INTEGER(lane->id)))
        return -1;
    return db_rows(relay->db);
}

static void say_end(const struct relay *relay, const struct relay_lane *lane, int delivered)
{
    const struct report *report = &relay->pending;
    if (!delivered)
        relay_say(relay, "n%" PRId64 ": the search has given this attempt up; its report was refused", lane->node);
    else if (report->kind == REPORT_RESULT)
        relay_say(relay, "n%" PRId64 " has %.2f %% after %.1f s", lane->node, 100 * report->result.accuracy,
                  report->seconds);
    else
        relay_say(relay, "n%" PRId64 " %s%s%s", lane->node, report->kind == REPORT_FAILED ? "failed" : "was cancelled",
                  report->message ? ": " : "", report->message ? report->message : "");
}

/* A device that is lost is no matter of its trial: the lane says so, and the search tries the trial elsewhere. */
int relay_lose(struct relay *relay, int slot, const char *why, struct error *error)
{
    struct relay_lane *lane = &relay->lanes[slot];
    return db_query(relay->db, error,
                    "WITH gone AS (UPDATE espalier.lane SET lost = true, why = $2 WHERE id = $1)"
                    " SELECT pg_notify('espalier_' || $3::bigint, '')",
                    DB_INTEGER(lane->id), DB_TEXT(why ? why : ""), DB_INTEGER(relay->search->id))
               ? -1
               : !(lane->is_lost = true);
}

static int deliver(struct relay *relay, struct relay_lane *lane, struct error *error)
{
    const struct report *report = &relay->pending;
    char name[BLOB_NAME];
    bool has_bytes = report->kind == REPORT_RESULT || report->kind == REPORT_CHECKPOINT;
    if (report->kind == REPORT_FAILED && report->failure == FAILURE_DEVICE)
        return relay_lose(relay, report->slot, report->message, error) ? -1 : 1;
    if (has_bytes && put_bytes(relay, lane, blob_name(name, lane->fence, lane->number), error))
        return -1;
    return put_report(relay, lane, has_bytes ? name : NULL, error);
}

static bool waits_for_verdict(const struct relay *relay, const struct relay_lane *lane)
{
    const struct report *report = &relay->pending;
    return report->kind == REPORT_EPOCH && report->epoch.epoch < report->epoch.epochs && lane->may_stop;
}

int relay_deliver(struct relay *relay, struct error *error)
{
    int slot = relay->pending.slot;
    struct relay_lane *lane = &relay->lanes[slot];
    bool ends = ends_trial(relay->pending.kind);
    int delivered = lane->is_dropped ? 0 : deliver(relay, lane, error);
    if (delivered < 0 && !strcmp(db_state(relay->db), FOREIGN_KEY)) /* its trial is gone */
        delivered = 0;
    if (!delivered && ends && !lane->is_dropped)
        delivered = is_delivered(relay, lane, error);
    if (delivered < 0)
        return -1;
    if (ends && !lane->is_dropped)
        say_end(relay, lane, delivered);
    if (waits_for_verdict(relay, lane)) {
        lane->asked = relay->pending.epoch.epoch;
        relay->busy = clock_monotonic();
        relay->look = 0;
        relay->look_wait = LOOK_MIN;
    }
    report_done(&relay->pending);
    relay->has_pending = false;
    if (ends)
        free_lane(relay, slot);
    return 0;
}

int relay_fail(struct relay *relay, int slot, const struct error *why, struct error *error)
{
    ASSERT(!relay->has_pending);
    relay->pending = (struct report){.kind = REPORT_FAILED,
                                     .slot = slot,
                                     .node = relay->lanes[slot].node,
                                     .failure = FAILURE_ERROR,
                                     .message = memory_copy_text(why->text)};
    relay->has_pending = true;
    relay->lanes[slot].number++;
    return relay_deliver(relay, error);
}

/* --- steps and samples --- */

static void take_samples(struct relay *relay)
{
    struct monitor_sample message;
    while (monitor_take(relay->monitor, &message))
        for (int i = 0; i < relay->count; i++)
            if (message.sample.valid && !strcmp(relay->local->kind->device(relay->local, i)->id, message.device)) {
                struct report report = {.kind = REPORT_SAMPLE, .sample = message.sample};
                replace(&relay->lanes[i].sample, wire_write_report(&report));
            }
}

int relay_send_live(struct relay *relay, struct error *error)
{
    if (!relay->worker)
        return 0;
    json_t *list = json_array();
    take_samples(relay);
    for (int i = 0; i < relay->count; i++) {
        struct relay_lane *lane = &relay->lanes[i];
        if (!lane->step && !lane->sample)
            continue;
        json_array_append_new(list, json_pack("{s:I, s:I, s:s?, s:s?}", "lane", (json_int_t)lane->id, "fence",
                                              (json_int_t)lane->fence, "step", lane->step, "sample", lane->sample));
        replace(&lane->step, NULL);
        replace(&lane->sample, NULL);
    }
    int failed = 0;
    if (json_array_size(list)) {
        char *text = json_dumps(list, JSON_COMPACT);
        failed =
            db_query(relay->db, error,
                     "INSERT INTO espalier.live (lane, number, fence, step, sample) SELECT v.lane, $2, v.fence,"
                     " v.step, v.sample FROM json_to_recordset($1::json) AS v (lane bigint, fence bigint, step text,"
                     " sample text) JOIN espalier.lane l ON l.id = v.lane ON CONFLICT (lane) DO UPDATE SET"
                     " number = excluded.number, fence = excluded.fence, step = excluded.step,"
                     " sample = excluded.sample",
                     DB_TEXT(text), DB_INTEGER(++relay->live_number));
        free(text);
    }
    json_decref(list);
    if (failed && !strcmp(db_state(relay->db), FOREIGN_KEY)) /* its lanes are gone: the next look sees that */
        return 0;
    return failed;
}
