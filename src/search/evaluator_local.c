/*
 * evaluator_local.c - trials on this machine: one pinned trainer thread a device.
 *
 * A trainer owns its trial, the weights and the network while it trains; engine and trainers share two kinds of
 * queue (a trial in, reports out) and four tokens: `cancelled` (the node to give up), `closing`, `verdict` (of a trial
 * that is judged after each epoch), and the gate that pause shuts.  A trainer looks at the tokens before every batch.
 *
 *   1. A trial that is submitted gets exactly one last report: result, failure or cancellation.  Only when the
 *      evaluator is freed are reports that nobody takes dropped.
 *   2. Reports of epochs and the last one wait for room in the queue; reports of steps don't, and are made at
 *      most STEPS_A_SECOND times a second.
 *   3. What a trial computes depends on the trial and the views alone: not on the slot, a pause, the clock
 *      or who helps.
 *
 * While a trainer has nothing to do, a helper on its core serves those that have (util/team.h): the start network,
 * which everyone waits for, and the last ones of an episode.
 */
#include "config.h"

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda.h"
#include "export/safetensors.h"
#include "search/device_memory.h"
#include "search/evaluator.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"
#include "util/team.h"
#include "util/threads.h"

enum { REPORTS_WAITING_MAX = 256, MEASURE_BATCHES = 4 };
#define STEPS_A_SECOND 2.0

/* Until the engine has judged an epoch, nothing goes on. */
enum verdict_on_trial { VERDICT_GOES_ON, VERDICT_AWAITED, VERDICT_ENDS };

struct trainer {
    struct local *local;
    int slot;
    struct device device;
    int gpu; /* the device's number, while the backend is of one */
    const struct backend *backend;
    pthread_t thread;
    struct queue *inbox;    /* struct trial, to the trainer */
    int64_t submitted;      /* node of the last trial, the engine's to read and write, as the next two */
    bool busy;              /* from there to its last report */
    bool replaced;          /* the device is lost, and the processor in its place */
    atomic_llong cancelled; /* node whose trial is to be given up */
    atomic_int verdict;     /* enum verdict_on_trial, of the last epoch */
    /* The trainer's own, while a trial lasts: */
    const struct trial *trial;
    struct device_monitor *monitor; /* for the machine's memory that is free */
    double step_time;               /* of the last report of a step */
    struct epoch_report last;       /* epoch; all zero before the first */
    double seconds, rate_seconds;   /* of training and evaluation; sum of images/s over epochs */
};

struct local {
    struct evaluator evaluator; /* the first member */
    const struct view *train, *validate;
    int count;
    struct trainer *trainers;
    struct helpers *helpers; /* one a trainer; NULL: a trainer works alone */
    struct queue *reports;   /* struct report, to the engine */
    struct device_memory *memory;
    atomic_bool closing;
    /* The gate: shut while `paused`; the mutex guards changes of anything that a waiting trainer looks at. */
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    atomic_bool paused;
};

/* --- tokens --- */

static bool given_up(struct trainer *trainer)
{
    return atomic_load(&trainer->local->closing) || atomic_load(&trainer->cancelled) == trainer->trial->node;
}

static bool holds(struct trainer *trainer)
{
    return atomic_load(&trainer->local->paused) || atomic_load(&trainer->verdict) == VERDICT_AWAITED;
}

static bool proceed(void *context)
{
    struct trainer *trainer = context;
    struct local *local = trainer->local;
    if (holds(trainer)) {
        pthread_mutex_lock(&local->mutex);
        while (holds(trainer) && !given_up(trainer))
            pthread_cond_wait(&local->opened, &local->mutex);
        pthread_mutex_unlock(&local->mutex);
    }
    return !given_up(trainer) && atomic_load(&trainer->verdict) != VERDICT_ENDS;
}

/* --- reports --- */

static struct report report_new(const struct trainer *trainer, enum report_kind kind)
{
    return (struct report){.kind = kind, .node = trainer->trial->node, .slot = trainer->slot};
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
    struct report report = report_new(trainer, REPORT_EPOCH);
    report.epoch = *epoch;
    if (trainer->trial->judged && epoch->epoch < epoch->epochs)
        atomic_store(&trainer->verdict, VERDICT_AWAITED);
    send(trainer, &report);
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
    report.seconds = trainer->seconds;
    report.images_per_second = trainer->last.epoch ? trainer->rate_seconds / trainer->last.epoch : 0;
    report.weights = weights;
    send(trainer, &report);
}

