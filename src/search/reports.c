/*
 * reports.c - see reports.h.
 *
 * A network that failed for want of memory or by an error (a file that can't be read) is tried again while attempts are
 * left.  One that diverged isn't: with the same seed it would diverge again.  An attempt that was cancelled, or ended
 * with its process, doesn't count.  A lost device gets no more trials, and its networks go back to the queue: up to
 * LOSSES_MAX times each.
 *
 * A trainer may be another machine: what it says that can't be is a failure of its trial, and is not written.
 */
#include "search/reports.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "search/checkpoints.h"
#include "util/bug.h"

static const struct session_node *node_of(const struct trials *trials, int64_t number)
{
    return session_node(trials->journal->state, number);
}

/* --- of a training --- */

static void report_step(struct trials *trials, const struct report *report)
{
    if (!slots_show_step(&trials->slots, report->slot))
        return;
    struct event event = {.kind = EVENT_STEP};
    event.as.step.node = report->node;
    event.as.step.epoch = report->step.epoch;
    event.as.step.step = report->step.step;
    event.as.step.steps = report->step.steps;
    event.as.step.loss = report->step.loss;
    event.as.step.images_per_second = report->step.images_per_second;
    journal_emit(trials->journal, &event);
}

static void report_epoch(struct trials *trials, const struct report *report)
{
    const struct epoch_report *epoch = &report->epoch;
    const struct session_node *node = node_of(trials, report->node);
    struct evaluator *evaluator = trials->slots.evaluator;
    struct trial_slot *slot = &trials->slots.items[report->slot].trial;
    if (slot->wrong || (slot->adopted && epoch->epoch <= node->curve_count))
        return;
    if (slot->adopted && epoch->epoch > node->curve_count + 1) { /* the log has lost its end */
        trials_cancel(trials, report->node, true);
        return;
    }
    slot->stopped = false;
    if (epoch->epoch != node->curve_count + 1 || epoch->epochs != node->epochs) {
        slot->wrong = "its trainer reported an epoch out of order";
        evaluator->kind->cancel(evaluator, report->node);
        return;
    }
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
    if (journal_emit(trials->journal, &event))
        return;
    if (!slot->may_stop || epoch->epoch == epoch->epochs)
        return;
    slot->stopped = stopping_check(trials->journal->state, trials->options, report->node, &slot->stop);
    evaluator->kind->proceed(evaluator, report->node, !slot->stopped);
}

static void emit_test(struct trials *trials, const struct report *report)
{
    struct event event = {.kind = EVENT_TEST};
    event.as.test = (struct event_test){
        .node = report->node,
        .accuracy = report->test.accuracy,
        .loss = report->test.loss,
        .images = report->test.count,
    };
    journal_emit(trials->journal, &event);
}

static void record_health(const struct layer_health *health, int layers, struct event_result *result)
{
    for (int i = 0; health && i < layers; i++) {
        event_reals_add(&result->weight_norms, health[i].weight_norm);
        event_reals_add(&result->gradient_norms, health[i].gradient_norm);
        event_reals_add(&result->dead, health[i].dead);
        event_reals_add(&result->fresh, health[i].fresh);
    }
}

/* The weights first, then the event that names them.  The test comes before: a search that is cut short between the two
   trains again, and tests again. */
enum { HEADER_ROOM = 1 << 20 };
static void report_result(struct trials *trials, const struct report *report, const struct trial_slot *slot)
{
    const struct session_node *node = node_of(trials, report->node);
    void *bytes;
    size_t length;
    struct hash hash;
    char text[HASH_TEXT];
    if (report->test.count)
        emit_test(trials, report);
    if (2 * report->weights->layout.total * (int64_t)sizeof(float) > SAFETENSORS_FILE_MAX - HEADER_ROOM)
        weights_drop_raw(report->weights); /* readers refuse larger files */
    safetensors_encode(report->weights, trials->notes.list, &bytes, &length, &hash);
    hash_print(hash, text);
    struct event event = {.kind = EVENT_RESULT};
    struct event_result *result = &event.as.result;
    result->node = report->node;
    result->accuracy = report->result.accuracy;
    result->loss = report->result.loss;
    result->epochs = slot->stopped ? node->curve_count : node->epochs;
    result->predicted = slot->stopped && slot->stop.reason.text[0] ? slot->stop.predicted : 0;
    result->stopped = event_text("%s", slot->stopped ? slot->stop.reason.text : "");
    result->seconds = report->seconds;
    result->images_per_second = report->images_per_second;
    result->weights = event_text("n%" PRId64 "-%.8s.safetensors", report->node, text);
    result->weights_hash = event_text("%s", text);
    record_health(report->health, report->weights->arch.layer_count, result);
    int status = journal_write(trials->journal, "weights", result->weights, bytes, length);
    free(bytes);
    trials->failures = 0;
    if (status)
        event_done(&event);
    else if (!journal_emit(trials->journal, &event))
        checkpoints_remove(trials->journal, report->node);
}

/* --- failures ---

   Most are of the network, and it has `attempts` of them.  That a device is lost is mostly no fault of the network, and
   doesn't count as one of those; but a network that kills each machine that trains it must not have them all. */

enum { LOSSES_MAX = 3 };

static bool is_tried_again(const struct trials *trials, const struct session_node *node, enum failure_reason reason)
{
    if (reason == FAILURE_DEVICE)
        return node->loss_count < LOSSES_MAX;
    return reason != FAILURE_DIVERGED && reason != FAILURE_TIME &&
           node->attempts - node->loss_count < trials->options->attempts;
}

