/*
 * test_svhn.c - SVHN's files: one that a script wrote from the format's page, and those that libmatio writes here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <matio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/formats.h"
#include "test_folder.h"
#include "util/bug.h"
#include "util/file.h"

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE, MOST = 5 };

/* What the script has too. */
static uint8_t pixel(int image, int channel, int y, int x)
{
    return (uint8_t)(100 * image + 50 * channel + 3 * y + x);
}

static void copy_fixture(const char *name)
{
    const char *source = getenv("top_srcdir");
    char *from = file_join(source ? source : ".", "tests/reference/digits.mat"), *to = file_join(folder, name);
    void *bytes;
    size_t length;
    struct error error;
    if (file_read(from, 1 << 20, &bytes, &length, &error) || file_write(to, bytes, length, &error))
        fail_msg("%s", error.text);
    free(bytes);
    free(from);
    free(to);
}

/* One variable of a file of MATLAB's. */
static void put_variable(mat_t *file, const char *name, enum matio_classes class, enum matio_types type, int rank,
                         size_t *sizes, void *data)
{
    matvar_t *variable = Mat_VarCreate(name, class, type, rank, sizes, data, MAT_F_DONT_COPY_DATA);
    assert_non_null(variable);
    assert_int_equal(Mat_VarWrite(file, variable, MAT_COMPRESSION_ZLIB), 0);
    Mat_VarFree(variable);
}

static mat_t *begin_file(const char *name)
{
    char *path = file_join(folder, name);
    mat_t *file = Mat_CreateVer(path, NULL, MAT_FT_MAT5);
    assert_non_null(file);
    free(path);
    return file;
}

/* X of `count` images of `side`, and y of `labels` doubles (NULL: no y). */
static void put_file(const char *name, int side, int count, const double *labels, int label_count)
{
    static uint8_t pixels[MOST * PIXELS];
    double copy[MOST];
    for (int i = 0; i < count; i++)
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++)
                    pixels[y + side * (x + side * (c + 3 * i))] = pixel(i, c, y, x);
    mat_t *file = begin_file(name);
    size_t sizes[] = {(size_t)side, (size_t)side, 3, (size_t)count}, label_sizes[] = {(size_t)label_count, 1};
    put_variable(file, "X", MAT_C_UINT8, MAT_T_UINT8, 4, sizes, pixels);
    if (labels) {
        memcpy(copy, labels, (size_t)label_count * sizeof *copy);
        put_variable(file, "y", MAT_C_DOUBLE, MAT_T_DOUBLE, 2, label_sizes, copy);
    }
    Mat_Close(file);
}

static int open_set(const char *name, enum data_part part, struct images *images, struct error *error)
{
    char text[256];
    struct data_spec spec;
    snprintf(text, sizeof text, "%s:%s", name, folder);
    assert_int_equal(data_spec_parse(text, &spec, error), 0);
    return images_open(&spec, part, images, error);
}

static void assert_refused(enum data_part part, const char *expected)
{
    struct images images;
    struct error error = {""};
    assert_int_equal(open_set("svhn", part, &images, &error), -1);
    if (!strstr(error.text, expected))
        fail_msg("expected `%s` in: %s", expected, error.text);
    assert_null(images.pixels);
}

static void assert_images(const struct images *images, int first, int count)
{
    for (int i = 0; i < count; i++)
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < SIDE; y++)
                for (int x = 0; x < SIDE; x++)
                    assert_int_equal(images->pixels[(((first + i) * 3 + c) * SIDE + y) * SIDE + x], pixel(i, c, y, x));
}

static void test_a_file_of_another_writer(void **state)
{
    struct images images;
    struct error error;
    copy_fixture("test_32x32.mat");
    if (open_set("svhn", DATA_TEST, &images, &error))
        fail_msg("%s", error.text);
    assert_int_equal(images.count, 3);
    assert_int_equal(images.classes, 10);
    assert_int_equal(images.shape.channels, 3);
    assert_int_equal(images.shape.height, SIDE);
    const uint16_t labels[] = {1, 0, 7};
    assert_memory_equal(images.labels, labels, sizeof labels);
    assert_images(&images, 0, 3);
    assert_null(images_class_name(&images, 0));
    images_done(&images);
}

