/*
 * test_dialogs.c - every dialog over the screen as text, at each size, compared with tests/screens/.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "screen_fixture.h"
#include "screen_session.h"
#include "tui/overlay.h"
#include "tui/view.h"
#include "util/bug.h"

static void fold(void *model, const struct event *event)
{
    model_apply(model, event);
}

static void open_model(struct model *model, enum model_mode mode, double seconds)
{
    model_init(model, mode, "fashion-7");
    screen_session_play(seconds, fold, model);
    model->message[0] = '\0';
}

/* A dialog over the screen, of every size; in ASCII too. */
static void check_dialog(struct model *model, struct overlay *overlay, const char *name)
{
    static const struct { int width, height; bool unicode; const char *suffix; } sizes[] = {
        {80, 24, true, "80x24"}, {80, 24, false, "80x24-ascii"}, {120, 40, true, "120x40"}, {200, 60, true, "200x60"}};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct canvas canvas;
        char file[64];
        snprintf(file, sizeof file, "%s-%s", name, sizes[i].suffix);
        canvas_init(&canvas, sizes[i].width, sizes[i].height, sizes[i].unicode);
        screen_draw(model, &canvas);
        overlay_draw(overlay, model, &canvas);
        screen_compare(&canvas, file);
        canvas_done(&canvas);
    }
    overlay_free(overlay);
}

/* Three actions, one of which changes the function. */
static struct overlay *grow_several(struct model *model)
{
    static const int keys[] = {KEY_CODE_UP, KEY_CODE_RIGHT, '1', '4', 'i', KEY_CODE_RIGHT, KEY_CODE_RIGHT, '6'};
    struct overlay *overlay = overlay_widen(model, 37);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        overlay_key(overlay, model, keys[i], NULL);
    return overlay;
}

static struct overlay *palette_of(struct model *model, const char *words)
{
    struct overlay *overlay = overlay_palette(model);
    for (; *words; words++)
        overlay_key(overlay, model, *words, NULL);
    return overlay;
}

static void dialogs(void **state)
{
    (void)state;
    struct model model;
    open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    check_dialog(&model, overlay_history(), "history");
    check_dialog(&model, grow_several(&model), "grow");
    check_dialog(&model, overlay_help(), "help");
    check_dialog(&model, overlay_fork(&model), "fork");
    check_dialog(&model, overlay_palette(&model), "palette");
    check_dialog(&model, palette_of(&model, "conv9"), "palette-words");
    model_done(&model);
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {cmocka_unit_test(dialogs)};
    return cmocka_run_group_tests_name("dialogs", tests, NULL, NULL);
}
