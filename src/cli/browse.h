/* browse.h - `espalier` without arguments on a terminal: the list of sessions (tui/browser.h). */
#ifndef ESPALIER_CLI_BROWSE_H
#define ESPALIER_CLI_BROWSE_H

/* Until the person leaves, on a terminal that tui_check() accepts.  Return the exit status. */
int browse(void);

#endif
