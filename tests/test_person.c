/*
 * test_person.c - what a person at a terminal finds and is told: the leaderboard and the words of its filter,
 * following, who asked, a search that is held or whose process has died.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "screen_session.h"
#include "small_tree.h"
#include "tui/node.h"
#include "tui/theme.h"
#include "tui/view.h"
#include "util/bug.h"
#include "util/print.h"

static void fold(void *model, const struct event *event)
{
    model_apply(model, event);
}

static struct model model_at(double seconds)
{
    struct model model;
    model_init(&model, MODE_LIVE, "test");
    screen_session_play(seconds, fold, &model);
    return model;
}

/* Words that can't be read are told, and what was in force stays. */
static void filter_words(void **state)
{
    static const char *const bad[] = {
        "acc>", "acc>x", "foo>3", "by:", "who:you", "acc>3q", "n>1 n>2 n>3 n>4 n>5 n>6 n>7 n>8 n>9",
        "is:trained", "is:do", "is:done,", "by:nobody", "by:polic", "from:x", "from:n", "from:0", "from:3x"};
    static const char *const good[] = {"is:Pinned", "is:training", "by:policy", "by:You", "by:retrain", "by:start",
                                       "from:n3", "from:3", "acc>85.5"};
    struct model model = small_tree();
    (void)state;
    assert_true(tree_find(&model, "acc>85.5"));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        model.message[0] = '\0';
        assert_false(tree_find(&model, bad[i]));
        assert_true(model.message[0] != 0);
        assert_string_equal(model.tree.filter, "acc>85.5");
    }
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(tree_find(&model, good[i]));
    assert_false(tree_find(&model, "is:trained"));
    assert_string_equal(model.message, "\"is:trained\" can't be read; there are queued, training, done, failed, "
                                       "cancelled, pinned, pruned, stopped, noted, best");
    char word[128], words[PROMPT_MAX];
    memset(word, 'x', 96);
    word[96] = '\0';
    assert_false(tree_find(&model, word)); /* nothing is cut */
    snprintf(words, sizeof words, "acc>85.5%60s acc>85.5%60s n<8", "", ""); /* it is kept in full */
    assert_true(tree_find(&model, words));
    assert_string_equal(model.tree.filter, words);
    assert_int_equal(tree_row_of(&model, 8), -1);
    memset(words, 'x', 150);
    words[70] = ' ';
    words[150] = '\0';
    assert_false(tree_find(&model, words));
    model_done(&model);
}

static void expect_board(struct model *model, const char *wanted)
{
    struct text text = TEXT_EMPTY;
    board_build(model);
    for (int i = 0; i < model->board.count; i++)
        text_add(&text, "%s%lld", i ? " " : "", (long long)model->board.rows[i].node);
    assert_string_equal(text_string(&text), wanted);
    text_done(&text);
}

