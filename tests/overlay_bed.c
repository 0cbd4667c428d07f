/* overlay_bed.c - see overlay_bed.h. */
#include "config.h"

#include "overlay_bed.h"

#include "screen_session.h"

static void fold(void *model, const struct event *event)
{
    model_apply(model, event);
}

void open_bed(struct bed *bed, enum model_mode mode, struct overlay *overlay)
{
    *bed = (struct bed){.overlay = overlay};
    model_init(&bed->model, mode, "fashion-7");
    screen_session_play(SCREEN_SESSION_MIDDLE, fold, &bed->model);
    canvas_init(&bed->canvas, 80, 24, true);
}

void close_bed(struct bed *bed)
{
    if (bed->overlay)
        overlay_free(bed->overlay);
    model_done(&bed->model);
    canvas_done(&bed->canvas);
    text_done(&bed->text);
    text_done(&bed->words);
}

const char *shown(struct bed *bed, int width, int height)
{
    canvas_reset(&bed->canvas, width, height);
    overlay_draw(bed->overlay, &bed->model, &bed->canvas);
    text_clear(&bed->text);
    canvas_print(&bed->canvas, &bed->text);
    return text_string(&bed->text);
}

void press(struct bed *bed, int key)
{
    assert_int_equal(overlay_key(bed->overlay, &bed->model, key, &bed->words), OVERLAY_OPEN);
}

void type(struct bed *bed, const char *text)
{
    for (; *text; text++)
        press(bed, *text);
}
