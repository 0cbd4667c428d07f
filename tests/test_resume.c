/*
 * test_resume.c - a search that is cut at any event and resumed ends as if it had never been cut.
 *
 * One slot: the same tree, results, weights and policy updates.  More slots: the order of results is free, but
 * what was in the log stays, and nothing is trained twice.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine_bed.h"
#include "repeats.h"
#include "util/file.h"

/* Cut behind each event; under the sanitizers behind every seventh, so that kinds of events take turns. */
enum { CUT_STEP = SANITIZED ? 7 : 1 };

static struct search_options learning_options(void)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "reinforce");
    options.networks = 0;
    options.episodes = 3;
    options.episode_networks = 3;
    options.epochs = 1;
    return options;
}

static void check_cut_anywhere(const struct search_options *options, const struct script *script)
{
    char *folder = scratch_new();
    int64_t offsets[BED_EVENTS_MAX];
    struct session_state *whole = bed_run(folder, "whole", options, script);
    char *story = bed_story(whole), *path = bed_path(folder, "whole");
    int count = bed_event_offsets(path, offsets);
    assert_true(count > 35);
    for (int i = 1; i < count; i += CUT_STEP) {
        bed_cut(folder, "whole", "cut", offsets[i]);
        struct session_state *resumed = bed_resume(folder, "cut", script);
        bed_check(folder, "cut", resumed);
        char *resumed_story = bed_story(resumed);
        assert_string_equal(story, resumed_story);
        free(resumed_story);
        session_state_free(resumed);
    }
    free(path);
    free(story);
    session_state_free(whole);
    scratch_remove(folder);
    free(folder);
}

/* Networks 3, 6, 9 … fail, and every other one's first attempt. */
static enum scripted_fate failing(void *context, const struct trial *trial)
{
    if (trial->node > 1 && trial->node % 3 == 0)
        return trial->node % 2 ? FATE_DIVERGE : FATE_ERROR;
    return FATE_RESULT;
}

static void test_cut_anywhere_random(void **state)
{
    struct search_options options = bed_options();
    check_cut_anywhere(&options, &(struct script){.slots = 1});
}

/* Rounds, a baseline, a finish and its test; then the same when a third of the networks fail. */
static void test_cut_anywhere_race(void **state)
{
    struct search_options options = learning_options();
    options.parent = PARENT_RACE;
    options.finish = 0.5;
    options.baseline = BASELINE_YES;
    options.limit_flops = 400000;
    options.flops = 2e9;
    options.episodes = 4;
    check_cut_anywhere(&options, &(struct script){.slots = 1, .tests = true});
    check_cut_anywhere(&options, &(struct script){.slots = 1, .tests = true, .fate = failing});
}

static void test_cut_anywhere_learning(void **state)
{
    struct search_options options = learning_options();
    check_cut_anywhere(&options, &(struct script){.slots = 1});
}

static void test_cut_anywhere_imitating(void **state)
{
    struct search_options options = learning_options();
    options.asynchronous = true;
    options.imitate = 3;
    check_cut_anywhere(&options, &(struct script){.slots = 1});
}

static void test_cut_anywhere_stopping(void **state)
{
    struct search_options options = learning_options();
    options.epochs = 3;
    strcpy(options.rungs, "1,2");
    options.stop_hopeless = 0.3;
    check_cut_anywhere(&options, &(struct script){.slots = 1});
}

/* At its limits, where parents are spent. */
static void test_cut_anywhere_spent(void **state)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "hillclimb");
    options.networks = 14;
    options.limit_parameters = 700;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 1});
    assert_true(session->known_count + session->refused_count > 20);
    session_state_free(session);
    check_cut_anywhere(&options, &(struct script){.slots = 1});
}

static void test_cut_anywhere_failing(void **state)
{
    struct search_options options = learning_options();
    check_cut_anywhere(&options, &(struct script){.slots = 1, .fate = failing});
}