/* --- one trial --- */

struct measuring {
    const struct trainer *trainer;
    uint32_t action;
};

/* For a GPU on the processor, in float32: a device would first need plans for a network that is used once, and other
   trainers keep it busy meanwhile.  One core takes 2 ms for a deepening of bench's TINY, 20 ms for SMALL, 0.25 s for
   MID and 2.3 s for BIG, each of which then trains for several times that on any GPU. */
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
    if (trial->from_scratch) {
        struct random_stream stream =
            random_stream_new(trial->training.seed, RANDOM_INITIALISE, trial->training.node, 0);
        weights = weights_new(&trial->arch, input);
        weights_initialise(weights, &stream);
        return weights;
    }
    if (safetensors_read(trial->parent_weights, &trial->parent_hash, &weights, error))
        return NULL;
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
    const struct training *training = &trainer->trial->training;
    struct plan *plan = memory_new(1, sizeof *plan);
    struct plan_options options = {training->drop_pool, training->drop_fc, training->drop_dense};
    plan_lower(&trainer->trial->arch, trainer->local->train->images->shape, &options, plan);
    double bytes = (double)network_bytes(trainer->backend, plan, training->batch, NETWORK_TRAINING);
    free(plan);
    return bytes;
}

/* Of the machine; where that isn't known, there is enough. */
static double free_memory(struct device_monitor *monitor)
{
    struct device_sample sample;
    device_monitor_sample(monitor, &sample);
    return sample.valid & DEVICE_MEMORY ? sample.memory_total - sample.memory_used : INFINITY;
}

/* Linux gives out more memory than there is and kills when it is used: so look before. */
static int check_memory(const struct trainer *trainer, double bytes, struct error *error)
{
    double left = free_memory(trainer->monitor);
    if (bytes <= left)
        return 0;
    char needed[TEXT_SHORT], there[TEXT_SHORT];
    return error_set(error, "training with batch %d takes %s, and %s are free", trainer->trial->training.batch,
                     text_bytes(needed, bytes), text_bytes(there, left));
}

static enum training_outcome train_here(struct trainer *trainer, struct weights *weights, struct evaluation *result,
                                        struct error *error)
{
    const struct local *local = trainer->local;
    const struct training *training = &trainer->trial->training;
    if (!training->epochs) { /* a start network that is taken as it is */
        double began = clock_monotonic();
        if (!proceed(trainer))
            return TRAINING_STOPPED;
        enum device_trouble trouble =
            network_evaluate(trainer->backend, weights, local->validate, training->batch, result, error);
        trainer->seconds = clock_monotonic() - began;
        return training_outcome_of(trouble);
    }
    struct team *team = local->helpers ? helpers_team(local->helpers, trainer->slot) : NULL;
    struct trainer_hooks hooks = {trainer, proceed, send_step, send_epoch, team};
    enum training_outcome outcome =
        train(trainer->backend, weights, local->train, local->validate, training, &hooks, error);
    *result =
        (struct evaluation){trainer->last.validation_loss, trainer->last.validation_accuracy, local->validate->count};
    return outcome;
}

static bool is_given_up(void *trainer)
{
    return given_up(trainer);
}

