/*
 * test_sets.c - published sets under the names that they come with, and what is said where another set or another form
 * of it lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data/formats.h"
#include "test_folder.h"
#include "util/bug.h"

/* Two images of 2 rows and 3 columns: pixel = 10 * image + place; labels 1, 2. */
static const uint8_t images_bytes[] = {0, 0, 8, 3, 0, 0, 0, 2, 0,  0,  0,  2,  0,  0,
                                       0, 3, 0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15};
static const uint8_t labels_bytes[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 2};
/* Rows of 3 integers, of which the first is the label. */
static const uint8_t rows_bytes[] = {0, 0, 12, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0,
                                     0, 9, 0,  0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 9};

/* Gzipped where the name says so. */
static void put(const char *name, const uint8_t *bytes, size_t length)
{
    const char *ending = strrchr(name, '.');
    gzFile file = gzopen(in_folder(name), ending && !strcmp(ending, ".gz") ? "wb" : "wbT");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)length), (int)length);
    assert_int_equal(gzclose(file), Z_OK);
}

static void put_folder(const char *name)
{
    assert_int_equal(mkdir(in_folder(name), 0700), 0);
}

/* An empty folder for the next set. */
static int empty_folder(void **state)
{
    return remove_folder(state) || make_folder(state);
}

static int open_set(const char *set, const char *inner, enum data_part part, struct images *images, struct error *error)
{
    struct data_spec spec;
    char text[300];
    snprintf(text, sizeof text, "%s:%s%s", set, folder, inner);
    assert_int_equal(data_spec_parse(text, &spec, error), 0);
    return images_open(&spec, part, images, error);
}

static void opens(const char *set, enum data_part part, struct images *images)
{
    struct error error;
    if (open_set(set, "", part, images, &error))
        fail_msg("%s", error.text);
}

static void refuses(const char *set, const char *inner, const char *message)
{
    struct images images;
    struct error error = {""};
    assert_int_equal(open_set(set, inner, DATA_TRAIN, &images, &error), -1);
    if (!strstr(error.text, message))
        fail_msg("expected `%s` in: %s", message, error.text);
}

static void test_emnist(void **state)
{
    static const struct {
        const char *set, *name; /* of label 2, whose number is `class` */
        int classes, class;
    } sets[] = {{"emnist-balanced", "2", 47, 2}, {"emnist-bymerge", "2", 47, 2}, {"emnist-byclass", "2", 62, 2},
                {"emnist-letters", "B", 26, 1},  {"emnist-digits", "2", 10, 2},  {"emnist-mnist", "2", 10, 2}};
    put_folder("gzip"); /* of the archive */
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        struct images images;
        char name[100];
        for (int part = 0; part < 2; part++) {
            snprintf(name, sizeof name, "gzip/%s-%s-images-idx3-ubyte.gz", sets[i].set, part ? "test" : "train");
            put(name, images_bytes, sizeof images_bytes);
            snprintf(name, sizeof name, "gzip/%s-%s-labels-idx1-ubyte.gz", sets[i].set, part ? "test" : "train");
            put(name, labels_bytes, sizeof labels_bytes);
        }
        for (int part = 0; part < 2; part++) {
            opens(sets[i].set, part ? DATA_TEST : DATA_TRAIN, &images);
            assert_int_equal(images.classes, sets[i].classes);
            assert_int_equal(images.labels[1], sets[i].class);
            assert_string_equal(images_class_name(&images, sets[i].class), sets[i].name);
            assert_false(images.mirrors);
            /* Stored column by column: rows of the file are columns of the image. */
            assert_int_equal(images.shape.height, 3);
            assert_int_equal(images.shape.width, 2);
            const uint8_t turned[] = {0, 3, 1, 4, 2, 5, 10, 13, 11, 14, 12, 15};
            assert_memory_equal(images.pixels, turned, sizeof turned);
            images_done(&images);
        }
    }
    struct images images;
    opens("emnist-byclass", DATA_TRAIN, &images);
    assert_string_equal(images_class_name(&images, 10), "A");
    assert_string_equal(images_class_name(&images, 61), "z");
    images_done(&images);
    opens("emnist-balanced", DATA_TRAIN, &images);
    assert_string_equal(images_class_name(&images, 35), "Z");
    assert_string_equal(images_class_name(&images, 38), "d");
    assert_string_equal(images_class_name(&images, 46), "t");
    images_done(&images);

    /* A letter 0 is none; and the folder's other names lead here. */
    put("gzip/emnist-letters-train-labels-idx1-ubyte.gz", (const uint8_t[]){0, 0, 8, 1, 0, 0, 0, 2, 1, 0}, 10);
    refuses("emnist-letters", "", "label 0 of image 1 (byte 9) is outside 1…26");
    refuses("mnist", "", "the files of another set are there: name it emnist-balanced:");
    refuses("idx", "/gzip", "the files of another set are there: name it emnist-balanced:");
    assert_int_equal(unlink(in_folder("gzip/emnist-digits-train-images-idx3-ubyte.gz")), 0);
    refuses("emnist-digits", "", "name it emnist-balanced:");
}

static void test_missing_prefix(void **state)
{
    refuses("emnist-letters", "", ": emnist-letters-train-images-idx3-ubyte[.gz] is missing; unpack EMNIST's gzip.zip");
    refuses("qmnist", "", ": qmnist-train-images-idx3-ubyte[.gz] is missing; get its four files");
}

