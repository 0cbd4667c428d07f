/*
 * folder_files.h - what lies in a folder of pictures: names in order of bytes, and a count of all files by their kind;
 * for src/data/.
 *
 * Links are followed: one to a picture is a picture, one to a folder a folder.  A name that begins with a point is
 * hidden.  A file is a picture by its ending, and only if it is a regular file: a pipe would wait for ever.
 */
#ifndef ESPALIER_DATA_FOLDER_FILES_H
#define ESPALIER_DATA_FOLDER_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"
#include "util/text.h"

struct name_list {
    char **names;
    size_t count, capacity;
};
void name_list_done(struct name_list *list);

/* How many files there are of each kind; zero at first. */
enum { TALLY_KINDS = 24, TALLY_NAME = 20 };
struct file_kind {
    char name[TALLY_NAME];
    int count;
    bool read;
};
struct file_tally {
    struct file_kind kinds[TALLY_KINDS];
    int kind_count;
};
/* Kinds that don't fit are counted together. */
void file_tally_add(struct file_tally *tally, const char *kind, bool read);
/* "PNG 150, JPEG 30; left out: .gif 2, hidden files 1" */
void file_tally_print(const struct file_tally *tally, struct text *text);

bool is_folder(const char *path);
/* The pictures in a folder; with `first` PNG and JPEG files alone, as the first sessions read them.  `tally`, which may
   be NULL, counts all that is there. */
int folder_pictures(const char *folder, bool first, struct name_list *list, struct file_tally *tally,
                    struct error *error);
/* The folders in it; `tally` counts the files that lie beside them. */
int folder_folders(const char *folder, struct name_list *list, struct file_tally *tally, struct error *error);
/* Is nothing in it but hidden files? */
bool folder_is_empty(const char *folder);

#endif
