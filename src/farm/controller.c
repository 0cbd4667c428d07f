/*
 * controller.c - the thread of the farm's evaluator that has the connection.
 *
 * The states, and what leads from one to the next:
 *
 *     WAITS for the first event of a new session, or for evaluator_farm_take()
 *        | the name of the search is known
 *        v
 *     TAKING: advisory lock, then term + 1 ------- another has the lock, or `mark` is larger: REFUSED
 *        |
 *        v                     the connection breaks
 *     CONNECTED --------------------------------------------> AWAY
 *        ^      <--- lock again, the term is still ours -------|
 *        |                                                     | the term is another's, or trying is no use
 *     closing: rows of the search are removed                  v
 *                                                            BROKEN: the engine ends the search; it can be resumed
 *
 * The advisory lock is the connection's.  So whoever can execute a statement here still has it, and there are never two
 * controllers of a search.  After a broken connection everything is sent again that may have been lost: each statement
 * has the effect of one, however often it is repeated.
 */
#include "farm/controller.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "export/safetensors.h"
#include "farm/blob.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/wake.h"

#define TICK            0.5  /* seconds between two looks, when nothing wakes the thread */
#define BEAT            1.0  /* between two looks at workers and steps */
#define COLLECT_SECONDS 30.0 /* between two removals of what nobody needs */
#define CLEAR_SECONDS   10.0 /* for the last statements, whatever breaks meanwhile */
#define CANCEL_SECONDS  5.0  /* a worker's time to end a trial in good order */
#define AWAY_SECONDS    2.0  /* before a person hears of it */
enum { PARENTS_KEPT = 16 };

/* --- orders --- */

int farm_between(void *context, struct error *error)
{
    struct farm *farm = context;
    return atomic_load(&farm->closing) ? error_set(error, "the search ends") : 0;
}

static int put_parent(struct farm *farm, const struct farm_order *order, struct error *error)
{
    char name[HASH_TEXT];
    void *bytes;
    size_t length;
    struct error trouble;
    struct blob_pause pause = {farm_between, farm};
    hash_print(order->parent_hash, name);
    if (db_query(farm->db, error, "UPDATE espalier.blob SET used = $3 WHERE search = $1 AND name = $2",
                 DB_INTEGER(farm->search), DB_TEXT(name), DB_INTEGER(order->fence)))
        return -1;
    if (db_rows(farm->db))
        return 0;
    if (file_read(order->parent_path, SAFETENSORS_FILE_MAX, &bytes, &length, &trouble))
        return 0; /* its worker will say that they are missing */
    int failed = db_command(farm->db, "BEGIN", error) ||
                 blob_put(farm->db, farm->search, name, 0, bytes, length, &pause, error) ||
                 db_query(farm->db, error, "UPDATE espalier.blob SET used = $3 WHERE search = $1 AND name = $2",
                          DB_INTEGER(farm->search), DB_TEXT(name), DB_INTEGER(order->fence)) ||
                 db_command(farm->db, "COMMIT", error);
    free(bytes);
    if (failed)
        db_rollback(farm->db);
    return failed ? -1 : 0;
}

/* To a worker that has left meanwhile nothing is sent: farm_watch() will see that it has. */
static int put_trial(struct farm *farm, const struct farm_order *order, int64_t lane, struct error *error)
{
    char hash[HASH_TEXT];
    return db_query(
        farm->db, error,
        "INSERT INTO espalier.trial (search, fence, node, worker, lane, request, parent, start_event)"
        " SELECT $1, $2, $3, w.id, l.id, $5, $6, $7 FROM espalier.lane l JOIN espalier.worker w ON w.id = l.worker"
        " WHERE l.id = $4 AND NOT w.gone ON CONFLICT DO NOTHING",
        DB_INTEGER(farm->search), DB_INTEGER(order->fence), DB_INTEGER(order->node), DB_INTEGER(lane),
        DB_TEXT(order->request), DB_TEXT(order->parent_path ? hash_print(order->parent_hash, hash) : NULL),
        DB_INTEGER(order->log_fence));
}

