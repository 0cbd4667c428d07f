/*
 * test_panes.c - panes with plots, the comparison of two networks, and what a network gets wrong: their screens, and
 * what keys and the mouse do in them.
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

#include "screen_bed.h"
#include "screen_session.h"
#include "util/random.h"
#include "util/sort.h"

/* A pane alone, at the three sizes and without Unicode. */
static void check_zoomed(struct model *model, enum pane pane, const char *name)
{
    static const int sizes[][2] = {{80, 24}, {120, 40}, {200, 60}};
    char file[64];
    model->focus = pane;
    model->zoomed = true;
    for (int i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s-%dx%d", name, sizes[i][0], sizes[i][1]);
        screen_check(model, sizes[i][0], sizes[i][1], true, file);
    }
    snprintf(file, sizeof file, "%s-80x24-ascii", name);
    screen_check(model, 80, 24, false, file);
    snprintf(file, sizeof file, "%s-80x24-mono", name);
    screen_check_mono(model, 80, 24, file);
}

static bool press(struct model *model, enum request request)
{
    return screen_request(model, request, 80, 24);
}

/* --- accuracy and size --- */

static void trade_screens(void **state)
{
    struct model model;
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    tree_select(&model, 29);
    check_zoomed(&model, PANE_TRADE, "front");
    event_texts_add(&model.state->facts.options, "limit-flops=8000000");
    press(&model, REQUEST_SORT); /* by FLOPs, which the session limits */
    model.message[0] = '\0';
    screen_check(&model, 80, 24, true, "front-flops-80x24");
    event_texts_add(&model.state->facts.options, "limit-params=1000000");
    model.trade.axis = TRADE_PARAMETERS;
    model.trade.stale = true;
    assert_true(screen_shows(&model, 80, 24, "limit 1M →")); /* far from the largest */
    press(&model, REQUEST_SORT);
    press(&model, REQUEST_SORT); /* by speed: the front is on the other side */
    model.message[0] = '\0';
    screen_check(&model, 80, 24, true, "front-speed-80x24");
    tree_find(&model, "acc>99");
    model.message[0] = '\0';
    assert_true(screen_shows(&model, 80, 24, "nothing that is trained matches"));
    model_done(&model);
}

/* The filter leaves out the selected network and the best: that is said, and arrows begin on the front of the rest. The
   tree's matches, which a frame takes, are those of the filter itself. */
static void trade_of_what_the_filter_leaves_out(void **state)
{
    struct model model;
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    model.focus = PANE_TRADE;
    model.zoomed = true;
    assert_true(tree_find(&model, "acc<90"));
    tree_select(&model, model.state->best);
    assert_true(screen_shows(&model, 80, 24, "done: the filter leaves it out"));
    int count = model.trade.count;
    assert_true(press(&model, REQUEST_UP));
    assert_int_not_equal(model.selected, model.state->best);
    assert_true(session_node(model.state, model.selected)->accuracy < 0.9);
    model_networks_changed(&model); /* the tree too: the filter is asked */
    assert_true(press(&model, REQUEST_FIRST));
    assert_int_equal(model.trade.count, count);
    model_done(&model);
}

/* Better than every network that is no larger. */
static bool is_on_front(const struct model *model, int64_t number)
{
    const struct session_node *node = session_node(model->state, number);
    for (int64_t i = 1; i <= model->state->node_count; i++) {
        const struct session_node *other = session_node(model->state, i);
        if (i != number && other->status == NODE_DONE && other->facts.parameters <= node->facts.parameters &&
            other->accuracy >= node->accuracy)
            return false;
    }
    return true;
}

static int64_t parameters(const struct model *model)
{
    return session_node(model->state, model->selected)->facts.parameters;
}

/* Page keys and the wheel walk along the whole front, and the tree's selection follows. */
static void along_the_front(void **state)
{
    struct model model;
    int64_t expected = 0, steps = 0;
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    for (int64_t i = 1; i <= model.state->node_count; i++)
        expected += session_node(model.state, i)->status == NODE_DONE && is_on_front(&model, i);
    assert_true(expected > 3);
    screen_focus(&model, PANE_TRADE, 80, 24);
    assert_true(press(&model, REQUEST_FIRST));
    for (int64_t before = 0; before != model.selected; steps++) {
        before = model.selected;
        assert_true(is_on_front(&model, before));
        assert_true(press(&model, REQUEST_PAGE_DOWN));
    }
    assert_int_equal(steps, expected);
    assert_int_equal(model.selected, model.state->best);
    assert_false(model.follow);
    screen_mouse(&model, 80, 24, 40, 10, -1);
    assert_int_not_equal(model.selected, model.state->best);
    assert_true(is_on_front(&model, model.selected));
    assert_true(press(&model, REQUEST_LAST));
    assert_int_equal(model.selected, model.state->best);
    model_done(&model);
}

