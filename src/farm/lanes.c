/*
 * lanes.c - who joined, who left, who is silent, and what the lanes last said of their steps and devices.
 *
 * A worker counts up `beats` once a second.  Here it is judged by this machine's monotonic clock alone: when the
 * counter stood still for a lease, during which the server answered, the worker is given up, by a statement that has an
 * effect only if the counter still stands.  From then on the server refuses what the worker sends.
 *
 * A lane takes the first slot that has none.  A slot that lost its lane is told to the engine before it gets another.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "farm/controller.h"
#include "farm/wire.h"
#include "util/clock.h"
#include "util/memory.h"

struct lane_row {
    int64_t worker, beats, lane, process;
    bool gone, in_order, gpu, lost;
    char *host, *device, *name, *speed_class, *why;
};

static int find_slot(const struct farm *farm, int64_t lane)
{
    for (int i = 0; i < farm->slots_used; i++)
        if (farm->slots[i].there == lane)
            return i;
    return -1;
}

static int free_slot(struct farm *farm)
{
    int slot = find_slot(farm, 0);
    if (slot >= 0 || farm->slots_used == FARM_LANES_MAX)
        return slot;
    return farm->slots_used++;
}

/* "node17/cpu:0"; a second worker of a host that has the same device is another one: "node17#2/cpu:0". */
static void choose_id(const struct farm *farm, const struct lane_row *row, char *id, size_t size)
{
    for (int number = 1;; number++) {
        bool is_used = false;
        if (number == 1)
            snprintf(id, size, "%.63s/%.23s", row->host, row->device);
        else
            snprintf(id, size, "%.58s#%d/%.23s", row->host, number, row->device);
        for (int i = 0; i < farm->slots_used && !is_used; i++)
            is_used = farm->slots[i].there && !strcmp(farm->slots[i].id, id);
        if (!is_used)
            return;
    }
}

static void join(struct farm *farm, const struct lane_row *row)
{
    int number = free_slot(farm);
    if (number < 0)
        return;
    struct farm_slot *slot = &farm->slots[number];
    struct farm_message message = {.report = {.kind = REPORT_JOINED, .slot = number}, .lane = row->lane};
    struct device *device = &message.device;
    message.report.node = farm_found_on(farm, row->lane);
    device->lost = row->gone || row->lost; /* what it has delivered is taken, and then it leaves */
    device->core = -1;
    device->is_gpu = row->gpu;
    choose_id(farm, row, device->id, sizeof device->id);
    snprintf(device->host, sizeof device->host, "%.*s", (int)strcspn(device->id, "/"), device->id);
    snprintf(device->name, sizeof device->name, "%s", row->name);
    snprintf(device->speed_class, sizeof device->speed_class, "%s", row->speed_class);
    memcpy(slot->id, device->id, sizeof slot->id);
    slot->there = row->lane;
    slot->worker = row->worker;
    slot->beats = row->beats;
    slot->seen = clock_monotonic();
    slot->live = 0;
    farm_tell(farm, &message);
}

static void leave(struct farm *farm, int number, bool in_order, const char *why)
{
    struct farm_slot *slot = &farm->slots[number];
    struct farm_message message = {
        .report = {.kind = REPORT_LOST, .slot = number, .left = in_order, .message = memory_copy_text(why)}};
    pthread_mutex_lock(&farm->mutex);
    int64_t fence = slot->order.request ? slot->order.fence : 0;
    pthread_mutex_unlock(&farm->mutex);
    if (fence)
        farm_withdraw(farm, fence);
    slot->there = 0;
    farm_tell(farm, &message);
}

/* Give up a worker whose counter stands at `beats`.  What it has delivered stays.  1: given up; 0: it beats. */
static int give_up(struct farm *farm, const struct lane_row *row, struct error *error)
{
    if (db_query(farm->db, error,
                 "WITH gone AS (UPDATE espalier.worker SET gone = true WHERE id = $1 AND beats = $2 AND NOT gone"
                 " RETURNING id), dropped AS (DELETE FROM espalier.trial t USING gone WHERE t.worker = gone.id"
                 " AND t.state <> 'done') SELECT id FROM gone",
                 DB_INTEGER(row->worker), DB_INTEGER(row->beats)))
        return -1;
    return db_rows(farm->db);
}

/* The lanes of a worker that is gone, when what it delivered has been taken; but for those of which the engine had not
   decided before that. */
static int all_leave(struct farm *farm, const struct lane_row *row, const char *why, struct error *error)
{
    bool decided[FARM_LANES_MAX];
    for (int i = 0; i < farm->slots_used; i++)
        decided[i] =
            farm->slots[i].there && farm->slots[i].worker == row->worker && !farm_found_on(farm, farm->slots[i].there);
    if (farm_take_reports(farm, error))
        return -1;
    for (int i = 0; i < farm->slots_used; i++)
        if (decided[i])
            leave(farm, i, row->in_order, why);
    return 0;
}

/* The rows were read before that: none of its lanes may join again. */
static void note_gone(struct lane_row *rows, int count, int64_t worker)
{
    for (int i = 0; i < count; i++)
        rows[i].gone |= rows[i].worker == worker;
}

static int watch_lane(struct farm *farm, struct lane_row *rows, int count, const struct lane_row *row, double asked,
                      struct error *error)
{
    int number = find_slot(farm, row->lane);
    if (number < 0) {
        if (farm_found_on(farm, row->lane) || (!row->gone && !row->lost))
            join(farm, row);
        return 0;
    }
    if (farm_found_on(farm, row->lane)) /* the engine has not decided yet */
        return 0;
    struct farm_slot *slot = &farm->slots[number];
    if (slot->beats != row->beats) {
        slot->beats = row->beats;
        slot->seen = asked;
    }
    if (row->gone)
        return all_leave(farm, row, row->in_order ? "its worker left" : "its worker was given up", error);
    if (row->lost) {
        leave(farm, number, false, row->why);
        return 0;
    }
    if (asked - slot->seen < farm->lease)
        return 0;
    int given_up = give_up(farm, row, error);
    char why[128];
    if (given_up == 1)
        note_gone(rows, count, row->worker);
    snprintf(why, sizeof why, "no sign of life of process %" PRId64 " for %.0f seconds", row->process, farm->lease);
    return given_up == 1 ? all_leave(farm, row, why, error) : given_up;
}

