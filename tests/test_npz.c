/*
 * test_npz.c - arrays of NumPy: what is read of them, every type and order, and what is said of all others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "data/formats.h"
#include "npz_file.h"
#include "test_folder.h"
#include "util/bug.h"

#define TYPE(name, shape) "{'descr': '" name "', 'fortran_order': False, 'shape': " shape ", }"

/* Two images of 5 rows, 2 columns and 3 channels: pixel = its place. */
enum { IMAGES = 2, HEIGHT = 5, WIDTH = 2, CHANNELS = 3, PIXELS = HEIGHT * WIDTH * CHANNELS };
static uint8_t places[IMAGES * PIXELS];
static const uint8_t labels[IMAGES] = {0, 1};

static int make_places(void **state)
{
    for (size_t i = 0; i < sizeof places; i++)
        places[i] = (uint8_t)i;
    return make_folder(state);
}

/* A set whose training images have this header; a name that is NULL is left out. */
static void write_set(struct npz_file *file, const char *x_header, const void *x, size_t x_length, const char *y_header,
                      const void *y, size_t y_length)
{
    npz_array(file, "x_train", x_header, x, x_length);
    npz_array(file, "y_train", y_header, y, y_length);
    npz_array(file, "x_test", TYPE("|u1", "(1, 5, 2, 3)"), places, PIXELS);
    npz_array(file, "y_test", TYPE("|u1", "(1,)"), labels, 1);
    npz_end(file);
}

static int parse(struct npz_file *file, enum data_part part, struct images *images, struct error *error)
{
    *images = (struct images){.count = 0};
    return npz_parse(file->bytes.bytes, file->bytes.length, part, images, error);
}

static void test_reads(void **state)
{
    for (int deflated = 0; deflated < 2; deflated++) {
        struct npz_file file = {.deflated = deflated};
        struct images images;
        struct error error = {""};
        write_set(&file, TYPE("|u1", "(2, 5, 2, 3)"), places, sizeof places, TYPE("|u1", "(2,)"), labels, 2);
        if (parse(&file, DATA_TRAIN, &images, &error))
            fail_msg("%s", error.text);
        assert_int_equal(images.count, 2);
        assert_int_equal(images.classes, 2);
        assert_int_equal(images.validation, 0);
        assert_memory_equal(&images.shape, (&(struct shape){3, 5, 2}), sizeof images.shape);
        for (int i = 0; i < IMAGES; i++)
            for (int c = 0; c < CHANNELS; c++)
                for (int y = 0; y < HEIGHT; y++)
                    for (int x = 0; x < WIDTH; x++)
                        assert_int_equal(images.pixels[((i * CHANNELS + c) * HEIGHT + y) * WIDTH + x],
                                         ((i * HEIGHT + y) * WIDTH + x) * CHANNELS + c);
        assert_int_equal(images.labels[0], 0);
        assert_int_equal(images.labels[1], 1);
        images_done(&images);
        assert_int_equal(parse(&file, DATA_TEST, &images, &error), 0);
        assert_int_equal(images.count, 1);
        assert_int_equal(images.classes, 2); /* of the training labels */
        images_done(&images);
        text_done(&file.bytes);
    }
}

/* What NumPy, and its older versions, may write of the same array. */
static void test_headers(void **state)
{
    static const char *const headers[] = {
        "{'shape': (2, 5, 2, 3), 'fortran_order': False, 'descr': '|u1'}",
        "{\"descr\": \"u1\", \"fortran_order\": False, \"shape\": (2, 5, 2, 3)}",
        "{'descr': '<u1', 'fortran_order': False, 'shape': (2L, 5L, 2L, 3L), }        ",
        " { 'descr' : '>u1' , 'fortran_order' : False , 'shape' : ( 2 , 5,2,3 , ) , } ",
    };
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        struct npz_file file = {.deflated = true};
        struct images images;
        struct error error = {""};
        write_set(&file, headers[i], places, sizeof places, TYPE("|u1", "(2,)"), labels, 2);
        if (parse(&file, DATA_TRAIN, &images, &error))
            fail_msg("%s: %s", headers[i], error.text);
        assert_int_equal(images.pixels[1], 3);
        images_done(&images);
        text_done(&file.bytes);
    }
}

