/*
 * test_data.c - the readers, on files that the test writes to a folder of its own: every message they have; the
 * split and its normalisation against a plain computation.
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
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data/formats.h"
#include "test_folder.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/text.h"

static void put(const char *name, const void *bytes, size_t length)
{
    FILE *file = fopen(in_folder(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void put_gzip(const char *name, const void *bytes, unsigned length)
{
    gzFile file = gzopen(in_folder(name), "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, length), (int)length);
    assert_int_equal(gzclose(file), Z_OK);
}

static void take_away(const char *name)
{
    assert_int_equal(unlink(in_folder(name)), 0);
}

/* Three images of 2 rows and 3 columns: pixel = 10 * image + place; labels 0, 2, 1. */
static const uint8_t small_images[] = {0, 0, 8, 3, 0, 0,  0,  3,  0,  0,  0,  2,  0,  0,  0,  3,  0,
                                       1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25};
static const uint8_t small_labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 2, 1};

static void put_small_set(void)
{
    put("train-images-idx3-ubyte", small_images, sizeof small_images);
    put("train-labels-idx1-ubyte", small_labels, sizeof small_labels);
    put_gzip("t10k-images-idx3-ubyte.gz", small_images, sizeof small_images);
    put_gzip("t10k-labels-idx1-ubyte.gz", small_labels, sizeof small_labels);
}

static int open_set(const char *name, enum data_part part, struct images *images, struct error *error)
{
    char text[256];
    struct data_spec spec;
    snprintf(text, sizeof text, "%s:%s", name, folder);
    assert_int_equal(data_spec_parse(text, &spec, error), 0);
    return images_open(&spec, part, images, error);
}

/* The message of a failed open must contain the text, and `images` be empty. */
static void assert_refused(const char *name, enum data_part part, const char *expected)
{
    struct images images;
    struct error error = {""};
    assert_int_equal(open_set(name, part, &images, &error), -1);
    if (!strstr(error.text, expected))
        fail_msg("expected `%s` in: %s", expected, error.text);
    assert_null(images.pixels);
    assert_null(images.labels);
}

static void test_spec(void **state)
{
    struct data_spec spec;
    struct error error;
    unsetenv("ESPALIER_DATA");
    assert_int_equal(data_spec_parse("fashion-mnist", &spec, &error), 0);
    assert_string_equal(spec.name, "fashion-mnist");
    assert_string_equal(spec.folder, "/usr/share/datasets/fashion-mnist");
    assert_false(spec.augment);
    assert_int_equal(data_spec_parse("fashion-mnist+", &spec, &error), 0);
    assert_string_equal(spec.name, "fashion-mnist");
    assert_true(spec.augment);
    assert_int_equal(data_spec_parse("cifar10+:/some/where:else", &spec, &error), 0);
    assert_string_equal(spec.name, "cifar10");
    assert_string_equal(spec.folder, "/some/where:else");
    assert_true(spec.augment);
    assert_int_equal(data_spec_parse("cifar100:a+", &spec, &error), 0);
    assert_string_equal(spec.folder, "a+");
    assert_false(spec.augment);
    assert_int_equal(spec.width, 0);
    assert_int_equal(data_spec_parse("images:a@b+", &spec, &error), 0);
    assert_string_equal(spec.folder, "a@b+");
    assert_int_equal(spec.width, 32);
    assert_int_equal(spec.height, 32);
    assert_false(spec.augment);
    assert_int_equal(data_spec_parse("grey-images@48+:a", &spec, &error), 0);
    assert_string_equal(spec.name, "grey-images");
    assert_int_equal(spec.width, 48);
    assert_int_equal(spec.height, 48);
    assert_int_equal(data_spec_parse("images@64x48+:a", &spec, &error), 0);
    assert_int_equal(spec.width, 64);
    assert_int_equal(spec.height, 48);
    assert_true(spec.augment);
    assert_true(spec.augment);
    assert_true(data_spec_augments("cifar10+:x"));
    assert_false(data_spec_augments("cifar10:x+"));
}

