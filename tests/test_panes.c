/*
 * test_panes.c - panes with plots, the comparison of two networks, and what a network gets wrong: their screens, and what
 * keys and the mouse do in them.
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
    press(&model, REQUEST_SORT); /* by FLOPs, which the session limits */
    model.message[0] = '\0';
    screen_check(&model, 80, 24, true, "front-flops-80x24");
    press(&model, REQUEST_SORT); /* by speed: the front is on the other side */
    model.message[0] = '\0';
    screen_check(&model, 80, 24, true, "front-speed-80x24");
    tree_find(&model, "acc>99");
    model.message[0] = '\0';
    assert_true(screen_shows(&model, 80, 24, "nothing that is trained matches"));
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

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trade_screens),
        cmocka_unit_test(along_the_front),
        cmocka_unit_test(arrows_and_clicks),
        cmocka_unit_test(progress_screens),
        cmocka_unit_test(compare_screens),
        cmocka_unit_test(pairs_of_layers),
    };
    return cmocka_run_group_tests_name("panes", tests, NULL, NULL);
}
