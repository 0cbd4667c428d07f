/*
 * relay.c - a worker's loop.
 *
 * The thread has two partners, and waits for neither for long: the local evaluator (a queue of reports) and the
 * database (statements with deadlines).  A look at the database says what the search wants; it is repeated every 20 ms
 * while something is about to come, and up to once a second while all trains.  A look in a second also beats: that is
 * how the search knows that this worker lives.
 *
 * While the database is away, trainers go on.  Their reports wait, first in the queue, then in the trainers; and when
 * the search has given the worker up meanwhile, they are refused.
 *
 *     SERVES --stop or idle--> LEAVES: trials are cancelled and handed back --nothing trains--> signs off
 *        |
 *        +-- the search is closed, or nothing trains and nobody runs it --> ends
 */
#include "farm/relay.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "farm/relay_parts.h"
#include "farm/schema.h"
#include "util/clock.h"
#include "util/memory.h"

#define LOOK_MIN       0.02
#define LOOK_MAX       1.0
#define LOOK_GROWTH    1.5
#define TAKE_SECONDS   0.1  /* how soon a signal is seen */
#define LEAVE_SECONDS  15.0 /* a machine that is taken away gives about half a minute */
#define LIVE_SECONDS   1.0
#define ORPHAN_SECONDS 30.0

void relay_say(const struct relay *relay, const char *format, ...)
{
    struct error line;
    va_list values;
    va_start(values, format);
    vsnprintf(line.text, sizeof line.text, format, values);
    va_end(values);
    relay->options->say(relay->options->context, line.text);
}

static void nap(double seconds)
{
    struct timespec time = {.tv_nsec = (long)(seconds * 1e9)};
    nanosleep(&time, NULL);
}

static bool is_busy(const struct relay *relay)
{
    for (int i = 0; i < relay->count; i++)
        if (relay->lanes[i].fence)
            return true;
    return false;
}

bool relay_is_lost(const struct relay *relay, int slot)
{
    const struct device *was = &relay->devices[slot], *is = relay->local->kind->device(relay->local, slot);
    return relay->lanes[slot].is_lost || is->lost || strcmp(is->id, was->id) != 0 || !is->cuda != !was->cuda;
}

static void leave(struct relay *relay)
{
    relay->is_leaving = true;
    relay->leave_by = clock_monotonic() + LEAVE_SECONDS;
    for (int i = 0; i < relay->count; i++)
        if (relay->lanes[i].fence)
            relay->local->kind->cancel(relay->local, relay->lanes[i].node);
    relay->local->kind->pause(relay->local, false); /* so that they see it */
}

static bool is_late(const struct relay *relay)
{
    return relay->is_leaving && clock_monotonic() > relay->leave_by;
}

int relay_between(void *context, struct error *error)
{
    struct relay *relay = context;
    if (!relay->is_leaving && atomic_load(relay->options->stop))
        leave(relay);
    return is_late(relay) ? -1 : relay_beat(relay, error);
}

/* A connection that breaks at once each time is not made without end. */
static void wait_to_connect(struct relay *relay)
{
    relay->retry = clock_monotonic() + db_wait_next(relay->db);
}

/* -1: trying again is no use. */
static int connect_again(struct relay *relay, struct error *error)
{
    if (db_is_open(relay->db))
        return 0;
    if (clock_monotonic() < relay->retry) {
        nap(LOOK_MIN);
        return 0;
    }
    if (!db_connect(relay->db, error)) {
        relay->look = 0;
        if (!farm_schema_check(relay->db, error))
            return 0;
        wait_to_connect(relay);
        return db_trouble(relay->db) != DB_CUT ? -1 : 0;
    }
    if (db_trouble(relay->db) == DB_REFUSED)
        return -1;
    if (!relay->is_away)
        relay_say(relay, "%s; what trains goes on", error->text);
    relay->is_away = true;
    wait_to_connect(relay);
    return 0;
}

/* Is there more to do than to wait for the search's answers? */
static bool is_training(const struct relay *relay)
{
    for (int i = 0; i < relay->count; i++)
        if (relay->lanes[i].fence && !relay->lanes[i].asked)
            return true;
    return false;
}

/* A search that was killed may be resumed elsewhere, or never: who has nothing to train doesn't wait for it. */
static int see_orphan(struct relay *relay, struct error *error)
{
    double now = clock_monotonic(), patience = relay->options->patience;
    patience = patience > 0 ? patience : ORPHAN_SECONDS;
    if (is_training(relay) || now - relay->busy < patience || now - relay->asked < patience)
        return 0;
    relay->asked = now;
    int orphan = relay_is_orphan(relay, error);
    if (orphan == 1) {
        relay_say(relay, "nobody runs the search any more: it was killed, or cut off");
        if (relay_sign_off(relay, error))
            return -1;
        for (int i = 0; i < relay->count; i++)
            relay_drop(relay, i);
        relay->is_closed = true;
    }
    return orphan < 0 ? -1 : 0;
}

