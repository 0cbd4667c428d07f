/*
 * local_trainer.c - a trainer of the local evaluator: its flags, its reports, and a trial from beginning to end.
 *
 * A trainer owns its trial, the weights and the network while it trains.  It reads its flags (evaluator_local.c) before
 * every batch, and reports steps at most STEPS_A_SECOND times a second.
 */
#include "search/local.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/lineage.h"
#include "export/safetensors.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

enum { MEASURE_BATCHES = 4 };
#define STEPS_A_SECOND 2.0

/* --- flags --- */

static bool is_cancelled(void *context)
{
    const struct trainer *trainer = context;
    return atomic_load(&trainer->local->closing) || atomic_load(&trainer->cancelled) == trainer->trial->node;
}

static bool must_wait(struct trainer *trainer)
{
    return atomic_load(&trainer->local->paused) || atomic_load(&trainer->answer) == EPOCH_WAITS;
}

/* Has the first epoch taken longer than the trial may? */
static bool is_overtime(struct trainer *trainer)
{
    const struct trial *trial = trainer->trial;
    double before = trial->checkpoint ? trial->checkpoint->seconds : 0;
    bool first = !trainer->epochs_here && !(trial->checkpoint && trial->checkpoint->epochs);
    double seconds = before + clock_monotonic() - trainer->began - trainer->waited;
    trainer->overtime = trial->seconds_most > 0 && first && seconds > trial->seconds_most;
    return trainer->overtime;
}

static bool proceed(void *context)
{
    struct trainer *trainer = context;
    struct local_evaluator *local = trainer->local;
    if (must_wait(trainer)) {
        double began = clock_monotonic();
        pthread_mutex_lock(&local->mutex);
        while (must_wait(trainer) && !is_cancelled(trainer))
            pthread_cond_wait(&local->resumed, &local->mutex);
        pthread_mutex_unlock(&local->mutex);
        trainer->waited += clock_monotonic() - began;
    }
    return !is_cancelled(trainer) && atomic_load(&trainer->answer) != EPOCH_ENDS && !is_overtime(trainer);
}

/* --- reports --- */

static struct report report_new(const struct trainer *trainer, enum report_kind kind)
{
    return (struct report){
        .kind = kind, .node = trainer->trial->node, .fence = trainer->trial->fence, .slot = trainer->slot};
}

static void send(struct trainer *trainer, struct report *report)
{
    if (!queue_put(trainer->local->reports, report))
        report_done(report); /* the evaluator is being freed */
}

static void send_step(void *context, const struct step_report *step)
{
    struct trainer *trainer = context;
    double now = clock_monotonic();
    if (now - trainer->step_time < 1 / STEPS_A_SECOND)
        return;
    trainer->step_time = now;
    struct report report = report_new(trainer, REPORT_STEP);
    report.step = *step;
    queue_try_put(trainer->local->reports, &report);
}

static void send_epoch(void *context, const struct epoch_report *epoch)
{
    struct trainer *trainer = context;
    trainer->last = *epoch;
    trainer->seconds += epoch->seconds;
    trainer->rate_seconds += epoch->images_per_second;
    trainer->epochs_here++;
    struct report report = report_new(trainer, REPORT_EPOCH);
    report.epoch = *epoch;
    if (trainer->trial->may_stop && epoch->epoch < epoch->epochs)
        atomic_store(&trainer->answer, EPOCH_WAITS);
    send(trainer, &report);
}

static void keep_health(void *context, const struct layer_health *health)
{
    struct trainer *trainer = context;
    size_t count = (size_t)trainer->trial->arch.layer_count;
    trainer->health = memcpy(memory_new(count, sizeof *health), health, count * sizeof *health);
}

static void send_failure(struct trainer *trainer, enum failure_reason reason, const struct error *error)
{
    struct report report = report_new(trainer, REPORT_FAILED);
    report.failure = reason;
    report.message = memory_copy_text(error->text);
    send(trainer, &report);
}

static void send_result(struct trainer *trainer, struct weights *weights, const struct evaluation *result)
{
    struct report report = report_new(trainer, REPORT_RESULT);
    report.result = *result;
    report.test = trainer->test;
    report.seconds = trainer->seconds;
    report.images_per_second = trainer->epochs_here ? trainer->rate_seconds / trainer->epochs_here : 0;
    report.health = trainer->health;
    trainer->health = NULL;
    report.weights = weights;
    send(trainer, &report);
}

