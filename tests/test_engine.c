/*
 * test_engine.c - scheduling, budget, pool, limits, failures, parents and determinism, on the scripted evaluator.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine_bed.h"
#include "repeats.h"
#include "util/file.h"

/* --- budget --- */

static void test_budget_of_networks(void **state)
{
    struct search_options options = bed_options();
    for (int slots = 1; slots <= 3; slots++) {
        struct session_state *session = bed_search(&options, &(struct script){.slots = slots, .seed = 1});
        assert_int_equal(session->status_count[NODE_DONE], 12);
        assert_int_equal(session->node_count, 12);
        assert_int_equal(session->finish_reason.value, FINISH_BUDGET);
        assert_int_equal(session->nodes[0]->facts.by.value, AUTHOR_START);
        assert_string_equal(author_name(&session->nodes[1]->facts.by), "random");
        session_state_free(session);
    }
}

static void test_budget_of_episodes(void **state)
{
    struct search_options options = bed_options();
    options.networks = 0;
    options.episodes = 3;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 2});
    assert_int_equal(session->proposal_count, 12);
    assert_int_equal(session->proposals[11]->facts.episode, 3);
    assert_int_equal(session->policy_count, 0); /* random doesn't learn */
    assert_int_equal(session->finish_reason.value, FINISH_BUDGET);
    session_state_free(session);
}

/* What trains when the time is spent goes back to the queue, and a larger budget goes on with it. */
static void test_budget_of_seconds(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = bed_options();
    options.seconds = 0.05;
    struct session_state *session = bed_run(folder, "a", &options, &(struct script){.slots = 1, .seconds = 1e6});
    assert_int_equal(session->finish_reason.value, FINISH_BUDGET);
    assert_int_equal(session->node_count, 1);
    assert_int_equal(session->nodes[0]->status, NODE_QUEUED);
    assert_string_equal(session->nodes[0]->failure, "cancelled: it goes back to the queue");
    session_state_free(session);

    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 1});
    struct engine *engine;
    struct error error, warning;
    assert_int_equal(engine_resume(path, &data, evaluator, &engine, &warning, &error), 0);
    engine_command(engine, AUTHOR_USER, "budget seconds 1000");
    assert_int_equal(engine_run(engine, &error), 0);
    assert_int_equal(engine_state(engine)->status_count[NODE_DONE], 12);
    assert_int_equal(session_node(engine_state(engine), 1)->attempts, 1); /* cut short: it doesn't count */
    engine_free(engine);
    evaluator->kind->free(evaluator);
    scratch_remove(folder);
    free(folder);
    free(path);
}

static void test_same_seed_same_digest(void **state)
{
    struct search_options options = bed_options(), other = bed_options();
    other.seed = 2;
    struct session_state *a = bed_search(&options, &(struct script){.slots = 1});
    struct session_state *b = bed_search(&options, &(struct script){.slots = 1, .seed = 7});
    struct session_state *c = bed_search(&other, &(struct script){.slots = 1});
    assert_true(hash_equal(session_digest(a), session_digest(b)));
    assert_false(hash_equal(session_digest(a), session_digest(c)));
    char *first = bed_story(a), *third = bed_story(c);
    assert_string_not_equal(first, third);
    free(first);
    free(third);
    session_state_free(a);
    session_state_free(b);
    session_state_free(c);
}

/* --- the pool and the space --- */

static void test_known_networks(void **state)
{
    struct search_options options = bed_options();
    options.parent = PARENT_START; /* one step from the start: few networks, proposed again and again */
    options.wider = 0;
    options.networks = 8;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 2, .seed = 3});
    assert_true(session->known_count > 0);
    for (int64_t i = 0; i < session->proposal_count; i++)
        if (session->proposals[i]->answer == EVENT_KNOWN)
            assert_in_range(session->proposals[i]->facts.node, 1, session->node_count);
    session_state_free(session);
}

