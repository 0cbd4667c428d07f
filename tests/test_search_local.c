/*
 * test_search_local.c - a small search that really trains: Fashion-MNIST, the local evaluator, two trainers.
 *
 * Skipped where the data set (Debian's dataset-fashion-mnist) is not installed.
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_bed.h"
#include "export/safetensors.h"
#include "util/bug.h"
#include "util/file.h"

struct real {
    struct images images;
    struct view train, validate;
    const struct view *test; /* NULL: none */
    struct search_data data;
};

static bool real_open(struct real *real, int train, int validate)
{
    static struct images images; /* unpacked once, for all tests */
    struct data_spec spec;
    struct error error;
    assert_int_equal(data_spec_parse("fashion-mnist", &spec, &error), 0);
    if (!images.count && images_open(&spec, DATA_TRAIN, &images, &error)) {
        print_message("# skipped: %s\n", error.text);
        return false;
    }
    real->images = images;
    assert_int_equal(data_split(&real->images, validate, train, 1, &real->train, &real->validate, &error), 0);
    real->data = (struct search_data){.input = real->images.shape,
                                      .classes = real->images.classes,
                                      .train_images = real->train.count,
                                      .validation_images = real->validate.count,
                                      .hash = real->images.hash};
    real->test = NULL;
    return true;
}

static void real_close(struct real *real)
{
    view_done(&real->train);
    view_done(&real->validate);
}

static struct search_options small_options(void)
{
    struct search_options options;
    options_default(&options);
    options.parent = PARENT_TOURNAMENT;
    options.episode_networks = 10;
    options.finish = 0;
    options.baseline = BASELINE_NO;
    options.steady = false;
    options.average = 0;
    options.networks = 3;
    options.epochs = 1;
    options.start_epochs = 2;
    options.train_subset = 1000;
    options.validation = 500;
    options.space = SPACE_PLAIN;
    options.limit_flops = 500000; /* quick under the sanitizers too */
    return options;
}

static struct evaluator *trainers(const struct real *real, int count)
{
    struct device devices[4];
    ASSERT(count <= 4);
    for (int i = 0; i < count; i++) {
        devices[i] = (struct device){.core = i, .own_core = true};
        snprintf(devices[i].id, sizeof devices[i].id, "cpu:%d", i);
    }
    return evaluator_local_new(devices, count, PRECISION_F32, &real->train, &real->validate, real->test);
}

/* Commands at chosen moments, and what was seen. */
struct watcher {
    struct engine *engine;
    int epochs, results, pauses;
    const char *at_epoch; /* words to give after the first epoch */
};

static void watch(void *context, const struct event *event)
{
    struct watcher *watcher = context;
    watcher->epochs += event->kind == EVENT_EPOCH;
    watcher->results += event->kind == EVENT_RESULT;
    if (event->kind == EVENT_EPOCH && watcher->at_epoch) {
        engine_command(watcher->engine, AUTHOR_USER, watcher->at_epoch);
        watcher->at_epoch = NULL;
    }
    if (event->kind == EVENT_PAUSED && event->as.paused.paused) {
        watcher->pauses++;
        engine_command(watcher->engine, AUTHOR_USER, "continue");
    }
}

static struct session_state *search(const char *path, const struct real *real, const struct search_options *options,
                                    int count, struct watcher *watcher)
{
    struct evaluator *evaluator = trainers(real, count);
    struct engine *engine;
    struct error error, warning;
    if (options)
        assert_int_equal(engine_create(options, path, &real->data, evaluator, &engine, &error), 0);
    else
        assert_int_equal(engine_resume(path, &real->data, evaluator, &engine, &warning, &error), 0);
    watcher->engine = engine;
    engine_add_sink(engine, (struct event_sink){watch, watcher});
    assert_int_equal(engine_run(engine, &error), 0);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    struct session_state *state;
    assert_int_equal(session_load(path, &state, &warning, &error), 0);
    return state;
}

