/*
 * evaluator_farm.c - the farm as the engine sees it.
 *
 * The model.  A slot holds what the engine wants of it (`order`, `cancel`, `verdict`); the controller's thread compares
 * that with what it has sent, and sends the rest.  So an order survives any number of broken connections, and sending
 * it twice has the effect of sending it once.
 *
 *   1. The engine's thread never waits for the database: it takes the mutex, which nobody holds during a statement.
 *   2. A report is forgotten by the database when the engine polls again: then its outcome is in the log.
 *   3. A trial that the engine asked to cancel is answered by its worker within CANCEL_SECONDS, or else here; what the
 *      worker says later is of an old fence.
 */
#include "config.h"

#include "farm/evaluator_farm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "farm/controller.h"
#include "farm/schema.h"
#include "farm/wire.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/threads.h"
#include "util/wake.h"

enum { MESSAGES_WAITING_MAX = 128, TERM_SHIFT = 40, TAKE_SECONDS = 30 };

static struct farm *farm_of(const struct evaluator *evaluator)
{
    return (struct farm *)evaluator;
}

void farm_order_done(struct farm_slot *slot)
{
    free(slot->order.request);
    free(slot->order.parent_path);
    free(slot->order.checkpoint);
    slot->order = (struct farm_order){0};
    slot->is_sent = slot->cancel = slot->cancel_is_sent = false;
    slot->verdict = 0;
}

/* --- what the engine calls --- */

static int farm_slots(const struct evaluator *evaluator)
{
    return farm_of(evaluator)->slot_count;
}

static const struct device *farm_device(const struct evaluator *evaluator, int slot)
{
    return &farm_of(evaluator)->slots[slot].device;
}

static void farm_submit(struct evaluator *evaluator, int number, struct trial *trial)
{
    struct farm *farm = farm_of(evaluator);
    struct farm_slot *slot = &farm->slots[number];
    struct farm_order order = {.log_fence = trial->fence, .node = trial->node, .request = wire_write_trial(trial)};
    if (trial->parent_weights) {
        order.parent_path = memory_copy_text(trial->parent_weights);
        order.parent_hash = trial->parent_hash;
    }
    if (trial->checkpoint)
        checkpoint_encode(trial->checkpoint, &order.checkpoint, &order.checkpoint_length);
    trial_done(trial);
    slot->may_answer = trial->adopted && trial->adopted_epochs;
    slot->epoch = trial->adopted_epochs;
    pthread_mutex_lock(&farm->mutex);
    ASSERT(!slot->order.request);
    if (trial->adopted)
        farm_found_take(farm, slot->lane, &order);
    if (!order.adopted)
        order.fence = (farm->term << TERM_SHIFT) + order.log_fence;
    slot->order = order;
    pthread_mutex_unlock(&farm->mutex);
    wake_send(farm->wake);
}

static bool farm_adopts(const struct evaluator *evaluator, int slot, const struct trial *trial, int64_t start_event)
{
    struct farm *farm = farm_of(evaluator);
    return farm_found_is(farm, farm->slots[slot].lane, trial, start_event);
}

/* What the engine was told last is in the log by now, and what it has not adopted it never will. */
static void write_receipt(struct farm *farm)
{
    const struct farm_message *last = &farm->last;
    if (last->report.kind == REPORT_JOINED && last->report.node)
        farm_found_drop(farm, last->lane);
    if (!last->fence)
        return;
    pthread_mutex_lock(&farm->mutex);
    for (size_t i = 0; i < farm->receipt_count; i++)
        if (farm->receipts[i].fence == last->fence && farm->receipts[i].number == last->number)
            farm->receipts[i].state = RECEIPT_WRITTEN;
    pthread_mutex_unlock(&farm->mutex);
    farm->last = (struct farm_message){0};
    wake_send(farm->wake);
}

static void slot_joins(struct farm *farm, const struct farm_message *message)
{
    struct farm_slot *slot = &farm->slots[message->report.slot];
    slot->device = message->device;
    if (message->report.slot >= farm->slot_count)
        farm->slot_count = message->report.slot + 1;
    pthread_mutex_lock(&farm->mutex);
    slot->lane = message->lane;
    pthread_mutex_unlock(&farm->mutex);
}

static void slot_leaves(struct farm *farm, const struct farm_message *message)
{
    struct farm_slot *slot = &farm->slots[message->report.slot];
    slot->device.lost = true;
    pthread_mutex_lock(&farm->mutex);
    slot->lane = 0;
    farm_order_done(slot);
    pthread_mutex_unlock(&farm->mutex);
}

