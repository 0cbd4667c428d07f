/*
 * engine.c - the search: one thread that asks, schedules and writes.
 *
 * The model.  The session's state is the fold of its log, and the engine decides from that state.  Its other data
 * (index of networks, queue, slots, the policy's networks) is an index of the state, or is made again from it and from
 * the files that it names.  So a resumed search does what an uninterrupted one would have done.
 *
 * Invariants, between two events:
 *
 *   1. One writer: only journal_emit() numbers, appends and folds events, on the engine's thread.  An event is in
 *      the log before anything happens because of it, and a file is synced before the event that names it.
 *   2. The queue holds exactly the networks with NODE_QUEUED, the slots exactly those with NODE_RUNNING.
 *   3. The index holds every architecture of the tree, with or without a result: none is grown twice.  Controls,
 *      baselines and finishes are not in it.
 *   4. Networks are finished at most once: a RESULT is written for a running network, and then it is done.
 *   5. Randomness comes from streams named by the seed, a purpose and the number of a proposal or network.  With
 *      one slot two runs of one seed have one digest; with more they differ in the order of results.
 *   6. Node 1 is the start network, trained before anything is proposed.  It can't be pruned.
 *
 * The states, and who changes them:
 *
 *      engine_create                 engine_resume
 *           | SESSION, OPENED, NODE 1     | OPENED, (DROPPED, unpaused)  (opening: engine_run)
 *           v                             v
 *     +--> START --- node 1 failed ----------------------------> FINISHED (error)
 *     |     | node 1 done: report_result
 *     |     v
 *     |   SEARCH <------------------------------+
 *     |     | proposals_end: budget, exhausted  | a command: budget, grow, unpin
 *     |     v                                   |
 *     |   DRAIN: no proposals, the queue empties+
 *     |     | nothing runs: baseline, then finish (phases.c)
 *     |     | nothing runs: finish
 *     |     v
 *     |   FINISHED (budget, exhausted)
 *     |
 *     +--- any of them --- stop, or the seconds are spent: end ----------> ENDING: all training is cancelled
 *                      |                                                     | nothing runs: finish
 *                      |                                                     v
 *                      |                                                   FINISHED (interrupted, budget)
 *                      +-- the log or a file can't be written: BROKEN, engine_run returns -1; no event says so,
 *                          and the session resumes where it was when the disk has room
 *
 * START, SEARCH and DRAIN are not stored: they follow from the state.  In each of them the search may be paused: then
 * nothing starts, and trainers wait between two batches.
 */
#include "search/engine.h"

#include <math.h>
#include <stdlib.h>

#include "search/budget.h"
#include "search/checkpoints.h"
#include "search/commands.h"
#include "search/engine_parts.h"
#include "search/keeping.h"
#include "search/monitor.h"
#include "search/phases.h"
#include "search/reports.h"
#include "search/resume.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/print.h"

enum { COMMANDS_WAITING_MAX = 256, REPORTS_AT_ONCE = 32 };
#define POLL_WAIT 0.05 /* seconds: how soon a command is answered */

/* --- making and freeing --- */

static struct engine *engine_new(const struct search_data *data, struct evaluator *evaluator)
{
    struct engine *engine = memory_new(1, sizeof *engine);
    engine->data = *data;
    engine->evaluator = evaluator;
    engine->commands = queue_new(sizeof(struct command), COMMANDS_WAITING_MAX);
    atomic_init(&engine->stop, false);
    journal_init(&engine->journal, evaluator, &engine->stop);
    return engine;
}

/* Make the other parts, when options and data are known.  `match` outlives the engine. */
static void make_parts(struct engine *engine, const struct event_integers *match)
{
    const struct search_options *options = &engine->options;
    learner_init(&engine->learner, &engine->journal, options, engine->data.input, match);
    trials_init(&engine->trials, &engine->journal, engine->evaluator, options, &engine->start, &engine->data);
    engine->parents =
        (struct parents){.journal = &engine->journal, .options = options, .policy = engine->learner.policy};
    engine->proposals = (struct proposals){.journal = &engine->journal,
                                           .options = options,
                                           .input = engine->data.input,
                                           .learner = &engine->learner,
                                           .parents = &engine->parents,
                                           .trials = &engine->trials};
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    struct command command;
    while (queue_take(engine->commands, &command, 0))
        free(command.words);
    queue_free(engine->commands);
    proposals_done(&engine->proposals);
    parents_done(&engine->parents);
    trials_done(&engine->trials);
    learner_done(&engine->learner);
    journal_done(&engine->journal);
    free(engine->start.weights);
    free(engine->match.items);
    event_done(&(struct event){.kind = EVENT_CHANGED, .as.changed.options = engine->changes});
    free(engine);
}

static int create(struct engine *engine, const char *folder, struct error *error)
{
    if (options_settle(&engine->options, error) || start_find(&engine->options, &engine->data, &engine->start, error) ||
        start_find_match(&engine->options, &engine->data, &engine->match, error) ||
        journal_create(&engine->journal, folder, error))
        return -1;
    make_parts(engine, &engine->match);
    return 0;
}

