/*
 * screens.h - the terminal's screens (tui/) as the command line and the environment ask for them: for a search in this
 * process, an attached one, and a recorded one.
 */
#ifndef ESPALIER_CLI_SCREENS_H
#define ESPALIER_CLI_SCREENS_H

#include "cli/cli.h"
#include "tui/tui.h"

/* On a terminal, and nothing that was asked for rules screens out (--headless, --json, --detach, --dry-run). */
bool screens_wanted(const struct cli_arguments *arguments);

/* Before anything is made, and before any thread: when screens are wanted, can the terminal show them, and what are the
   person's keys?  Then the signals that screens read are blocked (tui.h).  0, or the exit status when it has said what is
   wrong. */
int screens_prepare(const struct cli_arguments *arguments);
/* The part that is about keys (tui/keys.h). */
int screens_read_keys(void);

/* tui_run() with the session's name, --theme, NO_COLOR and the locale.  0, or -1 when the terminal can't be used. */
int screens_run(struct tui_source *source, const struct cli_arguments *arguments, const char *folder,
                enum tui_outcome *outcome, struct error *error);

#endif
