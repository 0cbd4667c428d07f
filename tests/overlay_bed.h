/*
 * overlay_bed.h - a dialog over the screen session, its keys, and what it shows.
 */
#ifndef ESPALIER_TESTS_OVERLAY_BED_H
#define ESPALIER_TESTS_OVERLAY_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tui/overlay.h"

struct bed {
    struct model model;
    struct canvas canvas;
    struct text text, words;
    struct overlay *overlay;
};

/* `overlay` may be NULL, and set later; close_bed() frees what is there then. */
void open_bed(struct bed *bed, enum model_mode mode, struct overlay *overlay);
void close_bed(struct bed *bed);
/* The overlay on a screen of this size, as text: the bed's, until the next call. */
const char *shown(struct bed *bed, int width, int height);
/* It stays open. */
void press(struct bed *bed, int key);
void type(struct bed *bed, const char *text);

#endif
