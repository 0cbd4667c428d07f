/*
 * test_model.c - the model: rows of the tree, selection, filter, folding, log lines, histories.
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

#include "screen_session.h"
#include "session_generator.h"
#include "small_tree.h"
#include "tui/event_line.h"
#include "tui/node.h"
#include "tui/view.h"
#include "util/bug.h"

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

/* "1 2.5 3": numbers of the rows, a dot for each step down. */
static void expect_rows(struct model *model, const char *wanted)
{
    struct text text = TEXT_EMPTY;
    tree_build(model);
    for (int i = 0; i < model->tree.row_count; i++)
        text_add(&text, "%s%.*s%lld", i ? " " : "", model->tree.rows[i].depth, "..........",
                 (long long)model->tree.rows[i].node);
    assert_string_equal(text_string(&text), wanted);
    text_done(&text);
}

static void ask(struct model *model, enum request request)
{
    assert_true(view_tree.request(model, request, (struct area){0, 0, 40, 5}));
}

static void rows_in_order_of_number(void **state)
{
    (void)state;
    struct model model = small_tree();
    expect_rows(&model, "1 .2 .5 .3 ..6 ..7 ..8 .4");
    /* Which rows are the last children: 7 and 4; an only child stands under its parent, and as that does. */
    static const bool last[] = {true, false, false, false, false, true, true, true};
    for (int i = 0; i < model.tree.row_count; i++) {
        assert_int_equal(model.tree.rows[i].last_at >> model.tree.rows[i].depth & 1, last[i]);
        assert_int_equal(model.tree.rows[i].only_child, model.tree.rows[i].node == 5 || model.tree.rows[i].node == 8);
    }
    assert_int_equal(model.tree.rows[6].last_at & 1 << 1, 0); /* 8 stands below 3, which has a sibling after it */
    assert_int_equal(model.tree.rows[6].last_at & 1 << 2, 1 << 2);
    model_done(&model);
}

static void orders(void **state)
{
    (void)state;
    struct model model = small_tree();
    ask(&model, REQUEST_SORT);
    assert_int_equal(model.tree.order, ORDER_ACCURACY);
    expect_rows(&model, "1 .3 ..7 ..8 ..6 .2 .5 .4");
    ask(&model, REQUEST_SORT); /* gain: 3 +5, 2 +2, 4 +1; 7 +1, 6 -1 */
    expect_rows(&model, "1 .3 ..7 ..8 ..6 .2 .5 .4");
    ask(&model, REQUEST_SORT);
    assert_int_equal(model.tree.order, ORDER_PARAMETERS);
    expect_rows(&model, "1 .3 ..7 ..8 ..6 .4 .2 .5");
    ask(&model, REQUEST_SORT);
    expect_rows(&model, "1 .2 .5 .3 ..6 ..7 ..8 .4");
    model_done(&model);
}

static void folding(void **state)
{
    (void)state;
    struct model model = small_tree();
    tree_select(&model, 3);
    ask(&model, REQUEST_LEFT);
    expect_rows(&model, "1 .2 .5 .3 .4");
    assert_true(model.tree.rows[3].folded && model.tree.rows[3].hidden == 3);
    ask(&model, REQUEST_LEFT); /* folded already: to the parent */
    assert_int_equal(model.selected, 1);
    ask(&model, REQUEST_FOLD_ALL);
    expect_rows(&model, "1");
    assert_int_equal(model.tree.rows[0].hidden, 7);
    tree_select(&model, 8); /* unfolds its ancestors, and only those */
    expect_rows(&model, "1 .2 .3 ..6 ..7 ..8 .4");
    assert_int_equal(tree_row_of(&model, 8), 5);
    tree_select(&model, 2);
    ask(&model, REQUEST_RIGHT);
    expect_rows(&model, "1 .2 .5 .3 ..6 ..7 ..8 .4");
    ask(&model, REQUEST_RIGHT); /* unfolded: to the first child */
    assert_int_equal(model.selected, 5);
    ask(&model, REQUEST_RIGHT); /* no child: stays */
    assert_int_equal(model.selected, 5);
    model_done(&model);
}

