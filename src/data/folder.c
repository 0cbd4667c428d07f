/*
 * folder.c - a person's own images: folders of pictures, one a class.
 *
 * A class has the name of its folder, and its number is its place among the names in byte order.  The images of a class
 * come in the byte order of their names.  So the set and its checksum depend on names and pictures alone.
 *
 *   FOLDER/train/CLASS/…, FOLDER/test/CLASS/… and FOLDER/val/CLASS/… (or valid, or validation)
 *                          when FOLDER/train has folders: the person has divided the set; test and val may be missing
 *   FOLDER/CLASS/…         otherwise: one picture in TEST_SHARE of each class is a test image, those whose hash of
 *                          `CLASS/FILE` is the lowest, so that the order of a folder doesn't matter
 *
 * The first sessions (picture_rules.first) drew test images by the hash alone, read only PNG and JPEG files, and left
 * val aside.
 *
 * While the training part of a set that isn't divided is read, its test pictures are looked at too, so that all that is
 * to be told of the files is told at once.
 *
 * An empty class folder is as one that isn't there.  Pictures that can't be read are an error that lists them, unless
 * the person leaves them out: a set that lacks them is another set.
 */
#include <stdlib.h>
#include <string.h>

#include "data/folder_files.h"
#include "data/formats.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

enum { TEST_SHARE = 6, LISTED_MAX = 10, LISTED_BYTES = 150 };

/* Pictures that a message names: the first few, and how many there are. */
struct listing {
    struct text text;
    int count;
};

/* A set, or one part of it, while it is read. */
struct set_reader {
    const struct data_spec *spec;
    enum data_part part;
    bool divided; /* the person has divided the set into parts */
    struct images *images;
    size_t capacity; /* in images */
    struct file_tally tally;
    struct listing bad, warned, constant;
    int tried;
};

/* --- what a person is told --- */

/* `text` begins with the picture's path, which gets shorter by the set's folder.  Ten of them fit into a message. */
static void list_picture(struct set_reader *reader, struct listing *listing, const char *text)
{
    size_t folder = strlen(reader->spec->folder);
    text += strncmp(text, reader->spec->folder, folder) ? 0 : folder;
    text += strspn(text, "/");
    if (++listing->count > LISTED_MAX)
        return;
    text_add(&listing->text, "%s", listing->count > 1 ? ", " : "");
    const char *end = text + strcspn(text, ";"), *most = text + LISTED_BYTES; /* without the advice */
    for (; text < end && (text < most || (*text & 0xc0) == 0x80); text++)     /* not within a character */
        text_add(&listing->text, "%c", (unsigned char)*text < ' ' ? '?' : *text);
    text_add(&listing->text, "%s", text < end ? "…" : "");
}

static void end_listing(struct listing *listing)
{
    if (listing->count > LISTED_MAX)
        text_add(&listing->text, " and %d more", listing->count - LISTED_MAX);
}

static void add_warning(const struct set_reader *reader, struct listing *listing, const char *what, const char *advice,
                        struct text *text)
{
    if (!listing->count)
        return;
    end_listing(listing);
    text_add(text, "%s: %d of %d pictures %s: %s%s\n", reader->spec->folder, listing->count, reader->tried, what,
             text_string(&listing->text), advice);
}

static void report(struct set_reader *reader)
{
    struct text warnings = TEXT_EMPTY, summary = TEXT_EMPTY;
    bool told = !reader->divided && reader->part != DATA_TRAIN; /* with the training part */
    add_warning(reader, &reader->bad, "can't be read and are left out", "", &warnings);
    add_warning(reader, &reader->warned, "are damaged, and were decoded all the same", "", &warnings);
    add_warning(reader, &reader->constant, "have one colour only",
                "; if they are drawings on a transparent ground, --background sets another ground", &warnings);
    file_tally_print(&reader->tally, &summary);
    if (reader->bad.count && !told)
        text_add(&summary, "; %d pictures can't be read", reader->bad.count);
    reader->images->summary = text_take(&summary);
    reader->images->warnings = warnings.length && !told ? text_take(&warnings) : NULL;
    text_done(&warnings);
}

