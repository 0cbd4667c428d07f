/*
 * test_rounds.c - a race: rounds with a control, their winners, and what comes after the growth.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/template.h"
#include "engine_bed.h"
#include "search/budget.h"
#include "search/rounds.h"

enum { SIZE = 4 };

static struct search_options race_options(void)
{
    struct search_options options = bed_options();
    options.parent = PARENT_RACE;
    options.patience = 0;
    options.networks = 13;
    options.limit_flops = 400000;
    return options;
}

/* Networks with an action reach less than what they grew from. */
static double control_wins(void *context, const struct trial *trial)
{
    return trial->from_scratch ? 0.5 : trial->proposal.count ? 0.4 : 0.6;
}

static double all_alike(void *context, const struct trial *trial)
{
    return 0.7;
}

/* --- rounds -------------------------------------------------------------------------------------------------- */

static const struct event_proposal *proposal_at(const struct session_state *state, int64_t number)
{
    return &state->proposals[number - 1]->facts;
}

/* Every round begins with a control, which is its parent again, and all of it has one parent. */
static void check_rounds(const struct session_state *state)
{
    for (int64_t i = 1; i <= state->proposal_count; i++) {
        const struct event_proposal *facts = proposal_at(state, i);
        const struct event_proposal *first = proposal_at(state, i - (i - 1) % SIZE);
        assert_int_equal(facts->by.value == AUTHOR_CONTROL, facts == first);
        assert_int_equal(facts->parent, first->parent);
        assert_int_equal(facts->actions.count == 0, facts == first);
    }
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i), *parent = session_node(state, node->facts.parent);
        if (node->facts.by.value == AUTHOR_CONTROL)
            assert_string_equal(node->facts.arch, parent->facts.arch);
    }
}

static void test_a_round_has_a_control_and_one_parent(void **unused)
{
    struct search_options options = race_options();
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1});
    assert_int_equal(state->node_count, 13);
    check_rounds(state);
    int64_t best = 1;
    for (int64_t round = 1; round <= 3; round++) {
        assert_int_equal(proposal_at(state, (round - 1) * SIZE + 1)->parent, best);
        for (int64_t i = (round - 1) * SIZE + 1; i <= round * SIZE; i++) {
            int64_t node = proposal_at(state, i)->node;
            if (i == (round - 1) * SIZE + 1 || session_node(state, node)->loss < session_node(state, best)->loss)
                best = node;
        }
        assert_int_equal(rounds_winner(state, SIZE, round), best);
    }
    assert_int_equal(rounds_parent(state, SIZE), best);
    assert_int_equal(state->finish_reason.value, FINISH_BUDGET);
    session_state_free(state);
}

static void test_the_control_and_the_earlier_of_equals_win(void **unused)
{
    struct search_options options = race_options();
    double (*const scripts[])(void *, const struct trial *) = {control_wins, all_alike};
    for (int i = 0; i < 2; i++) {
        struct session_state *state = bed_search(&options, &(struct script){.slots = 1, .accuracy = scripts[i]});
        for (int64_t round = 1; round <= 3; round++)
            assert_int_equal(rounds_winner(state, SIZE, round), proposal_at(state, (round - 1) * SIZE + 1)->node);
        assert_int_equal(rounds_won_by_control(state, SIZE), 3);
        session_state_free(state);
    }
}

static void test_own_numbers_leave_controls_out(void **unused)
{
    const int64_t expected[] = {1, 1, 2, 3, 4, 4, 5, 6, 7, 7};
    for (int64_t i = 1; i <= 10; i++)
        assert_int_equal(rounds_own_number(SIZE, i), expected[i - 1]);
}

struct order {
    int64_t episode[100], ended[100]; /* of networks; what had ended when each joined is checked as it joins */
    int64_t count;
};

