/*
 * test_trainer.c - the training protocol: what each epoch shows the network, the schedule, the hooks, the outcomes;
 * and that networks learn.
 *
 * The protocol is read off a recording backend: the reference with its load and update watched and its operations
 * cut out.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/space.h"
#include "backends.h"
#include "fresh_weights.h"
#include "nn/trainer.h"
#include "pictures.h"
#include "util/bug.h"
#include "util/memory.h"

/* An allocation that is too large is to fail here as it does without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static const struct shape small = {1, 10, 10};
enum { CLASSES = 4 };

/* What the recording backend saw. */
enum { RECORDS_MAX = 4096 };
static struct {
    int loads, images, updates;
    int counts[RECORDS_MAX];
    int32_t index[RECORDS_MAX];
    struct augment augment[RECORDS_MAX];
    bool augmented;
    struct sgd sgd[RECORDS_MAX];
    uint64_t keys[RECORDS_MAX];
    int key_count;
} record;

static void record_load(void *context, const struct tensor *tensor, const struct batch *batch, void *data,
                        struct team *team)
{
    record.counts[record.loads++] = batch->count;
    record.augmented = batch->augment != NULL;
    for (int i = 0; i < batch->count; i++) {
        if (batch->augment)
            record.augment[record.images] = batch->augment[i];
        record.index[record.images++] = batch->index[i];
    }
}

static void record_update(void *context, const struct sgd *sgd, int64_t count, float *values, const float *gradients,
                          float *velocity)
{
    record.sgd[record.updates++] = *sgd;
}

static void record_dropout(const struct op_run *run)
{
    if (run->training)
        record.keys[record.key_count++] = run->dropout_key;
}

static void pass(const struct op_run *run)
{
}

static struct backend recording_backend(void)
{
    struct backend backend = backend_ref;
    memset(&record, 0, sizeof record);
    backend.load = record_load;
    backend.update = record_update;
    for (int kind = 0; kind < OP_KINDS; kind++)
        backend.forward[kind] = backend.backward[kind] = pass;
    backend.forward[OP_DROPOUT] = record_dropout;
    return backend;
}

static bool mirrors = true; /* of the images */

static void record_training(const struct training *training, int count)
{
    struct backend backend = recording_backend();
    struct images images;
    struct view view;
    struct error error;
    pictures_draw(small, CLASSES, count, 100, 1, &images, &view);
    images.mirrors = mirrors;
    struct weights *weights = fresh_weights("C(4,3,1) P(2,2) FC(5) SM(4)", small, 1);
    assert_int_equal(train(&backend, weights, &view, NULL, training, NULL, &error), TRAINING_DONE);
    weights_free(weights);
    pictures_done(&images, &view);
}

static void every_epoch_shows_every_image(void **state)
{
    enum { IMAGES = 75, EPOCHS = 3 };
    struct training training = training_paper;
    training.epochs = EPOCHS;
    training.batch = 16;
    record_training(&training, IMAGES);
    assert_int_equal(record.loads, 5 * EPOCHS);
    assert_int_equal(record.images, IMAGES * EPOCHS);
    assert_false(record.augmented);
    for (int load = 0; load < record.loads; load++)
        assert_int_equal(record.counts[load], load % 5 == 4 ? 11 : 16);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        int seen[IMAGES] = {0};
        for (int i = 0; i < IMAGES; i++)
            seen[record.index[epoch * IMAGES + i]]++;
        for (int i = 0; i < IMAGES; i++)
            assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(record.index, record.index + IMAGES, IMAGES * sizeof *record.index);

    int32_t first[IMAGES];
    memcpy(first, record.index, sizeof first);
    record_training(&training, IMAGES);
    assert_memory_equal(first, record.index, sizeof first);
    training.node = 5;
    record_training(&training, IMAGES);
    assert_memory_not_equal(first, record.index, sizeof first);
    training.node = 0;
    training.seed = 5;
    record_training(&training, IMAGES);
    assert_memory_not_equal(first, record.index, sizeof first);
}

static void augmentation_crops_and_flips(void **state)
{
    enum { IMAGES = 900, PLACES = 2 * AUGMENT_PAD + 1 };
    struct training training = training_paper;
    int crops[PLACES][PLACES] = {{0}}, flips = 0;
    training.epochs = 1;
    training.augment = true;
    record_training(&training, IMAGES);
    assert_true(record.augmented);
    for (int i = 0; i < IMAGES; i++) {
        struct augment place = record.augment[i];
        assert_in_range(place.dx + AUGMENT_PAD, 0, PLACES - 1);
        assert_in_range(place.dy + AUGMENT_PAD, 0, PLACES - 1);
        crops[place.dy + AUGMENT_PAD][place.dx + AUGMENT_PAD]++;
        flips += place.flip;
    }
    /* 81 places, some 11 each; half of the images flipped, within 5 standard deviations. */
    for (int y = 0; y < PLACES; y++)
        for (int x = 0; x < PLACES; x++)
            assert_in_range(crops[y][x], 1, 40);
    assert_in_range(flips, IMAGES / 2 - 75, IMAGES / 2 + 75);
}