/* Every layer of the weights on disk was measured; units are fresh where the network's own actions widened a layer. */
static void check_health(const struct session_node *node, const struct weights *weights)
{
    bool widened = false, fresh = false;
    for (int i = 0; i < node->facts.actions.count; i++)
        widened |= !strncmp(node->facts.actions.items[i], "widen:", 6);
    for (int i = 0; i < HEALTH_MEASURES; i++)
        assert_int_equal(node->health[i].count, weights->arch.layer_count);
    for (int layer = 0; layer < weights->arch.layer_count; layer++) {
        bool trained = false;
        for (int part = 0; part < WEIGHTS_PARTS; part++)
            trained |= weights->layout.parts[part][layer].outputs > 0;
        fresh |= isfinite(node_health(node, layer, HEALTH_FRESH));
        assert_int_equal(isfinite(node_health(node, layer, HEALTH_WEIGHT_NORM)), trained);
        assert_int_equal(isfinite(node_health(node, layer, HEALTH_GRADIENT_NORM)), trained);
    }
    const struct weights_layer *last = &weights->layout.layers[weights->arch.layer_count - 1];
    double squares = 0; /* the last layer's: its weight and bias */
    for (int64_t i = last->weight; i < weights->layout.trained; i++)
        squares += (double)weights->values[i] * (double)weights->values[i];
    assert_float_equal(node_health(node, weights->arch.layer_count - 1, HEALTH_WEIGHT_NORM), sqrt(squares), 1e-6);
    assert_int_equal(fresh, widened);
}

/* The weights on disk score what the session says. */
static void check_scores(const char *path, const struct real *real, const struct session_state *session)
{
    for (int64_t i = 0; i < session->node_count; i++) {
        const struct session_node *node = session->nodes[i];
        struct text file = TEXT_EMPTY;
        struct weights *weights;
        struct evaluation evaluation;
        struct error error;
        text_add(&file, "%s/weights/%s", path, node->weights);
        assert_int_equal(safetensors_read(text_string(&file), NULL, &weights, &error), 0);
        assert_int_equal(network_evaluate(backend_cpu(), weights, &real->validate, 64, &evaluation, &error), 0);
        assert_true(evaluation.accuracy == node->accuracy);
        check_health(node, weights);
        assert_true(node->stopped || node->accuracy > 0.15); /* chance is 0.1 */
        const char *average = session_option(session, "average");
        bool averaged = average && atof(average) > 0 && node->facts.by.value != AUTHOR_FINISH;
        assert_int_equal(weights->raw != NULL, averaged); /* what a child goes on from */
        weights_free(weights);
        text_done(&file);
    }
}

/* The finish is tested: here on the images that validate. */
static void test_finish_is_tested(void **state)
{
    struct real real;
    if (!real_open(&real, 1000, 500))
        skip();
    real.test = &real.validate;
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = small_options();
    options.parent = PARENT_RACE;
    options.episode_networks = 2;
    options.finish = 0.5;
    options.steady = true;
    options.average = 0.9;
    options.start_epochs = 4;
    struct watcher watcher = {0};
    struct session_state *session = search(path, &real, &options, 1, &watcher);
    check_scores(path, &real, session);
    const struct session_node *finish = session_node(session, session->node_count);
    assert_int_equal(finish->facts.by.value, AUTHOR_FINISH);
    assert_int_equal(session->test.node, finish->facts.node);
    assert_int_equal(session->test.images, 500);
    assert_true(session->test.accuracy == finish->accuracy && session->test.loss == finish->loss);
    assert_true(finish->curve[finish->curve_count - 1].rate < 0.01);
    assert_true(session_node(session, 2)->curve[0].rate == (double)(float)options.rate);
    session_state_free(session);
    real_close(&real);
    scratch_remove(folder);
    free(folder);
    free(path);
}