/* Unless the slot has another one by now. */
static void order_ends(struct farm *farm, const struct farm_message *message)
{
    struct farm_slot *slot = &farm->slots[message->report.slot];
    pthread_mutex_lock(&farm->mutex);
    if (slot->order.log_fence == message->report.fence)
        farm_order_done(slot);
    pthread_mutex_unlock(&farm->mutex);
}

static bool farm_poll(struct evaluator *evaluator, struct report *report, double seconds)
{
    struct farm *farm = farm_of(evaluator);
    struct farm_message message;
    write_receipt(farm);
    if (!queue_take(farm->messages, &message, seconds))
        return false;
    if (message.report.kind == REPORT_JOINED)
        slot_joins(farm, &message);
    else if (message.report.kind == REPORT_LOST)
        slot_leaves(farm, &message);
    else if (message.report.kind == REPORT_EPOCH) {
        farm->slots[message.report.slot].may_answer = true;
        farm->slots[message.report.slot].epoch = message.report.epoch.epoch;
    } else if (message.report.kind == REPORT_RESULT || message.report.kind == REPORT_FAILED ||
               message.report.kind == REPORT_CANCELLED)
        order_ends(farm, &message);
    farm->last = message;
    *report = message.report;
    return true;
}

static struct farm_slot *slot_of_node(struct farm *farm, int64_t node)
{
    for (int i = 0; i < farm->slot_count; i++)
        if (farm->slots[i].order.request && farm->slots[i].order.node == node)
            return &farm->slots[i];
    return NULL;
}

static void farm_cancel(struct evaluator *evaluator, int64_t node)
{
    struct farm *farm = farm_of(evaluator);
    pthread_mutex_lock(&farm->mutex);
    struct farm_slot *slot = slot_of_node(farm, node);
    if (slot && !slot->cancel) {
        slot->cancel = true;
        slot->cancelled_at = clock_monotonic();
    }
    pthread_mutex_unlock(&farm->mutex);
    wake_send(farm->wake);
}

static void farm_proceed(struct evaluator *evaluator, int64_t node, bool goes_on)
{
    struct farm *farm = farm_of(evaluator);
    pthread_mutex_lock(&farm->mutex);
    struct farm_slot *slot = slot_of_node(farm, node);
    if (slot && slot->may_answer) {
        slot->verdict = slot->epoch;
        slot->goes_on = goes_on;
        slot->verdict_is_sent = false;
    }
    pthread_mutex_unlock(&farm->mutex);
    wake_send(farm->wake);
}

static void farm_pause(struct evaluator *evaluator, bool paused)
{
    struct farm *farm = farm_of(evaluator);
    atomic_store(&farm->paused, paused);
    wake_send(farm->wake);
}

int evaluator_farm_end(struct evaluator *evaluator, struct error *error)
{
    struct farm *farm = farm_of(evaluator);
    atomic_store(&farm->closing, true);
    wake_send(farm->wake);
    queue_close(farm->messages);
    if (farm->has_thread)
        pthread_join(farm->thread, NULL);
    farm->has_thread = false;
    return farm->leaving.text[0] ? error_set(error, "%s", farm->leaving.text) : 0;
}

static void farm_free(struct evaluator *evaluator)
{
    struct farm *farm = farm_of(evaluator);
    struct farm_message message;
    struct error error;
    evaluator_farm_end(evaluator, &error);
    while (queue_take(farm->messages, &message, 0))
        report_done(&message.report);
    queue_free(farm->messages);
    for (int i = 0; i < FARM_LANES_MAX; i++)
        farm_order_done(&farm->slots[i]);
    db_free(farm->db);
    close(farm->wake);
    pthread_cond_destroy(&farm->taken);
    pthread_mutex_destroy(&farm->mutex);
    farm_found_done(farm);
    free(farm->receipts);
    free(farm->withdrawn);
    free(farm->options);
    free(farm->data);
    free(farm->data_hash);
    free(farm->kinds);
    free(farm->folder);
    free(farm->name);
    free(farm->session);
    free(farm);
}

static const struct evaluator_kind kind_farm = {
    .slots = farm_slots,
    .device = farm_device,
    .submit = farm_submit,
    .adopts = farm_adopts,
    .poll = farm_poll,
    .cancel = farm_cancel,
    .proceed = farm_proceed,
    .pause = farm_pause,
    .free = farm_free,
};

/* --- messages --- */

void farm_tell(struct farm *farm, struct farm_message *message)
{
    if (!queue_put(farm->messages, message))
        report_done(&message->report); /* the evaluator is being freed */
}

void farm_warn(struct farm *farm, const char *format, ...)
{
    struct error error;
    va_list values;
    va_start(values, format);
    vsnprintf(error.text, sizeof error.text, format, values);
    va_end(values);
    struct farm_message message = {.report = {.kind = REPORT_WARNING, .message = memory_copy_text(error.text)}};
    farm_tell(farm, &message);
}

