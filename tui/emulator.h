/*
 * emulator.h - what terminal emulators do beyond cells: the window's title, the clipboard, the bell.
 *
 * Each function adds the bytes to a text, which the caller sends, or nothing for a terminal that is not known to understand
 * them. Inside tmux and screen the clipboard's are also wrapped, for the terminal outside. Pure but for the environment
 * (TERM, TMUX).
 */
#ifndef ESPALIER_TUI_EMULATOR_H
#define ESPALIER_TUI_EMULATOR_H

#include "util/text.h"

/* Keep the terminal's own title, and bring it back. */
void emulator_keep_title(struct text *bytes);
void emulator_restore_title(struct text *bytes);
/* Control characters in it are made visible. */
void emulator_title(const char *title, struct text *bytes);
/* Put a text into the clipboard (OSC 52), where the person's terminal allows that. */
void emulator_copy(const char *text, struct text *bytes);
void emulator_bell(struct text *bytes);

#endif
