/*
 * checkpoint.c - a checkpoint is a safetensors file of two flat tensors, `weights` and `velocity`, with two notes:
 * `epochs`, how many are done, and `settings`.  A training that averages its weights has a third tensor, `average`, and
 * a note `average-steps`.  One inside an epoch has a note `steps`: how many of its steps are done, on how many images,
 * how many of them were right, the sum of their losses to the bit, and the seconds.
 */
#include "search/checkpoint.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/safetensors.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

enum { TENSORS_MAX = 3 };

void checkpoint_init(struct checkpoint *checkpoint, const char *out, const struct weights *weights, double decay,
                     const char *settings)
{
    struct text path = TEXT_EMPTY;
    if (out)
        text_add(&path, "%s.checkpoint", out);
    *checkpoint = (struct checkpoint){
        .path = out ? text_take(&path) : NULL,
        .settings = memory_copy_text(settings),
        .total = weights->layout.total,
        .trained = weights->layout.trained,
        .values = memory_new((size_t)weights->layout.total, sizeof(float)),
        .velocity = memory_new((size_t)weights->layout.trained, sizeof(float)),
    };
    if (decay > 0)
        average_init(&checkpoint->average, weights, NULL, decay);
}

void checkpoint_done(struct checkpoint *checkpoint)
{
    free(checkpoint->path);
    free(checkpoint->settings);
    free(checkpoint->values);
    free(checkpoint->velocity);
    average_done(&checkpoint->average);
    *checkpoint = (struct checkpoint){0};
}

void checkpoint_free(struct checkpoint *checkpoint)
{
    if (checkpoint)
        checkpoint_done(checkpoint);
    free(checkpoint);
}

void checkpoint_copy(struct checkpoint *checkpoint, const struct weights *weights, const struct training_state *state)
{
    checkpoint->epochs = state->epochs;
    checkpoint->steps = state->steps;
    checkpoint->sum = state->sum;
    checkpoint->seconds = state->seconds;
    memcpy(checkpoint->values, weights->values, (size_t)checkpoint->total * sizeof(float));
    memcpy(checkpoint->velocity, state->velocity, (size_t)checkpoint->trained * sizeof(float));
    struct average *average = &checkpoint->average;
    if (!average->count)
        return;
    average->steps = state->average->steps;
    memcpy(average->values, state->average->values, (size_t)average->count * sizeof(float));
}

/* Their number. */
static int tensors_of(const struct checkpoint *checkpoint, struct named_tensor tensors[TENSORS_MAX])
{
    tensors[0] = (struct named_tensor){"weights", 1, {checkpoint->total}, checkpoint->values};
    tensors[1] = (struct named_tensor){"velocity", 1, {checkpoint->trained}, checkpoint->velocity};
    tensors[2] = (struct named_tensor){"average", 1, {checkpoint->total}, checkpoint->average.values};
    return checkpoint->average.count ? 3 : 2;
}

void checkpoint_restore(const struct checkpoint *checkpoint, struct weights *weights, struct training *training)
{
    memcpy(weights->values, checkpoint->values, (size_t)checkpoint->total * sizeof(float));
    training->epochs_done = checkpoint->epochs;
    training->steps_done = checkpoint->steps;
    training->sum_so_far = checkpoint->sum;
    training->seconds_so_far = checkpoint->seconds;
    training->velocity = checkpoint->velocity;
    training->average_so_far = checkpoint->average.count ? &checkpoint->average : NULL;
}

void checkpoint_encode(const struct checkpoint *checkpoint, void **bytes, size_t *length)
{
    const struct step_result *sum = &checkpoint->sum;
    char epochs[16], average[24], steps[128];
    struct named_tensor tensors[TENSORS_MAX];
    snprintf(epochs, sizeof epochs, "%d", checkpoint->epochs);
    snprintf(average, sizeof average, "%" PRId64, checkpoint->average.steps);
    snprintf(steps, sizeof steps, "%d %d %d %a %.17g", checkpoint->steps, sum->count, sum->correct, sum->loss,
             checkpoint->seconds);
    const struct safetensors_note notes[] = {{"epochs", epochs},
                                             {"settings", checkpoint->settings},
                                             {"steps", checkpoint->steps ? steps : NULL},
                                             {checkpoint->average.count ? "average-steps" : NULL, average},
                                             {0}};
    safetensors_encode_list(tensors, tensors_of(checkpoint, tensors), notes, bytes, length);
}