/* In Fortran's order the first dimension is the fastest. */
static void test_fortran(void **state)
{
    uint8_t turned[sizeof places];
    for (int i = 0; i < IMAGES; i++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                for (int c = 0; c < CHANNELS; c++)
                    turned[i + IMAGES * (y + HEIGHT * (x + WIDTH * c))] =
                        places[((i * HEIGHT + y) * WIDTH + x) * CHANNELS + c];
    struct npz_file file = {.deflated = false}, plain = {.deflated = false};
    struct images images, expected;
    struct error error = {""};
    write_set(&file, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 5, 2, 3), }", turned, sizeof turned,
              TYPE("|u1", "(2,)"), labels, 2);
    write_set(&plain, TYPE("|u1", "(2, 5, 2, 3)"), places, sizeof places, TYPE("|u1", "(2,)"), labels, 2);
    assert_int_equal(parse(&file, DATA_TRAIN, &images, &error), 0);
    assert_int_equal(parse(&plain, DATA_TRAIN, &expected, &error), 0);
    assert_memory_equal(images.pixels, expected.pixels, sizeof places);
    images_done(&images);
    images_done(&expected);
    text_done(&file.bytes);
    text_done(&plain.bytes);
}

static void test_label_types(void **state)
{
    static const struct {
        const char *header, *values;
        size_t length;
    } cases[] = {
        {TYPE("|i1", "(2,)"), "\2\1", 2},
        {TYPE("<u2", "(2,)"), "\2\0\1\0", 4},
        {TYPE(">i2", "(2,)"), "\0\2\0\1", 4},
        {TYPE("<i4", "(2, 1)"), "\2\0\0\0\1\0\0\0", 8},
        {TYPE(">u4", "(2,)"), "\0\0\0\2\0\0\0\1", 8},
        {TYPE("<i8", "(2,)"), "\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 16},
        {TYPE(">u8", "(2, 1)"), "\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1", 16},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct npz_file file = {.deflated = true};
        struct images images;
        struct error error = {""};
        write_set(&file, TYPE("|u1", "(2, 5, 2, 3)"), places, sizeof places, cases[i].header, cases[i].values,
                  cases[i].length);
        if (parse(&file, DATA_TRAIN, &images, &error))
            fail_msg("%s: %s", cases[i].header, error.text);
        assert_int_equal(images.classes, 3);
        assert_int_equal(images.labels[0], 2);
        assert_int_equal(images.labels[1], 1);
        images_done(&images);
        text_done(&file.bytes);
    }
}

/* MedMNIST's names, and validation images: they come last, and always validate. */
static void test_validation(void **state)
{
    struct npz_file file = {.deflated = true};
    struct images images;
    struct view train, validate;
    struct error error = {""};
    npz_array(&file, "train_images", TYPE("|u1", "(2, 3, 10)"), places, sizeof places);
    npz_array(&file, "train_labels", TYPE("|u1", "(2, 1)"), labels, 2);
    npz_array(&file, "val_images", TYPE("|u1", "(1, 3, 10)"), places + PIXELS, PIXELS);
    npz_array(&file, "val_labels", TYPE("|u1", "(1, 1)"), labels + 1, 1);
    npz_end(&file);
    assert_int_equal(parse(&file, DATA_TRAIN, &images, &error), 0);
    assert_int_equal(images.count, 3);
    assert_int_equal(images.validation, 1);
    assert_int_equal(images.shape.channels, 1);
    assert_int_equal(images.pixels[2 * PIXELS], PIXELS);
    assert_int_equal(images.labels[2], 1);
    assert_int_equal(data_split(&images, 1, 0, 5, &train, &validate, &error), 0);
    assert_int_equal(validate.count, 1);
    assert_int_equal(validate.index[0], 2);
    assert_int_equal(train.count, 2);
    view_done(&train);
    view_done(&validate);
    images_done(&images);
    assert_int_equal(parse(&file, DATA_TEST, &images, &error), -1);
    assert_non_null(
        strstr(error.text, "has no array x_test (it has train_images.npy, train_labels.npy, val_images.npy"));
    images_done(&images);
    text_done(&file.bytes);
}

/* Names as bytes and as characters, in both orders of bytes; a name may be of a class that has no image. */
static void test_class_names(void **state)
{
    static const char bytes[] = "cat\0\0k\303\244se",
                      characters[] = "c\0\0\0\344\0\0\0\0\0\0\0d\0\0\0\0\0\0\0\0\0\0\0"
                                     "e\0\0\0f\0\0\0\0\0\0\0",
                      turned[] = "\0\0\0c\0\1\366\0\0\0\0d\0\0\0\0";
    static const struct {
        const char *header, *values, *first, *second, *message;
        size_t length;
        int classes;
    } cases[] = {
        {TYPE("|S5", "(2,)"), bytes, "cat", "k\303\244se", NULL, 10, 2},
        {TYPE("<U3", "(3,)"), characters, "c\303\244", "d", NULL, 36, 3},
        {TYPE(">U2", "(2,)"), turned, "c\360\237\230\200", "d", NULL, 16, 2},
        {TYPE("|S5", "(1,)"), bytes, NULL, NULL, "classes: has 1 names, but the labels are 0…1; name every class", 5,
         0},
        {TYPE("|S2", "(3,)"), "aabbaa", NULL, NULL, "classes: two classes are called aa", 6, 0},
        {TYPE("|S1", "(2,)"), "a", NULL, NULL, "classes: name 1 is empty", 2, 0},
        {TYPE("|S2", "(2,)"), "a\033bc", NULL, NULL, "classes: name 0 is empty, isn't UTF-8 or has invisible", 4, 0},
        {TYPE("|S2", "(2,)"), "ab\303(", NULL, NULL, "classes: name 1 is empty, isn't UTF-8", 4, 0},
        {TYPE("<U1", "(2,)"), "a\0\0\0\0\330\0\0", NULL, NULL, "classes: name 1", 8, 0},
        {TYPE("<U1", "(2,)"), "a\0\0\0\377\377\377\377", NULL, NULL, "classes: name 1", 8, 0},
        {TYPE("|S5", "(2,)"), bytes, NULL, NULL, "classes: has 9 bytes of values, where its shape says 10", 9, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct npz_file file = {.deflated = i % 2};
        struct images images;
        struct error error = {""};
        npz_array(&file, i % 2 ? "class_names" : "classes", cases[i].header, cases[i].values, cases[i].length);
        write_set(&file, TYPE("|u1", "(2, 5, 2, 3)"), places, sizeof places, TYPE("|u1", "(2,)"), labels, 2);
        int failed = parse(&file, DATA_TRAIN, &images, &error);
        if (cases[i].message && !strstr(error.text, cases[i].message + (i % 2 ? strlen("classes") : 0)))
            fail_msg("%zu: expected `%s` in: %s", i, cases[i].message, error.text);
        if (failed != (cases[i].message ? -1 : 0))
            fail_msg("%zu: %d: %s", i, failed, error.text);
        if (!failed) {
            assert_int_equal(images.classes, cases[i].classes);
            assert_string_equal(images_class_name(&images, 0), cases[i].first);
            assert_string_equal(images_class_name(&images, 1), cases[i].second);
        }
        images_done(&images);
        text_done(&file.bytes);
    }
}

/* What isn't a row of texts is no names, whatever it is called: numpy.savez(..., classes=10). */
static void test_other_arrays_called_classes(void **state)
{
    static const struct {
        const char *header, *values;
        size_t length;
    } cases[] = {
        {TYPE("<i8", "()"), "\12\0\0\0\0\0\0\0", 8},
        {TYPE("|u1", "(2,)"), "ab", 2},
        {TYPE("|S1", "(2, 1)"), "ab", 2},
        {TYPE("<U1", "()"), "a\0\0\0", 4},
        {TYPE("|O", "(2,)"), "pickle", 6},
        {TYPE("<f8", "(0,)"), "", 0},
        {"{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }", "abcd", 4},
    };
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        struct npz_file file = {.deflated = false};
        struct images images;
        struct error error = {""};
        bool named = i % 2; /* then the other spelling has names */
        npz_array(&file, "classes", cases[i / 2].header, cases[i / 2].values, cases[i / 2].length);
        if (named)
            npz_array(&file, "class_names", TYPE("|S1", "(2,)"), "cd", 2);
        write_set(&file, TYPE("|u1", "(2, 5, 2, 3)"), places, sizeof places, TYPE("|u1", "(2,)"), labels, 2);
        if (parse(&file, DATA_TRAIN, &images, &error))
            fail_msg("%zu: %s", i, error.text);
        assert_int_equal(images.classes, 2);
        assert_int_equal(images.class_names != NULL, named);
        images_done(&images);
        text_done(&file.bytes);
    }
}

static void test_refused(void **state)
{
    static const char *const good = TYPE("|u1", "(2, 5, 2, 3)"), *const good_y = TYPE("|u1", "(2,)");
    static const struct {
        const char *x, *y, *message;
    } cases[] = {
        {TYPE("<f4", "(2, 5, 2, 3)"), NULL, "has 60 bytes of values, where its shape says 240"},
        {TYPE("<f2", "(2, 3, 5)"), NULL,
         "x_train: is float16; pixels are whole numbers from 0 to 255 (uint8): of values from 0 to 1 save (x_train * "
         "255).round().astype('uint8')"},
        {TYPE("<i2", "(2, 3, 5)"), NULL,
         "x_train: is int16; pixels are whole numbers from 0 to 255: save x_train.astype('uint8')"},
        {TYPE("|b1", "(2, 5, 2, 3)"), NULL, "x_train: is bool;"},
        {TYPE("<U15", "(1,)"), NULL, "x_train: is text;"},
        {TYPE("|O", "(2, 5, 2, 3)"), NULL, "x_train: holds Python objects (a pickle), which can run code"},
        {TYPE("<M8[ns]", "(2, 5, 2, 3)"), NULL, "x_train: has values of the type <M8[ns], which isn't known"},
        {TYPE("|u+1", "(2, 5, 2, 3)"), NULL, "isn't known"},
        {TYPE("|u1", "(2, 30)"), NULL, "x_train: has the shape (2, 30); images are (images, height, width)"},
        {TYPE("|u1", "()"), NULL, "x_train: has 60 bytes of values, where its shape says 1"},
        {TYPE("|u1", "(2, 3, 5, 2, 1)"), NULL, "x_train: has 5 dimensions; images have 3 or 4, labels 1"},
        {TYPE("|u1", "(0, 2, 3, 5)"), NULL, "x_train: is empty (its shape is (0, 2, 3, 5)); leave it out"},
        {TYPE("|u1", "(2, 2, 3, 6)"), NULL,
         "x_train: has 60 bytes of values, where its shape says 72; copy the file again"},
        {TYPE("|u1", "(2147483647, 2147483647, 2, 2)"), NULL, "has more than 2147483647 values"},
        {TYPE("|u1", "(2147483648, 1, 1)"), NULL, "has a header that isn't of a plain array"},
        {TYPE("|u1", "(1, 1, 3, 20)"), NULL, "has the shape (1, 1, 3, 20), with its channels first"},
        {TYPE("|u1", "(1, 20, 1, 3)"), NULL, "y_train: has 2 labels for 1 images; save both of one set"},
        {"{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (2, 5, 2, 3), }", NULL, "isn't of a plain array"},
        {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2, 5, 2, 3)}", NULL,
         "isn't of a plain array"},
        {"{'descr': '|u1', 'shape': (2, 5, 2, 3)}", NULL, "isn't of a plain array"},
        {"{'descr': '|u1', 'fortran_order': 0, 'shape': (2, 5, 2, 3)}", NULL, "isn't of a plain array"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (60)}", NULL, "isn't of a plain array"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 5 2, 3)}", NULL, "isn't of a plain array"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, -5, 2, 3)}", NULL, "isn't of a plain array"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 5, 2, 3)} + exit()", NULL, "isn't of a plain array"},
        {"__import__('os').system('true')", NULL, "isn't of a plain array"},
        {"{", NULL, "isn't of a plain array"},
        {"", NULL, "isn't of a plain array"},
        {NULL, TYPE("<f8", "(2,)"), "y_train: has 2 bytes of values, where its shape says 16"},
        {NULL, TYPE("<f1", "(2,)"),
         "y_train: is float8; labels are whole numbers from 0: save y_train.astype('int64')"},
        {NULL, TYPE("|b1", "(2,)"), "y_train: is bool;"},
        {NULL, TYPE("|u1", "(1, 2)"),
         "y_train: has the shape (1, 2); labels are one number for each image: save y_train.argmax(1)"},
        {NULL, TYPE("|u1", "(2, 1, 1)"), "y_train: has the shape (2, 1, 1); labels are one number for each image"},
        {NULL, TYPE("<i2", "(1,)"), "y_train: has 1 labels for 2 images"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct npz_file file = {.deflated = i % 2};
        struct images images;
        struct error error = {""};
        const char *y = cases[i].y ? cases[i].y : good_y;
        static const uint8_t none[2] = {0, 0};
        write_set(&file, cases[i].x ? cases[i].x : good, places, sizeof places, y, cases[i].x ? labels : none, 2);
        assert_int_equal(parse(&file, DATA_TRAIN, &images, &error), -1);
        if (!strstr(error.text, cases[i].message))
            fail_msg("%zu: expected `%s` in: %s", i, cases[i].message, error.text);
        images_done(&images);
        text_done(&file.bytes);
    }
}

