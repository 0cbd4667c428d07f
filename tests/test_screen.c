/*
 * test_screen.c - whole screens as text, compared with those in tests/screens/; and screens of any size after any keys.
 */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "race_session.h"
#include "screen_bed.h"
#include "screen_fixture.h"
#include "screen_session.h"
#include "session_generator.h"
#include "sessions/log.h"
#include "tui/overlay.h"
#include "tui/view.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/random.h"

static void fold(void *model, const struct event *event)
{
    model_apply(model, event);
}

static void live_screens(void **state)
{
    (void)state;
    struct model model;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    screen_check(&model, 80, 24, true, "80x24");
    screen_check(&model, 80, 24, false, "80x24-ascii");
    screen_check(&model, 120, 40, true, "120x40");
    screen_check(&model, 200, 60, true, "200x60");
    model_done(&model);
}

/* A real search, the gallery's, as it stood after some minutes: README shows these. */
static void gallery_screens(void **state)
{
    (void)state;
    const double seconds = 300;
    const char *source = getenv("top_srcdir");
    struct text folder = TEXT_EMPTY;
    struct error error;
    struct log_reader *reader;
    struct event event;
    struct model model;
    text_add(&folder, "%s/sessions/gallery/fashion-mnist.esp", source ? source : ".");
    if (log_read(text_string(&folder), &reader, &error))
        fail_msg("%s", error.text);
    model_init(&model, MODE_LIVE, "fashion-mnist");
    for (bool more = true; more && log_next(reader, &event, &error) == LOG_EVENT; event_done(&event)) {
        more = event.time <= seconds;
        if (more)
            model_apply(&model, &event);
    }
    model.now = seconds;
    model.message[0] = '\0';
    screen_check(&model, 80, 24, true, "gallery-80x24");
    screen_check(&model, 80, 24, false, "gallery-80x24-ascii");
    screen_check(&model, 120, 40, true, "gallery-120x40");
    screen_check(&model, 200, 60, true, "gallery-200x60");
    model_done(&model);
    log_reader_free(reader);
    text_done(&folder);
}

static void open_race(struct model *model, enum race_moment moment)
{
    model_init(model, MODE_LIVE, "fashion-7");
    race_session_play(moment, fold, model);
    model->ended = moment == RACE_END;
    model->message[0] = '\0';
}

/* A search of rounds in each of its phases. */
static void race_screens(void **state)
{
    static const char *const names[] = {"start", "growth", "baseline", "finish", "end"};
    (void)state;
    for (int moment = RACE_START; moment <= RACE_END; moment++) {
        struct model model;
        char name[64];
        open_race(&model, (enum race_moment)moment);
        snprintf(name, sizeof name, "race-%s-80x24", names[moment]);
        screen_check(&model, 80, 24, true, name);
        if (moment == RACE_GROWTH)
            screen_check(&model, 80, 24, false, "race-growth-80x24-ascii");
        snprintf(name, sizeof name, "race-%s-120x40", names[moment]);
        screen_check(&model, 120, 40, true, name);
        if (moment == RACE_END) {
            model.detail.open = true;
            screen_check(&model, 80, 24, true, "race-detail-80x24");
            model.selected = 23;
            screen_check(&model, 120, 40, true, "race-detail-120x40");
            model.detail.open = false;
            model.focus = PANE_TRADE;
            model.zoomed = true;
            screen_check(&model, 80, 24, true, "race-trade-80x24");
        }
        model_done(&model);
    }
}

static void detail_screens(void **state)
{
    (void)state;
    struct model model;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    model.detail.open = true;
    screen_check(&model, 80, 24, true, "detail-80x24");
    screen_check(&model, 120, 40, true, "detail-120x40");
    model.detail.top = 6;
    screen_check(&model, 80, 24, true, "detail-scrolled-80x24");
    model.detail.top = 1 << 20; /* settles at the last line */
    screen_check(&model, 80, 24, true, "detail-end-80x24");
    tree_select(&model, 37); /* it is trained: the health of its layers is known */
    screen_check(&model, 80, 24, true, "health-80x24");
    screen_check(&model, 80, 24, false, "health-80x24-ascii");
    screen_check(&model, 120, 40, true, "health-120x40");
    screen_check(&model, 200, 60, true, "health-200x60");
    model_done(&model);
}

