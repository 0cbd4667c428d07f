/*
 * test_data_real.c - the real Fashion-MNIST where Debian's package is installed, and the real CIFAR-10 in
 * $ESPALIER_TEST_CIFAR10: sizes, counts of labels, and the normalisation that is well known of them.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/images.h"
#include "util/file.h"

static void test_fashion_mnist(void **state)
{
    struct data_spec spec;
    struct images images;
    struct error error;
    assert_int_equal(data_spec_parse("fashion-mnist", &spec, &error), 0);
    if (!file_exists(spec.folder)) {
        print_message("skipped: %s is not there; apt-get install dataset-fashion-mnist\n", spec.folder);
        skip();
    }
    for (enum data_part part = DATA_TRAIN; part <= DATA_TEST; part++) {
        int each = part == DATA_TRAIN ? 6000 : 1000; /* published: the classes are balanced */
        if (images_open(&spec, part, &images, &error))
            fail_msg("%s", error.text);
        assert_int_equal(images.count, 10 * each);
        assert_int_equal(images.classes, 10);
        assert_int_equal(images.shape.channels, 1);
        assert_int_equal(images.shape.height, 28);
        assert_int_equal(images.shape.width, 28);
        int histogram[10] = {0};
        for (int i = 0; i < images.count; i++)
            histogram[images.labels[i]]++;
        for (int i = 0; i < 10; i++)
            assert_int_equal(histogram[i], each);
        if (part == DATA_TRAIN) {                  /* the well-known mean 0.2860 and std 0.3530 of pixels in 0…1 */
            assert_int_equal(images.labels[0], 9); /* an ankle boot */
            struct view view;
            view_all(&images, NULL, &view);
            double std = 1 / (255.0 * (double)view.scale[0]), mean = -(double)view.shift[0] * std;
            assert_true(fabs(mean - 0.2860) < 5e-5);
            assert_true(fabs(std - 0.3530) < 5e-5);
            view_done(&view);
        }
        images_done(&images);
    }
}

static void test_real_cifar10(void **state)
{
    const char *real = getenv("ESPALIER_TEST_CIFAR10");
    if (!real) {
        print_message("skipped: ESPALIER_TEST_CIFAR10 names no folder with CIFAR-10's binary version\n");
        skip();
    }
    char text[1100];
    struct data_spec spec;
    struct images images;
    struct error error;
    snprintf(text, sizeof text, "cifar10:%s", real);
    assert_int_equal(data_spec_parse(text, &spec, &error), 0);
    if (images_open(&spec, DATA_TRAIN, &images, &error))
        fail_msg("%s", error.text);
    assert_int_equal(images.count, 50000);
    int histogram[10] = {0};
    for (int i = 0; i < images.count; i++)
        histogram[images.labels[i]]++;
    for (int i = 0; i < 10; i++)
        assert_int_equal(histogram[i], 5000);
    struct view view;
    view_all(&images, NULL, &view);
    static const double means[] = {0.4914, 0.4822, 0.4465}, stds[] = {0.2470, 0.2435, 0.2616}; /* well known */
    for (int channel = 0; channel < 3; channel++) {
        double std = 1 / (255.0 * (double)view.scale[channel]), mean = -(double)view.shift[channel] * std;
        assert_true(fabs(mean - means[channel]) < 1e-4);
        assert_true(fabs(std - stds[channel]) < 1e-4);
    }
    view_done(&view);
    images_done(&images);
    if (images_open(&spec, DATA_TEST, &images, &error))
        fail_msg("%s", error.text);
    assert_true(images.count > 0); /* 10,000 as published, fewer in a cut-down copy */
    images_done(&images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fashion_mnist),
        cmocka_unit_test(test_real_cifar10),
    };
    return cmocka_run_group_tests_name("data_real", tests, NULL, NULL);
}
