/* screen_file.h - compares a canvas with tests/screens/NAME.txt.  Include it after cmocka.h. */
#ifndef ESPALIER_TESTS_SCREEN_FILE_H
#define ESPALIER_TESTS_SCREEN_FILE_H

#include <stdlib.h>
#include <string.h>

#include "tui/canvas.h"
#include "util/file.h"

/* Fails where they differ.  ESPALIER_UPDATE_SCREENS=1 writes the text anew: look at every one before it is kept. */
static inline void compare_screen(const struct canvas *canvas, const char *name)
{
    const char *source = getenv("top_srcdir"), *update = getenv("ESPALIER_UPDATE_SCREENS");
    struct text shown = TEXT_EMPTY, path = TEXT_EMPTY;
    struct error error;
    void *bytes;
    size_t length;
    canvas_print(canvas, &shown);
    text_add(&path, "%s/tests/screens/%s.txt", source ? source : ".", name);
    if (update && *update == '1' && file_write(text_string(&path), text_string(&shown), shown.length, &error))
        fail_msg("%s", error.text);
    if (file_read(text_string(&path), 1 << 20, &bytes, &length, &error))
        fail_msg("%s", error.text);
    if (length != shown.length || memcmp(bytes, text_string(&shown), length))
        fail_msg("the screen %s is not what %s has:\n%s", name, text_string(&path), text_string(&shown));
    free(bytes);
    text_done(&shown);
    text_done(&path);
}

#endif
