/*
 * reports.c - reports from the database to the engine, and receipts back.
 *
 * A report is a row until the engine has written what follows from it.  Between its hand-over and that moment it is
 * known by a receipt; so it is handed over once in a process, and again in the next one if this one is killed before.
 * A report of a fence that no slot has and no receipt knows is of an attempt that was given up: its trial is removed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/safetensors.h"
#include "farm/blob.h"
#include "farm/controller.h"
#include "farm/wire.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

enum { ROWS_MAX = 4 * 128 };

struct row {
    int64_t fence;
    int number;
    char *kind, *body, *blob; /* blob NULL: no bytes */
};

static bool ends_trial(enum report_kind kind)
{
    return kind == REPORT_RESULT || kind == REPORT_FAILED || kind == REPORT_CANCELLED;
}

/* Does the engine have it, and has not written it yet? */
static bool is_handed(const struct farm *farm, int64_t fence, int number)
{
    for (size_t i = 0; i < farm->receipt_count; i++)
        if (farm->receipts[i].fence == fence && farm->receipts[i].number >= number)
            return true;
    return false;
}

/* The slot whose order has this fence, or -1.  Under the mutex. */
static int find_slot(const struct farm *farm, int64_t fence)
{
    for (int i = 0; i < farm->slots_used; i++)
        if (farm->slots[i].order.request && farm->slots[i].order.fence == fence)
            return i;
    return -1;
}

enum place { PLACE_KNOWN, PLACE_STALE, PLACE_FOUND };

static enum place find_place(struct farm *farm, const struct row *row, struct farm_message *message)
{
    pthread_mutex_lock(&farm->mutex);
    bool handed = is_handed(farm, row->fence, row->number) || farm_is_found(farm, row->fence);
    int found = find_slot(farm, row->fence);
    if (found >= 0) {
        struct farm_slot *slot = &farm->slots[found];
        if (slot->handed_fence != row->fence)
            slot->handed = 0;
        slot->handed_fence = row->fence;
        handed |= slot->handed >= row->number;
        message->report.slot = found;
        message->report.node = slot->order.node;
        message->report.fence = slot->order.log_fence;
    }
    pthread_mutex_unlock(&farm->mutex);
    return handed ? PLACE_KNOWN : found < 0 ? PLACE_STALE : PLACE_FOUND;
}

void farm_withdraw(struct farm *farm, int64_t fence)
{
    farm->withdrawn =
        memory_grow(farm->withdrawn, farm->withdrawn_count, &farm->withdrawn_capacity, sizeof *farm->withdrawn);
    farm->withdrawn[farm->withdrawn_count++] = fence;
}

static void make_failure(struct report *report, const char *why)
{
    report->kind = REPORT_FAILED;
    report->failure = FAILURE_ERROR;
    free(report->message);
    report->message = memory_copy_text(why);
}

/* Takes the bytes. */
static void read_bytes(struct report *report, void *bytes, size_t length)
{
    struct error error;
    if (report->kind == REPORT_CHECKPOINT) {
        report->checkpoint = bytes;
        report->length = length;
        return;
    }
    if (safetensors_decode(bytes, length, &report->weights, &error))
        make_failure(report, error.text);
    free(bytes);
}

/* What can't be read is a failure of the trial.  -1: a trouble of the connection. */
static int read_row(struct farm *farm, const struct row *row, struct report *report, struct error *error)
{
    enum report_kind kind;
    struct error damage;
    void *bytes = NULL;
    size_t length;
    struct blob_pause pause = {farm_between, farm};
    int found = row->blob ? blob_get(farm->db, farm->search, row->blob, &pause, &bytes, &length, error) : 0;
    if (found < 0)
        return -1;
    bool failed = wire_report_kind(row->kind, &kind) || wire_read_report(row->body, kind, report, &damage);
    if (!failed && (kind == REPORT_RESULT || kind == REPORT_CHECKPOINT) && bytes) {
        read_bytes(report, bytes, length);
        return 0;
    }
    free(bytes);
    if (failed || kind > REPORT_CANCELLED)
        make_failure(report, "its report in the farm is damaged");
    else if (kind == REPORT_RESULT || kind == REPORT_CHECKPOINT)
        make_failure(report, "the bytes of its report are not in the farm");
    return 0;
}