static int refuse_bad(struct set_reader *reader, struct error *error)
{
    end_listing(&reader->bad);
    return error_set(error,
                     "%s: %d of %d pictures can't be read: %s; replace or remove them, or leave them out by --skip-bad",
                     reader->spec->folder, reader->bad.count, reader->tried, text_string(&reader->bad.text));
}

/* --- pictures --- */

static bool is_constant(const uint8_t *planes, int channels, size_t plane)
{
    for (int channel = 0; channel < channels; channel++)
        for (size_t i = 1; i < plane; i++)
            if (planes[(size_t)channel * plane + i] != planes[(size_t)channel * plane])
                return false;
    return true;
}

/* Make room for one more image. */
static int grow(struct set_reader *reader, const char *path, size_t size, struct error *error)
{
    struct images *images = reader->images;
    size_t count = (size_t)images->count;
    if (count >= IMAGES_BYTES_MAX / size)
        return error_set(error,
                         "%s: makes the set larger than %zu images; remove some, or scale them to a smaller "
                         "size",
                         path, IMAGES_BYTES_MAX / size);
    if (count == reader->capacity) {
        reader->capacity = 2 * count + 64;
        images->pixels = memory_resize(images->pixels, reader->capacity, size);
        images->labels = memory_resize(images->labels, reader->capacity, sizeof *images->labels);
    }
    return 0;
}

/* Read a picture, and keep it unless it belongs to another part: it then is only looked at.  One that can't be read is
   listed, and no error yet. */
static int add_image(struct set_reader *reader, const char *path, int label, bool keep, struct error *error)
{
    struct images *images = reader->images;
    const struct shape *shape = &images->shape;
    size_t plane = (size_t)shape->height * (size_t)shape->width, size = (size_t)shape->channels * plane;
    struct error warning, failure;
    if (grow(reader, path, size, error))
        return -1;
    uint8_t *planes = images->pixels + (size_t)images->count * size;
    reader->tried++;
    if (picture_read(path, &reader->spec->pictures, shape->width, shape->height, shape->channels, planes, &warning,
                     &failure)) {
        list_picture(reader, &reader->bad, failure.text);
        return 0;
    }
    if (*warning.text)
        list_picture(reader, &reader->warned, warning.text);
    if (is_constant(planes, shape->channels, plane))
        list_picture(reader, &reader->constant, path);
    images->labels[images->count] = (uint16_t)label;
    images->count += keep;
    return 0;
}

/* --- which of a class are test images --- */

struct ranked {
    uint64_t hash;
    size_t file;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *one = a, *other = b;
    return one->hash != other->hash ? (one->hash > other->hash) - (one->hash < other->hash)
                                    : (one->file > other->file) - (one->file < other->file);
}

static size_t test_share(size_t count)
{
    size_t share = (count + TEST_SHARE / 2) / TEST_SHARE;
    return count < 3 ? 0 : share ? share : 1; /* of three images one tests, one validates and one trains */
}

/* Mark the test images of a class; the caller frees the marks. */
static bool *choose_test(const struct set_reader *reader, const char *class, const struct name_list *files)
{
    bool first = reader->spec->pictures.first;
    bool *test = memory_new(files->count, sizeof *test);
    struct ranked *ranked = memory_new(files->count, sizeof *ranked);
    for (size_t i = 0; i < files->count; i++) {
        struct text text = TEXT_EMPTY;
        text_add(&text, "%s/%s", class, files->names[i]);
        ranked[i] = (struct ranked){hash_of(text_string(&text), text.length).low, i};
        test[i] = first && ranked[i].hash % TEST_SHARE == 0;
        text_done(&text);
    }
    if (!first && files->count)
        qsort(ranked, files->count, sizeof *ranked, compare_ranked);
    for (size_t i = 0; !first && i < test_share(files->count); i++)
        test[ranked[i].file] = true;
    free(ranked);
    return test;
}

