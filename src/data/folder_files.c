/*
 * folder_files.c - one pass over a folder for each question; every name is sorted into one kind.
 */
#include "data/folder_files.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

static const struct {
    const char *ending, *kind;
    bool first; /* read by the first sessions too */
} endings[] = {{".png", "PNG", true},    {".jpg", "JPEG", true},   {".jpeg", "JPEG", true}, {".jpe", "JPEG", false},
               {".jfif", "JPEG", false}, {".webp", "WebP", false}, {".bmp", "BMP", false}};

void name_list_done(struct name_list *list)
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

/* --- kinds --- */

void file_tally_add(struct file_tally *tally, const char *kind, bool read)
{
    int i = 0;
    if (tally->kind_count == TALLY_KINDS || strlen(kind) >= TALLY_NAME)
        kind = "other files";
    while (i < tally->kind_count && (strcmp(tally->kinds[i].name, kind) || tally->kinds[i].read != read))
        i++;
    if (i == TALLY_KINDS)
        i--; /* the last kind counts all that come after it */
    if (i == tally->kind_count) {
        snprintf(tally->kinds[i].name, TALLY_NAME, "%s", i == TALLY_KINDS - 1 ? "other files" : kind);
        tally->kinds[i].read = read;
        tally->kind_count++;
    }
    tally->kinds[i].count++;
}

static int compare_kinds(const void *a, const void *b)
{
    const struct file_kind *one = a, *other = b;
    return one->count != other->count ? other->count - one->count : strcmp(one->name, other->name);
}

static void print_kinds(const struct file_tally *tally, bool read, const char *before, struct text *text)
{
    for (int i = 0; i < tally->kind_count; i++)
        if (tally->kinds[i].read == read) {
            text_add(text, "%s%s %d", before, tally->kinds[i].name, tally->kinds[i].count);
            before = ", ";
        }
}

void file_tally_print(const struct file_tally *tally, struct text *text)
{
    struct file_tally sorted = *tally; /* by number, the larger first */
    qsort(sorted.kinds, (size_t)sorted.kind_count, sizeof *sorted.kinds, compare_kinds);
    print_kinds(&sorted, true, "", text);
    print_kinds(&sorted, false, "; left out: ", text);
}

/* ".gif" for x.GIF, so that it can be printed. */
static void name_ending(const char *name, char kind[TALLY_NAME])
{
    const char *ending = strrchr(name, '.');
    size_t length = ending ? strlen(ending) : 0;
    snprintf(kind, TALLY_NAME, "%s", ending ? "other files" : "without ending");
    if (!ending || length >= TALLY_NAME)
        return;
    for (size_t i = 1; i < length; i++)
        if (!isalnum((unsigned char)ending[i]))
            return;
    for (size_t i = 0; i <= length; i++)
        kind[i] = (char)tolower((unsigned char)ending[i]);
}

enum entry { ENTRY_PICTURE, ENTRY_FOLDER, ENTRY_OTHER };

static enum entry sort_entry(const char *path, const char *name, bool first, char kind[TALLY_NAME])
{
    struct stat status;
    const char *ending = strrchr(name, '.');
    if (*name == '.' || stat(path, &status) || (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))) {
        snprintf(kind, TALLY_NAME, "%s", *name == '.' ? "hidden files" : "no regular files");
        return ENTRY_OTHER;
    }
    if (S_ISDIR(status.st_mode)) {
        snprintf(kind, TALLY_NAME, "folders");
        return ENTRY_FOLDER;
    }
    for (size_t i = 0; i < COUNT_OF(endings) && ending; i++)
        if (!strcasecmp(ending, endings[i].ending) && (endings[i].first || !first)) {
            snprintf(kind, TALLY_NAME, "%s", endings[i].kind);
            return ENTRY_PICTURE;
        }
    name_ending(name, kind);
    return ENTRY_OTHER;
}

/* --- folders --- */

bool is_folder(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISDIR(status.st_mode);
}

/* The names of one sort; whatever else is there is only counted. */
static int list_entries(const char *folder, enum entry wanted, bool first, struct name_list *list,
                        struct file_tally *tally, struct error *error)
{
    *list = (struct name_list){0};
    DIR *directory = opendir(folder);
    if (!directory)
        return error_set(error, "%s: can't be read as a folder; check the name", folder);
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        char kind[TALLY_NAME];
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        char *path = file_join(folder, name);
        enum entry sort = sort_entry(path, name, first, kind);
        free(path);
        if (sort == wanted) {
            list->names = memory_grow(list->names, list->count, &list->capacity, sizeof *list->names);
            list->names[list->count++] = memory_copy_text(name);
        }
        if (tally && (sort != wanted || wanted == ENTRY_PICTURE))
            file_tally_add(tally, kind, sort == wanted);
    }
    closedir(directory);
    if (list->count)
        qsort(list->names, list->count, sizeof *list->names, compare_names);
    return 0;
}

int folder_pictures(const char *folder, bool first, struct name_list *list, struct file_tally *tally,
                    struct error *error)
{
    return list_entries(folder, ENTRY_PICTURE, first, list, tally, error);
}

int folder_folders(const char *folder, struct name_list *list, struct file_tally *tally, struct error *error)
{
    return list_entries(folder, ENTRY_FOLDER, false, list, tally, error);
}

bool folder_is_empty(const char *folder)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    bool empty = directory;
    while (empty && (entry = readdir(directory)))
        empty = *entry->d_name == '.';
    if (directory)
        closedir(directory);
    return empty;
}
