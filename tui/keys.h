/*
 * keys.h - the keys of a person: a file whose lines give requests other keys than the table of request.h.
 *
 *     # widen by +, deepen by *
 *     widen = + W
 *     suspend =
 *
 * A line gives a request all its keys, maybe none.  Which keys are in force is one fact of the program: read them
 * before the screens are drawn.  UI thread only.
 */
#ifndef ESPALIER_TUI_KEYS_H
#define ESPALIER_TUI_KEYS_H

#include <stdbool.h>

#include "util/error.h"
#include "util/text.h"

/* $XDG_CONFIG_HOME/espalier/keys or ~/.config/espalier/keys, the caller's to free(); NULL where neither is set. */
char *keys_path(void);
/* Put that file in force; none is fine.  -1 as keys_parse(). */
int keys_read(struct error *error);
/* Put a file's text in force, over the table.  -1, and nothing changed, with "PATH:LINE: what is wrong" when a line is
   none, names no request or no key, or when two requests would have one key. */
int keys_parse(const char *path, const char *text, struct error *error);
/* Back to the table. */
void keys_reset(void);
/* What is in force, as such a file. */
void keys_print(struct text *text);

#endif