static void leaderboards(void **state)
{
    struct model model;
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    board_toggle(&model);
    screen_check(&model, 80, 24, true, "board-80x24");
    screen_check(&model, 80, 24, false, "board-80x24-ascii");
    screen_check(&model, 120, 40, true, "board-120x40");
    screen_check(&model, 200, 60, true, "board-200x60");
    tree_find(&model, "acc>91 params<20k layer:conv");
    screen_check(&model, 120, 40, true, "board-found-120x40");
    model_done(&model);
}

/* Before anything is known, after the end, paused, and with a driver that hangs. */
static void states_of_a_search(void **state)
{
    (void)state;
    struct model model;
    model_init(&model, MODE_LIVE, "fashion-7");
    screen_check(&model, 80, 24, true, "empty-80x24");
    model_done(&model);
    screen_open_model(&model, MODE_LIVE, 14);
    screen_check(&model, 80, 24, true, "young-80x24");
    model_done(&model);
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_END);
    model.ended = true;
    screen_check(&model, 120, 40, true, "ended-120x40");
    model_done(&model);
    screen_open_model(&model, MODE_ATTACHED, SCREEN_SESSION_MIDDLE);
    model_end(&model);
    screen_check(&model, 80, 24, true, "died-80x24");
    screen_check(&model, 120, 40, true, "died-120x40");
    model_done(&model);
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    model_say(&model, "grow 37 widen:conv1:40: no: 2610000 FLOPs an image, 110000 over the limit of 2500000; use a "
                      "smaller network or raise --limit-flops");
    screen_check(&model, 80, 24, true, "message-80x24"); /* in full */
    model_done(&model);
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    model.state->paused = true;
    model.now += 75;
    screen_check(&model, 80, 24, true, "paused-80x24");
    model_done(&model);
}

/* A search that mixes processors and GPUs: two trainers on one, a part of one that doesn't say how busy it is, a lost
   one, and one without any reading. */
static void gpu_screens(void **state)
{
    (void)state;
    char *ids[] = {"cuda:0", "cuda:0.1", "cuda:1", "cuda:2", "cuda:3"};
    struct model model;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    int64_t number = model.state->last_number;
    double time = model.state->time;
    struct event event = {.kind = EVENT_OPENED, .number = ++number, .time = time};
    event.as.opened = (struct event_opened){.program = "espalier", .host = "box", .devices = {COUNT_OF(ids), ids}};
    model_apply(&model, &event);
    for (int i = 0, queued = 0; i < 3 && queued < model.state->node_count;) {
        const struct session_node *node = session_node(model.state, ++queued);
        if (node->status != NODE_QUEUED)
            continue;
        event = (struct event){.kind = EVENT_STARTED, .number = ++number, .time = time};
        event.as.started = (struct event_started){.node = queued, .device = ids[i++], .attempt = 1, .epochs = 8};
        model_apply(&model, &event);
    }
    event = (struct event){.kind = EVENT_LOST, .number = ++number, .time = time};
    event.as.lost = (struct event_lost){.device = "cuda:2", .message = "launching a kernel: CUDA error 719"};
    model_apply(&model, &event);
    for (int second = 0; second < 30; second++) {
        const struct event_sample samples[] = {
            {ids[0], 0.7 + 0.01 * second, 11.2 * 0x1p30, 80 * 0x1p30, 61, 402, 1.98e9},
            {ids[1], 0.7 + 0.01 * second, 11.2 * 0x1p30, 80 * 0x1p30, 61, 402, 1.98e9},
            {ids[2], NAN, 0.5 * 0x1p30, 4.75 * 0x1p30, 93, 71, 1.41e9},
            {ids[3], 0, 0.4 * 0x1p30, 16 * 0x1p30, 34, NAN, 0.3e9},
        };
        for (size_t i = 0; i < COUNT_OF(samples); i++) {
            event = (struct event){.kind = EVENT_SAMPLE, .number = number, .time = time + second * 0.1};
            event.as.sample = samples[i];
            model_apply(&model, &event);
        }
    }
    model.now = model.state->time;
    screen_check(&model, 80, 24, true, "gpus-80x24");
    screen_check(&model, 120, 40, true, "gpus-120x40");
    screen_check(&model, 200, 60, true, "gpus-200x60");
    model.focus = PANE_DEVICES;
    model.zoomed = true;
    screen_check(&model, 80, 24, true, "gpus-zoomed-80x24");
    model_done(&model);
}

