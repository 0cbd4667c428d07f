/*
 * npz.c - a set as arrays in one file, which numpy.savez or numpy.savez_compressed wrote: a ZIP archive (zip.c) with an
 * array (npy.c) for each member.
 *
 *     x_train, x_val, x_test   uint8, (images, height, width) or (images, height, width, channels)
 *     y_train, y_val, y_test   whole numbers from 0, (images,) or (images, 1)
 *
 * The names of MedMNIST (train_images, train_labels and so on; Yang et al., 2023) are known too.  Without x_val the
 * validation images are drawn from the training images; with it they are the last of the training part.  The training
 * labels say how many classes there are; they are read for the test part too.
 *
 *     classes, class_names     texts, (classes,): what label 0, label 1 and so on are called; or no such array, or one
 *                              of something else, which is nobody's business here
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/formats.h"
#include "data/npy.h"
#include "data/zip.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

enum array { ARRAY_TRAIN, ARRAY_VALIDATION, ARRAY_TEST };
enum { PIXELS, LABELS, SPELLINGS = 2, LOW = 4 };
static const char *const names[][2][SPELLINGS] = {
    [ARRAY_TRAIN] = {[PIXELS] = {"x_train", "train_images"}, [LABELS] = {"y_train", "train_labels"}},
    [ARRAY_VALIDATION] = {[PIXELS] = {"x_val", "val_images"}, [LABELS] = {"y_val", "val_labels"}},
    [ARRAY_TEST] = {[PIXELS] = {"x_test", "test_images"}, [LABELS] = {"y_test", "test_labels"}},
};

static const char *const class_names[SPELLINGS] = {"classes", "class_names"};

/* An array of the archive while it is read. */
struct source {
    const char *name;
    struct npy npy;
    void *unpacked;
    bool unzipped; /* its bytes are whole, whatever they mean */
};

static int refuse_missing(const struct zip *zip, const char *name, struct error *error)
{
    struct text text = TEXT_EMPTY;
    zip_names(zip, &text);
    error_set(error, "has no array %s (it has %.200s); save x_train, y_train, x_test and y_test by numpy.savez", name,
              text_string(&text));
    text_done(&text);
    return -1;
}

/* Find the array: 1, 0 when there is none, or -1.  Free source->unpacked in any case. */
static int open_array(const struct zip *zip, const char *const spellings[SPELLINGS], struct source *source,
                      struct error *error)
{
    int found = 0;
    struct zip_member member;
    *source = (struct source){.name = spellings[0]};
    for (int i = 0; i < SPELLINGS && !found; i++) {
        char file[32];
        snprintf(file, sizeof file, "%s.npy", spellings[i]);
        source->name = spellings[i];
        found = zip_find(zip, file, &member, error);
    }
    const uint8_t *content;
    if (found < 1)
        return found;
    source->unzipped = !zip_read(zip, &member, &content, &source->unpacked, error);
    if (source->unzipped && !npy_parse(content, member.length, &source->npy, error))
        return 1;
    error_prefix(error, "%s", source->name);
    return -1;
}

/* --- pixels --- */

static int check_type(const struct source *source, struct error *error)
{
    char type[24];
    const struct npy *npy = &source->npy;
    if (npy->kind == 'u' && npy->bytes == 1)
        return 0;
    npy_type_name(npy, type);
    if (npy->kind == 'f')
        return error_set(error,
                         "%s: is %s; pixels are whole numbers from 0 to 255 (uint8): of values from 0 to 1 save (%s * "
                         "255).round().astype('uint8')",
                         source->name, type, source->name);
    return error_set(error, "%s: is %s; pixels are whole numbers from 0 to 255: save %s.astype('uint8')", source->name,
                     type, source->name);
}

/* Channels come last.  A height of at most LOW rows, and more channels, is an array with channels first. */
static int check_shape(const struct source *source, struct shape *shape, struct error *error)
{
    char text[100];
    const struct npy *npy = &source->npy;
    size_t channels = npy->dimensions == 4 ? npy->sizes[3] : 1;
    npy_shape_name(npy, text);
    if (npy->dimensions < 3)
        return error_set(
            error,
            "%s: has the shape %s; images are (images, height, width) or (images, height, width, channels): "
            "reshape it",
            source->name, text);
    bool many = channels > IMAGES_CHANNELS_MAX && npy->sizes[1] <= IMAGES_CHANNELS_MAX;
    if (npy->dimensions == 4 && npy->sizes[1] < channels && (npy->sizes[1] <= LOW || many))
        return error_set(error, "%s: has the shape %s, with its channels first; save %s.transpose(0, 2, 3, 1)",
                         source->name, text, source->name);
    if (channels > IMAGES_CHANNELS_MAX)
        return error_set(error, "%s: has the shape %s, with %zu channels; at most %d are read", source->name, text,
                         channels, IMAGES_CHANNELS_MAX);
    if (npy->sizes[1] > ARCH_SIDE_MAX || npy->sizes[2] > ARCH_SIDE_MAX)
        return error_set(error, "%s: has the shape %s; at most %d×%d pixels are read: scale them down", source->name,
                         text, ARCH_SIDE_MAX, ARCH_SIDE_MAX);
    *shape = (struct shape){(int)channels, (int)npy->sizes[1], (int)npy->sizes[2]};
    return 0;
}