/* Digits: the same crops, but no 2 becomes its mirror image. */
static void what_has_no_mirror_image_is_not_flipped(void **state)
{
    enum { IMAGES = 50 };
    struct training training = training_paper;
    struct augment mirrored[IMAGES];
    training.epochs = 1;
    training.augment = true;
    record_training(&training, IMAGES);
    memcpy(mirrored, record.augment, sizeof mirrored);
    mirrors = false;
    record_training(&training, IMAGES);
    mirrors = true;
    for (int i = 0; i < IMAGES; i++) {
        assert_int_equal(record.augment[i].dx, mirrored[i].dx);
        assert_int_equal(record.augment[i].dy, mirrored[i].dy);
        assert_false(record.augment[i].flip);
    }
}

static void schedule_is_a_cosine(void **state)
{
    struct training training = training_paper;
    training.epochs = 4;
    training.batch = 10;
    training.rate = 0.3f;
    training.momentum = 0.8f;
    training.weight_decay = 0.01f;
    record_training(&training, 45);
    assert_int_equal(record.updates, 20);
    for (int step = 0; step < 20; step++) {
        double expected = 0.15 * (1 + cos(3.14159265358979 * step / 20));
        assert_true(fabs(record.sgd[step].rate - expected) < 1e-6);
        assert_true(record.sgd[step].momentum == 0.8f && record.sgd[step].weight_decay == 0.01f);
        assert_true(record.sgd[step].nesterov);
    }
}

static void dropout_has_a_key_a_step(void **state)
{
    struct training training = training_paper;
    training.epochs = 2;
    training.batch = 10;
    training.drop_pool = 0.2f;
    training.drop_fc = 0.5f;
    record_training(&training, 30);
    assert_int_equal(record.key_count, 2 * 3 * 2);
    for (int i = 0; i < record.key_count; i++)
        for (int j = 0; j < i; j++)
            assert_true(record.keys[i] != record.keys[j]);
}

/* Counts what it is told, and stops when `left` batches have been allowed. */
struct listener {
    int left, asked, steps, epochs;
    struct step_report step;
    struct epoch_report report;
};

static bool listen_proceed(void *context)
{
    struct listener *listener = context;
    listener->asked++;
    return listener->left-- > 0;
}

static void listen_step(void *context, const struct step_report *report)
{
    struct listener *listener = context;
    listener->steps++;
    listener->step = *report;
}

static void listen_epoch(void *context, const struct epoch_report *report)
{
    struct listener *listener = context;
    listener->epochs++;
    listener->report = *report;
}

static enum training_outcome train_listening(const struct training *training, struct listener *listener,
                                             const struct view *view, struct weights *weights, struct error *error)
{
    struct trainer_hooks hooks = {
        .context = listener, .proceed = listen_proceed, .step = listen_step, .epoch = listen_epoch};
    struct view validate = *view;
    validate.count = 40;
    return train(&backend_ref, weights, view, &validate, training, &hooks, error);
}

static void hooks_are_called(void **state)
{
    struct training training = training_paper;
    struct listener listener = {.left = 1000};
    struct images images;
    struct view view;
    struct error error;
    struct evaluation evaluation;
    training.epochs = 3;
    training.batch = 32;
    pictures_draw(small, CLASSES, 100, 100, 2, &images, &view);
    struct weights *weights = fresh_weights("C(4,3,1) P(2,2) FC(5) SM(4)", small, 2);
    assert_int_equal(train_listening(&training, &listener, &view, weights, &error), TRAINING_DONE);
    assert_int_equal(listener.asked, 3 * (4 + 2));
    assert_int_equal(listener.steps, 3 * 4);
    assert_int_equal(listener.epochs, 3);
    assert_int_equal(listener.step.epoch, 3);
    assert_int_equal(listener.step.step, 4);
    assert_int_equal(listener.step.steps, 4);
    assert_true(isfinite(listener.step.loss) && listener.step.images_per_second > 0);
    assert_int_equal(listener.report.epoch, 3);
    assert_int_equal(listener.report.epochs, 3);
    assert_true(fabs(listener.report.rate - 0.01 * (1 + cos(3.14159265358979 * 11 / 12))) < 1e-6);
    assert_true(listener.report.train_loss > 0 && listener.report.train_accuracy > 0);
    assert_true(listener.report.seconds > 0 && listener.report.images_per_second > 0);
    view.count = 40;
    assert_int_equal(network_evaluate(&backend_ref, weights, &view, 40, &evaluation, &error), 0);
    assert_true(fabs(listener.report.validation_loss - evaluation.loss) < 1e-5);
    assert_true(listener.report.validation_accuracy == evaluation.accuracy);
    weights_free(weights);
    pictures_done(&images, &view);
}

