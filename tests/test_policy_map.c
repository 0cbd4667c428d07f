/*
 * test_policy_map.c - what a policy has proposed, counted; what that gained; when it has collapsed; and the heat map on
 * the screen.
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

#include "screen_bed.h"
#include "screen_session.h"
#include "sessions/log.h"
#include "sessions/policy_map.h"
#include "util/bug.h"

static void apply(struct session_state *state, struct event event)
{
    struct error error;
    event.number = state->last_number + 1;
    event.time = state->time + 1;
    if (session_apply(state, &event, &error))
        fail_msg("%s", error.text);
}

/* A search with the start network n1, of accuracy 0.5. */
static struct session_state *begin(void)
{
    struct session_state *state = session_state_new();
    apply(state, (struct event){.kind = EVENT_SESSION, .as.session = {.format = 1}});
    apply(state, (struct event){.kind = EVENT_NODE, .as.node = {.node = 1, .by = {AUTHOR_START}}});
    apply(state, (struct event){.kind = EVENT_STARTED, .as.started = {.node = 1, .attempt = 1}});
    apply(state, (struct event){.kind = EVENT_RESULT, .as.result = {.node = 1, .accuracy = 0.5}});
    return state;
}

/* The next proposal on n1: actions with blanks between them; an accuracy of 0 leaves the network in the queue. */
static void propose_by(struct session_state *state, int author, int64_t episode, enum event_kind answer,
                       const char *actions, double accuracy)
{
    char text[200], *rest = text, *word;
    struct event event = {.kind = answer};
    struct event_proposal *facts = &event.as.node;
    snprintf(text, sizeof text, "%s", actions);
    *facts = (struct event_proposal){.parent = 1, .by = {author}, .episode = episode};
    facts->proposal = state->proposal_count + 1;
    facts->node = answer == EVENT_NODE ? state->node_count + 1 : answer == EVENT_KNOWN;
    while ((word = strsep(&rest, " ")) && *word) {
        event_texts_add(&facts->actions, word);
        event_integers_add(&facts->steps, 0);
        if (answer != EVENT_REFUSED)
            event_reals_add(&facts->probabilities, 0.5);
    }
    apply(state, event);
    int64_t node = facts->node;
    event_done(&event);
    if (answer != EVENT_NODE || accuracy <= 0)
        return;
    apply(state, (struct event){.kind = EVENT_STARTED, .as.started = {.node = node, .attempt = 1}});
    apply(state, (struct event){.kind = EVENT_RESULT, .as.result = {.node = node, .accuracy = accuracy}});
}

static void propose(struct session_state *state, int64_t episode, const char *actions, double accuracy)
{
    propose_by(state, AUTHOR_POLICY, episode, EVENT_NODE, actions, accuracy);
}

static void learn(struct session_state *state, int64_t episode, double entropy)
{
    apply(state,
          (struct event){
              .kind = EVENT_POLICY,
              .as.policy = {.update = state->policy_count + 1, .episode = episode, .networks = 2, .entropy = entropy}});
}

static const struct policy_choice *choice_of(const struct policy_map *map, const char *name)
{
    for (int i = 0; i < map->choice_count; i++)
        if (!strcmp(map->choices[i].name, name))
            return &map->choices[i];
    fail_msg("%s is not in the map", name);
    return NULL;
}

static void check_choice(const struct policy_map *map, const char *name, int proposals, int networks, double gain)
{
    const struct policy_choice *choice = choice_of(map, name);
    assert_int_equal(choice->proposals, proposals);
    assert_int_equal(choice->networks, networks);
    assert_float_equal(choice->gain, gain, 1e-12);
}

static void test_counts_and_gains(void **unused)
{
    struct session_state *state = begin();
    struct policy_map map = {0};
    policy_map_update(&map, state);
    assert_int_equal(map.count, 0);
    propose(state, 1, "widen:conv1:8 deepen:conv1:3", 0.6);
    propose(state, 1, "widen:conv1:8 widen:conv1:12", 0.5); /* twice in one proposal: once */
    policy_map_update(&map, state);
    check_choice(&map, "widen:conv1", 2, 2, 0.05);
    propose(state, 1, "deepen:conv1:5", 0); /* not trained yet */
    propose_by(state, AUTHOR_USER, 0, EVENT_NODE, "widen:fc1:9", 0.9);
    propose_by(state, AUTHOR_CONTROL, 2, EVENT_NODE, "", 0.55);
    propose_by(state, AUTHOR_POLICY, 2, EVENT_KNOWN, "widen:conv1:8", 0);
    propose_by(state, AUTHOR_POLICY, 2, EVENT_REFUSED, "remove:conv2", 0);
    propose(state, 2, "widen:conv1:16", 0.56);                             /* over the control, which came before it */
    propose_by(state, AUTHOR_POLICY, 1, EVENT_REFUSED, "remove:conv2", 0); /* late */
    learn(state, 1, 0.6);
    learn(state, 2, 0.4);
    policy_map_update(&map, state);
    assert_int_equal(map.count, 7);
    assert_int_equal(map.choice_count, 3); /* none of the person's */
    check_choice(&map, "widen:conv1", 4, 3, (0.1 + 0 + 0.01) / 3);
    check_choice(&map, "deepen:conv1", 2, 1, 0.1);
    check_choice(&map, "remove:conv2", 2, 0, 0);
    assert_int_equal(map.column_count, 2);
    assert_true(map.columns[0].episode == 1 && map.columns[0].proposals == 4 && map.columns[0].entropy == 0.6);
    assert_true(map.columns[1].episode == 2 && map.columns[1].proposals == 3 && map.columns[1].entropy == 0.4);
    assert_int_equal(map.proposals[0].end, 2);
    assert_int_equal(map.proposals[1].end, 3);
    struct policy_map whole = {0};
    policy_map_update(&whole, state); /* in one go it is the same */
    assert_int_equal(whole.chosen_count, map.chosen_count);
    assert_memory_equal(whole.chosen, map.chosen, map.chosen_count);
    policy_map_done(&whole);
    policy_map_done(&map);
    session_state_free(state);
}

