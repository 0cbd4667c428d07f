/*
 * idx.c - IDX files (MNIST's format), plain or gzip.
 *
 * Two zero bytes, a type (0x08: unsigned bytes), the number of dimensions, their sizes as big-endian 32-bit
 * numbers, then the values, and nothing after them.  A folder has four files: images and labels of `train` and of
 * `t10k`. The training labels say how many classes an `idx:` set has.  They are read for the test part too, so that a
 * test label that no training image has is an error.
 */
#include <stdlib.h>
#include <string.h>

#include "data/formats.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

enum { IDX_DIMENSIONS_MAX = 4, IDX_UNSIGNED_BYTE = 0x08 };

/* A parsed file; `values` points into it. */
struct idx {
    int dimensions;
    int sizes[IDX_DIMENSIONS_MAX];
    const uint8_t *values;
};

static const char *type_name(int type)
{
    static const char *const names[] = {[0x09] = "signed bytes",
                                        [0x0B] = "16-bit integers",
                                        [0x0C] = "32-bit integers",
                                        [0x0D] = "32-bit floats",
                                        [0x0E] = "64-bit floats"};
    return type < (int)COUNT_OF(names) && names[type] ? names[type] : "of no known type";
}

static int parse_sizes(const uint8_t *bytes, struct idx *idx, size_t *values, struct error *error)
{
    *values = 1;
    for (int i = 0; i < idx->dimensions; i++) {
        const uint8_t *at = bytes + 4 + 4 * (size_t)i;
        uint32_t size = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        if (!size)
            return error_set(error, "is empty: dimension %d is 0 (byte %zu); it needs at least one image", i + 1,
                             4 + 4 * (size_t)i);
        if (size > IMAGES_BYTES_MAX / *values)
            return error_set(error,
                             "its dimensions make more than %d bytes (dimension %d is %u, byte %zu): the header is "
                             "damaged, or the set too large",
                             IMAGES_BYTES_MAX, i + 1, size, 4 + 4 * (size_t)i);
        idx->sizes[i] = (int)size;
        *values *= size;
    }
    return 0;
}

static int parse(const uint8_t *bytes, size_t length, struct idx *idx, struct error *error)
{
    if (!length)
        return error_set(error, "is empty; copy it again");
    if (length < 4)
        return error_set(error, "is cut short in its header (of 4 bytes there are %zu); copy it again", length);
    if (bytes[0] || bytes[1])
        return error_set(error, "is not an IDX file (bytes 0 to 1 are %02x %02x, not 00 00); check what it is",
                         bytes[0], bytes[1]);
    if (bytes[2] != IDX_UNSIGNED_BYTE)
        return error_set(error, "its values are %s (byte 2 is 0x%02x); only unsigned bytes (0x08) are read",
                         type_name(bytes[2]), bytes[2]);
    idx->dimensions = bytes[3];
    if (idx->dimensions < 1 || idx->dimensions > IDX_DIMENSIONS_MAX)
        return error_set(error, "has %d dimensions (byte 3); images have 3 or 4, labels 1", idx->dimensions);
    size_t header = 4 + 4 * (size_t)idx->dimensions;
    if (length < header)
        return error_set(error, "is cut short in its header (of %zu bytes there are %zu); copy it again", header,
                         length);
    size_t values;
    if (parse_sizes(bytes, idx, &values, error))
        return -1;
    if (length - header < values)
        return error_set(error, "is cut short (its header says %zu bytes, there are %zu); copy it again",
                         header + values, length);
    if (length - header > values)
        return error_set(error, "has %zu bytes after its last value (its header says %zu bytes); copy it again",
                         length - header - values, header + values);
    idx->values = bytes + header;
    return 0;
}

int idx_parse_images(const void *bytes, size_t length, struct images *images, struct error *error)
{
    struct idx idx;
    if (parse(bytes, length, &idx, error))
        return -1;
    if (idx.dimensions < 3)
        return error_set(error, "has %d dimensions (byte 3) where images have 3 or 4%s", idx.dimensions,
                         idx.dimensions == 1 ? ": these are labels; check the files' names" : "");
    int channels = idx.dimensions == 4 ? idx.sizes[1] : 1;
    int height = idx.sizes[idx.dimensions - 2], width = idx.sizes[idx.dimensions - 1];
    if (channels > IMAGES_CHANNELS_MAX)
        return error_set(error, "has images of %d channels (dimension 2); at most %d are read", channels,
                         IMAGES_CHANNELS_MAX);
    if (height > ARCH_SIDE_MAX || width > ARCH_SIDE_MAX)
        return error_set(error, "has images of %d×%d pixels; at most %d×%d are read: scale them down", height, width,
                         ARCH_SIDE_MAX, ARCH_SIDE_MAX);
    images->count = idx.sizes[0];
    images->shape = (struct shape){.channels = channels, .height = height, .width = width};
    size_t pixels = (size_t)images->count * channels * height * width;
    images->pixels = memory_new(pixels, 1);
    memcpy(images->pixels, idx.values, pixels);
    return 0;
}