static void test_spec_environment(void **state)
{
    struct data_spec spec;
    struct error error;
    setenv("ESPALIER_DATA", folder, 1);
    assert_int_equal(data_spec_parse("mnist", &spec, &error), 0);
    assert_string_equal(spec.folder, "/usr/share/datasets/mnist"); /* nothing in ours yet */
    assert_int_equal(mkdir(in_folder("mnist"), 0700), 0);
    assert_int_equal(mkdir(in_folder("cifar10"), 0700), 0);
    assert_int_equal(data_spec_parse("mnist", &spec, &error), 0);
    assert_string_equal(spec.folder, in_folder("mnist"));
    assert_int_equal(data_spec_parse("cifar10+", &spec, &error), 0);
    assert_string_equal(spec.folder, in_folder("cifar10"));
    char *much = calloc(2000, 1);
    memset(much, 'x', 1999);
    setenv("ESPALIER_DATA", much, 1);
    assert_int_equal(data_spec_parse("mnist", &spec, &error), -1);
    assert_non_null(strstr(error.text, "too long"));
    free(much);
    unsetenv("ESPALIER_DATA");
    rmdir(in_folder("mnist"));
    rmdir(in_folder("cifar10"));
}

static void test_spec_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "no data set ``; the names are fashion-mnist, mnist, kmnist, qmnist, emnist-balanced"},
        {"+", "no data set ``"},
        {"imagenet", "no data set `imagenet`"},
        {"imagenet+:/x", "no data set `imagenet`"},
        {"fashion-mnist-of-a-very-long-name", "no data set `fashion-mnist-of-a-very-long-name`"},
        {"idx", "no folder is named; name a folder with train-images-idx3-ubyte"},
        {"cifar10", "no folder is named; unpack cifar-10-binary.tar.gz"},
        {"cifar10:", "nothing follows the colon"},
        {"npz", "no file is named; save arrays by numpy.savez(FILE, x_train=..., y_train=..., x_test=..., y_test=...)"},
        {"cifar10@32:/x", "`@32` after cifar10: only `+` may follow"},
        {"images@3:/x", "`@3` after images: the size that images are scaled to is a square's side or WIDTHxHEIGHT, in whole "
                       "numbers from 4 to 512"},
        {"images@:/x", "in whole numbers from 4 to 512"},
        {"images@64x:/x", "`@64x` after images"},
        {"images@x64:/x", "in whole numbers from 4 to 512"},
        {"images@64x48x3:/x", "in whole numbers from 4 to 512"},
        {"images@48x513:/x", "in whole numbers from 4 to 512"},
        {"images@00000000000000064:/x", "in whole numbers from 4 to 512"},
        {"images+@64:/x", "`+@64` after images: only `+` may follow, or `@`"},
    };
    unsetenv("ESPALIER_DATA");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct data_spec spec;
        struct error error = {""};
        assert_int_equal(data_spec_parse(cases[i].text, &spec, &error), -1);
        if (!strstr(error.text, cases[i].message))
            fail_msg("%s: expected `%s` in: %s", cases[i].text, cases[i].message, error.text);
    }
    char much[1100] = "idx:";
    memset(much + 4, 'x', sizeof much - 5);
    struct data_spec spec;
    struct error error;
    assert_int_equal(data_spec_parse(much, &spec, &error), -1);
    assert_non_null(strstr(error.text, "the folder's name is too long (1095 bytes; at most 1023)"));
}

