/*
 * evaluator_local.c - trials on this machine: one pinned trainer thread a device (local_trainer.c).
 *
 * Engine and trainers share two kinds of queue (a trial in, reports out) and four flags: `cancelled` (the node whose
 * trial must end), `closing`, `answer` (to a trial that may stop after each epoch), and `paused`.
 *
 *   1. A trial that is submitted gets exactly one last report: result, failure or cancellation.  Reports are dropped
 *      only when the evaluator is freed.
 *   2. Reports of epochs and the last one wait while the queue is full; reports of steps are dropped then.
 *   3. What a trial computes depends on the trial and the views alone: not on the slot, a pause, the clock or the
 *      helpers.
 *
 * While a trainer has nothing to do, a helper on its core works for those that have (util/team.h): during the start
 * network, which all wait for, and during the last networks of an episode.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda.h"
#include "search/local.h"
#include "util/bug.h"
#include "util/memory.h"

enum { REPORTS_WAITING_MAX = 256 };

static int local_slots(const struct evaluator *evaluator)
{
    return ((const struct local_evaluator *)evaluator)->count;
}

static const struct device *local_device(const struct evaluator *evaluator, int slot)
{
    return &((const struct local_evaluator *)evaluator)->trainers[slot].device;
}

static void local_submit(struct evaluator *evaluator, int slot, struct trial *trial)
{
    struct trainer *trainer = &((struct local_evaluator *)evaluator)->trainers[slot];
    atomic_store(&trainer->cancelled, 0);
    trainer->submitted = trial->node;
    trainer->busy = true;
    if (!queue_try_put(trainer->inbox, trial))
        BUG("a trial for a slot that is not free");
}

static void replace_device(struct trainer *trainer)
{
    struct device *device = &trainer->device;
    char lost[sizeof device->id];
    memcpy(lost, device->id, sizeof lost);
    snprintf(device->id, sizeof device->id, "cpu(%.16s)", lost);
    snprintf(device->name, sizeof device->name, "the processor, in place of %s", lost);
    device->cuda = NULL;
    device->is_gpu = false;
    device->lost = false;
    trainer->replaced = true;
}

/* Mark all trainers of a GPU as lost.  When no other device is left, the processor replaces those that are idle. */
static void mark_lost(struct local_evaluator *local, int gpu)
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
    struct local_evaluator *local = (struct local_evaluator *)evaluator;
    if (!queue_take(local->reports, report, seconds))
        return false;
    struct trainer *trainer = &local->trainers[report->slot];
    if (report->kind != REPORT_STEP && report->kind != REPORT_EPOCH && report->kind != REPORT_CHECKPOINT)
        trainer->busy = false;
    if (report->kind == REPORT_FAILED && report->failure == FAILURE_DEVICE)
        mark_lost(local, trainer->device.gpu);
    return true;
}

static void wake(struct local_evaluator *local)
{
    pthread_mutex_lock(&local->mutex);
    pthread_cond_broadcast(&local->resumed);
    pthread_mutex_unlock(&local->mutex);
    device_memory_wake(local->memory);
}

static void local_cancel(struct evaluator *evaluator, int64_t node)
{
    struct local_evaluator *local = (struct local_evaluator *)evaluator;
    for (int i = 0; i < local->count; i++)
        if (local->trainers[i].submitted == node) /* the flag of another trial stays */
            atomic_store(&local->trainers[i].cancelled, node);
    wake(local);
}

static void local_proceed(struct evaluator *evaluator, int64_t node, bool goes_on)
{
    struct local_evaluator *local = (struct local_evaluator *)evaluator;
    for (int i = 0; i < local->count; i++)
        if (local->trainers[i].submitted == node)
            atomic_store(&local->trainers[i].answer, goes_on ? EPOCH_GOES_ON : EPOCH_ENDS);
    wake(local);
}

static void local_pause(struct evaluator *evaluator, bool paused)
{
    struct local_evaluator *local = (struct local_evaluator *)evaluator;
    atomic_store(&local->paused, paused);
    wake(local);
}

static void local_free(struct evaluator *evaluator)
{
    struct local_evaluator *local = (struct local_evaluator *)evaluator;
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
    pthread_cond_destroy(&local->resumed);
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
    .proceed = local_proceed,
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
                                      const struct view *train_view, const struct view *validate,
                                      const struct view *test)
{
    ASSERT(count > 0);
    struct local_evaluator *local = memory_new(1, sizeof *local);
    *local = (struct local_evaluator){
        .evaluator.kind = &kind_local,
        .train = train_view,
        .validate = validate,
        .test = test,
        .count = count,
        .trainers = memory_new((size_t)count, sizeof(struct trainer)),
        .reports = queue_new(sizeof(struct report), REPORTS_WAITING_MAX),
        .checkpoint_seconds = CHECKPOINT_SECONDS,
    };
    if (pthread_mutex_init(&local->mutex, NULL) || pthread_cond_init(&local->resumed, NULL))
        BUG("no mutex for the evaluator");
    local->helpers = new_helpers(devices, count);
    struct device_monitor *machine = device_monitor_new(&(struct device){.core = -1}, 1);
    double images = images_bytes(train_view->images) + (test ? images_bytes(test->images) : 0);
    local->memory = device_memory_new(devices, count, images, local_free_memory(machine));
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
        if (!thread_start(&trainer->thread, local_trainer, trainer)) {
            queue_free(trainer->inbox);
            device_monitor_free(trainer->monitor);
            local->count = i;
            local->evaluator.kind->free(&local->evaluator);
            return NULL;
        }
    }
    return &local->evaluator;
}

void evaluator_local_checkpoints(struct evaluator *evaluator, double seconds)
{
    ((struct local_evaluator *)evaluator)->checkpoint_seconds = seconds;
}