static void stops_within_a_batch(void **state)
{
    struct training training = training_paper;
    struct images images;
    struct view view;
    struct error error;
    training.epochs = 3;
    training.batch = 32;
    pictures_draw(small, CLASSES, 100, 100, 2, &images, &view);
    /* During training of the second epoch, at the start, and during the first evaluation. */
    const int allowed[] = {8, 0, 5}, steps[] = {6, 0, 4}, epochs[] = {1, 0, 0};
    for (size_t i = 0; i < COUNT_OF(allowed); i++) {
        struct listener listener = {.left = allowed[i]};
        struct weights *weights = fresh_weights("C(4,3,1) P(2,2) FC(5) SM(4)", small, 2);
        assert_int_equal(train_listening(&training, &listener, &view, weights, &error), TRAINING_STOPPED);
        assert_int_equal(listener.asked, allowed[i] + 1);
        assert_int_equal(listener.steps, steps[i]);
        assert_int_equal(listener.epochs, epochs[i]);
        weights_free(weights);
    }
    pictures_done(&images, &view);
}

static void divergence_is_seen(void **state)
{
    const struct backend *backend = *state;
    struct training training = training_paper;
    struct images images;
    struct view view;
    struct error error = {""};
    pictures_draw(small, CLASSES, 100, 100, 3, &images, &view);
    training.rate = 1e30f;
    struct weights *weights = fresh_weights("C(4,3,1) P(2,2) FC(5) SM(4)", small, 3);
    assert_int_equal(train(backend, weights, &view, NULL, &training, NULL, &error), TRAINING_DIVERGED);
    assert_non_null(strstr(error.text, "not finite at step"));
    weights_free(weights);

    /* A weight that is lost behind a max pool: the loss may stay finite, the weights are not. */
    training.rate = 1e-3f;
    training.epochs = 1;
    weights = fresh_weights("C(4,3,1) P(2,2) FC(5) SM(4)", small, 3);
    weights->values[weights->layout.layers[0].weight] = NAN;
    assert_int_equal(train(backend, weights, &view, NULL, &training, NULL, &error), TRAINING_DIVERGED);
    weights_free(weights);
    pictures_done(&images, &view);
}

static void no_memory_is_an_outcome(void **state)
{
    struct training training = training_paper;
    struct images images;
    struct view view;
    struct error error = {""};
    pictures_draw(small, CLASSES, 100, 100, 3, &images, &view);
    training.batch = 2000000000;
    struct weights *weights = fresh_weights("C(4000,3,1) SM(4)", small, 3);
    assert_int_equal(train(&backend_ref, weights, &view, NULL, &training, NULL, &error), TRAINING_NO_MEMORY);
    assert_true(error.text[0] != 0);
    weights_free(weights);
    pictures_done(&images, &view);
}

static void initialisation_keeps_variance(void **state)
{
    struct weights *weights = fresh_weights("C(64,3,1) FC(50) SM(10)", (struct shape){3, 8, 8}, 4);
    const double fan_ins[] = {27, 4096, 50};
    for (int i = 0; i < 3; i++) {
        const struct weights_layer *w = &weights->layout.layers[i];
        int size = w->outputs * w->inputs * w->kernel * w->kernel;
        double sum = 0, squares = 0, std = sqrt(2 / fan_ins[i]);
        for (int k = 0; k < size; k++) {
            sum += weights->values[w->weight + k];
            squares += (double)weights->values[w->weight + k] * weights->values[w->weight + k];
        }
        assert_true(fabs(sum / size) < 5 * std / sqrt(size));
        assert_true(fabs(squares / size / (std * std) - 1) < 5 * sqrt(2.0 / size));
        assert_true(w->bias < 0 || weights->values[w->bias] == 0);
    }
    weights_free(weights);
}

