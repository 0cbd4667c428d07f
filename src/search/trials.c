/*
 * trials.c - the queue of networks to train, and the slots that train them.
 *
 * The queue holds exactly the networks whose status is NODE_QUEUED: a person's first, then by number.  A slot
 * holds exactly one network whose status is NODE_RUNNING, from its STARTED event to its RESULT or FAILED.
 */
#include "search/trials.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "search/budget.h"
#include "search/checkpoints.h"
#include "search/image_split.h"
#include "search/picture_rules.h"
#include "util/bug.h"
#include "util/memory.h"

/* What weights were trained on: which images, of which set. */
static void add_notes(struct notes *notes, const struct search_options *options, const struct search_data *data)
{
    struct image_split split = image_split_of(options, data->hash);
    struct text text = TEXT_EMPTY;
    image_split_print(&split, &text);
    notes_add(notes, IMAGE_SPLIT_NOTE, text_string(&text));
    text_clear(&text);
    picture_rules_print(options, options->data, &text);
    notes_add(notes, PICTURE_RULES_NOTE, text_string(&text));
    text_done(&text);
    if (data->facts)
        notes_add_data(notes, data->facts);
}

void trials_init(struct trials *trials, struct journal *journal, struct evaluator *evaluator,
                 const struct search_options *options, const struct start_network *start,
                 const struct search_data *data)
{
    *trials = (struct trials){.journal = journal, .options = options, .start = start, .input = data->input};
    add_notes(&trials->notes, options, data);
    slots_init(&trials->slots, journal, evaluator);
}

void trials_done(struct trials *trials)
{
    notes_done(&trials->notes);
    slots_done(&trials->slots);
    free(trials->queue);
}

static const struct session_node *node_of(const struct trials *trials, int64_t number)
{
    return session_node(trials->journal->state, number);
}

/* --- the queue --- */

static bool by_user(const struct trials *trials, int64_t node)
{
    return node_of(trials, node)->facts.by.value == AUTHOR_USER;
}

static bool goes_before(const struct trials *trials, int64_t a, int64_t b)
{
    bool first = by_user(trials, a), second = by_user(trials, b);
    return first != second ? first : a < b;
}

void trials_enqueue(struct trials *trials, int64_t node)
{
    trials->queue = memory_grow(trials->queue, trials->queue_count, &trials->queue_capacity, sizeof *trials->queue);
    size_t place = trials->queue_count++;
    for (; place > 0 && goes_before(trials, node, trials->queue[place - 1]); place--)
        trials->queue[place] = trials->queue[place - 1];
    trials->queue[place] = node;
}

void trials_dequeue(struct trials *trials, int64_t node)
{
    size_t place = 0;
    while (place < trials->queue_count && trials->queue[place] != node)
        place++;
    if (place == trials->queue_count)
        return;
    trials->queue_count--;
    memmove(trials->queue + place, trials->queue + place + 1, (trials->queue_count - place) * sizeof *trials->queue);
}

/* --- starting --- */

/* Mixed images are for networks that would learn their images by heart, and need time. */
static const double mixup_auto = 0.5;
enum { MIXUP_EPOCHS = 100 };

static double mixup_of_finish(const struct trials *trials, const struct session_node *node, int64_t epochs,
                              const struct device *device)
{
    if (trials->options->mixup >= 0)
        return trials->options->mixup;
    bool by_heart = node->facts.parameters > trials->journal->state->facts.train_images;
    return epochs >= MIXUP_EPOCHS && by_heart && !device->is_gpu ? mixup_auto : 0;
}

/* Weights to start from, and the way from there to the network. */
static void trial_parent(const struct trials *trials, const struct session_node *node, struct trial *trial)
{
    if (node->facts.by.value == AUTHOR_RETRAIN) {
        trial->from_scratch = true;
        return;
    }
    if (node->facts.parent == 0) {
        trial->from_scratch = !trials->start->weights || trial->node > 1;
        if (trial->from_scratch)
            return;
        trial->parent_arch = trial->arch;
        trial->parent_weights = memory_copy_text(trials->start->weights);
        trial->parent_hash = trials->start->hash;
        return;
    }
    const struct session_node *parent = node_of(trials, node->facts.parent);
    struct error error;
    journal_arch(trials->journal, node->facts.parent, &trial->parent_arch);
    if (recorded_proposal(&trial->parent_arch, &node->facts, &trial->proposal, &error))
        BUG(error.text); /* resume has checked those that it found in the log */
    trial->parent_weights = journal_path(trials->journal, "weights", parent->weights);
    trial->parent_hash = hash_scan(parent->weights_hash);
}