static void replay_screen(void **state)
{
    (void)state;
    struct model model;
    screen_open_model(&model, MODE_REPLAY, SCREEN_SESSION_MIDDLE);
    struct replay_bar_mark marks[] = {{90, STYLE_BEST},  {160, STYLE_BEST}, {230, STYLE_FAILED}, {300, STYLE_BEST},
                                      {412, STYLE_USER}, {590, STYLE_BEST}, {700, STYLE_BEST}};
    model.replay.marks = malloc(sizeof marks);
    memcpy(model.replay.marks, marks, sizeof marks);
    model.replay.mark_count = sizeof marks / sizeof *marks;
    model.replay.length = 780;
    model.replay.speed = 8;
    model.replay.playing = true;
    screen_check(&model, 100, 30, true, "replay-100x30");
    model_done(&model);
}

/* One pane alone, and what the smallest screens have. */
static void small_and_zoomed_screens(void **state)
{
    (void)state;
    struct model model;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    screen_check(&model, 60, 16, true, "60x16");
    screen_check(&model, 40, 1, true, "40x1");
    model.zoomed = true;
    model.focus = PANE_CONTROLLER;
    screen_check(&model, 80, 24, true, "controller-80x24");
    model.focus = PANE_TRADE;
    screen_check(&model, 80, 24, true, "trade-80x24");
    model.focus = PANE_CURVES;
    model.curves.error_scale = true;
    screen_check(&model, 80, 24, true, "curves-error-80x24");
    model_done(&model);
}

/* What can't be grown yet: the dialog is about the nearest above it that can. */
static void grow_above_what_trains(void **state)
{
    (void)state;
    struct model model;
    struct canvas canvas;
    struct text text = TEXT_EMPTY, words = TEXT_EMPTY;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    canvas_init(&canvas, 80, 24, true);
    assert_int_equal(session_node(model.state, 40)->status, NODE_RUNNING);
    assert_int_equal(session_node(model.state, 40)->facts.parent, 37);
    struct overlay *overlay = overlay_deepen(&model, 40);
    assert_non_null(overlay);
    overlay_draw(overlay, &model, &canvas);
    canvas_print(&canvas, &text);
    assert_non_null(strstr(text_string(&text), "┌ Deepen n37 ─ n40 has no weights yet ─"));
    assert_int_equal(overlay_key(overlay, &model, KEY_CODE_ENTER, &words), OVERLAY_COMMAND);
    assert_string_equal(text_string(&words), "grow 37 deepen:conv1:3");
    overlay_free(overlay);
    model.state->nodes[36]->dropped = true; /* as by --keep best */
    assert_null(overlay_widen(&model, 37));
    assert_non_null(strstr(model.message, "the weights of n37 were not kept"));
    overlay = overlay_widen(&model, 40);
    assert_non_null(overlay);
    overlay_draw(overlay, &model, &canvas);
    text_clear(&text);
    canvas_print(&canvas, &text);
    assert_null(strstr(text_string(&text), "Widen n37"));
    overlay_free(overlay);
    model.state->nodes[36]->dropped = false;
    text_clear(&text);
    overlay = overlay_widen(&model, 37);
    overlay_draw(overlay, &model, &canvas);
    canvas_print(&canvas, &text);
    assert_non_null(strstr(text_string(&text), "┌ Widen n37 ─────"));
    overlay_free(overlay);
    model_done(&model);
    screen_open_model(&model, MODE_LIVE, 14); /* the start network is in training */
    assert_null(overlay_widen(&model, 1));
    assert_non_null(strstr(model.message, "neither n1 nor any network above it is trained yet"));
    model_done(&model);
    canvas_done(&canvas);
    text_done(&text);
    text_done(&words);
}

