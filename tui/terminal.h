/*
 * terminal.h - shows a canvas on the terminal and reads keys and the mouse.
 *
 * One at a time, on one thread.  Only changed cells are sent, each frame in one write.  terminal_close() restores the
 * terminal's state.
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

/* Could terminal_open() open it?  -1 with the same message. */
int terminal_check(const char *theme, struct error *error);
/* -1 with a message when standard input or output is not a terminal, or TERM is unknown or can't move the cursor. */
int terminal_open(const char *theme, bool mono, struct terminal **terminal, struct error *error);
void terminal_close(struct terminal *terminal);

void terminal_size(const struct terminal *terminal, int *width, int *height);
void terminal_show(struct terminal *terminal, const struct canvas *canvas);
/* Send bytes that are no cells (emulator.h). */
void terminal_emit(struct terminal *terminal, const char *bytes, size_t length);
/* Redraw everything with the next terminal_show(). */
void terminal_redraw(struct terminal *terminal);

/* The next key (numbers as in request.h), or -1 when none waits. */
int terminal_key(struct terminal *terminal);
/* The last key was a character of pasted text; an end of line is a blank there. */
bool terminal_pasted(const struct terminal *terminal);
struct mouse terminal_mouse(const struct terminal *terminal); /* of the last KEY_CODE_MOUSE */
void terminal_use_mouse(struct terminal *terminal, bool use);
bool terminal_has_colours(const struct terminal *terminal);
int terminal_input(const struct terminal *terminal); /* readable: keys wait */
/* The terminal has not taken all of the last frame: don't show another one yet.  Call terminal_flush() when
   terminal_output() is writable. */
bool terminal_is_behind(const struct terminal *terminal);
void terminal_flush(struct terminal *terminal);
int terminal_output(const struct terminal *terminal);
/* After SIGWINCH: read the size and redraw everything with the next terminal_show(). */
void terminal_resized(struct terminal *terminal);
/* Restore the terminal, stop this process or its whole group, and take the terminal again after SIGCONT.  Without a
   controlling shell the process doesn't stop.  SIGTSTP must be blocked. */
void terminal_suspend(struct terminal *terminal, bool group);
/* After SIGCONT: set the modes again, which another program may have changed. */
void terminal_resume(struct terminal *terminal);

#endif