static int parse_label_values(const void *bytes, size_t length, struct idx *idx, struct error *error)
{
    if (parse(bytes, length, idx, error))
        return -1;
    if (idx->dimensions != 1)
        return error_set(error, "has %d dimensions (byte 3) where labels have 1%s", idx->dimensions,
                         idx->dimensions >= 3 ? ": these are images; check the files' names" : "");
    return 0;
}

int idx_parse_classes(const void *bytes, size_t length, struct images *images, struct error *error)
{
    struct idx idx;
    if (parse_label_values(bytes, length, &idx, error))
        return -1;
    for (int i = 0; i < idx.sizes[0]; i++)
        if (idx.values[i] >= images->classes)
            images->classes = idx.values[i] + 1;
    return 0;
}

int idx_parse_labels(const void *bytes, size_t length, struct images *images, struct error *error)
{
    struct idx idx;
    if (parse_label_values(bytes, length, &idx, error))
        return -1;
    if (idx.sizes[0] != images->count)
        return error_set(error, "has %d labels for %d images; take both files from the same set", idx.sizes[0],
                         images->count);
    images->labels = memory_new((size_t)images->count, sizeof *images->labels);
    for (int i = 0; i < images->count; i++) {
        if (idx.values[i] >= images->classes)
            return error_set(error, "label %d of image %d (byte %d) is outside 0…%d; check that it belongs to this set",
                             idx.values[i], i, 8 + i, images->classes - 1);
        images->labels[i] = idx.values[i];
    }
    return 0;
}

/* The published name, how some archives spell it, and files with a dimension of channels; each may end in ".gz". */
enum idx_content { IDX_IMAGES, IDX_LABELS };
static const char *const file_names[2][2][3] = {
    [DATA_TRAIN] = {[IDX_IMAGES] = {"train-images-idx3-ubyte", "train-images.idx3-ubyte", "train-images-idx4-ubyte"},
                    [IDX_LABELS] = {"train-labels-idx1-ubyte", "train-labels.idx1-ubyte"}},
    [DATA_TEST] = {[IDX_IMAGES] = {"t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte", "t10k-images-idx4-ubyte"},
                   [IDX_LABELS] = {"t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"}},
};

/* The path of the first of these files that exists; free() it. */
static int find_file(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                     enum idx_content content, char **path, struct error *error)
{
    const char *const *names = file_names[part][content];
    for (size_t i = 0; i < COUNT_OF(file_names[0][0]) && names[i]; i++)
        for (int gzip = 0; gzip < 2; gzip++) {
            struct text name = TEXT_EMPTY;
            text_add(&name, "%s/%s%s", spec->folder, names[i], gzip ? ".gz" : "");
            *path = text_take(&name);
            if (file_exists(*path))
                return 0;
            free(*path);
        }
    *path = NULL;
    return error_set(error, "%s: %s[.gz] is missing; %s", spec->folder, names[0], format->advice);
}

typedef int parse_function(const void *bytes, size_t length, struct images *images, struct error *error);

static int read_file(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                     enum idx_content content, parse_function *parse_file, struct images *images, struct error *error)
{
    char *path;
    if (find_file(spec, format, part, content, &path, error))
        return -1;
    void *bytes = NULL;
    size_t length;
    int result = file_read_gzip(path, (size_t)IMAGES_BYTES_MAX + 4 + 4 * IDX_DIMENSIONS_MAX, &bytes, &length, error);
    if (!result && parse_file(bytes, length, images, error))
        result = error_prefix(error, "%s", path);
    free(bytes);
    free(path);
    return result;
}

int idx_read(const struct data_spec *spec, const struct data_format *format, enum data_part part, struct images *images,
             struct error *error)
{
    if (read_file(spec, format, part, IDX_IMAGES, idx_parse_images, images, error))
        return -1;
    if (!images->classes && read_file(spec, format, DATA_TRAIN, IDX_LABELS, idx_parse_classes, images, error))
        return -1;
    return read_file(spec, format, part, IDX_LABELS, idx_parse_labels, images, error);
}
