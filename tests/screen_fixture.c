/* screen_fixture.c - see screen_fixture.h. */
#include "config.h"

#include "screen_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/file.h"

void screen_compare(const struct canvas *canvas, const char *name)
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
