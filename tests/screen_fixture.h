/*
 * screen_fixture.h - screens as text, compared with those in tests/screens/.
 *
 * ESPALIER_UPDATE_SCREENS=1 writes the texts anew: look at every one before it is kept.
 */
#ifndef ESPALIER_TESTS_SCREEN_FIXTURE_H
#define ESPALIER_TESTS_SCREEN_FIXTURE_H

#include "tui/canvas.h"

/* Fails the test when tests/screens/`name`.txt is another text. */
void screen_compare(const struct canvas *canvas, const char *name);

#endif
