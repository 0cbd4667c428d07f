/*
 * trainer.c - epochs over a view: order, augmentation, schedule, evaluation, hooks.
 *
 * All state of one training lies in `struct trainer`, made and freed inside train().  What is random comes from
 * streams named by (seed, node, epoch or step), so that the same call gives the same weights to the bit.  Clocks
 * run only while the network works: a pause inside the hook `proceed` costs nothing in the reports.
 */
#include "nn/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/targets.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

const struct training training_paper = {
    .epochs = 20,
    .batch = 64,
    .rate = 0.02f,
    .momentum = 0.9f,
    .weight_decay = 1e-4f,
    .bn_decay = 0.9f,
};

struct trainer {
    const struct training *training;
    const struct view *view, *validate;
    const struct trainer_hooks *hooks;
    struct weights *weights;
    struct network *network;
    struct network *evaluator; /* the same on the host; on a device one of larger batches, whose weights are a copy */
    int32_t *index;            /* the epoch's order */
    struct augment *augment;   /* one for each place in it; NULL: none */
    struct average average;  /* of no values where there is none; on a device its values are of the last epoch's end */
    struct targets *targets; /* NULL: the labels */
    int epoch, steps;        /* from 1; steps of an epoch */
    int announced;           /* on a device: it knows the steps of this epoch that come before this one */
    double rate;             /* of the last step */
    double seconds;          /* of this epoch's training so far */
    struct step_result sum;  /* of this epoch so far, as far as it is known */
    bool on_host;            /* the weights are up to date after every step */
};

static bool proceed(const struct trainer *trainer)
{
    return !trainer->hooks->proceed || trainer->hooks->proceed(trainer->hooks->context);
}

static void draw_order(struct trainer *trainer)
{
    const struct training *training = trainer->training;
    struct random_stream stream =
        random_stream_new(training->seed, RANDOM_ORDER, training->node, (uint32_t)trainer->epoch);
    memcpy(trainer->index, trainer->view->index, (size_t)trainer->view->count * sizeof *trainer->index);
    random_shuffle(&stream, trainer->index, trainer->view->count);
}

static void draw_augmentation(struct trainer *trainer)
{
    const struct training *training = trainer->training;
    if (!trainer->augment)
        return;
    struct random_stream stream =
        random_stream_new(training->seed, RANDOM_AUGMENT, training->node, (uint32_t)trainer->epoch);
    for (int i = 0; i < trainer->view->count; i++) {
        int dx = (int)random_below(&stream, 2 * AUGMENT_PAD + 1) - AUGMENT_PAD;
        int dy = (int)random_below(&stream, 2 * AUGMENT_PAD + 1) - AUGMENT_PAD;
        bool flip = random_below(&stream, 2) && trainer->view->images->mirrors;
        trainer->augment[i] = (struct augment){(int8_t)dx, (int8_t)dy, flip};
    }
}

static uint64_t draw_dropout_key(const struct training *training, uint32_t step)
{
    struct random_stream stream = random_stream_new(training->seed, RANDOM_DROPOUT, training->node, step);
    uint64_t high = random_word(&stream);
    return high << 32 | random_word(&stream);
}

/* Steady, then half a cosine to 0 (Loshchilov and Hutter, 2017, without restarts). */
static double rate_at(const struct trainer *trainer, int64_t step)
{
    double steps = (double)trainer->steps * trainer->training->epochs;
    double steady = steps * (double)trainer->training->steady, into = (double)step - steady;
    if (into <= 0)
        return trainer->training->rate;
    return trainer->training->rate / 2.0 * (1 + cos(acos(-1) * into / (steps - steady)));
}

static struct batch batch_at(const struct trainer *trainer, int step)
{
    int batch = trainer->training->batch, start = step * batch, rest = trainer->view->count - start;
    return (struct batch){.view = trainer->view,
                          .index = trainer->index + start,
                          .augment = trainer->augment ? trainer->augment + start : NULL,
                          .count = rest < batch ? rest : batch};
}

/* The number of a step of this epoch in the whole training. */
static int64_t number_of(const struct trainer *trainer, int step)
{
    return (int64_t)(trainer->epoch - 1) * trainer->steps + step;
}

static struct sgd sgd_at(const struct trainer *trainer, int step)
{
    return (struct sgd){(float)rate_at(trainer, number_of(trainer, step)), trainer->training->momentum,
                        trainer->training->weight_decay, true};
}

