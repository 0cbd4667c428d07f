/*
 * targets.c - draw whether to mix, mix, then ask the teacher; without one the labels' targets are mixed as the images.
 */
#include "nn/targets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/mixup.h"
#include "util/bug.h"
#include "util/memory.h"

struct targets {
    const struct training *training;
    int classes;
    struct mixup mixup;      /* of no images where none are mixed */
    struct weights *weights; /* the teacher's; NULL: there is none */
    struct network *teacher;
    float *values; /* batch × classes */
};

static enum training_outcome open_teacher(struct targets *targets, const struct backend *backend, struct error *error)
{
    const struct training *training = targets->training;
    struct plan *plan = memory_new(1, sizeof *plan);
    enum device_trouble trouble = DEVICE_FINE;
    targets->weights = weights_copy(training->teacher);
    plan_lower(&targets->weights->arch, targets->weights->input, &(struct plan_options){0}, plan);
    ASSERT(plan->classes == targets->classes);
    targets->teacher =
        network_open(backend, plan, training->batch, NETWORK_INFERENCE, targets->weights, &trouble, error);
    free(plan);
    return training_outcome_of(trouble);
}

enum training_outcome targets_open(const struct backend *backend, const struct training *training,
                                   const struct view *view, struct targets **targets, struct error *error)
{
    *targets = NULL;
    if (training->mixup <= 0 && !training->teacher)
        return TRAINING_DONE;
    if (backend->device) {
        error_set(error, "a GPU can't train with mixup or a teacher yet; use the CPU (--devices cpu), or --mixup 0 and "
                         "--teacher 0");
        return TRAINING_REFUSED;
    }
    struct targets *made = memory_new(1, sizeof *made);
    *made = (struct targets){.training = training, .classes = view->images->classes};
    made->values = memory_new((size_t)training->batch * (size_t)made->classes, sizeof *made->values);
    if (training->mixup > 0)
        mixup_init(&made->mixup, view, training->batch);
    enum training_outcome outcome = training->teacher ? open_teacher(made, backend, error) : TRAINING_DONE;
    if (outcome == TRAINING_DONE)
        *targets = made;
    else
        targets_free(made);
    return outcome;
}

void targets_free(struct targets *targets)
{
    if (!targets)
        return;
    mixup_done(&targets->mixup);
    network_free(targets->teacher);
    weights_free(targets->weights);
    free(targets->values);
    free(targets);
}

/* In place: logits become probabilities. */
static void softmax(float *values, int classes)
{
    float top = values[0], sum = 0;
    for (int k = 1; k < classes; k++)
        top = values[k] > top ? values[k] : top;
    for (int k = 0; k < classes; k++)
        sum += values[k] = expf(values[k] - top);
    for (int k = 0; k < classes; k++)
        values[k] /= sum;
}

static void ask_teacher(struct targets *targets, const struct batch *batch)
{
    network_infer(targets->teacher, batch, targets->values);
    for (int n = 0; n < batch->count; n++)
        softmax(targets->values + (size_t)n * targets->classes, targets->classes);
}

/* Of images that are mixed each with the next. */
static void mix_labels(struct targets *targets, const struct batch *batch)
{
    const uint16_t *labels = targets->mixup.images.labels;
    memset(targets->values, 0, (size_t)batch->count * targets->classes * sizeof *targets->values);
    for (int n = 0; n < batch->count; n++) {
        float *row = targets->values + (size_t)n * targets->classes, share = targets->mixup.share[n];
        row[labels[n]] += share;
        row[labels[(n + 1) % batch->count]] += 1 - share;
    }
}

void targets_set(struct targets *targets, struct batch *batch, uint32_t step)
{
    const struct training *training = targets->training;
    struct random_stream stream = random_stream_new(training->seed, RANDOM_MIXUP, training->node, step);
    bool mixes = random_uniform(&stream) < training->mixup;
    if (mixes)
        mixup_apply(&targets->mixup, batch, &stream);
    if (targets->teacher)
        ask_teacher(targets, batch);
    else if (mixes)
        mix_labels(targets, batch);
    batch->targets = targets->teacher || mixes ? targets->values : NULL;
}
