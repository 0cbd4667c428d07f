/*
 * idx.c - IDX files, plain or gzip: MNIST, and the sets that come in its format.
 *
 * Two zero bytes, a type (0x08: unsigned bytes, 0x0c: 32-bit integers), the number of dimensions, their sizes as
 * big-endian 32-bit numbers, then the values, and nothing after them.  A folder has four files: images and labels of
 * `train` and of `t10k` or `test`.  Labels may be rows of integers, of which the first is the class (QMNIST).  EMNIST's
 * images are stored column by column, and its letters count from 1 (Cohen, Afshar, Tapson, van Schaik, 2017).
 *
 * The training labels say how many classes an `idx:` set has.  They are read for the test part too, so that a test
 * label that no training image has is an error.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/formats.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

enum { IDX_DIMENSIONS_MAX = 4, IDX_UNSIGNED_BYTE = 0x08, IDX_INTEGER = 0x0C };

/* A parsed file; `values` points into it. */
struct idx {
    int dimensions;
    int sizes[IDX_DIMENSIONS_MAX];
    size_t value_bytes;
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

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* `*values`: their bytes. */
static int parse_sizes(const uint8_t *bytes, struct idx *idx, size_t *values, struct error *error)
{
    *values = idx->value_bytes;
    for (int i = 0; i < idx->dimensions; i++) {
        uint32_t size = big_endian(bytes + 4 + 4 * (size_t)i);
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

static int parse(const uint8_t *bytes, size_t length, bool labels, struct idx *idx, struct error *error)
{
    if (!length)
        return error_set(error, "is empty; copy it again");
    if (length < 4)
        return error_set(error, "is cut short in its header (of 4 bytes there are %zu); copy it again", length);
    if (bytes[0] || bytes[1])
        return error_set(error, "is not an IDX file (bytes 0 to 1 are %02x %02x, not 00 00); check what it is",
                         bytes[0], bytes[1]);
    if (bytes[2] != IDX_UNSIGNED_BYTE && !(labels && bytes[2] == IDX_INTEGER))
        return error_set(error, "its values are %s (byte 2 is 0x%02x); only unsigned bytes (0x08)%s are read",
                         type_name(bytes[2]), bytes[2], labels ? " and 32-bit integers (0x0c)" : "");
    idx->value_bytes = bytes[2] == IDX_INTEGER ? 4 : 1;
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

/* Copy a plane that is stored column by column. */
static void transpose(const uint8_t *from, int height, int width, uint8_t *to)
{
    for (int x = 0; x < width; x++)
        for (int y = 0; y < height; y++)
            to[y * width + x] = *from++;
}

int idx_parse_images(const struct data_format *format, const void *bytes, size_t length, struct images *images,
                     struct error *error)
{
    struct idx idx;
    if (parse(bytes, length, false, &idx, error))
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
    images->shape = (struct shape){channels, format->transposed ? width : height, format->transposed ? height : width};
    size_t planes = (size_t)images->count * channels, plane = (size_t)height * width;
    images->pixels = memory_new(planes * plane, 1);
    for (size_t i = 0; i < planes && format->transposed; i++)
        transpose(idx.values + i * plane, images->shape.height, images->shape.width, images->pixels + i * plane);
    if (!format->transposed)
        memcpy(images->pixels, idx.values, planes * plane);
    return 0;
}

static int parse_label_values(const void *bytes, size_t length, struct idx *idx, struct error *error)
{
    if (parse(bytes, length, true, idx, error))
        return -1;
    if (idx->dimensions != 1 && !(idx->dimensions == 2 && idx->value_bytes > 1))
        return error_set(error, "has %d dimensions (byte 3) where labels have 1%s", idx->dimensions,
                         idx->dimensions >= 3 ? ": these are images; check the files' names" : "");
    return 0;
}

/* Where label i lies behind the header. */
static size_t label_place(const struct idx *idx, int i)
{
    return (size_t)i * idx->value_bytes * (idx->dimensions == 2 ? (size_t)idx->sizes[1] : 1);
}

/* Label i as the program counts, from 0: -1 where it is not within 0…most-1. */
static int label_of(const struct data_format *format, const struct idx *idx, int i, int most, struct error *error)
{
    const uint8_t *at = idx->values + label_place(idx, i);
    int64_t label = idx->value_bytes == 1 ? *at : (int32_t)big_endian(at);
    if (label >= format->first_label && label - format->first_label < most)
        return (int)(label - format->first_label);
    return error_set(
        error, "label %" PRId64 " of image %d (byte %zu) is outside %d…%d; check that it belongs to this set", label, i,
        4 + 4 * (size_t)idx->dimensions + label_place(idx, i), format->first_label, most - 1 + format->first_label);
}

int idx_parse_classes(const struct data_format *format, const void *bytes, size_t length, struct images *images,
                      struct error *error)
{
    struct idx idx;
    if (parse_label_values(bytes, length, &idx, error))
        return -1;
    for (int i = 0; i < idx.sizes[0]; i++) {
        int label = label_of(format, &idx, i, IMAGES_CLASSES_MAX, error);
        if (label < 0)
            return -1;
        if (label >= images->classes)
            images->classes = label + 1;
    }
    return 0;
}

int idx_parse_labels(const struct data_format *format, const void *bytes, size_t length, struct images *images,
                     struct error *error)
{
    struct idx idx;
    if (parse_label_values(bytes, length, &idx, error))
        return -1;
    if (idx.sizes[0] != images->count)
        return error_set(error, "has %d labels for %d images; take both files from the same set", idx.sizes[0],
                         images->count);
    images->labels = memory_new((size_t)images->count, sizeof *images->labels);
    for (int i = 0; i < images->count; i++) {
        int label = label_of(format, &idx, i, images->classes, error);
        if (label < 0)
            return -1;
        images->labels[i] = (uint16_t)label;
    }
    return 0;
}

/* --- files --- */

/* Names of files: PREFIX-PART-CONTENT, where only some sets have a prefix.  Programs and archives spell them in these
   ways; each may end in ".gz", and lie in the folder itself or in one of those that archives and torchvision make. */
enum idx_content { IDX_IMAGES, IDX_LABELS };
static const char *const parts[][2] = {[DATA_TRAIN] = {"train"}, [DATA_TEST] = {"t10k", "test"}};
static const char *const contents[][4] = {
    [IDX_IMAGES] = {"images-idx3-ubyte", "images.idx3-ubyte", "images-idx4-ubyte", "images.idx4-ubyte"},
    [IDX_LABELS] = {"labels-idx1-ubyte", "labels.idx1-ubyte", "labels-idx2-int", "labels.idx2-int"}};
static const char *const inner_folders[] = {"", "/raw", "/gzip", "/raw/gzip"};

/* A folder may bear a file's name (archives that were unpacked one by one); it is passed over. */
static bool names_file(const char *path)
{
    struct stat status;
    return !stat(path, &status) && !S_ISDIR(status.st_mode);
}

static char *path_of(const char *folder, const struct data_format *format, const char *part, const char *content,
                     const char *ending)
{
    struct text path = TEXT_EMPTY;
    text_add(&path, "%s/%s%s%s-%s%s", folder, format->prefix ? format->prefix : "", format->prefix ? "-" : "", part,
             content, ending);
    return text_take(&path);
}

/* The path of the first file in `folder` that has one of the names, or NULL; free() it. */
static char *find_in(const char *folder, const struct data_format *format, enum data_part part,
                     enum idx_content content)
{
    for (size_t p = 0; p < COUNT_OF(parts[0]) && parts[part][p]; p++)
        for (size_t c = 0; c < COUNT_OF(contents[0]); c++)
            for (int gzip = 0; gzip < 2; gzip++) {
                char *path = path_of(folder, format, parts[part][p], contents[content][c], gzip ? ".gz" : "");
                if (names_file(path))
                    return path;
                free(path);
            }
    return NULL;
}

static char *find_file(const char *folder, const struct data_format *format, enum data_part part,
                       enum idx_content content)
{
    char *path = NULL;
    for (size_t i = 0; i < COUNT_OF(inner_folders) && !path; i++) {
        struct text inner = TEXT_EMPTY;
        text_add(&inner, "%s%s", folder, inner_folders[i]);
        path = find_in(text_string(&inner), format, part, content);
        text_done(&inner);
    }
    return path;
}

bool idx_has_files(const struct data_format *format, const char *folder)
{
    char *path = find_file(folder, format, DATA_TRAIN, IDX_LABELS);
    free(path);
    return path != NULL;
}

static int say_missing(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                       enum idx_content content, struct error *error)
{
    char *name = path_of("", format, parts[part][format->prefix && part == DATA_TEST], contents[content][0], "[.gz]");
    data_refuse_missing(spec, format, name + 1, error);
    free(name);
    return -1;
}

typedef int parse_function(const struct data_format *format, const void *bytes, size_t length, struct images *images,
                           struct error *error);

static int read_file(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                     enum idx_content content, parse_function *parse_file, struct images *images, struct error *error)
{
    char *path = find_file(spec->folder, format, part, content);
    if (!path)
        return say_missing(spec, format, part, content, error);
    void *bytes = NULL;
    size_t length;
    int result = file_read_gzip(path, (size_t)IMAGES_BYTES_MAX + 4 + 4 * IDX_DIMENSIONS_MAX, &bytes, &length, error);
    if (!result && parse_file(format, bytes, length, images, error))
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
