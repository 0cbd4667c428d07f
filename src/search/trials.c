/*
 * trials.c - the queue of networks to train, the slots that train them, and what comes back.
 *
 * The queue holds exactly the networks whose status is NODE_QUEUED: a person's first, then by number.  A slot
 * holds exactly one network whose status is NODE_RUNNING, from its STARTED event to its RESULT or FAILED.
 *
 * An attempt that failed for want of memory or by an error (a file that can't be read) is tried again while
 * attempts are left.  One that diverged isn't: with the same seed it would diverge again.  An attempt that a stop
 * or a crash cut short counts for nothing.  A device that is lost gets nothing any more, and what it trained goes to
 * the others.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "export/safetensors.h"
#include "search/internal.h"
#include "util/bug.h"
#include "util/memory.h"

/* --- the queue --- */

static bool by_user(const struct engine *engine, int64_t node)
{
    return !strcmp(session_node(engine->state, node)->facts.by, "user");
}

static bool goes_before(const struct engine *engine, int64_t a, int64_t b)
{
    bool first = by_user(engine, a), second = by_user(engine, b);
    return first != second ? first : a < b;
}

void trials_enqueue(struct engine *engine, int64_t node)
{
    engine->queue = memory_grow(engine->queue, engine->queue_count, &engine->queue_capacity, sizeof *engine->queue);
    size_t place = engine->queue_count++;
    for (; place > 0 && goes_before(engine, node, engine->queue[place - 1]); place--)
        engine->queue[place] = engine->queue[place - 1];
    engine->queue[place] = node;
}

void trials_dequeue(struct engine *engine, int64_t node)
{
    size_t place = 0;
    while (place < engine->queue_count && engine->queue[place] != node)
        place++;
    if (place == engine->queue_count)
        return;
    engine->queue_count--;
    memmove(engine->queue + place, engine->queue + place + 1, (engine->queue_count - place) * sizeof *engine->queue);
}

/* --- starting --- */

void trial_done(struct trial *trial)
{
    free(trial->parent_weights);
    trial->parent_weights = NULL;
}

/* Weights to start from, and the way from there to the network. */
static void trial_parent(const struct engine *engine, const struct session_node *node, struct trial *trial)
{
    if (node->facts.parent == 0) {
        trial->from_scratch = !engine->start.weights;
        if (trial->from_scratch)
            return;
        trial->parent_arch = trial->arch;
        trial->parent_weights = memory_copy_text(engine->start.weights);
        trial->parent_hash = engine->start.hash;
        return;
    }
    const struct session_node *parent = session_node(engine->state, node->facts.parent);
    struct error error;
    engine_arch(engine, node->facts.parent, &trial->parent_arch);
    if (record_proposal(&trial->parent_arch, &node->facts.actions, &node->facts.steps, &node->facts.probabilities,
                        &trial->proposal, &error))
        BUG(error.text); /* resume has checked those that it found in the log */
    struct text path = TEXT_EMPTY;
    text_add(&path, "%s/weights/%s", log_folder(engine->log), parent->weights);
    trial->parent_weights = text_take(&path);
    trial->parent_hash = hash_scan(parent->weights_hash);
}

int64_t trials_epochs(const struct engine *engine)
{
    return engine->state->epochs > 0 ? engine->state->epochs : engine->options.epochs;
}

double trials_rate(const struct engine *engine)
{
    return engine->state->rate >= 0 ? engine->state->rate : engine->options.rate;
}

static void trial_training(const struct engine *engine, struct trial *trial)
{
    const struct search_options *options = &engine->options;
    bool start = trial->node == 1;
    trial->morph = (struct morph_options){
        .split = options->split,
        .widen_noise = (float)options->widen_noise,
        .deepen_noise = (float)options->deepen_noise,
    };
    trial->training = options_training(options);
    trial->training.epochs = (int)(start ? options->start_epochs : trials_epochs(engine));
    trial->training.rate = (float)(trial->from_scratch ? options->start_rate : trials_rate(engine));
    trial->training.node = (uint32_t)trial->node;
}

/* The number of the attempt that starts now: one that was cut short is begun anew under its own number. */
static int64_t attempt_number(const struct session_node *node)
{
    bool failed = node->failure && strncmp(node->failure, "cancelled", strlen("cancelled"));
    return node->attempts + (failed || !node->attempts);
}

