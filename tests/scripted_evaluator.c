/*
 * scripted_evaluator.c - a slot holds a trial and how many epochs of it were reported; a poll draws one of the
 * slots with something to say and lets it say the next thing.
 */
#include "config.h"

#include "scripted_evaluator.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export/safetensors.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

enum { SLOTS_MAX = SCRIPTED_SLOTS_MAX, LANES_OF_HOST = 4, STALE_MAX = 8 };

struct scripted_slot {
    struct trial trial; /* node 0: free */
    int epoch;
    bool cancelled;
    bool waits, ended; /* for the answer after an epoch; by it */
    double began;
};

/* What a poll says next of slots that come and go. */
struct scripted_change {
    enum report_kind kind;
    int slot;
    bool left;
};

struct scripted {
    struct evaluator evaluator; /* the first member */
    struct script script;
    struct random_stream stream;
    struct device devices[SLOTS_MAX];
    struct scripted_slot slots[SLOTS_MAX];
    int count; /* slots, those that are lost included */
    struct scripted_change changes[2 * SLOTS_MAX];
    int change_count;
    struct report stale[STALE_MAX]; /* of trials that slots lost: node, fence and slot */
    int64_t stale_count, polls;
    bool paused;
};

static int64_t results;
static double seconds_inside;

double scripted_seconds(void)
{
    return seconds_inside;
}

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int64_t scripted_results(void)
{
    return results;
}

struct search_data scripted_data(void)
{
    return (struct search_data){
        .input = {1, 16, 16}, .classes = 10, .train_images = 100, .validation_images = 50, .hash = {1, 2}};
}

/* Within a point. */
static double scripted_noise(const struct arch *arch, int epoch)
{
    return 0.02 * ((double)((arch_hash(arch).high >> (epoch % 16)) & 0xffff) / 0xffff - 0.5);
}

double scripted_accuracy(const struct arch *arch, struct shape input)
{
    double parameters = (double)arch_cost(arch, input).parameters;
    double jitter = (double)(arch_hash(arch).low >> 11) * 0x1p-53;
    return 0.5 + 0.44 * (1 - exp(-parameters / 20000)) + 0.01 * jitter;
}

double scripted_curve(const struct arch *arch, struct shape input, int epoch, int epochs)
{
    double left = 1 - (double)epoch / epochs, noise = epoch == epochs ? 0 : scripted_noise(arch, epoch);
    return scripted_accuracy(arch, input) - 0.25 * left * left + noise;
}

static int scripted_slots(const struct evaluator *evaluator)
{
    return ((const struct scripted *)evaluator)->count;
}

static const struct device *scripted_device(const struct evaluator *evaluator, int slot)
{
    return &((const struct scripted *)evaluator)->devices[slot];
}

static void check_trial(const struct trial *trial)
{
    struct weights *weights;
    struct arch child;
    struct error error;
    if (trial->from_scratch)
        return;
    if (safetensors_read(trial->parent_weights, &trial->parent_hash, &weights, &error))
        BUG(error.text);
    ASSERT(arch_equal(&weights->arch, &trial->parent_arch));
    CHECK(proposal_apply(&trial->parent_arch, &trial->proposal, &child, &error) == 0);
    ASSERT(arch_equal(&child, &trial->arch));
    weights_free(weights);
}

static void scripted_submit(struct evaluator *evaluator, int slot, struct trial *trial)
{
    struct scripted *scripted = (struct scripted *)evaluator;
    double began = processor_seconds();
    ASSERT(slot >= 0 && slot < scripted->count && !scripted->slots[slot].trial.node && !scripted->devices[slot].lost);
    check_trial(trial);
    scripted->slots[slot] = (struct scripted_slot){.trial = *trial, .began = clock_monotonic()};
    if (trial->adopted)
        scripted->slots[slot].epoch = scripted->script.joins_after;
    seconds_inside += processor_seconds() - began;
}