/* --- classes and parts --- */

static int read_files(struct set_reader *reader, const char *folder, const struct name_list *files, int label,
                      struct error *error)
{
    bool *test = choose_test(reader, reader->images->class_names[label], files);
    int failed = 0, before = reader->images->count;
    bool chosen = false;
    for (size_t i = 0; i < files->count && !failed; i++) {
        bool keep = reader->divided || reader->part == DATA_ALL || test[i] == (reader->part == DATA_TEST);
        if (!keep && (reader->part == DATA_TEST || reader->spec->pictures.first))
            continue;
        if (reader->spec->cancelled && atomic_load(reader->spec->cancelled)) {
            failed = error_set(error, "%s: reading it was cancelled", folder);
            break;
        }
        char *file = file_join(folder, files->names[i]);
        failed = add_image(reader, file, label, keep, error);
        chosen |= keep;
        free(file);
    }
    free(test);
    if (!failed && chosen && reader->part == DATA_TRAIN && reader->spec->skip_bad && reader->images->count == before)
        failed = error_set(error, "%s: none of its pictures can be read; replace them, or remove the folder", folder);
    return failed;
}

static int read_class(struct set_reader *reader, const char *folder, int label, struct error *error)
{
    struct name_list files;
    int failed = folder_pictures(folder, reader->spec->pictures.first, &files, &reader->tally, error);
    if (!failed && !files.count && !folder_is_empty(folder))
        failed = error_set(error, "%s: has no " PICTURE_TYPES " file; fill it or remove it", folder);
    failed = failed || read_files(reader, folder, &files, label, error);
    name_list_done(&files);
    return failed ? -1 : 0;
}

/* The folders of the training part name the classes, for all parts.  Those that are empty don't. */
static int find_classes(const char *folder, const struct data_format *format, struct images *images,
                        struct error *error)
{
    struct name_list list;
    if (folder_folders(folder, &list, NULL, error))
        return -1;
    images->class_names = list.names;
    images->classes = (int)list.count;
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++) {
        char *path = file_join(folder, list.names[i]), *name = list.names[i];
        list.names[i] = NULL;
        if (folder_is_empty(path))
            free(name);
        else
            list.names[count++] = name;
        free(path);
    }
    images->classes = (int)count;
    if (count < 2 || count > IMAGES_CLASSES_MAX)
        return error_set(error, "%s: has %zu folders with files, one a class; a set needs 2 to %d; %s", folder, count,
                         IMAGES_CLASSES_MAX, format->advice);
    for (size_t i = 0; i < count; i++)
        if (class_name_check(list.names[i], error))
            return error_prefix(error, "%s", folder);
    return 0;
}

/* Read every folder of `folder`; each must be a class. */
static int read_part(struct set_reader *reader, const char *folder, struct error *error)
{
    struct name_list list;
    int failed = folder_folders(folder, &list, &reader->tally, error);
    for (size_t i = 0; i < list.count && !failed; i++) {
        int label = 0, classes = reader->images->classes;
        char *path = file_join(folder, list.names[i]);
        while (label < classes && strcmp(reader->images->class_names[label], list.names[i]))
            label++;
        if (folder_is_empty(path))
            file_tally_add(&reader->tally, "empty folders", false);
        else if (label == classes)
            failed = error_set(error, "%s: %s is no class of the training part; rename it or remove it", folder,
                               list.names[i]);
        else
            failed = read_class(reader, path, label, error);
        free(path);
    }
    name_list_done(&list);
    return failed;
}

/* --- the set --- */

/* The folders of its parts; NULL: it has none. */
struct parts {
    char *train, *validation, *test;
};