/* Tell the device the steps of this epoch from `first` on. */
static void announce(struct trainer *trainer, int first)
{
    const struct training *training = trainer->training;
    int count = trainer->steps - first;
    struct average ahead = trainer->average; /* counts its steps */
    struct batch *batches = memory_new((size_t)count, sizeof *batches);
    struct sgd *sgds = memory_new((size_t)count, sizeof *sgds);
    struct step *steps = memory_new((size_t)count, sizeof *steps);
    for (int i = 0; i < count; i++) {
        batches[i] = batch_at(trainer, first + i);
        sgds[i] = sgd_at(trainer, first + i);
        steps[i] = (struct step){.kind = STEP_TRAIN,
                                 .batch = &batches[i],
                                 .sgd = &sgds[i],
                                 .bn_decay = training->bn_decay,
                                 .dropout_key = draw_dropout_key(training, (uint32_t)number_of(trainer, first + i)),
                                 .average_share = ahead.count ? average_share(&ahead, training->from_scratch) : 0};
    }
    trainer->announced = first + network_announce(trainer->network, steps, count);
    free(batches);
    free(sgds);
    free(steps);
}

/* What became known by this step: on a device that may be of earlier ones, or nothing. */
static struct step_result train_batch(struct trainer *trainer, int step)
{
    const struct training *training = trainer->training;
    uint32_t number = (uint32_t)number_of(trainer, step);
    struct batch batch = batch_at(trainer, step);
    struct sgd sgd = sgd_at(trainer, step);
    bool averages = trainer->average.count > 0;
    double begin = clock_monotonic();
    if (!trainer->on_host && step == trainer->announced)
        announce(trainer, step);
    float share = averages ? average_share(&trainer->average, training->from_scratch) : 0;
    trainer->rate = rate_at(trainer, number_of(trainer, step));
    if (trainer->targets)
        targets_set(trainer->targets, &batch, number);
    struct step_result result =
        network_train(trainer->network, &batch, &sgd, training->bn_decay, draw_dropout_key(training, number));
    if (step + 1 == trainer->steps) {
        step_result_add(&result, network_finish(trainer->network));
        network_fetch(trainer->network);
        if (averages && !trainer->on_host)
            network_fetch_average(trainer->network, trainer->average.values);
    }
    if (averages && trainer->on_host)
        average_add(&trainer->average, trainer->weights, share);
    trainer->seconds += clock_monotonic() - begin;
    step_result_add(&trainer->sum, result);
    return result;
}

static double images_per_second(const struct trainer *trainer)
{
    return trainer->seconds > 0 ? trainer->sum.count / trainer->seconds : 0;
}

static void report_step(const struct trainer *trainer, int step, double loss)
{
    if (trainer->hooks->step)
        trainer->hooks->step(trainer->hooks->context,
                             &(struct step_report){.epoch = trainer->epoch,
                                                   .step = step + 1,
                                                   .steps = trainer->steps,
                                                   .loss = loss,
                                                   .images_per_second = images_per_second(trainer)});
}

/* NaN can hide from the loss behind a max pool, and be in the running statistics alone: look once an epoch. */
static bool weights_finite(const struct weights *weights)
{
    for (int64_t i = 0; i < weights->layout.total; i++)
        if (!isfinite(weights->values[i]))
            return false;
    return true;
}

enum training_outcome training_outcome_of(enum device_trouble trouble)
{
    static const enum training_outcome outcomes[] = {[DEVICE_FINE] = TRAINING_DONE,
                                                     [DEVICE_NO_MEMORY] = TRAINING_NO_MEMORY,
                                                     [DEVICE_REFUSED] = TRAINING_REFUSED,
                                                     [DEVICE_LOST] = TRAINING_DEVICE_LOST};
    return outcomes[trouble];
}

/* TRAINING_DONE: nothing is known to be wrong. */
static enum training_outcome check_device(const struct trainer *trainer, struct error *error)
{
    enum device_trouble trouble = network_trouble(trainer->network, error);
    return training_outcome_of(trouble == DEVICE_FINE ? network_trouble(trainer->evaluator, error) : trouble);
}

static enum training_outcome check_numbers(const struct trainer *trainer, int step, double loss, struct error *error)
{
    if (isfinite(loss) && (step + 1 < trainer->steps || weights_finite(trainer->weights)))
        return TRAINING_DONE;
    error_set(error,
              "training diverged: loss or weights are not finite at step %d of %d in epoch %d; "
              "a lower learning rate helps",
              step + 1, trainer->steps, trainer->epoch);
    return TRAINING_DIVERGED;
}