static void test_labels_out_of_range(void **state)
{
    static const struct {
        const char *header, *values, *message;
        size_t length;
    } cases[] = {
        {TYPE("|i1", "(2,)"), "\0\377", "y_train: label -1 of image 1 is outside 0…999", 2},
        {TYPE("<i8", "(2,)"), "\0\0\0\0\0\0\0\0\376\377\377\377\377\377\377\377", "label -2 of image 1", 16},
        {TYPE(">u8", "(2,)"), "\377\377\377\377\377\377\377\377\0\0\0\0\0\0\0\0",
         "label 9223372036854775807 of image 0", 16},
        {TYPE("<u2", "(2,)"), "\0\0\350\3", "label 1000 of image 1 is outside 0…999; number the classes from 0", 4},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct npz_file file = {.deflated = false};
        struct images images;
        struct error error = {""};
        write_set(&file, TYPE("|u1", "(2, 5, 2, 3)"), places, sizeof places, cases[i].header, cases[i].values,
                  cases[i].length);
        assert_int_equal(parse(&file, DATA_TRAIN, &images, &error), -1);
        if (!strstr(error.text, cases[i].message))
            fail_msg("%zu: expected `%s` in: %s", i, cases[i].message, error.text);
        images_done(&images);
        text_done(&file.bytes);
    }
}

