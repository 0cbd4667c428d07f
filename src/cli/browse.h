/* browse.h - `espalier` without arguments on a terminal: the list of sessions (tui/browser.h). */
#ifndef ESPALIER_CLI_BROWSE_H
#define ESPALIER_CLI_BROWSE_H

/* Until the person leaves.  Return the exit status. */
int browse(void);

#endif