static void test_trains(void **state)
{
    struct real real;
    if (!real_open(&real, 1000, 500))
        skip();
    char *folder = scratch_new(), *path = bed_path(folder, "a"), *again_path = bed_path(folder, "b");
    struct search_options options = small_options();
    struct watcher watcher = {0};
    struct session_state *session = search(path, &real, &options, 1, &watcher);
    assert_int_equal(session->status_count[NODE_DONE], 3);
    assert_int_equal(watcher.epochs, 4);
    assert_int_equal(watcher.results, 3);
    check_scores(path, &real, session);

    /* One trainer, one seed: the same to the bit, pauses or not. */
    struct watcher pausing = {.at_epoch = "pause"};
    struct session_state *again = search(again_path, &real, &options, 1, &pausing);
    assert_int_equal(pausing.pauses, 1);
    for (int i = 0; i < 3; i++)
        assert_string_equal(session->nodes[i]->weights_hash, again->nodes[i]->weights_hash);

    session_state_free(session);
    session_state_free(again);
    scratch_remove(folder);
    free(folder);
    free(path);
    free(again_path);
    real_close(&real);
}

/* Two trainers: paused and let go; stopped in the middle, and resumed to the end. */
static void test_pause_stop_resume(void **state)
{
    struct real real;
    if (!real_open(&real, 1000, 500))
        skip();
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = small_options();
    options.networks = 5;
    struct watcher stopping = {.at_epoch = "stop"};
    struct session_state *stopped = search(path, &real, &options, 2, &stopping);
    assert_int_equal(stopped->finish_reason.value, FINISH_INTERRUPTED);
    assert_true(stopped->status_count[NODE_DONE] < 5);
    assert_int_equal(stopped->status_count[NODE_RUNNING], 0);

    struct watcher pausing = {.at_epoch = "pause"};
    struct session_state *resumed = search(path, &real, NULL, 2, &pausing);
    assert_int_equal(pausing.pauses, 1);
    assert_int_equal(resumed->status_count[NODE_DONE], 5);
    assert_int_equal(stopping.results + pausing.results, 5);
    check_scores(path, &real, resumed);

    session_state_free(stopped);
    session_state_free(resumed);
    scratch_remove(folder);
    free(folder);
    free(path);
    real_close(&real);
}

/* Networks that are stopped at a rung have the weights of that epoch's end, which score what its curve says; the
   trainer waits for the judgement, so that it makes no difference when it comes.  A pause in between doesn't either. */
static void test_stops_at_rungs(void **state)
{
    struct real real;
    if (!real_open(&real, 1000, 500))
        skip();
    char *folder = scratch_new(), *paths[] = {bed_path(folder, "a"), bed_path(folder, "b"), bed_path(folder, "c")};
    struct search_options options = small_options();
    options.networks = 6;
    options.epochs = 3;
    strcpy(options.rungs, "1,2");
    options.rung_keep = 0.25;
    struct session_state *sessions[3];
    for (int i = 0; i < 3; i++) {
        struct watcher watcher = {.at_epoch = i == 1 ? "pause" : NULL};
        sessions[i] = search(paths[i], &real, &options, i == 2 ? 2 : 1, &watcher);
        check_scores(paths[i], &real, sessions[i]);
        int64_t epochs = 0, stopped = 0;
        for (int64_t k = 2; k <= 6; k++) {
            const struct session_node *node = session_node(sessions[i], k);
            epochs += node->curve_count;
            stopped += node->stopped != NULL;
            assert_true((node->stopped != NULL) == (node->curve_count < 3));
            assert_true(node->accuracy == node->curve[node->curve_count - 1].validation_accuracy);
        }
        assert_int_equal(epochs<15, stopped> 0);
        assert_true(stopped > 0 || i == 2); /* of two trainers, chance says who comes to a rung first */
        assert_int_equal(watcher.epochs, 2 + epochs);
    }
    for (int k = 0; k < 6; k++)
        assert_string_equal(sessions[0]->nodes[k]->weights_hash, sessions[1]->nodes[k]->weights_hash);
    for (int i = 0; i < 3; i++) {
        session_state_free(sessions[i]);
        free(paths[i]);
    }
    scratch_remove(folder);
    free(folder);
    real_close(&real);
}