/* --- taking the search --- */

/* Copies of a session have one name: it follows from the first event. */
static char *search_name(const struct event_session *session)
{
    char hash[HASH_TEXT];
    struct text text = TEXT_EMPTY;
    text_add(&text, "%a %" PRId64 " %s", session->created, session->seed, session->data_hash);
    hash_print(hash_of(text_string(&text), text.length), hash);
    text_done(&text);
    return memory_copy_text(hash);
}

static void ask_for(struct farm *farm, const struct event_session *session, const char *folder)
{
    pthread_mutex_lock(&farm->mutex);
    if (!farm->name) {
        farm->session = memory_copy_text(folder);
        farm->name = search_name(session);
    }
    pthread_mutex_unlock(&farm->mutex);
    wake_send(farm->wake);
}

int evaluator_farm_take(struct evaluator *evaluator, const struct session_state *state, const char *folder,
                        struct error *error)
{
    struct farm *farm = farm_of(evaluator);
    int64_t results = 0;
    for (int64_t i = 1; i <= state->node_count; i++)
        results += session_node(state, i)->status == NODE_DONE;
    atomic_store(&farm->results, results);
    if (!state->event_count)
        return 0;
    ask_for(farm, &state->facts, folder);
    pthread_mutex_lock(&farm->mutex);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += farm->patience;
    while (farm->take == TAKE_WAITS && !pthread_cond_timedwait(&farm->taken, &farm->mutex, &until))
        ;
    int failed = farm->take != TAKE_DONE ? error_set(error, "%s", farm->refusal.text) : 0;
    pthread_mutex_unlock(&farm->mutex);
    return failed;
}

static void see_event(void *context, const struct event *event)
{
    struct farm *farm = context;
    if (event->kind == EVENT_SESSION)
        ask_for(farm, &event->as.session, farm->folder);
    else if (event->kind == EVENT_RESULT)
        atomic_fetch_add(&farm->results, 1);
}

struct event_sink evaluator_farm_sink(struct evaluator *evaluator, const char *folder)
{
    struct farm *farm = farm_of(evaluator);
    free(farm->folder);
    farm->folder = memory_copy_text(folder);
    return (struct event_sink){see_event, farm};
}

/* --- making it --- */

/* "NAME=VALUE" lines, from which a worker opens the same images in the same split. */
static char *print_options(const struct search_options *options)
{
    struct text text = TEXT_EMPTY;
    for (int i = 0; option_at(i); i++) {
        text_add(&text, "%s=", option_at(i)->name);
        options_get(options, option_at(i), &text);
        text_add(&text, "\n");
    }
    return text_take(&text);
}

/* Which devices the list of --devices names: the search's workers may have those only, since another kind gives other
   bits. */
static const char *kinds_of(const char *devices)
{
    bool gpu = strstr(devices, "cuda") || strstr(devices, "GPU-"),
         cpu = strstr(devices, "cpu") || strstr(devices, "auto");
    return gpu && cpu ? "any" : gpu ? "gpu" : "cpu";
}

static int open_farm(struct farm *farm, const char *url, struct error *error)
{
    if (db_new(url, "espalier run", &farm->db, error) || db_connect(farm->db, error) ||
        farm_schema_check(farm->db, error))
        return -1;
    farm->has_thread = thread_start(&farm->thread, farm_controller, farm);
    return farm->has_thread ? 0 : error_set(error, "the system has no thread for the farm; raise ulimit -u");
}

struct evaluator *evaluator_farm_new(const char *url, double lease, const struct search_options *options,
                                     const struct search_data *data, struct hash test, struct error *error)
{
    struct farm *farm = memory_new(1, sizeof *farm);
    *farm = (struct farm){
        .evaluator.kind = &kind_farm,
        .wake = wake_new(),
        .lease = lease,
        .patience = TAKE_SECONDS,
        .refusal = {"the farm doesn't answer; see whether its server runs"},
        .messages = queue_new(sizeof(struct farm_message), MESSAGES_WAITING_MAX),
        .options = print_options(options),
        .data = memory_copy_text(options->data),
        .data_hash = wire_write_sums(data->hash, test),
        .kinds = memory_copy_text(kinds_of(options->devices)),
    };
    pthread_condattr_t monotonic;
    if (pthread_mutex_init(&farm->mutex, NULL) || pthread_condattr_init(&monotonic) ||
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) || pthread_cond_init(&farm->taken, &monotonic))
        BUG("no mutex for the farm");
    pthread_condattr_destroy(&monotonic);
    if (open_farm(farm, url, error)) {
        farm_free(&farm->evaluator);
        return NULL;
    }
    return &farm->evaluator;
}