/* A worker may read the row as soon as it is there: so the checkpoint comes with it. */
static int offer(struct farm *farm, const struct farm_order *order, int64_t lane, struct error *error)
{
    char name[BLOB_NAME];
    struct blob_pause pause = {farm_between, farm};
    if (order->adopted)
        return db_query(farm->db, error, "UPDATE espalier.trial SET start_event = $3 WHERE search = $1 AND fence = $2",
                        DB_INTEGER(farm->search), DB_INTEGER(order->fence), DB_INTEGER(order->log_fence));
    if (order->parent_path && put_parent(farm, order, error))
        return -1;
    if (!order->checkpoint)
        return put_trial(farm, order, lane, error);
    int failed =
        db_command(farm->db, "BEGIN", error) || put_trial(farm, order, lane, error) ||
        (db_rows(farm->db) > 0 && blob_put(farm->db, farm->search, blob_name(name, order->fence, 0), order->fence,
                                           order->checkpoint, order->checkpoint_length, &pause, error)) ||
        db_command(farm->db, "COMMIT", error);
    if (failed)
        db_rollback(farm->db);
    return failed ? -1 : 0;
}

/* What of a slot is to be sent, copied under the mutex.  The texts stay while the order does; only the engine's thread
   ends an order, and it may do so meanwhile: so they are copied too. */
struct sending {
    struct farm_order order;
    int64_t lane;
    bool offers, cancels, answers, goes_on;
    int verdict;
};

static void copy_order(struct farm_order *to, const struct farm_order *from)
{
    *to = *from;
    to->request = memory_copy_text(from->request);
    to->parent_path = from->parent_path ? memory_copy_text(from->parent_path) : NULL;
    if (from->checkpoint) {
        to->checkpoint = memory_new(from->checkpoint_length, 1);
        memcpy(to->checkpoint, from->checkpoint, from->checkpoint_length);
    }
}

static void find_sending(struct farm *farm, struct farm_slot *slot, struct sending *sending)
{
    *sending = (struct sending){0};
    pthread_mutex_lock(&farm->mutex);
    if (slot->order.request && slot->lane == slot->there) {
        sending->lane = slot->lane;
        sending->offers = !slot->is_sent;
        sending->cancels = slot->cancel && !slot->cancel_is_sent;
        sending->answers = slot->verdict && !slot->verdict_is_sent;
        sending->verdict = slot->verdict;
        sending->goes_on = slot->goes_on;
        if (sending->offers)
            copy_order(&sending->order, &slot->order);
        else
            sending->order = (struct farm_order){.fence = slot->order.fence};
    }
    pthread_mutex_unlock(&farm->mutex);
}

static void note_sent(struct farm *farm, struct farm_slot *slot, const struct sending *sending)
{
    pthread_mutex_lock(&farm->mutex);
    if (slot->order.fence == sending->order.fence) {
        slot->is_sent = true;
        slot->cancel_is_sent |= sending->cancels;
        slot->verdict_is_sent |= sending->answers && slot->verdict == sending->verdict;
    }
    pthread_mutex_unlock(&farm->mutex);
}

static int send_slot(struct farm *farm, struct farm_slot *slot, struct error *error)
{
    struct sending sending;
    find_sending(farm, slot, &sending);
    if (!sending.lane || !(sending.offers || sending.cancels || sending.answers))
        return 0;
    int failed = sending.offers && offer(farm, &sending.order, sending.lane, error);
    if (!failed && sending.cancels)
        failed = db_query(farm->db, error, "UPDATE espalier.trial SET cancel = true WHERE search = $1 AND fence = $2",
                          DB_INTEGER(farm->search), DB_INTEGER(sending.order.fence));
    if (!failed && sending.answers)
        failed =
            db_query(farm->db, error,
                     "UPDATE espalier.trial SET verdict = $3, goes_on = $4::int = 1 WHERE search = $1 AND fence = $2",
                     DB_INTEGER(farm->search), DB_INTEGER(sending.order.fence), DB_INTEGER(sending.verdict),
                     DB_INTEGER(sending.goes_on));
    if (!failed)
        note_sent(farm, slot, &sending);
    if (sending.offers) {
        free(sending.order.request);
        free(sending.order.parent_path);
        free(sending.order.checkpoint);
    }
    return failed ? -1 : 0;
}