static void parts_done(struct parts *parts)
{
    free(parts->train);
    free(parts->validation);
    free(parts->test);
}

static bool has_folders(const char *folder)
{
    struct name_list list = {0};
    bool has = is_folder(folder) && !folder_folders(folder, &list, NULL, NULL) && list.count;
    name_list_done(&list);
    return has;
}

static char *find_part(const struct data_spec *spec, const char *name)
{
    char *path = file_join(spec->folder, name);
    if (has_folders(path))
        return path;
    free(path);
    return NULL;
}

static int find_parts(const struct data_spec *spec, struct parts *parts, struct error *error)
{
    static const char *const names[] = {"val", "valid", "validation"};
    *parts = (struct parts){.train = find_part(spec, "train")};
    if (!parts->train)
        return 0;
    parts->test = find_part(spec, "test");
    for (size_t i = 0; i < COUNT_OF(names) && !spec->pictures.first; i++) {
        char *path = find_part(spec, names[i]);
        if (path && parts->validation) {
            error_set(error, "%s: is a second folder of validation images, beside %s; remove one", path,
                      parts->validation);
            free(path);
            return -1;
        }
        parts->validation = path ? path : parts->validation;
    }
    return 0;
}

/* Folders beside those of the parts: perhaps one whose name is misspelt. */
static void count_others(struct set_reader *reader)
{
    static const char *const names[] = {"train", "test", "val", "valid", "validation"};
    struct name_list list;
    if (folder_folders(reader->spec->folder, &list, &reader->tally, NULL))
        return;
    for (size_t i = 0; i < list.count; i++) {
        size_t k = 0;
        while (k < COUNT_OF(names) && strcmp(list.names[i], names[k]))
            k++;
        if (k == COUNT_OF(names))
            file_tally_add(&reader->tally, "folders", false);
    }
    name_list_done(&list);
}

static int read_divided(struct set_reader *reader, const struct parts *parts, struct error *error)
{
    bool test = reader->part == DATA_TEST || (reader->part == DATA_ALL && parts->test);
    if (test && !parts->test)
        return error_set(error, "%s: has train/ with folders, but no test/ with folders; put test images there",
                         reader->spec->folder);
    count_others(reader);
    if (read_part(reader, test ? parts->test : parts->train, error))
        return -1;
    int train = reader->images->count;
    if (!test && parts->validation && read_part(reader, parts->validation, error))
        return -1;
    reader->images->validation = reader->images->count - train;
    return 0;
}

static int read_set(struct set_reader *reader, const struct data_format *format, struct error *error)
{
    struct parts parts;
    const char *folder = reader->spec->folder;
    int failed = find_parts(reader->spec, &parts, error);
    reader->divided = parts.train;
    reader->images->whole = reader->part == DATA_ALL && !(reader->divided && parts.test);
    failed = failed || find_classes(reader->divided ? parts.train : folder, format, reader->images, error) ||
             (reader->divided ? read_divided(reader, &parts, error) : read_part(reader, folder, error));
    parts_done(&parts);
    if (!failed && reader->bad.count && !reader->spec->skip_bad)
        return refuse_bad(reader, error);
    if (!failed && reader->images->count <= reader->images->validation)
        return error_set(error, "%s: has no images in the %s part; add some", folder,
                         reader->part == DATA_TRAIN ? "training" : "test");
    return failed ? -1 : 0;
}

int folder_read(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                struct images *images, struct error *error)
{
    struct set_reader *reader = memory_new(1, sizeof *reader);
    *reader = (struct set_reader){.spec = spec, .part = part, .images = images};
    images->shape = (struct shape){.channels = format->channels, .height = spec->height, .width = spec->width};
    images->stratified = !spec->pictures.first;
    int failed = read_set(reader, format, error);
    if (!failed)
        report(reader);
    text_done(&reader->bad.text);
    text_done(&reader->warned.text);
    text_done(&reader->constant.text);
    free(reader);
    return failed;
}
