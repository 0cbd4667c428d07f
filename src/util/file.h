/*
 * file.h - whole files, written so that a crash leaves the old one or the new one, never half of one.
 *
 * Every message names the path and what to do.
 */
#ifndef ESPALIER_UTIL_FILE_H
#define ESPALIER_UTIL_FILE_H

#include <stddef.h>

#include "util/error.h"

/* Read the whole of `path`, gunzipping it when it is gzip.  Refuses more than `limit` bytes after
   expansion.  `*bytes` is the caller's to free(), and one zero byte that is not counted follows the content. */
int file_read(const char *path, size_t limit, void **bytes, size_t *length, struct error *error);

/* Write beside it, fsync, rename over `path`, fsync the folder.  One writer a path at a time.  What isn't a regular
   file (/dev/stdout, a pipe) is written straight. */
int file_write(const char *path, const void *bytes, size_t length, struct error *error);

/* Can file_write() write it later?  Asked before long work; no promise. */
int file_may_write(const char *path, struct error *error);

/* mkdir -p, and fsync the folders that got one; an existing folder is fine. */
int file_make_folder(const char *path, struct error *error);

int file_exists(const char *path);

/* "a/b" in new memory, the caller's to free(). */
char *file_join(const char *folder, const char *name);

#endif
