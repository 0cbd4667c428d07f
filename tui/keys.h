/*
 * keys.h - the key file: gives requests other keys than the table in request.h.
 *
 *     # widen by +, deepen by *
 *     widen = + W
 *     suspend =
 *
 * A line replaces all keys of a request; it may leave it none.  The keys in force are global: read the file before the
 * screens are drawn.  UI thread only.
 */
#ifndef ESPALIER_TUI_KEYS_H
#define ESPALIER_TUI_KEYS_H

#include <stdbool.h>

#include "util/error.h"
#include "util/text.h"

/* $XDG_CONFIG_HOME/espalier/keys or ~/.config/espalier/keys, the caller's to free(); NULL where neither is set. */
char *keys_path(void);
/* Read that file and use its keys; a missing file is fine.  -1 as keys_parse(). */
int keys_read(struct error *error);
/* Use the keys of a file's text.  -1 with "PATH:LINE: what is wrong", and nothing is changed, when a line is malformed,
   names an unknown request or key, or gives two requests the same key. */
int keys_parse(const char *path, const char *text, struct error *error);
/* Use the table's keys again. */
void keys_reset(void);
/* The keys in force, in the format of the file. */
void keys_print(struct text *text);

#endif
