/*
 * session_folder.h - session folders for tests: written byte by byte, so that they can be wrong in any way.
 */
#ifndef ESPALIER_TESTS_SESSION_FOLDER_H
#define ESPALIER_TESTS_SESSION_FOLDER_H

#include "session_generator.h"

/* A new empty folder in $TMPDIR or in memory, the caller's to free(); folder_remove() takes it away with all in it. */
char *folder_new(void);
void folder_remove(const char *folder);

/* The bytes of a log with these events as they are numbered, and where each frame begins (`offsets` has count + 1
   places, the last is the log's length).  Both the caller's to free(). */
unsigned char *log_bytes(const struct event_list *list, size_t **offsets);
/* Add one frame to `text`. */
void log_add_frame(struct text *text, const void *payload, size_t length);

/* Make `folder`/events.log of these bytes. */
void log_put(const char *folder, const void *bytes, size_t length);
size_t log_size(const char *folder);

#endif
