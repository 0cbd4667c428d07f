/*
 * engine.c - the search: one thread that asks, schedules and writes.
 *
 * The model.  The session's state is the fold of its log, and the engine decides from it: what is kept beside it
 * (pool, queue, slots, the policy's networks) is an index of the state or can be made anew from it and the
 * files that it names.  So resume.c is short, and a resumed search does what an uninterrupted one would.
 *
 * Invariants, between two events:
 *
 *   1. One writer: only engine_emit() numbers, appends and folds events, on the engine's thread.  An event is in
 *      the log before anything happens because of it, and a file is synced before the event that names it.
 *   2. The queue holds exactly the networks with NODE_QUEUED, the slots exactly those with NODE_RUNNING.
 *   3. The pool holds every architecture of the tree, whatever became of it: none is trained to a result twice.
 *   4. Networks are finished at most once: a RESULT is written for a running network, and then it is done.
 *   5. Randomness comes from streams named by the seed, a purpose and the number of a proposal or network.  With
 *      one slot two runs of one seed have one digest; with more they differ in the order of results.
 *   6. Node 1 is the start network, trained before anything is proposed.  It can't be pruned.
 *
 * The states, and who changes them:
 *
 *      engine_create                 engine_resume
 *           | SESSION, OPENED, NODE 1     | OPENED, (unpaused)         (opening: engine_run)
 *           v                             v
 *     +--> START --- node 1 failed ----------------------------> FINISHED (error)
 *     |     | node 1 done: report_result
 *     |     v
 *     |   SEARCH <------------------------------+
 *     |     | propose_end: budget, exhausted    | a command: budget, grow, unpin
 *     |     v                                   |
 *     |   DRAIN: no proposals, the queue empties+
 *     |     | nothing runs: wind_up
 *     |     v
 *     |   FINISHED (budget, exhausted)
 *     |
 *     +--- any of them --- stop, or the seconds are spent: engine_end ---> ENDING: all training is cancelled
 *                      |                                                     | nothing runs: wind_up
 *                      |                                                     v
 *                      |                                                   FINISHED (interrupted, budget)
 *                      +-- the log or a file can't be written: BROKEN, engine_run returns -1; no event says so,
 *                          and the session resumes where it was when the disk has room
 *
 * START, SEARCH and DRAIN are not stored: they are what the state says.  PAUSED lies over any of them: nothing
 * starts, and trainers hold between two batches.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "search/internal.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/memory.h"

enum { COMMANDS_WAITING_MAX = 256, DISK_TRIES = 10 };
#define DISK_WAIT 1.0  /* seconds between tries */
#define POLL_WAIT 0.05 /* seconds: how soon a command is heard */

double engine_time(const struct engine *engine)
{
    double time = engine->time_before + clock_monotonic() - engine->opened;
    return time > engine->state->time ? time : engine->state->time;
}

/* --- writing --- */