static bool scripted_adopts(const struct evaluator *evaluator, int slot, const struct trial *trial, int64_t start_event)
{
    (void)slot;
    return ((const struct scripted *)evaluator)->script.joins_with == trial->node && start_event;
}

static void report_last(struct scripted *scripted, struct scripted_slot *slot, struct report *report)
{
    const struct script *script = &scripted->script;
    const struct trial *trial = &slot->trial;
    struct search_data data = scripted_data();
    int epochs = trial->training.epochs;
    enum scripted_fate fate = script->fate ? script->fate(script->context, trial) : FATE_RESULT;
    if (slot->cancelled)
        report->kind = REPORT_CANCELLED;
    else if (fate == FATE_RESULT) {
        report->kind = REPORT_RESULT;
        report->result.accuracy = slot->ended        ? scripted_curve(&trial->arch, data.input, slot->epoch, epochs)
                                  : script->accuracy ? script->accuracy(script->context, trial)
                                                     : scripted_accuracy(&trial->arch, data.input);
        report->result.loss = 1 - report->result.accuracy;
        if (script->tests && trial->test)
            report->test = (struct evaluation){.loss = 1.5, .accuracy = report->result.accuracy - 0.02, .count = 40};
        report->weights =
            weights_new(trial->node == script->wrong_weights ? &trial->parent_arch : &trial->arch, data.input);
        results++;
    } else if (fate == FATE_LOSE_DEVICE && scripted->devices[report->slot].host[0]) { /* the machine starts again */
        *report = (struct report){.kind = REPORT_LOST, .slot = report->slot};
        report->message = memory_copy_text("as scripted");
        scripted->devices[report->slot].lost = true;
        scripted_join(&scripted->evaluator, report->slot);
    } else {
        static const enum failure_reason reasons[] = {[FATE_DIVERGE] = FAILURE_DIVERGED,
                                                      [FATE_NO_MEMORY] = FAILURE_MEMORY,
                                                      [FATE_ERROR] = FAILURE_ERROR,
                                                      [FATE_LOSE_DEVICE] = FAILURE_DEVICE};
        report->kind = REPORT_FAILED;
        report->failure = reasons[fate];
        report->message = memory_copy_text("as scripted");
        scripted->devices[report->slot].lost = fate == FATE_LOSE_DEVICE;
    }
    if (script->answered)
        script->answered(script->context, trial);
    trial_done(&slot->trial);
    *slot = (struct scripted_slot){0};
}

static bool has_something_to_say(const struct scripted *scripted, const struct scripted_slot *slot)
{
    if (!slot->trial.node)
        return false;
    if (slot->cancelled)
        return true;
    if (slot->waits)
        return false;
    double seconds = scripted->script.seconds;
    return !scripted->paused && (seconds <= 0 || clock_monotonic() - slot->began >= seconds);
}

/* --- slots that come and go --- */

static void add_change(struct scripted *scripted, struct scripted_change change)
{
    ASSERT(scripted->change_count < (int)COUNT_OF(scripted->changes));
    scripted->changes[scripted->change_count++] = change;
}

void scripted_join(struct evaluator *evaluator, int slot)
{
    add_change((struct scripted *)evaluator, (struct scripted_change){.kind = REPORT_JOINED, .slot = slot});
}

void scripted_lose(struct evaluator *evaluator, int slot, bool left)
{
    add_change((struct scripted *)evaluator, (struct scripted_change){.kind = REPORT_LOST, .slot = slot, .left = left});
}

void scripted_break(struct evaluator *evaluator)
{
    add_change((struct scripted *)evaluator, (struct scripted_change){.kind = REPORT_BROKEN});
}