static void test_idx(void **state)
{
    put_small_set();
    struct error error;
    struct images train, test;
    assert_int_equal(open_set("idx", DATA_TRAIN, &train, &error), 0);
    assert_false(train.mirrors);
    assert_int_equal(train.count, 3);
    assert_int_equal(train.classes, 3);
    assert_int_equal(train.shape.channels, 1);
    assert_int_equal(train.shape.height, 2);
    assert_int_equal(train.shape.width, 3);
    assert_memory_equal(train.pixels, small_images + 16, 18);
    const uint16_t labels[] = {0, 2, 1};
    assert_memory_equal(train.labels, labels, sizeof labels);

    /* The same bytes by gzip are the same content; one pixel or label makes it another. */
    assert_int_equal(open_set("idx", DATA_TEST, &test, &error), 0);
    assert_true(hash_equal(train.hash, test.hash));
    images_done(&test);
    uint8_t other[sizeof small_images];
    memcpy(other, small_images, sizeof other);
    other[sizeof other - 1] ^= 1;
    put_gzip("t10k-images-idx3-ubyte.gz", other, sizeof other);
    assert_int_equal(open_set("idx", DATA_TEST, &test, &error), 0);
    assert_false(hash_equal(train.hash, test.hash));
    images_done(&test);
    images_done(&train);
    assert_null(train.pixels);

    /* A named set has its own number of classes. */
    assert_int_equal(open_set("mnist", DATA_TRAIN, &train, &error), 0);
    assert_int_equal(train.classes, 10);
    images_done(&train);
}

static void test_idx_channels(void **state)
{
    static const uint8_t images[] = {0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0,  0,  1,
                                     0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
    put_small_set();
    take_away("train-images-idx3-ubyte");
    put("train-images-idx4-ubyte", images, sizeof images);
    put("train-labels-idx1-ubyte", labels, sizeof labels);
    struct error error;
    struct images set;
    assert_int_equal(open_set("idx", DATA_TRAIN, &set, &error), 0);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.shape.channels, 3);
    assert_int_equal(set.shape.height, 1);
    assert_int_equal(set.shape.width, 2);
    assert_memory_equal(set.pixels, images + 20, 12);
    images_done(&set);
    take_away("train-images-idx4-ubyte");
}

/* One byte changed, or the file cut or grown: what the reader says. */
static void test_idx_refused(void **state)
{
    static const struct {
        int byte, value; /* byte -1: no change */
        int length;      /* 0: whole */
        const char *message;
    } images[] = {
        {0, 1, 0, "is not an IDX file (bytes 0 to 1 are 01 00, not 00 00); check what it is"},
        {2, 0x0D, 0, "its values are 32-bit floats (byte 2 is 0x0d); only unsigned bytes (0x08) are read"},
        {2, 0x09, 0, "its values are signed bytes"},
        {2, 0x0B, 0, "its values are 16-bit integers"},
        {2, 0x0C, 0, "its values are 32-bit integers"},
        {2, 0x0E, 0, "its values are 64-bit floats"},
        {2, 0x77, 0, "its values are of no known type (byte 2 is 0x77)"},
        {3, 0, 0, "has 0 dimensions (byte 3); images have 3 or 4, labels 1"},
        {3, 5, 0, "has 5 dimensions (byte 3)"},
        {7, 0, 0, "is empty: dimension 1 is 0 (byte 4)"},
        {4, 200, 0, "its dimensions make more than 2147483647 bytes (dimension 1 is 3355443203, byte 4)"},
        {8, 100, 0, "its dimensions make more than 2147483647 bytes (dimension 2 is 1677721602, byte 8)"},
        {7, 4, 0, "is cut short (its header says 40 bytes, there are 34); copy it again"},
        {7, 2, 0, "has 6 bytes after its last value (its header says 28 bytes)"},
        {-1, 0, 33, "is cut short (its header says 34 bytes, there are 33)"},
        {-1, 0, 15, "is cut short in its header (of 16 bytes there are 15)"},
        {-1, 0, 3, "is cut short in its header (of 4 bytes there are 3)"},
        {-1, 0, -1, "train-images-idx3-ubyte: is empty; copy it again"},
    };
    for (size_t i = 0; i < COUNT_OF(images); i++) {
        put_small_set();
        uint8_t bytes[sizeof small_images];
        memcpy(bytes, small_images, sizeof bytes);
        if (images[i].byte >= 0)
            bytes[images[i].byte] = (uint8_t)images[i].value;
        size_t length = images[i].length < 0 ? 0 : images[i].length ? (size_t)images[i].length : sizeof bytes;
        put("train-images-idx3-ubyte", bytes, length);
        assert_refused("idx", DATA_TRAIN, images[i].message);
        assert_refused("idx", DATA_TRAIN, in_folder("train-images-idx3-ubyte: "));
    }
}

