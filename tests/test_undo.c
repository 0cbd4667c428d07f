/*
 * test_undo.c - steps of a person are taken back: the last one, each one, and none in the place of another.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "command_bed.h"
#include "sessions/steps.h"

static void test_undo(void **state)
{
    static const struct cue cues[] = {
        {EVENT_STARTED, 2, "grow 1 widen:conv1:40"},
        {EVENT_STARTED, 2, "grow 1 widen:conv2:40"},
        {EVENT_STARTED, 2, "undo"},
        {EVENT_STARTED, 2, "undo"},
        {EVENT_STARTED, 2, "undo"},
        {EVENT_STARTED, 2, "grow 1 widen:conv1:40"},
        {0},
    };
    struct play play;
    struct search_options options = options_of(3);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    assert_answers(&play, "grow 1 widen:conv1:40: it is n3, next in the queue\n"
                          "grow 1 widen:conv2:40: it is n4, next in the queue\n"
                          "undo: `grow 1 widen:conv2:40` is taken back: n4 is not trained\n"
                          "undo: `grow 1 widen:conv1:40` is taken back: n3 is not trained\n"
                          "undo! nothing of yours can be taken back\n"
                          "grow 1 widen:conv1:40: it is n5, next in the queue\n");
    assert_int_equal(session->nodes[2]->status, NODE_CANCELLED);
    assert_int_equal(session->nodes[4]->status, NODE_DONE); /* taken back, and asked for again */
    perform_end(&play, session);
}

/* Every kind of step, in any order; the events are those of the commands that take them back. */
static void test_undo_any_step(void **state)
{
    static const struct cue cues[] = {
        {EVENT_RESULT, 3, "pin 2"},               /* step 1 */
        {EVENT_RESULT, 3, "rate 0.2"},            /* 2 */
        {EVENT_RESULT, 3, "epochs 4"},            /* 3 */
        {EVENT_RESULT, 3, "budget networks +10"}, /* 4 */
        {EVENT_RESULT, 3, "budget networks +5"},  /* 5 */
        {EVENT_RESULT, 3, "note 2 first"},        /* 6 */
        {EVENT_RESULT, 3, "note 2 second"},       /* 7 */
        {EVENT_RESULT, 3, "rate 0.3"},            /* 8 */
        {EVENT_RESULT, 3, "prune 3"},             /* 9 */
        {EVENT_RESULT, 3, "pause"},               /* 10 */
        {EVENT_RESULT, 3, "continue"},            /* 11 */
        {EVENT_RESULT, 3, "undo 4"},
        {EVENT_RESULT, 3, "undo 4"},
        {EVENT_RESULT, 3, "undo 2"},
        {EVENT_RESULT, 3, "undo 1"},
        {EVENT_RESULT, 3, "undo"},
        {EVENT_RESULT, 3, "undo"},
        {EVENT_RESULT, 3, "undo 2"},
        {EVENT_RESULT, 3, "undo"},
        {EVENT_RESULT, 3, "undo"},
        {EVENT_RESULT, 3, "undo 10"},
        {EVENT_RESULT, 3, "undo 12"},
        {EVENT_RESULT, 3, "undo x"},
        {EVENT_RESULT, 3, "undo 3 4"},
        {EVENT_RESULT, 3, "undo 5"},
        {EVENT_RESULT, 3, "undo"},
        {EVENT_RESULT, 3, "undo"},
        {0},
    };
    struct play play;
    struct search_options options = options_of(5);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    const char *answers = strstr(play.answers, "undo 4");
    const char *expected =
        "undo 4: `budget networks +10` is taken back: 10 networks in all\n"
        "undo 4! `budget networks +10` is taken back already\n"
        "undo 2! `rate 0.3` came after it: take that back first (`undo 8`)\n"
        "undo 1: `pin 2` is taken back\n"
        "undo: `prune 3` is taken back: n3 may grow again\n"
        "undo: `rate 0.3` is taken back: for networks that start from now on\n"
        "undo 2: `rate 0.2` is taken back: for networks that start from now on\n"
        "undo: `note 2 second` is taken back\n"
        "undo: `note 2 first` is taken back\n"
        "undo 10! `pause` changed nothing that can be taken back\n"
        "undo 12! there is no step 12; there are 11\n"
        "undo x! \"x\" is no step: `undo` takes back the last one, `undo N` the one with that number\n"
        "undo 3 4! \"4\" is one word too many\n"
        "undo 5: `budget networks +5` is taken back: 5 networks in all\n"
        "undo: `epochs 4` is taken back: for networks that start from now on\n"
        "undo! nothing of yours can be taken back\n";
    if (!answers || strcmp(answers, expected))
        fail_msg("answers are:\n%s", play.answers);
    assert_true(session->budget_networks == 5 && session->epochs == options.epochs && session->rate == options.rate);
    assert_false(session->nodes[1]->pinned || session->nodes[2]->pruned);
    assert_string_equal(session->nodes[1]->note, "");
    assert_int_equal(session->step_count, 11);
    for (int64_t i = 1; i <= 9; i++)
        assert_true(session_step(session, i)->undone_by > session_step(session, i)->number);
    perform_end(&play, session);
}

/* What can't be taken back is refused with the reason: an older step isn't taken back in its place. */
static void test_undo_is_not_of_an_older_step(void **state)
{
    static const struct cue cues[] = {
        {EVENT_RESULT, 3, "prune 3"},
        {EVENT_RESULT, 3, "grow 2 widen:conv1:40"},
        {EVENT_RESULT, 3, "prune 4"}, /* it waits */
        {EVENT_RESULT, 3, "undo"},
        {EVENT_RESULT, 3, "grow 2 widen:conv2:40"},
        {EVENT_RESULT, 5, "undo"}, /* it is trained */
        {EVENT_RESULT, 5, "undo 1"},
        {0},
    };
    struct play play;
    struct search_options options = options_of(5);
    options.parent = PARENT_START;
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    assert_answers(&play,
                   "prune 3: n3 and all that grew from it; `undo` takes that back\n"
                   "grow 2 widen:conv1:40: it is n4, next in the queue\n"
                   "prune 4: n4 is not trained\n"
                   "undo! your last step was `prune 4`: n4 was cancelled, and stays so: `grow 2 widen:conv1:40` asks "
                   "for it again\n"
                   "grow 2 widen:conv2:40: it is n5, next in the queue\n"
                   "undo! your last step was `grow 2 widen:conv2:40`: n5 is trained: `prune 5` gives it up\n"
                   "undo 1: `prune 3` is taken back: n3 may grow again\n");
    perform_end(&play, session);
}

/* 5 networks, 20 more, 20 fewer: without the first step there would be no limit. */
static void test_a_budget_is_never_undone_to_nothing(void **state)
{
    static const struct cue cues[] = {
        {EVENT_RESULT, 3, "budget networks +20"}, {EVENT_RESULT, 3, "budget networks -20"}, {EVENT_RESULT, 3, "undo 1"},
        {EVENT_RESULT, 3, "undo 2"},              {EVENT_RESULT, 3, "undo 1"},              {0},
    };
    struct play play;
    struct search_options options = options_of(5);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    assert_non_null(strstr(play.answers, "undo 1! later steps have taken more from the budget; `budget networks N` sets one"));
    assert_int_equal(session->budget_networks, 5);
    perform_end(&play, session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_undo),
        cmocka_unit_test(test_undo_any_step),
        cmocka_unit_test(test_a_budget_is_never_undone_to_nothing),
        cmocka_unit_test(test_undo_is_not_of_an_older_step),
    };
    return cmocka_run_group_tests_name("undo", tests, NULL, NULL);
}