static void copy_pixels(const struct npy *npy, const struct shape *shape, uint8_t *to)
{
    size_t across = npy->strides[2];
    for (size_t i = 0; i < npy->sizes[0]; i++)
        for (int c = 0; c < shape->channels; c++)
            for (int y = 0; y < shape->height; y++) {
                const uint8_t *from = npy->values + i * npy->strides[0] + (size_t)y * npy->strides[1] +
                                      (size_t)c * (npy->dimensions == 4 ? npy->strides[3] : 0);
                for (int x = 0; x < shape->width; x++, from += across)
                    *to++ = *from;
            }
}

/* Append the images of an array. */
static int add_pixels(const struct source *source, struct images *images, struct error *error)
{
    struct shape shape;
    if (check_type(source, error) || check_shape(source, &shape, error))
        return -1;
    if (images->count && memcmp(&shape, &images->shape, sizeof shape))
        return error_set(error,
                         "%s: its images are of another size or other channels than the training images; save them "
                         "alike",
                         source->name);
    size_t size = (size_t)shape.channels * (size_t)shape.height * (size_t)shape.width, before = (size_t)images->count,
           all = before + source->npy.sizes[0];
    if (all > IMAGES_BYTES_MAX / size)
        return error_set(error, "%s: makes more than %zu images, or 2 GiB of pixels; save fewer, or smaller ones",
                         source->name, IMAGES_BYTES_MAX / size);
    images->shape = shape;
    images->pixels = memory_resize(images->pixels, all, size);
    copy_pixels(&source->npy, &shape, images->pixels + before * size);
    images->count = (int)all;
    return 0;
}

/* --- labels --- */

static int check_labels(const struct source *source, struct error *error)
{
    char text[100];
    const struct npy *npy = &source->npy;
    if ((npy->kind != 'u' && npy->kind != 'i') || npy->bytes > 8 || npy->bytes & (npy->bytes - 1))
        return error_set(error, "%s: is %s; labels are whole numbers from 0: save %s.astype('int64')", source->name,
                         npy_type_name(npy, text), source->name);
    npy_shape_name(npy, text);
    if (npy->dimensions == 2 && npy->sizes[1] > 1)
        return error_set(error, "%s: has the shape %s; labels are one number for each image: save %s.argmax(1)",
                         source->name, text, source->name);
    if (npy->dimensions != 1 && npy->dimensions != 2)
        return error_set(error, "%s: has the shape %s; labels are one number for each image", source->name, text);
    return 0;
}

/* Label i, from 0 to classes - 1; or -1. */
static int label_at(const struct source *source, size_t i, int classes, struct error *error)
{
    int64_t label = npy_integer(&source->npy, i * source->npy.strides[0]);
    if (label >= 0 && label < classes)
        return (int)label;
    return error_set(error, "%s: label %" PRId64 " of image %zu is outside 0…%d; number the classes from 0",
                     source->name, label, i, classes - 1);
}

static int count_classes(const struct source *source, struct images *images, struct error *error)
{
    if (check_labels(source, error))
        return -1;
    for (size_t i = 0; i < source->npy.sizes[0]; i++) {
        int label = label_at(source, i, IMAGES_CLASSES_MAX, error);
        if (label < 0)
            return -1;
        images->classes = label >= images->classes ? label + 1 : images->classes;
    }
    return 0;
}

/* `found` as open_array() gave it.  An array of something else, such as their number, may have the name too. */
static bool is_class_names(const struct source *source, int found)
{
    bool text = source->npy.dimensions == 1 && (source->npy.kind == 'S' || source->npy.kind == 'U');
    return text || (found < 0 && !source->unzipped);
}

