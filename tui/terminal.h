/*
 * terminal.h - the terminal itself: a canvas out, keys in, and everything put back as it was.
 *
 * One at a time, on one thread.  A frame reaches the terminal in one write and only where cells changed: nothing
 * changed, nothing sent.
 */
#ifndef ESPALIER_TUI_TERMINAL_H
#define ESPALIER_TUI_TERMINAL_H

#include "tui/canvas.h"
#include "util/error.h"

struct terminal;

struct mouse {
    int x, y;
    int wheel;  /* -1 up, 1 down, 0: a button */
    bool drag;  /* the button is held and the place moved */
};

/* Can it be opened?  -1 as terminal_open. */
int terminal_check(const char *theme, struct error *error);
/* -1 with one line when standard input or output is no terminal, or TERM is unknown or too dumb. */
int terminal_open(const char *theme, bool mono, struct terminal **terminal, struct error *error);
void terminal_close(struct terminal *terminal);

void terminal_size(const struct terminal *terminal, int *width, int *height);
void terminal_show(struct terminal *terminal, const struct canvas *canvas);
/* Draw all of it anew with the next show (C-l, and after fg). */
void terminal_redraw(struct terminal *terminal);

/* The next key that waits (request.h's numbers), or -1. */
int terminal_key(struct terminal *terminal);
/* The last key is a character of pasted text (a line's end is a blank there), which is no request. */
bool terminal_pasted(const struct terminal *terminal);
struct mouse terminal_mouse(const struct terminal *terminal); /* of the last KEY_CODE_MOUSE */
void terminal_use_mouse(struct terminal *terminal, bool use);
int terminal_input(const struct terminal *terminal); /* readable: keys wait */
/* The terminal did not take the last frame whole: show no other before it did.  terminal_flush() when terminal_output()
   is writable. */
bool terminal_is_behind(const struct terminal *terminal);
void terminal_flush(struct terminal *terminal);
int terminal_output(const struct terminal *terminal);
/* SIGWINCH came: look at the size, and draw all of it anew with the next show. */
void terminal_resized(struct terminal *terminal);
/* Give the terminal back, stop this process or its whole group, and take it again when it goes on.  It does not stop
   where no shell could make it go on.  SIGTSTP must be blocked. */
void terminal_suspend(struct terminal *terminal, bool group);
/* SIGCONT came: whatever has had the terminal meanwhile, it is ours again. */
void terminal_resume(struct terminal *terminal);

#endif