/* --- checkpoints --- */

/* Writing them is to take a small part of the time: larger ones are made less often. */
static const double large_checkpoint = 4e7; /* bytes */

static bool is_checkpoint_due(void *context)
{
    const struct trainer *trainer = context;
    const struct checkpoint *made = &trainer->checkpoint;
    double bytes = 3 * sizeof(float) * (double)made->total;
    return clock_monotonic() - trainer->kept_time >=
           trainer->local->checkpoint_seconds * fmax(1, bytes / large_checkpoint);
}

/* Of a training that was stopped too, unless it ends with a result. */
static void send_checkpoint(void *context, const struct weights *weights, const struct training_state *state)
{
    struct trainer *trainer = context;
    struct report report = report_new(trainer, REPORT_CHECKPOINT);
    bool ends = (trainer->overtime || atomic_load(&trainer->answer) == EPOCH_ENDS) && !is_cancelled(trainer);
    if (ends || (!state->epochs && !state->steps))
        return;
    checkpoint_copy(&trainer->checkpoint, weights, state);
    checkpoint_encode(&trainer->checkpoint, &report.checkpoint, &report.length);
    send(trainer, &report);
    trainer->kept_time = clock_monotonic();
}

/* --- one trial --- */

struct measuring {
    const struct trainer *trainer;
    uint32_t action;
};

/* A GPU's networks are measured on the processor, in float32: a device would first need plans for a network that is
   used once, and other trainers keep it busy.  One core takes 2 ms for a deepening of bench's TINY, 20 ms for SMALL,
   0.25 s for MID and 2.3 s for BIG, each of which then trains for several times that on any GPU. */
static int measure(void *context, const struct weights *network, int layer, float *mean, float *variance,
                   struct error *error)
{
    const struct measuring *measuring = context;
    const struct training *training = &measuring->trainer->trial->training;
    const struct backend *backend = measuring->trainer->backend;
    if (backend->device)
        backend = backend_cpu();
    return network_measure(backend, network, layer, measuring->trainer->local->train, MEASURE_BATCHES, training->batch,
                           training->seed, training->node, measuring->action, mean, variance, error);
}

/* Replace `*weights` by what the proposal's actions make of them. */
static int transform(const struct trainer *trainer, struct weights **weights, struct error *error)
{
    const struct trial *trial = trainer->trial;
    for (int i = 0; i < trial->proposal.count; i++) {
        struct measuring measuring = {trainer, (uint32_t)i};
        struct morph_measure callback = {measure, &measuring};
        struct random_stream stream =
            random_stream_new(trial->training.seed, RANDOM_MORPH, trial->training.node, (uint32_t)i);
        struct weights *child;
        if (morph_apply(*weights, &trial->proposal.actions[i].action, &trial->morph, &callback, &stream, &child, error))
            return -1;
        weights_free(*weights);
        *weights = child;
    }
    return 0;
}

/* The weights that training begins with.  NULL with the reason. */
static struct weights *initial_weights(const struct trainer *trainer, struct error *error)
{
    const struct trial *trial = trainer->trial;
    const struct shape input = trainer->local->train->images->shape;
    struct weights *weights;
    if (trial->checkpoint)
        return weights_new(&trial->arch, input); /* train_here() sets them */
    if (trial->from_scratch) {
        struct random_stream stream =
            random_stream_new(trial->training.seed, RANDOM_INITIALISE, trial->training.node, 0);
        weights = weights_new(&trial->arch, input);
        weights_initialise(weights, &stream);
        return weights;
    }
    if (safetensors_read(trial->parent_weights, &trial->parent_hash, &weights, error))
        return NULL;
    if (trial->training.epochs)
        weights_use_raw(weights);
    bool fits = arch_equal(&weights->arch, &trial->parent_arch) && weights->input.channels == input.channels &&
                weights->input.height == input.height && weights->input.width == input.width;
    if (!fits)
        error_set(error, "%s: the weights are of another network, or for other images", trial->parent_weights);
    if (!fits || transform(trainer, &weights, error)) {
        weights_free(weights);
        return NULL;
    }
    ASSERT(arch_equal(&weights->arch, &trial->arch));
    return weights;
}