/* The engine when nothing failed. */
static int hand_over(struct engine *engine, int status, struct engine **result)
{
    *result = status ? NULL : engine;
    if (status)
        engine_free(engine);
    return status;
}

int engine_create(const struct search_options *options, const char *folder, const struct search_data *data,
                  struct evaluator *evaluator, struct engine **result, struct error *error)
{
    struct engine *engine = engine_new(data, evaluator);
    engine->options = *options;
    return hand_over(engine, create(engine, folder, error), result);
}

static int restore(struct engine *engine, const struct search_options *wanted, struct error *error)
{
    const struct session_state *state = engine->journal.state;
    if (resume_options(state, &engine->data, wanted, &engine->options, &engine->changes, error))
        return -1;
    make_parts(engine, &state->facts.match);
    if (resume_networks(&engine->proposals, &engine->data, error) ||
        resume_check_limits(&engine->proposals, &engine->changes, error) || learner_restore(&engine->learner, error) ||
        keeping_check(&engine->journal, &engine->options, error))
        return -1;
    checkpoints_tidy(&engine->journal);
    keeping_tidy(&engine->journal, &engine->options);
    const struct session_node *start = session_node(state, 1);
    bool trained = start && start->status == NODE_DONE;
    return trained ? 0 : start_find(&engine->options, &engine->data, &engine->start, error);
}

int engine_resume_changed(const char *folder, const struct search_options *options, const struct search_data *data,
                          struct evaluator *evaluator, struct engine **result, struct error *warning,
                          struct error *error)
{
    struct engine *engine = engine_new(data, evaluator);
    int status = journal_open(&engine->journal, folder, warning, error);
    if (!status && restore(engine, options, error))
        status = error_prefix(error, "%s", log_folder(engine->journal.log));
    return hand_over(engine, status, result);
}

int engine_resume(const char *folder, const struct search_data *data, struct evaluator *evaluator,
                  struct engine **result, struct error *warning, struct error *error)
{
    return engine_resume_changed(folder, NULL, data, evaluator, result, warning, error);
}

void engine_add_sink(struct engine *engine, struct event_sink sink)
{
    ASSERT(engine->journal.sink_count < JOURNAL_SINKS_MAX);
    engine->journal.sinks[engine->journal.sink_count++] = sink;
}

void engine_set_disk_patience(struct engine *engine, int tries, double seconds)
{
    engine->journal.disk_tries = tries;
    engine->journal.disk_wait = seconds;
}

const struct session_state *engine_state(const struct engine *engine)
{
    return engine->journal.state;
}

void engine_command(struct engine *engine, enum event_author by, const char *words)
{
    struct text visible = TEXT_EMPTY;
    print_add(&visible, words); /* they are logged, and a note is kept: no control characters, and UTF-8 */
    struct command command = {by, text_take(&visible)};
    if (!queue_try_put(engine->commands, &command))
        free(command.words); /* the engine has ended, or has more commands than a person can type */
}

void engine_stop(struct engine *engine)
{
    atomic_store(&engine->stop, true);
}

/* --- running --- */

static void begin(struct engine *engine)
{
    struct event event;
    const struct session_state *state = engine->journal.state;
    journal_start(&engine->journal);
    if (state->event_count == 0) {
        record_session(&engine->options, &engine->data, &engine->match, engine->evaluator, &event);
        journal_emit(&engine->journal, &event);
    }
    record_opened(engine->evaluator, &event);
    journal_emit(&engine->journal, &event);
    if (engine->changes.count) {
        event = (struct event){.kind = EVENT_CHANGED};
        event.as.changed.options = engine->changes;
        event.as.changed.by.value = AUTHOR_USER;
        engine->changes = (struct event_texts){0};
        journal_emit(&engine->journal, &event);
    }
    keeping_note_missing(&engine->journal);
    trials_fail_orphans(&engine->trials);
    keeping_drop(&engine->journal, &engine->options);
    if (state->paused) { /* a person who resumes a session wants it to go on */
        event = (struct event){.kind = EVENT_PAUSED};
        event.as.paused.by.value = AUTHOR_RESUME;
        journal_emit(&engine->journal, &event);
    }
    if (!state->node_count && !engine->journal.broken) {
        struct candidate start = {.arch = engine->start.arch, .parent_arch = engine->start.arch};
        proposals_join(&engine->proposals, &start, (struct event_word){.value = AUTHOR_START});
    }
}

/* Cancel everything that trains; `ending` is the reason of the FINISHED event. */
static void end(struct engine *engine, enum finish_reason ending)
{
    if (engine->ending)
        return;
    engine->ending = ending;
    trials_cancel_all(&engine->trials);
}

static void check_end(struct engine *engine)
{
    if (atomic_load(&engine->stop))
        end(engine, FINISH_INTERRUPTED);
    else if (budget_is_over(engine->journal.state, &engine->options, journal_time(&engine->journal)))
        end(engine, FINISH_BUDGET);
}