/* Cut again and again, each time a little further. */
static void test_cut_repeatedly(void **state)
{
    struct search_options options = learning_options();
    const struct script script = {.slots = 1};
    char *folder = scratch_new();
    int64_t offsets[BED_EVENTS_MAX];
    struct session_state *whole = bed_run(folder, "a", &options, &script);
    char *story = bed_story(whole), *path = bed_path(folder, "a");
    int events = 7;
    for (; bed_event_offsets(path, offsets) > events; events += 7) {
        bed_cut(folder, "a", "b", offsets[events]);
        session_state_free(bed_resume(folder, "b", &script));
        bed_cut(folder, "b", "a", INT64_MAX);
    }
    assert_true(events > 35);
    struct session_state *last = bed_resume(folder, "a", &script);
    char *last_story = bed_story(last);
    assert_string_equal(story, last_story);
    free(last_story);
    session_state_free(last);
    free(path);
    free(story);
    session_state_free(whole);
    scratch_remove(folder);
    free(folder);
}

/* With three slots: what the log had is still there, word for word. */
static void test_cut_with_slots(void **state)
{
    struct search_options options = learning_options();
    char *folder = scratch_new();
    int64_t offsets[BED_EVENTS_MAX];
    struct session_state *whole = bed_run(folder, "whole", &options, &(struct script){.slots = 3, .seed = 5});
    char *path = bed_path(folder, "whole"), *cut_path = bed_path(folder, "cut");
    int count = bed_event_offsets(path, offsets);
    for (int i = 1; i < count; i += 3 * CUT_STEP) {
        struct session_state *before;
        struct error error, warning;
        bed_cut(folder, "whole", "cut", offsets[i]);
        assert_int_equal(session_load(cut_path, &before, &warning, &error), 0);
        struct session_state *after = bed_resume(folder, "cut", &(struct script){.slots = 3, .seed = (uint64_t)i});
        bed_check(folder, "cut", after);
        assert_int_equal(after->policy_count, 3);
        for (int64_t j = 0; j < before->node_count; j++) {
            assert_string_equal(before->nodes[j]->facts.arch, after->nodes[j]->facts.arch);
            if (before->nodes[j]->status == NODE_DONE)
                assert_string_equal(before->nodes[j]->weights_hash, after->nodes[j]->weights_hash);
        }
        session_state_free(before);
        session_state_free(after);
    }
    session_state_free(whole);
    free(path);
    free(cut_path);
    scratch_remove(folder);
    free(folder);
}

/* Proposals that led nowhere while other networks were in training are not held against what was trained since. */
static void test_cut_with_more_slots_than_parents(void **state)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "widen");
    options.deeper = 0;
    options.networks = 4;
    options.epochs = 1;
    char *folder = scratch_new(), *path = bed_path(folder, "whole");
    int64_t offsets[BED_EVENTS_MAX];
    session_state_free(bed_run(folder, "whole", &options, &(struct script){.slots = 2}));
    int count = bed_event_offsets(path, offsets);
    for (int i = 1; i < count; i += i < count - 20 ? 9 : CUT_STEP) {
        bed_cut(folder, "whole", "cut", offsets[i]);
        struct session_state *resumed = bed_resume(folder, "cut", &(struct script){.slots = 2});
        assert_int_equal(resumed->finish_reason.value, FINISH_BUDGET);
        assert_int_equal(resumed->status_count[NODE_DONE], 4);
        session_state_free(resumed);
    }
    scratch_remove(folder);
    free(folder);
    free(path);
}

/* --- what a resume refuses --- */

static void check_refusal(const char *folder, const char *name, const struct search_data *data, const char *reason)
{
    char *path = bed_path(folder, name);
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 1});
    struct engine *engine;
    struct error error, warning;
    assert_int_equal(engine_resume(path, data, evaluator, &engine, &warning, &error), -1);
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" should say \"%s\"", error.text, reason);
    evaluator->kind->free(evaluator);
    free(path);
}