/* With several trainers: does every network join after all of the rounds before have ended? */
static void check_order(const char *path)
{
    struct log_reader *reader;
    struct event event;
    struct error error;
    struct order order = {.count = 0};
    assert_int_equal(log_read(path, &reader, &error), 0);
    while (log_next(reader, &event, &error) == LOG_EVENT) {
        if (event.kind == EVENT_NODE) {
            for (int64_t i = 1; i <= order.count; i++)
                assert_true(order.ended[i] || order.episode[i] >= event.as.node.episode);
            order.episode[++order.count] = event.as.node.episode;
        }
        if (event.kind == EVENT_RESULT || event.kind == EVENT_FAILED)
            order.ended[event.kind == EVENT_RESULT ? event.as.result.node : event.as.failed.node] = 1;
        event_done(&event);
    }
    log_reader_free(reader);
    assert_true(order.count > 10);
}

static void test_a_round_waits_for_the_one_before(void **unused)
{
    const char *const policies[] = {"random", "reinforce"};
    for (size_t i = 0; i < 2; i++) {
        struct search_options options = race_options();
        strcpy(options.policy, policies[i]);
        options.asynchronous = true;
        char *folder = scratch_new(), *path = bed_path(folder, "race");
        struct session_state *state = bed_run(folder, "race", &options, &(struct script){.slots = 3, .seed = 7});
        check_rounds(state);
        check_order(path);
        session_state_free(state);
        scratch_remove(folder);
        free(folder);
        free(path);
    }
}

/* All of the second round. */
static enum scripted_fate second_round_fails(void *context, const struct trial *trial)
{
    return trial->node >= 6 && trial->node <= 9 ? FATE_DIVERGE : FATE_RESULT;
}

static void test_the_parent_stays_when_a_round_fails(void **unused)
{
    struct search_options options = race_options();
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1, .fate = second_round_fails});
    assert_int_equal(proposal_at(state, 6)->node, 7);
    assert_int_equal(session_node(state, 7)->status, NODE_FAILED);
    assert_int_equal(rounds_winner(state, SIZE, 2), 0);
    assert_int_equal(proposal_at(state, 9)->parent, proposal_at(state, 5)->parent);
    assert_int_not_equal(proposal_at(state, 9)->parent, 1);
    session_state_free(state);
}

/* A state that lies about its networks: what a person prunes and what was stopped early wins nothing. */
static void test_pruned_and_stopped_networks_win_nothing(void **unused)
{
    struct search_options options = race_options();
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1});
    int64_t first = rounds_winner(state, SIZE, 3);
    state->nodes[first - 1]->pruned = true;
    int64_t second = rounds_winner(state, SIZE, 3);
    assert_int_not_equal(first, second);
    state->nodes[second - 1]->stopped = strdup("rung");
    int64_t third = rounds_winner(state, SIZE, 3);
    assert_true(third && third != first && third != second);
    session_state_free(state);
}

/* --- a person ------------------------------------------------------------------------------------------------ */

struct person {
    struct engine *engine;
    int64_t at; /* the network whose result brings the command */
    const char *words;
};

static void act(void *context, const struct event *event)
{
    struct person *person = context;
    if (event->kind == EVENT_RESULT && event->as.result.node == person->at)
        engine_command(person->engine, AUTHOR_USER, person->words);
}

static struct session_state *with_person(const struct search_options *options, const struct script *script,
                                         struct person person)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(script);
    struct error error, warning;
    assert_int_equal(engine_create(options, path, &data, evaluator, &person.engine, &error), 0);
    engine_add_sink(person.engine, (struct event_sink){act, &person});
    assert_int_equal(engine_run(person.engine, &error), 0);
    engine_free(person.engine);
    evaluator->kind->free(evaluator);
    struct session_state *state;
    assert_int_equal(session_load(path, &state, &warning, &error), 0);
    scratch_remove(folder);
    free(folder);
    free(path);
    return state;
}

static void test_a_pinned_network_is_the_parent_of_the_next_round(void **unused)
{
    struct search_options options = race_options();
    struct session_state *state =
        with_person(&options, &(struct script){.slots = 1}, (struct person){.at = 3, .words = "pin 2"});
    check_rounds(state); /* the round that had begun keeps its parent */
    assert_int_equal(proposal_at(state, 4)->parent, 1);
    assert_int_equal(proposal_at(state, 5)->parent, 2);
    assert_int_equal(proposal_at(state, 9)->parent, 2);
    session_state_free(state);
}

/* --- the end of the growth ----------------------------------------------------------------------------------- */

