/*
 * cifar.c - the binary versions of CIFAR-10 and CIFAR-100.
 *
 * CIFAR-10's training part is data_batch_1.bin … data_batch_N.bin, in that order and without a gap (5 are published).
 * A file may have any number of records.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/formats.h"
#include "util/file.h"
#include "util/memory.h"

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE, BATCHES_MAX = 99, NAMES_BYTES_MAX = 1 << 16 };

int cifar_parse(const void *bytes, size_t length, int label_bytes, struct images *images, struct error *error)
{
    const uint8_t *records = bytes;
    size_t record = (size_t)label_bytes + PIXELS, count = length / record;
    if (!length)
        return error_set(error, "is empty; copy it again");
    if (length % record)
        return error_set(
            error,
            "is cut short, or is another kind of file: records have %zu bytes, but after %zu of them (byte %zu) "
            "there are %zu bytes; copy it again",
            record, count, count * record, length % record);
    if (count > IMAGES_BYTES_MAX / PIXELS - (size_t)images->count)
        return error_set(error, "makes the set larger than %d images; leave some files out", IMAGES_BYTES_MAX / PIXELS);
    for (size_t i = 0; i < count; i++) {
        size_t at = i * record + (size_t)label_bytes - 1;
        if (records[at] >= images->classes)
            return error_set(
                error, "label %d of record %zu (byte %zu) is outside 0…%d; check that the file belongs to this set",
                records[at], i, at, images->classes - 1);
    }
    size_t before = (size_t)images->count, all = before + count;
    images->shape = (struct shape){.channels = 3, .height = SIDE, .width = SIDE};
    images->pixels = memory_resize(images->pixels, all, PIXELS);
    images->labels = memory_resize(images->labels, all, sizeof *images->labels);
    for (size_t i = 0; i < count; i++) {
        images->labels[before + i] = records[i * record + (size_t)label_bytes - 1];
        memcpy(images->pixels + (before + i) * PIXELS, records + i * record + label_bytes, PIXELS);
    }
    images->count = (int)all;
    return 0;
}

static int read_file(const char *path, int label_bytes, struct images *images, struct error *error)
{
    void *bytes = NULL;
    size_t length;
    int result = file_read(path, IMAGES_BYTES_MAX, &bytes, &length, error);
    if (!result && cifar_parse(bytes, length, label_bytes, images, error))
        result = error_prefix(error, "%s", path);
    free(bytes);
    return result;
}

/* The folder that was named, or the one in it that the published archive unpacks to. */
static char *set_folder(const struct data_spec *spec, const char *archive_folder)
{
    char *inner = file_join(spec->folder, archive_folder);
    if (file_exists(inner))
        return inner;
    free(inner);
    return memory_copy_text(spec->folder);
}

static int read_named(const struct data_spec *spec, const char *folder, const char *name, int label_bytes,
                      const struct data_format *format, struct images *images, struct error *error)
{
    char *path = file_join(folder, name);
    int result = file_exists(path) ? read_file(path, label_bytes, images, error)
                                   : data_refuse_missing(spec, format, name, error);
    free(path);
    return result;
}

static bool batch_exists(const char *folder, int batch, char name[32])
{
    snprintf(name, 32, "data_batch_%d.bin", batch);
    char *path = file_join(folder, name);
    bool exists = file_exists(path);
    free(path);
    return exists;
}

static int read_batches(const struct data_spec *spec, const char *folder, const struct data_format *format,
                        struct images *images, struct error *error)
{
    char name[32];
    int last = BATCHES_MAX;
    while (last > 1 && !batch_exists(folder, last, name))
        last--;
    for (int batch = 1; batch <= last; batch++) {
        bool exists = batch_exists(folder, batch, name);
        if (!exists && batch < last)
            return error_set(error,
                             "%s: %s is missing, though data_batch_%d.bin is there; copy it too, or remove the "
                             "later ones",
                             folder, name, last);
        if (read_named(spec, folder, name, 1, format, images, error))
            return -1;
    }
    return 0;
}

int cifar10_read(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                 struct images *images, struct error *error)
{
    char *folder = set_folder(spec, "cifar-10-batches-bin");
    int result = part == DATA_TRAIN ? read_batches(spec, folder, format, images, error)
                                    : read_named(spec, folder, "test_batch.bin", 1, format, images, error);
    free(folder);
    return result;
}

static int take_names(char *text, int classes, struct images *images, struct error *error)
{
    int count = 0;
    char *rest;
    images->class_names = memory_new((size_t)classes, sizeof *images->class_names);
    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        if (class_name_check(line, error))
            return -1;
        if (count++ < classes)
            images->class_names[count - 1] = memory_copy_text(line);
    }
    return count == classes ? 0 : error_set(error, "names %d classes, not %d; copy it again", count, classes);
}

/* The archive has a file with the names of the classes; without it they have none. */
static int read_names(const char *folder, int classes, struct images *images, struct error *error)
{
    char *path = file_join(folder, "fine_label_names.txt");
    void *bytes;
    size_t length;
    int failed = 0;
    if (file_exists(path) && !(failed = file_read(path, NAMES_BYTES_MAX, &bytes, &length, error))) {
        if ((failed = take_names(bytes, classes, images, error)))
            error_prefix(error, "%s", path);
        free(bytes);
    }
    free(path);
    return failed;
}

int cifar100_read(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                  struct images *images, struct error *error)
{
    char *folder = set_folder(spec, "cifar-100-binary");
    int result = read_named(spec, folder, part == DATA_TRAIN ? "train.bin" : "test.bin", 2, format, images, error);
    if (!result)
        result = read_names(folder, format->classes, images, error);
    free(folder);
    return result;
}