static void moving(void **state)
{
    (void)state;
    struct model model = small_tree();
    tree_select(&model, 1);
    ask(&model, REQUEST_UP);
    assert_int_equal(model.selected, 1);
    ask(&model, REQUEST_DOWN);
    ask(&model, REQUEST_DOWN);
    assert_int_equal(model.selected, 5);
    ask(&model, REQUEST_LAST);
    assert_int_equal(model.selected, 4);
    ask(&model, REQUEST_DOWN);
    assert_int_equal(model.selected, 4);
    view_tree.settle(&model, (struct area){0, 0, 40, 5});
    assert_int_equal(model.tree.top, 3);
    ask(&model, REQUEST_PAGE_UP);
    assert_int_equal(model.selected, 3);
    ask(&model, REQUEST_FIRST);
    view_tree.settle(&model, (struct area){0, 0, 40, 5});
    assert_int_equal(model.tree.top, 0);
    model_done(&model);
}

static void filter(void **state)
{
    (void)state;
    static const struct {
        const char *words, *rows;
    } cases[] = {
        {"7", "1 .3 ..7"},
        {"n7", "1 .3 ..7"},
        {"W conv1", "1 .2 .3 ..6"},
        {"w CONV1", "1 .2 .3 ..6"},
        {"deepen", "1 .2 .5 .3 ..7 ..8"},
        {"you", "1 .3 ..6"},
        {"fc1", "1 .3 ..7 ..8 .4"},
        {"no such thing", ""},
        {"99", ""},
        {"fc(8)", "1 .2 .5 .3 ..6 ..7 ..8 .4"},
        {"acc>85.5", "1 .3 ..7 ..8"},
        {"acc>=86 params<400", "1 .3 ..7"},
        {"params<=0.25k", "1 .3 .4"},
        {"gain>0.9", "1 .2 .5 .3 ..7 ..8 .4"},
        {"by:you", "1 .3 ..6"},
        {"layer:conv1", "1 .2 .5 .3 ..6"},
        {"layer:fc acc<86.5", "1 .3 ..7 .4"},
        {"is:best", "1 .3 ..7 ..8"},
        {"from:n3", "1 .3 ..6 ..7 ..8"},
        {"from:3 deepen", "1 .3 ..7 ..8"},
        {"arch:FC(9)", ""},
        {"n>7", "1 .3 ..7 ..8"},
        {"children=2", "1 .3"},
        {"speed>0", ""}, /* none has one */
    };
    struct model model = small_tree();
    tree_select(&model, 1);
    ask(&model, REQUEST_FOLD_ALL); /* what is found shows all the same */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(model.tree.filter, sizeof model.tree.filter, "%s", cases[i].words);
        model.tree.stale = true;
        expect_rows(&model, cases[i].rows);
    }
    snprintf(model.tree.filter, sizeof model.tree.filter, "W fc1");
    model.tree.stale = true;
    expect_rows(&model, "1 .3 ..7 .4");
    assert_true(!model.tree.rows[0].matches && !model.tree.rows[1].matches && model.tree.rows[2].matches && model.tree.rows[3].matches);
    ask(&model, REQUEST_FIND_NEXT);
    assert_int_equal(model.selected, 7);
    ask(&model, REQUEST_FIND_NEXT);
    assert_int_equal(model.selected, 4);
    ask(&model, REQUEST_FIND_NEXT); /* around */
    assert_int_equal(model.selected, 7);
    ask(&model, REQUEST_FIND_PREVIOUS);
    assert_int_equal(model.selected, 4);
    model_done(&model);
}

static void marks(void **state)
{
    (void)state;
    struct model model = small_tree();
    for (int64_t node = 2; node <= 4; node++) {
        tree_select(&model, node);
        ask(&model, REQUEST_MARK);
    }
    assert_true(model.marked[0] == 3 && model.marked[1] == 4); /* the last two */
    tree_select(&model, 3);
    ask(&model, REQUEST_MARK); /* again: not any more */
    assert_true(model.marked[0] == 4 && model.marked[1] == 0);
    model_done(&model);
}