/* Offer the state after `step` steps of this epoch. */
static void keep_state(const struct trainer *trainer, int step)
{
    if (!trainer->hooks->keep || (!trainer->on_host && step > 0 && step < trainer->steps))
        return;
    trainer->hooks->keep(trainer->hooks->context, trainer->weights,
                         &(struct training_state){.epochs = trainer->epoch - 1,
                                                  .steps = step,
                                                  .sum = trainer->sum,
                                                  .seconds = trainer->seconds,
                                                  .velocity = network_velocity(trainer->network),
                                                  .average = trainer->average.count ? &trainer->average : NULL});
}

static enum training_outcome train_epoch(struct trainer *trainer, int first_step, struct error *error)
{
    const struct trainer_hooks *hooks = trainer->hooks;
    draw_order(trainer);
    draw_augmentation(trainer);
    trainer->announced = first_step;
    if (first_step) /* of the last step that was done, if none is left */
        trainer->rate = rate_at(trainer, number_of(trainer, first_step - 1));
    for (int step = first_step; step < trainer->steps; step++) {
        bool stops = !proceed(trainer);
        if (stops || (hooks->is_due && hooks->is_due(hooks->context)))
            keep_state(trainer, step);
        if (stops)
            return TRAINING_STOPPED;
        struct step_result result = train_batch(trainer, step);
        enum training_outcome outcome = check_device(trainer, error);
        if (outcome == TRAINING_DONE)
            outcome = check_numbers(trainer, step, result.loss, error);
        if (outcome != TRAINING_DONE)
            return outcome;
        if (result.count)
            report_step(trainer, step, result.loss / result.count);
    }
    return TRAINING_DONE;
}

/* Evaluation asks `proceed` through this, which keeps the time that it took. */
struct patience {
    const struct trainer *trainer;
    double seconds;
};

static bool proceed_with_evaluation(void *context)
{
    struct patience *patience = context;
    double begin = clock_monotonic();
    bool answer = proceed(patience->trainer);
    patience->seconds += clock_monotonic() - begin;
    return answer;
}

/* Exchange the weights with their average, where there is one; a second call undoes it. */
static void swap_average(struct trainer *trainer)
{
    if (trainer->average.count)
        average_swap(&trainer->average, trainer->weights);
}

static enum training_outcome end_epoch(struct trainer *trainer, struct error *error)
{
    struct evaluation validation = {0};
    double evaluation_seconds = 0;
    if (trainer->validate) {
        struct patience patience = {.trainer = trainer};
        double begin = clock_monotonic();
        swap_average(trainer);
        network_store(trainer->evaluator);
        bool whole = network_evaluate_view(trainer->evaluator, trainer->validate, proceed_with_evaluation, &patience,
                                           &validation);
        swap_average(trainer);
        if (!whole) {
            keep_state(trainer, trainer->steps);
            return TRAINING_STOPPED;
        }
        evaluation_seconds = clock_monotonic() - begin - patience.seconds;
        enum training_outcome outcome = check_device(trainer, error);
        if (outcome != TRAINING_DONE)
            return outcome;
    }
    if (trainer->hooks->epoch)
        trainer->hooks->epoch(
            trainer->hooks->context,
            &(struct epoch_report){.epoch = trainer->epoch,
                                   .epochs = trainer->training->epochs,
                                   .rate = trainer->rate,
                                   .train_loss = trainer->sum.loss / trainer->sum.count,
                                   .train_accuracy = (double)trainer->sum.correct / trainer->sum.count,
                                   .validation_loss = validation.loss,
                                   .validation_accuracy = validation.accuracy,
                                   .seconds = trainer->seconds + evaluation_seconds,
                                   .images_per_second = images_per_second(trainer),
                                   .velocity = network_velocity(trainer->network),
                                   .average = trainer->average.count ? &trainer->average : NULL});
    return TRAINING_DONE;
}

/* `weights` are what is left of the training: the average, where there is one. */
static void report_health(const struct trainer *trainer)
{
    struct layer_health health[ARCH_LAYERS_MAX];
    const struct training *training = trainer->training;
    if (!trainer->hooks->health || !trainer->on_host)
        return;
    uint32_t step = (uint32_t)((int64_t)training->epochs * trainer->steps);
    network_health(trainer->network, trainer->weights, trainer->view, training->units_before,
                   draw_dropout_key(training, step), health);
    trainer->hooks->health(trainer->hooks->context, health);
}