static void test_idx_wrong_labels(void **state)
{
    static const uint8_t two[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 2};
    static const uint8_t eleven[] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 10, 1};
    put_small_set();
    put("train-labels-idx1-ubyte", two, sizeof two);
    assert_refused("idx", DATA_TRAIN, "has 2 labels for 3 images; take both files from the same set");
    put("train-labels-idx1-ubyte", eleven, sizeof eleven);
    assert_refused("mnist", DATA_TRAIN, "label 10 of image 1 (byte 9) is outside 0…9");
    put("train-labels-idx1-ubyte", small_images, sizeof small_images);
    assert_refused("idx", DATA_TRAIN, "where labels have 1: these are images; check the files' names");
    put_small_set();
    put("train-images-idx3-ubyte", small_labels, sizeof small_labels);
    assert_refused("idx", DATA_TRAIN, "where images have 3 or 4: these are labels; check the files' names");

    /* Training labels are 0…2: the test part may not bring a new class. */
    put_small_set();
    put_gzip("t10k-labels-idx1-ubyte.gz", eleven, sizeof eleven);
    assert_refused("idx", DATA_TEST, "t10k-labels-idx1-ubyte.gz: label 10 of image 1 (byte 9) is outside 0…2");
}

static void test_idx_wrong_shape(void **state)
{
    static const uint8_t wide[16 + 1025] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 4, 1};
    static const uint8_t deep[20 + 17] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 17, 0, 0, 0, 1, 0, 0, 0, 1};
    put_small_set();
    put("train-images-idx3-ubyte", wide, sizeof wide);
    assert_refused("idx", DATA_TRAIN, "has images of 1×1025 pixels; at most 1024×1024 are read");
    put("train-images-idx3-ubyte", deep, sizeof deep);
    assert_refused("idx", DATA_TRAIN, "has images of 17 channels (dimension 2); at most 16 are read");
}

static void test_idx_missing(void **state)
{
    put_small_set();
    take_away("train-labels-idx1-ubyte");
    assert_refused("idx", DATA_TRAIN, ": train-labels-idx1-ubyte[.gz] is missing; name a folder with");
    assert_refused("fashion-mnist", DATA_TRAIN, "apt-get install dataset-fashion-mnist");
    take_away("t10k-images-idx3-ubyte.gz");
    assert_refused("idx", DATA_TEST, ": t10k-images-idx3-ubyte[.gz] is missing");
    put_gzip("whole.gz", small_images, sizeof small_images);

    /* A gzip file that ends early. */
    void *bytes;
    FILE *file = fopen(in_folder("whole.gz"), "rb");
    assert_non_null(file);
    bytes = calloc(1, 256);
    size_t length = fread(bytes, 1, 256, file);
    fclose(file);
    put("t10k-images-idx3-ubyte.gz", bytes, length - 12);
    free(bytes);
    assert_refused("idx", DATA_TEST, "t10k-images-idx3-ubyte.gz");
}

enum { PIXELS = 3072 };

/* Record i: its label bytes, then pixels (i + plane + place) mod 256. */
static size_t cifar_records(uint8_t *bytes, int count, int label_bytes, int first_label)
{
    for (int i = 0; i < count; i++) {
        uint8_t *record = bytes + (size_t)i * (label_bytes + PIXELS);
        record[0] = 19; /* the coarse label of CIFAR-100, else overwritten */
        record[label_bytes - 1] = (uint8_t)(first_label + i);
        for (int p = 0; p < PIXELS; p++)
            record[label_bytes + p] = (uint8_t)(i + p / 1024 + p);
    }
    return (size_t)count * (label_bytes + PIXELS);
}

