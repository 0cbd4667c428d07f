/*
 * test_checkpoint.c - a training goes on from a checkpoint at any step to the same bits, by itself and in a search.
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
#include "fresh_weights.h"
#include "nn/backend.h"
#include "pictures.h"
#include "util/file.h"
#include "util/memory.h"

enum { IMAGES = 50, BATCH = 16, EPOCHS = 3, STEPS = EPOCHS * 4, CLASSES = 4 };
static const struct shape input = {1, 10, 10};
static const char notation[] = "C(5,3,1) P(2,2) C(6,5,1) A(2,2) FC(7) SM(4)";

/* --- one training --- */

struct kept {
    struct checkpoint checkpoint;
    void *bytes[STEPS];
    size_t lengths[STEPS];
    int count;
    struct epoch_report last;
};

static bool always(void *context)
{
    return true;
}

static void keep(void *context, const struct weights *weights, const struct training_state *state)
{
    struct kept *kept = context;
    assert_true(kept->count < STEPS);
    assert_int_equal(state->epochs * 4 + state->steps, kept->count);
    checkpoint_copy(&kept->checkpoint, weights, state);
    checkpoint_encode(&kept->checkpoint, &kept->bytes[kept->count], &kept->lengths[kept->count]);
    kept->count++;
}

static void see_epoch(void *context, const struct epoch_report *report)
{
    ((struct kept *)context)->last = *report;
}

static void check_steps(float average)
{
    struct images images;
    struct view view;
    struct error error;
    struct kept kept = {.count = 0}, second = {.count = 0};
    struct training training = training_paper;
    training.epochs = EPOCHS;
    training.batch = BATCH;
    training.augment = true;
    training.drop_fc = 0.2f;
    training.average = average;
    pictures_draw(input, CLASSES, IMAGES, 100, 6, &images, &view);
    struct weights *whole = fresh_weights(notation, input, 5);
    size_t size = (size_t)whole->layout.total * sizeof(float);
    checkpoint_init(&kept.checkpoint, NULL, whole, (double)average, "these");
    struct trainer_hooks hooks = {.context = &kept, .epoch = see_epoch, .is_due = always, .keep = keep};
    assert_int_equal(train(backend_cpu(), whole, &view, &view, &training, &hooks, &error), TRAINING_DONE);
    assert_int_equal(kept.count, STEPS);
    for (int step = 1; step < STEPS; step++) { /* 0 is the beginning, which needs none */
        struct weights *rest = weights_new(&whole->arch, input);
        struct checkpoint checkpoint;
        struct training going_on = training;
        checkpoint_init(&checkpoint, NULL, rest, (double)average, "these");
        assert_int_equal(checkpoint_decode(&checkpoint, kept.bytes[step], kept.lengths[step], &error), 0);
        checkpoint_restore(&checkpoint, rest, &going_on);
        hooks = (struct trainer_hooks){.context = &second, .epoch = see_epoch};
        assert_int_equal(train(backend_cpu(), rest, &view, &view, &going_on, &hooks, &error), TRAINING_DONE);
        assert_memory_equal(whole->values, rest->values, size);
        assert_true(second.last.train_loss == kept.last.train_loss);
        assert_true(second.last.train_accuracy == kept.last.train_accuracy);
        assert_true(second.last.validation_loss == kept.last.validation_loss);
        checkpoint_done(&checkpoint);
        weights_free(rest);
    }
    struct checkpoint other;
    checkpoint_init(&other, NULL, whole, (double)average, "others");
    assert_int_equal(checkpoint_decode(&other, kept.bytes[5], kept.lengths[5], &error), -1);
    assert_non_null(strstr(error.text, "other settings"));
    checkpoint_done(&other);
    for (int step = 0; step < STEPS; step++)
        free(kept.bytes[step]);
    checkpoint_done(&kept.checkpoint);
    weights_free(whole);
    pictures_done(&images, &view);
}

static void test_every_step(void **state)
{
    check_steps(0);
}

static void test_every_step_with_average(void **state)
{
    check_steps(0.9f);
}

/* --- in a search --- */

struct pictures {
    struct images images;
    struct view train, validate;
    struct search_data data;
};

static void pictures_open(struct pictures *pictures)
{
    struct error error;
    struct view all;
    pictures_draw(input, CLASSES, 120, 100, 6, &pictures->images, &all);
    view_done(&all);
    assert_int_equal(data_split(&pictures->images, 40, 0, 1, &pictures->train, &pictures->validate, &error), 0);
    pictures->data = (struct search_data){.input = input,
                                          .classes = CLASSES,
                                          .train_images = pictures->train.count,
                                          .validation_images = pictures->validate.count,
                                          .hash = pictures->images.hash};
}

static void pictures_close(struct pictures *pictures)
{
    view_done(&pictures->train);
    view_done(&pictures->validate);
    images_done(&pictures->images);
}

static struct search_options search_of(void)
{
    struct search_options options = bed_options();
    options.parent = PARENT_RACE;
    options.episode_networks = 2;
    options.networks = 3;
    options.start_epochs = 3;
    options.epochs = 3;
    options.batch = BATCH;
    options.finish = 0.4;
    options.average = 0.9;
    options.steady = true;
    return options;
}

/* What happens in it: the folder is copied as a kill would leave it, or the search is stopped, at the n-th epoch. */
struct witness {
    struct engine *engine;
    const char *path;
    int epochs, at;
    bool stops;
    int64_t node;        /* which trained then */
    int64_t epochs_done; /* the most that a STARTED event has */
};

