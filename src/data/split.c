/*
 * split.c - divides a set's training images into those that train and those that validate.
 *
 * All images are put into an order; the first `validation` of it validate, and those that follow train.  So the
 * validation images depend on the seed and on their number only, and a smaller training subset is part of a larger one.
 *
 * The order is a shuffle by the stream.  Where the set is stratified, the image that comes at place r among the n of
 * its class moves to r / n of the whole: then each beginning of the order has every class in its share, rounded up.  A
 * class of one image comes last, so that it trains.
 */
#include <stdlib.h>
#include <string.h>

#include "data/formats.h"
#include "util/memory.h"
#include "util/random.h"

enum { VALIDATION_MAX = 5000, VALIDATION_SHARE = 6 };

static void take(struct view *view, const struct images *images, const int32_t *index, int count)
{
    *view = (struct view){.images = images, .count = count, .index = memory_new((size_t)count, sizeof *index)};
    if (count)
        memcpy(view->index, index, (size_t)count * sizeof *index);
}

/* The place of an image among those of its class. */
struct place {
    int32_t image;
    int64_t rank, of, shuffled;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *one = a, *other = b;
    int64_t left = one->rank * other->of, right = other->rank * one->of;
    if (left == right) {
        left = one->shuffled;
        right = other->shuffled;
    }
    return (left > right) - (left < right);
}

static void stratify(const struct images *images, int32_t *index, int count)
{
    int64_t seen[IMAGES_CLASSES_MAX] = {0}, size[IMAGES_CLASSES_MAX] = {0};
    struct place *places = memory_new((size_t)count, sizeof *places);
    for (int i = 0; i < count; i++)
        size[images->labels[index[i]]]++;
    for (int i = 0; i < count; i++) {
        int class = images->labels[index[i]];
        places[i] = (struct place){index[i], size[class] > 1 ? seen[class]++ : 1, size[class], i};
    }
    qsort(places, (size_t)count, sizeof *places, compare_places);
    for (int i = 0; i < count; i++)
        index[i] = places[i].image;
    free(places);
}

static int check(const struct images *images, int validation, int subset, struct error *error)
{
    int own = images->validation, rest = images->count - (own ? own : validation);
    if (validation < 0 || subset < 0)
        return error_set(error, "a number of images is negative: %d to validate, %d to train; use 0 or more",
                         validation, subset);
    if (own && validation && validation != own)
        return error_set(error, "--validation %d: the set has %d validation images of its own; leave it out",
                         validation, own);
    if (rest <= 0)
        return error_set(error, "%d validation images leave none of the %d to train on; use a smaller --validation",
                         validation, images->count);
    if (subset > rest)
        return error_set(error,
                         "a training subset of %d images is more than the %d that %d validation images leave of %d; "
                         "use a smaller --train-subset",
                         subset, rest, images->count - rest, images->count);
    return 0;
}

int data_split(const struct images *images, int validation, int subset, uint64_t seed, struct view *train,
               struct view *validate, struct error *error)
{
    int drawn = images->count - images->validation; /* the set's own validation images follow them */
    if (check(images, validation, subset, error))
        return -1;
    int32_t *index = memory_new((size_t)images->count, sizeof *index);
    for (int i = 0; i < images->count; i++)
        index[i] = i;
    struct random_stream stream = random_stream_new(seed, RANDOM_SPLIT, 0, 0);
    random_shuffle(&stream, index, drawn);
    if (images->stratified)
        stratify(images, index, drawn);
    if (images->validation)
        validation = 0;
    take(validate, images, index + (images->validation ? drawn : 0),
         images->validation ? images->validation : validation);
    take(train, images, index + validation, subset ? subset : drawn - validation);
    free(index);
    view_measure(train);
    view_normalise(validate, &train->pixels);
    return 0;
}

int data_validation(const struct images *images)
{
    int share = images->count / VALIDATION_SHARE;
    if (images->validation)
        return images->validation;
    if (images->stratified && share < images->classes)
        share = images->classes < images->count / 2 ? images->classes : images->count / 2;
    return share > VALIDATION_MAX ? VALIDATION_MAX : share > 0 ? share : 1;
}