static void test_refusals(void **state)
{
    struct search_options options = learning_options();
    char *folder = scratch_new(), *path = bed_path(folder, "whole"), *cut_path = bed_path(folder, "cut");
    int64_t offsets[BED_EVENTS_MAX];
    session_state_free(bed_run(folder, "whole", &options, &(struct script){.slots = 1}));
    bed_event_offsets(path, offsets);
    struct search_data data = scripted_data();

    bed_cut(folder, "whole", "cut", offsets[0]);
    check_refusal(folder, "cut", &data, "has no events");

    bed_cut(folder, "whole", "cut", INT64_MAX);
    data.hash.low++;
    check_refusal(folder, "cut", &data, "are not those that the session began with");
    data = scripted_data();
    data.classes = 3;
    check_refusal(folder, "cut", &data, "1,16,16 of 10 classes, these are 1,16,16 of 3");

    /* The policy's last state is damaged, then lost. */
    data = scripted_data();
    struct text command = TEXT_EMPTY;
    text_add(&command, "for f in '%s'/policy/u3-*; do echo x >> $f; done", cut_path);
    assert_int_equal(system(text_string(&command)), 0);
    check_refusal(folder, "cut", &data, "is not the file that was written");
    text_clear(&command);
    text_add(&command, "rm '%s'/policy/u3-*", cut_path);
    assert_int_equal(system(text_string(&command)), 0);
    check_refusal(folder, "cut", &data, "u3-");
    text_done(&command);

    scratch_remove(folder);
    free(folder);
    free(path);
    free(cut_path);
}

/* --- logs that fold, and still can't be searched on --- */

static void replace(char **text, const char *with)
{
    free(*text);
    *text = strdup(with);
}

static void damage_arch(struct event *event)
{
    if (event->kind == EVENT_NODE && event->as.node.node == 3)
        replace(&event->as.node.arch, "C(4,3");
}

static void damage_other_arch(struct event *event)
{
    if (event->kind == EVENT_NODE && event->as.node.node == 3)
        replace(&event->as.node.arch, "C(4,3,1) A(16,16) SM(10)");
}

static void damage_shape(struct event *event)
{
    if (event->kind == EVENT_NODE && event->as.node.node == 1)
        replace(&event->as.node.arch, "C(4,3,1) A(60,60) SM(10)");
}

static void damage_action(struct event *event)
{
    if (event->kind == EVENT_NODE && event->as.node.node == 3)
        replace(&event->as.node.actions.items[0], "widen:conv77:8");
}

static void damage_twin(struct event *event)
{
    static struct event first;
    if (event->kind == EVENT_NODE && event->as.node.node == 2)
        event_copy(event, &first);
    if (event->kind == EVENT_NODE && event->as.node.node == 3) {
        int64_t proposal = event->as.node.proposal, number = event->number;
        double time = event->time;
        event_done(event);
        *event = first;
        event->number = number;
        event->time = time;
        event->as.node.node = 3;
        event->as.node.proposal = proposal;
    }
}

static void damage_option(struct event *event)
{
    if (event->kind == EVENT_SESSION)
        replace(&event->as.session.options.items[3], "colour=red");
}

static void damage_start(struct event *event)
{
    if (event->kind == EVENT_RESULT && event->as.result.node == 1) {
        event_done(event);
        struct event failed = {.number = event->number, .time = event->time, .kind = EVENT_FAILED};
        failed.as.failed.node = 1;
        failed.as.failed.reason.value = FAILURE_DIVERGED;
        *event = failed;
    }
}

/* Whole networks, and not of this search: its controller has no word for a dense layer, its images have ten classes. */
static void damage_space(struct event *event)
{
    if (event->kind == EVENT_NODE && event->as.node.node == 1)
        replace(&event->as.node.arch, "C(8,3,1) P(2,2) D(4,[4]) A(8,8) SM(10)");
}

static void damage_classes(struct event *event)
{
    if (event->kind == EVENT_NODE && event->as.node.node == 1)
        replace(&event->as.node.arch, "C(4,3,1) A(16,16) SM(3)");
}