static void test_cifar10(void **state)
{
    static uint8_t bytes[8 * (PIXELS + 1)];
    struct images images;
    struct error error;
    put("data_batch_1.bin", bytes, cifar_records(bytes, 2, 1, 0));
    put("data_batch_2.bin", bytes, cifar_records(bytes, 3, 1, 7));
    put("test_batch.bin", bytes, cifar_records(bytes, 1, 1, 4));
    assert_int_equal(open_set("cifar10", DATA_TRAIN, &images, &error), 0);
    assert_true(images.mirrors);
    assert_int_equal(images.count, 5);
    assert_int_equal(images.classes, 10);
    assert_int_equal(images.shape.channels, 3);
    assert_int_equal(images.shape.height, 32);
    assert_int_equal(images.shape.width, 32);
    assert_string_equal(images_class_name(&images, 9), "truck");
    const uint16_t labels[] = {0, 1, 7, 8, 9};
    assert_memory_equal(images.labels, labels, sizeof labels);
    assert_memory_equal(images.pixels, bytes + 1, PIXELS); /* record 0 of batch 1 */
    cifar_records(bytes, 3, 1, 7);
    assert_memory_equal(images.pixels + 4 * PIXELS, bytes + 2 * (PIXELS + 1) + 1, PIXELS); /* record 2 of batch 2 */
    images_done(&images);
    assert_int_equal(open_set("cifar10", DATA_TEST, &images, &error), 0);
    assert_int_equal(images.count, 1);
    assert_int_equal(images.labels[0], 4);
    images_done(&images);

    put("data_batch_4.bin", bytes, cifar_records(bytes, 1, 1, 0));
    assert_refused("cifar10", DATA_TRAIN, ": data_batch_3.bin is missing, though data_batch_4.bin is");
    take_away("data_batch_4.bin");
}

static void test_cifar10_refused(void **state)
{
    static uint8_t bytes[8 * (PIXELS + 1)];
    put("data_batch_1.bin", bytes, cifar_records(bytes, 2, 1, 0) - 5);
    assert_refused("cifar10", DATA_TRAIN,
                   "data_batch_1.bin: is cut short, or is another kind of file: records have 3073 bytes, but after 1 of them "
                   "(byte 3073) there are 3068 bytes; copy it again");
    put("data_batch_1.bin", bytes, cifar_records(bytes, 3, 1, 8));
    assert_refused("cifar10", DATA_TRAIN, "data_batch_1.bin: label 10 of record 2 (byte 6146) is outside 0…9");
    put("data_batch_1.bin", bytes, 0);
    assert_refused("cifar10", DATA_TRAIN, "data_batch_1.bin: is empty; copy it again");
    take_away("data_batch_1.bin");
    take_away("data_batch_2.bin");
    take_away("test_batch.bin");
    assert_refused("cifar10", DATA_TRAIN, ": data_batch_1.bin is missing; unpack cifar-10-binary.tar.gz");
    assert_refused("cifar10", DATA_TEST, ": test_batch.bin is missing; unpack cifar-10-binary.tar.gz");
}

static void test_cifar_archive_folder(void **state)
{
    static uint8_t bytes[2 * (PIXELS + 1)];
    struct images images;
    struct error error;
    assert_int_equal(mkdir(in_folder("cifar-10-batches-bin"), 0700), 0);
    put("cifar-10-batches-bin/data_batch_1.bin", bytes, cifar_records(bytes, 2, 1, 3));
    assert_int_equal(open_set("cifar10", DATA_TRAIN, &images, &error), 0);
    assert_int_equal(images.count, 2);
    images_done(&images);
    take_away("cifar-10-batches-bin/data_batch_1.bin");
    assert_int_equal(rmdir(in_folder("cifar-10-batches-bin")), 0);
}

