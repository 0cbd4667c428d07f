/*
 * images.c - opens one part of a data set and computes its checksum; views of it.
 *
 * The format's reader fills shape, pixels, labels and classes, and refuses what is wrong.  The asserts here find bugs
 * of readers.
 */
#include "data/images.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/formats.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/print.h"

struct hash images_hash(const struct images *images)
{
    size_t pixels = (size_t)images->count * images->shape.channels * images->shape.height * images->shape.width;
    struct hash of_pixels = hash_of(images->pixels, pixels);
    struct hash of_labels = hash_of(images->labels, (size_t)images->count * sizeof *images->labels);
    const uint64_t whole[] = {of_pixels.high,
                              of_pixels.low,
                              of_labels.high,
                              of_labels.low,
                              (uint64_t)images->count,
                              (uint64_t)images->classes,
                              (uint64_t)images->shape.channels,
                              (uint64_t)images->shape.height,
                              (uint64_t)images->shape.width,
                              (uint64_t)images->validation};
    return hash_of(whole, sizeof whole - (images->validation ? 0 : sizeof *whole)); /* as before there were such sets */
}

int class_name_check(const char *name, struct error *error)
{
    size_t at = print_plain_length(name);
    return name[at] ? error_set(error, "the name of a class has a control character or is no UTF-8 (0x%02x); rename it",
                                (unsigned char)name[at])
                    : 0;
}

const char *images_class_name(const struct images *images, int class)
{
    ASSERT(class >= 0 && class < images->classes);
    return images->class_names ? images->class_names[class] : NULL;
}

int images_open(const struct data_spec *spec, enum data_part part, struct images *images, struct error *error)
{
    memset(images, 0, sizeof *images);
    const struct data_format *format = data_format_find(spec->name);
    ASSERT(format);
    images->classes = format->classes;
    images->unit_range = format->unit_range;
    images->mirrors = format->mirrors;
    if (format->class_names)
        images->class_names = memory_new((size_t)format->classes, sizeof *images->class_names);
    for (int i = 0; format->class_names && i < format->classes; i++)
        images->class_names[i] = memory_copy_text(format->class_names[i]);
    if (part == DATA_ALL && format->read != folder_read)
        part = DATA_TEST;
    if (format->read(spec, format, part, images, error)) {
        images_done(images);
        return -1;
    }
    ASSERT(images->count > 0 && images->pixels && images->labels);
    ASSERT(images->classes > 0 && images->classes <= IMAGES_CLASSES_MAX);
    ASSERT(images->shape.channels > 0 && images->shape.channels <= IMAGES_CHANNELS_MAX);
    for (int i = 0; i < images->count; i++)
        ASSERT(images->labels[i] < images->classes);
    images->layout = images->shape.channels == 1                                                           ? "NCHW grey"
                     : images->shape.channels == 3 && format->read != idx_read && format->read != npz_read ? "NCHW RGB"
                                                                                                           : "NCHW";
    images->hash = images_hash(images);
    return 0;
}

void images_done(struct images *images)
{
    free(images->pixels);
    free(images->labels);
    for (int i = 0; images->class_names && i < images->classes; i++)
        free(images->class_names[i]);
    free(images->class_names);
    free(images->summary);
    free(images->warnings);
    memset(images, 0, sizeof *images);
}

void view_normalise(struct view *view, const struct normalisation *pixels)
{
    view->pixels = *pixels;
    for (int channel = 0; channel < view->images->shape.channels; channel++) {
        double scale = 1 / pixels->deviation[channel];
        view->scale[channel] = (float)scale;
        view->shift[channel] = (float)(0 - pixels->mean[channel] * scale);
    }
}

/* Mean and deviation of a channel over the view's own images.  Sums of pixels and of their squares are integers, so
   they are exact in any order. */
static void measure(const struct view *view, int channel, double *mean, double *deviation)
{
    const struct shape *shape = &view->images->shape;
    size_t plane = (size_t)shape->height * shape->width;
    uint64_t sum = 0, squares = 0;
    for (int i = 0; i < view->count; i++) {
        const uint8_t *pixels = view->images->pixels + ((size_t)view->index[i] * shape->channels + channel) * plane;
        uint32_t image_sum = 0; /* fits: a plane has at most 1024 × 1024 pixels */
        uint64_t image_squares = 0;
        for (size_t p = 0; p < plane; p++) {
            image_sum += pixels[p];
            image_squares += (uint32_t)pixels[p] * pixels[p];
        }
        sum += image_sum;
        squares += image_squares;
    }
    double values = (double)view->count * (double)plane;
    *mean = (double)sum / values;
    double variance = (double)squares / values - *mean * *mean;
    /* Pixels are whole numbers: with a smaller variance the channel is constant. */
    *deviation = variance > 1e-6 ? sqrt(variance) : 1;
}

/* To 0…1 where the set says so, else by channel mean and std. */
void view_measure(struct view *view)
{
    struct normalisation pixels = {.mean = {0}};
    for (int channel = 0; channel < view->images->shape.channels; channel++) {
        pixels.deviation[channel] = 255;
        if (!view->images->unit_range)
            measure(view, channel, &pixels.mean[channel], &pixels.deviation[channel]);
    }
    view_normalise(view, &pixels);
}

static int32_t *all_numbers(int count)
{
    int32_t *index = memory_new((size_t)count, sizeof *index);
    for (int i = 0; i < count; i++)
        index[i] = i;
    return index;
}

void view_all(const struct images *images, const struct view *like, struct view *view)
{
    *view = (struct view){.images = images, .count = images->count, .index = all_numbers(images->count)};
    if (like)
        view_normalise(view, &like->pixels);
    else
        view_measure(view);
}

void view_done(struct view *view)
{
    free(view->index);
    memset(view, 0, sizeof *view);
}