/* Train and judge; on TRAINING_DONE `result` is filled in.  On a GPU, when there is room beside its other trainers. */
static enum training_outcome train_trial(struct trainer *trainer, struct weights *weights, struct evaluation *result,
                                         struct error *error)
{
    const struct backend_device *device = trainer->backend->device;
    struct device_memory *memory = trainer->local->memory;
    double bytes = device ? trial_bytes(trainer) + (double)device->workspace_most : 0;
    if (device && !device_memory_book(memory, trainer->gpu, bytes, is_given_up, trainer))
        return TRAINING_STOPPED;
    enum training_outcome outcome = train_here(trainer, weights, result, error);
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

/* To its last report. */
static void go_through(struct trainer *trainer)
{
    struct error error;
    struct weights *weights = initial_weights(trainer, &error);
    if (!weights) {
        send_failure(trainer, FAILURE_ERROR, &error);
        return;
    }
    struct evaluation result;
    enum training_outcome outcome = train_trial(trainer, weights, &result, &error);
    bool ended = outcome == TRAINING_STOPPED && !given_up(trainer); /* by its verdict: with the weights of its epoch */
    if (outcome == TRAINING_DONE || ended) {
        send_result(trainer, weights, &result);
        return;
    }
    weights_free(weights);
    if (outcome == TRAINING_STOPPED)
        send_cancelled(trainer);
    else
        fail_trial(trainer, outcome, &error);
}

/* On the processor, when there is room beside its other trainers. */
static void go_through_on_processor(struct trainer *trainer)
{
    struct error error;
    struct device_memory *memory = trainer->local->memory;
    double bytes = trial_bytes(trainer);
    if (!device_memory_book(memory, MACHINE_MEMORY, bytes, is_given_up, trainer)) {
        send_cancelled(trainer);
        return;
    }
    if (check_memory(trainer, bytes, &error))
        send_failure(trainer, FAILURE_MEMORY, &error);
    else
        go_through(trainer);
    device_memory_release(memory, MACHINE_MEMORY, bytes);
}

static void run_trial(struct trainer *trainer, const struct trial *trial)
{
    trainer->trial = trial;
    if (trainer->replaced)
        trainer->backend = backend_cpu();
    trainer->step_time = trainer->seconds = trainer->rate_seconds = 0;
    trainer->last = (struct epoch_report){0};
    atomic_store(&trainer->verdict, VERDICT_GOES_ON);
    if (trainer->backend->device)
        go_through(trainer);
    else
        go_through_on_processor(trainer);
}

/* A core that trainers share is nobody's to lend. */
static void lend_core(const struct trainer *trainer, bool lent)
{
    if (trainer->local->helpers && trainer->device.own_core)
        helpers_lend(trainer->local->helpers, trainer->slot, lent);
}

static void *trainer_thread(void *context)
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

/* --- the evaluator's table --- */

static int local_slots(const struct evaluator *evaluator)
{
    return ((const struct local *)evaluator)->count;
}

static const struct device *local_device(const struct evaluator *evaluator, int slot)
{
    return &((const struct local *)evaluator)->trainers[slot].device;
}

static void local_submit(struct evaluator *evaluator, int slot, struct trial *trial)
{
    struct trainer *trainer = &((struct local *)evaluator)->trainers[slot];
    atomic_store(&trainer->cancelled, 0);
    trainer->submitted = trial->node;
    trainer->busy = true;
    ASSERT(queue_try_put(trainer->inbox, trial));
}

static void replace_device(struct trainer *trainer)
{
    struct device *device = &trainer->device;
    char lost[sizeof device->id];
    memcpy(lost, device->id, sizeof lost);
    snprintf(device->id, sizeof device->id, "cpu(%.10s)", lost);
    snprintf(device->name, sizeof device->name, "the processor, in place of %s", lost);
    device->cuda = NULL;
    device->lost = false;
    trainer->replaced = true;
}

/* All trainers of a GPU rest.  When no other device is left, the processor takes the places of those that are idle. */
static void lose_device(struct local *local, int gpu)
{
    bool left = false;
    for (int i = 0; i < local->count; i++) {
        struct trainer *trainer = &local->trainers[i];
        if (trainer->device.cuda && trainer->device.gpu == gpu)
            trainer->device.lost = true;
        left |= !trainer->device.lost && !trainer->replaced;
    }
    for (int i = 0; i < local->count && !left; i++)
        if (local->trainers[i].device.lost && !local->trainers[i].busy)
            replace_device(&local->trainers[i]);
}

static bool local_poll(struct evaluator *evaluator, struct report *report, double seconds)
{
    struct local *local = (struct local *)evaluator;
    if (!queue_take(local->reports, report, seconds))
        return false;
    struct trainer *trainer = &local->trainers[report->slot];
    if (report->kind != REPORT_STEP && report->kind != REPORT_EPOCH)
        trainer->busy = false;
    if (report->kind == REPORT_FAILED && report->failure == FAILURE_DEVICE)
        lose_device(local, trainer->device.gpu);
    return true;
}

static void wake(struct local *local)
{
    pthread_mutex_lock(&local->mutex);
    pthread_cond_broadcast(&local->opened);
    pthread_mutex_unlock(&local->mutex);
    device_memory_wake(local->memory);
}

static void local_cancel(struct evaluator *evaluator, int64_t node)
{
    struct local *local = (struct local *)evaluator;
    for (int i = 0; i < local->count; i++)
        if (local->trainers[i].submitted == node) /* another's may have been cancelled a moment ago */
            atomic_store(&local->trainers[i].cancelled, node);
    wake(local);
}

static void local_judge(struct evaluator *evaluator, int64_t node, bool goes_on)
{
    struct local *local = (struct local *)evaluator;
    for (int i = 0; i < local->count; i++)
        if (local->trainers[i].submitted == node)
            atomic_store(&local->trainers[i].verdict, goes_on ? VERDICT_GOES_ON : VERDICT_ENDS);
    wake(local);
}

static void local_pause(struct evaluator *evaluator, bool paused)
{
    struct local *local = (struct local *)evaluator;
    atomic_store(&local->paused, paused);
    wake(local);
}

static void local_free(struct evaluator *evaluator)
{
    struct local *local = (struct local *)evaluator;
    atomic_store(&local->closing, true);
    wake(local);
    queue_close(local->reports);
    for (int i = 0; i < local->count; i++) {
        struct trainer *trainer = &local->trainers[i];
        queue_close(trainer->inbox);
        pthread_join(trainer->thread, NULL);
        queue_free(trainer->inbox);
        device_monitor_free(trainer->monitor);
    }
    helpers_free(local->helpers);
    struct report report;
    while (queue_take(local->reports, &report, 0))
        report_done(&report);
    queue_free(local->reports);
    device_memory_free(local->memory);
    pthread_cond_destroy(&local->opened);
    pthread_mutex_destroy(&local->mutex);
    free(local->trainers);
    free(local);
}

static const struct evaluator_kind kind_local = {
    .slots = local_slots,
    .device = local_device,
    .submit = local_submit,
    .poll = local_poll,
    .cancel = local_cancel,
    .judge = local_judge,
    .pause = local_pause,
    .free = local_free,
};

const struct backend *device_backend(const struct device *device, enum precision precision, struct error *error)
{
    const struct backend *backend = device->cuda ? device->cuda : backend_cpu();
    if (backend->device && backend->device->plan_bytes != sizeof(struct plan)) {
        error_set(error, "%s: %s is of another build than this program; build both together", device->id,
                  cuda_module_path());
        return NULL;
    }
    if (precision == PRECISION_F32 || backend->bf16)
        return precision == PRECISION_F32 ? backend : backend->bf16;
    error_set(error, "%s: this processor (%s) has no AVX512_BF16 instruction; use --precision f32", device->id,
              device->name);
    return NULL;
}

static struct helpers *new_helpers(const struct device *devices, int count)
{
    if (count < 2)
        return NULL;
    int *cores = memory_new((size_t)count, sizeof *cores);
    for (int i = 0; i < count; i++)
        cores[i] = devices[i].core;
    struct helpers *helpers = helpers_new(cores, count, count);
    for (int i = 0; helpers && i < count; i++)
        helpers_lend(helpers, i, devices[i].own_core);
    free(cores);
    return helpers;
}

/* On a device; training and validation images are of one set. */
static double images_bytes(const struct images *images)
{
    double values = (double)images->shape.channels * images->shape.height * images->shape.width;
    return images->count * (values + sizeof *images->labels);
}

struct evaluator *evaluator_local_new(const struct device *devices, int count, enum precision precision,
                                      const struct view *train_view, const struct view *validate)
{
    ASSERT(count > 0);
    struct local *local = memory_new(1, sizeof *local);
    *local = (struct local){
        .evaluator.kind = &kind_local,
        .train = train_view,
        .validate = validate,
        .count = count,
        .trainers = memory_new((size_t)count, sizeof(struct trainer)),
        .reports = queue_new(sizeof(struct report), REPORTS_WAITING_MAX),
    };
    ASSERT(pthread_mutex_init(&local->mutex, NULL) == 0 && pthread_cond_init(&local->opened, NULL) == 0);
    local->helpers = new_helpers(devices, count);
    struct device_monitor *machine = device_monitor_new(&(struct device){.core = -1}, 1);
    local->memory = device_memory_new(devices, count, images_bytes(train_view->images), free_memory(machine));
    device_monitor_free(machine);
    for (int i = 0; i < count; i++) {
        struct trainer *trainer = &local->trainers[i];
        trainer->local = local;
        trainer->slot = i;
        trainer->device = devices[i];
        trainer->gpu = devices[i].gpu;
        struct error error;
        trainer->backend = device_backend(&devices[i], precision, &error);
        ASSERT(trainer->backend);
        trainer->inbox = queue_new(sizeof(struct trial), 1);
        trainer->monitor = device_monitor_new(&(struct device){.core = -1}, 1);
        if (!thread_start(&trainer->thread, trainer_thread, trainer))
            BUG("no thread for a trainer");
    }
    return &local->evaluator;
}