static int send_orders(struct farm *farm, struct error *error)
{
    bool paused = atomic_load(&farm->paused);
    if (paused != farm->paused_sent) {
        if (db_query(farm->db, error, "UPDATE espalier.search SET paused = $2::int = 1 WHERE id = $1",
                     DB_INTEGER(farm->search), DB_INTEGER(paused)))
            return -1;
        farm->paused_sent = paused;
    }
    for (int i = 0; i < farm->slots_used; i++)
        if (send_slot(farm, &farm->slots[i], error))
            return -1;
    return 0;
}

/* Without the server too: a person who ends a search doesn't wait for it. */
static void end_cancelled(struct farm *farm)
{
    double patience = farm->lease < CANCEL_SECONDS ? farm->lease : CANCEL_SECONDS;
    for (int i = 0; i < farm->slots_used; i++) {
        struct farm_slot *slot = &farm->slots[i];
        struct farm_message message = {.report = {.kind = REPORT_CANCELLED, .slot = i}};
        int64_t fence = 0;
        pthread_mutex_lock(&farm->mutex);
        bool over = slot->cancel && slot->order.request && clock_monotonic() - slot->cancelled_at > patience;
        if (over) {
            message.report.node = slot->order.node;
            message.report.fence = slot->order.log_fence;
            fence = slot->order.fence;
            slot->cancel = false; /* it is answered; what comes of this fence later is dropped by the engine */
        }
        pthread_mutex_unlock(&farm->mutex);
        if (over) {
            farm_withdraw(farm, fence);
            farm_tell(farm, &message);
        }
    }
}

/* Weights that no trial begins with, but for those that were used last; workers that are gone and have nothing left. */
static int collect(struct farm *farm, struct error *error)
{
    return db_query(farm->db, error,
                    "DELETE FROM espalier.blob WHERE search = $1 AND name IN (SELECT name FROM espalier.blob b"
                    " WHERE search = $1 AND fence IS NULL AND NOT EXISTS (SELECT 1 FROM espalier.trial t"
                    " WHERE t.search = $1 AND t.parent = b.name) ORDER BY used DESC OFFSET $2)",
                    DB_INTEGER(farm->search), DB_INTEGER(PARENTS_KEPT)) ||
                   db_query(farm->db, error,
                            "DELETE FROM espalier.worker w WHERE search = $1 AND gone AND NOT EXISTS"
                            " (SELECT 1 FROM espalier.trial t WHERE t.worker = w.id)",
                            DB_INTEGER(farm->search))
               ? -1
               : 0;
}

/* --- the loop --- */

static int work(struct farm *farm, struct error *error)
{
    double now = clock_monotonic();
    if (send_orders(farm, error) || farm_take_reports(farm, error) || farm_settle_receipts(farm, error))
        return -1;
    if (now - farm->watched >= BEAT) {
        if (farm_watch(farm, error) || farm_take_live(farm, error))
            return -1;
        farm->watched = now;
    }
    if (now - farm->collected >= COLLECT_SECONDS) {
        if (collect(farm, error))
            return -1;
        farm->collected = now;
    }
    return 0;
}

static void answer_take(struct farm *farm, int take, const struct error *refusal)
{
    pthread_mutex_lock(&farm->mutex);
    farm->take = take;
    if (refusal)
        farm->refusal = *refusal;
    pthread_cond_broadcast(&farm->taken);
    pthread_mutex_unlock(&farm->mutex);
}

/* For whoever waits for the search to be taken, and loses patience. */
static void note_trouble(struct farm *farm, const struct error *error)
{
    pthread_mutex_lock(&farm->mutex);
    if (farm->take == TAKE_WAITS && error->text[0])
        farm->refusal = *error;
    pthread_mutex_unlock(&farm->mutex);
}

static void break_off(struct farm *farm, const struct error *error)
{
    struct farm_message message = {.report = {.kind = REPORT_BROKEN, .message = memory_copy_text(error->text)}};
    farm_tell(farm, &message);
    answer_take(farm, TAKE_REFUSED, error);
}

/* False: it is over. */
static bool step(struct farm *farm, struct error *error)
{
    if (!db_is_open(farm->db) && db_connect(farm->db, error))
        return db_trouble(farm->db) != DB_REFUSED;
    if (!farm->connected) {
        enum taking taking = farm_take_search(farm, error);
        if (taking == TAKING_REFUSED)
            return false;
        if (taking == TAKING_FAILED)
            return db_trouble(farm->db) != DB_REFUSED && db_trouble(farm->db) != DB_WRONG;
        answer_take(farm, TAKE_DONE, NULL);
    }
    if (!work(farm, error)) {
        error->text[0] = '\0';
        return true;
    }
    db_rollback(farm->db);
    return db_trouble(farm->db) == DB_CUT || db_trouble(farm->db) == DB_FULL;
}