static const struct session_node *made_by(const struct session_state *state, enum event_author author)
{
    const struct session_node *found = NULL;
    for (int64_t i = 1; i <= state->node_count; i++)
        if (session_node(state, i)->facts.by.value == (int)author)
            found = session_node(state, i);
    return found;
}

static void test_without_a_finish_the_search_ends_with_its_growth(void **unused)
{
    struct search_options options = race_options();
    options.baseline = BASELINE_YES;
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1});
    assert_null(made_by(state, AUTHOR_BASELINE));
    assert_null(made_by(state, AUTHOR_FINISH));
    assert_int_equal(session_phase(state), PHASE_GROWTH);
    session_state_free(state);
}

struct trainings {
    struct training last[100]; /* of each network */
    bool scratch[100], test[100];
};

static void note_training(void *context, const struct trial *trial)
{
    struct trainings *trainings = context;
    trainings->last[trial->node] = trial->training;
    trainings->scratch[trial->node] = trial->from_scratch;
    trainings->test[trial->node] = trial->test;
}

/* Of networks with more parameters than there are images, 100. */
static void test_a_long_finish_mixes_images(void **unused)
{
    for (int is_long = 0; is_long < 2; is_long++) {
        struct search_options options = race_options();
        struct trainings trainings = {0};
        options.finish = is_long ? 0.95 : 0.6;
        session_state_free(
            bed_search(&options, &(struct script){.slots = 1, .answered = note_training, .context = &trainings}));
        assert_int_equal(trainings.last[14].epochs >= 100, is_long);
        assert_true(trainings.last[14].mixup == (is_long ? 0.5F : 0.0F));
    }
}

/* All networks hold their rate and are judged by an average, but for the finish, whose rate falls. */
static void test_how_networks_train(void **unused)
{
    struct search_options options = race_options();
    struct trainings trainings = {0};
    options.finish = 0.6;
    options.baseline = BASELINE_RETRAIN;
    options.steady = true;
    options.average = 0.9;
    options.rate = 0.05;
    options.start_rate = 0.2;
    options.mixup = 0.25;
    struct session_state *state =
        bed_search(&options, &(struct script){.slots = 1, .answered = note_training, .context = &trainings});
    assert_int_equal(state->node_count, 16);
    for (int64_t i = 1; i <= 16; i++) {
        const struct training *training = &trainings.last[i];
        enum event_author by = (enum event_author)session_node(state, i)->facts.by.value;
        bool scratch = by == AUTHOR_START || by == AUTHOR_BASELINE || by == AUTHOR_RETRAIN;
        assert_true(training->steady == (by == AUTHOR_FINISH ? 0.0F : 1.0F));
        assert_true(training->average == (by == AUTHOR_FINISH ? 0.0F : 0.9F));
        assert_true(training->mixup == (by == AUTHOR_FINISH ? 0.25F : 0.0F));
        assert_true(training->rate == (scratch ? 0.2F : 0.05F));
        assert_int_equal(trainings.scratch[i], scratch);
        assert_int_equal(training->from_scratch, scratch);
        assert_int_equal(trainings.test[i], by == AUTHOR_FINISH);
        if (!node_is_final(session_node(state, i)))
            assert_int_equal(training->epochs, 2);
    }
    session_state_free(state);
}

static void test_a_control_is_never_stopped(void **unused)
{
    struct search_options options = race_options();
    strcpy(options.rungs, "1");
    options.rung_keep = 0.01;
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1});
    int64_t stopped = 0;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        stopped += node->stopped != NULL;
        if (node->facts.by.value == AUTHOR_CONTROL)
            assert_null(node->stopped);
    }
    assert_true(stopped > 3);
    session_state_free(state);
}

/* FLOPs of a network's training, and of those that it grew from. */
static double lineage_flops(const struct session_state *state, int64_t number)
{
    double sum = 0;
    for (; number; number = session_node(state, number)->facts.parent)
        sum += 3.0 * (double)session_node(state, number)->facts.flops * session_node(state, number)->curve_count * 100;
    return sum;
}

/* A template that is worse than what was found. */
static double template_loses(void *context, const struct trial *trial)
{
    return trial->from_scratch && trial->node > 1 ? 0.3 : scripted_accuracy(&trial->arch, (struct shape){1, 16, 16});
}

