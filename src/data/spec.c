/*
 * spec.c - the table of data sets, and the parser of `NAME[@SIZE][+][:FOLDER]`, the value of --data.
 *
 * Without FOLDER a set is in $ESPALIER_DATA/NAME if that folder exists, else where Debian's package puts it.  The
 * folder is chosen when the text is parsed; nothing is opened here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/formats.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/text.h"

enum { SIDE_MIN = 4, SIDE_MAX = 512 };

#define SVHN_PAGE   "http://ufldl.stanford.edu/housenumbers/"
#define CIFAR_PAGE  "https://www.cs.toronto.edu/~kriz/cifar.html"
#define EMNIST_PAGE "https://www.nist.gov/itl/products-and-services/emnist-dataset"

static const char *const fashion_classes[] = {"T-shirt/top", "trouser", "pullover", "dress", "coat",
                                              "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};
static const char *const cifar10_classes[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};

/* Kuzushiji-MNIST (Clanuwat et al., 2018): one syllable for each row of the Hiragana. */
static const char *const kmnist_classes[] = {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"};

/* EMNIST: digits, capitals and small letters; "merged": without the small letters that look like their capitals. */
#define DIGITS "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"
#define CAPITALS                                                                                                       \
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", \
        "X", "Y", "Z"
static const char *const emnist_classes[] = {DIGITS, CAPITALS, "a", "b", "c", "d", "e", "f", "g", "h",
                                             "i",    "j",      "k", "l", "m", "n", "o", "p", "q", "r",
                                             "s",    "t",      "u", "v", "w", "x", "y", "z"};
static const char *const emnist_merged[] = {DIGITS, CAPITALS, "a", "b", "d", "e", "f", "g", "h", "n", "q", "r", "t"};
enum { EMNIST_LETTERS = 26, EMNIST_DIGITS = 10 }; /* emnist_classes has the digits, then the capitals */

#define EMNIST_ROW(set, count, names, first)                                                                           \
    {                                                                                                                  \
        .name = set, .prefix = set, .transposed = true, .classes = (count), .class_names = (names),                    \
        .first_label = (first),                                                                                        \
        .advice = "unpack EMNIST's gzip.zip from " EMNIST_PAGE " and name its folder: " set ":FOLDER",                 \
        .read = idx_read                                                                                               \
    }

static const struct data_format formats[] = {
    {.name = "fashion-mnist",
     .mirrors = true,
     .folder = "/usr/share/datasets/fashion-mnist",
     .classes = COUNT_OF(fashion_classes),
     .class_names = fashion_classes,
     .advice = "apt-get install dataset-fashion-mnist, or name their folder: fashion-mnist:FOLDER",
     .read = idx_read},
    {.name = "mnist",
     .folder = "/usr/share/datasets/mnist",
     .classes = 10,
     .advice = "name the folder that has MNIST's four files: mnist:FOLDER",
     .read = idx_read},
    {.name = "kmnist",
     .classes = COUNT_OF(kmnist_classes),
     .class_names = kmnist_classes,
     .advice = "get its four files from https://github.com/rois-codh/kmnist and name their folder: kmnist:FOLDER",
     .read = idx_read},
    {.name = "qmnist",
     .prefix = "qmnist",
     .classes = 10,
     .advice =
         "get its four files from https://github.com/facebookresearch/qmnist and name their folder: qmnist:FOLDER",
     .read = idx_read},
    EMNIST_ROW("emnist-balanced", COUNT_OF(emnist_merged), emnist_merged, 0),
    EMNIST_ROW("emnist-bymerge", COUNT_OF(emnist_merged), emnist_merged, 0),
    EMNIST_ROW("emnist-byclass", COUNT_OF(emnist_classes), emnist_classes, 0),
    EMNIST_ROW("emnist-letters", EMNIST_LETTERS, emnist_classes + EMNIST_DIGITS, 1),
    EMNIST_ROW("emnist-digits", EMNIST_DIGITS, emnist_classes, 0),
    EMNIST_ROW("emnist-mnist", EMNIST_DIGITS, emnist_classes, 0),
    {.name = "idx",
     .advice = "name a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and the t10k- pair: idx:FOLDER",
     .read = idx_read},
    {.name = "cifar10",
     .mirrors = true,
     .classes = COUNT_OF(cifar10_classes),
     .class_names = cifar10_classes,
     .advice = "unpack cifar-10-binary.tar.gz from " CIFAR_PAGE " and name its folder: cifar10:FOLDER",
     .read = cifar10_read},
    {.name = "cifar100",
     .mirrors = true,
     .classes = 100,
     .advice = "unpack cifar-100-binary.tar.gz from " CIFAR_PAGE " and name its folder: cifar100:FOLDER",
     .read = cifar100_read},
    {.name = "svhn",
     .classes = 10,
     .unit_range = true,
     .advice = "copy train_32x32.mat and test_32x32.mat from " SVHN_PAGE " and name their folder: svhn:FOLDER",
     .read = svhn_read},
    {.name = "svhn-extra",
     .classes = 10,
     .unit_range = true,
     .extra = true,
     .advice = "copy train_32x32.mat, extra_32x32.mat and test_32x32.mat from " SVHN_PAGE
               " and name their folder: svhn-extra:FOLDER",
     .read = svhn_read},
    {.name = "images",
     .mirrors = true,
     .side = 32,
     .channels = 3,
     .advice = "name a folder that has a folder of pictures for each class: images:FOLDER",
     .read = folder_read},
    {.name = "grey-images",
     .mirrors = true,
     .side = 32,
     .channels = 1,
     .advice = "name a folder that has a folder of pictures for each class: grey-images:FOLDER",
     .read = folder_read},
    {.name = "npz",
     .advice =
         "save arrays by numpy.savez(FILE, x_train=..., y_train=..., x_test=..., y_test=...) and name it: npz:FILE",
     .read = npz_read},
};

const struct data_format *data_format_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (!strcmp(formats[i].name, name))
            return &formats[i];
    return NULL;
}

