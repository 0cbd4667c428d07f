/*
 * test_commands.c - what a person may ask while a search runs: each word's effect, refusals with their reasons.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "command_bed.h"

static void test_refusals(void **state)
{
    static const struct cue cues[] = {
        {EVENT_NODE, 1, "grow 1 widen:conv1"},
        {EVENT_RESULT, 2, ""},
        {EVENT_RESULT, 2, "dance"},
        {EVENT_RESULT, 2, "continue"},
        {EVENT_RESULT, 2, "pin"},
        {EVENT_RESULT, 2, "pin 99"},
        {EVENT_RESULT, 2, "pin x"},
        {EVENT_RESULT, 2, "unpin 2"},
        {EVENT_RESULT, 2, "prune n1"},
        {EVENT_RESULT, 2, "pause now"},
        {EVENT_RESULT, 2, "grow 1"},
        {EVENT_RESULT, 2, "grow 1 widen:conv9"},
        {EVENT_RESULT, 2, "grow 1 widen:conv1:4"},
        {EVENT_RESULT, 2, "undo"},
        {EVENT_RESULT, 2, "budget"},
        {EVENT_RESULT, 2, "budget apples 3"},
        {EVENT_RESULT, 2, "budget networks 3.5"},
        {EVENT_RESULT, 2, "budget episodes +3"},
        {EVENT_RESULT, 2, "rate"},
        {EVENT_RESULT, 2, "rate fast"},
        {EVENT_RESULT, 2, "epochs 0"},
        {EVENT_RESULT, 2, "epochs 2 3"},
        {0},
    };
    struct play play;
    struct search_options options = options_of(3);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    const char *expected[] = {
        "grow 1 widen:conv1! n1 has no weights yet: wait until it is trained\n",
        "dance! that is not a command; there are pause, continue,",
        "! no command is given; there are pause, continue,",
        "rate, epochs and stop\n",
        "continue! the search isn't paused\n",
        "pin! which network? give its number\n",
        "pin 99! there is no network 99\n",
        "pin x! there is no network x\n",
        "unpin 2! n2 isn't pinned\n",
        "prune n1! n1 is the start network: everything grows from it\n",
        "pause now! \"now\" is one word too many\n",
        "grow 1! by which actions? for example",
        "grow 1 widen:conv9! ",
        "grow 1 widen:conv1:4! ",
        "undo! nothing of yours can be taken back\n",
        "budget! budget of what?",
        "budget apples 3! budget of what?",
        "budget episodes +3! the budget has no limit of episodes: `budget episodes N` sets one\n",
        "budget networks 3.5! \"3.5\" must be a whole number from 0 to 1000000000 (0: no limit)\n",
        "rate! which value? networks train 2 epochs from rate 0.05 now\n",
        "rate fast! \"fast\" must be a number from 0 to 1000000\n",
        "epochs 0! \"0\" must be a whole number from 1 to 100000\n",
        "epochs 2 3! \"3\" is one word too many\n",
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        if (!strstr(play.answers, expected[i]))
            fail_msg("no \"%s\" in:\n%s", expected[i], play.answers);
    assert_int_equal(session->command_count, 22);
    assert_int_equal(session->epochs, 2);
    assert_int_equal(session->node_count, 3);
    perform_end(&play, session);
}

/* A person's network goes first, takes the path of any other, and isn't a proposal. */
static void test_grow(void **state)
{
    static const struct cue cues[] = {
        {EVENT_STARTED, 2, "grow 1 widen:conv1 deepen:conv2:5"},
        {EVENT_STARTED, 2, "grow n1 widen:conv1 deepen:conv2:5"},
        {0},
    };
    struct play play;
    struct search_options options = options_of(5);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    assert_answers(&play, "grow 1 widen:conv1 deepen:conv2:5: it is n3, next in the queue\n"
                          "grow n1 widen:conv1 deepen:conv2:5! that network is n3 already\n");
    assert_string_equal(play.order, "S1 R1 S2 R2 S3 R3 S4 R4 S5 R5 ");
    assert_int_equal(session->nodes[2]->facts.by.value, AUTHOR_USER);
    assert_string_equal(session->nodes[2]->facts.actions.items[0], "widen:conv1:8");
    assert_string_equal(session->nodes[2]->facts.actions.items[1], "deepen:conv2:5");
    assert_int_equal(session->nodes[2]->facts.proposal, 0);
    assert_int_equal(session->proposal_count, 3);
    assert_int_equal(session->status_count[NODE_DONE], 5); /* it is in the budget */
    perform_end(&play, session);
}