/* The same networks as a flat list: by each column, both ways, those without a value last; the filter holds. */
static void leaderboard(void **state)
{
    static const char *const orders[][2] = {
        {"8 7 3 6 5 2 4 1", "1 4 2 5 6 3 7 8"}, /* accuracy */
        {"3 2 4 5 7 8 6 1", "6 4 5 7 8 2 3 1"}, /* gain; the start has none */
        {"8 5 6 7 2 4 3 1", "1 3 4 2 7 6 5 8"}, /* size */
        {"1 2 3 4 5 6 7 8", "1 2 3 4 5 6 7 8"}, /* FLOPs: all alike */
        {"1 2 3 4 5 6 7 8", "1 2 3 4 5 6 7 8"}, {"1 2 3 4 5 6 7 8", "1 2 3 4 5 6 7 8"},
        {"1 2 3 4 5 6 7 8", "1 2 3 4 5 6 7 8"}, {"8 7 6 5 4 3 2 1", "1 2 3 4 5 6 7 8"}};
    struct area inside = {0, 0, 40, 5};
    struct model model = small_tree();
    (void)state;
    board_toggle(&model);
    for (int column = 0; column < BOARD_COLUMNS; column++) {
        assert_int_equal(model.board.column, column);
        if (model.board.ascending)
            assert_true(tree_request(&model, REQUEST_REVERSE, inside));
        expect_board(&model, orders[column][0]);
        assert_true(tree_request(&model, REQUEST_REVERSE, inside));
        expect_board(&model, orders[column][1]);
        assert_true(tree_request(&model, REQUEST_SORT, inside));
    }
    expect_board(&model, "8 7 3 6 5 2 4 1");
    tree_select(&model, 3);
    assert_true(tree_request(&model, REQUEST_UP, inside)); /* in the order of the board, from any pane */
    assert_int_equal(model.selected, 7);
    assert_true(tree_request(&model, REQUEST_LAST, inside));
    assert_int_equal(model.selected, 1);
    assert_true(tree_find(&model, "params>300"));
    expect_board(&model, "8 7 6 5");
    assert_int_equal(model.selected, 8); /* the first row */
    board_toggle(&model);
    assert_false(tree_request(&model, REQUEST_REVERSE, inside));
    model_done(&model);
}

/* A person who acts on a network gets that one: following ends, and asks again where it has just gone to another. */
static void acting_while_following(void **state)
{
    (void)state;
    struct model model = model_at(SCREEN_SESSION_MIDDLE);
    int64_t selected = model.selected;
    assert_true(model.follow);
    model.now = model.followed + 10;
    assert_true(model_may_act(&model));
    assert_false(model.follow);
    screen_session_play(SCREEN_SESSION_END, fold, &model); /* what trains now is another network */
    assert_int_equal(model.selected, selected);
    model.follow = true;
    model.followed = model.now - 0.1;
    model.message[0] = '\0';
    assert_false(model_may_act(&model));
    assert_non_null(strstr(model.message, "press again"));
    assert_true(model_may_act(&model));
    model_done(&model);
}

/* A search whose process is killed: nothing trains any more, and the log says so. */
static void a_search_that_died(void **state)
{
    (void)state;
    struct model model = model_at(SCREEN_SESSION_MIDDLE);
    model.mode = MODE_ATTACHED;
    int64_t running = model.state->status_count[NODE_RUNNING], queued = model.state->status_count[NODE_QUEUED];
    assert_true(running > 0);
    model_end(&model);
    assert_true(model_has_died(&model));
    assert_int_equal(model.state->status_count[NODE_RUNNING], 0);
    assert_int_equal(model.state->status_count[NODE_QUEUED], queued + running);
    assert_string_equal(model.log.lines[model.log.count - 1].word, "died");
    model_done(&model);
    model = model_at(SCREEN_SESSION_END);
    model_end(&model);
    assert_false(model_has_died(&model));
    model_done(&model);
}

static void command(struct model *model, const char *asked)
{
    struct text words = TEXT_EMPTY;
    print_add(&words, asked); /* as the engine */
    struct event event = {.kind = EVENT_COMMAND, .number = model->state->last_number + 1, .time = model->state->time};
    event.as.command.by.value = AUTHOR_USER;
    event.as.command.words = event_text("%s", text_string(&words));
    event.as.command.answer = event_text("good");
    model_apply(model, &event);
    event_done(&event);
    text_done(&words);
}