/* Whatever a log holds, the map has a bound. */
static void test_more_choices_than_places(void **unused)
{
    struct session_state *state = begin();
    struct policy_map map = {0};
    for (int i = 0; i < 2 * POLICY_CHOICES_MAX; i++) {
        char action[40];
        snprintf(action, sizeof action, "widen:conv%d:8", i);
        propose(state, 1 + 1000000000000 * i, action, 0);
    }
    propose(state, 1, "widen:a-layer-whose-name-is-longer-than-any:8", 0);
    propose(state, 1, "", 0);
    propose(state, 1, "word", 0);
    policy_map_update(&map, state);
    assert_int_equal(map.choice_count, POLICY_CHOICES_MAX);
    assert_int_equal(map.left_out, POLICY_CHOICES_MAX + 2);
    assert_int_equal(map.count, 2 * POLICY_CHOICES_MAX + 3);
    policy_map_done(&map);
    session_state_free(state);
}

static void check_collapse(const struct session_state *state, const char *expected)
{
    struct text words = TEXT_EMPTY;
    assert_int_equal(policy_has_collapsed(state, &words), *expected != '\0');
    assert_string_equal(text_string(&words), expected);
    text_done(&words);
}

static void test_collapse_of_the_entropy(void **unused)
{
    struct session_state *state = begin();
    learn(state, 1, 0.6);
    learn(state, 2, 0.05);
    check_collapse(state, ""); /* one update may be of a small batch */
    learn(state, 3, 0.3);
    learn(state, 4, 0.099);
    apply(state, (struct event){.kind = EVENT_POLICY, .as.policy = {.update = 5, .episode = 5}}); /* nothing to learn */
    learn(state, 5, 0); /* nothing counted of what it had */
    learn(state, 6, 0.03);
    check_collapse(state, "collapsed in episode 4: entropy 0.03, it hardly chooses");
    learn(state, 7, 0.1);
    check_collapse(state, "");
    learn(state, 7, 0);
    learn(state, 7, 0);
    check_collapse(state, "");
    learn(state, 8, NAN);
    learn(state, 9, NAN);
    check_collapse(state, "");
    session_state_free(state);
}

static void test_the_same_proposals(void **unused)
{
    static const char *const others[] = {"widen:conv1:9", "widen:conv2:9", "deepen:conv1:3", "deepen:conv2:3"};
    struct session_state *state = begin();
    for (int i = 0; i < 40; i++)
        propose(state, 1, others[i % 4], 0);
    learn(state, 1, 0.6);
    for (int i = 0; i < 16; i++) {
        char actions[60];
        check_collapse(state, "");
        snprintf(actions, sizeof actions, "widen:conv1:%d deepen:fc1", 10 + i); /* other widths are the same choices */
        propose(state, 2, actions, 0);
    }
    check_collapse(state, "collapsed: 16 of its last 20 proposals are alike: widen:conv1 deepen:fc1");
    session_state_free(state);
    state = begin();
    for (int i = 0; i < 30; i++) /* a policy that doesn't learn may do so */
        propose(state, 1, "widen:conv1:8", 0);
    check_collapse(state, "");
    learn(state, 1, 0.6);
    check_collapse(state, "collapsed: 20 of its last 20 proposals are alike: widen:conv1");
    session_state_free(state);
    state = begin();
    learn(state, 1, 0.6);
    for (int i = 0; i < 9; i++)
        propose_by(state, AUTHOR_POLICY, 1, EVENT_REFUSED, "", 0);
    check_collapse(state, "");
    propose_by(state, AUTHOR_POLICY, 1, EVENT_REFUSED, "", 0);
    check_collapse(state, "collapsed: 10 of its last 10 proposals are empty");
    session_state_free(state);
}

