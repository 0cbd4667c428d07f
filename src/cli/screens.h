/*
 * screens.h - runs the screens (tui/) with the settings of the command line and the environment.
 */
#ifndef ESPALIER_CLI_SCREENS_H
#define ESPALIER_CLI_SCREENS_H

#include "cli/cli.h"
#include "tui/tui.h"

/* Standard input and output are a terminal, and no option asks for something else (--headless, --json, --detach,
   --dry-run, --cast, --png). */
bool screens_wanted(const struct cli_arguments *arguments);

/* When screens are wanted: check the terminal and --theme, read the key file, block the signals that screens read
   (tui.h).  Call it before anything is made and before any thread.  0, or the exit status after a message. */
int screens_prepare(const struct cli_arguments *arguments);
/* Read the key file (tui/keys.h) only. */
int screens_read_keys(void);

/* NO_COLOR, the locale and what TERM says of the font; `theme` as in tui.h. */
struct tui_options screens_options(const char *theme);
/* tui_run() with the session's name, --theme, NO_COLOR and the locale.  0, or -1 when the terminal can't be used. */
int screens_run(struct tui_source *source, const struct cli_arguments *arguments, const char *folder,
                enum tui_outcome *outcome, struct error *error);

#endif