static void test_grow_when_budget_is_spent(void **state)
{
    static const struct cue cues[] = {{EVENT_STARTED, 3, "grow 2 widen:conv1:40"}, {0}};
    struct play play;
    struct search_options options = options_of(3);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    assert_int_equal(session->status_count[NODE_DONE], 4);
    assert_int_equal(session->nodes[3]->facts.parent, 2);
    perform_end(&play, session);
}

/* Networks grow from pinned ones only, from the next proposal on; and from all again when none is pinned. */
static void test_pin(void **state)
{
    static const struct cue cues[] = {
        {EVENT_RESULT, 3, "pin 3"},   {EVENT_RESULT, 3, "pin n2"},  {EVENT_RESULT, 3, "pin 2"},
        {EVENT_RESULT, 9, "unpin 2"}, {EVENT_RESULT, 9, "unpin 3"}, {0},
    };
    for (int choice = PARENT_START; choice <= PARENT_TOURNAMENT; choice++) {
        struct play play;
        struct search_options options = options_of(14);
        options.parent = choice;
        struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
        assert_non_null(strstr(play.answers, "pin 2! n2 is pinned already\n"));
        for (int64_t i = 4; i <= 9; i++)
            assert_in_range(session->nodes[i - 1]->facts.parent, 2, 3);
        if (choice == PARENT_START)
            for (int64_t i = 10; i <= 14; i++)
                assert_int_equal(session->nodes[i - 1]->facts.parent, 1);
        perform_end(&play, session);
    }
}

/* Pruning cancels what is queued and what trains below, and no pruned network is a parent. */
static void test_prune(void **state)
{
    static const struct cue cues[] = {
        {EVENT_RESULT, 2, "grow 2 widen:conv1:36"}, /* n4: n3 is proposed by then */
        {EVENT_STARTED, 4, "grow 2 widen:conv1:40"},
        {EVENT_STARTED, 4, "prune 2"},
        {0},
    };
    struct play play;
    struct search_options options = options_of(9);
    options.parent = PARENT_TOURNAMENT;
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 2, .seed = 4}, cues);
    assert_int_equal(session->nodes[1]->status, NODE_DONE);
    assert_true(session->nodes[1]->pruned);
    assert_int_equal(session->nodes[3]->status, NODE_CANCELLED);
    assert_int_equal(session->nodes[4]->status, NODE_CANCELLED);
    assert_int_equal(session->nodes[4]->attempts, 0);
    for (int64_t i = 5; i < session->node_count; i++)
        assert_int_not_equal(session->nodes[i]->facts.parent, 2);
    assert_int_equal(session->status_count[NODE_DONE], 9);
    assert_int_equal(session->finish_reason.value, FINISH_BUDGET);
    perform_end(&play, session);
}

static double falls(void *context, const struct trial *trial)
{
    return 0.9 - 0.01 * (double)trial->node;
}

