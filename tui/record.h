/*
 * record.h - a replay as a file instead of on a terminal.
 *
 * The screens are those that tui_run() shows of the same source (MODE_REPLAY, with its replay, speed, from and
 * compress) while nobody types.  One thread; the replay moves.
 */
#ifndef ESPALIER_TUI_RECORD_H
#define ESPALIER_TUI_RECORD_H

#include "tui/tui.h"

struct record_options {
    int width, height;
    struct tui_options look;
    int pane;         /* an enum pane that is shown alone; -1: all */
    const char *font; /* as in screenshot.h */
};

/* Play to the end and write an asciicast (cast.h), which lasts `*seconds`.  -1 with a message. */
int record_cast(const struct tui_source *source, const struct record_options *options, const char *path,
                double *seconds, struct error *error);
/* Write the screen at source->from as a picture (screenshot.h).  -1 with a message. */
int record_png(const struct tui_source *source, const struct record_options *options, const char *path,
               struct error *error);

#endif