static struct plan *lower_for_training(const struct arch *arch, struct shape input, const struct training *training)
{
    struct plan *plan = memory_new(1, sizeof *plan);
    plan_lower(arch, input, &(struct plan_options){training->drop_pool, training->drop_fc, training->drop_dense}, plan);
    return plan;
}

int64_t train_bytes(const struct backend *backend, const struct arch *arch, struct shape input,
                    const struct training *training, int validated)
{
    struct plan *plan = lower_for_training(arch, input, training);
    int64_t bytes = network_bytes(backend, plan, training->batch, NETWORK_TRAINING);
    if (backend->device && validated) {
        plan_lower(arch, input, &(struct plan_options){0}, plan);
        int batch = network_evaluation_batch(backend, plan, training->batch, validated);
        bytes += network_bytes(backend, plan, batch, NETWORK_INFERENCE);
    }
    free(plan);
    return bytes;
}

int64_t train_workspaces(const struct backend *backend)
{
    return backend->device ? 2 * (int64_t)backend->device->workspace_most : 0;
}

static void close_networks(struct network *network, struct network *evaluator)
{
    if (evaluator != network)
        network_free(evaluator);
    network_free(network);
}

enum training_outcome train(const struct backend *backend, struct weights *weights, const struct view *view,
                            const struct view *validate, const struct training *training,
                            const struct trainer_hooks *hooks, struct error *error)
{
    ASSERT(view->count > 0 && training->epochs > 0 && training->batch > 0);
    static const struct trainer_hooks no_hooks;
    struct plan *plan = lower_for_training(&weights->arch, weights->input, training);
    enum device_trouble trouble;
    struct network *network = network_open(backend, plan, training->batch, NETWORK_TRAINING, weights, &trouble, error);
    free(plan);
    struct network *evaluator = network;
    if (network && backend->device && validate)
        evaluator = network_open_to_evaluate(backend, weights, training->batch, validate->count, &trouble, error);
    if (!evaluator) {
        network_free(network);
        return training_outcome_of(trouble);
    }
    struct targets *targets;
    enum training_outcome outcome = targets_open(backend, training, view, &targets, error);
    if (outcome != TRAINING_DONE) {
        close_networks(network, evaluator);
        return outcome;
    }
    if (hooks && hooks->team)
        network_share(network, hooks->team);
    if (training->velocity)
        network_set_velocity(network, training->velocity);

    struct trainer trainer = {
        .training = training,
        .view = view,
        .validate = validate,
        .hooks = hooks ? hooks : &no_hooks,
        .weights = weights,
        .network = network,
        .evaluator = evaluator,
        .targets = targets,
        .index = memory_new((size_t)view->count, sizeof *trainer.index),
        .augment = training->augment ? memory_new((size_t)view->count, sizeof *trainer.augment) : NULL,
        .epoch = training->epochs_done,
        .steps = (view->count - 1) / training->batch + 1,
        .sum = training->sum_so_far,
        .seconds = training->seconds_so_far,
        .on_host = !backend->device,
    };
    if (training->average > 0)
        average_init(&trainer.average, weights, training->average_so_far, (double)training->average);
    if (trainer.average.count && backend->device)
        network_set_average(network, trainer.average.values);
    for (int step = training->steps_done; outcome == TRAINING_DONE && trainer.epoch < training->epochs; step = 0) {
        trainer.epoch++;
        outcome = train_epoch(&trainer, step, error);
        if (outcome == TRAINING_DONE)
            outcome = end_epoch(&trainer, error);
        if (outcome == TRAINING_DONE) {
            trainer.sum = (struct step_result){0};
            trainer.seconds = 0;
        }
    }
    weights_drop_raw(weights);
    bool has_weights = outcome == TRAINING_DONE || outcome == TRAINING_STOPPED;
    if (has_weights && trainer.average.count) {
        average_swap(&trainer.average, weights);
        weights->raw = average_take(&trainer.average);
    }
    if (has_weights && !trainer.sum.count) /* who stops it inside of an epoch does not want to wait */
        report_health(&trainer);
    average_done(&trainer.average);
    targets_free(targets);
    free(trainer.index);
    free(trainer.augment);
    close_networks(network, evaluator);
    return outcome;
}