static void start(struct engine *engine, int slot, int64_t number)
{
    const struct session_node *node = session_node(engine->state, number);
    struct trial trial = {.node = number};
    engine_arch(engine, number, &trial.arch);
    trial_parent(engine, node, &trial);
    trial_training(engine, &trial);
    trial.judged = stopping_applies(engine, node);

    struct event event = {.kind = EVENT_STARTED};
    event.as.started.node = number;
    event.as.started.device = event_text("%s", engine->evaluator->kind->device(engine->evaluator, slot)->id);
    event.as.started.attempt = attempt_number(node);
    event.as.started.epochs = trial.training.epochs;
    if (engine_emit(engine, &event)) {
        trial_done(&trial);
        return;
    }
    engine->slots[slot] = (struct slot){.node = number, .judged = trial.judged};
    engine->running++;
    engine->evaluator->kind->submit(engine->evaluator, slot, &trial);
}

/* How many train on the GPU of this slot. */
static int running_beside(const struct engine *engine, int slot)
{
    const struct device *device = engine->evaluator->kind->device(engine->evaluator, slot);
    int count = 0;
    for (int i = 0; i < engine->slot_count && device->cuda; i++) {
        const struct device *other = engine->evaluator->kind->device(engine->evaluator, i);
        count += engine->slots[i].node && other->cuda && other->gpu == device->gpu;
    }
    return count;
}

/* The first of those on the least busy device; -1: none is free. */
static int free_slot(const struct engine *engine)
{
    int found = -1, least = 0;
    for (int slot = 0; slot < engine->slot_count; slot++) {
        if (engine->slots[slot].node || engine->evaluator->kind->device(engine->evaluator, slot)->lost)
            continue;
        int beside = running_beside(engine, slot);
        if (found < 0 || beside < least) {
            found = slot;
            least = beside;
        }
    }
    return found;
}

void trials_fill(struct engine *engine)
{
    for (int slot; !engine->broken && (slot = free_slot(engine)) >= 0;) {
        /* Until the start network has its weights, nothing can grow. */
        if (!engine->queue_count && (session_node(engine->state, 1)->status != NODE_DONE || !propose(engine)))
            return;
        int64_t node = engine->queue[0];
        trials_dequeue(engine, node);
        start(engine, slot, node);
    }
}

void trials_cancel(struct engine *engine, int64_t node, bool again)
{
    for (int slot = 0; slot < engine->slot_count; slot++) {
        if (engine->slots[slot].node != node)
            continue;
        if (!engine->slots[slot].cancelled)
            engine->evaluator->kind->cancel(engine->evaluator, node);
        engine->slots[slot].again = again && (!engine->slots[slot].cancelled || engine->slots[slot].again);
        engine->slots[slot].cancelled = true;
    }
}

/* --- what comes back --- */

void report_done(struct report *report)
{
    weights_free(report->weights);
    free(report->message);
    report->weights = NULL;
    report->message = NULL;
}

static void report_step(struct engine *engine, const struct report *report)
{
    struct event event = {.kind = EVENT_STEP};
    event.as.step.node = report->node;
    event.as.step.epoch = report->step.epoch;
    event.as.step.step = report->step.step;
    event.as.step.steps = report->step.steps;
    event.as.step.loss = report->step.loss;
    event.as.step.images_per_second = report->step.images_per_second;
    engine_emit(engine, &event);
}

static void report_epoch(struct engine *engine, const struct report *report)
{
    const struct epoch_report *epoch = &report->epoch;
    struct event event = {.kind = EVENT_EPOCH};
    event.as.epoch = (struct event_epoch){
        .node = report->node,
        .epoch = epoch->epoch,
        .epochs = epoch->epochs,
        .rate = epoch->rate,
        .train_loss = epoch->train_loss,
        .train_accuracy = epoch->train_accuracy,
        .validation_loss = epoch->validation_loss,
        .validation_accuracy = epoch->validation_accuracy,
        .seconds = epoch->seconds,
        .images_per_second = epoch->images_per_second,
    };
    if (engine_emit(engine, &event))
        return;
    struct slot *slot = &engine->slots[report->slot];
    if (!slot->judged || epoch->epoch == epoch->epochs)
        return;
    slot->stopped = stopping_judge(engine, report->node, &slot->verdict);
    engine->evaluator->kind->judge(engine->evaluator, report->node, !slot->stopped);
}

