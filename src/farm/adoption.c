/*
 * adoption.c - what workers train already when a search is taken: for a process that was killed.
 *
 * The model.  Whoever takes a search leaves the rows of trials that workers train, or have delivered, and reads them
 * once.  Each waits here until its lane has joined, with the network in the report, and the engine has decided:
 *
 *     found --adopted: the engine submits the same trial--> an order with the fence that the worker knows
 *       |
 *       +--the engine polls on, or the lane never joins--> withdrawn: its worker sees that the row is gone
 *
 * A trial is the same if its request is, but for the checkpoint that it began with, and if the log ends with the
 * STARTED event that the row names: then nothing of this attempt's end is in the log.  So what was counted is not
 * counted again.  The row's event becomes that of the new STARTED, so that the next process can adopt it too.  Reports
 * of a trial that waits here stay where they are.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "farm/controller.h"
#include "farm/wire.h"
#include "util/memory.h"

/* Under the mutex, as the following; found_count: there is none. */
static size_t find(const struct farm *farm, int64_t lane)
{
    size_t i = 0;
    while (i < farm->found_count && farm->found[i].lane != lane)
        i++;
    return i;
}

static void remove_found(struct farm *farm, size_t place)
{
    free(farm->found[place].request);
    memmove(farm->found + place, farm->found + place + 1, (--farm->found_count - place) * sizeof *farm->found);
}

bool farm_is_found(const struct farm *farm, int64_t fence)
{
    for (size_t i = 0; i < farm->found_count; i++)
        if (farm->found[i].fence == fence)
            return true;
    return false;
}

void farm_found_done(struct farm *farm)
{
    while (farm->found_count)
        remove_found(farm, farm->found_count - 1);
    free(farm->found);
}

/* --- the controller's thread --- */

/* Of two on one lane the log knows the end of the first, or the second had not begun. */
static void add_found(struct farm *farm, const struct farm_found *found)
{
    size_t before = find(farm, found->lane);
    if (before < farm->found_count) {
        farm_withdraw(farm, farm->found[before].fence);
        remove_found(farm, before);
    }
    farm->found = memory_grow(farm->found, farm->found_count, &farm->found_capacity, sizeof *farm->found);
    farm->found[farm->found_count++] = *found;
}

int farm_find_trials(struct farm *farm, struct error *error)
{
    if (db_query(
            farm->db, error,
            "DELETE FROM espalier.trial t USING espalier.worker w WHERE t.search = $1 AND w.id = t.worker AND w.gone"
            " AND t.state <> 'done'",
            DB_INTEGER(farm->search)) ||
        db_query(farm->db, error,
                 "SELECT fence, start_event, node, lane, request FROM espalier.trial WHERE search = $1 ORDER BY fence",
                 DB_INTEGER(farm->search)))
        return -1;
    pthread_mutex_lock(&farm->mutex);
    for (int i = 0; i < db_rows(farm->db); i++)
        add_found(farm, &(struct farm_found){.fence = db_integer(farm->db, i, 0),
                                             .start_event = db_integer(farm->db, i, 1),
                                             .node = db_integer(farm->db, i, 2),
                                             .lane = db_integer(farm->db, i, 3),
                                             .request = memory_copy_text(db_text(farm->db, i, 4))});
    pthread_mutex_unlock(&farm->mutex);
    return 0;
}

int64_t farm_found_on(struct farm *farm, int64_t lane)
{
    pthread_mutex_lock(&farm->mutex);
    size_t place = find(farm, lane);
    int64_t node = place < farm->found_count ? farm->found[place].node : 0;
    pthread_mutex_unlock(&farm->mutex);
    return node;
}

void farm_drop_unjoined(struct farm *farm)
{
    pthread_mutex_lock(&farm->mutex);
    for (size_t i = farm->found_count; i-- > 0;) {
        int slot = 0;
        while (slot < farm->slots_used && farm->slots[slot].there != farm->found[i].lane)
            slot++;
        if (slot < farm->slots_used)
            continue;
        farm_withdraw(farm, farm->found[i].fence);
        remove_found(farm, i);
    }
    pthread_mutex_unlock(&farm->mutex);
}

/* --- the engine's thread --- */

/* Would the request of this trial be that one? */
static bool is_same(const char *request, const struct trial *trial)
{
    struct trial found;
    struct error error;
    bool is_read = !wire_read_trial(request, &found, &error);
    found.has_checkpoint = trial->has_checkpoint;
    found.seconds_before = trial->seconds_before;
    char *first = is_read ? wire_write_trial(&found) : NULL, *second = wire_write_trial(trial);
    bool same = first && !strcmp(first, second);
    trial_done(&found);
    free(first);
    free(second);
    return same;
}

bool farm_found_is(struct farm *farm, int64_t lane, const struct trial *trial, int64_t start_event)
{
    pthread_mutex_lock(&farm->mutex);
    size_t place = find(farm, lane);
    const struct farm_found *found = place < farm->found_count ? &farm->found[place] : NULL;
    bool same =
        found && found->node == trial->node && found->start_event == start_event && is_same(found->request, trial);
    pthread_mutex_unlock(&farm->mutex);
    return same;
}

void farm_found_take(struct farm *farm, int64_t lane, struct farm_order *order)
{
    size_t place = find(farm, lane);
    if (place < farm->found_count) { /* else its worker has been removed this moment: it is lost */
        order->fence = farm->found[place].fence;
        order->adopted = true;
        remove_found(farm, place);
    }
}

void farm_found_drop(struct farm *farm, int64_t lane)
{
    pthread_mutex_lock(&farm->mutex);
    size_t place = find(farm, lane);
    if (place < farm->found_count) {
        struct farm_receipt receipt = {.fence = farm->found[place].fence, .ends = true, .state = RECEIPT_WRITTEN};
        farm->receipts =
            memory_grow(farm->receipts, farm->receipt_count, &farm->receipt_capacity, sizeof *farm->receipts);
        farm->receipts[farm->receipt_count++] = receipt;
        remove_found(farm, place);
    }
    pthread_mutex_unlock(&farm->mutex);
}