static void test_networks_then_baseline_then_finish(void **unused)
{
    struct search_options options = race_options();
    options.finish = 0.6;
    options.baseline = BASELINE_RETRAIN;
    options.steady = true;
    options.average = 0.9;
    for (int worse = 0; worse < 2; worse++) {
        struct session_state *state = bed_search(
            &options, &(struct script){.slots = 1, .tests = true, .accuracy = worse ? template_loses : NULL});
        const struct session_node *baseline = made_by(state, AUTHOR_BASELINE), *finish = made_by(state, AUTHOR_FINISH);
        const struct session_node *retrain = made_by(state, AUTHOR_RETRAIN);
        assert_int_equal(state->node_count, 16);
        assert_true(baseline && baseline->facts.node == 14 && baseline->facts.parent == 0);
        assert_true(retrain && retrain->facts.node == 15 && retrain->status == NODE_DONE);
        assert_true(finish && finish->facts.node == 16 && finish->status == NODE_DONE);
        assert_int_equal(session_phase(state), PHASE_FINISH);
        struct arch_limits limits = {.flops = 400000, .batch = 64};
        struct arch arch, expected;
        assert_int_equal(arch_parse(&arch, baseline->facts.arch, NULL), 0);
        assert_int_equal(arch_template((struct shape){1, 16, 16}, 10, false, &limits, &expected, NULL), 0);
        assert_true(arch_equal(&arch, &expected));
        assert_int_equal(finish->facts.parent == 14, !worse);
        assert_string_equal(finish->facts.arch, session_node(state, finish->facts.parent)->facts.arch);
        assert_int_equal(finish->facts.actions.count, 0);
        int64_t winner = rounds_winner(state, SIZE, 3);
        assert_int_equal(retrain->facts.parent, winner);
        assert_string_equal(retrain->facts.arch, session_node(state, winner)->facts.arch);
        if (worse) /* an inherited network before one from scratch, where they are equal */
            assert_int_equal(finish->facts.parent, winner);
        double epochs = lineage_flops(state, winner) / (300.0 * (double)baseline->facts.flops);
        assert_int_equal(baseline->epochs, (int)(epochs + 0.5) > 0 ? (int)(epochs + 0.5) : 1);
        epochs = lineage_flops(state, winner) / (300.0 * (double)retrain->facts.flops);
        assert_int_equal(retrain->epochs, (int)(epochs + 0.5) > 0 ? (int)(epochs + 0.5) : 1);
        double spent = 0, cost = 300.0 * (double)finish->facts.flops;
        for (int64_t i = 1; i < 16; i++)
            spent += 300.0 * (double)session_node(state, i)->facts.flops * session_node(state, i)->curve_count;
        assert_int_equal(finish->epochs, (int)(1.5 * spent / cost));
        assert_true(finish->epochs > 3);
        assert_int_equal(state->test.node, 16);
        assert_int_equal(state->test.images, 40);
        assert_true(fabs(state->test.accuracy - (finish->accuracy - 0.02)) < 1e-12);
        assert_int_equal(state->finish_reason.value, FINISH_BUDGET);
        session_state_free(state);
    }
}

/* The retrained network is the best of all. */
static double retrain_wins(void *context, const struct trial *trial)
{
    return trial->node == 15 ? 0.999 : template_loses(context, trial);
}

static void test_the_finish_may_be_of_fresh_weights(void **unused)
{
    struct search_options options = race_options();
    options.finish = 0.6;
    options.baseline = BASELINE_RETRAIN;
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1, .accuracy = retrain_wins});
    assert_int_equal(session_node(state, 15)->facts.by.value, AUTHOR_RETRAIN);
    assert_int_equal(made_by(state, AUTHOR_FINISH)->facts.parent, 15);
    session_state_free(state);
}