static void test_exhausted_space(void **state)
{
    struct search_options options = bed_options();
    options.parent = PARENT_START;
    options.wider = 0;
    options.networks = 0; /* for ever, if it could */
    struct session_state *session = bed_search(&options, &(struct script){.slots = 2});
    assert_int_equal(session->finish_reason.value, FINISH_EXHAUSTED);
    assert_int_equal(session->node_count, 1 + 4 * 3 + 1); /* four convolutions by three kernels, one FC */
    session_state_free(session);
}

/* Ten proposals in a row that lead to nothing new are the most from any network while there are others. */
static void check_exhausted(const struct session_state *session)
{
    int *fruitless = calloc((size_t)session->node_count, sizeof *fruitless);
    for (int64_t i = 0; i < session->proposal_count; i++) {
        const struct proposal_record *proposal = session->proposals[i];
        int *parent = &fruitless[proposal->facts.parent - 1];
        assert_true(*parent < 10);
        *parent = proposal->answer == EVENT_NODE ? 0 : *parent + 1;
    }
    free(fruitless);
}

/* The best network is at its limits, and soon all that can come of it is known: then others grow. */
static void test_spent_parents(void **state)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "hillclimb");
    options.parent = PARENT_BEST;
    options.wider = options.deeper = 1;
    options.networks = 60;
    options.limit_parameters = 1200;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 1, .seed = 3});
    assert_int_equal(session->finish_reason.value, FINISH_BUDGET);
    assert_int_equal(session->status_count[NODE_DONE], 60);
    assert_true(session->known_count + session->refused_count > 50);
    check_exhausted(session);
    session_state_free(session);
}

/* `widen` knows one child of each network.  With more trainers than networks that can grow, most proposals lead to
   those in training: that says nothing of what grows from them. */
static void test_more_trainers_than_parents(void **state)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "widen");
    options.deeper = 0;
    options.networks = 8;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 4, .seed = 3});
    assert_int_equal(session->finish_reason.value, FINISH_BUDGET);
    assert_int_equal(session->status_count[NODE_DONE], 8);
    session_state_free(session);
}

static void test_limits(void **state)
{
    struct search_options options = bed_options();
    options.networks = 0;
    options.limit_parameters = 1200;
    options.limit_depth = 9;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 1});
    assert_int_equal(session->finish_reason.value, FINISH_EXHAUSTED);
    for (int64_t i = 0; i < session->node_count; i++)
        assert_in_range(session->nodes[i]->facts.parameters, 1, 1200);
    assert_true(session->node_count > 10);
    session_state_free(session);

    /* Not even the start fits. */
    options.limit_parameters = 10;
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 1});
    struct engine *engine;
    struct error error;
    char *folder = scratch_new();
    assert_int_equal(engine_create(&options, folder, &data, evaluator, &engine, &error), -1);
    assert_non_null(strstr(error.text, "the start network: "));
    evaluator->kind->free(evaluator);
    scratch_remove(folder);
    free(folder);
}

/* --- episodes --- */

struct recorder {
    int count;
    struct event events[4000];
};

static void record(void *context, const struct event *event)
{
    struct recorder *recorder = context;
    if (event_is_durable(event->kind) && recorder->count < 4000)
        event_copy(event, &recorder->events[recorder->count++]);
}

static void recorder_free(struct recorder *recorder)
{
    for (int i = 0; i < recorder->count; i++)
        event_done(&recorder->events[i]);
    free(recorder);
}

static struct recorder *record_search(const struct search_options *options, const struct script *script)
{
    struct recorder *recorder = calloc(1, sizeof *recorder);
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(script);
    struct engine *engine;
    struct error error;
    assert_int_equal(engine_create(options, path, &data, evaluator, &engine, &error), 0);
    engine_add_sink(engine, (struct event_sink){record, recorder});
    assert_int_equal(engine_run(engine, &error), 0);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    scratch_remove(folder);
    free(folder);
    free(path);
    return recorder;
}

/* The paper's barrier, with more slots than an episode has networks: an episode begins when the one before was
   learned from, and is learned from when all of its networks are done. */