/* Every cut and every changed byte is refused, or reads as images that can be. */
static void test_damaged(void **state)
{
    for (int deflated = 0; deflated < 2; deflated++) {
        struct npz_file file = {.deflated = deflated};
        struct images images;
        struct error error;
        write_set(&file, TYPE("|u1", "(2, 5, 2, 3)"), places, sizeof places, TYPE("|u1", "(2,)"), labels, 2);
        size_t length = file.bytes.length;
        for (size_t cut = 0; cut < length; cut++) {
            images = (struct images){.count = 0};
            assert_int_equal(npz_parse(file.bytes.bytes, cut, DATA_TRAIN, &images, &error), -1);
            images_done(&images);
        }
        for (size_t at = 0; at < length; at++) {
            file.bytes.bytes[at] ^= 0x55;
            if (!parse(&file, DATA_TRAIN, &images, &error))
                assert_true(images.count == 2 && images.classes == 2 && images.pixels[1] == 3);
            images_done(&images);
            file.bytes.bytes[at] ^= 0x55;
        }
        text_done(&file.bytes);
    }
}

/* A few bytes can't claim much memory: a member of 100 MB of zeros is refused before it is unpacked. */
static void test_bomb(void **state)
{
    struct npz_file file = {.deflated = true};
    struct images images;
    struct error error = {""};
    npz_add(&file, "y_train.npy", "", 0);
    npz_end(&file);
    size_t length = file.bytes.length;
    memcpy(file.bytes.bytes + length - 22 - 11 - 46 + 24, "\0\341\365\5", 4); /* the length in the directory */
    assert_int_equal(parse(&file, DATA_TRAIN, &images, &error), -1);
    assert_non_null(
        strstr(error.text, "unpacks to 95.4 MiB, more than 2 GiB or than 100 bytes for each of the file's"));
    images_done(&images);
    text_done(&file.bytes);
}