/* A row keeps its line on the screen while others come and go above it. */
static void selection_keeps_its_line(void **state)
{
    (void)state;
    struct model model = small_tree();
    struct area inside = {0, 0, 40, 3};
    tree_build(&model);
    tree_select(&model, 8);
    view_tree.settle(&model, inside);
    int line = tree_row_of(&model, 8) - model.tree.top;
    tree_fold(&model, 2, true);
    tree_build(&model);
    view_tree.settle(&model, inside);
    assert_int_equal(tree_row_of(&model, 8), 5);
    assert_int_equal(tree_row_of(&model, 8) - model.tree.top, line);
    model_done(&model);
}

/* In the details, left and right go among those of one parent: 2, 3 and 4 are the start's, 7 follows 6. */
static void siblings_in_details(void **state)
{
    static const struct {
        int64_t from;
        enum request request;
        int64_t to;
    } steps[] = {{2, REQUEST_RIGHT, 3}, {3, REQUEST_RIGHT, 4}, {4, REQUEST_RIGHT, 4}, {4, REQUEST_LEFT, 3},
                 {6, REQUEST_RIGHT, 7}, {7, REQUEST_LEFT, 6},  {6, REQUEST_LEFT, 6},  {1, REQUEST_RIGHT, 1}};
    (void)state;
    struct model model = small_tree();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        tree_select(&model, steps[i].from);
        model.detail.open = true;
        model.detail.top = 3;
        assert_true(detail_request(&model, steps[i].request, 24));
        assert_int_equal(model.selected, steps[i].to);
        assert_int_equal(model.detail.top, 0);
    }
    model_done(&model);
}

static void following(void **state)
{
    (void)state;
    struct model model = model_at(SCREEN_SESSION_MIDDLE);
    assert_int_equal(session_node(model.state, model.selected)->status, NODE_RUNNING);
    model_done(&model);
    model = model_at(SCREEN_SESSION_END);
    assert_int_equal(model.selected, model.state->best);
    model_done(&model);
    model_init(&model, MODE_LIVE, "test");
    screen_session_play(60, fold, &model);
    tree_select(&model, 1);
    screen_session_play(0, fold, &model); /* another session: refused, and the selection stays */
    assert_int_equal(model.selected, 1);
    assert_false(model.follow);
    model_done(&model);
}

/* What has no line of its own in the test session. */
static void sentences(void **state)
{
    static const struct {
        struct event event;
        const char *word, *text;
    } cases[] = {
        {{.kind = EVENT_POLICY, .as.policy = {.episode = 3}},
         "policy",
         "episode 3: no new network of the policy, nothing to learn from"},
        {{.kind = EVENT_LOST, .as.lost = {.device = "cuda:0", .message = "it fell off"}},
         "lost",
         "cuda:0: it fell off"},
        {{.kind = EVENT_LOST, .as.lost = {.device = "cuda:0", .message = "asked to end", .left = true}},
         "left",
         "cuda:0: asked to end"},
        {{.kind = EVENT_FAILED, .as.failed = {.node = 7, .reason.value = FAILURE_CANCELLED}}, "cancel", "n7 cancelled"},
        {{.kind = EVENT_FAILED,
          .as.failed = {.node = 7, .reason.value = FAILURE_MEMORY, .message = "none is left", .again = true}},
         "fail",
         "n7 memory: none is left; it will be tried again"},
        {{.kind = EVENT_COMMAND,
          .as.command = {.by.value = AUTHOR_USER, .words = "pin 9", .answer = "there is no n9", .refused = true}},
         "you",
         "pin 9: no: there is no n9"},
        {{.kind = EVENT_BUDGET}, "budget", "now without limit"},
        {{.kind = EVENT_BUDGET, .as.budget.flops = 30e12}, "budget", "now 30T FLOPs"},
        {{.kind = EVENT_TEST, .as.test = {.node = 24, .accuracy = 0.9341, .loss = 0.2, .images = 10000}},
         "test",
         "n24 93.41% of 10000 test images, loss 0.2000"},
        {{.kind = EVENT_STEP}, NULL, NULL},
    };
    (void)state;
    struct session_state *empty = session_state_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct event_line line;
        assert_int_equal(event_line(empty, &cases[i].event, &line), cases[i].word != NULL);
        if (cases[i].word) {
            assert_string_equal(line.word, cases[i].word);
            assert_string_equal(line.text, cases[i].text);
        }
    }
    session_state_free(empty);
}