static void test_barrier(void **state)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "reinforce");
    options.networks = 0;
    options.episodes = 4;
    options.asynchronous = ASYNCHRONOUS_NO;
    struct recorder *recorder = record_search(&options, &(struct script){.slots = 6, .seed = 11});
    int64_t updates = 0, open = 0;
    for (int i = 0; i < recorder->count; i++) {
        const struct event *event = &recorder->events[i];
        if (event->kind == EVENT_NODE && event->as.node.episode) {
            assert_int_equal(event->as.node.episode, updates + 1);
            open++;
        } else if (event->kind == EVENT_KNOWN)
            assert_int_equal(event->as.known.episode, updates + 1);
        else if (event->kind == EVENT_RESULT && event->as.result.node > 1)
            open--;
        else if (event->kind == EVENT_POLICY) {
            assert_int_equal(open, 0);
            assert_int_equal(event->as.policy.update, ++updates);
            assert_int_equal(event->as.policy.networks, 4);
            assert_true(event->as.policy.accuracy_best >= event->as.policy.accuracy_mean);
            assert_true(event->as.policy.state_hash[0]);
        }
    }
    assert_int_equal(updates, 4);
    recorder_free(recorder);
}

/* --- failures --- */

static enum scripted_fate fail_by_number(void *context, const struct trial *trial)
{
    switch (trial->node) {
    case 3:
        return FATE_DIVERGE;
    case 5:
        return FATE_NO_MEMORY;
    case 7:
        return FATE_ERROR;
    default:
        return FATE_RESULT;
    }
}

static void test_failures(void **state)
{
    struct search_options options = bed_options();
    options.attempts = 3;
    options.parent = PARENT_START;
    options.networks = 12;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 2, .fate = fail_by_number});
    assert_int_equal(session->nodes[2]->attempts, 1);
    assert_string_equal(session->nodes[2]->failure, "diverged: as scripted");
    assert_int_equal(session->nodes[4]->attempts, 3);
    assert_string_equal(session->nodes[4]->failure, "memory: as scripted");
    assert_int_equal(session->nodes[6]->attempts, 3);
    assert_int_equal(session->nodes[6]->status, NODE_FAILED);
    assert_int_equal(session->failure_count, 7);
    assert_int_equal(session->status_count[NODE_DONE], 12); /* failed ones are not in the budget */
    session_state_free(session);
}

/* What a lost device trained goes elsewhere, however few attempts there are, and nothing goes there any more. */
static enum scripted_fate lose_two(void *context, const struct trial *trial)
{
    int *losses = context;
    if (*losses >= 2 || trial->node < 3)
        return FATE_RESULT;
    ++*losses;
    return FATE_LOSE_DEVICE;
}

static void test_lost_devices(void **state)
{
    struct search_options options = bed_options();
    options.attempts = 1;
    int losses = 0;
    char *folder = scratch_new();
    struct script script = {.slots = 3, .seed = 4, .fate = lose_two, .context = &losses};
    struct session_state *session = bed_run(folder, "a", &options, &script);
    assert_int_equal(session->status_count[NODE_DONE], 12);
    assert_int_equal(session->failure_count, 2);
    int lost = 0, first = -1;
    for (int i = 0; i < session->device_count; i++) {
        lost += session->devices[i].lost;
        first = session->devices[i].lost ? first : i;
    }
    assert_int_equal(lost, 2);
    for (int64_t i = 5; i < session->node_count; i++) /* when both are lost, three networks have started at most */
        assert_string_equal(session->nodes[i]->device, session->devices[first].id);
    /* A new process has its devices again. */
    options.networks = 13;
    session_state_free(session);
    session = bed_resume(folder, "a", &script);
    for (int i = 0; i < session->device_count; i++)
        assert_false(session->devices[i].lost);
    session_state_free(session);
    scratch_remove(folder);
    free(folder);
}

static int attempts_seen;