/* The keys never go to a pane that is not on the screen. */
static void focus(void **state)
{
    (void)state;
    struct model model;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    screen_focus(&model, PANE_LOG, 80, 24);
    assert_false(model.zoomed);
    model.detail.open = true;
    screen_focus(&model, PANE_CONTROLLER, 80, 24); /* it has no room beside the others */
    assert_true(model.zoomed);
    assert_true(screen_shows(&model, 80, 24, "┌5 Controller ─"));
    assert_int_equal(screen_next_pane(&model, 1, 80, 24), PANE_LOG);
    model.zoomed = false;
    assert_true(screen_shows(&model, 80, 24, "┌1 Tree ─"));
    assert_int_equal(model.focus, PANE_TREE);
    assert_int_equal(screen_next_pane(&model, -1, 80, 24), PANE_LOG);
    screen_focus(&model, PANE_QUEUE, 200, 60);
    assert_false(model.zoomed);
    screen_shows(&model, 20, 5, ""); /* no pane at all: it stays */
    assert_int_equal(model.focus, PANE_QUEUE);
    assert_true(screen_shows(&model, 60, 15, "┌8 Queue ─"));
    screen_shows(&model, 120, 40, "");
    assert_int_equal(model.focus, PANE_TREE);
    screen_focus(&model, PANE_TRADE, 20, 5);
    assert_false(model.zoomed);
    model_done(&model);
}

/* What takes the middle has the keys and the wheel; nothing behind it moves. */
static void over_the_panes(void **state)
{
    (void)state;
    struct model model;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    tree_select(&model, 37);
    model.detail.open = true;
    screen_shows(&model, 80, 24, "");
    screen_mouse(&model, 80, 24, 5, 6, 0);
    assert_int_equal(model.selected, 37);
    screen_mouse(&model, 80, 24, 5, 6, 1);
    assert_int_equal(model.detail.top, 3);
    model.marked[0] = 33;
    model.marked[1] = 37;
    model.comparing = true;
    for (enum request request = REQUEST_UP; request <= REQUEST_LAST; request++)
        assert_true(screen_request(&model, request, 80, 24));
    screen_mouse(&model, 80, 24, 5, 6, -1);
    assert_int_equal(model.selected, 37);
    assert_int_equal(model.detail.top, 3);
    assert_false(screen_request(&model, REQUEST_CANCEL, 80, 24));
    model.comparing = model.detail.open = false;
    screen_mouse(&model, 80, 24, 5, 6, 0);
    assert_int_not_equal(model.selected, 37);
    model_done(&model);
}

static void find(void **state)
{
    (void)state;
    struct model model;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    tree_select(&model, 2);
    tree_find(&model, "n33");
    assert_int_equal(model.selected, 33);
    assert_true(screen_shows(&model, 80, 24, " /n33, 1 found "));
    tree_find(&model, "done"); /* it is one of them: it stays */
    assert_int_equal(model.selected, 33);
    tree_find(&model, "no such thing");
    assert_int_equal(model.selected, 33);
    assert_non_null(strstr(model.message, "nothing matches"));
    tree_find(&model, "n4"); /* what is selected is not to be seen: before it comes the last */
    model.selected = 33;
    assert_true(screen_request(&model, REQUEST_FIND_PREVIOUS, 80, 24));
    assert_int_equal(model.selected, 4);
    tree_find(&model, "");
    assert_false(screen_shows(&model, 80, 24, "found"));
    model_done(&model);
}

/* --- any size, any keys, any session --- */

static void draw_at(struct model *model, struct random_stream *random, struct canvas *canvas)
{
    static const int usual[][2] = {{80, 24}, {120, 40}, {200, 60}, {30, 8}, {1, 1}};
    uint32_t which = random_below(random, 8);
    int width = which < 5 ? usual[which][0] : 1 + (int)random_below(random, 250);
    int height = which < 5 ? usual[which][1] : 1 + (int)random_below(random, 100);
    canvas->unicode = random_below(random, 4) != 0;
    canvas_reset(canvas, width, height);
    screen_draw(model, canvas);
}

/* As the application would: the view that has the focus, else the model's own switches. */
static void press(struct model *model, struct random_stream *random)
{
    struct area inside = {1, 1, (int)random_below(random, 120), (int)random_below(random, 60)};
    enum request request = (enum request)(1 + random_below(random, REQUEST_COUNT - 1));
    const struct view *view = views[model->focus];
    if (random_below(random, 8) == 0 && view->mouse)
        view->mouse(model, inside, (int)random_below(random, 120), (int)random_below(random, 60),
                    (int)random_below(random, 3) - 1);
    if (view->request && view->request(model, request, inside))
        return;
    switch (random_below(random, 10)) {
    case 0:
        model->zoomed = !model->zoomed;
        break;
    case 1:
        model->detail.open = !model->detail.open;
        detail_request(model, request, 24);
        break;
    case 2:
        model->comparing = !model->comparing;
        break;
    case 6:
        board_toggle(model);
        break;
    case 7:
        model->heat.open = !model->heat.open;
        break;
    case 3:
        model->curves.error_scale = !model->curves.error_scale;
        break;
    case 4:
        snprintf(model->tree.filter, sizeof model->tree.filter, "%s",
                 (const char *[]){"", "conv1", "n1", "x y z", "w "}[random_below(random, 5)]);
        model->tree.stale = true;
        break;
    case 5:
        model->follow = !model->follow;
        break;
    default:
        model->focus = (enum pane)random_below(random, PANE_COUNT);
    }
}