/* --- on the screen --- */

static void open_map(struct model *model)
{
    model->heat.open = true;
    model->focus = PANE_CONTROLLER;
}

static void test_screens(void **unused)
{
    struct model model;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    open_map(&model);
    screen_check(&model, 120, 40, true, "heat-120x40");
    screen_check(&model, 200, 60, true, "heat-200x60");
    model.zoomed = true;
    screen_check(&model, 80, 24, true, "heat-80x24");
    screen_check(&model, 80, 24, false, "heat-80x24-ascii");
    assert_true(screen_request(&model, REQUEST_SORT, 80, 24));
    assert_int_equal(model.heat.order, HEAT_BY_LAYER);
    screen_check(&model, 80, 24, true, "heat-layer-80x24");
    assert_true(screen_request(&model, REQUEST_LAST, 120, 12));
    assert_false(screen_shows(&model, 120, 12, "W conv1 "));
    assert_true(screen_request(&model, REQUEST_FIRST, 120, 12));
    assert_true(screen_shows(&model, 120, 12, "W conv1 "));
    model_done(&model);
}

/* The gallery's long search, whose policy collapsed: more episodes than columns. */
static void test_collapsed_screens(void **unused)
{
    const char *source = getenv("top_srcdir");
    struct text folder = TEXT_EMPTY;
    struct session_state *state;
    struct error warning, error;
    struct model model;
    text_add(&folder, "%s/sessions/gallery/cifar10.esp", source ? source : ".");
    if (session_load(text_string(&folder), &state, &warning, &error))
        fail_msg("%s", error.text);
    model_init(&model, MODE_ATTACHED, "cifar10");
    model_replace(&model, state);
    model.ended = true;
    assert_true(screen_shows(&model, 120, 40, "policy collapsed"));
    assert_true(screen_shows(&model, 120, 40, "collapsed in episode 61: entropy 0.07, it hardly chooses"));
    open_map(&model);
    screen_check(&model, 120, 40, true, "heat-collapsed-120x40");
    model.zoomed = true;
    screen_check(&model, 80, 24, true, "heat-collapsed-80x24");
    screen_check_mono(&model, 80, 24, "heat-collapsed-80x24-mono");
    model_replace(&model, session_state_new()); /* as a seek to the beginning does */
    assert_true(screen_shows(&model, 80, 24, "the policy has proposed nothing yet"));
    model_done(&model);
    text_done(&folder);
}

/* Actions other than widening and deepening come by name, in whatever order they came up. */
static void test_order_of_other_actions(void **unused)
{
    static const char *const actions[] = {"remove:conv2", "skip:conv1:1", "branch:conv2", "remove:conv1",
                                          "branch:conv1"},
                             *const order[] = {"branch:conv1", "branch:conv2", "remove:conv1", "remove:conv2",
                                               "skip:conv1"};
    for (int first = 0; first < 5; first++) {
        struct model model;
        model_init(&model, MODE_LIVE, "order");
        model_replace(&model, begin());
        for (int i = 0; i < 5; i++)
            propose(model.state, 1, actions[(first + i) % 5], 0);
        open_map(&model);
        model.heat.order = HEAT_BY_LAYER;
        heat_map_settle(&model, (struct area){0, 0, 80, 20});
        for (int i = 0; i < 5; i++)
            assert_string_equal(model.heat.map.choices[model.heat.rows[i]].name, order[i]);
        model_done(&model);
    }
}

static void test_any_area(void **unused)
{
    struct model model;
    struct canvas canvas;
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_END);
    open_map(&model);
    canvas_init(&canvas, 120, 40, true);
    for (int width = 0; width <= 110; width++)
        for (int height = 0; height <= 30; height += 1 + height / 6) {
            struct area inside = {5, 5, width, height};
            canvas_reset(&canvas, 120, 40);
            heat_map_settle(&model, inside);
            heat_map_draw(&model, &canvas, inside);
            for (int y = 0; y < 40; y++)
                for (int x = 0; x < 120; x++)
                    if ((x < 5 || y < 5 || x >= 5 + width || y >= 5 + height) &&
                        canvas_cell(&canvas, x, y)->glyph != ' ')
                        fail_msg("%d,%d is drawn on, outside an area of %dx%d", x, y, width, height);
        }
    canvas_done(&canvas);
    model_done(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_and_gains),
        cmocka_unit_test(test_more_choices_than_places),
        cmocka_unit_test(test_collapse_of_the_entropy),
        cmocka_unit_test(test_the_same_proposals),
        cmocka_unit_test(test_screens),
        cmocka_unit_test(test_collapsed_screens),
        cmocka_unit_test(test_order_of_other_actions),
        cmocka_unit_test(test_any_area),
    };
    setlocale(LC_ALL, "C.UTF-8");
    return cmocka_run_group_tests_name("policy map", tests, NULL, NULL);
}