int64_t trials_epochs(const struct session_state *state, const struct search_options *options)
{
    return state->epochs > 0 ? state->epochs : options->epochs;
}

double trials_rate(const struct session_state *state, const struct search_options *options)
{
    return state->rate >= 0 ? state->rate : options->rate;
}

/* The epochs that network `number` is to train.  What was planned once stays: a finish that was cut short trains as
   long as it would have. */
static int64_t planned_epochs(const struct trials *trials, int64_t number)
{
    const struct search_options *options = trials->options;
    const struct session_state *state = trials->journal->state;
    const struct session_node *node = session_node(state, number);
    if (number == 1)
        return options->start_epochs;
    if (!node_is_final(node))
        return trials_epochs(state, options);
    if (node->epochs)
        return node->epochs;
    return node->facts.by.value == AUTHOR_FINISH
               ? budget_finish_epochs(state, options, journal_time(trials->journal), node->facts.parent)
               : budget_baseline_epochs(state, node->facts.flops);
}

static void trial_training(const struct trials *trials, const struct device *device, struct trial *trial)
{
    const struct search_options *options = trials->options;
    bool finish = node_of(trials, trial->node)->facts.by.value == AUTHOR_FINISH;
    trial->morph = (struct morph_options){
        .split = options->split,
        .widen_noise = (float)options->widen_noise,
        .deepen_noise = (float)options->deepen_noise,
    };
    trial->training = options_training(options);
    trial->precision = options->precision;
    trial->training.epochs = (int)planned_epochs(trials, trial->node);
    trial->training.rate =
        (float)(trial->from_scratch ? options->start_rate : trials_rate(trials->journal->state, options));
    trial->training.steady = options->steady && !finish;
    trial->training.average = finish ? 0 : (float)options->average;
    trial->training.from_scratch = trial->from_scratch;
    if (finish)
        trial->training.mixup =
            (float)mixup_of_finish(trials, node_of(trials, trial->node), trial->training.epochs, device);
    trial->training.node = (uint32_t)trial->node;
    trial->test = finish;
}

/* The number of the attempt that starts now.  One that was cancelled is begun again under its own number. */
static int64_t attempt_number(const struct session_node *node)
{
    bool failed = node->failure && node->failure_reason.value != FAILURE_CANCELLED;
    return node->attempts + (failed || !node->attempts);
}

/* The whole trial but for what it goes on from. */
static struct trial make_trial(const struct trials *trials, int slot, int64_t number)
{
    const struct session_node *node = node_of(trials, number);
    const struct evaluator *evaluator = trials->slots.evaluator;
    struct trial trial = {.node = number};
    journal_arch(trials->journal, number, &trial.arch);
    trial_parent(trials, node, &trial);
    trial_training(trials, evaluator->kind->device(evaluator, slot), &trial);
    trial.may_stop = stopping_applies(trials->options, node);
    trial.seconds_most = node_phase(node) == PHASE_GROWTH ? trials->options->network_seconds : 0;
    return trial;
}

/* A network of the queue, which goes on after so many epochs. */
static void submit(struct trials *trials, int slot, struct trial *trial, int epochs_done)
{
    const struct session_node *node = node_of(trials, trial->node);
    struct evaluator *evaluator = trials->slots.evaluator;
    struct event event = {.kind = EVENT_STARTED};
    trials_dequeue(trials, trial->node);
    event.as.started.node = trial->node;
    event.as.started.device = event_text("%s", evaluator->kind->device(evaluator, slot)->id);
    event.as.started.attempt = attempt_number(node);
    event.as.started.epochs = trial->training.epochs;
    event.as.started.epochs_done = epochs_done;
    if (journal_emit(trials->journal, &event)) {
        trial_done(trial);
        return;
    }
    trial->fence = trials->journal->state->last_number;
    slots_take(&trials->slots, slot,
               &(struct trial_slot){
                   .node = trial->node, .fence = trial->fence, .may_stop = trial->may_stop, .adopted = trial->adopted});
    evaluator->kind->submit(evaluator, slot, trial);
}