static int refuse_name(const char *text, int length, struct error *error)
{
    struct text names = TEXT_EMPTY;
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        text_add(&names, "%s%s", i ? ", " : "", formats[i].name);
    error_set(error, "there is no data set `%.*s`; the names are %s", length, text, text_string(&names));
    text_done(&names);
    return -1;
}

static int default_folder(const struct data_format *format, struct data_spec *spec, struct error *error)
{
    const char *own = getenv("ESPALIER_DATA");
    if (own && *own) {
        int length = snprintf(spec->folder, sizeof spec->folder, "%s/%s", own, format->name);
        if (length < 0 || (size_t)length >= sizeof spec->folder)
            return error_set(error, "ESPALIER_DATA: the folder's name is too long; name a shorter one");
        if (file_exists(spec->folder))
            return 0;
    }
    if (!format->folder)
        return error_set(error, "no %s is named; %s", format->read == npz_read ? "file" : "folder", format->advice);
    snprintf(spec->folder, sizeof spec->folder, "%s", format->folder);
    return 0;
}

bool data_spec_augments(const char *text)
{
    size_t name = strcspn(text, ":");
    return name > 0 && text[name - 1] == '+';
}

/* Parse what follows the name: nothing, or `@` and the size: a square's side, or width `x` height. */
static int parse_size(const char *text, int length, const struct data_format *format, struct data_spec *spec,
                      struct error *error)
{
    char digits[16] = "";
    int64_t width = format->side, height = format->side;
    if (length > 0 && (*text != '@' || !format->side))
        return error_set(error, "`%.*s` after %s: only `+` may follow%s", length, text, format->name,
                         format->side ? ", or `@` and the size that images are scaled to, as in images@48 or "
                                        "images@64x48"
                                      : "");
    if (length > 1 && length <= (int)sizeof digits)
        memcpy(digits, text + 1, (size_t)length - 1);
    char *x = strchr(digits, 'x');
    if (x)
        *x = '\0';
    if (length > 0 && (text_to_integer(digits, SIDE_MIN, SIDE_MAX, &width) ||
                       text_to_integer(x ? x + 1 : digits, SIDE_MIN, SIDE_MAX, &height)))
        return error_set(error,
                         "`%.*s` after %s: the size that images are scaled to is a square's side or WIDTHxHEIGHT, in "
                         "whole numbers from %d to %d",
                         length, text, format->name, SIDE_MIN, SIDE_MAX);
    spec->width = (int)width;
    spec->height = (int)height;
    return 0;
}