static void describe(struct scripted *scripted, int slot)
{
    struct device *device = &scripted->devices[slot];
    int lane = slot - scripted->script.slots;
    *device = (struct device){.core = -1};
    snprintf(device->name, sizeof device->name, "scripted slot %d", slot);
    if (lane < 0) {
        snprintf(device->id, sizeof device->id, "test:%d", slot);
        return;
    }
    snprintf(device->host, sizeof device->host, "node%d", lane / LANES_OF_HOST);
    snprintf(device->id, sizeof device->id, "node%d/test:%d", lane / LANES_OF_HOST, lane % LANES_OF_HOST);
    snprintf(device->speed_class, sizeof device->speed_class, "scripted");
}

static void lose(struct scripted *scripted, int slot)
{
    struct scripted_slot *lost = &scripted->slots[slot];
    scripted->devices[slot].lost = true;
    if (lost->trial.node)
        scripted->stale[scripted->stale_count++ % STALE_MAX] =
            (struct report){.node = lost->trial.node, .fence = lost->trial.fence, .slot = slot};
    trial_done(&lost->trial);
    *lost = (struct scripted_slot){0};
}

static void take_change(struct scripted *scripted, struct report *report)
{
    struct scripted_change change = scripted->changes[0];
    memmove(scripted->changes, scripted->changes + 1, (size_t)--scripted->change_count * sizeof change);
    *report = (struct report){.kind = change.kind, .slot = change.slot, .left = change.left};
    report->message =
        memory_copy_text(change.kind == REPORT_BROKEN ? "the farm has another controller" : "as scripted");
    if (change.kind == REPORT_LOST) {
        lose(scripted, change.slot);
    } else if (change.kind == REPORT_JOINED) {
        ASSERT(change.slot <= scripted->count);
        scripted->count += change.slot == scripted->count;
        describe(scripted, change.slot);
        report->node = change.slot == scripted->script.slots ? scripted->script.joins_with : 0;
    }
}

/* A report of a trial that its slot has lost. */
static void say_stale(struct scripted *scripted, struct report *report)
{
    struct random_stream *stream = &scripted->stream;
    int64_t known = scripted->stale_count < STALE_MAX ? scripted->stale_count : STALE_MAX;
    static const enum report_kind kinds[] = {REPORT_STEP, REPORT_EPOCH, REPORT_CHECKPOINT, REPORT_FAILED,
                                             REPORT_CANCELLED};
    *report = scripted->stale[random_below(stream, (uint32_t)known)];
    report->kind = kinds[random_below(stream, COUNT_OF(kinds))];
    report->failure = FAILURE_ERROR;
    report->message = memory_copy_text("of a trial that was given up");
}

/* One of other machines comes, goes, or says something of a trial that it lost. */
static bool churn(struct scripted *scripted, struct report *report)
{
    const struct script *script = &scripted->script;
    struct random_stream *stream = &scripted->stream;
    if (scripted->change_count == 0) {
        int first = script->slots, slot = first + (int)random_below(stream, (uint32_t)script->remote);
        if (script->churn <= 0 || random_uniform(stream) >= (float)script->churn || slot >= scripted->count)
            return false;
        if (scripted->stale_count && random_below(stream, 3) == 0) {
            say_stale(scripted, report);
            return true;
        }
        if (scripted->devices[slot].lost)
            scripted_join(&scripted->evaluator, slot);
        else
            scripted_lose(&scripted->evaluator, slot, random_below(stream, 2));
    }
    take_change(scripted, report);
    return true;
}