static double trial_bytes(const struct trainer *trainer)
{
    const struct local_evaluator *local = trainer->local;
    int validated = local->validate->count, tested = local->test ? local->test->count : 0;
    return (double)train_bytes(trainer->backend, &trainer->trial->arch, local->train->images->shape,
                               &trainer->trial->training, tested > validated ? tested : validated);
}

double local_free_memory(struct device_monitor *monitor)
{
    struct device_sample sample;
    device_monitor_sample(monitor, &sample);
    return sample.valid & DEVICE_MEMORY ? sample.memory_total - sample.memory_used : INFINITY;
}

/* Linux grants more memory than there is, and kills the process when it is used: so ask first. */
static int check_memory(const struct trainer *trainer, double bytes, struct error *error)
{
    double left = local_free_memory(trainer->monitor);
    if (bytes <= left)
        return 0;
    char needed[TEXT_SHORT], there[TEXT_SHORT];
    return error_set(error, "training with batch %d takes %s, and %s are free", trainer->trial->training.batch,
                     text_bytes(needed, bytes), text_bytes(there, left));
}

/* After training: read the test images, if the trial asks for it and there are any. */
static enum training_outcome test_here(struct trainer *trainer, struct weights *weights, struct error *error)
{
    const struct view *test = trainer->local->test;
    if (!trainer->trial->test || !test)
        return TRAINING_DONE;
    return training_outcome_of(
        network_evaluate(trainer->backend, weights, test, trainer->trial->training.batch, &trainer->test, error));
}

/* By layer: the units that it had before this trial's actions widened it, else 0. */
static void find_units_before(const struct trial *trial, int units[ARCH_LAYERS_MAX])
{
    struct lineage lineage = {.before = {0}};
    struct arch arch = trial->parent_arch;
    memset(units, 0, ARCH_LAYERS_MAX * sizeof *units);
    for (int i = 0; i < trial->proposal.count; i++)
        if (lineage_follow(&lineage, &arch, &trial->proposal.actions[i].action))
            return;
    for (int i = 0; i < arch.layer_count; i++)
        if (lineage.change[i] == LAYER_CHANGE_WIDER)
            units[i] = lineage.before[i];
}

static enum training_outcome train_here(struct trainer *trainer, struct weights *weights, struct evaluation *result,
                                        struct error *error)
{
    const struct local_evaluator *local = trainer->local;
    const struct training *training = &trainer->trial->training;
    if (!training->epochs) { /* a start network with the weights of another session */
        double began = clock_monotonic();
        if (!proceed(trainer))
            return TRAINING_STOPPED;
        enum device_trouble trouble =
            network_evaluate(trainer->backend, weights, local->validate, training->batch, result, error);
        trainer->seconds = clock_monotonic() - began;
        return training_outcome_of(trouble);
    }
    struct team *team = local->helpers ? helpers_team(local->helpers, trainer->slot) : NULL;
    struct trainer_hooks hooks = {trainer, proceed,           send_step,       send_epoch,
                                  team,    is_checkpoint_due, send_checkpoint, keep_health};
    struct training going_on = *training;
    int units_before[ARCH_LAYERS_MAX];
    find_units_before(trainer->trial, units_before);
    going_on.units_before = units_before;
    char *settings = trial_settings(trainer->trial);
    checkpoint_init(&trainer->checkpoint, NULL, weights, (double)training->average, settings);
    if (trainer->trial->checkpoint)
        checkpoint_restore(trainer->trial->checkpoint, weights, &going_on);
    trainer->began = trainer->kept_time = clock_monotonic();
    enum training_outcome outcome =
        train(trainer->backend, weights, local->train, local->validate, &going_on, &hooks, error);
    checkpoint_done(&trainer->checkpoint);
    free(settings);
    *result =
        (struct evaluation){trainer->last.validation_loss, trainer->last.validation_accuracy, local->validate->count};
    return outcome;
}