static void wait_seconds(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

/* After a write that failed: hold all training, and try `again` until there is room.  A full disk is often full
   for a moment only; when it stays so, nothing that was written is lost. */
static int insist(struct engine *engine, int (*again)(struct engine *, void *, struct error *), void *context)
{
    engine->evaluator->kind->pause(engine->evaluator, true);
    int status = -1;
    for (int i = 0; i < engine->disk_tries && status && !atomic_load(&engine->stop); i++) {
        wait_seconds(engine->disk_wait);
        status = again(engine, context, &engine->trouble);
    }
    if (!status)
        engine->evaluator->kind->pause(engine->evaluator, engine->state->paused);
    engine->broken = status != 0;
    return status;
}

static int append(struct engine *engine, void *context, struct error *error)
{
    return log_append(engine->log, context, error);
}

int engine_emit(struct engine *engine, struct event *event)
{
    bool durable = event_is_durable(event->kind);
    event->time = engine_time(engine);
    int status = engine->broken ? -1 : append(engine, event, &engine->trouble);
    if (status && durable && !engine->broken)
        status = insist(engine, append, event);
    if (!status) {
        struct error error;
        if (session_apply(engine->state, event, &error))
            BUG(error.text);
        for (int i = 0; i < engine->sink_count; i++)
            engine->sinks[i].event(engine->sinks[i].context, event);
    }
    event_done(event);
    return status;
}

struct whole_file {
    char *path;
    const void *bytes;
    size_t length;
};

static int write_file(struct engine *engine, void *context, struct error *error)
{
    const struct whole_file *file = context;
    return file_write(file->path, file->bytes, file->length, error);
}

int engine_write(struct engine *engine, const char *folder, const char *name, const void *bytes, size_t length)
{
    if (engine->broken)
        return -1;
    struct text path = TEXT_EMPTY;
    text_add(&path, "%s/%s/%s", log_folder(engine->log), folder, name);
    struct whole_file file = {text_take(&path), bytes, length};
    int status = write_file(engine, &file, &engine->trouble);
    if (status)
        status = insist(engine, write_file, &file);
    free(file.path);
    return status;
}

/* --- making and freeing --- */

void engine_arch(const struct engine *engine, int64_t node, struct arch *arch)
{
    struct error error;
    if (arch_parse(arch, session_node(engine->state, node)->facts.arch, &error))
        BUG(error.text); /* resume has checked those that it found in the log */
}

static struct engine *engine_new(const struct engine_data *data, struct evaluator *evaluator)
{
    struct engine *engine = memory_new(1, sizeof *engine);
    engine->data = *data;
    engine->evaluator = evaluator;
    engine->slot_count = evaluator->kind->slots(evaluator);
    engine->slots = memory_new((size_t)engine->slot_count, sizeof *engine->slots);
    engine->commands = queue_new(sizeof(struct command), COMMANDS_WAITING_MAX);
    atomic_init(&engine->stop, false);
    engine->disk_tries = DISK_TRIES;
    engine->disk_wait = DISK_WAIT;
    return engine;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    struct command command;
    while (queue_take(engine->commands, &command, 0)) {
        free(command.by);
        free(command.words);
    }
    queue_free(engine->commands);
    if (engine->policy)
        engine->policy_kind->destroy(engine->policy);
    if (engine->log)
        log_close(engine->log);
    session_state_free(engine->state);
    pool_done(&engine->pool);
    free(engine->start.weights);
    free(engine->match.items);
    free(engine->queue);
    free(engine->prospects);
    free(engine->slots);
    free(engine);
}

int engine_create(const struct search_options *options, const char *folder, const struct engine_data *data,
                  struct evaluator *evaluator, struct engine **result, struct error *error)
{
    struct engine *engine = engine_new(data, evaluator);
    engine->options = *options;
    engine->state = session_state_new();
    int status = options_settle(&engine->options, error);
    if (!status) {
        engine_prepare(engine);
        status = engine_find_start(engine, error) || engine_find_match(engine, error) ||
                 log_create(folder, &engine->log, error);
    }
    if (status) {
        engine_free(engine);
        return -1;
    }
    *result = engine;
    return 0;
}

int engine_resume(const char *folder, const struct engine_data *data, struct evaluator *evaluator,
                  struct engine **result, struct error *warning, struct error *error)
{
    struct engine *engine = engine_new(data, evaluator);
    if (log_open(folder, &engine->log, &engine->state, warning, error) || engine_restore(engine, error)) {
        engine_free(engine);
        return -1;
    }
    *result = engine;
    return 0;
}

void engine_add_sink(struct engine *engine, struct engine_sink sink)
{
    ASSERT(engine->sink_count < ENGINE_SINKS_MAX);
    engine->sinks[engine->sink_count++] = sink;
}

void engine_set_disk_patience(struct engine *engine, int tries, double seconds)
{
    engine->disk_tries = tries;
    engine->disk_wait = seconds;
}

const struct session_state *engine_state(const struct engine *engine)
{
    return engine->state;
}

void engine_command(struct engine *engine, const char *by, const char *words)
{
    struct command command = {memory_copy_text(by), memory_copy_text(words)};
    if (queue_try_put(engine->commands, &command))
        return;
    free(command.by); /* nobody types that fast: the engine has ended, or will hear the others first */
    free(command.words);
}

void engine_stop(struct engine *engine)
{
    atomic_store(&engine->stop, true);
}

/* --- running --- */

static void begin(struct engine *engine)
{
    struct event event;
    engine->time_before = engine->state->time;
    engine->opened = clock_monotonic();
    bool fresh = engine->state->event_count == 0;
    if (fresh) {
        record_session(engine, &event);
        engine_emit(engine, &event);
    }
    record_opened(engine, &event);
    engine_emit(engine, &event);
    if (engine->state->paused) { /* whoever resumes wants it to go on */
        event = (struct event){.kind = EVENT_PAUSED};
        event.as.paused.by = event_text("resume");
        engine_emit(engine, &event);
    }
    if (!engine->state->node_count && !engine->broken) {
        struct growing growing = {.arch = engine->start.arch, .parent_arch = engine->start.arch};
        growing_join(engine, &growing, "start", 0, 0);
    }
}

void engine_end(struct engine *engine, const char *ending)
{
    if (engine->ending)
        return;
    engine->ending = ending;
    for (int slot = 0; slot < engine->slot_count; slot++)
        if (engine->slots[slot].node)
            trials_cancel(engine, engine->slots[slot].node, true);
}

static void check_end(struct engine *engine)
{
    double seconds = engine->state->budget_seconds;
    if (atomic_load(&engine->stop))
        engine_end(engine, "interrupted");
    else if (seconds > 0 && session_active_seconds(engine->state, engine_time(engine)) >= seconds)
        engine_end(engine, "budget");
}

/* Write FINISHED when there is nothing left to do.  True: the search is over. */
static bool wind_up(struct engine *engine, struct error *error)
{
    if (engine->running)
        return false;
    struct error message = {.text = ""};
    const struct session_node *start = session_node(engine->state, 1);
    const char *reason = engine->ending;
    if (reason)
        error_set(&message, "what was in training is back in the queue");
    if (start->status == NODE_FAILED) {
        error_set(&message, "the start network failed (%s)", start->failure);
        reason = "error";
    } else if (!reason && !engine->queue_count && start->status == NODE_DONE)
        reason = propose_end(engine, &message);
    if (!reason)
        return false;
    struct event event = {.kind = EVENT_FINISHED};
    event.as.finished.reason = event_text("%s", reason);
    event.as.finished.message = event_text("%s", message.text);
    engine_emit(engine, &event);
    if (start->status == NODE_FAILED)
        error_set(error, "%s; nothing can grow from it: try a smaller --start-rate or another --start", message.text);
    else if (!strcmp(reason, "error"))
        error_set(error, "%s; see to the cause, then resume the session", message.text);
    return true;
}

static void show_samples(struct engine *engine, struct monitor *monitor)
{
    struct monitor_sample message;
    while (monitor_take(monitor, &message)) {
        const struct device_sample *sample = &message.sample;
        if (!sample->valid)
            continue;
#define KNOWN(field, value) (sample->valid & (field) ? sample->value : NAN)
        struct event event = {.kind = EVENT_SAMPLE};
        event.as.sample = (struct event_sample){
            .device = event_text("%s", message.device),
            .utilisation = KNOWN(DEVICE_UTILISATION, utilisation),
            .memory_used = KNOWN(DEVICE_MEMORY, memory_used),
            .memory_total = KNOWN(DEVICE_MEMORY, memory_total),
            .temperature = KNOWN(DEVICE_TEMPERATURE, temperature),
            .power = KNOWN(DEVICE_POWER, power),
            .clock = KNOWN(DEVICE_CLOCK, clock),
        };
#undef KNOWN
        engine_emit(engine, &event);
    }
}

/* Processors and GPUs apart: a driver that hangs hides nothing of the others. */
enum { MONITORS = 2 };

static void watch_devices(const struct engine *engine, struct monitor *monitors[MONITORS])
{
    struct device *devices = memory_new((size_t)engine->slot_count, sizeof *devices);
    for (int gpus = 0; gpus < MONITORS; gpus++) {
        int count = 0;
        for (int i = 0; i < engine->slot_count; i++) {
            const struct device *device = engine->evaluator->kind->device(engine->evaluator, i);
            if ((device->cuda != NULL) == gpus)
                devices[count++] = *device;
        }
        monitors[gpus] = count ? monitor_new(devices, count) : NULL;
    }
    free(devices);
}

int engine_run(struct engine *engine, struct error *error)
{
    struct monitor *monitors[MONITORS];
    watch_devices(engine, monitors);
    struct error trouble = {.text = ""};
    bool over = false;
    begin(engine);
    while (!over && !engine->broken) {
        commands_handle(engine);
        check_end(engine);
        if (!engine->ending && !engine->state->paused)
            trials_fill(engine);
        learn(engine);
        over = wind_up(engine, &trouble);
        struct report report;
        if (!over && engine->evaluator->kind->poll(engine->evaluator, &report, POLL_WAIT))
            trials_report(engine, &report);
        for (int i = 0; i < MONITORS; i++)
            show_samples(engine, monitors[i]);
    }
    for (int i = 0; i < MONITORS; i++)
        monitor_free(monitors[i]);
    if (engine->broken)
        return error_set(error, "%s; the session is intact: resume it when there is room", engine->trouble.text);
    return trouble.text[0] ? error_set(error, "%s", trouble.text) : 0;
}
