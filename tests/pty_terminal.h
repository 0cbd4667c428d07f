/*
 * pty_terminal.h - a program on a pseudo-terminal, and the screen that a person in front of it would see.
 *
 * The program leads a session of its own and has a clean environment; what it writes goes through libvterm, what is
 * sent comes to it as typed.  Every wait ends as soon as what it waits for is there, or the program has ended, or
 * PTY_PATIENCE is over; none sleeps.  One thread.
 */
#ifndef ESPALIER_TESTS_PTY_TERMINAL_H
#define ESPALIER_TESTS_PTY_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

#include "util/text.h"

#define PTY_PATIENCE 30.0 /* seconds: only what fails waits so long */

/* Keys as xterm sends them to a program that asked for its keypad. */
#define PTY_UP              "\033OA"
#define PTY_DOWN            "\033OB"
#define PTY_RIGHT           "\033OC"
#define PTY_LEFT            "\033OD"
#define PTY_ENTER           "\r"
#define PTY_ESCAPE          "\033"
#define PTY_CONTROL(letter) ((char[]){(letter)&0x1f, 0})

struct pty_terminal;

struct pty_setup {
    int width, height;
    const char *terminal;           /* TERM; NULL: not set */
    const char *folder;             /* where the program runs; its home too */
    const char *const *environment; /* more of it, "NAME=VALUE", ended by NULL; NULL: no more */
};

struct pty_cell {
    uint32_t glyph; /* 0: nothing was ever written there, or the right half of a wide one */
    bool bold, underline, reverse;
    bool coloured; /* its foreground or background is not the terminal's own */
};

/* Start `arguments[0]` (a path, or a name in $PATH); NULL ends the list.  NULL when there is no pseudo-terminal to be
   had. */
struct pty_terminal *pty_start(const struct pty_setup *setup, const char *const *arguments);
/* Kill the program if it still runs. */
void pty_free(struct pty_terminal *terminal);

void pty_send(struct pty_terminal *terminal, const char *keys);
void pty_send_bytes(struct pty_terminal *terminal, const void *bytes, size_t length);
void pty_resize(struct pty_terminal *terminal, int width, int height);
/* The terminal goes away, as when ssh loses its connection: nothing can be sent or seen any more. */
void pty_hang_up(struct pty_terminal *terminal);
/* Nothing is read any more, as from a terminal that is stopped; or it is again. */
void pty_set_deaf(struct pty_terminal *terminal, bool deaf);
/* The process group that has the terminal: of a shell's job, while there is one. */
pid_t pty_foreground(const struct pty_terminal *terminal);
pid_t pty_process(const struct pty_terminal *terminal);

/* Waits: true when it came, false when patience or the program ended first. */
typedef bool pty_condition(struct pty_terminal *terminal, const void *context);
bool pty_wait(struct pty_terminal *terminal, pty_condition *condition, const void *context);
/* `text` is in this row (from 0); row -1: in any. */
bool pty_wait_text(struct pty_terminal *terminal, int row, const char *text);
bool pty_wait_no_text(struct pty_terminal *terminal, int row, const char *text);
/* Bytes came since the last pty_send(), and the frame that they are of is whole. */
bool pty_wait_bytes(struct pty_terminal *terminal);
/* No byte came for so long: true at once when the program has ended. */
bool pty_wait_quiet(struct pty_terminal *terminal, double seconds);
/* Take what comes in this time, whatever it is; how many bytes came. */
size_t pty_watch(struct pty_terminal *terminal, double seconds);
/* A deaf terminal: all that it and the system hold for it is full. */
bool pty_wait_full(struct pty_terminal *terminal);
/* The program's end, with all that it wrote read.  `*status` is waitpid()'s. */
bool pty_wait_exit(struct pty_terminal *terminal, int *status);

bool pty_has_text(struct pty_terminal *terminal, int row, const char *text);
/* Rows as UTF-8 without blanks at their ends; the screen is all of them, each with a newline. */
void pty_print_row(struct pty_terminal *terminal, int row, struct text *text);
void pty_print_screen(struct pty_terminal *terminal, struct text *text);
struct pty_cell pty_cell(struct pty_terminal *terminal, int row, int column);
void pty_size(const struct pty_terminal *terminal, int *width, int *height);
bool pty_is_alternate(const struct pty_terminal *terminal);
bool pty_shows_cursor(const struct pty_terminal *terminal);
void pty_modes(const struct pty_terminal *terminal, struct termios *modes);
/* As they were before the program started. */
void pty_modes_at_first(const struct pty_terminal *terminal, struct termios *modes);

/* All bytes that came since the start, or since they were last forgotten. */
const char *pty_bytes(const struct pty_terminal *terminal, size_t *length);
void pty_forget(struct pty_terminal *terminal);

#endif
