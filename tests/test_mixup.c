/*
 * test_mixup.c - mixed images beside arithmetic by hand, and the targets that a training makes of labels and teachers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "backend/ref/ref.h"
#include "data/mixup.h"
#include "fresh_weights.h"
#include "nn/targets.h"
#include "pictures.h"

enum { CLASSES = 4, IMAGES = 24, BATCH = 8 };
static const struct shape small = {2, 6, 6};

static void draw(struct images *images, struct view *view)
{
    pictures_draw(small, CLASSES, IMAGES, 100, 3, images, view);
    for (int c = 0; c < small.channels; c++)
        view->pixels.mean[c] = 70.4;
}

/* Pixel (x, y) of a cropped and perhaps flipped image; 70, the mean, outside. */
static int cropped(const struct images *images, int image, struct augment place, int c, int y, int x)
{
    int from_y = y + place.dy, from_x = (place.flip ? small.width - 1 - x : x) + place.dx;
    bool inside = from_y >= 0 && from_y < small.height && from_x >= 0 && from_x < small.width;
    return inside ? images->pixels[((image * small.channels + c) * small.height + from_y) * small.width + from_x] : 70;
}

static void check_pixels(const struct mixup *mixup, const struct images *images, const int32_t *index,
                         const struct augment *augment, int count)
{
    const uint8_t *pixel = mixup->images.pixels;
    for (int n = 0; n < count; n++)
        for (int c = 0; c < small.channels; c++)
            for (int y = 0; y < small.height; y++)
                for (int x = 0; x < small.width; x++, pixel++) {
                    int next = (n + 1) % count;
                    double own = cropped(images, index[n], augment[n], c, y, x),
                           other = cropped(images, index[next], augment[next], c, y, x);
                    double mixed = mixup->share[n] * own + (1 - mixup->share[n]) * other;
                    assert_true(fabs(*pixel - mixed) <= 0.5);
                }
}

static void images_are_mixed_with_the_next(void **state)
{
    const int32_t index[BATCH] = {5, 0, 23, 7, 7, 11, 2, 9};
    const struct augment augment[BATCH] = {{0, 0, false}, {4, -4, true}, {-4, 2, false}, {0, 0, true},
                                           {1, 1, true},  {3, 0, false}, {0, -3, true},  {-1, 4, false}};
    struct images images;
    struct view view;
    struct mixup mixup;
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 0, 0);
    draw(&images, &view);
    mixup_init(&mixup, &view, BATCH);
    const int counts[] = {BATCH, 3, 1};
    for (int k = 0; k < 3; k++) {
        struct batch batch = {.view = &view, .index = index, .augment = augment, .count = counts[k]};
        mixup_apply(&mixup, &batch, &stream);
        assert_ptr_equal(batch.view, &mixup.view);
        assert_null(batch.augment);
        assert_int_equal(batch.count, counts[k]);
        assert_true(batch.view->scale[1] == view.scale[1] && batch.view->shift[1] == view.shift[1]);
        check_pixels(&mixup, &images, index, augment, counts[k]);
        for (int n = 0; n < counts[k]; n++) {
            assert_int_equal(batch.index[n], n);
            assert_int_equal(mixup.images.labels[n], images.labels[index[n]]);
            assert_true(mixup.share[n] >= 0.5f && mixup.share[n] <= 1);
        }
        assert_true(mixup.share[0] != mixup.share[1] || counts[k] == 1);
    }
    mixup_done(&mixup);
    pictures_done(&images, &view);
}

/* --- targets --- */

struct bed {
    struct images images;
    struct view view;
    struct training training;
    struct targets *targets;
};

static void open_bed(struct bed *bed, float mixup, const struct weights *teacher)
{
    struct error error;
    draw(&bed->images, &bed->view);
    bed->training = training_paper;
    bed->training.batch = BATCH;
    bed->training.mixup = mixup;
    bed->training.teacher = teacher;
    assert_int_equal(targets_open(&backend_ref, &bed->training, &bed->view, &bed->targets, &error), TRAINING_DONE);
}

static void close_bed(struct bed *bed)
{
    targets_free(bed->targets);
    pictures_done(&bed->images, &bed->view);
}

static struct batch batch_of(const struct bed *bed, int start)
{
    return (struct batch){.view = &bed->view, .index = bed->view.index + start, .count = BATCH};
}

static void labels_alone_need_no_targets(void **state)
{
    struct bed bed;
    open_bed(&bed, 0, NULL);
    assert_null(bed.targets);
    close_bed(&bed);
}

