/* browser_form.h - the form of the list of sessions, for a new search or a resumed one.  Private to browser*.c. */
#ifndef ESPALIER_TUI_BROWSER_FORM_H
#define ESPALIER_TUI_BROWSER_FORM_H

#include "tui/browser.h"

enum { BROWSER_LINE = 1024 };
/* Take the first line off a text; false at its end. */
bool browser_next_line(const char **text, char line[BROWSER_LINE]);

void browser_form_draw(struct browser *browser, struct canvas *canvas);
enum browser_answer browser_form_key(struct browser *browser, int key);

#endif