/* --- one trial, straight to the evaluator --- */

static struct report last_report(struct evaluator *evaluator)
{
    struct report report;
    memset(&report, 0, sizeof report);
    do {
        report_done(&report);
        assert_true(evaluator->kind->poll(evaluator, &report, 60));
    } while (report.kind == REPORT_STEP || report.kind == REPORT_EPOCH || report.kind == REPORT_CHECKPOINT);
    return report;
}

static struct trial trial_of(const char *arch, float rate, int epochs)
{
    struct trial trial = {.node = 1, .from_scratch = true, .training = training_paper};
    assert_int_equal(arch_parse(&trial.arch, arch, NULL), 0);
    trial.training.node = 1;
    trial.training.rate = rate;
    trial.training.epochs = epochs;
    return trial;
}

static void test_failures(void **state)
{
    struct real real;
    if (!real_open(&real, 1000, 500))
        skip();
    struct evaluator *evaluator = trainers(&real, 1);

    struct trial trial = trial_of("C(4,3,1) P(2,2) C(4,3,1) A(14,14) SM(10)", 1e30f, 3);
    evaluator->kind->submit(evaluator, 0, &trial);
    struct report report = last_report(evaluator);
    assert_int_equal(report.kind, REPORT_FAILED);
    assert_int_equal(report.failure, FAILURE_DIVERGED);
    assert_non_null(strstr(report.message, "diverged"));
    report_done(&report);

    /* No machine has the memory: 4096 filters over 28×28 for a batch of a million. */
    trial = trial_of("C(4096,3,1) C(4096,3,1) A(28,28) SM(10)", 0.1f, 1);
    trial.training.batch = 1 << 20;
    evaluator->kind->submit(evaluator, 0, &trial);
    report = last_report(evaluator);
    assert_int_equal(report.kind, REPORT_FAILED);
    assert_int_equal(report.failure, FAILURE_MEMORY);
    assert_non_null(strstr(report.message, "TiB"));
    report_done(&report);

    trial = trial_of("C(4,3,1) A(28,28) SM(10)", 0.1f, 1);
    trial.from_scratch = false;
    trial.parent_arch = trial.arch;
    trial.parent_weights = strdup("/nonexistent/weights");
    evaluator->kind->submit(evaluator, 0, &trial);
    report = last_report(evaluator);
    assert_int_equal(report.kind, REPORT_FAILED);
    assert_int_equal(report.failure, FAILURE_ERROR);
    assert_non_null(strstr(report.message, "/nonexistent/weights"));
    report_done(&report);

    /* Cancelled, while paused too; and free to take the next. */
    for (int paused = 0; paused < 2; paused++) {
        trial = trial_of("C(4,3,1) A(28,28) SM(10)", 0.1f, 100000);
        evaluator->kind->pause(evaluator, paused);
        evaluator->kind->submit(evaluator, 0, &trial);
        evaluator->kind->cancel(evaluator, 1);
        report = last_report(evaluator);
        assert_int_equal(report.kind, REPORT_CANCELLED);
        report_done(&report);
    }

    /* Freed while it trains. */
    evaluator->kind->pause(evaluator, false);
    trial = trial_of("C(4,3,1) A(28,28) SM(10)", 0.1f, 100000);
    evaluator->kind->submit(evaluator, 0, &trial);
    evaluator->kind->free(evaluator);
    real_close(&real);
}

