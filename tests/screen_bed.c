/* screen_bed.c - see screen_bed.h. */
#include "screen_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "screen_fixture.h"
#include "screen_session.h"

static void fold(void *model, const struct event *event)
{
    model_apply(model, event);
}

void screen_open_model(struct model *model, enum model_mode mode, double seconds)
{
    model_init(model, mode, "fashion-7");
    screen_session_play(seconds, fold, model);
    model->message[0] = '\0';
}

static void check(struct model *model, int width, int height, bool unicode, bool mono, const char *name)
{
    struct canvas canvas;
    canvas_init(&canvas, width, height, unicode);
    canvas.mono = mono;
    screen_draw(model, &canvas);
    screen_compare(&canvas, name);
    canvas_done(&canvas);
}

void screen_check(struct model *model, int width, int height, bool unicode, const char *name)
{
    check(model, width, height, unicode, false, name);
}

void screen_check_mono(struct model *model, int width, int height, const char *name)
{
    check(model, width, height, true, true, name);
}

bool screen_shows(struct model *model, int width, int height, const char *what)
{
    struct canvas canvas;
    struct text text = TEXT_EMPTY;
    canvas_init(&canvas, width, height, true);
    screen_draw(model, &canvas);
    canvas_print(&canvas, &text);
    bool found = strstr(text_string(&text), what) != NULL;
    canvas_done(&canvas);
    text_done(&text);
    return found;
}