/* With --keep best a pruned network takes no place of those that may grow, and what isn't kept can't grow again. */
static void test_unprune_of_what_was_not_kept(void **state)
{
    static const struct cue cues[] = {
        {EVENT_RESULT, 3, "prune 2"},
        {EVENT_RESULT, 9, "prune 5"},
        {EVENT_RESULT, 9, "undo"},
        {EVENT_RESULT, 13, "prune 9"},
        {EVENT_RESULT, 13, "undo"},
        {0},
    };
    struct play play;
    struct search_options options = options_of(14);
    options.parent = PARENT_TOURNAMENT;
    options.keep = KEEP_BEST;
    options.population = 3;
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1, .accuracy = falls}, cues);
    assert_answers(&play, "prune 2: n2 and all that grew from it; `undo` takes that back\n"
                          "prune 5: n5 and all that grew from it; `undo` takes that back\n"
                          "undo: `prune 5` is taken back: n5 and 1 that grew from it may grow again, but for 1 "
                          "whose weights were not kept\n"
                          "prune 9: n9 and all that grew from it; `undo` takes that back\n"
                          "undo: `prune 9` is taken back: n9: nothing can grow again, the weights were not kept\n");
    assert_false(session_node(session, 4)->dropped); /* third after n1 and n3 */
    assert_true(session_node(session, 5)->dropped);
    perform_end(&play, session);
}

/* What was pruned can be taken back, the last first; what was cancelled by it stays so. */
static void test_unprune(void **state)
{
    static const struct cue cues[] = {
        {EVENT_RESULT, 2, "grow 2 widen:conv1:36"}, /* n3 */
        {EVENT_RESULT, 4, "grow 3 widen:conv2:36"}, /* n5 */
        {EVENT_RESULT, 4, "prune 3"},
        {EVENT_RESULT, 4, "prune 2"},
        {EVENT_RESULT, 4, "unprune 5"},
        {EVENT_RESULT, 4, "unprune 3"},
        {EVENT_RESULT, 4, "undo"},
        {EVENT_RESULT, 4, "unprune n3"},
        {EVENT_RESULT, 4, "unprune 3"},
        {EVENT_RESULT, 4, "grow 3 widen:conv2:36"},
        {0},
    };
    struct play play;
    struct search_options options = options_of(9);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1, .seed = 4}, cues);
    assert_answers(&play, "grow 2 widen:conv1:36: it is n3, next in the queue\n"
                          "grow 3 widen:conv2:36: it is n5, next in the queue\n"
                          "prune 3: n3 and all that grew from it; `undo` takes that back\n"
                          "prune 2: n2 and all that grew from it; `undo` takes that back\n"
                          "unprune 5! it was pruned with n3: `unprune 3` takes that back\n"
                          "unprune 3! n3 grew from n2, which is pruned: `unprune 2` first\n"
                          "undo: `prune 2` is taken back: n2 may grow again\n"
                          "unprune n3: n3 and 1 that grew from it may grow again, but what was cancelled stays so\n"
                          "unprune 3! n3 isn't pruned\n"
                          "grow 3 widen:conv2:36: it is n6, next in the queue\n");
    for (int64_t i = 1; i <= session->node_count; i++)
        assert_false(session_node(session, i)->pruned);
    assert_int_equal(session->nodes[4]->status, NODE_CANCELLED);
    assert_int_equal(session->nodes[5]->status, NODE_DONE);
    perform_end(&play, session);
}

/* While paused nothing starts and nothing is reported; commands are answered. */
static void test_pause(void **state)
{
    static const struct cue cues[] = {
        {EVENT_STARTED, 3, "pause"},
        {EVENT_PAUSED, 0, "grow 1 widen:conv1:40"},
        {EVENT_PAUSED, 0, "pause"},
        {EVENT_PAUSED, 0, "continue"},
        {0},
    };
    struct play play;
    struct search_options options = options_of(5);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    assert_answers(&play, "pause: \n"
                          "grow 1 widen:conv1:40: it is n4, next in the queue\n"
                          "pause! the search is paused already\n"
                          "continue: \n");
    assert_string_equal(play.order, "S1 R1 S2 R2 S3 P1 P0 R3 S4 R4 S5 R5 ");
    assert_false(session->paused);
    perform_end(&play, session);
}

static void test_stop(void **state)
{
    static const struct cue cues[] = {{EVENT_STARTED, 5, "stop"}, {0}};
    struct play play;
    struct search_options options = options_of(12);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 2}, cues);
    assert_int_equal(session->finish_reason.value, FINISH_INTERRUPTED);
    assert_true(session->status_count[NODE_QUEUED] >= 1);
    assert_int_equal(session->status_count[NODE_RUNNING], 0);
    assert_int_equal(session->failure_count, 0);
    assert_non_null(strstr(play.order, "again"));
    perform_end(&play, session);
}

