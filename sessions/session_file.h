/*
 * session_file.h - opens, reads and writes the files of a session, which somebody else may have made.
 *
 * A session is trusted as data only.  So the folder itself may be reached through links, since a person named it, but
 * nothing in it may be one: a place in it (`weights/`) is a folder of its own, and a file is a regular file.  A file
 * that is written where it stands has no second name, in another folder.  Bytes are taken as they are: nothing is
 * gunzipped.
 *
 * `path` is FOLDER/NAME for IN_SESSION and FOLDER/PLACE/NAME for IN_PLACE.  Messages name it.  Any thread.
 */
#ifndef ESPALIER_SESSIONS_SESSION_FILE_H
#define ESPALIER_SESSIONS_SESSION_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

enum session_file_level { IN_SESSION = 1, IN_PLACE = 2 };

/* As open() with O_CLOEXEC; what it makes is readable by its owner and, if `shared`, by whom umask allows.  -1 with a
   message, and errno ENOENT or ENOTDIR when there is no such file. */
int session_file_open(const char *path, enum session_file_level level, int flags, bool shared, struct error *error);
/* The whole file, of at most `limit` bytes.  `*bytes` is the caller's to free(), and one zero byte that is not counted
   follows them.  -1 as session_file_open(). */
int session_file_read(const char *path, enum session_file_level level, size_t limit, void **bytes, size_t *length,
                      struct error *error);
/* As file_write(). */
int session_file_write(const char *path, enum session_file_level level, const void *bytes, size_t length,
                       struct error *error);
/* 0 when there is no such file, or it can be opened; -1 with a message when it isn't the session's own. */
int session_file_check(const char *path, enum session_file_level level, struct error *error);
/* Is there anything of that name, even what session_file_open() refuses? */
bool session_file_exists(const char *path, enum session_file_level level);
/* Remove what processes left that were killed while they wrote a file of the session.  For who holds its locks.  Their
   number. */
int session_files_sweep(const char *folder);
/* Remove it, when it is a file; what is none stays. */
void session_file_remove(const char *path, enum session_file_level level);
/* A descriptor of FOLDER/PLACE, with O_DIRECTORY, or -1 with a message, and errno ENOENT when there is none. */
int session_place_open(const char *path, struct error *error);
/* Make FOLDER/PLACE, unless it is there. */
int session_place_make(const char *path, struct error *error);

#endif