static void test_extra_images(void **state)
{
    static const double train[] = {10, 9}, extra[] = {3, 4, 5};
    struct images images, again;
    struct error error = {""};
    put_file("train_32x32.mat", SIDE, 2, train, 2);
    put_file("extra_32x32.mat", SIDE, 3, extra, 3);
    assert_int_equal(open_set("svhn", DATA_TRAIN, &images, &error), 0);
    assert_int_equal(images.count, 2);
    assert_false(images.mirrors); /* digits */
    images_done(&images);
    assert_int_equal(open_set("svhn-extra", DATA_TRAIN, &images, &error), 0);
    assert_int_equal(images.count, 5);
    const uint16_t labels[] = {0, 9, 3, 4, 5};
    assert_memory_equal(images.labels, labels, sizeof labels);
    assert_images(&images, 0, 2);
    assert_images(&images, 2, 3);
    assert_int_equal(open_set("svhn-extra", DATA_TRAIN, &again, &error), 0);
    assert_true(hash_equal(images.hash, again.hash));
    images_done(&again);

    /* Divided by 255, and nothing else. */
    struct view view;
    view_all(&images, NULL, &view);
    for (int c = 0; c < 3; c++)
        assert_true(view.scale[c] == 1 / 255.0f && view.shift[c] == 0);
    view_done(&view);
    images_done(&images);
}

static void test_refused(void **state)
{
    static const double good[] = {1, 2, 3, 4, 5}, bad[] = {1, 11}, half[] = {1, 2.5}, none[] = {0, 1};
    put_file("train_32x32.mat", SIDE, 2, bad, 2);
    assert_refused(DATA_TRAIN, "train_32x32.mat: label 2 of y is not a whole number from 1 to 10");
    put_file("train_32x32.mat", SIDE, 2, half, 2);
    assert_refused(DATA_TRAIN, "label 2 of y");
    put_file("train_32x32.mat", SIDE, 2, none, 2);
    assert_refused(DATA_TRAIN, "label 1 of y");
    put_file("train_32x32.mat", SIDE, 2, good, 5);
    assert_refused(DATA_TRAIN, "X has 2 images, and y 5 labels");
    put_file("train_32x32.mat", SIDE, 2, NULL, 0);
    assert_refused(DATA_TRAIN, "has no variable y");
    put_file("train_32x32.mat", 28, 2, good, 2);
    assert_refused(DATA_TRAIN, "X is not uint8 of 32 × 32 × 3");

    mat_t *file = begin_file("train_32x32.mat");
    size_t sizes[] = {2, 1};
    double labels[] = {1, 2};
    put_variable(file, "y", MAT_C_DOUBLE, MAT_T_DOUBLE, 2, sizes, labels);
    Mat_Close(file);
    assert_refused(DATA_TRAIN, "has no variable X");

    char *path = file_join(folder, "train_32x32.mat");
    struct error error;
    assert_int_equal(file_write(path, "not a matrix", 12, &error), 0);
    assert_refused(DATA_TRAIN, "train_32x32.mat: is no MATLAB file of level 5");
    unlink(path);
    assert_refused(DATA_TRAIN, ": train_32x32.mat is missing; copy train_32x32.mat");

    /* What the next version of the format, which is HDF5, begins with. */
    char head[512] = "MATLAB 7.3 MAT-file";
    memcpy(head + 124, "\0\2IM", 4);
    assert_int_equal(file_write(path, head, sizeof head, &error), 0);
    assert_refused(DATA_TRAIN, "train_32x32.mat: is no MATLAB file of level 5");

    /* A million images, by what the head of X claims. */
    static const uint32_t claim[] = {14, 3072000048, 6, 8,       9,           0,   5, 16,
                                     32, 32,         3, 1000000, 1 | 1 << 16, 'X', 2, 3072000000u};
    memcpy(head + 124, "\0\1IM", 4);
    memcpy(head + 128, claim, sizeof claim);
    assert_int_equal(file_write(path, head, sizeof head, &error), 0);
    assert_refused(DATA_TRAIN, "train_32x32.mat: X has 3072000000 values, more than the file can hold");

    /* Cut short in the pixels. */
    void *bytes;
    size_t length;
    copy_fixture("train_32x32.mat");
    assert_int_equal(file_read(path, 1 << 20, &bytes, &length, &error), 0);
    assert_int_equal(file_write(path, bytes, length / 2, &error), 0);
    assert_refused(DATA_TRAIN, "train_32x32.mat: ");
    free(bytes);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_of_another_writer),
        cmocka_unit_test(test_extra_images),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("svhn", tests, make_folder, remove_folder);
}
