/* bar.h - the last line of a terminal, redrawn in place: a bar and what it stands for. */
#ifndef ESPALIER_CLI_BAR_H
#define ESPALIER_CLI_BAR_H

#include <stdbool.h>
#include <stdio.h>

/* `share` 0…1; the line is cut to the terminal's width. */
void bar_draw(FILE *out, double share, bool unicode, const char *text);
/* Leave an empty line for what is printed next. */
void bar_clear(FILE *out);

#endif