static enum scripted_fate fail_first_attempt(void *context, const struct trial *trial)
{
    return trial->node == 4 && attempts_seen++ == 0 ? FATE_ERROR : FATE_RESULT;
}

static void test_second_attempt(void **state)
{
    struct search_options options = bed_options();
    attempts_seen = 0;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 1, .fate = fail_first_attempt});
    assert_int_equal(session->nodes[3]->status, NODE_DONE);
    assert_int_equal(session->nodes[3]->attempts, 2);
    assert_int_equal(session->failure_count, 1);
    session_state_free(session);
}

/* An episode in which networks failed is learned from without them. */
static void test_failures_in_episodes(void **state)
{
    struct search_options options = bed_options();
    strcpy(options.policy, "reinforce");
    options.networks = 0;
    options.episodes = 2;
    options.episode_networks = 5;
    options.parent = PARENT_START;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 2, .fate = fail_by_number});
    assert_int_equal(session->policy_count, 2);
    int64_t learned = 0, usable = 0;
    for (int i = 0; i < 2; i++)
        learned += session->policies[i]->facts.networks;
    for (int i = 0; i < session->proposal_count; i++)
        usable += session->proposals[i]->facts.node &&
                  session->nodes[session->proposals[i]->facts.node - 1]->status == NODE_DONE;
    assert_true(session->failure_count > 0);
    assert_int_equal(learned, usable);
    session_state_free(session);
}

static enum scripted_fate fail_start(void *context, const struct trial *trial)
{
    return FATE_DIVERGE;
}

static void test_start_fails(void **state)
{
    struct search_options options = bed_options();
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 2, .fate = fail_start});
    struct engine *engine;
    struct error error, warning;
    assert_int_equal(engine_create(&options, path, &data, evaluator, &engine, &error), 0);
    assert_int_equal(engine_run(engine, &error), -1);
    assert_non_null(strstr(error.text, "the start network failed (diverged: as scripted)"));
    assert_int_equal(engine_state(engine)->finish_reason.value, FINISH_ERROR);
    engine_free(engine);
    assert_int_equal(engine_resume(path, &data, evaluator, &engine, &warning, &error), -1);
    assert_non_null(strstr(error.text, "its start network failed"));
    evaluator->kind->free(evaluator);
    scratch_remove(folder);
    free(folder);
    free(path);
}

/* --- parents --- */

static void test_parent_best(void **state)
{
    struct search_options options = bed_options();
    options.parent = PARENT_BEST;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 1});
    int64_t best = 1;
    for (int64_t i = 2; i <= session->node_count; i++) {
        assert_int_equal(session->nodes[i - 1]->facts.parent, best);
        if (session->nodes[i - 1]->accuracy > session->nodes[best - 1]->accuracy)
            best = i;
    }
    assert_true(best > 5);
    session_state_free(session);
}

static void test_parent_start(void **state)
{
    struct search_options options = bed_options();
    options.parent = PARENT_START;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 1});
    for (int64_t i = 1; i < session->node_count; i++)
        assert_int_equal(session->nodes[i]->facts.parent, 1);
    session_state_free(session);
}

/* The mean rank of parents, 0 the worst and 1 the best of those that were there: 1/2 for a tournament of one, 3/4
   for three (the expected maximum of three uniform draws). */
static double mean_rank(int64_t tournament)
{
    struct search_options options = bed_options();
    options.tournament = tournament;
    options.networks = REPEATS(300);
    struct session_state *session = bed_search(&options, &(struct script){.slots = 1, .no_epochs = true});
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = REPEATS(50); i < session->node_count; i++, count++) {
        const struct session_node *parent = session->nodes[session->nodes[i]->facts.parent - 1];
        int64_t worse = 0;
        for (int64_t j = 0; j < i; j++)
            worse += session->nodes[j]->accuracy < parent->accuracy;
        sum += (double)worse / (double)(i - 1);
    }
    session_state_free(session);
    return sum / (double)count;
}