static void test_cifar100(void **state)
{
    static uint8_t bytes[4 * (PIXELS + 2)];
    struct images images;
    struct error error;
    put("train.bin", bytes, cifar_records(bytes, 3, 2, 97));
    assert_int_equal(open_set("cifar100", DATA_TRAIN, &images, &error), 0);
    assert_int_equal(images.count, 3);
    assert_int_equal(images.classes, 100);
    const uint16_t labels[] = {97, 98, 99};
    assert_memory_equal(images.labels, labels, sizeof labels);
    assert_memory_equal(images.pixels + PIXELS, bytes + 3074 + 2, PIXELS);
    assert_null(images_class_name(&images, 99));
    images_done(&images);

    /* The archive's names, where they are. */
    struct text names = TEXT_EMPTY;
    for (int i = 0; i < 100; i++)
        text_add(&names, "class %d%s", i, i == 50 ? "\r\n" : "\n");
    put("fine_label_names.txt", names.bytes, names.length);
    assert_int_equal(open_set("cifar100", DATA_TRAIN, &images, &error), 0);
    assert_string_equal(images_class_name(&images, 50), "class 50");
    assert_string_equal(images_class_name(&images, 99), "class 99");
    images_done(&images);
    put("fine_label_names.txt", names.bytes, names.length - 10);
    assert_refused("cifar100", DATA_TRAIN, "fine_label_names.txt: names 99 classes, not 100");
    put("fine_label_names.txt", "apple\n\033[2Jpear\n", 15);
    assert_refused("cifar100", DATA_TRAIN, "control character or is no UTF-8 (0x1b)");
    text_done(&names);
    take_away("fine_label_names.txt");

    put("test.bin", bytes, cifar_records(bytes, 4, 2, 97));
    assert_refused("cifar100", DATA_TEST, "test.bin: label 100 of record 3 (byte 9223) is outside 0…99");
    take_away("test.bin");
    assert_refused("cifar100", DATA_TEST, ": test.bin is missing; unpack cifar-100-binary.tar.gz");
}

/* 40 images of 2 channels, 2×2, made of a simple recurrence; the third channel never changes. */
static void fill(struct images *images, uint8_t pixels[40 * 12], uint16_t labels[40])
{
    *images = (struct images){.count = 40, .classes = 4, .shape = {3, 2, 2}, .pixels = pixels, .labels = labels};
    unsigned word = 1;
    for (int i = 0; i < 40 * 12; i++) {
        word = word * 1103515245u + 12345u;
        pixels[i] = i % 12 < 8 ? (uint8_t)(word >> 16) : 77;
    }
    for (int i = 0; i < 40; i++)
        labels[i] = (uint16_t)(i % 4);
}

static void test_split(void **state)
{
    uint8_t pixels[40 * 12];
    uint16_t labels[40];
    struct images images;
    fill(&images, pixels, labels);
    struct view train, validate, fewer, same, other, other_validate;
    struct error error;
    assert_int_equal(data_split(&images, 10, 0, 7, &train, &validate, &error), 0);
    assert_int_equal(train.count, 30);
    assert_int_equal(validate.count, 10);
    int seen[40] = {0};
    for (int i = 0; i < 30; i++)
        seen[train.index[i]]++;
    for (int i = 0; i < 10; i++)
        seen[validate.index[i]]++;
    for (int i = 0; i < 40; i++)
        assert_int_equal(seen[i], 1);

    /* A subset leaves the validation images as they are and is drawn from the rest. */
    assert_int_equal(data_split(&images, 10, 12, 7, &fewer, &same, &error), 0);
    assert_int_equal(fewer.count, 12);
    assert_memory_equal(same.index, validate.index, 10 * sizeof *same.index);
    assert_memory_equal(fewer.index, train.index, 12 * sizeof *same.index);
    /* Its normalisation is its own. */
    assert_true(fewer.scale[0] != train.scale[0]);

    /* Another seed draws others. */
    assert_int_equal(data_split(&images, 10, 0, 8, &other, &other_validate, &error), 0);
    assert_memory_not_equal(other_validate.index, validate.index, 10 * sizeof *validate.index);

    view_done(&train);
    view_done(&validate);
    view_done(&fewer);
    view_done(&same);
    view_done(&other);
    view_done(&other_validate);
    assert_null(train.index);
}