static struct weights *train_once(const struct backend *backend, const struct view *view, uint64_t seed)
{
    struct training training = training_paper;
    struct error error;
    training.epochs = 2;
    training.batch = 24;
    training.augment = true;
    training.drop_pool = training.drop_fc = 0.2f;
    training.seed = seed;
    struct weights *weights = fresh_weights("C(5,3,1) P(2,2) C(6,5,1) A(2,2) FC(7) SM(4)", small, 5);
    assert_int_equal(train(backend, weights, view, view, &training, NULL, &error), TRAINING_DONE);
    return weights;
}

static void same_seed_same_bits(void **state)
{
    const struct backend *backend = *state;
    struct images images;
    struct view view;
    pictures_draw(small, CLASSES, 100, 100, 6, &images, &view);
    struct weights *first = train_once(backend, &view, 1), *second = train_once(backend, &view, 1);
    struct weights *other = train_once(backend, &view, 2);
    size_t bytes = (size_t)first->layout.total * sizeof(float);
    assert_memory_equal(first->values, second->values, bytes);
    assert_memory_not_equal(first->values, other->values, bytes);
    weights_free(first);
    weights_free(second);
    weights_free(other);
    pictures_done(&images, &view);
}

/* The state that an epoch's report gives, kept as a training that is to go on keeps it. */
struct kept {
    int epoch;
    const struct weights *weights;
    float *values, *velocity;
};

static void keep(void *context, const struct epoch_report *report)
{
    struct kept *kept = context;
    if (report->epoch != kept->epoch)
        return;
    const struct weights_layout *layout = &kept->weights->layout;
    memcpy(kept->values, kept->weights->values, (size_t)layout->total * sizeof(float));
    memcpy(kept->velocity, report->velocity, (size_t)layout->trained * sizeof(float));
}

static void goes_on_as_if_never_stopped(void **state)
{
    const struct backend *backend = *state;
    struct images images;
    struct view view;
    struct error error;
    pictures_draw(small, CLASSES, 100, 100, 6, &images, &view);
    struct training training = training_paper;
    training.epochs = 5;
    training.batch = 24;
    training.augment = true;
    training.drop_pool = training.drop_fc = 0.2f;
    struct weights *whole = fresh_weights("C(5,3,1) P(2,2) C(6,5,1) A(2,2) FC(7) SM(4)", small, 5);
    struct weights *second = weights_copy(whole);
    struct kept kept = {.epoch = 2, .weights = whole};
    kept.values = second->values;
    kept.velocity = memory_new((size_t)whole->layout.trained, sizeof(float));
    struct trainer_hooks hooks = {.context = &kept, .epoch = keep};
    assert_int_equal(train(backend, whole, &view, NULL, &training, &hooks, &error), TRAINING_DONE);

    training.epochs_done = kept.epoch;
    struct weights *without = weights_copy(second);
    assert_int_equal(train(backend, without, &view, NULL, &training, NULL, &error), TRAINING_DONE);
    training.velocity = kept.velocity;
    assert_int_equal(train(backend, second, &view, NULL, &training, NULL, &error), TRAINING_DONE);
    size_t bytes = (size_t)whole->layout.total * sizeof(float);
    assert_memory_equal(whole->values, second->values, bytes);
    assert_memory_not_equal(whole->values, without->values, bytes); /* the velocity does matter */
    training.epochs_done = training.epochs;
    assert_int_equal(train(backend, second, &view, NULL, &training, NULL, &error), TRAINING_DONE);
    assert_memory_equal(whole->values, second->values, bytes);
    free(kept.velocity);
    weights_free(whole);
    weights_free(second);
    weights_free(without);
    pictures_done(&images, &view);
}

static void learns_to_tell_squares_apart(void **state)
{
    const struct backend *backend = *state;
    struct training training = training_paper;
    struct images images, others;
    struct view view, unseen;
    struct error error;
    struct evaluation evaluation;
    pictures_draw(small, CLASSES, 400, 100, 7, &images, &view);
    pictures_draw(small, CLASSES, 200, 100, 8, &others, &unseen);
    training.epochs = 8;
    training.batch = 32;
    training.rate = 0.1f;
    struct weights *weights = fresh_weights("C(4,3,1) P(2,2) C(8,3,1) P(2,2) FC(8) SM(4)", small, 9);
    assert_int_equal(network_evaluate(backend, weights, &unseen, 64, &evaluation, &error), 0);
    assert_true(evaluation.accuracy < 0.6);
    assert_int_equal(train(backend, weights, &view, NULL, &training, NULL, &error), TRAINING_DONE);
    assert_int_equal(network_evaluate(backend, weights, &unseen, 64, &evaluation, &error), 0);
    if (evaluation.accuracy <= 0.95)
        fail_msg("%s: accuracy %g after training", backend_label(backend), evaluation.accuracy);
    weights_free(weights);
    pictures_done(&images, &view);
    pictures_done(&others, &unseen);
}