/* Train and evaluate; on TRAINING_DONE `result` is filled in.  On a GPU it first reserves the memory. */
static enum training_outcome train_trial(struct trainer *trainer, struct weights *weights, struct evaluation *result,
                                         struct error *error)
{
    const struct backend_device *device = trainer->backend->device;
    struct device_memory *memory = trainer->local->memory;
    double bytes = device ? trial_bytes(trainer) + (double)train_workspaces(trainer->backend) : 0;
    if (device && !device_memory_reserve(memory, trainer->gpu, bytes, is_cancelled, trainer))
        return TRAINING_STOPPED;
    enum training_outcome outcome = train_here(trainer, weights, result, error);
    if (outcome == TRAINING_DONE)
        outcome = test_here(trainer, weights, error);
    if (device)
        device_memory_release(memory, trainer->gpu, bytes);
    return outcome;
}

static void fail_trial(struct trainer *trainer, enum training_outcome outcome, const struct error *error)
{
    enum failure_reason reason = outcome == TRAINING_DIVERGED      ? FAILURE_DIVERGED
                                 : outcome == TRAINING_NO_MEMORY   ? FAILURE_MEMORY
                                 : outcome == TRAINING_DEVICE_LOST ? FAILURE_DEVICE
                                                                   : FAILURE_ERROR;
    send_failure(trainer, reason, error);
}

static void send_cancelled(struct trainer *trainer)
{
    struct report report = report_new(trainer, REPORT_CANCELLED);
    send(trainer, &report);
}

/* The trial from its weights to its last report. */
static void train_and_report(struct trainer *trainer)
{
    struct error error;
    struct weights *weights = initial_weights(trainer, &error);
    if (!weights) {
        send_failure(trainer, FAILURE_ERROR, &error);
        return;
    }
    struct evaluation result;
    enum training_outcome outcome = train_trial(trainer, weights, &result, &error);
    bool ended = outcome == TRAINING_STOPPED && !trainer->overtime &&
                 !is_cancelled(trainer); /* it stops early: the weights are those of the epoch's end */
    if (outcome == TRAINING_DONE || ended) {
        send_result(trainer, weights, &result);
        return;
    }
    weights_free(weights);
    if (outcome == TRAINING_STOPPED && trainer->overtime) {
        error_set(&error, "its first epoch takes longer than --network-seconds %g", trainer->trial->seconds_most);
        send_failure(trainer, FAILURE_TIME, &error);
    } else if (outcome == TRAINING_STOPPED)
        send_cancelled(trainer);
    else
        fail_trial(trainer, outcome, &error);
}

/* The same on the processor, when it has reserved the memory. */
static void train_and_report_on_processor(struct trainer *trainer)
{
    struct error error;
    struct device_memory *memory = trainer->local->memory;
    double bytes = trial_bytes(trainer);
    if (!device_memory_reserve(memory, MACHINE_MEMORY, bytes, is_cancelled, trainer)) {
        send_cancelled(trainer);
        return;
    }
    if (check_memory(trainer, bytes, &error))
        send_failure(trainer, FAILURE_MEMORY, &error);
    else
        train_and_report(trainer);
    device_memory_release(memory, MACHINE_MEMORY, bytes);
}

static void run_trial(struct trainer *trainer, const struct trial *trial)
{
    trainer->trial = trial;
    if (trainer->replaced)
        trainer->backend = backend_cpu();
    trainer->step_time = trainer->rate_seconds = 0;
    trainer->seconds = trial->seconds_before;
    trainer->began = clock_monotonic();
    trainer->waited = 0;
    trainer->overtime = false;
    trainer->epochs_here = 0;
    trainer->last = (struct epoch_report){0};
    trainer->test = (struct evaluation){0};
    atomic_store(&trainer->answer, EPOCH_GOES_ON);
    if (trainer->backend->device)
        train_and_report(trainer);
    else
        train_and_report_on_processor(trainer);
    free(trainer->health); /* of a trial without a result */
    trainer->health = NULL;
}

/* Only a core that no other trainer shares is lent to helpers. */
static void lend_core(const struct trainer *trainer, bool lent)
{
    if (trainer->local->helpers && trainer->device.own_core)
        helpers_lend(trainer->local->helpers, trainer->slot, lent);
}

void *local_trainer(void *context)
{
    struct trainer *trainer = context;
    struct trial trial;
    thread_pin(trainer->device.core);
    while (queue_take(trainer->inbox, &trial, -1)) {
        lend_core(trainer, false);
        run_trial(trainer, &trial);
        trial_done(&trial);
        lend_core(trainer, true);
    }
    return NULL;
}