/* Tell a person once that the server is away, and once that it is back. */
static void tell_of_server(struct farm *farm, const struct error *error)
{
    double now = clock_monotonic();
    bool in_trouble = error->text[0];
    if (in_trouble && !farm->away_since)
        farm->away_since = now;
    if (in_trouble && !farm->away && (now - farm->away_since > AWAY_SECONDS || db_trouble(farm->db) == DB_FULL)) {
        farm_warn(farm, "%s; what trains goes on, and nothing is lost", error->text);
        farm->away = true;
    }
    if (in_trouble)
        return;
    if (farm->away)
        farm_warn(farm, "%s: is there again", db_where(farm->db));
    farm->away = false;
    farm->away_since = 0;
}

static bool has_name(struct farm *farm)
{
    pthread_mutex_lock(&farm->mutex);
    bool known = farm->name;
    pthread_mutex_unlock(&farm->mutex);
    return known;
}

/* The lock waits for whoever enrols at this moment (enrol.c): their rows are removed too. */
static int clear_rows(struct farm *farm, struct error *error)
{
    enum taking taking = TAKING_DONE;
    if (!db_is_open(farm->db) && (db_connect(farm->db, error) || (taking = farm_take_search(farm, error)) < 0))
        return -1;
    if (taking == TAKING_REFUSED)
        return 0; /* the rows are its successor's */
    int failed =
        db_command(farm->db, "BEGIN", error) ||
        db_query(farm->db, error, "SELECT 1 FROM espalier.search WHERE id = $1 FOR UPDATE", DB_INTEGER(farm->search)) ||
        db_query(farm->db, error, "UPDATE espalier.search SET closed = true, paused = false, mark = $2 WHERE id = $1",
                 DB_INTEGER(farm->search), DB_INTEGER(atomic_load(&farm->results))) ||
        db_query(farm->db, error, "DELETE FROM espalier.worker WHERE search = $1", DB_INTEGER(farm->search)) ||
        db_query(farm->db, error, "DELETE FROM espalier.blob WHERE search = $1", DB_INTEGER(farm->search)) ||
        db_command(farm->db, "COMMIT", error);
    if (failed)
        db_rollback(farm->db);
    return failed ? -1 : 0;
}

/* The search ends: nothing of it stays but its row, which knows how far it went.  When the server has been away for
   some time, it is not waited for: who resumes the search clears its rows, or `farm drop`. */
static void clear(struct farm *farm)
{
    struct error error = {{0}};
    double until = clock_monotonic() + (farm->away ? 0 : CLEAR_SECONDS);
    int failed = 0;
    while (farm->term && (failed = clear_rows(farm, &error)) && clock_monotonic() < until)
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    if (failed)
        error_set(&farm->leaving,
                  "%s; so the farm still has rows of %s, which has ended: `espalier farm drop URL %s` removes them",
                  error.text, farm->session, farm->session);
}

void *farm_controller(void *context)
{
    struct farm *farm = context;
    struct error error = {{0}};
    bool goes_on = true;
    while (goes_on && !atomic_load(&farm->closing)) {
        wake_take(farm->wake);
        if (!has_name(farm)) {
            db_wait(farm->db, farm->wake, TICK, &error);
            continue;
        }
        goes_on = step(farm, &error);
        if (!goes_on)
            break;
        tell_of_server(farm, &error);
        note_trouble(farm, &error);
        end_cancelled(farm);
        bool in_trouble = error.text[0];
        double wait = !in_trouble ? TICK : db_is_open(farm->db) ? BEAT : db_wait_next(farm->db);
        if (in_trouble && !db_is_open(farm->db))
            farm->connected = 0;
        db_wait(farm->db, farm->wake, wait, &error);
        if (!db_is_open(farm->db))
            farm->connected = 0;
    }
    if (!goes_on && !atomic_load(&farm->closing))
        break_off(farm, &error);
    else
        clear(farm);
    db_close(farm->db); /* and with it the lock */
    answer_take(farm, TAKE_REFUSED, &error);
    return NULL;
}