static void watch(void *context, const struct event *event)
{
    struct witness *witness = context;
    if (event->kind == EVENT_STARTED && event->as.started.epochs_done > witness->epochs_done)
        witness->epochs_done = event->as.started.epochs_done;
    if (event->kind != EVENT_EPOCH || ++witness->epochs != witness->at)
        return;
    witness->node = event->as.epoch.node;
    if (witness->stops) {
        engine_stop(witness->engine);
        return;
    }
    struct text command = TEXT_EMPTY;
    text_add(&command, "rm -rf '%s.killed' && cp -r '%s' '%s.killed'", witness->path, witness->path, witness->path);
    assert_int_equal(system(text_string(&command)), 0);
    text_done(&command);
}

static struct session_state *search(const char *path, const struct search_options *options,
                                    const struct pictures *pictures, struct witness *witness)
{
    struct device device = {.id = "cpu:0", .core = 0};
    struct evaluator *evaluator =
        evaluator_local_new(&device, 1, PRECISION_F32, &pictures->train, &pictures->validate, NULL);
    struct error error, warning;
    struct session_state *session;
    evaluator_local_checkpoints(evaluator, 0);
    if (options)
        assert_int_equal(engine_create(options, path, &pictures->data, evaluator, &witness->engine, &error), 0);
    else
        assert_int_equal(engine_resume(path, &pictures->data, evaluator, &witness->engine, &warning, &error), 0);
    witness->path = path;
    engine_add_sink(witness->engine, (struct event_sink){watch, witness});
    assert_int_equal(engine_run(witness->engine, &error), 0);
    engine_free(witness->engine);
    evaluator->kind->free(evaluator);
    assert_int_equal(session_load(path, &session, &warning, &error), 0);
    return session;
}

static void check_empty(const char *path)
{
    struct text command = TEXT_EMPTY;
    text_add(&command, "test -z \"$(ls '%s/checkpoints')\"", path);
    assert_int_equal(system(text_string(&command)), 0);
    text_done(&command);
}

/* Killed or stopped at any epoch, of the finish too, it ends as it would have; what was trained is not trained again.
 */
static void check_search(bool stops)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct pictures pictures;
    struct search_options options = search_of();
    struct witness whole = {.at = -1};
    pictures_open(&pictures);
    struct session_state *session = search(path, &options, &pictures, &whole);
    char *story = bed_story(session);
    check_empty(path);
    assert_int_equal(session_node(session, session->node_count)->facts.by.value, AUTHOR_FINISH);
    for (int at = 1; at < whole.epochs; at++) {
        struct witness first = {.at = at, .stops = stops}, then = {.at = -1};
        char *name = event_text("k%d", at), *cut = bed_path(folder, name), *killed = event_text("%s.killed", cut);
        session_state_free(search(cut, &options, &pictures, &first));
        struct session_state *resumed = search(stops ? cut : killed, NULL, &pictures, &then);
        char *resumed_story = bed_story(resumed);
        assert_string_equal(story, resumed_story);
        check_empty(stops ? cut : killed);
        assert_true(then.epochs <= whole.epochs - at + 1); /* one epoch may be trained again */
        free(resumed_story);
        session_state_free(resumed);
        free(name);
        free(cut);
        free(killed);
    }
    free(story);
    session_state_free(session);
    pictures_close(&pictures);
    scratch_remove(folder);
    free(folder);
    free(path);
}

static void test_killed(void **state)
{
    check_search(false);
}

static void test_stopped(void **state)
{
    check_search(true);
}

/* Nothing is known of a network whose first epoch doesn't fit into its time: it fails, once. */
static void test_first_epoch_is_too_long(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct pictures pictures;
    struct search_options options = search_of();
    struct device device = {.id = "cpu:0", .core = 0};
    struct engine *engine;
    struct error error;
    options.network_seconds = 1e-9;
    pictures_open(&pictures);
    struct evaluator *evaluator =
        evaluator_local_new(&device, 1, PRECISION_F32, &pictures.train, &pictures.validate, NULL);
    assert_int_equal(engine_create(&options, path, &pictures.data, evaluator, &engine, &error), 0);
    assert_int_equal(engine_run(engine, &error), -1);
    assert_non_null(strstr(error.text, "time: its first epoch takes longer than --network-seconds 1e-09"));
    assert_int_equal(session_node(engine_state(engine), 1)->status, NODE_DONE); /* it has its own time */
    assert_int_equal(session_node(engine_state(engine), 2)->attempts, 1);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    pictures_close(&pictures);
    scratch_remove(folder);
    free(folder);
    free(path);
}

/* A checkpoint that is damaged, or of other settings, is passed over. */
static void test_damaged(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct pictures pictures;
    struct search_options options = search_of();
    struct witness witness = {.at = -1}, first = {.at = 2}, then = {.at = -1};
    pictures_open(&pictures);
    struct session_state *session = search(path, &options, &pictures, &witness);
    char *story = bed_story(session), *cut = bed_path(folder, "b");
    char *killed = event_text("%s.killed", cut);
    session_state_free(search(cut, &options, &pictures, &first));
    struct text command = TEXT_EMPTY;
    text_add(&command, "cd '%s/checkpoints' && for f in *; do head -c 500 $f >x && mv x $f; done; touch junk", killed);
    assert_int_equal(system(text_string(&command)), 0);
    struct session_state *resumed = search(killed, NULL, &pictures, &then);
    char *resumed_story = bed_story(resumed);
    assert_string_equal(story, resumed_story);
    assert_int_equal(then.epochs_done, 0);
    check_empty(killed);
    text_done(&command);
    free(story);
    free(resumed_story);
    session_state_free(session);
    session_state_free(resumed);
    pictures_close(&pictures);
    scratch_remove(folder);
    free(folder);
    free(path);
    free(cut);
    free(killed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_step), cmocka_unit_test(test_every_step_with_average),
        cmocka_unit_test(test_killed),     cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_damaged),    cmocka_unit_test(test_first_epoch_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