static bool say(struct scripted *scripted, struct report *report, double seconds)
{
    int speaking[SLOTS_MAX], count = 0;
    for (int i = 0; i < scripted->count; i++)
        if (has_something_to_say(scripted, &scripted->slots[i]))
            speaking[count++] = i;
    if (!count) {
        nanosleep(&(struct timespec){.tv_nsec = seconds > 0 ? 100000 : 0}, NULL);
        return false;
    }
    int chosen = speaking[random_below(&scripted->stream, (uint32_t)count)];
    struct scripted_slot *slot = &scripted->slots[chosen];
    const struct training *training = &slot->trial.training;
    *report = (struct report){.node = slot->trial.node, .fence = slot->trial.fence, .slot = chosen, .seconds = 0.001};
    if (scripted->script.no_epochs || slot->cancelled || slot->ended || slot->epoch == training->epochs) {
        report_last(scripted, slot, report);
        return true;
    }
    report->kind = REPORT_EPOCH;
    slot->epoch++;
    report->epoch.epoch = slot->epoch + (slot->epoch == 2 && slot->trial.node == scripted->script.wrong_epoch);
    report->epoch.epochs = training->epochs;
    report->epoch.rate = training->rate;
    report->epoch.seconds = scripted->script.epoch_seconds;
    report->epoch.validation_accuracy =
        scripted_curve(&slot->trial.arch, scripted_data().input, slot->epoch, training->epochs);
    slot->waits = slot->trial.may_stop && slot->epoch < training->epochs;
    return true;
}

static bool scripted_poll(struct evaluator *evaluator, struct report *report, double seconds)
{
    struct scripted *scripted = (struct scripted *)evaluator;
    double began = processor_seconds();
    bool said = scripted->polls++ >= scripted->script.absent &&
                (scripted->change_count || (scripted->script.remote && scripted->script.churn > 0)) &&
                churn(scripted, report);
    said = said || say(scripted, report, seconds);
    seconds_inside += processor_seconds() - began;
    return said;
}

static void scripted_cancel(struct evaluator *evaluator, int64_t node)
{
    struct scripted *scripted = (struct scripted *)evaluator;
    for (int i = 0; i < scripted->count; i++)
        if (scripted->slots[i].trial.node == node)
            scripted->slots[i].cancelled = true;
}

static void scripted_proceed(struct evaluator *evaluator, int64_t node, bool goes_on)
{
    struct scripted *scripted = (struct scripted *)evaluator;
    for (int i = 0; i < scripted->count; i++)
        if (scripted->slots[i].trial.node == node) {
            ASSERT(scripted->slots[i].waits);
            scripted->slots[i].waits = false;
            scripted->slots[i].ended = !goes_on;
        }
}

static void scripted_pause(struct evaluator *evaluator, bool paused)
{
    ((struct scripted *)evaluator)->paused = paused;
}

static void scripted_free(struct evaluator *evaluator)
{
    struct scripted *scripted = (struct scripted *)evaluator;
    for (int i = 0; i < SLOTS_MAX; i++)
        trial_done(&scripted->slots[i].trial);
    free(scripted);
}

static const struct evaluator_kind kind_scripted = {
    .slots = scripted_slots,
    .device = scripted_device,
    .submit = scripted_submit,
    .adopts = scripted_adopts,
    .poll = scripted_poll,
    .cancel = scripted_cancel,
    .proceed = scripted_proceed,
    .pause = scripted_pause,
    .free = scripted_free,
};

struct evaluator *scripted_evaluator_new(const struct script *script)
{
    ASSERT(script->slots + script->remote <= SLOTS_MAX);
    struct scripted *scripted = memory_new(1, sizeof *scripted);
    scripted->evaluator.kind = &kind_scripted;
    scripted->script = *script;
    scripted->stream = random_stream_new(script->seed, RANDOM_TEST, 0, 0);
    scripted->count = script->slots;
    for (int i = 0; i < script->slots; i++)
        describe(scripted, i);
    for (int i = 0; i < script->remote; i++)
        scripted_join(&scripted->evaluator, script->slots + i);
    return &scripted->evaluator;
}

/* --- folders --- */

char *scratch_new(void)
{
    const char *parents[] = {getenv("TMPDIR"), "/dev/shm", "/tmp"};
    for (size_t i = 0; i < COUNT_OF(parents); i++) {
        struct text path = TEXT_EMPTY;
        if (!parents[i])
            continue;
        text_add(&path, "%s/espalier-test-XXXXXX", parents[i]);
        char *folder = text_take(&path);
        if (mkdtemp(folder))
            return folder;
        free(folder);
    }
    BUG("no folder for the test");
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void scratch_remove(char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