/* A last batch of one image has no variance of its own: nothing may become infinite. */
static void a_batch_of_one_is_harmless(void **state)
{
    const struct backend *backend = *state;
    struct training training = training_paper;
    struct images images;
    struct view view;
    struct error error;
    struct evaluation evaluation;
    pictures_draw(small, CLASSES, 65, 100, 10, &images, &view);
    training.epochs = 3;
    struct weights *weights = fresh_weights("C(4,3,1) A(10,10) FC(8) SM(4)", small, 11);
    assert_int_equal(train(backend, weights, &view, &view, &training, NULL, &error), TRAINING_DONE);
    assert_int_equal(network_evaluate(backend, weights, &view, 64, &evaluation, &error), 0);
    assert_true(isfinite(evaluation.loss) && evaluation.loss < 5);
    weights_free(weights);
    pictures_done(&images, &view);
}

static void improves_on_fashion_mnist(void **state)
{
    const struct backend *backend = *state;
    struct training training = training_paper;
    static struct images images; /* unpacked once, for all backends */
    struct data_spec spec;
    struct view view, validate;
    struct error error;
    struct evaluation before, after;
    assert_int_equal(data_spec_parse("fashion-mnist", &spec, &error), 0);
    if (!images.count && images_open(&spec, DATA_TRAIN, &images, &error)) {
        print_message("skipped: Fashion-MNIST isn't here (%s)\n", error.text);
        skip();
    }
    assert_int_equal(data_split(&images, 500, 2000, 1, &view, &validate, &error), 0);
    struct arch arch;
    space_start(space_find("small"), images.shape, images.classes, &arch);
    struct weights *weights = weights_new(&arch, images.shape);
    struct random_stream stream = random_stream_new(1, RANDOM_INITIALISE, 1, 0);
    weights_initialise(weights, &stream);
    training.epochs = 1;
    training.rate = 0.1f;
    assert_int_equal(network_evaluate(backend, weights, &validate, 64, &before, &error), 0);
    assert_int_equal(train(backend, weights, &view, NULL, &training, NULL, &error), TRAINING_DONE);
    assert_int_equal(network_evaluate(backend, weights, &validate, 64, &after, &error), 0);
    if (!(after.loss < 0.8 * before.loss && after.accuracy > 0.3))
        fail_msg("%s: loss %g before and %g after, accuracy %g", backend_label(backend), before.loss, after.loss,
                 after.accuracy);
    weights_free(weights);
    view_done(&view);
    view_done(&validate);
}

static const struct {
    const char *name;
    CMUnitTestFunction run;
} checks[] = {
    {"divergence is seen", divergence_is_seen},
    {"same seed, same bits", same_seed_same_bits},
    {"goes on as if never stopped", goes_on_as_if_never_stopped},
    {"learns to tell squares apart", learns_to_tell_squares_apart},
    {"a batch of one is harmless", a_batch_of_one_is_harmless},
    {"improves on Fashion-MNIST", improves_on_fashion_mnist},
};

int main(void)
{
    const struct CMUnitTest protocol[] = {
        cmocka_unit_test(every_epoch_shows_every_image),
        cmocka_unit_test(augmentation_crops_and_flips),
        cmocka_unit_test(what_has_no_mirror_image_is_not_flipped),
        cmocka_unit_test(schedule_is_a_cosine),
        cmocka_unit_test(dropout_has_a_key_a_step),
        cmocka_unit_test(hooks_are_called),
        cmocka_unit_test(stops_within_a_batch),
        cmocka_unit_test(no_memory_is_an_outcome),
        cmocka_unit_test(initialisation_keeps_variance),
    };
    enum { MOST = (int)COUNT_OF(protocol) + BACKENDS_MAX * (int)COUNT_OF(checks) };
    static struct CMUnitTest tests[MOST];
    static char names[MOST][64];
    const struct backend *backends[BACKENDS_MAX];
    int backend_count = backends_here(backends), count = (int)COUNT_OF(protocol);
    memcpy(tests, protocol, sizeof protocol);
    for (int b = 0; b < backend_count; b++)
        for (size_t c = 0; c < COUNT_OF(checks); c++, count++) {
            snprintf(names[count], sizeof names[count], "%s: %s", backend_label(backends[b]), checks[c].name);
            tests[count] = (struct CMUnitTest){names[count], checks[c].run, NULL, NULL, (void *)backends[b]};
        }
    return _cmocka_run_group_tests("the training protocol", tests, (size_t)count, NULL, NULL);
}
