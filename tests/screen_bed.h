/* screen_bed.h - a model in the middle of a search, and whole screens compared as text with those in tests/screens/. */
#ifndef ESPALIER_TESTS_SCREEN_BED_H
#define ESPALIER_TESTS_SCREEN_BED_H

#include "tui/view.h"

/* The search of screen_session.h up to `seconds`.  model_done() it. */
void screen_open_model(struct model *model, enum model_mode mode, double seconds);
/* Fail unless the screen is that of tests/screens/NAME.txt.  ESPALIER_UPDATE_SCREENS=1 writes it anew. */
void screen_check(struct model *model, int width, int height, bool unicode, const char *name);
/* Likewise of a terminal without colours. */
void screen_check_mono(struct model *model, int width, int height, const char *name);
/* Is the text on the screen? */
bool screen_shows(struct model *model, int width, int height, const char *what);

#endif