/* The weights first, then the event that names them. */
static void report_result(struct engine *engine, const struct report *report, const struct slot *slot)
{
    const struct session_node *node = session_node(engine->state, report->node);
    void *bytes;
    size_t length;
    struct hash hash;
    char text[HASH_TEXT];
    safetensors_encode(report->weights, &bytes, &length, &hash);
    hash_print(hash, text);
    struct event event = {.kind = EVENT_RESULT};
    struct event_result *result = &event.as.result;
    result->node = report->node;
    result->accuracy = report->result.accuracy;
    result->loss = report->result.loss;
    result->epochs = slot->stopped ? node->curve_count : node->epochs;
    result->predicted = slot->stopped ? slot->verdict.predicted : 0;
    result->stopped = event_text("%s", slot->stopped ? slot->verdict.reason.text : "");
    result->seconds = report->seconds;
    result->images_per_second = report->images_per_second;
    result->weights = event_text("n%" PRId64 "-%.8s.safetensors", report->node, text);
    result->weights_hash = event_text("%s", text);
    int status = engine_write(engine, "weights", result->weights, bytes, length);
    free(bytes);
    engine->failures = engine->barren = 0; /* something new may grow from it */
    if (status)
        event_done(&event);
    else
        engine_emit(engine, &event);
}

static const char *failure_name(enum failure_reason reason)
{
    switch (reason) {
    case FAILURE_DIVERGED:
        return "diverged";
    case FAILURE_MEMORY:
        return "memory";
    case FAILURE_DEVICE:
        return "device";
    case FAILURE_ERROR:
        break;
    }
    return "error";
}

static void emit_failed(struct engine *engine, int64_t node, const char *reason, const char *message, bool again)
{
    again = again && !session_node(engine->state, node)->pruned;
    struct event event = {.kind = EVENT_FAILED};
    event.as.failed.node = node;
    event.as.failed.attempt = session_node(engine->state, node)->attempts;
    event.as.failed.reason = event_text("%s", reason);
    event.as.failed.message = event_text("%s", message ? message : "");
    event.as.failed.again = again;
    if (!engine_emit(engine, &event) && again)
        trials_enqueue(engine, node);
}

/* The first of its trainers to notice says so for all. */
static void tell_lost(struct engine *engine, const struct report *report)
{
    const struct session_state *state = engine->state;
    const char *id = session_node(state, report->node)->device;
    for (int i = 0; i < state->device_count; i++)
        if (!strcmp(state->devices[i].id, id) && state->devices[i].lost)
            return;
    struct event event = {.kind = EVENT_LOST};
    event.as.lost.device = event_text("%.*s", (int)strcspn(id, "."), id);
    event.as.lost.message = event_text("%s", report->message ? report->message : "");
    engine_emit(engine, &event);
}

static void report_failed(struct engine *engine, const struct report *report)
{
    if (report->failure == FAILURE_DEVICE)
        tell_lost(engine, report);
    /* A device is lost but once. */
    bool again = report->failure == FAILURE_DEVICE ||
                 (report->failure != FAILURE_DIVERGED &&
                  session_node(engine->state, report->node)->attempts < engine->options.attempts);
    if (!again) {
        engine->failures++;
        parent_doubt(engine, session_node(engine->state, report->node)->facts.parent);
        engine->last_failed = report->node;
    }
    emit_failed(engine, report->node, failure_name(report->failure), report->message, again);
}

static bool ends_trial(enum report_kind kind)
{
    return kind == REPORT_RESULT || kind == REPORT_FAILED || kind == REPORT_CANCELLED;
}

void trials_report(struct engine *engine, struct report *report)
{
    struct slot slot = engine->slots[report->slot];
    ASSERT(slot.node == report->node && report->node);
    if (ends_trial(report->kind)) {
        engine->slots[report->slot] = (struct slot){0};
        engine->running--;
    }
    switch (report->kind) {
    case REPORT_STEP:
        report_step(engine, report);
        break;
    case REPORT_EPOCH:
        report_epoch(engine, report);
        break;
    case REPORT_RESULT:
        report_result(engine, report, &slot);
        break;
    case REPORT_FAILED:
        report_failed(engine, report);
        break;
    case REPORT_CANCELLED:
        emit_failed(engine, report->node, "cancelled", slot.again ? "it goes back to the queue" : "", slot.again);
        break;
    }
    report_done(report);
}
