/*
 * images.c - opens one part of a data set and computes its checksum.
 *
 * The format's reader fills shape, pixels, labels and classes, and refuses what is wrong.  The asserts here find bugs
 * of readers.
 */
#include "data/images.h"

#include <stdlib.h>
#include <string.h>

#include "data/formats.h"
#include "util/bug.h"
#include "util/memory.h"

static struct hash content_hash(const struct images *images)
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
                              (uint64_t)images->shape.width};
    return hash_of(whole, sizeof whole);
}

int class_name_check(const char *name, struct error *error)
{
    for (const unsigned char *at = (const unsigned char *)name; *at; at++)
        if (*at < ' ' || *at == 0x7f)
            return error_set(error, "the name of a class has a control character (0x%02x); rename it", *at);
    return 0;
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
    if (format->read(spec, format, part, images, error)) {
        images_done(images);
        return -1;
    }
    ASSERT(images->count > 0 && images->pixels && images->labels);
    ASSERT(images->classes > 0 && images->classes <= IMAGES_CLASSES_MAX);
    ASSERT(images->shape.channels > 0 && images->shape.channels <= IMAGES_CHANNELS_MAX);
    for (int i = 0; i < images->count; i++)
        ASSERT(images->labels[i] < images->classes);
    images->hash = content_hash(images);
    return 0;
}

void images_done(struct images *images)
{
    free(images->pixels);
    free(images->labels);
    for (int i = 0; images->class_names && i < images->classes; i++)
        free(images->class_names[i]);
    free(images->class_names);
    memset(images, 0, sizeof *images);
}