static void arrows_and_clicks(void **state)
{
    struct model model;
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    screen_focus(&model, PANE_TRADE, 80, 24);
    model.selected = 40; /* it trains: the arrows begin at the best */
    press(&model, REQUEST_LEFT);
    assert_int_equal(model.selected, model.state->best);
    for (int i = 0; i < 200; i++) {
        int64_t size = parameters(&model), node = model.selected;
        press(&model, REQUEST_LEFT);
        assert_true(model.selected == node || parameters(&model) < size);
    }
    int64_t smallest = parameters(&model);
    for (int64_t i = 1; i <= model.state->node_count; i++)
        assert_true(session_node(model.state, i)->status != NODE_DONE ||
                    session_node(model.state, i)->facts.parameters >= smallest);
    double accuracy = session_node(model.state, model.selected)->accuracy;
    press(&model, REQUEST_UP);
    assert_true(session_node(model.state, model.selected)->accuracy >= accuracy);
    screen_mouse(&model, 80, 24, 78, 4, 0); /* the upper right corner: the best */
    assert_int_equal(model.selected, model.state->best);
    model_done(&model);
}

/* --- progress --- */

static void progress_screens(void **state)
{
    static const char *const axes[] = {"flops", "time", "episodes"};
    struct model model;
    char name[64];
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    check_zoomed(&model, PANE_PROGRESS, "progress");
    for (int i = 0; i < 3; i++) {
        press(&model, REQUEST_SORT);
        model.message[0] = '\0';
        snprintf(name, sizeof name, "progress-%s-80x24", axes[i]);
        screen_check(&model, 80, 24, true, name);
    }
    model_done(&model);
}

/* --- two networks --- */

static void compare_screens(void **state)
{
    struct model model;
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    model.marked[0] = 31;
    model.marked[1] = 37;
    model.comparing = true;
    check_zoomed(&model, PANE_TREE, "compare");
    for (int i = 0; i < 100; i++)
        press(&model, REQUEST_DOWN); /* settles at the last line */
    screen_check(&model, 80, 24, true, "compare-end-80x24");
    assert_true(press(&model, REQUEST_FIRST));
    assert_true(screen_shows(&model, 80, 24, "accuracy"));
    model_done(&model);
}

/* A layer stands beside the one that it was in the last common ancestor, whatever was inserted since. */
static void pairs_of_layers(void **state)
{
    struct model model;
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    model.marked[0] = 1; /* above the other one, with fewer layers */
    model.marked[1] = 37;
    model.comparing = true;
    screen_check(&model, 120, 40, true, "compare-ancestor-120x40");
    assert_true(screen_shows(&model, 120, 40, "n1 is above the other one"));
    model.marked[1] = 1; /* itself */
    assert_true(screen_shows(&model, 120, 40, "n1 is above the other one"));
    model_done(&model);
}

/* --- what a network gets wrong --- */

static const char *const fashion[] = {"t-shirt", "trouser", "pullover", "dress", "coat",
                                      "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};

/* A ring, a cross or a ramp of colours, by the class. */
static struct mistakes_image draw_image(int label, int prediction, int side, double probability)
{
    struct mistakes_image image = {label, prediction, probability, calloc((size_t)side * (size_t)side, 3)};
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            uint8_t *pixel = image.pixels + 3 * (y * side + x);
            int dx = 2 * x - side, dy = 2 * y - side, away = dx * dx + dy * dy;
            bool ring = away < side * side && away > side * side / 3, cross = abs(dx) < side / 4 || abs(dy) < side / 4;
            if (label % 3 == 2)
                pixel[0] = (uint8_t)(255 * x / side), pixel[1] = (uint8_t)(255 * y / side), pixel[2] = 128;
            else if (label % 3 ? cross : ring)
                pixel[0] = pixel[1] = pixel[2] = 220;
        }
    return image;
}