static void log_lines(void **state)
{
    (void)state;
    struct model model = model_at(SCREEN_SESSION_END);
    int best = 0, fail = 0, policy = 0, you = 0;
    double time = 0;
    for (int i = 0; i < model.log.count; i++) {
        const struct log_line *line = &model.log.lines[i];
        assert_true(line->time >= time);
        time = line->time;
        best += !strcmp(line->word, "best");
        fail += !strcmp(line->word, "fail");
        policy += !strcmp(line->word, "policy");
        you += !strcmp(line->word, "person"); /* not at this terminal */
    }
    assert_int_equal(fail, 1);
    assert_int_equal(policy, model.state->policy_count);
    assert_int_equal(you, model.state->command_count + 1); /* and the network that joined by one */
    assert_true(best > 5);
    model_done(&model);
}

/* The same lines whether they came one by one or are recalled from a later state. */
static void recalled_lines(void **state)
{
    (void)state;
    struct event_list events = {0};
    struct model live = model_at(SCREEN_SESSION_MIDDLE), replay;
    screen_session_play(SCREEN_SESSION_MIDDLE, event_list_add, &events);
    model_init(&replay, MODE_REPLAY, "test");
    model_replace(&replay, session_state_copy(live.state));
    for (size_t i = 0; i < events.count; i++)
        model_recall(&replay, &events.items[i]);
    assert_int_equal(replay.log.count, live.log.count);
    for (int i = 0; i < live.log.count; i++) {
        assert_string_equal(replay.log.lines[i].text, live.log.lines[i].text);
        bool person = !strcmp(live.log.lines[i].word, "person");
        assert_string_equal(replay.log.lines[i].word, person ? "you" : live.log.lines[i].word);
    }
    assert_int_equal(replay.devices.count, live.devices.count);
    for (int i = 0; i < live.devices.count; i++)
        assert_memory_equal(&replay.devices.histories[i], &live.devices.histories[i], sizeof live.devices.histories[i]);
    event_list_done(&events);
    model_done(&replay);
    model_done(&live);
}

static void old_lines_make_room(void **state)
{
    (void)state;
    struct model model = small_tree();
    struct event event = {.kind = EVENT_COMMAND};
    event.as.command =
        (struct event_command){.by = {AUTHOR_USER}, .words = event_text("pause"), .answer = event_text("%s", "")};
    for (int i = 0; i < 2 * LOG_LINES; i++) {
        event.number = model.state->last_number + 1;
        event.time = 100 + i;
        model_apply(&model, &event);
    }
    assert_int_equal(model.log.count, LOG_LINES);
    assert_true(model.log.lines[LOG_LINES - 1].time == 100 + 2 * LOG_LINES - 1);
    assert_true(model.log.lines[0].time == 100 + LOG_LINES);
    event_done(&event);
    model_done(&model);
}