/* Names for all labels, and perhaps for classes of which there is no image. */
static int name_classes(const struct source *source, struct images *images, struct error *error)
{
    const struct npy *npy = &source->npy;
    if (npy->sizes[0] > IMAGES_CLASSES_MAX)
        return error_set(error, "%s: has %zu names; a set has at most %d classes", source->name, npy->sizes[0],
                         IMAGES_CLASSES_MAX);
    if ((int)npy->sizes[0] < images->classes)
        return error_set(error, "%s: has %zu names, but the labels are 0…%d; name every class", source->name,
                         npy->sizes[0], images->classes - 1);
    images->classes = (int)npy->sizes[0];
    images->class_names = memory_new((size_t)images->classes, sizeof *images->class_names);
    for (int i = 0; i < images->classes; i++) {
        struct text name = TEXT_EMPTY;
        int failed = npy_text(npy, (size_t)i, &name);
        images->class_names[i] = text_take(&name);
        if (failed)
            return error_set(error, "%s: name %d is empty, isn't UTF-8 or has invisible characters; save another",
                             source->name, i);
        for (int k = 0; k < i; k++)
            if (!strcmp(images->class_names[k], images->class_names[i]))
                return error_set(error, "%s: two classes are called %s; give each a name of its own", source->name,
                                 images->class_names[i]);
    }
    return 0;
}

/* Give the images from number `first` on their labels. */
static int add_labels(const struct source *source, int first, struct images *images, struct error *error)
{
    if (check_labels(source, error))
        return -1;
    size_t count = (size_t)(images->count - first);
    if (source->npy.sizes[0] != count)
        return error_set(error, "%s: has %zu labels for %zu images; save both of one set", source->name,
                         source->npy.sizes[0], count);
    images->labels = memory_resize(images->labels, (size_t)images->count, sizeof *images->labels);
    for (size_t i = 0; i < count; i++) {
        int label = label_at(source, i, images->classes, error);
        if (label < 0)
            return -1;
        images->labels[(size_t)first + i] = (uint16_t)label;
    }
    return 0;
}

/* --- parts --- */

static int read_classes(const struct zip *zip, struct images *images, struct error *error)
{
    struct source source;
    const char *const *spellings = names[ARRAY_TRAIN][LABELS];
    int found = open_array(zip, spellings, &source, error);
    int failed = found < 0    ? -1
                 : found == 0 ? refuse_missing(zip, spellings[0], error)
                              : count_classes(&source, images, error);
    free(source.unpacked);
    for (int i = 0; i < SPELLINGS && !failed && !images->class_names; i++) {
        const char *const spelling[SPELLINGS] = {class_names[i], class_names[i]};
        struct error of_names = {{0}};
        found = open_array(zip, spelling, &source, &of_names);
        if (is_class_names(&source, found))
            failed = found < 0 ? -1 : name_classes(&source, images, &of_names);
        if (failed)
            *error = of_names;
        free(source.unpacked);
    }
    return failed;
}

/* Append two arrays; where they are not `needed`, they may be missing. */
static int add_arrays(const struct zip *zip, enum array array, bool needed, struct images *images, struct error *error)
{
    struct source pixels, labels = {.unpacked = NULL};
    int before = images->count;
    int found = open_array(zip, names[array][PIXELS], &pixels, error), failed = found < 0 ? -1 : 0;
    if (!found && needed)
        failed = refuse_missing(zip, names[array][PIXELS][0], error);
    if (found > 0)
        failed = add_pixels(&pixels, images, error);
    if (found > 0 && !failed) {
        int labelled = open_array(zip, names[array][LABELS], &labels, error);
        failed = labelled < 0    ? -1
                 : labelled == 0 ? refuse_missing(zip, names[array][LABELS][0], error)
                                 : add_labels(&labels, before, images, error);
    }
    free(pixels.unpacked);
    free(labels.unpacked);
    return failed;
}

int npz_parse(const void *bytes, size_t length, enum data_part part, struct images *images, struct error *error)
{
    struct zip zip;
    if (length > 6 && !memcmp(bytes, "\x93NUMPY", 6))
        return error_set(error, "is a single array; save images and labels together by numpy.savez");
    if (zip_open(bytes, length, &zip, error) || read_classes(&zip, images, error) ||
        add_arrays(&zip, part == DATA_TRAIN ? ARRAY_TRAIN : ARRAY_TEST, true, images, error))
        return -1;
    int drawn = images->count;
    if (part == DATA_TRAIN && add_arrays(&zip, ARRAY_VALIDATION, false, images, error))
        return -1;
    images->validation = images->count - drawn;
    return 0;
}

int npz_read(const struct data_spec *spec, const struct data_format *format, enum data_part part, struct images *images,
             struct error *error)
{
    void *bytes;
    size_t length;
    int descriptor = file_open(spec->folder, &length, error);
    if (descriptor < 0)
        return -1;
    close(descriptor);
    if (length > IMAGES_BYTES_MAX)
        return error_set(error, "%s: is larger than 2 GiB; save it by numpy.savez_compressed, or save fewer images",
                         spec->folder);
    if (file_read(spec->folder, IMAGES_BYTES_MAX, &bytes, &length, error))
        return -1;
    int failed = npz_parse(bytes, length, part, images, error);
    free(bytes);
    return failed ? error_prefix(error, "%s", spec->folder) : 0;
}
