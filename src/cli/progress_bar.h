/* progress_bar.h - a progress bar with a text, redrawn in place on the last line of a terminal. */
#ifndef ESPALIER_CLI_PROGRESS_BAR_H
#define ESPALIER_CLI_PROGRESS_BAR_H

#include <stdbool.h>
#include <stdio.h>

/* `share` is 0…1.  The line is cut to the terminal's width. */
void progress_bar_draw(FILE *out, double share, bool unicode, const char *text);
/* Erase the line, for what is printed next. */
void progress_bar_clear(FILE *out);

#endif
