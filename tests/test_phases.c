/*
 * test_phases.c - what the screens say of a search of rounds: its phases, what each network is, and what a gain is
 * over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "race_session.h"
#include "sessions/forecast.h"
#include "tui/node.h"
#include "tui/rounds.h"
#include "util/bug.h"

static void fold(void *model, const struct event *event)
{
    model_apply(model, event);
}

/* The words of a search of rounds: phases, races, and what a gain is over. */
static void rounds(void **state)
{
    static const struct {
        enum race_moment moment;
        const char *phase, *verdict;
    } cases[] = {{RACE_START, "start epoch 6/8", ""},
                 {RACE_GROWTH, "growth 94%", ""},
                 {RACE_BASELINE, "baseline epoch 6/9", ""},
                 {RACE_FINISH, "finish epoch 8/35", "+0.84 over baseline n26"},
                 {RACE_END, "finish done", "+0.84 over baseline n26"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct model model;
        struct text phase = TEXT_EMPTY, verdict = TEXT_EMPTY;
        model_init(&model, MODE_LIVE, "test");
        race_session_play(cases[i].moment, fold, &model);
        phase_add(model.state, &phase);
        assert_string_equal(text_string(&phase), cases[i].phase);
        assert_int_equal(verdict_add(model.state, &verdict), *cases[i].verdict != 0);
        assert_string_equal(text_string(&verdict), cases[i].verdict);
        assert_true(session_has_phases(model.state) && session_forecast(model.state).rough);
        text_done(&phase);
        text_done(&verdict);
        model_done(&model);
    }
}

/* The finish goes at its own pace.  Before it counts what will come: the finish, which one of the devices trains alone. */
static void time_left(void **state)
{
    static const enum race_moment moments[] = {RACE_GROWTH, RACE_FINISH};
    struct model over;
    (void)state;
    model_init(&over, MODE_LIVE, "test");
    race_session_play(RACE_END, fold, &over);
    double end = over.state->time;
    model_done(&over);
    for (size_t i = 0; i < COUNT_OF(moments); i++) {
        struct model model;
        model_init(&model, MODE_LIVE, "test");
        race_session_play(moments[i], fold, &model);
        struct forecast forecast = session_forecast(model.state);
        const struct session_node *finish = session_node(model.state, 27);
        assert_true(forecast.seconds_left < 1.3 * (end - model.state->time));
        assert_true(forecast.seconds_most > 0.9 * (end - model.state->time));
        if (finish) {
            double left = finish->seconds / finish->curve_count * finish->epochs * (1 - node_share(finish));
            assert_true(fabs(forecast.seconds_left - left) < 1e-6 && left > 100 && left < 500);
        }
        model_done(&model);
    }
}

static void roles_and_gains(void **state)
{
    static const struct {
        int64_t node;
        const char *edge;
        uint32_t glyph;
        int64_t over; /* 0: no gain */
    } cases[] = {{1, "start", L'✓', 0},         {2, "control of n1", L'=', 1},  {3, "W c1,3 D c2", L'✓', 2},
                 {7, "W conv4 D fc1", L'✗', 0}, {8, "D conv1 +1×1", L'✓', 6},   {17, "W conv1,5", L'✓', 10},
                 {26, "baseline", L'□', 0},     {27, "finish of n23", L'■', 23}};
    struct model model;
    (void)state;
    model_init(&model, MODE_LIVE, "test");
    race_session_play(RACE_END, fold, &model);
    assert_int_equal(model.selected, 27); /* the finished one */
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct session_node *node = session_node(model.state, cases[i].node);
        struct text text = TEXT_EMPTY;
        double gain;
        int64_t over = 0;
        node_edge(model.state, node, true, 13, &text);
        assert_string_equal(text_string(&text), cases[i].edge);
        assert_int_equal(node_glyph(node), cases[i].glyph);
        assert_int_equal(node_gain(model.state, node, &gain, &over), cases[i].over != 0);
        assert_int_equal(over, cases[i].over);
        text_done(&text);
    }
    model_done(&model);
    /* In training: over the control after as many epochs. */
    model_init(&model, MODE_LIVE, "test");
    race_session_play(RACE_GROWTH, fold, &model);
    const struct session_node *node = session_node(model.state, 24), *control = session_node(model.state, 22);
    double gain;
    int64_t over;
    assert_int_equal(node->curve_count, 2);
    assert_true(node_gain(model.state, node, &gain, &over) && over == 22);
    assert_true(gain == node->curve[1].validation_accuracy - control->curve[1].validation_accuracy);
    model_done(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rounds), cmocka_unit_test(time_left),
                                       cmocka_unit_test(roles_and_gains)};
    return cmocka_run_group_tests_name("phases", tests, NULL, NULL);
}