/* Did it fail for good? */
static bool fail(struct trials *trials, const struct trial_slot *slot, enum failure_reason reason, const char *message)
{
    const struct session_node *node = node_of(trials, slot->node);
    bool again = is_tried_again(trials, node, reason);
    char *text = again || reason != FAILURE_DEVICE || !node->lost_on
                     ? event_text("%s", message ? message : "")
                     : event_text("%d devices were lost while it trained, %s and %s; the last: %s",
                                  node->loss_count + 1, node->lost_on, node->device, message ? message : "no message");
    if (!again) {
        trials->failures++;
        trials->last_failed = slot->node;
    }
    trials_fail(trials, slot->node, reason, text, again && (!slot->cancelled || slot->again));
    free(text);
    return !again;
}

static void give_back(struct trials *trials, const struct trial_slot *slot)
{
    bool again = !slot->cancelled || slot->again;
    trials_fail(trials, slot->node, FAILURE_CANCELLED, again ? "it goes back to the queue" : "", again);
}

/* The slot, with what trains there. */
static int64_t report_lost(struct trials *trials, const struct report *report)
{
    struct slots *slots = &trials->slots;
    ASSERT(report->slot >= 0 && report->slot < slots->count);
    const struct device *device = slots->evaluator->kind->device(slots->evaluator, report->slot);
    slots_lose(slots, report->slot, device->id, report->message, report->left);
    if (!slots->items[report->slot].trial.node)
        return 0;
    struct trial_slot slot = slots_release(slots, report->slot);
    bool failed = false;
    if (report->left || slot.cancelled)
        give_back(trials, &slot);
    else
        failed = fail(trials, &slot, FAILURE_DEVICE, report->message);
    return failed ? slot.node : 0;
}

/* Are these weights of the network that was to be trained? */
static bool has_right_weights(const struct trials *trials, const struct report *report)
{
    const struct weights *weights = report->weights;
    struct arch arch;
    journal_arch(trials->journal, report->node, &arch);
    return arch_equal(&weights->arch, &arch) && !memcmp(&weights->input, &trials->input, sizeof trials->input);
}

static int64_t report_last(struct trials *trials, const struct report *report)
{
    struct trial_slot slot = slots_release(&trials->slots, report->slot);
    const struct session_node *node = node_of(trials, slot.node);
    bool lacks_epochs = slot.adopted && !slot.stopped && node->curve_count < node->epochs; /* of its curve */
    if (report->kind == REPORT_RESULT && !slot.wrong && !has_right_weights(trials, report))
        slot.wrong = "its trainer delivered the weights of another network";
    if (slot.wrong && report->kind != REPORT_FAILED)
        return fail(trials, &slot, FAILURE_ERROR, slot.wrong) ? slot.node : 0;
    if (report->kind == REPORT_RESULT && !lacks_epochs)
        report_result(trials, report, &slot);
    else if (report->kind == REPORT_CANCELLED || report->kind == REPORT_RESULT)
        give_back(trials, &slot);
    else {
        if (report->failure == FAILURE_DEVICE)
            slots_lose(&trials->slots, report->slot, node->device, report->message, false);
        return fail(trials, &slot, report->failure, report->message) ? slot.node : 0;
    }
    return 0;
}

static void emit_warning(struct trials *trials, const char *message)
{
    struct event event = {.kind = EVENT_WARNED};
    event.as.warned.message = event_text("%s", message ? message : "");
    journal_emit(trials->journal, &event);
}

/* --- reports --- */

static bool is_of_trial(enum report_kind kind)
{
    return kind <= REPORT_CANCELLED;
}

static int64_t handle(struct trials *trials, const struct report *report)
{
    struct slots *slots = &trials->slots;
    if (is_of_trial(report->kind) && !slots_has(slots, report))
        return 0;
    switch (report->kind) {
    case REPORT_STEP:
        report_step(trials, report);
        break;
    case REPORT_EPOCH:
        report_epoch(trials, report);
        break;
    case REPORT_CHECKPOINT:
        if (slots->items[report->slot].trial.wrong)
            break;
        if (!slots->items[report->slot].trial.cancelled || slots->items[report->slot].trial.again)
            checkpoints_write(trials->journal, report->node, report->checkpoint, report->length);
        break;
    case REPORT_RESULT:
    case REPORT_FAILED:
    case REPORT_CANCELLED:
        return report_last(trials, report);
    case REPORT_JOINED:
        slots_join(slots, report->slot);
        if (report->node && !trials->journal->broken)
            trials_adopt(trials, report->slot, report->node);
        break;
    case REPORT_LOST:
        return report_lost(trials, report);
    case REPORT_SAMPLE:
        if (slots_show_sample(slots, report->slot))
            slots_emit_sample(trials->journal, slots->evaluator->kind->device(slots->evaluator, report->slot)->id,
                              &report->sample);
        break;
    case REPORT_WARNING:
        emit_warning(trials, report->message);
        break;
    case REPORT_BROKEN:
        error_set(&trials->broken, "%s", report->message ? report->message : "nothing can train any more");
        break;
    }
    return 0;
}

int64_t reports_take(struct trials *trials, struct report *report)
{
    int64_t failed = handle(trials, report);
    report_done(report);
    return failed;
}