int checkpoint_write(const struct checkpoint *checkpoint, struct error *error)
{
    void *bytes;
    size_t length;
    if (!checkpoint->epochs && !checkpoint->steps)
        return 0;
    checkpoint_encode(checkpoint, &bytes, &length);
    int failed = file_write(checkpoint->path, bytes, length, error);
    free(bytes);
    return failed;
}

/* Of a checkpoint inside an epoch; without the note it is at the end of one. */
static int read_steps(struct checkpoint *checkpoint, const void *bytes, size_t length)
{
    char *text = safetensors_note(bytes, length, "steps"), end;
    struct step_result *sum = &checkpoint->sum;
    *sum = (struct step_result){0};
    checkpoint->steps = 0;
    checkpoint->seconds = 0;
    bool fits = !text || (sscanf(text, "%d %d %d %la %la%c", &checkpoint->steps, &sum->count, &sum->correct, &sum->loss,
                                 &checkpoint->seconds, &end) == 5 &&
                          checkpoint->steps > 0 && sum->count > 0 && sum->correct >= 0 && sum->correct <= sum->count &&
                          isfinite(sum->loss) && checkpoint->seconds >= 0 && isfinite(checkpoint->seconds));
    free(text);
    return fits ? 0 : -1;
}

static int read_count(const void *bytes, size_t length, const char *note, int64_t least, int64_t most, int64_t *count)
{
    char *text = safetensors_note(bytes, length, note);
    int failed = !text || text_to_integer(text, least, most, count);
    free(text);
    return failed ? -1 : 0;
}

int checkpoint_decode(struct checkpoint *checkpoint, const void *bytes, size_t length, struct error *error)
{
    struct named_tensor tensors[TENSORS_MAX];
    int64_t count, steps;
    int failed = 0, tensor_count = tensors_of(checkpoint, tensors);
    char *settings = safetensors_note(bytes, length, "settings");
    if (!settings || read_steps(checkpoint, bytes, length) ||
        read_count(bytes, length, "epochs", !checkpoint->steps, INT_MAX, &count))
        failed = error_set(error, "is no checkpoint of a training; leave --resume out to start over");
    else if (strcmp(settings, checkpoint->settings))
        failed = error_set(error,
                           "is of a training with other settings (%s, not %s); give the same ones, or leave "
                           "--resume out to start over",
                           settings, checkpoint->settings);
    else if (checkpoint->average.count && read_count(bytes, length, "average-steps", 1, INT64_MAX, &steps))
        failed = error_set(error, "has no average of the weights; leave --resume out to start over");
    else if (!(failed = safetensors_decode_list(bytes, length, tensors, tensor_count, error))) {
        checkpoint->epochs = (int)count;
        checkpoint->average.steps = checkpoint->average.count ? steps : 0;
    }
    free(settings);
    return failed;
}

int checkpoint_read(struct checkpoint *checkpoint, struct error *error)
{
    void *bytes;
    size_t length;
    if (!file_exists(checkpoint->path))
        return error_set(error, "%s: is missing: no training of this file was stopped; leave --resume out",
                         checkpoint->path);
    if (file_read(checkpoint->path, TENSORS_MAX * (size_t)SAFETENSORS_FILE_MAX, &bytes, &length, error))
        return -1;
    int failed = checkpoint_decode(checkpoint, bytes, length, error);
    free(bytes);
    return failed ? error_prefix(error, "%s", checkpoint->path) : 0;
}

void checkpoint_remove(const struct checkpoint *checkpoint)
{
    unlink(checkpoint->path);
}