static void damage_accuracy(struct event *event)
{
    if (event->kind == EVENT_RESULT && event->as.result.node == 3)
        event->as.result.accuracy = 7;
}

static void damage_prediction(struct event *event)
{
    if (event->kind != EVENT_RESULT || event->as.result.node != 3)
        return;
    replace(&event->as.result.stopped, "hopeless");
    event->as.result.predicted = -1;
}

static void damage_update(struct event *event)
{
    if (event->kind == EVENT_POLICY)
        while (event->as.policy.proposals.count < 100)
            event_integers_add(&event->as.policy.proposals, 1);
}

static void damage_end(struct event *event)
{
    if (event->kind != EVENT_FINISHED)
        return;
    event_done(event);
    *event = (struct event){.number = event->number, .time = event->time, .kind = EVENT_PRUNED};
    event->as.pruned.node = 1;
}

/* Write the events of FOLDER/whole to FOLDER/damaged, each through `damage`. */
static void rewrite(const char *folder, void (*damage)(struct event *event))
{
    char *source = bed_path(folder, "whole"), *target = bed_path(folder, "damaged");
    struct log_reader *reader;
    struct log_writer *writer;
    struct event event;
    struct error error;
    scratch_remove(target);
    assert_int_equal(log_read(source, &reader, &error), 0);
    assert_int_equal(log_create(target, &writer, &error), 0);
    while (log_next(reader, &event, &error) == LOG_EVENT) {
        damage(&event);
        assert_int_equal(log_append(writer, &event, &error), 0);
        event_done(&event);
    }
    log_reader_free(reader);
    log_close(writer);
    free(source);
    free(target);
}

static void test_strange_logs(void **state)
{
    static const struct {
        void (*damage)(struct event *event);
        int64_t networks; /* so that the log ends in time for the damage to fold */
        const char *message;
    } cases[] = {
        {damage_arch, 3, "network 3: "},
        {damage_other_arch, 3, "network 3: its actions make another network than it is"},
        {damage_shape, 1, "network 1: "},
        {damage_action, 3, "network 3: "},
        {damage_twin, 3, "network 3: it is the same network as 2"},
        {damage_option, 3, "--colour: there is no such option"},
        {damage_start, 1, "its start network failed (diverged)"},
        {damage_space, 1, "network 1: a dense network needs --space dense"},
        {damage_classes, 1, "network 1: the classifier SM(3) has 3 classes"},
        {damage_accuracy, 3, "network 3: an accuracy of 7 is none"},
        {damage_prediction, 3, "network 3: an accuracy of -1 is none"},
        {damage_update, 12, "update 1 learns from 100 proposals, but only 11 were made"},
        {damage_end, 1, "its start network is pruned"},
    };
    struct search_data data = scripted_data();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *folder = scratch_new();
        struct search_options options = bed_options();
        options.networks = cases[i].networks;
        if (cases[i].damage == damage_update) /* random learns nothing */
            strcpy(options.policy, "reinforce");
        session_state_free(bed_run(folder, "whole", &options, &(struct script){.slots = 1}));
        rewrite(folder, cases[i].damage);
        check_refusal(folder, "damaged", &data, cases[i].message);
        scratch_remove(folder);
        free(folder);
    }
}

/* The next attempt after the last that a number holds is a number too. */
static void damage_attempts(struct event *event)
{
    if (event->kind == EVENT_STARTED && event->as.started.node == 1)
        event->as.started.attempt = INT32_MAX;
    if (event->kind == EVENT_RESULT && event->as.result.node == 1) {
        event_done(event);
        struct event failed = {.number = event->number, .time = event->time, .kind = EVENT_FAILED};
        failed.as.failed = (struct event_failed){.node = 1, .reason = {.value = FAILURE_ERROR}, .again = true};
        *event = failed;
    }
}