/* Start trials while there are free slots and networks to train. */
static void fill_slots(struct engine *engine)
{
    struct trials *trials = &engine->trials;
    for (int slot; !engine->journal.broken && (slot = slots_find_free(&trials->slots)) >= 0;
         trials_start(trials, slot)) {
        /* Until the start network has its weights, nothing can grow. */
        bool grows = session_node(engine->journal.state, 1)->status == NODE_DONE;
        if (!trials->queue_count && !(grows && phases_make(&engine->proposals)))
            return;
    }
}

/* True: it only says how far something is, and there is nothing to decide after it. */
static bool poll_evaluator(struct engine *engine, double seconds)
{
    struct report report;
    if (!engine->evaluator->kind->poll(engine->evaluator, &report, seconds))
        return false;
    bool is_result = report.kind == REPORT_RESULT;
    bool goes_on = report.kind == REPORT_STEP || report.kind == REPORT_SAMPLE;
    int64_t failed = reports_take(&engine->trials, &report);
    if (is_result)
        keeping_drop(&engine->journal, &engine->options);
    if (failed)
        parents_recheck(&engine->parents, session_node(engine->journal.state, failed)->facts.parent);
    return goes_on;
}

/* To decide costs more than to take such reports: of hundreds of slots several are taken at once. */
static void poll_reports(struct engine *engine)
{
    double seconds = POLL_WAIT;
    for (int i = 0; i < REPORTS_AT_ONCE && !engine->journal.broken && poll_evaluator(engine, seconds); i++)
        seconds = 0;
}

/* Write FINISHED when there is nothing left to do.  True: the search is over. */
static bool finish(struct engine *engine, struct error *error)
{
    struct error message = engine->trials.broken;
    if (engine->trials.slots.running && !message.text[0])
        return false;
    const struct session_node *start = session_node(engine->journal.state, 1);
    enum finish_reason reason = message.text[0] ? FINISH_ERROR : engine->ending;
    if (reason && reason != FINISH_ERROR)
        error_set(&message, "what was in training is back in the queue");
    if (start->status == NODE_FAILED) {
        error_set(&message, "the start network failed (%s)", start->failure);
        reason = FINISH_ERROR;
    } else if (!reason && !engine->trials.queue_count && start->status == NODE_DONE)
        reason = phases_end(&engine->proposals, &message);
    if (!reason)
        return false;
    struct event event = {.kind = EVENT_FINISHED};
    event.as.finished.reason.value = (int)reason;
    event.as.finished.message = event_text("%s", message.text);
    journal_emit(&engine->journal, &event);
    if (start->status == NODE_FAILED)
        error_set(error, "%s; nothing can grow from it: %s", message.text,
                  start->failure_reason.value == FAILURE_DEVICE
                      ? "see to these devices, then begin a new search"
                      : "try a smaller --start-rate or another --start");
    else if (reason == FINISH_ERROR)
        error_set(error, "%s; see to the cause, then resume the session", message.text);
    return true;
}

static void show_samples(struct engine *engine, struct monitor *monitor)
{
    struct monitor_sample message;
    while (monitor_take(monitor, &message))
        slots_emit_sample(&engine->journal, message.device, &message.sample);
}

/* One for processors and one for GPUs: while a driver hangs, the others are still sampled. */
enum { MONITORS = 2 };

static void watch_devices(const struct engine *engine, struct monitor *monitors[MONITORS])
{
    struct device *devices = memory_new((size_t)engine->trials.slots.count, sizeof *devices);
    for (int gpus = 0; gpus < MONITORS; gpus++) {
        int count = 0;
        for (int i = 0; i < engine->trials.slots.count; i++) {
            const struct device *device = engine->evaluator->kind->device(engine->evaluator, i);
            if (!device->host[0] && (device->cuda != NULL) == gpus)
                devices[count++] = *device;
        }
        monitors[gpus] = count ? monitor_new(devices, count) : NULL;
    }
    free(devices);
}

int engine_run(struct engine *engine, struct error *error)
{
    struct monitor *monitors[MONITORS];
    const struct journal *journal = &engine->journal;
    watch_devices(engine, monitors);
    struct error trouble = {.text = ""};
    bool over = false;
    begin(engine);
    while (!over && !journal->broken) {
        commands_handle(engine);
        check_end(engine);
        if (!engine->ending && !journal->state->paused)
            fill_slots(engine);
        learner_learn(&engine->learner);
        over = finish(engine, &trouble);
        if (!over)
            poll_reports(engine);
        for (int i = 0; i < MONITORS; i++)
            show_samples(engine, monitors[i]);
    }
    for (int i = 0; i < MONITORS; i++)
        monitor_free(monitors[i]);
    if (journal->broken && !journal->state->event_count)
        return error_set(error, "%s", journal->trouble.text);
    if (journal->broken)
        return error_set(error, "%s; the session is intact: resume it when there is room", journal->trouble.text);
    return trouble.text[0] ? error_set(error, "%s", trouble.text) : 0;
}