struct watcher {
    struct model model;
    struct canvas canvas;
    struct random_stream random;
    int64_t events;
};

static void watch(void *context, const struct event *event)
{
    struct watcher *watcher = context;
    model_apply(&watcher->model, event);
    if (random_below(&watcher->random, 3) == 0)
        press(&watcher->model, &watcher->random);
    if (random_below(&watcher->random, 40) == 0 || watcher->events++ < 20)
        draw_at(&watcher->model, &watcher->random, &watcher->canvas);
}

static void anything_at_any_size(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct session_recipe recipe = session_recipe_default(seed);
        recipe.devices = 1 + (int)(seed * 3 % 16);
        recipe.epochs = 1 + (int)(seed % 3) * 4;
        recipe.finished = seed % 2;
        recipe.person = 0.1;
        recipe.sample_seconds = 2;
        struct watcher watcher = {.random = random_stream_new(seed, RANDOM_TEST, 1, 0)};
        model_init(&watcher.model, (enum model_mode)(seed % 3), "any");
        canvas_init(&watcher.canvas, 80, 24, true);
        session_generate(&recipe, watch, &watcher);
        for (int i = 0; i < 200; i++) {
            press(&watcher.model, &watcher.random);
            draw_at(&watcher.model, &watcher.random, &watcher.canvas);
        }
        canvas_done(&watcher.canvas);
        model_done(&watcher.model);
    }
}

/* Views in areas of every small size, the empty one included. */
static void check_views(struct model *model)
{
    struct canvas canvas;
    canvas_init(&canvas, 60, 30, true);
    tree_build(model);
    for (int width = 0; width <= 50; width++)
        for (int height = 0; height <= 20; height++) {
            struct area inside = {5, 5, width, height};
            canvas_reset(&canvas, 60, 30);
            for (int pane = 0; pane < PANE_COUNT; pane++) {
                if (views[pane]->settle)
                    views[pane]->settle(model, inside);
                views[pane]->draw(model, &canvas, inside);
            }
            detail_draw(model, &canvas, inside);
            compare_draw(model, &canvas, inside);
            bars_draw_header(model, &canvas, inside);
            bars_draw_replay_bar(model, &canvas, inside);
            bars_draw_keys(model, &canvas, inside);
            for (int y = 0; y < 30; y++)
                for (int x = 0; x < 60; x++)
                    if ((x < 5 || y < 5 || x >= 5 + width || y >= 5 + height) &&
                        canvas_cell(&canvas, x, y)->glyph != ' ')
                        fail_msg("%d,%d is drawn on, outside an area of %dx%d", x, y, width, height);
        }
    canvas_done(&canvas);
}

static void views_in_any_area(void **state)
{
    (void)state;
    struct model model;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    check_views(&model);
    model_done(&model);
    for (int moment = RACE_START; moment <= RACE_END; moment++) {
        open_race(&model, (enum race_moment)moment);
        check_views(&model);
        model_done(&model);
    }
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_screens),           cmocka_unit_test(gallery_screens),
        cmocka_unit_test(race_screens),           cmocka_unit_test(detail_screens),
        cmocka_unit_test(leaderboards),           cmocka_unit_test(states_of_a_search),     cmocka_unit_test(gpu_screens),
        cmocka_unit_test(replay_screen),          cmocka_unit_test(small_and_zoomed_screens),
        cmocka_unit_test(grow_above_what_trains), cmocka_unit_test(focus),
        cmocka_unit_test(over_the_panes),         cmocka_unit_test(find),
        cmocka_unit_test(anything_at_any_size),   cmocka_unit_test(views_in_any_area),
    };
    return cmocka_run_group_tests_name("screen", tests, NULL, NULL);
}
