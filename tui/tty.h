/*
 * tty.h - the terminal's device: its modes, its size, bytes to it, and its state put back after a crash.
 *
 * One a process.  Nothing here waits for a terminal that takes no bytes (a lost connection, a stopped screen): what it
 * does not take now is kept and sent later.  UI thread only, but for the crash handler, which any thread may enter.
 */
#ifndef ESPALIER_TUI_TTY_H
#define ESPALIER_TUI_TTY_H

#include <stdbool.h>
#include <stddef.h>

/* Remember the modes of standard input; `restore` (copied) is what a crash writes to the terminal while it is taken. */
void tty_open(const char *restore, size_t length);
void tty_close(void);

/* Take the terminal: keys come one by one, unechoed, and none is a signal.  Giving it back sends what is kept, if the
   terminal takes it within a second, and sets the modes as they were found. */
void tty_take(void);
void tty_give_back(void);
/* Columns and rows; false: the device doesn't know. */
bool tty_size(int *width, int *height);

void tty_send(const char *bytes, size_t length);
/* Bytes are kept that the terminal did not take yet: wait until tty_descriptor() is writable, then tty_flush(). */
bool tty_is_behind(void);
void tty_flush(void);
int tty_descriptor(void);

#endif