/* Whoever stops a search cancels all trials in one breath. */
static void test_cancels_all(void **state)
{
    struct real real;
    if (!real_open(&real, 1000, 500))
        skip();
    struct evaluator *evaluator = trainers(&real, 4);
    evaluator->kind->pause(evaluator, true);
    for (int slot = 0; slot < 4; slot++) {
        struct trial trial = trial_of("C(4,3,1) A(28,28) SM(10)", 0.1f, 100000);
        trial.node = slot + 1;
        evaluator->kind->submit(evaluator, slot, &trial);
    }
    for (int node = 1; node <= 4; node++)
        evaluator->kind->cancel(evaluator, node);
    int64_t sum = 0;
    for (int slot = 0; slot < 4; slot++) {
        struct report report = last_report(evaluator);
        assert_int_equal(report.kind, REPORT_CANCELLED);
        sum += report.node;
        report_done(&report);
    }
    assert_int_equal(sum, 1 + 2 + 3 + 4);
    evaluator->kind->free(evaluator);
    real_close(&real);
}

/* Dense networks go the same way: grown, trained, and read back from their files. */
static void test_trains_dense(void **state)
{
    struct real real;
    if (!real_open(&real, 1000, 500))
        skip();
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = small_options();
    struct error error = {""};
    struct watcher watcher = {0};
    struct engine *engine;
    struct evaluator *evaluator = trainers(&real, 1);
    snprintf(options.start, sizeof options.start, "C(8,3,1) D(4,[4]) A(28,28) SM(10)");
    options.space = SPACE_PLAIN;
    assert_int_equal(engine_create(&options, path, &real.data, evaluator, &engine, &error), -1);
    assert_string_equal(error.text, "--start: a dense network needs --space dense");
    evaluator->kind->free(evaluator);
    options.space = SPACE_DENSE;
    options.limit_flops = 4000000;
    options.start[0] = '\0';
    struct session_state *session = search(path, &real, &options, 1, &watcher);
    assert_int_equal(session->status_count[NODE_DONE], 3);
    assert_non_null(strstr(session->nodes[2]->facts.arch, "D(4,["));
    int dense = 0;
    for (int64_t i = 1; i < session->node_count; i++)
        for (int a = 0; a < session->nodes[i]->facts.actions.count; a++)
            dense += strstr(session->nodes[i]->facts.actions.items[a], ":dense") != NULL;
    assert_true(dense > 0);
    check_scores(path, &real, session);
    session_state_free(session);
    real_close(&real);
    scratch_remove(folder);
    free(folder);
    free(path);
}

/* Modern ones too; a plain search takes none. */
static void test_trains_modern(void **state)
{
    struct real real;
    if (!real_open(&real, 1000, 500))
        skip();
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = small_options();
    struct error error = {""};
    struct watcher watcher = {0};
    struct engine *engine;
    struct evaluator *evaluator = trainers(&real, 1);
    snprintf(options.start, sizeof options.start, "C(8,3,2) M(8,3) A(14,14) SM(10)");
    assert_int_equal(engine_create(&options, path, &real.data, evaluator, &engine, &error), -1);
    assert_string_equal(error.text, "--start: a network with R, M or S needs --space modern");
    evaluator->kind->free(evaluator);
    options.space = SPACE_MODERN;
    options.limit_flops = 4000000;
    struct session_state *session = search(path, &real, &options, 1, &watcher);
    assert_int_equal(session->status_count[NODE_DONE], 3);
    int blocks = 0;
    for (int64_t i = 1; i < session->node_count; i++)
        for (int a = 0; a < session->nodes[i]->facts.actions.count; a++)
            blocks += strstr(session->nodes[i]->facts.actions.items[a], ":M(") != NULL;
    assert_true(blocks > 0);
    check_scores(path, &real, session);
    session_state_free(session);
    real_close(&real);
    scratch_remove(folder);
    free(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finish_is_tested),  cmocka_unit_test(test_trains),
        cmocka_unit_test(test_pause_stop_resume), cmocka_unit_test(test_stops_at_rungs),
        cmocka_unit_test(test_failures),          cmocka_unit_test(test_cancels_all),
        cmocka_unit_test(test_trains_dense),      cmocka_unit_test(test_trains_modern),
    };
    return cmocka_run_group_tests_name("search on this machine", tests, NULL, NULL);
}