static void hand_over(struct farm *farm, const struct row *row, struct farm_message *message)
{
    struct farm_receipt receipt = {row->fence, row->number, ends_trial(message->report.kind), RECEIPT_HANDED};
    message->fence = row->fence;
    message->number = row->number;
    pthread_mutex_lock(&farm->mutex);
    struct farm_slot *slot = &farm->slots[message->report.slot];
    slot->handed = row->number;
    farm->receipts = memory_grow(farm->receipts, farm->receipt_count, &farm->receipt_capacity, sizeof *farm->receipts);
    farm->receipts[farm->receipt_count++] = receipt;
    pthread_mutex_unlock(&farm->mutex);
    farm_tell(farm, message);
}

static int take_row(struct farm *farm, const struct row *row, struct error *error)
{
    struct farm_message message = {0};
    enum place place = find_place(farm, row, &message);
    if (place == PLACE_STALE)
        farm_withdraw(farm, row->fence);
    if (place != PLACE_FOUND)
        return 0;
    if (read_row(farm, row, &message.report, error))
        return -1;
    hand_over(farm, row, &message);
    return 0;
}

/* Those after `last`, which moves on; how many, or -1. */
static int take_some(struct farm *farm, int64_t *last, struct error *error)
{
    static const char select[] = "SELECT fence, number, kind, body, blob, id FROM espalier.report WHERE search = $1"
                                 " AND id > $3 ORDER BY id LIMIT $2";
    if (db_query(farm->db, error, select, DB_INTEGER(farm->search), DB_INTEGER(ROWS_MAX), DB_INTEGER(*last)))
        return -1;
    int count = db_rows(farm->db), failed = 0;
    struct row *rows = memory_new((size_t)count, sizeof *rows);
    for (int i = 0; i < count; i++)
        rows[i] = (struct row){
            .fence = db_integer(farm->db, i, 0),
            .number = (int)db_integer(farm->db, i, 1),
            .kind = memory_copy_text(db_text(farm->db, i, 2)),
            .body = memory_copy_text(db_text(farm->db, i, 3)),
            .blob = db_is_null(farm->db, i, 4) ? NULL : memory_copy_text(db_text(farm->db, i, 4)),
        };
    if (count)
        *last = db_integer(farm->db, count - 1, 5);
    for (int i = 0; i < count; i++) {
        if (!failed && !atomic_load(&farm->closing))
            failed = take_row(farm, &rows[i], error);
        free(rows[i].kind);
        free(rows[i].body);
        free(rows[i].blob);
    }
    free(rows);
    return failed ? -1 : count;
}

/* All of them: what a worker that is gone has delivered is taken before its lanes leave. */
int farm_take_reports(struct farm *farm, struct error *error)
{
    int64_t last = 0;
    int count;
    do
        count = take_some(farm, &last, error);
    while (count == ROWS_MAX);
    return count < 0 ? -1 : 0;
}

/* --- receipts --- */

/* Arrays of PostgreSQL, as texts: the fences of attempts that have ended, and of single reports what names them. */
struct settling {
    struct text gone, fences, numbers, blobs;
    size_t count;
};

static void add_item(struct text *list, const char *item)
{
    text_add(list, "%s%s", list->length ? "," : "{", item);
}

static void add_number(struct text *list, int64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, number);
    add_item(list, digits);
}