static void test_normalisation(void **state)
{
    uint8_t pixels[40 * 12];
    uint16_t labels[40];
    struct images images;
    fill(&images, pixels, labels);
    struct view train, validate;
    struct error error;
    assert_int_equal(data_split(&images, 8, 0, 3, &train, &validate, &error), 0);
    for (int channel = 0; channel < 2; channel++) { /* normalised, the training images have mean 0 and std 1 */
        double sum = 0, squares = 0;
        for (int i = 0; i < train.count; i++)
            for (int p = 0; p < 4; p++) {
                double value = pixels[train.index[i] * 12 + channel * 4 + p] * (double)train.scale[channel] +
                               (double)train.shift[channel];
                sum += value;
                squares += value * value;
            }
        assert_true(fabs(sum / (32 * 4)) < 1e-6);
        assert_true(fabs(squares / (32 * 4) - 1) < 1e-6);
    }
    /* A constant channel becomes 0. */
    assert_true(fabsf(77 * train.scale[2] + train.shift[2]) < 1e-6f);
    assert_memory_equal(train.scale, validate.scale, sizeof train.scale);
    assert_memory_equal(train.shift, validate.shift, sizeof train.shift);

    struct view all, like;
    view_all(&images, &train, &like);
    view_all(&images, NULL, &all);
    assert_int_equal(like.count, 40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(like.index[i], i);
    assert_memory_equal(like.scale, train.scale, sizeof like.scale);
    assert_true(all.scale[0] != train.scale[0]);
    view_done(&train);
    view_done(&validate);
    view_done(&all);
    view_done(&like);
}

static void test_split_refused(void **state)
{
    uint8_t pixels[40 * 12];
    uint16_t labels[40];
    struct images images;
    fill(&images, pixels, labels);
    struct view train, validate;
    struct error error;
    assert_int_equal(data_split(&images, 40, 0, 1, &train, &validate, &error), -1);
    assert_non_null(strstr(error.text, "40 validation images leave none of the 40 to train on"));
    assert_int_equal(data_split(&images, 30, 11, 1, &train, &validate, &error), -1);
    assert_non_null(strstr(error.text, "a training subset of 11 images is more than the 10"));
    assert_int_equal(data_split(&images, -1, 0, 1, &train, &validate, &error), -1);
    assert_non_null(strstr(error.text, "a number of images is negative"));
    assert_int_equal(data_split(&images, 0, 0, 1, &train, &validate, &error), 0);
    assert_int_equal(validate.count, 0);
    view_done(&train);
    view_done(&validate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec),
        cmocka_unit_test(test_spec_environment),
        cmocka_unit_test(test_spec_refused),
        cmocka_unit_test(test_idx),
        cmocka_unit_test(test_idx_channels),
        cmocka_unit_test(test_idx_refused),
        cmocka_unit_test(test_idx_wrong_labels),
        cmocka_unit_test(test_idx_wrong_shape),
        cmocka_unit_test(test_idx_missing),
        cmocka_unit_test(test_cifar10),
        cmocka_unit_test(test_cifar10_refused),
        cmocka_unit_test(test_cifar_archive_folder),
        cmocka_unit_test(test_cifar100),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_normalisation),
        cmocka_unit_test(test_split_refused),
    };
    return cmocka_run_group_tests_name("data", tests, make_folder, remove_folder);
}