static void test_attempts_without_end(void **state)
{
    char *folder = scratch_new();
    struct search_options options = bed_options();
    options.networks = 1;
    session_state_free(bed_run(folder, "whole", &options, &(struct script){.slots = 1}));
    rewrite(folder, damage_attempts);
    struct session_state *session = bed_resume(folder, "damaged", &(struct script){.slots = 1});
    assert_int_equal(session->status_count[NODE_DONE], 1);
    assert_true(session->nodes[0]->attempts > 0);
    session_state_free(session);
    scratch_remove(folder);
    free(folder);
}

/* What a person set holds after a resume too. */
static void test_settings_are_kept(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = bed_options();
    struct search_data data = scripted_data();
    options.networks = 2;
    for (int process = 0; process < 2; process++) {
        struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 1});
        struct engine *engine;
        struct error error, warning;
        assert_int_equal(process ? engine_resume(path, &data, evaluator, &engine, &warning, &error)
                                 : engine_create(&options, path, &data, evaluator, &engine, &error),
                         0);
        engine_command(engine, AUTHOR_USER, process ? "budget networks 4" : "epochs 5");
        if (!process)
            engine_command(engine, AUTHOR_USER, "rate 0.003");
        assert_int_equal(engine_run(engine, &error), 0);
        engine_free(engine);
        evaluator->kind->free(evaluator);
    }
    struct error error, warning;
    struct session_state *session;
    assert_int_equal(session_load(path, &session, &warning, &error), 0);
    for (int64_t i = 2; i <= 4; i++) {
        assert_int_equal(session_node(session, i)->curve_count, 5);
        assert_float_equal(session_node(session, i)->curve[0].rate, 0.003, 1e-7);
    }
    session_state_free(session);
    scratch_remove(folder);
    free(folder);
    free(path);
}

/* What a person grew is shown to the policy once, by whichever process comes to its next update. */
static void test_shown_once(void **state)
{
    static const char *const words[][2] = {{"budget networks 2", "budget networks 3"},
                                           {"grow 1 widen:conv1:12", "budget networks 5"},
                                           {"budget networks 24", "rate 0.01"}};
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = bed_options();
    struct search_data data = scripted_data();
    struct session_state *session;
    struct error error, warning;
    int shown = 0;
    strcpy(options.policy, "reinforce");
    options.learn_from_user = true;
    for (int process = 0; process < 4; process++) { /* the last has nothing more to do */
        struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 1});
        struct engine *engine;
        assert_int_equal(process ? engine_resume(path, &data, evaluator, &engine, &warning, &error)
                                 : engine_create(&options, path, &data, evaluator, &engine, &error),
                         0);
        for (int i = 0; process < 3 && i < 2; i++)
            engine_command(engine, AUTHOR_USER, words[process][i]);
        assert_int_equal(engine_run(engine, &error), 0);
        engine_free(engine);
        evaluator->kind->free(evaluator);
    }
    assert_int_equal(session_load(path, &session, &warning, &error), 0);
    assert_true(session->policy_count >= 4);
    for (int64_t i = 0; i < session->policy_count; i++)
        shown += session->policies[i]->facts.asked.count;
    assert_int_equal(shown, 1);
    session_state_free(session);
    scratch_remove(folder);
    free(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere_random),
        cmocka_unit_test(test_cut_anywhere_learning),
        cmocka_unit_test(test_cut_anywhere_race),
        cmocka_unit_test(test_cut_anywhere_imitating),
        cmocka_unit_test(test_cut_anywhere_stopping),
        cmocka_unit_test(test_cut_anywhere_spent),
        cmocka_unit_test(test_cut_anywhere_failing),
        cmocka_unit_test(test_cut_repeatedly),
        cmocka_unit_test(test_cut_with_slots),
        cmocka_unit_test(test_cut_with_more_slots_than_parents),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_strange_logs),
        cmocka_unit_test(test_settings_are_kept),
        cmocka_unit_test(test_shown_once),
        cmocka_unit_test(test_attempts_without_end),
    };
    return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