static void find_settling(struct farm *farm, struct settling *settling)
{
    char name[BLOB_NAME];
    pthread_mutex_lock(&farm->mutex);
    for (size_t i = 0; i < farm->receipt_count; i++) {
        struct farm_receipt *receipt = &farm->receipts[i];
        if (receipt->state == RECEIPT_HANDED)
            continue;
        receipt->state = RECEIPT_SETTLING;
        settling->count++;
        if (receipt->ends) {
            add_number(&settling->gone, receipt->fence);
            continue;
        }
        add_number(&settling->fences, receipt->fence);
        add_number(&settling->numbers, receipt->number);
        add_item(&settling->blobs, blob_name(name, receipt->fence, receipt->number));
    }
    pthread_mutex_unlock(&farm->mutex);
    for (size_t i = 0; i < farm->withdrawn_count; i++, settling->count++)
        add_number(&settling->gone, farm->withdrawn[i]);
}

static void forget_settled(struct farm *farm)
{
    size_t left = 0;
    pthread_mutex_lock(&farm->mutex);
    for (size_t i = 0; i < farm->receipt_count; i++)
        if (farm->receipts[i].state != RECEIPT_SETTLING)
            farm->receipts[left++] = farm->receipts[i];
    farm->receipt_count = left;
    pthread_mutex_unlock(&farm->mutex);
    farm->withdrawn_count = 0;
}

static const char *list_of(struct text *list)
{
    if (list->length)
        text_add(list, "}");
    return list->length ? text_string(list) : "{}";
}

/* How many results come in an hour, by the last of them. */
static double note_results(struct farm *farm, int64_t results)
{
    double now = clock_monotonic();
    for (; farm->noted < results; farm->noted++)
        farm->marked[farm->mark_count++ % MARKS] = now;
    int64_t known = farm->mark_count < MARKS ? farm->mark_count : MARKS;
    double seconds = now - farm->marked[(farm->mark_count - known) % MARKS];
    return seconds > 0 ? 3600 * (double)(known - 1) / seconds : 0;
}

static int settle(struct farm *farm, struct settling *settling, struct error *error)
{
    int64_t results = atomic_load(&farm->results);
    if (settling->fences.length &&
        (db_query(farm->db, error,
                  "DELETE FROM espalier.report r USING unnest($2::bigint[], $3::int[]) AS written (fence, number)"
                  " WHERE r.search = $1 AND r.fence = written.fence AND r.number = written.number",
                  DB_INTEGER(farm->search), DB_TEXT(list_of(&settling->fences)),
                  DB_TEXT(list_of(&settling->numbers))) ||
         db_query(farm->db, error, "DELETE FROM espalier.blob WHERE search = $1 AND name = ANY($2::text[])",
                  DB_INTEGER(farm->search), DB_TEXT(list_of(&settling->blobs)))))
        return -1;
    if (settling->gone.length &&
        db_query(farm->db, error, "DELETE FROM espalier.trial WHERE search = $1 AND fence = ANY($2::bigint[])",
                 DB_INTEGER(farm->search), DB_TEXT(list_of(&settling->gone))))
        return -1;
    if (results == farm->mark)
        return 0;
    char hourly[32];
    snprintf(hourly, sizeof hourly, "%.3f", note_results(farm, results));
    if (db_query(farm->db, error, "UPDATE espalier.search SET mark = $2, hourly = $3::float8 WHERE id = $1",
                 DB_INTEGER(farm->search), DB_INTEGER(results), DB_TEXT(hourly)))
        return -1;
    farm->mark = results;
    return 0;
}

int farm_settle_receipts(struct farm *farm, struct error *error)
{
    struct settling settling = {0};
    find_settling(farm, &settling);
    int failed = settling.count || atomic_load(&farm->results) != farm->mark ? settle(farm, &settling, error) : 0;
    if (!failed)
        forget_settled(farm);
    text_done(&settling.gone);
    text_done(&settling.fences);
    text_done(&settling.numbers);
    text_done(&settling.blobs);
    return failed;
}