/* An evaluation that has been made up: mistakes_done() it. */
static struct mistakes some_mistakes(int classes, int side, bool augmented)
{
    struct mistakes mistakes = {.state = MISTAKES_KNOWN, .classes = classes, .loss = 0.2291, .size = {side, side}};
    mistakes.class_names = calloc((size_t)classes, sizeof(char *));
    mistakes.confusion = calloc((size_t)(classes * classes), sizeof(int));
    mistakes.worst = calloc(MISTAKES_WORST_MAX, sizeof *mistakes.worst);
    mistakes.samples = calloc(MISTAKES_SAMPLES_MAX, sizeof *mistakes.samples);
    mistakes.augmented = augmented;
    for (int class = 0; class < classes; class ++) {
        char number[16];
        snprintf(number, sizeof number, "class %d", class);
        mistakes.class_names[class] = strdup(class < 10 ? fashion[class] : number);
        for (int taken = 0; taken < classes; taken++) {
            int count = class == taken                     ? 400 + 13 * class % 90
                        : (class * 7 + taken * 3) % 11 < 3 ? (class + taken) * 5 % 37
                                                           : 0;
            mistakes.confusion[class * classes + taken] = count;
            mistakes.count += count;
            mistakes.correct += class == taken ? count : 0;
        }
    }
    for (int i = 0; i < 17; i++)
        mistakes.worst[mistakes.worst_count++] = draw_image(i % 10, (i + 3) % 10, side, 0.99 - 0.02 * i);
    for (int i = 0; i < 24; i++)
        mistakes.samples[mistakes.sample_count++] =
            draw_image(i / (augmented ? MISTAKES_VARIANTS : 1) % 10, 0, side, 0);
    return mistakes;
}

/* Images of any size are kept as they are drawn: as large as the largest picture, with their proportions. */
static void pictures_fit(void **state)
{
    static const int sizes[][4] = {{28, 28, 28, 28},    {32, 32, 32, 32}, {1024, 1024, 32, 32},
                                   {1024, 512, 32, 16}, {30, 90, 11, 32}, {1, 9000, 1, 32}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct mistakes_size size = mistakes_fit(sizes[i][0], sizes[i][1]);
        assert_int_equal(size.width, sizes[i][2]);
        assert_int_equal(size.height, sizes[i][3]);
    }
}

static void mistakes_screens(void **state)
{
    struct model model;
    struct mistakes mistakes = some_mistakes(10, 28, true), many = some_mistakes(100, 32, false);
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    tree_select(&model, 37);
    assert_true(press(&model, REQUEST_MISTAKES));
    assert_true(screen_shows(&model, 80, 24, "networks can't be evaluated here"));
    model.mistakes.found = &mistakes;
    check_zoomed(&model, PANE_TREE, "mistakes-classes");
    press(&model, REQUEST_RIGHT);
    check_zoomed(&model, PANE_TREE, "mistakes-worst");
    press(&model, REQUEST_RIGHT);
    check_zoomed(&model, PANE_TREE, "mistakes-samples");
    press(&model, REQUEST_RIGHT);
    model.mistakes.found = &many; /* a matrix has no room */
    screen_check(&model, 80, 24, true, "mistakes-many-80x24");
    press(&model, REQUEST_LAST);
    assert_true(screen_shows(&model, 80, 24, "100 of 100, "));
    assert_true(screen_shows(&model, 80, 24, "class 99 "));
    model_done(&model);
    mistakes_done(&mistakes);
    mistakes_done(&many);
}

static void mistakes_that_are_not_known(void **state)
{
    struct model model;
    struct mistakes evaluating = {.state = MISTAKES_EVALUATING, .done = 0.4};
    struct mistakes failed = {.state = MISTAKES_FAILED,
                              .message = "/data/train-images: is not there; install the package"};
    (void)state;
    screen_open_model(&model, MODE_ATTACHED, SCREEN_SESSION_MIDDLE);
    tree_select(&model, 37);
    press(&model, REQUEST_MISTAKES);
    model.mistakes.found = &evaluating;
    screen_check(&model, 80, 24, true, "mistakes-evaluating-80x24");
    model.mistakes.found = &failed;
    screen_check(&model, 80, 24, true, "mistakes-failed-80x24");
    model_done(&model);
}