static void test_stop_while_paused(void **state)
{
    static const struct cue cues[] = {{EVENT_STARTED, 5, "pause"}, {EVENT_PAUSED, 0, "stop"}, {0}};
    struct play play;
    struct search_options options = options_of(12);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 2}, cues);
    assert_int_equal(session->finish_reason.value, FINISH_INTERRUPTED);
    perform_end(&play, session);
}

static void test_budget(void **state)
{
    static const struct cue cues[] = {
        {EVENT_STARTED, 3, "budget networks 9"},
        {EVENT_STARTED, 9, "budget episodes 2"},
        {EVENT_STARTED, 9, "budget networks 0"},
        {0},
    };
    struct play play;
    struct search_options options = options_of(3);
    options.episode_networks = 7;
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    assert_int_equal(session->proposal_count, 14);
    assert_int_equal(session->budget_networks, 0);
    assert_int_equal(session->budget_episodes, 2);
    perform_end(&play, session);
}

/* Changes are of the budget as it is when they are taken, so none is lost, and stop at what is spent. */
static void test_budget_by_a_change(void **state)
{
    static const struct cue cues[] = {
        {EVENT_STARTED, 3, "budget networks +10"},  {EVENT_STARTED, 3, "budget networks +10"},
        {EVENT_STARTED, 3, "budget networks +0.5"}, {EVENT_STARTED, 3, "budget networks -10"},
        {EVENT_STARTED, 6, "budget networks -100"}, {EVENT_STARTED, 6, "budget networks -1"},
        {EVENT_STARTED, 6, "budget seconds -1"},    {0},
    };
    struct play play;
    struct search_options options = options_of(3);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    assert_answers(&play, "budget networks +10: 13 networks in all\n"
                          "budget networks +10: 23 networks in all\n"
                          "budget networks +0.5! \"23.5\" must be a whole number from 0 to 1000000000 (0: no "
                          "limit)\n"
                          "budget networks -10: 13 networks in all\n"
                          "budget networks -100: 5 networks in all: the search ends with what is in training\n"
                          "budget networks -1! it can't be smaller than what is spent\n"
                          "budget seconds -1! the budget has no limit of seconds: `budget seconds N` sets one\n");
    assert_int_equal(session->budget_networks, 5);
    assert_int_equal(session->status_count[NODE_DONE], 6); /* one was in training */
    perform_end(&play, session);
}

/* A budget below what is spent would end the search, which nobody has asked for: it is refused, and nothing changes. */
static void test_budget_below_what_is_spent(void **state)
{
    static const struct cue cues[] = {
        {EVENT_STARTED, 6, "budget networks 3"}, {EVENT_STARTED, 6, "budget seconds 1e-9"},
        {EVENT_STARTED, 6, "budget flops 1"},    {EVENT_STARTED, 6, "pause"},
        {EVENT_PAUSED, 0, "budget seconds 1e-9"}, {EVENT_PAUSED, 0, "continue"},
        {EVENT_STARTED, 7, "budget networks 8"}, {0},
    };
    struct play play;
    struct search_options options = options_of(12);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    assert_non_null(strstr(play.answers, "budget networks 3! 5 networks are spent already; `stop` ends the search now\n"));
    assert_non_null(strstr(play.answers, "budget flops 1! "));
    assert_null(strstr(play.answers, "budget seconds 1e-9:"));
    assert_non_null(strstr(play.answers, "budget networks 8: 8 networks in all\n"));
    assert_int_equal(session->status_count[NODE_DONE], 8);
    assert_true(session->budget_seconds == 0 && session->budget_flops == 0);
    perform_end(&play, session);
}