static void labels_are_mixed_as_the_images_are(void **state)
{
    struct bed bed;
    open_bed(&bed, 1, NULL);
    struct batch batch = batch_of(&bed, 0);
    targets_set(bed.targets, &batch, 7);
    assert_ptr_not_equal(batch.view, &bed.view);
    for (int n = 0; n < BATCH; n++) {
        const float *row = batch.targets + n * CLASSES;
        int own = bed.images.labels[n], next = bed.images.labels[(n + 1) % BATCH];
        float sum = 0;
        for (int k = 0; k < CLASSES; k++) {
            sum += row[k];
            assert_true(k == own || k == next || row[k] == 0);
        }
        assert_true(fabsf(sum - 1) < 1e-6f && row[own] >= 0.5f);
    }
    close_bed(&bed);
}

static void a_share_of_the_batches_is_mixed(void **state)
{
    enum { STEPS = 400 };
    struct bed bed;
    open_bed(&bed, 0.25f, NULL);
    int mixed = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        struct batch batch = batch_of(&bed, 0);
        targets_set(bed.targets, &batch, step);
        assert_true((batch.view == &bed.view) == !batch.targets);
        mixed += batch.targets != NULL;
    }
    assert_in_range(mixed, 60, 140); /* 100, by five standard deviations */
    close_bed(&bed);
}

/* The targets are what the teacher says of these very images, mixed or not. */
static void check_teacher(float mixup)
{
    struct bed bed;
    struct error error;
    struct weights *teacher = fresh_weights("C(4,3,1) P(2,2) FC(5) SM(4)", small, 2);
    open_bed(&bed, mixup, teacher);
    struct batch batch = batch_of(&bed, BATCH);
    targets_set(bed.targets, &batch, 0);
    struct plan *plan = memory_new(1, sizeof *plan);
    plan_lower(&teacher->arch, small, &(struct plan_options){0}, plan);
    struct network *network = network_open(&backend_ref, plan, BATCH, NETWORK_INFERENCE, teacher, NULL, &error);
    float logits[BATCH * CLASSES];
    network_infer(network, &batch, logits);
    for (int n = 0; n < BATCH; n++) {
        double sum = 0;
        for (int k = 0; k < CLASSES; k++)
            sum += exp((double)logits[n * CLASSES + k]);
        for (int k = 0; k < CLASSES; k++)
            assert_true(fabs(batch.targets[n * CLASSES + k] - exp((double)logits[n * CLASSES + k]) / sum) < 1e-6);
    }
    network_free(network);
    free(plan);
    close_bed(&bed);
    weights_free(teacher);
}

static void a_teacher_sees_what_its_student_sees(void **state)
{
    check_teacher(0);
    check_teacher(1);
}

/* --- training --- */

static double train_with(float mixup, const struct weights *teacher, struct weights *weights)
{
    struct bed bed;
    struct error error;
    open_bed(&bed, mixup, teacher);
    struct training training = bed.training;
    training.epochs = 40;
    training.rate = 0.1f;
    struct evaluation evaluation;
    assert_int_equal(train(&backend_ref, weights, &bed.view, NULL, &training, NULL, &error), TRAINING_DONE);
    network_evaluate(&backend_ref, weights, &bed.view, BATCH, &evaluation, &error);
    close_bed(&bed);
    return evaluation.accuracy;
}

static void networks_learn_from_mixed_images_and_from_a_teacher(void **state)
{
    struct weights *teacher = fresh_weights("C(4,3,1) P(2,2) SM(4)", small, 2),
                   *student = fresh_weights("C(3,3,1) P(2,2) SM(4)", small, 3),
                   *same = fresh_weights("C(4,3,1) P(2,2) SM(4)", small, 2);
    assert_true(train_with(0.5f, NULL, teacher) >= 0.9);
    train_with(0.5f, NULL, same);
    assert_memory_equal(same->values, teacher->values, (size_t)teacher->layout.total * sizeof(float));
    assert_true(train_with(0.5f, teacher, student) >= 0.8);
    weights_free(teacher);
    weights_free(student);
    weights_free(same);
}

static void a_device_refuses(void **state)
{
    static const struct backend_device device;
    struct backend backend = backend_ref;
    struct bed bed;
    struct error error;
    open_bed(&bed, 0, NULL);
    bed.training.mixup = 0.5f;
    backend.device = &device;
    assert_int_equal(targets_open(&backend, &bed.training, &bed.view, &bed.targets, &error), TRAINING_REFUSED);
    assert_null(bed.targets);
    assert_non_null(strstr(error.text, "--mixup 0"));
    close_bed(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_mixed_with_the_next),
        cmocka_unit_test(labels_alone_need_no_targets),
        cmocka_unit_test(labels_are_mixed_as_the_images_are),
        cmocka_unit_test(a_share_of_the_batches_is_mixed),
        cmocka_unit_test(a_teacher_sees_what_its_student_sees),
        cmocka_unit_test(networks_learn_from_mixed_images_and_from_a_teacher),
        cmocka_unit_test(a_device_refuses),
    };
    return cmocka_run_group_tests_name("mixup", tests, NULL, NULL);
}
