/*
 * test_score.c - a score is the same whoever helps; the mean over classes; and the confidence interval of an error: its ends are the shares
 * from which what was seen is just 1.96 standard errors away, which is how Wilson defines it; the formula is not
 * repeated here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "cli/score.h"
#include "fresh_weights.h"
#include "pictures.h"
#include "util/team.h"

/* 600 images are two whole batches and a part of one. */
static void test_team(void **state)
{
    const struct shape shape = {1, 12, 12};
    enum { COUNT = 600, CLASSES = 5, HELPERS = 3 };
    struct images images;
    struct view view;
    struct score alone, together;
    struct error error;
    pictures_draw(shape, CLASSES, COUNT, 100, 1, &images, &view);
    struct weights *weights = fresh_weights("C(8,3,1) P(2,2) C(16,3,1) A(6,6) SM(5)", shape, 1);
    struct helpers *helpers = helpers_new((const int[HELPERS]){-1, -1, -1}, HELPERS, 1);
    assert_non_null(helpers);
    assert_int_equal(score_network(backend_cpu(), NULL, weights, &view, &alone, &error), 0);
    assert_int_equal(score_network(backend_cpu(), helpers_team(helpers, 0), weights, &view, &together, &error), 0);
    assert_int_equal(alone.count, COUNT);
    assert_int_equal(alone.correct, together.correct);
    assert_true(alone.loss > 0 && alone.loss == together.loss);
    assert_memory_equal(alone.confusion, together.confusion, CLASSES * CLASSES * sizeof *alone.confusion);
    int counted = 0;
    for (int i = 0; i < CLASSES * CLASSES; i++)
        counted += alone.confusion[i];
    assert_int_equal(counted, COUNT);
    helpers_free(helpers);
    score_done(&alone);
    score_done(&together);
    weights_free(weights);
    pictures_done(&images, &view);
}

/* How many standard errors the share that was seen is from `share`. */
static double errors_away(int hits, int count, double share)
{
    return fabs((double)hits / count - share) / sqrt(share * (1 - share) / count);
}

static void test_ends(void **state)
{
    static const int counts[] = {1, 2, 10, 97, 1000, 10000, 60000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int hits = 0; hits <= counts[i]; hits += 1 + counts[i] / 7) {
            struct interval interval = score_interval(hits, counts[i]);
            double share = (double)hits / counts[i];
            assert_true(interval.low >= 0 && interval.low <= share && share <= interval.high && interval.high <= 1);
            if (hits)
                assert_true(fabs(errors_away(hits, counts[i], interval.low) - 1.95996) < 1e-4);
            if (hits < counts[i])
                assert_true(fabs(errors_away(hits, counts[i], interval.high) - 1.95996) < 1e-4);
        }
}

static void test_limits(void **state)
{
    struct interval none = score_interval(0, 0), never = score_interval(0, 50), always = score_interval(50, 50);
    assert_true(none.low == 0 && none.high == 1);
    assert_true(never.low == 0 && never.high > 0.05 && never.high < 0.1);
    assert_true(always.high == 1 && fabs(always.low - (1 - never.high)) < 1e-12);
}

/* 90 of 100, none of 2, and a class without images. */
static void test_balanced_accuracy(void **state)
{
    int confusion[] = {90, 10, 0, 2, 0, 0, 0, 0, 0}, uneven[] = {100, 2, 0}, even[] = {51, 51, 0};
    struct score score = {.count = 102, .correct = 90, .classes = 3, .confusion = confusion, .class_images = uneven};
    struct text text = TEXT_EMPTY;
    score_print(&score, &text);
    assert_non_null(strstr(text.bytes, "accuracy 88.24 %, balanced accuracy 45.00 %, loss 0.0000 on 102 images"));
    score.class_images = even;
    text_clear(&text);
    score_print(&score, &text);
    assert_non_null(strstr(text.bytes, "accuracy 88.24 %, loss 0.0000 on 102 images"));
    text_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_balanced_accuracy),
    };
    return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