/* How a network trains is what was set when it started; the start network's rate from scratch is another thing. */
static void test_settings(void **state)
{
    static const struct cue cues[] = {
        {EVENT_NODE, 1, "rate 0.5"},     {EVENT_NODE, 1, "rate 0.02"}, {EVENT_STARTED, 2, "epochs 4"},
        {EVENT_STARTED, 3, "rate 0.25"}, {EVENT_EPOCH, 4, "epochs 1"}, {0},
    };
    static const int epochs[] = {2, 2, 4, 4, 1};
    static const double rates[] = {0.1, 0.02, 0.02, 0.25, 0.25};
    struct play play;
    struct search_options options = options_of(5);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    for (int i = 0; i < 5; i++) {
        const struct session_node *node = session->nodes[i];
        assert_int_equal(node->epochs, epochs[i]);
        assert_int_equal(node->curve_count, epochs[i]);
        assert_float_equal(node->curve[0].rate, rates[i], 1e-6);
    }
    assert_non_null(strstr(play.answers, "epochs 4: for networks that start from now on\n"));
    assert_int_equal(session->epochs, 1);
    assert_true(session->rate == 0.25);
    perform_end(&play, session);
}

/* With learn_from_user, each update names the networks of a person that it was shown: once, and when they have a
 * result. */
static void test_the_policy_is_shown_what_a_person_grew(void **state)
{
    static const struct cue cues[] = {
        {EVENT_STARTED, 2, "grow 1 widen:conv1:12"}, /* n3 */
        {EVENT_STARTED, 6, "grow 2 deepen:fc1"},
        {EVENT_STARTED, 6, "grow 1 widen:conv1:6"}, /* a width that the controller lacks */
        {0},
    };
    struct hash digests[2];
    for (int with = 0; with < 2; with++) {
        struct play play;
        struct search_options options = options_of(16);
        strcpy(options.policy, "reinforce");
        options.learn_from_user = with;
        struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
        int shown = 0;
        assert_true(session->policy_count >= 3);
        for (int64_t i = 0; i < session->policy_count; i++) {
            const struct event_policy *update = &session->policies[i]->facts;
            for (int j = 0; j < update->asked.count; j++, shown++) {
                const struct session_node *node = session_node(session, update->asked.items[j]);
                assert_int_equal(node->facts.by.value, AUTHOR_USER);
                assert_true(node->observed && node->ended <= session->policies[i]->time);
                if (shown)
                    assert_int_equal(i, 1); /* the second episode's */
                else
                    assert_true(i == 0 && node->facts.node == 3);
            }
            assert_int_equal(update->networks, 4); /* the batch is the policy's own */
        }
        assert_int_equal(shown, with ? 3 : 0);
        digests[with] = hash_of(session->policies[1]->facts.state_hash, strlen(session->policies[1]->facts.state_hash));
        perform_end(&play, session);
    }
    assert_false(hash_equal(digests[0], digests[1]));
}

static void test_note(void **state)
{
    static const struct cue cues[] = {{EVENT_RESULT, 2, "note 2   looks good,  keep it"},
                                      {EVENT_RESULT, 3, "note 1 x"},
                                      {EVENT_RESULT, 3, "note 1"},
                                      {EVENT_RESULT, 4, "note 3 \x1b[31m\xff\302\233 é"},
                                      {0}};
    struct play play;
    struct search_options options = options_of(4);
    struct session_state *session = perform(&play, &options, &(struct script){.slots = 1}, cues);
    assert_string_equal(session->nodes[1]->note, "looks good,  keep it");
    assert_string_equal(session->nodes[0]->note, "");
    assert_string_equal(session->nodes[2]->note, "\\u001b[31m\\xff\\u009b é"); /* UTF-8 without control characters */
    perform_end(&play, session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_grow_when_budget_is_spent),
        cmocka_unit_test(test_pin),
        cmocka_unit_test(test_prune),
        cmocka_unit_test(test_unprune),
        cmocka_unit_test(test_unprune_of_what_was_not_kept),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_while_paused),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_note),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_budget_by_a_change),
        cmocka_unit_test(test_budget_below_what_is_spent),
        cmocka_unit_test(test_the_policy_is_shown_what_a_person_grew),
    };
    return cmocka_run_group_tests_name("commands", tests, NULL, NULL);
}