/* The growth, the lineage of the winner and the finish fill a budget of FLOPs. */
static void test_flops_are_shared(void **unused)
{
    struct search_options options = race_options();
    options.networks = 0;
    options.finish = 0.6;
    options.flops = 3e9;
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1});
    const struct session_node *finish = made_by(state, AUTHOR_FINISH);
    assert_non_null(finish);
    double last = 300.0 * (double)finish->facts.flops, growth = session_flops(state) - last * finish->epochs;
    assert_true(growth >= 0.4 * 3e9 && growth < 0.5 * 3e9);
    assert_true(session_flops(state) <= 3e9 && session_flops(state) > 3e9 - last);
    assert_int_equal(state->test.node, 0); /* there are no test images */
    session_state_free(state);
}

static void test_finish_of_another_parent_choice(void **unused)
{
    struct search_options options = bed_options();
    options.finish = 0.5;
    options.baseline = BASELINE_YES; /* of a race alone */
    struct session_state *state = bed_search(&options, &(struct script){.slots = 2});
    const struct session_node *finish = made_by(state, AUTHOR_FINISH);
    assert_int_equal(state->node_count, 13);
    assert_non_null(finish);
    assert_null(made_by(state, AUTHOR_BASELINE));
    for (int64_t i = 1; i <= 12; i++)
        assert_true(session_node(state, i)->loss >= session_node(state, finish->facts.parent)->loss);
    session_state_free(state);
}

static void test_no_baseline_that_is_the_winner(void **unused)
{
    struct search_options options = race_options();
    struct arch_limits limits = {.flops = options.limit_flops, .batch = 64};
    struct arch arch;
    struct text text = TEXT_EMPTY;
    assert_int_equal(arch_template((struct shape){1, 16, 16}, 10, false, &limits, &arch, NULL), 0);
    arch_print(&arch, &text);
    strcpy(options.start, text_string(&text));
    text_done(&text);
    options.finish = 0.5;
    options.baseline = BASELINE_YES;
    options.networks = 5;
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1, .accuracy = control_wins});
    assert_null(made_by(state, AUTHOR_BASELINE));
    const struct session_node *finish = made_by(state, AUTHOR_FINISH);
    assert_true(finish && finish->facts.parent == 2);
    session_state_free(state);
}

static void test_target_and_patience_end_the_growth(void **unused)
{
    struct search_options options = race_options();
    options.networks = 0;
    options.patience = 2;
    options.finish = 0.5;
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1, .accuracy = control_wins});
    assert_int_equal(state->proposal_count, 2 * SIZE);
    assert_non_null(strstr(state->finish_message, "won 2 rounds in a row"));
    assert_int_equal(state->node_count, 2 * SIZE + 2);
    session_state_free(state);
    options.target = 0.6;
    state = bed_search(&options, &(struct script){.slots = 1, .accuracy = control_wins});
    assert_int_equal(state->proposal_count, 1); /* the first control reaches it */
    assert_non_null(strstr(state->finish_message, "n2 has reached 60.00 %"));
    assert_int_equal(made_by(state, AUTHOR_FINISH)->facts.parent, 2);
    session_state_free(state);
}

static void test_rounds_that_lead_to_nothing_end(void **unused)
{
    struct search_options options = race_options();
    struct session_state *first = bed_search(&options, &(struct script){.slots = 1});
    options.limit_parameters = session_node(first, 1)->facts.parameters;
    session_state_free(first);
    options.networks = 0;
    options.finish = 0.5;
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1});
    assert_int_equal(state->finish_reason.value, FINISH_EXHAUSTED);
    assert_non_null(strstr(state->finish_message, "3 rounds in a row"));
    assert_int_equal(state->proposal_count, 3 * SIZE);
    assert_non_null(made_by(state, AUTHOR_FINISH));
    session_state_free(state);
}

/* A larger budget: it grows again, and finishes again. */
static void test_a_larger_budget_grows_again(void **unused)
{
    struct search_options options = race_options();
    options.finish = 0.5;
    struct session_state *state =
        with_person(&options, &(struct script){.slots = 1}, (struct person){.at = 14, .words = "budget networks 17"});
    int64_t finishes = 0;
    for (int64_t i = 1; i <= state->node_count; i++)
        finishes += session_node(state, i)->facts.by.value == AUTHOR_FINISH;
    assert_int_equal(finishes, 2);
    assert_int_equal(state->node_count, 19);
    assert_int_equal(session_node(state, 19)->facts.by.value, AUTHOR_FINISH);
    assert_int_not_equal(session_node(state, 19)->facts.parent, 14);
    session_state_free(state);
}

