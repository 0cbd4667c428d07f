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

enum { SLOTS_MAX = 16 };

struct scripted_slot {
    struct trial trial; /* node 0: free */
    int epoch;
    bool cancelled;
    bool waits, ended; /* for the answer after an epoch; by it */
    double began;
};

struct scripted {
    struct evaluator evaluator; /* the first member */
    struct script script;
    struct random_stream stream;
    struct device devices[SLOTS_MAX];
    struct scripted_slot slots[SLOTS_MAX];
    bool paused;
};

static int64_t results;

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
    return ((const struct scripted *)evaluator)->script.slots;
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
    ASSERT(slot >= 0 && slot < scripted->script.slots && !scripted->slots[slot].trial.node);
    check_trial(trial);
    scripted->slots[slot] = (struct scripted_slot){.trial = *trial, .began = clock_monotonic()};
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
        report->weights = weights_new(&trial->arch, data.input);
        results++;
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
    return !scripted->paused && clock_monotonic() - slot->began >= scripted->script.seconds;
}

static bool scripted_poll(struct evaluator *evaluator, struct report *report, double seconds)
{
    struct scripted *scripted = (struct scripted *)evaluator;
    int speaking[SLOTS_MAX], count = 0;
    for (int i = 0; i < scripted->script.slots; i++)
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
    report->epoch.epoch = ++slot->epoch;
    report->epoch.epochs = training->epochs;
    report->epoch.rate = training->rate;
    report->epoch.seconds = scripted->script.epoch_seconds;
    report->epoch.validation_accuracy =
        scripted_curve(&slot->trial.arch, scripted_data().input, slot->epoch, training->epochs);
    slot->waits = slot->trial.may_stop && slot->epoch < training->epochs;
    return true;
}

static void scripted_cancel(struct evaluator *evaluator, int64_t node)
{
    struct scripted *scripted = (struct scripted *)evaluator;
    for (int i = 0; i < scripted->script.slots; i++)
        if (scripted->slots[i].trial.node == node)
            scripted->slots[i].cancelled = true;
}

static void scripted_proceed(struct evaluator *evaluator, int64_t node, bool goes_on)
{
    struct scripted *scripted = (struct scripted *)evaluator;
    for (int i = 0; i < scripted->script.slots; i++)
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
    .poll = scripted_poll,
    .cancel = scripted_cancel,
    .proceed = scripted_proceed,
    .pause = scripted_pause,
    .free = scripted_free,
};

struct evaluator *scripted_evaluator_new(const struct script *script)
{
    ASSERT(script->slots >= 1 && script->slots <= SLOTS_MAX);
    struct scripted *scripted = memory_new(1, sizeof *scripted);
    scripted->evaluator.kind = &kind_scripted;
    scripted->script = *script;
    scripted->stream = random_stream_new(script->seed, RANDOM_TEST, 0, 0);
    for (int i = 0; i < script->slots; i++) {
        scripted->devices[i].core = -1;
        snprintf(scripted->devices[i].id, sizeof scripted->devices[i].id, "test:%d", i);
        snprintf(scripted->devices[i].name, sizeof scripted->devices[i].name, "scripted slot %d", i);
    }
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