/* Over the panes it has the keys and the wheel; Escape and its own key close it. */
static void mistakes_keys(void **state)
{
    struct model model;
    struct mistakes mistakes = some_mistakes(10, 28, false);
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    tree_select(&model, 37);
    model.follow = true;
    press(&model, REQUEST_MISTAKES);
    assert_false(model.follow);
    model.mistakes.found = &mistakes;
    press(&model, REQUEST_NEXT_PANE);
    assert_int_equal(model.mistakes.page, MISTAKES_WORST);
    screen_mouse(&model, 80, 24, 10, 10, 1);
    assert_true(screen_shows(&model, 80, 24, "2 of 6, "));
    screen_mouse(&model, 80, 24, 10, 10, 0);
    assert_int_equal(model.selected, 37);
    press(&model, REQUEST_LEFT);
    assert_int_equal(model.mistakes.page, MISTAKES_CLASSES);
    assert_int_equal(model.mistakes.top, 0);
    press(&model, REQUEST_CANCEL);
    assert_false(model.mistakes.open);
    press(&model, REQUEST_MISTAKES);
    press(&model, REQUEST_MISTAKES);
    assert_false(model.mistakes.open);
    press(&model, REQUEST_MISTAKES);
    screen_focus(&model, PANE_LOG, 80, 24);
    assert_false(model.mistakes.open);
    model_done(&model);
    mistakes_done(&mistakes);
}

/* Any image at any size is drawn inside the area. */
static void mistakes_in_any_area(void **state)
{
    static const int sides[] = {1, 2, 8, 28, 32, 96};
    struct model model;
    struct canvas canvas;
    (void)state;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    model.mistakes.open = true;
    canvas_init(&canvas, 60, 30, true);
    for (int i = 0; i < 6; i++) {
        struct mistakes mistakes = some_mistakes(i % 2 ? 10 : 3, sides[i], i % 2);
        model.mistakes.found = &mistakes;
        for (int size = 0; size < 50 * 20; size++) {
            struct area area = {5, 5, size % 50, size / 50};
            model.mistakes.page = (enum mistakes_page)(size % MISTAKES_PAGES);
            model.mistakes.top = size % 7;
            canvas_reset(&canvas, 60, 30);
            mistakes_settle(&model, area);
            mistakes_draw(&model, &canvas, area);
            for (int x = 0; x < 60; x++)
                for (int y = 0; y < 30; y++)
                    if (x < 5 || y < 5 || x >= 5 + area.width || y >= 5 + area.height)
                        assert_int_equal(canvas_cell(&canvas, x, y)->glyph, ' ');
        }
        mistakes_done(&mistakes);
    }
    canvas_done(&canvas);
    model_done(&model);
}

/* --- sorting what is almost in order --- */

static int by_number(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

static void nearly_sorted(void **state)
{
    enum { COUNT = 300 };
    struct random_stream random = random_stream_new(1, RANDOM_TEST, 0, 0);
    (void)state;
    for (int round = 0; round < 200; round++) {
        int rows[COUNT], expected[COUNT], count = (int)random_below(&random, COUNT + 1);
        for (int i = 0; i < count; i++)
            rows[i] = i;
        for (int i = 0; count && i < round; i++) /* from few that are out of place to a shuffle */
            rows[random_below(&random, (uint32_t)count)] = (int)random_below(&random, COUNT);
        memcpy(expected, rows, (size_t)count * sizeof *rows);
        qsort(expected, (size_t)count, sizeof *expected, by_number);
        sort_nearly(rows, (size_t)count, sizeof *rows, by_number);
        assert_memory_equal(rows, expected, (size_t)count * sizeof *rows);
    }
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trade_screens),
        cmocka_unit_test(trade_of_what_the_filter_leaves_out),
        cmocka_unit_test(pictures_fit),
        cmocka_unit_test(along_the_front),
        cmocka_unit_test(arrows_and_clicks),
        cmocka_unit_test(progress_screens),
        cmocka_unit_test(compare_screens),
        cmocka_unit_test(pairs_of_layers),
        cmocka_unit_test(nearly_sorted),
        cmocka_unit_test(mistakes_screens),
        cmocka_unit_test(mistakes_that_are_not_known),
        cmocka_unit_test(mistakes_keys),
        cmocka_unit_test(mistakes_in_any_area),
    };
    return cmocka_run_group_tests_name("panes", tests, NULL, NULL);
}
