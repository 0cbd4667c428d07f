/*
 * file.h - whole files, written so that a crash leaves either the old content or the new.
 *
 * Every message names the path and what to do.
 */
#ifndef ESPALIER_UTIL_FILE_H
#define ESPALIER_UTIL_FILE_H

#include <stddef.h>

#include "util/error.h"

/* Open a regular file to read it: a descriptor, and its length in `*size`; or -1. */
int file_open(const char *path, size_t *size, struct error *error);

/* Read the whole of `path`, a regular file: a pipe or a device could wait or go on for ever.  Fails for more than `limit`
   bytes.  `*bytes` is the caller's to free(), and one zero byte that is not counted follows the content. */
int file_read(const char *path, size_t limit, void **bytes, size_t *length, struct error *error);

/* The same, gunzipping it when it is gzip.  Unpacked it may have FILE_GZIP_RATIO bytes for each of the file's, and
   FILE_GZIP_FLOOR more (gzip's most is 1032): so a small file can't take much time or memory. */
enum { FILE_GZIP_RATIO = 100, FILE_GZIP_FLOOR = 1 << 20 };
int file_read_gzip(const char *path, size_t limit, void **bytes, size_t *length, struct error *error);

/* Write a temporary file beside `path`, fsync it, rename it to `path`, fsync the folder.  With two writers of one path
   the last one wins.  What isn't a regular file (/dev/stdout, a pipe) is written directly. */
int file_write(const char *path, const void *bytes, size_t length, struct error *error);

/* The same for `name` in an open folder; what has that name is replaced, whatever it is.  -1 with errno. */
int file_write_at(int folder, const char *name, const void *bytes, size_t length);

/* 0 when file_write() will probably be able to write it: for a check before long work. */
int file_may_write(const char *path, struct error *error);

/* Remove the temporary files that processes left in an open folder when they were killed: those of the file `name` and of
   files whose names go on behind it with a dot; with NULL those of any file.  Only for who alone writes there.  Their
   number. */
int file_sweep(int folder, const char *name);

/* Reserve `path`, and names that go on behind it with a dot, for one process that writes them: a lock on PATH.lock, which
   ends with the process.  What a killed one left is removed.  A descriptor for file_release(), or -1: another process has
   it, or the folder can't be written.  What isn't a regular file can't be reserved and needs no reservation: -2. */
int file_reserve(const char *path, struct error *error);
void file_release(const char *path, int reservation);

/* As mkdir -p, with fsync; an existing folder is fine. */
int file_make_folder(const char *path, struct error *error);

/* fsync a folder, so that names that are new in it survive a power cut.  -1 with errno. */
int file_sync_folder(const char *folder);

int file_exists(const char *path);

/* "a/b" in new memory, the caller's to free(). */
char *file_join(const char *folder, const char *name);

#endif
