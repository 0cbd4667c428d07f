/*
 * test_odd_numbers.c - screens of sessions with numbers that no search writes: NaN, infinities, the largest and the
 * smallest of their types.
 *
 * The state accepts them, since a newer program or a repair may have its reasons.  Every view draws something then, and
 * what is not known is a gap.
 */
#include "config.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "screen_session.h"
#include "sessions/fields.h"
#include "tui/view.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"

static struct random_stream stream;
static int share; /* of the numbers that become odd, in percent */

static double odd_real(void)
{
    static const double values[] = {NAN, INFINITY, -INFINITY, DBL_MAX, -DBL_MAX, DBL_MIN, -1, 0, 1, 1e10, 4294967296.0};
    return values[random_below(&stream, COUNT_OF(values))];
}

static int64_t odd_integer(void)
{
    static const int64_t values[] = {INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, -1, 0, 1, (int64_t)1 << 53};
    return values[random_below(&stream, COUNT_OF(values))];
}

static void make_odd(const struct event_field *field, void *value)
{
    struct event_reals *reals = value;
    if ((int)random_below(&stream, 100) >= share)
        return;
    if (field->type == EVENT_FIELD_REAL)
        *(double *)value = odd_real();
    else if (field->type == EVENT_FIELD_INTEGER)
        *(int64_t *)value = odd_integer();
    else if (field->type == EVENT_FIELD_REALS)
        for (int i = 0; i < reals->count; i++)
            reals->items[i] = odd_real();
}

/* One field at a time, so that many of them are accepted. */
static void fold_odd(void *context, const struct event *event)
{
    struct model *model = context;
    struct event odd, kept;
    int count;
    const struct event_field *fields = event_fields(event->kind, &count);
    event_copy(event, &kept);
    if (session_accepts(model->state, &kept, NULL)) { /* it hangs on one that was refused */
        event_done(&kept);
        return;
    }
    for (int i = 0; i < count; i++) {
        event_copy(&kept, &odd);
        make_odd(&fields[i], event_field_of(&fields[i], &odd.as));
        bool accepted = !session_accepts(model->state, &odd, NULL);
        event_done(accepted ? &kept : &odd);
        if (accepted)
            kept = odd;
    }
    model_apply(model, &kept);
    event_done(&kept);
}

static void draw(struct model *model, int width, int height)
{
    struct canvas canvas;
    struct text text = TEXT_EMPTY;
    canvas_init(&canvas, width, height, true);
    screen_draw(model, &canvas);
    canvas_print(&canvas, &text);
    assert_true(text.length > 0);
    text_done(&text);
    canvas_done(&canvas);
}

static void draw_all(struct model *model)
{
    draw(model, 80, 24);
    draw(model, 200, 60);
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        model->zoomed = true;
        model->focus = (enum pane)pane;
        draw(model, 100, 30);
        model->curves.error_scale = !model->curves.error_scale;
        draw(model, 33, 9);
    }
    model->zoomed = false;
    model->detail.open = true;
    draw(model, 120, 40);
    model->detail.open = false;
}

static void every_view_draws_them(void **state)
{
    (void)state;
    for (int round = 0; round < 12; round++) {
        struct model model;
        stream = random_stream_new((uint64_t)round, RANDOM_TEST, 5, 0);
        share = round % 2 ? 10 : 60;
        model_init(&model, round % 3 ? MODE_LIVE : MODE_REPLAY, "odd");
        screen_session_play(SCREEN_SESSION_MIDDLE, fold_odd, &model);
        for (int order = 0; order < ORDER_COUNT; order++) {
            model.tree.order = (enum tree_order)order;
            model.tree.stale = true;
            model.selected = 1 + (int64_t)random_below(&stream, (uint32_t)model.state->node_count);
            draw_all(&model);
        }
        model_done(&model);
    }
}

/* A curve with one epoch that nobody knows: nothing is drawn in its place, whatever is on both sides. */
static void what_is_not_known_is_a_gap(void **state)
{
    (void)state;
    struct canvas canvas;
    struct model model;
    struct event events[8] = {
        {.kind = EVENT_SESSION, .as.session.format = 1},
        {.kind = EVENT_NODE, .as.node = {.node = 1, .arch = "SM(10)"}},
        {.kind = EVENT_STARTED, .as.started = {.node = 1, .attempt = 1, .epochs = 3}},
    };
    for (int i = 0; i < 3; i++)
        events[3 + i] = (struct event){.kind = EVENT_EPOCH,
                                       .as.epoch = {.node = 1,
                                                    .epoch = i + 1,
                                                    .epochs = 3,
                                                    .train_accuracy = (double)NAN,
                                                    .validation_accuracy = i == 1 ? (double)NAN : 0.5}};
    model_init(&model, MODE_LIVE, "gap");
    for (int i = 0; i < 6; i++) {
        events[i].number = i + 1;
        model_apply(&model, &events[i]);
    }
    canvas_init(&canvas, 60, 12, true);
    view_curves.draw(&model, &canvas, canvas_area(&canvas));
    int dots = 0;
    for (int y = 1; y < 11; y++) /* without the legend */
        for (int x = 0; x < 60; x++) {
            uint32_t glyph = canvas_cell(&canvas, x, y)->glyph;
            dots += glyph > 0x2800 && glyph <= 0x28ff;
        }
    assert_int_equal(dots, 2);
    canvas_done(&canvas);
    model_done(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_view_draws_them),
        cmocka_unit_test(what_is_not_known_is_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