static void test_a_budget_of_flops_is_a_command(void **unused)
{
    struct search_options options = race_options();
    options.networks = 0;
    options.flops = 1e15;
    struct session_state *state =
        with_person(&options, &(struct script){.slots = 1}, (struct person){.at = 3, .words = "budget flops 1e9"});
    assert_true(state->budget_flops == 1e9);
    assert_true(session_flops(state) >= 1e9 && session_flops(state) < 1.2e9);
    assert_non_null(strstr(state->finish_message, "the budget of 1G FLOPs is spent"));
    session_state_free(state);
}

/* --- learning ------------------------------------------------------------------------------------------------ */

static void test_the_reward_is_the_gain_over_the_control(void **unused)
{
    struct search_options options = race_options();
    strcpy(options.policy, "reinforce");
    options.networks = 0;
    options.episodes = 4;
    struct session_state *state = bed_search(&options, &(struct script){.slots = 1});
    assert_int_equal(state->policy_count, 4);
    for (int64_t round = 1; round <= 4; round++) {
        const struct event_policy *update = &state->policies[round - 1]->facts;
        double sum = 0, gain;
        int64_t count = 0, over;
        for (int64_t i = (round - 1) * SIZE + 2; i <= round * SIZE; i++)
            if (state->proposals[i - 1]->answer == EVENT_NODE) {
                assert_true(session_gain(state, proposal_at(state, i)->node, &gain, &over));
                assert_int_equal(over, proposal_at(state, (round - 1) * SIZE + 1)->node);
                sum += 100 * gain;
                count++;
            }
        assert_int_equal(update->networks, count);
        assert_true(fabs(update->reward_mean - (count ? sum / (double)count : 0)) < 1e-9);
    }
    session_state_free(state);
}

/* Sessions of before there was a finish go on without one, and `baseline` is what is `reward-baseline` now. */
static void test_options_of_the_first_sessions(void **state)
{
    struct session_state *session = session_state_new();
    struct event event = {.kind = EVENT_SESSION, .number = 1};
    struct search_options options;
    struct error error;
    event.as.session.format = 1;
    event_texts_add(&event.as.session.options, "parent=start");
    event_texts_add(&event.as.session.options, "baseline=released");
    assert_int_equal(session_apply(session, &event, &error), 0);
    event_done(&event);
    assert_int_equal(options_of_session(session, &options, &error), 0);
    assert_true(options.baseline_released && options.parent == PARENT_START);
    assert_true(options.finish == 0 && !options.baseline && !options.steady && options.average == 0);
    session_state_free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_round_has_a_control_and_one_parent),
        cmocka_unit_test(test_the_control_and_the_earlier_of_equals_win),
        cmocka_unit_test(test_own_numbers_leave_controls_out),
        cmocka_unit_test(test_a_round_waits_for_the_one_before),
        cmocka_unit_test(test_the_parent_stays_when_a_round_fails),
        cmocka_unit_test(test_pruned_and_stopped_networks_win_nothing),
        cmocka_unit_test(test_a_pinned_network_is_the_parent_of_the_next_round),
        cmocka_unit_test(test_without_a_finish_the_search_ends_with_its_growth),
        cmocka_unit_test(test_networks_then_baseline_then_finish),
        cmocka_unit_test(test_how_networks_train),
        cmocka_unit_test(test_a_long_finish_mixes_images),
        cmocka_unit_test(test_a_control_is_never_stopped),
        cmocka_unit_test(test_the_finish_may_be_of_fresh_weights),
        cmocka_unit_test(test_flops_are_shared),
        cmocka_unit_test(test_finish_of_another_parent_choice),
        cmocka_unit_test(test_no_baseline_that_is_the_winner),
        cmocka_unit_test(test_target_and_patience_end_the_growth),
        cmocka_unit_test(test_rounds_that_lead_to_nothing_end),
        cmocka_unit_test(test_a_larger_budget_grows_again),
        cmocka_unit_test(test_a_budget_of_flops_is_a_command),
        cmocka_unit_test(test_options_of_the_first_sessions),
        cmocka_unit_test(test_the_reward_is_the_gain_over_the_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