static void test_other_files(void **state)
{
    struct npz_file twice = {.deflated = false}, other = {.deflated = false};
    struct images images;
    struct error error = {""};
    struct data_spec spec;
    char text[300];
    npz_array(&twice, "y_train", TYPE("|u1", "(2,)"), labels, 2);
    npz_array(&twice, "y_train", TYPE("|u1", "(2,)"), labels, 2);
    npz_end(&twice);
    assert_int_equal(parse(&twice, DATA_TRAIN, &images, &error), -1);
    assert_non_null(strstr(error.text, "has y_train.npy twice"));
    npz_array(&other, "arr_0", TYPE("|u1", "(2,)"), labels, 2);
    npz_end(&other);
    assert_int_equal(parse(&other, DATA_TRAIN, &images, &error), -1);
    assert_non_null(
        strstr(error.text, "has no array y_train (it has arr_0.npy); save x_train, y_train, x_test and y_test"));
    assert_int_equal(npz_parse("\x93NUMPY\1\0xxxxxx", 14, DATA_TRAIN, &images, &error), -1);
    assert_non_null(strstr(error.text, "is a single array; save images and labels together"));
    assert_int_equal(npz_parse("no", 2, DATA_TRAIN, &images, &error), -1);
    assert_non_null(strstr(error.text, "is no ZIP archive, or is cut short"));

    /* By its path. */
    FILE *file = fopen(in_folder("other.npz"), "wb");
    fwrite(other.bytes.bytes, 1, other.bytes.length, file);
    fclose(file);
    snprintf(text, sizeof text, "npz+:%s", in_folder("other.npz"));
    assert_int_equal(data_spec_parse(text, &spec, &error), 0);
    assert_int_equal(images_open(&spec, DATA_TRAIN, &images, &error), -1);
    assert_non_null(strstr(error.text, "other.npz: has no array y_train"));
    snprintf(text, sizeof text, "npz:%s", folder);
    assert_int_equal(data_spec_parse(text, &spec, &error), 0);
    assert_int_equal(images_open(&spec, DATA_TRAIN, &images, &error), -1);
    assert_non_null(strstr(error.text, "is a folder; name a file in it"));
    text_done(&twice.bytes);
    text_done(&other.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),       cmocka_unit_test(test_headers),
        cmocka_unit_test(test_fortran),     cmocka_unit_test(test_label_types),
        cmocka_unit_test(test_validation),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_class_names), cmocka_unit_test(test_other_arrays_called_classes), cmocka_unit_test(test_labels_out_of_range),
        cmocka_unit_test(test_damaged),     cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_other_files),
    };
    return cmocka_run_group_tests_name("arrays", tests, make_places, remove_folder);
}