static int watch_refused(struct farm *farm, struct error *error)
{
    if (db_query(farm->db, error,
                 "SELECT id, host, refused FROM espalier.worker WHERE search = $1 AND id > $2 AND refused IS NOT NULL"
                 " ORDER BY id",
                 DB_INTEGER(farm->search), DB_INTEGER(farm->refused_seen)))
        return -1;
    for (int i = 0; i < db_rows(farm->db); i++) {
        farm->refused_seen = db_integer(farm->db, i, 0);
        farm_warn(farm, "a worker on %s can't serve this search: %s", db_text(farm->db, i, 1), db_text(farm->db, i, 2));
    }
    return 0;
}

static struct lane_row read_row(const struct db *db, int i)
{
    return (struct lane_row){
        .worker = db_integer(db, i, 0),
        .beats = db_integer(db, i, 1),
        .gone = db_bool(db, i, 2),
        .in_order = db_bool(db, i, 3),
        .host = memory_copy_text(db_text(db, i, 4)),
        .process = db_integer(db, i, 5),
        .lane = db_integer(db, i, 6),
        .device = memory_copy_text(db_text(db, i, 7)),
        .name = memory_copy_text(db_text(db, i, 8)),
        .speed_class = memory_copy_text(db_text(db, i, 9)),
        .gpu = db_bool(db, i, 10),
        .lost = db_bool(db, i, 11),
        .why = memory_copy_text(db_text(db, i, 12)),
    };
}

/* Slots whose rows are gone: somebody removed them. */
static void watch_missing(struct farm *farm, const struct lane_row *rows, int count)
{
    for (int i = 0; i < farm->slots_used; i++) {
        int found = 0;
        while (found < count && rows[found].lane != farm->slots[i].there)
            found++;
        if (farm->slots[i].there && found == count)
            leave(farm, i, false, "its worker is not in the farm any more");
    }
}

int farm_watch(struct farm *farm, struct error *error)
{
    double asked = clock_monotonic();
    if (db_query(farm->db, error,
                 "SELECT w.id, w.beats, w.gone, w.in_order, w.host, w.process, l.id, l.device, l.name, l.speed_class,"
                 " l.gpu, l.lost, l.why FROM espalier.worker w JOIN espalier.lane l ON l.worker = w.id"
                 " WHERE w.search = $1 ORDER BY l.id",
                 DB_INTEGER(farm->search)))
        return -1;
    int count = db_rows(farm->db), failed = 0;
    struct lane_row *rows = memory_new((size_t)count, sizeof *rows);
    for (int i = 0; i < count; i++)
        rows[i] = read_row(farm->db, i);
    watch_missing(farm, rows, count);
    for (int i = 0; i < count && !failed; i++) /* first, lest their networks begin anew on others */
        if (farm_found_on(farm, rows[i].lane))
            failed = watch_lane(farm, rows, count, &rows[i], asked, error);
    farm_drop_unjoined(farm);
    for (int i = 0; i < count && !failed; i++)
        failed = watch_lane(farm, rows, count, &rows[i], asked, error);
    for (int i = 0; i < count; i++) {
        free(rows[i].host);
        free(rows[i].device);
        free(rows[i].name);
        free(rows[i].speed_class);
        free(rows[i].why);
    }
    free(rows);
    return failed ? -1 : watch_refused(farm, error);
}

/* --- steps and samples --- */

static void tell_step(struct farm *farm, int number, int64_t fence, const char *text)
{
    struct farm_message message = {0};
    struct farm_slot *slot = &farm->slots[number];
    struct error error;
    pthread_mutex_lock(&farm->mutex);
    bool runs = slot->order.request && slot->order.fence == fence;
    message.report.slot = number;
    message.report.node = slot->order.node;
    message.report.fence = slot->order.log_fence;
    pthread_mutex_unlock(&farm->mutex);
    if (runs && !wire_read_report(text, REPORT_STEP, &message.report, &error))
        queue_try_put(farm->messages, &message);
}

static void tell_sample(struct farm *farm, int number, const char *text)
{
    struct farm_message message = {.report.slot = number};
    struct error error;
    if (!wire_read_report(text, REPORT_SAMPLE, &message.report, &error))
        queue_try_put(farm->messages, &message);
}

int farm_take_live(struct farm *farm, struct error *error)
{
    if (db_query(farm->db, error,
                 "SELECT v.lane, v.number, v.fence, v.step, v.sample FROM espalier.live v JOIN espalier.lane l"
                 " ON l.id = v.lane WHERE l.search = $1",
                 DB_INTEGER(farm->search)))
        return -1;
    for (int i = 0; i < db_rows(farm->db); i++) {
        int number = find_slot(farm, db_integer(farm->db, i, 0));
        if (number < 0 || farm->slots[number].live >= db_integer(farm->db, i, 1))
            continue;
        farm->slots[number].live = db_integer(farm->db, i, 1);
        if (!db_is_null(farm->db, i, 3))
            tell_step(farm, number, db_integer(farm->db, i, 2), db_text(farm->db, i, 3));
        if (!db_is_null(farm->db, i, 4))
            tell_sample(farm, number, db_text(farm->db, i, 4));
    }
    return 0;
}