/* What is due on an open connection. */
static int talk(struct relay *relay, struct error *error)
{
    double now = clock_monotonic();
    if (relay->has_pending && relay_deliver(relay, error))
        return -1;
    if (!relay->worker && !relay->is_leaving && !relay->is_closed && relay_enrol(relay, error))
        return -1;
    if (!relay->worker || now < relay->look)
        return 0;
    if (relay_look(relay, error))
        return -1;
    if (now - relay->live >= LIVE_SECONDS) {
        relay->live = now;
        if (relay_send_live(relay, error))
            return -1;
    }
    if (relay->worker && !relay->is_leaving && see_orphan(relay, error))
        return -1;
    relay->look = clock_monotonic() + relay->look_wait;
    relay->look_wait = relay->look_wait * LOOK_GROWTH < LOOK_MAX ? relay->look_wait * LOOK_GROWTH : LOOK_MAX;
    return 0;
}

/* -1: trying again is no use. */
static int try_to_talk(struct relay *relay, struct error *error)
{
    if (!db_is_open(relay->db) || !talk(relay, error)) {
        if (db_is_open(relay->db))
            relay->is_away = false;
        return 0;
    }
    enum db_trouble trouble = db_trouble(relay->db);
    db_rollback(relay->db);
    if (trouble == DB_FINE) /* relay_between() ended a transfer */
        return 0;
    if (!db_is_open(relay->db))
        wait_to_connect(relay);
    if (trouble == DB_FULL) {
        relay_say(relay, "%s", error->text);
        nap(0.5);
    }
    return trouble == DB_CUT || trouble == DB_FULL ? 0 : -1;
}

static void take_report(struct relay *relay)
{
    struct report report;
    double wait = relay->look - clock_monotonic();
    wait = wait < 0 || !relay->worker ? LOOK_MIN : wait < TAKE_SECONDS ? wait : TAKE_SECONDS;
    if (relay->has_pending)
        nap(db_is_open(relay->db) ? 0 : LOOK_MIN);
    else if (relay->local->kind->poll(relay->local, &report, wait))
        relay_take(relay, &report);
}

static bool is_idle(const struct relay *relay)
{
    double idle = relay->options->idle;
    return idle > 0 && !is_busy(relay) && clock_monotonic() - relay->busy > idle;
}

static enum relay_end serve(struct relay *relay, struct error *error)
{
    for (;;) {
        if (!relay->is_leaving && (atomic_load(relay->options->stop) || is_idle(relay)))
            leave(relay);
        if (connect_again(relay, error) || try_to_talk(relay, error))
            return RELAY_FAILED;
        if (relay->is_closed && !is_busy(relay))
            return RELAY_CLOSED;
        bool late = is_late(relay);
        if (late || (relay->is_leaving && !is_busy(relay) && !relay->has_pending)) {
            if (late || !relay->worker || (db_is_open(relay->db) && !relay_sign_off(relay, error)))
                return atomic_load(relay->options->stop) ? RELAY_STOPPED : RELAY_IDLE;
        }
        take_report(relay);
    }
}

static void watch_devices(struct relay *relay)
{
    relay->devices = memory_new((size_t)relay->count, sizeof *relay->devices);
    for (int i = 0; i < relay->count; i++)
        relay->devices[i] = *relay->local->kind->device(relay->local, i);
    relay->monitor = monitor_new(relay->devices, relay->count);
}

enum relay_end relay_run(struct db *db, const struct farm_search *search, struct evaluator *local, struct shape input,
                         const struct relay_options *options, struct error *error)
{
    struct relay relay = {
        .db = db,
        .search = search,
        .local = local,
        .input = input,
        .options = options,
        .count = local->kind->slots(local),
        .look_wait = LOOK_MIN,
        .busy = clock_monotonic(),
    };
    relay.lanes = memory_new((size_t)relay.count, sizeof *relay.lanes);
    relay.parents_max = relay.count + 1 > PARENTS_KEPT ? relay.count + 1 : PARENTS_KEPT;
    relay.parents = memory_new((size_t)relay.parents_max, sizeof *relay.parents);
    watch_devices(&relay);
    enum relay_end end = serve(&relay, error);
    monitor_free(relay.monitor);
    if (relay.has_pending)
        report_done(&relay.pending);
    for (int i = 0; i < relay.count; i++) {
        free(relay.lanes[i].step);
        free(relay.lanes[i].sample);
    }
    free(relay.lanes);
    free(relay.devices);
    relay_remove_folder(&relay);
    free(relay.parents);
    return end;
}
