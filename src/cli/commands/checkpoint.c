/*
 * checkpoint.c - a checkpoint is a safetensors file of two flat tensors, `weights` and `velocity`, with two notes:
 * `epochs`, how many are done, and `settings`.  A training that averages its weights has a third tensor, `average`, and
 * a note `average-steps`.
 *
 * The state is copied at the end of every epoch, so that a stop loses only the part of the running epoch.
 */
#include "cli/commands/checkpoint.h"

#include <inttypes.h>
#include <limits.h>
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
    text_add(&path, "%s.checkpoint", out);
    *checkpoint = (struct checkpoint){
        .path = text_take(&path),
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

void checkpoint_copy(struct checkpoint *checkpoint, const struct weights *weights, const struct epoch_report *report)
{
    checkpoint->epochs = report->epoch;
    memcpy(checkpoint->values, weights->values, (size_t)checkpoint->total * sizeof(float));
    memcpy(checkpoint->velocity, report->velocity, (size_t)checkpoint->trained * sizeof(float));
    struct average *average = &checkpoint->average;
    if (!average->count)
        return;
    average->steps = report->average->steps;
    memcpy(average->values, report->average->values, (size_t)average->count * sizeof(float));
}

/* Their number. */
static int tensors_of(const struct checkpoint *checkpoint, struct named_tensor tensors[TENSORS_MAX])
{
    tensors[0] = (struct named_tensor){"weights", 1, {checkpoint->total}, checkpoint->values};
    tensors[1] = (struct named_tensor){"velocity", 1, {checkpoint->trained}, checkpoint->velocity};
    tensors[2] = (struct named_tensor){"average", 1, {checkpoint->total}, checkpoint->average.values};
    return checkpoint->average.count ? 3 : 2;
}

int checkpoint_write(const struct checkpoint *checkpoint, struct error *error)
{
    if (!checkpoint->epochs)
        return 0;
    char epochs[16], steps[24];
    void *bytes;
    size_t length;
    struct named_tensor tensors[TENSORS_MAX];
    snprintf(epochs, sizeof epochs, "%d", checkpoint->epochs);
    snprintf(steps, sizeof steps, "%" PRId64, checkpoint->average.steps);
    const struct safetensors_note notes[] = {{"epochs", epochs},
                                             {"settings", checkpoint->settings},
                                             {checkpoint->average.count ? "average-steps" : NULL, steps},
                                             {0}};
    safetensors_encode_list(tensors, tensors_of(checkpoint, tensors), notes, &bytes, &length);
    int failed = file_write(checkpoint->path, bytes, length, error);
    free(bytes);
    return failed;
}

static int read_count(const void *bytes, size_t length, const char *note, int64_t most, int64_t *count)
{
    char *text = safetensors_note(bytes, length, note);
    int failed = !text || text_to_integer(text, 1, most, count);
    free(text);
    return failed ? -1 : 0;
}

static int decode(struct checkpoint *checkpoint, const void *bytes, size_t length, struct error *error)
{
    struct named_tensor tensors[TENSORS_MAX];
    int64_t count, steps;
    int failed = 0, tensor_count = tensors_of(checkpoint, tensors);
    char *settings = safetensors_note(bytes, length, "settings");
    if (!settings || read_count(bytes, length, "epochs", INT_MAX, &count))
        failed = error_set(error, "is no checkpoint of a training; leave --resume out to start over");
    else if (strcmp(settings, checkpoint->settings))
        failed = error_set(error,
                           "is of a training with other settings (%s, not %s); give the same ones, or leave "
                           "--resume out to start over",
                           settings, checkpoint->settings);
    else if (checkpoint->average.count && read_count(bytes, length, "average-steps", INT64_MAX, &steps))
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
    int failed = decode(checkpoint, bytes, length, error);
    free(bytes);
    return failed ? error_prefix(error, "%s", checkpoint->path) : 0;
}

void checkpoint_remove(const struct checkpoint *checkpoint)
{
    unlink(checkpoint->path);
}
