/*
 * folder.c - a person's own images: folders of PNG and JPEG files, one a class.
 *
 * A class has the name of its folder, and its number is its place among the names in byte order.  The images of a class
 * come in the byte order of their names.  So the set and its checksum depend on names and pictures alone.
 *
 *   FOLDER/train/CLASS/… and FOLDER/test/CLASS/…   when FOLDER/train has folders: the person has split the set
 *   FOLDER/CLASS/…                                 otherwise: by the hash of `CLASS/FILE` one image in TEST_SHARE
 * belongs to the test part, always the same ones
 *
 * Hidden files, and files that are not named *.png, *.jpg or *.jpeg, are left out.  An image that can't be read is an
 * error: a set that lacks it would be another set.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "data/formats.h"
#include "data/picture.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

enum { TEST_SHARE = 6 };

/* Names in order of bytes; list_done() it. */
struct name_list {
    char **names;
    size_t count, capacity;
};

static void list_done(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct name_list){0};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_folder(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISDIR(status.st_mode);
}

static bool is_picture(const char *path)
{
    const char *ending = strrchr(path, '.');
    bool named = ending && (!strcasecmp(ending, ".png") || !strcasecmp(ending, ".jpg") || !strcasecmp(ending, ".jpeg"));
    return named && !is_folder(path);
}

/* The names in a folder that are not hidden and `wanted`. */
static int list_folder(const char *folder, bool (*wanted)(const char *path), struct name_list *list,
                       struct error *error)
{
    *list = (struct name_list){0};
    DIR *directory = opendir(folder);
    if (!directory)
        return error_set(error, "%s: can't be read as a folder; check the name", folder);
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = file_join(folder, entry->d_name);
        if (wanted(path)) {
            list->names = memory_grow(list->names, list->count, &list->capacity, sizeof *list->names);
            list->names[list->count++] = memory_copy_text(entry->d_name);
        }
        free(path);
    }
    closedir(directory);
    if (list->count)
        qsort(list->names, list->count, sizeof *list->names, compare_names);
    return 0;
}

/* One part of a set while it is read. */
struct part_reader {
    enum data_part part;
    bool split; /* by hash */
    struct images *images;
    size_t capacity; /* in images */
};

static bool belongs(const struct part_reader *reader, const char *class, const char *name)
{
    if (!reader->split)
        return true;
    struct text text = TEXT_EMPTY;
    text_add(&text, "%s/%s", class, name);
    bool test = hash_of(text_string(&text), text.length).low % TEST_SHARE == 0;
    text_done(&text);
    return test == (reader->part == DATA_TEST);
}

static int add_image(struct part_reader *reader, const char *path, int label, struct error *error)
{
    struct images *images = reader->images;
    const struct shape *shape = &images->shape;
    size_t size = (size_t)shape->channels * (size_t)shape->height * (size_t)shape->width;
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
    if (picture_read(path, shape->width, shape->height, shape->channels, images->pixels + count * size, error))
        return -1;
    images->labels[count] = (uint16_t)label;
    images->count++;
    return 0;
}

static int read_class(struct part_reader *reader, const char *folder, int label, struct error *error)
{
    const char *name = reader->images->class_names[label];
    char *path = file_join(folder, name);
    struct name_list files;
    int failed = list_folder(path, is_picture, &files, error);
    if (!failed && !files.count)
        failed = error_set(error, "%s: has no PNG or JPEG file; fill it or remove it", path);
    for (size_t i = 0; i < files.count && !failed; i++)
        if (belongs(reader, name, files.names[i])) {
            char *file = file_join(path, files.names[i]);
            failed = add_image(reader, file, label, error);
            free(file);
        }
    list_done(&files);
    free(path);
    return failed;
}

/* The folders of the training part name the classes, for both parts. */
static int find_classes(const char *folder, const struct data_format *format, struct images *images,
                        struct error *error)
{
    struct name_list list;
    if (list_folder(folder, is_folder, &list, error))
        return -1;
    images->class_names = list.names;
    images->classes = (int)list.count;
    if (list.count < 2 || list.count > IMAGES_CLASSES_MAX)
        return error_set(error, "%s: has %zu folders, one a class; a set needs 2 to %d; %s", folder, list.count,
                         IMAGES_CLASSES_MAX, format->advice);
    for (size_t i = 0; i < list.count; i++)
        if (class_name_check(list.names[i], error))
            return error_prefix(error, "%s", folder);
    return 0;
}

/* Read every folder of `folder`; each must be a class. */
static int read_part(struct part_reader *reader, const char *folder, struct error *error)
{
    struct name_list list;
    int failed = list_folder(folder, is_folder, &list, error);
    for (size_t i = 0; i < list.count && !failed; i++) {
        int label = 0, classes = reader->images->classes;
        while (label < classes && strcmp(reader->images->class_names[label], list.names[i]))
            label++;
        failed = label < classes ? read_class(reader, folder, label, error)
                                 : error_set(error, "%s: %s is no class of the training part; rename it or remove it",
                                             folder, list.names[i]);
    }
    list_done(&list);
    if (!failed && !reader->images->count)
        failed = error_set(error, "%s: has no images in the %s part; add some", folder,
                           reader->part == DATA_TEST ? "test" : "training");
    return failed;
}

static bool has_folders(const char *folder)
{
    struct name_list list = {0};
    bool has = is_folder(folder) && !list_folder(folder, is_folder, &list, NULL) && list.count;
    list_done(&list);
    return has;
}

int folder_read(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                struct images *images, struct error *error)
{
    char *train = file_join(spec->folder, "train"), *test = file_join(spec->folder, "test");
    struct part_reader reader = {.part = part, .split = !has_folders(train), .images = images};
    const char *classes = reader.split ? spec->folder : train;
    images->shape = (struct shape){.channels = format->channels, .height = spec->height, .width = spec->width};
    int failed =
        !reader.split && !has_folders(test)
            ? error_set(error,
                        "%s: has train/ with folders, but no test/ with folders; put the test images there, or "
                        "name %s: one image in %d then is a test image",
                        spec->folder, train, TEST_SHARE)
            : 0;
    failed = failed || find_classes(classes, format, images, error) ||
             read_part(&reader, part == DATA_TEST && !reader.split ? test : classes, error);
    free(train);
    free(test);
    return failed ? -1 : 0;
}