void trials_start(struct trials *trials, int slot)
{
    struct trial trial = make_trial(trials, slot, trials->queue[0]);
    const struct session_node *node = node_of(trials, trial.node);
    trial.checkpoint = checkpoints_find(trials->journal, &trial, trials->input);
    trial.has_checkpoint = trial.checkpoint;
    int epochs_done = trial.checkpoint ? trial.checkpoint->epochs : 0;
    trial.seconds_before = epochs_done ? node->seconds * epochs_done / node->curve_count : 0;
    submit(trials, slot, &trial, epochs_done);
}

/* Its trainer may wait for the answer to the last epoch, which the process that was killed had or had not given. */
static void answer_again(struct trials *trials, int slot)
{
    struct trial_slot *trial = &trials->slots.items[slot].trial;
    const struct session_node *node = node_of(trials, trial->node);
    struct evaluator *evaluator = trials->slots.evaluator;
    if (!trial->may_stop || !node->curve_count || node->curve_count >= node->epochs)
        return;
    trial->stopped = stopping_check(trials->journal->state, trials->options, trial->node, &trial->stop);
    evaluator->kind->proceed(evaluator, trial->node, !trial->stopped);
}

void trials_adopt(struct trials *trials, int slot, int64_t number)
{
    const struct session_node *node = node_of(trials, number);
    const struct evaluator *evaluator = trials->slots.evaluator;
    if (trials->ending || !node || node->status != NODE_QUEUED || node->failure) /* that attempt has ended */
        return;
    struct trial trial = make_trial(trials, slot, number);
    if (!evaluator->kind->adopts(evaluator, slot, &trial, node->start_event)) {
        trial_done(&trial);
        return;
    }
    trial.adopted = true;
    trial.adopted_epochs = node->curve_count;
    submit(trials, slot, &trial, node->curve_count);
    if (!trials->journal->broken)
        answer_again(trials, slot);
}

static void cancel(struct trials *trials, struct trial_slot *slot, bool again)
{
    if (!slot->cancelled)
        trials->slots.evaluator->kind->cancel(trials->slots.evaluator, slot->node);
    slot->again = again && (!slot->cancelled || slot->again);
    slot->cancelled = true;
}

void trials_cancel(struct trials *trials, int64_t node, bool again)
{
    int slot = slots_find(&trials->slots, node);
    if (slot >= 0)
        cancel(trials, &trials->slots.items[slot].trial, again);
}

void trials_cancel_all(struct trials *trials)
{
    trials->ending = true;
    for (int slot = 0; slot < trials->slots.count; slot++)
        if (trials->slots.items[slot].trial.node)
            cancel(trials, &trials->slots.items[slot].trial, true);
}

/* --- ending without a result --- */

void trials_fail(struct trials *trials, int64_t node, enum failure_reason reason, const char *message, bool again)
{
    again = again && !node_of(trials, node)->pruned;
    struct event event = {.kind = EVENT_FAILED};
    event.as.failed.node = node;
    event.as.failed.attempt = node_of(trials, node)->attempts;
    event.as.failed.reason.value = (int)reason;
    event.as.failed.message = event_text("%s", message ? message : "");
    event.as.failed.again = again;
    if (!again)
        checkpoints_remove(trials->journal, node);
    if (!journal_emit(trials->journal, &event) && again)
        trials_enqueue(trials, node);
}

void trials_fail_orphans(struct trials *trials)
{
    for (int64_t number = 1; number <= trials->journal->state->node_count && !trials->journal->broken; number++) {
        int64_t parent = node_is_pending(node_of(trials, number)) ? node_inherits(node_of(trials, number)) : 0;
        if (!parent || !node_of(trials, parent)->dropped)
            continue;
        char *message = event_text("the weights of n%" PRId64 " are gone", parent);
        trials_dequeue(trials, number);
        trials_fail(trials, number, FAILURE_ERROR, message, false);
        free(message);
    }
}