int data_spec_parse(const char *text, struct data_spec *spec, struct error *error)
{
    memset(spec, 0, sizeof *spec);
    int whole = (int)strcspn(text, ":");
    spec->augment = data_spec_augments(text);
    int length = (int)strcspn(text, "@+:");
    if (length < (int)sizeof spec->name)
        memcpy(spec->name, text, (size_t)length);
    const struct data_format *format = data_format_find(spec->name);
    if (!format)
        return refuse_name(text, whole - spec->augment, error);
    if (parse_size(text + length, whole - spec->augment - length, format, spec, error))
        return -1;
    if (text[whole] != ':')
        return default_folder(format, spec, error);
    const char *folder = text + whole + 1;
    if (!*folder)
        return error_set(error, "nothing follows the colon; %s", format->advice);
    if (strlen(folder) >= sizeof spec->folder)
        return error_set(error, "the folder's name is too long (%zu bytes; at most %zu); use a shorter path",
                         strlen(folder), sizeof spec->folder - 1);
    strcpy(spec->folder, folder);
    return 0;
}

/* --- what lies in a folder instead of the set that was named --- */

#define PICKLES(file)                                                                                                  \
    "holds Python's pickles, which can run code and are never read; get " file " from " CIFAR_PAGE " instead"

/* The last part of a path. */
static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static bool lies_in(const char *folder, const char *name)
{
    char *path = file_join(folder, name);
    bool found = file_exists(path) || !strcmp(name_in(folder), name);
    free(path);
    return found;
}

/* Files that tell what a folder, or the path itself, is. */
static const struct {
    const char *name, *set; /* of the table; NULL: not as it is */
    const char *text;
} signs[] = {
    {"cifar-10-batches-bin", "cifar10", NULL},
    {"data_batch_1.bin", "cifar10", NULL},
    {"cifar-100-binary", "cifar100", NULL},
    {"fine_label_names.txt", "cifar100", NULL},
    {"train_32x32.mat", "svhn", NULL},
    {"cifar-10-binary.tar.gz", NULL, "is an archive; unpack it by tar -xzf and name the folder: cifar10:FOLDER"},
    {"cifar-100-binary.tar.gz", NULL, "is an archive; unpack it by tar -xzf and name the folder: cifar100:FOLDER"},
    {"cifar-10-python.tar.gz", NULL, PICKLES("cifar-10-binary.tar.gz")},
    {"cifar-10-batches-py", NULL, PICKLES("cifar-10-binary.tar.gz")},
    {"data_batch_1", NULL, PICKLES("cifar-10-binary.tar.gz")},
    {"cifar-100-python.tar.gz", NULL, PICKLES("cifar-100-binary.tar.gz")},
    {"cifar-100-python", NULL, PICKLES("cifar-100-binary.tar.gz")}};

/* A set that has its files in the folder, if it isn't this format's own. */
static const char *other_set(const char *folder, const struct data_format *format)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (formats[i].prefix && &formats[i] != format && idx_has_files(&formats[i], folder))
            return formats[i].name;
    for (size_t i = 0; i < COUNT_OF(signs); i++)
        if (signs[i].set && data_format_find(signs[i].set)->read != format->read && lies_in(folder, signs[i].name))
            return signs[i].set;
    return NULL;
}

int data_refuse_missing(const struct data_spec *spec, const struct data_format *format, const char *name,
                        struct error *error)
{
    const char *folder = spec->folder, *other = other_set(folder, format), *ending = strrchr(folder, '.');
    if (ending && !strcmp(ending, ".npz"))
        return error_set(error, "%s: is a file of arrays; name it npz:%s", folder, folder);
    if (other)
        return error_set(error, "%s: %s is missing; the files of another set are there: name it %s:%s", folder, name,
                         other, folder);
    for (size_t i = 0; i < COUNT_OF(signs); i++)
        if (signs[i].text && lies_in(folder, signs[i].name))
            return error_set(error, "%s: %s is missing, and %s %s", folder, name, signs[i].name, signs[i].text);
    return error_set(error, "%s: %s is missing; %s", folder, name, format->advice);
}