static void test_parent_tournament(void **state)
{
    double one = mean_rank(1), three = mean_rank(3);
    assert_true(SANITIZED || (one > 0.4 && one < 0.6));
    assert_true(SANITIZED || (three > 0.67 && three < 0.83));
}

/* With a deeper decision only, a proposal is empty when its parent has no room left under the limit: none is. */
static void test_full_grown_parents_stand_back(void **state)
{
    struct search_options options = bed_options();
    options.wider = 0;
    options.limit_parameters = 1100;
    options.networks = 40;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 1});
    int64_t full_grown = 0;
    for (int64_t i = 0; i < session->node_count; i++)
        full_grown += session->nodes[i]->facts.parameters > 1100 - 24; /* a convolution of 4 filters, 1x1, takes 24 */
    assert_true(full_grown > 3);
    assert_int_equal(session->refused_count, 0);
    assert_int_equal(session->finish_reason.value, FINISH_BUDGET);
    session_state_free(session);
}

/* --- the options' networks --- */

static void test_manual(void **state)
{
    struct search_options options = bed_options();
    struct error error;
    assert_int_equal(options_set(&options, "policy", "manual", &error), 0);
    assert_int_equal(options_set(&options, "actions",
                                 "widen:conv1 deepen:conv2:3; ;widen:fc1:24;widen:conv9;; widen:conv1:4 ; deepen:fc1;",
                                 &error),
                     0);
    options.parent = PARENT_START;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 2});
    assert_int_equal(session->node_count, 4);
    assert_string_equal(session->nodes[1]->facts.actions.items[0], "widen:conv1:8");
    assert_string_equal(session->nodes[1]->facts.actions.items[1], "deepen:conv2:3");
    assert_string_equal(session->nodes[2]->facts.actions.items[0], "widen:fc1:24");
    assert_string_equal(session->nodes[3]->facts.actions.items[0], "deepen:fc1");
    assert_int_equal(session->refused_count, 2); /* no conv9; conv1 has 4 already */
    session_state_free(session);
}

/* --- a full disk --- */

/* In a child process whose files can't grow past `limit` bytes.  Exit status 0: the search ended with a message
   about it. */
static void run_on_full_disk(const char *path, rlim_t limit)
{
    struct search_options options = bed_options();
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 2});
    struct engine *engine;
    struct error error;
    signal(SIGXFSZ, SIG_IGN);
    if (engine_create(&options, path, &data, evaluator, &engine, &error))
        _exit(2);
    engine_set_disk_patience(engine, 2, 0.01);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit});
    int status = engine_run(engine, &error);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    _exit(status == -1 && strstr(error.text, "the session is intact") ? 0 : 1);
}

static void test_full_disk(void **state)
{
    for (rlim_t limit = 2200; limit < 12000; limit += 499) {
        char *folder = scratch_new(), *path = bed_path(folder, "a");
        pid_t child = fork();
        if (!child)
            run_on_full_disk(path, limit);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        struct session_state *session = bed_resume(folder, "a", &(struct script){.slots = 2});
        assert_int_equal(session->status_count[NODE_DONE], 12);
        bed_check(folder, "a", session);
        session_state_free(session);
        scratch_remove(folder);
        free(folder);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_of_networks),
        cmocka_unit_test(test_budget_of_episodes),
        cmocka_unit_test(test_budget_of_seconds),
        cmocka_unit_test(test_same_seed_same_digest),
        cmocka_unit_test(test_known_networks),
        cmocka_unit_test(test_exhausted_space),
        cmocka_unit_test(test_spent_parents),
        cmocka_unit_test(test_more_trainers_than_parents),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_barrier),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_lost_devices),
        cmocka_unit_test(test_second_attempt),
        cmocka_unit_test(test_failures_in_episodes),
        cmocka_unit_test(test_start_fails),
        cmocka_unit_test(test_parent_best),
        cmocka_unit_test(test_parent_start),
        cmocka_unit_test(test_parent_tournament),
        cmocka_unit_test(test_full_grown_parents_stand_back),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