static void test_qmnist(void **state)
{
    struct images images;
    put("qmnist-train-images-idx3-ubyte.gz", images_bytes, sizeof images_bytes);
    put("qmnist-train-labels-idx2-int.gz", rows_bytes, sizeof rows_bytes);
    put("qmnist-test-images-idx3-ubyte", images_bytes, sizeof images_bytes);
    put("qmnist-test-labels-idx2-int", rows_bytes, sizeof rows_bytes);
    for (int part = 0; part < 2; part++) {
        opens("qmnist", part ? DATA_TEST : DATA_TRAIN, &images);
        assert_int_equal(images.classes, 10);
        assert_int_equal(images.labels[0], 7);
        assert_int_equal(images.labels[1], 0);
        images_done(&images);
    }
    refuses("mnist", "", "name it qmnist:");
    uint8_t other[sizeof rows_bytes];
    memcpy(other, rows_bytes, sizeof other);
    other[24] = 0x80;
    put("qmnist-train-labels-idx2-int.gz", other, sizeof other);
    refuses("qmnist", "", "label -2147483648 of image 1 (byte 24) is outside 0…9");
    other[2] = 13;
    put("qmnist-train-labels-idx2-int.gz", other, sizeof other);
    refuses("qmnist", "",
            "its values are 32-bit floats (byte 2 is 0x0d); only unsigned bytes (0x08) and 32-bit integers (0x0c)");
}

static void test_spellings(void **state)
{
    struct images images;
    put("train-images.idx3-ubyte", images_bytes, sizeof images_bytes);
    put("train-labels.idx1-ubyte", labels_bytes, sizeof labels_bytes);
    put("t10k-images.idx3-ubyte", images_bytes, sizeof images_bytes);
    put("t10k-labels.idx1-ubyte.gz", labels_bytes, sizeof labels_bytes);
    put_folder("train-images-idx3-ubyte"); /* an archive that was unpacked into a folder of its own */
    put_folder("t10k-labels-idx1-ubyte");
    for (int part = 0; part < 2; part++) {
        opens("kmnist", part ? DATA_TEST : DATA_TRAIN, &images);
        assert_int_equal(images.classes, 10);
        assert_string_equal(images_class_name(&images, 2), "su");
        assert_false(images.mirrors);
        assert_memory_equal(images.pixels, images_bytes + 16, 12);
        images_done(&images);
    }
    opens("fashion-mnist", DATA_TEST, &images);
    assert_string_equal(images_class_name(&images, 2), "pullover");
    images_done(&images);
}

/* As torchvision lays them: FOLDER/raw/. */
static void test_torchvision(void **state)
{
    struct images images;
    put_folder("raw");
    put("raw/train-images-idx3-ubyte", images_bytes, sizeof images_bytes);
    put("raw/train-labels-idx1-ubyte", labels_bytes, sizeof labels_bytes);
    put("raw/test-images-idx3-ubyte", images_bytes, sizeof images_bytes);
    put("raw/test-labels-idx1-ubyte", labels_bytes, sizeof labels_bytes);
    opens("mnist", DATA_TRAIN, &images);
    images_done(&images);
    opens("idx", DATA_TEST, &images);
    assert_int_equal(images.classes, 3);
    images_done(&images);
}

static void test_cifar_forms(void **state)
{
    static const uint8_t byte[] = {0};
    refuses("cifar10", "", ": data_batch_1.bin is missing; unpack cifar-10-binary.tar.gz");
    put("cifar-10-python.tar.gz", byte, 1);
    refuses("cifar10", "",
            "data_batch_1.bin is missing, and cifar-10-python.tar.gz holds Python's pickles, which can run code and "
            "are never read; get "
            "cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html instead");
    refuses("cifar10", "/cifar-10-python.tar.gz", "cifar-10-python.tar.gz holds Python's pickles");
    put("cifar-10-binary.tar.gz", byte, 1);
    refuses("cifar10", "",
            "cifar-10-binary.tar.gz is an archive; unpack it by tar -xzf and name the folder: cifar10:FOLDER");
    refuses("idx", "/cifar-10-binary.tar.gz", "unpack it by tar -xzf");
    put("cifar-100-binary.tar.gz", byte, 1);
    refuses("cifar100", "/cifar-100-binary.tar.gz", "name the folder: cifar100:FOLDER");
    put_folder("cifar-100-python");
    put("cifar-100-python/train", byte, 1);
    refuses("cifar100", "/cifar-100-python",
            "cifar-100-python holds Python's pickles, which can run code and are never read; "
            "get cifar-100-binary.tar.gz");
    put_folder("cifar-10-batches-py");
    put("cifar-10-batches-py/data_batch_1", byte, 1);
    refuses("cifar10", "/cifar-10-batches-py", "holds Python's pickles");
    put_folder("other");
    put("other/data_batch_1.bin", byte, 1);
    refuses("idx", "/other", "the files of another set are there: name it cifar10:");
    refuses("cifar100", "/other", ": train.bin is missing; the files of another set are there: name it cifar10:");
    put("x.npz", byte, 1);
    refuses("idx", "/x.npz", "x.npz: is a file of arrays; name it npz:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_emnist, empty_folder),
        cmocka_unit_test_setup(test_missing_prefix, empty_folder),
        cmocka_unit_test_setup(test_qmnist, empty_folder),
        cmocka_unit_test_setup(test_spellings, empty_folder),
        cmocka_unit_test_setup(test_torchvision, empty_folder),
        cmocka_unit_test_setup(test_cifar_forms, empty_folder),
    };
    return cmocka_run_group_tests_name("published sets", tests, make_folder, remove_folder);
}
