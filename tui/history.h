/*
 * history.h - what a person typed and chose before: the commands of `:`, and the entries of the palette.
 *
 * It is global, and kept in a file from one process to the next: one line each, the oldest first. Without a file, or where
 * that can't be read or written, it lasts as long as the process. UI thread only.
 */
#ifndef ESPALIER_TUI_HISTORY_H
#define ESPALIER_TUI_HISTORY_H

/* Read the file, and add to it from now on; NULL: none. */
void history_open(const char *path);
/* Add a line; where it is there already, that one goes. */
void history_add(const char *line);
/* The line `back` before the newest, from 1; NULL when there is none. */
const char *history_line(int back);
int history_count(void);
void history_clear(void);

#endif
