/*
 * tty.h - the terminal device: modes, size, output, and restoring it after a crash.
 *
 * One per process.  Output never waits for a terminal that takes no bytes (a lost connection, Ctrl-S): they are
 * buffered and sent later.  UI thread only, except the crash handler, which may run on any thread.
 */
#ifndef ESPALIER_TUI_TTY_H
#define ESPALIER_TUI_TTY_H

#include <stdbool.h>
#include <stddef.h>

/* Save the modes of standard input; `restore` (copied) is written to the terminal when the program crashes in raw mode.
   */
void tty_open(const char *restore, size_t length);
void tty_close(void);

/* Raw mode: keys come one by one, are not echoed and raise no signals.  tty_give_back() waits up to a second for
   buffered output and restores the saved modes. */
void tty_take(void);
void tty_give_back(void);
/* In columns and rows; false: unknown. */
bool tty_size(int *width, int *height);

void tty_send(const char *bytes, size_t length);
/* Output is buffered: call tty_flush() when tty_descriptor() is writable. */
bool tty_is_behind(void);
void tty_flush(void);
int tty_descriptor(void);

#endif