static void histories(void **state)
{
    (void)state;
    struct model model = model_at(SCREEN_SESSION_MIDDLE);
    assert_int_equal(model.devices.count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(model.devices.histories[i].count, HISTORY_SAMPLES);
    char *id = model.state->devices[2].id; /* whoever joins may take the place of another */
    struct event event = {.kind = EVENT_JOINED, .as.joined = {.device = id, .host = "node1"}};
    event.number = model.state->last_number + 1;
    event.time = model.state->time;
    model_apply(&model, &event);
    assert_int_equal(model.devices.histories[1].count, HISTORY_SAMPLES);
    assert_int_equal(model.devices.histories[2].count, 0);
    model_done(&model);
}

static void seeking_back(void **state)
{
    (void)state;
    struct model model = model_at(SCREEN_SESSION_MIDDLE), early = model_at(60);
    tree_select(&model, 37);
    model.marked[0] = 40;
    model.comparing = true;
    struct session_state *before = session_state_copy(early.state);
    int64_t count = before->node_count;
    model_replace(&model, before);
    tree_build(&model);
    assert_int_equal(model.tree.row_count, count);
    assert_true(model.selected >= 1 && model.selected <= count);
    assert_int_equal(model.marked[0], 0);
    assert_false(model.comparing);
    model_done(&model);
    model_done(&early);
}

/* An edge has the longest form that fits. */
static void edges(void **state)
{
    (void)state;
    struct model model = model_at(SCREEN_SESSION_MIDDLE);
    static const struct {
        int columns;
        const char *words;
    } cases[] = {
        {80, "W conv5 12→16, W conv6 16→20, W fc1 16→24, D conv6 +3×3"},
        {30, "W conv5,6 fc1 D conv6"},
        {21, "W conv5,6 fc1 D conv6"},
        {20, "W c5,6 f1 D c6"},
        {13, "3W 1D"},
        {0, "3W 1D"},
    };
    const struct session_node *node = session_node(model.state, 29);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text text = TEXT_EMPTY;
        node_edge(model.state, node, true, cases[i].columns, &text);
        assert_string_equal(text_string(&text), cases[i].words);
        text_done(&text);
    }
    char *trade[] = {"narrow:conv5:8", "kernel:conv1:5", "narrow:fc1:8", "deepen:conv1:3"};
    struct session_node traded = *node;
    traded.facts.actions = (struct event_texts){.count = 4, .items = trade};
    for (int counted = 0; counted < 2; counted++) {
        struct text text = TEXT_EMPTY;
        node_edge(model.state, &traded, true, counted ? 0 : 30, &text);
        assert_string_equal(text_string(&text), counted ? "1D 2N 1K" : "N conv5 K conv1 N fc1 D conv1");
        text_done(&text);
    }
    model_done(&model);
}

/* Every network of a large session has its row, once, below its parent. */
static void rows_of_a_large_session(void **state)
{
    (void)state;
    struct session_recipe recipe = session_recipe_default(5);
    recipe.networks = 2000;
    recipe.epochs = 1;
    recipe.steps = 0;
    recipe.sample_seconds = 0;
    struct model model;
    model_init(&model, MODE_REPLAY, "large");
    session_generate(&recipe, fold, &model);
    for (int order = 0; order < ORDER_COUNT; order++) {
        model.tree.order = (enum tree_order)order;
        model.tree.stale = true;
        tree_build(&model);
        assert_int_equal(model.tree.row_count, model.state->node_count);
        int64_t path[2001] = {0};
        bool *seen = calloc((size_t)model.tree.row_count + 1, 1);
        for (int i = 0; i < model.tree.row_count; i++) {
            const struct tree_row *row = &model.tree.rows[i];
            assert_false(seen[row->node]);
            seen[row->node] = true;
            int64_t parent = row->only_child ? path[row->depth] : row->depth ? path[row->depth - 1] : 0;
            path[row->depth] = row->node;
            assert_int_equal(session_node(model.state, row->node)->facts.parent, parent);
        }
        free(seen);
    }
    model_done(&model);
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_in_order_of_number),
        cmocka_unit_test(orders),
        cmocka_unit_test(folding),
        cmocka_unit_test(moving),
        cmocka_unit_test(filter),
        cmocka_unit_test(marks),
        cmocka_unit_test(selection_keeps_its_line),
        cmocka_unit_test(siblings_in_details),
        cmocka_unit_test(following),
        cmocka_unit_test(log_lines),
        cmocka_unit_test(recalled_lines),
        cmocka_unit_test(old_lines_make_room),
        cmocka_unit_test(histories),
        cmocka_unit_test(sentences),
        cmocka_unit_test(seeking_back),
        cmocka_unit_test(edges),
        cmocka_unit_test(rows_of_a_large_session),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