/* What others ask isn't "you". */
static void who_asked(void **state)
{
    static const struct {
        const char *words, *who, *message;
    } cases[] = {{"undo", "person", "another terminal: undo: good"},
                 {"pause", "you", "pause: good"},
                 {"pin 1", "you", "pin 1: good"},
                 {"pause", "person", "another terminal: pause: good"},
                 {"note 1 a\xe2\x80\x8b", "you", "note 1 a\\u200b: good"},
                 {"pin 2", "person", "another terminal: pin 2: good"}, /* its own was lost, or a later one came first */
                 {"pin 3", "you", "pin 3: good"}};
    (void)state;
    struct model model = model_at(SCREEN_SESSION_MIDDLE);
    command(&model, "undo"); /* of the past */
    assert_string_equal(model.log.lines[model.log.count - 1].word, "person");
    assert_string_equal(model.message, "undo: good");
    model.caught_up = true;
    model_sent(&model, "pause");
    model_sent(&model, "pin 1");
    model_sent(&model, "pin 2");
    model_sent(&model, "note 1 a\xe2\x80\x8b");
    model_sent(&model, "pin 3");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        command(&model, cases[i].words);
        assert_string_equal(model.log.lines[model.log.count - 1].word, cases[i].who);
        assert_string_equal(model.message, cases[i].message);
    }
    for (int i = 0; i <= SENT_MAX; i++)
        model_sent(&model, "never answered");
    model_sent(&model, "pin 4");
    command(&model, "pin 4");
    assert_string_equal(model.message, "pin 4: good");
    assert_int_equal(model.sent_count, 0);
    model.opening = true; /* the budget of a resume */
    command(&model, "budget networks 90");
    assert_string_equal(model.message, "budget networks 90: good");
    model_done(&model);
}

/* While training is held there is no speed, and nothing that comes nearer. */
static void held(void **state)
{
    (void)state;
    struct model model = model_at(SCREEN_SESSION_MIDDLE);
    const struct session_node *node = session_node(model.state, model.selected);
    char end[NODE_END];
    assert_true(node_seconds_left(&model, node) > 0 && node_rate(&model, node) > 0 && !node_is_held(&model, node));
    model.state->paused = true;
    assert_true(node_seconds_left(&model, node) < 0 && node_rate(&model, node) == 0 && node_is_held(&model, node));
    assert_null(strstr(node_end(end, model.state), "ends in"));
    model_done(&model);
}

/* The best has the same colour in the tree and in the curves. */
static void colour_of_the_best(void **state)
{
    static const char *const names[] = {"dark", "light", "colour-blind", "mono"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct theme_style *styles = theme_find(names[i]);
        assert_int_equal(styles[STYLE_CURVE_C].colour_256, styles[STYLE_BEST].colour_256);
        assert_int_equal(styles[STYLE_CURVE_C].colour_8, styles[STYLE_BEST].colour_8);
        assert_int_not_equal(styles[STYLE_CURVE_B].colour_256, styles[STYLE_BEST].colour_256);
    }
}

/* An episode without a new network has no accuracy: the trend leaves it out. */
static void an_episode_of_nothing(void **state)
{
    (void)state;
    struct model model = model_at(SCREEN_SESSION_MIDDLE);
    struct event event = {.kind = EVENT_POLICY, .number = model.state->last_number + 1, .time = model.state->time};
    struct canvas canvas;
    struct text text = TEXT_EMPTY;
    event.as.policy = (struct event_policy){.update = model.state->policy_count + 1, .episode = model.state->episode};
    model_apply(&model, &event);
    canvas_init(&canvas, 80, 10, true);
    view_controller.draw(&model, &canvas, canvas_area(&canvas));
    canvas_print(&canvas, &text);
    assert_non_null(strstr(text_string(&text), "mean "));
    assert_null(strstr(strstr(text_string(&text), "mean "), "→ 0.00"));
    text_done(&text);
    canvas_done(&canvas);
    model_done(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_words),
        cmocka_unit_test(leaderboard),
        cmocka_unit_test(acting_while_following),
        cmocka_unit_test(a_search_that_died),
        cmocka_unit_test(who_asked),
        cmocka_unit_test(held),
        cmocka_unit_test(colour_of_the_best),
        cmocka_unit_test(an_episode_of_nothing),
    };
    return cmocka_run_group_tests_name("person", tests, NULL, NULL);
}
