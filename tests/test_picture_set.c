/*
 * test_picture_set.c - folders of pictures: parts, classes, splits, and what is told of the files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "data/formats.h"
#include "picture_files.h"
#include "util/bug.h"

static const uint8_t red[3] = {255, 0, 0}, blue[3] = {0, 0, 255};

static int open_by(const char *name, const char *set, const struct data_spec *how, enum data_part part,
                   struct images *images, struct error *error)
{
    char text[256];
    struct data_spec spec;
    snprintf(text, sizeof text, "%s:%s/%s", name, folder, set);
    if (data_spec_parse(text, &spec, error))
        fail_msg("%s", error->text);
    spec.pictures = how->pictures;
    spec.skip_bad = how->skip_bad;
    spec.cancelled = how->cancelled;
    return images_open(&spec, part, images, error);
}

static int open_set(const char *name, const char *set, enum data_part part, struct images *images, struct error *error)
{
    return open_by(name, set, &(struct data_spec){.width = 0}, part, images, error);
}

static void open_well(const char *name, const char *set, enum data_part part, struct images *images)
{
    struct error error;
    if (open_set(name, set, part, images, &error))
        fail_msg("%s", error.text);
}

static void assert_refused(const char *set, enum data_part part, const char *expected)
{
    struct images images;
    struct error error = {""};
    assert_int_equal(open_set("images", set, part, &images, &error), -1);
    if (!strstr(error.text, expected))
        fail_msg("expected `%s` in: %s", expected, error.text);
    assert_null(images.pixels);
    assert_null(images.class_names);
}

static int count_label(const struct images *images, const struct view *view, int label)
{
    int count = 0;
    for (int i = 0; i < view->count; i++)
        count += images->labels[view->index[i]] == label;
    return count;
}

static void test_set_of_parts(void **state)
{
    struct images images, again;
    struct error error = {""};
    put_even("parts/train/red/2.png", red, 40);
    put_even("parts/train/red/1.JPG", red, 8);
    put_even("parts/train/Blue/a.png", blue, 5);
    put_even("parts/test/red/z.jpeg", red, 32);
    put_text("parts/train/red/notes.txt", "no picture");
    put_text("parts/train/red/.hidden.png", "no picture");
    if (open_set("images", "parts", DATA_TRAIN, &images, &error))
        fail_msg("%s", error.text);
    assert_int_equal(images.count, 3);
    assert_int_equal(images.classes, 2);
    assert_int_equal(images.shape.channels, 3);
    assert_int_equal(images.shape.width, 32);
    assert_string_equal(images_class_name(&images, 0), "Blue"); /* in order of bytes, whatever the locale */
    assert_string_equal(images_class_name(&images, 1), "red");
    const uint16_t labels[] = {0, 1, 1};
    assert_memory_equal(images.labels, labels, sizeof labels);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 32 * 32; i++) {
            assert_int_equal(images.pixels[c * 32 * 32 + i], blue[c]);
            assert_true(abs(images.pixels[(3 + c) * 32 * 32 + i] - red[c]) <= 2);
            assert_int_equal(images.pixels[(6 + c) * 32 * 32 + i], red[c]);
        }
    assert_int_equal(open_set("images", "parts", DATA_TRAIN, &again, &error), 0);
    assert_true(hash_equal(images.hash, again.hash));
    images_done(&images);
    images_done(&again);

    assert_int_equal(open_set("grey-images@12+", "parts", DATA_TEST, &images, &error), 0);
    assert_int_equal(images.count, 1);
    assert_int_equal(images.labels[0], 1);
    assert_int_equal(images.classes, 2);
    assert_int_equal(images.shape.channels, 1);
    assert_int_equal(images.shape.height, 12);
    assert_true(abs(images.pixels[0] - 76) <= 2);
    images_done(&images);
}

/* `count` pictures of each class, which all differ. */
static void put_classes(const char *set, int count, const char *const *classes)
{
    for (int class = 0; classes[class]; class ++)
        for (int i = 0; i < count; i++) {
            char name[128];
            snprintf(name, sizeof name, "%s/%s/%03d.png", set, classes[class], i);
            put_two(name, (const uint8_t[]){(uint8_t)i, (uint8_t) class, 7});
        }
}

static void test_set_that_is_split(void **state)
{
    struct images train, test, all, again;
    put_classes("whole", 30, (const char *[]){"one", "two", NULL});
    open_well("images@4", "whole", DATA_TRAIN, &train);
    open_well("images@4", "whole", DATA_TEST, &test);
    open_well("images@4", "whole", DATA_ALL, &all);
    assert_int_equal(train.count, 50);
    assert_int_equal(test.count, 10);
    assert_int_equal(all.count, 60);
    assert_string_equal(train.summary, "PNG 60");
    int second = 0;
    bool seen[64] = {false};
    for (int i = 0; i < test.count; i++) {
        second += test.labels[i];
        seen[test.pixels[i * 48] + 32 * test.labels[i]] = true;
    }
    assert_int_equal(second, 5); /* each class has its share */
    for (int i = 0; i < train.count; i++)
        assert_false(seen[train.pixels[i * 48] + 32 * train.labels[i]]);
    images_done(&all);

    /* The order of a folder doesn't matter, and few images change sides when others come. */
    put_two("whole/one/new.png", blue);
    open_well("images@4", "whole", DATA_TEST, &again);
    int kept = 0;
    for (int i = 0; i < again.count; i++)
        kept += seen[again.pixels[i * 48] + 32 * again.labels[i]];
    assert_in_range(kept, 9, 10);
    images_done(&train);
    images_done(&test);
    images_done(&again);
}

/* A class of four among a hundred is in every part; of three images one each; a single one trains. */
static void test_uneven_classes(void **state)
{
    struct images train, test;
    struct view trained, validated;
    struct error error;
    put_classes("uneven", 50, (const char *[]){"many", NULL});
    put_classes("uneven", 4, (const char *[]){"few", NULL});
    put_classes("uneven", 3, (const char *[]){"three", NULL});
    put_classes("uneven", 1, (const char *[]){"single", NULL});
    open_well("images@4", "uneven", DATA_TRAIN, &train);
    open_well("images@4", "uneven", DATA_TEST, &test);
    const struct view of_test = {.index = (int32_t[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, .count = test.count};
    static const int tested[] = {1, 8, 0, 1}, validate[] = {1, 6, 0, 1}, rest[] = {2, 36, 1, 1};
    assert_int_equal(test.count, 10);
    assert_int_equal(data_validation(&train), 8);
    for (uint64_t seed = 1; seed < 20; seed++) {
        if (data_split(&train, data_validation(&train), 0, seed, &trained, &validated, &error))
            fail_msg("%s", error.text);
        for (int class = 0; class < 4; class ++) {
            assert_int_equal(count_label(&test, &of_test, class), tested[class]);
            assert_int_equal(count_label(&train, &validated, class), validate[class]);
            assert_int_equal(count_label(&train, &trained, class), rest[class]);
        }
        view_done(&trained);
        view_done(&validated);
    }
    images_done(&train);
    images_done(&test);
}

/* Fewer validation images are some of the more; a smaller subset is part of a larger one. */
static void test_splits_are_nested(void **state)
{
    struct images images;
    struct view few[2], more[2], subset[2];
    struct error error;
    put_classes("nested", 12, (const char *[]){"one", "two", "three", NULL});
    open_well("images@4", "nested", DATA_TRAIN, &images);
    assert_int_equal(data_split(&images, 4, 0, 3, &few[0], &few[1], &error), 0);
    assert_int_equal(data_split(&images, 9, 0, 3, &more[0], &more[1], &error), 0);
    assert_int_equal(data_split(&images, 9, 5, 3, &subset[0], &subset[1], &error), 0);
    assert_memory_equal(few[1].index, more[1].index, 4 * sizeof(int32_t));
    assert_memory_equal(subset[1].index, more[1].index, 9 * sizeof(int32_t));
    assert_memory_equal(subset[0].index, more[0].index, 5 * sizeof(int32_t));
    assert_int_equal(few[1].count, 4);
    for (int i = 0; i < 2; i++) {
        view_done(&few[i]);
        view_done(&more[i]);
        view_done(&subset[i]);
    }
    images_done(&images);
}

/* Sets of other kinds, and the folders of the first sessions, are split as ever. */
static void test_first_rules(void **state)
{
    const struct data_spec first = {.pictures = {.first = true}};
    struct images train, test, divided;
    struct error error;
    put_classes("old", 30, (const char *[]){"one", "two", NULL});
    put_text("old/one/x.webp", "not read");
    assert_int_equal(open_by("images@4", "old", &first, DATA_TRAIN, &train, &error), 0);
    assert_int_equal(open_by("images@4", "old", &first, DATA_TEST, &test, &error), 0);
    assert_int_equal(train.count + test.count, 60);
    assert_int_equal(test.count, 12); /* by the hash alone, as it fell */
    assert_false(train.stratified);
    images_done(&train);
    images_done(&test);

    put_even("oldparts/train/red/1.png", red, 4);
    put_even("oldparts/train/blue/1.png", blue, 4);
    put_even("oldparts/val/blue/1.png", blue, 4);
    assert_int_equal(open_by("images", "oldparts", &first, DATA_TRAIN, &divided, &error), 0);
    assert_int_equal(divided.count, 2);
    assert_int_equal(divided.validation, 0);
    images_done(&divided);
}

static void test_own_validation_images(void **state)
{
    static const char *const names[] = {"val", "valid", "validation"};
    struct images images;
    struct view train, validate;
    struct error error;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char set[32], part[64];
        snprintf(set, sizeof set, "own-%s", names[i]);
        snprintf(part, sizeof part, "%s/train", set);
        put_classes(part, 6, (const char *[]){"one", "two", NULL});
        snprintf(part, sizeof part, "%s/%s", set, names[i]);
        put_classes(part, 2, (const char *[]){"two", NULL}); /* no folder `one`: as an empty one */
        open_well("images@4", set, DATA_TRAIN, &images);
        assert_int_equal(images.count, 14);
        assert_int_equal(images.validation, 2);
        assert_int_equal(data_validation(&images), 2);
        assert_int_equal(data_split(&images, 2, 0, 1, &train, &validate, &error), 0);
        assert_int_equal(train.count, 12);
        assert_memory_equal(validate.index, ((const int32_t[]){12, 13}), 8);
        for (int k = 0; k < 12; k++)
            assert_true(train.index[k] < 12);
        view_done(&train);
        view_done(&validate);
        assert_int_equal(data_split(&images, 3, 0, 1, &train, &validate, &error), -1);
        assert_non_null(strstr(error.text, "the set has 2 validation images of its own"));
        images_done(&images);
        assert_refused(set, DATA_TEST, "has train/ with folders, but no test/");
    }
    put_classes("own-val/valid", 2, (const char *[]){"two", NULL});
    assert_refused("own-val", DATA_TRAIN, "/own-val/valid: is a second folder of validation images, beside ");
}

static void test_files_are_counted(void **state)
{
    struct images images;
    put_classes("kinds", 6, (const char *[]){"one", "two", NULL});
    put_even("kinds/one/a.jpe", red, 4);
    put_text("kinds/one/b.gif", "");
    put_text("kinds/one/c.GIF", "");
    put_text("kinds/two/d.tiff", "");
    put_text("kinds/two/.hidden.png", "");
    put_text("kinds/two/README", "");
    put_text("kinds/two/x.png/y.png", "a folder that bears a picture's name");
    put_text("kinds/labels.csv", "");
    assert_int_equal(mkdir(in_folder("kinds/empty"), 0777), 0);
    assert_int_equal(mkfifo(in_folder("kinds/two/p.png"), 0666), 0);
    assert_int_equal(symlink("nowhere", in_folder("kinds/two/broken.png")), 0);
    assert_int_equal(symlink("001.png", in_folder("kinds/two/link.png")), 0);
    open_well("images@4", "kinds", DATA_TRAIN, &images);
    assert_string_equal(images.summary, "PNG 13, JPEG 1; left out: .gif 2, no regular files 2, .csv 1, .tiff 1, "
                                        "empty folders 1, folders 1, hidden files 1, without ending 1");
    assert_int_equal(images.classes, 2);
    images_done(&images);
}

static void test_bad_files(void **state)
{
    struct images images;
    struct error error;
    const struct data_spec skip = {.skip_bad = true};
    put_classes("bad", 12, (const char *[]){"one", "two", NULL});
    for (int i = 0; i < 25; i++) {
        char name[64];
        snprintf(name, sizeof name, "bad/two/z%02d.png", i);
        put_text(name, i % 2 ? "" : "no picture");
    }
    assert_refused("bad", DATA_TRAIN,
                   "/bad: 25 of 49 pictures can't be read: two/z00.png: is no PNG, JPEG, WebP or BMP "
                   "file (10 bytes), two/z01.png: ");
    assert_refused("bad", DATA_TRAIN,
                   "two/z09.png: is no PNG, JPEG, WebP or BMP file (0 bytes) and 15 more; replace or "
                   "remove them, or leave them out by --skip-bad");
    char name[300] = "bad/one/"; /* long names leave room for all ten, and for the advice */
    for (int i = 0; i < 12; i++) {
        snprintf(name + 8, sizeof name - 8, "%02d%0220d.png", i, 0);
        put_text(name, "no picture");
    }
    assert_refused("bad", DATA_TRAIN, "000000… and 27 more; replace or remove them, or leave them out by --skip-bad");
    assert_int_equal(open_by("images@4", "bad", &skip, DATA_TRAIN, &images, &error), 0);
    assert_int_equal(images.count, 19); /* of 24 that can be read; test images are chosen by name alone */
    assert_string_equal(images.summary, "PNG 61; 37 pictures can't be read");
    assert_non_null(strstr(images.warnings, "/bad: 37 of 61 pictures can't be read and are left out: one/00"));
    images_done(&images);
    put_text("none/one/1.png", "no picture");
    put_even("none/two/1.png", red, 4);
    assert_int_equal(open_by("images@4", "none", &skip, DATA_TRAIN, &images, &error), -1);
    assert_non_null(strstr(error.text, "/none/one: none of its pictures can be read"));
}

/* Black drawings on a transparent ground are seen on a white one. */
static void test_constant_images(void **state)
{
    struct images images;
    struct error error;
    const struct data_spec white = {.pictures = {.background = {255, 255, 255}}};
    for (int i = 0; i < 4; i++) {
        uint8_t icon[4 * 4 * 4] = {0};
        char name[32];
        icon[4 * i + 3] = 255;
        snprintf(name, sizeof name, "icons/%s/%d.png", i % 2 ? "one" : "two", i);
        put(name, png_of(icon, 4, 4, PNG_FORMAT_RGBA));
    }
    open_well("images@4", "icons", DATA_TRAIN, &images);
    assert_non_null(strstr(images.warnings,
                           "/icons: 4 of 4 pictures have one colour only: one/1.png, one/3.png, two/0.png, "
                           "two/2.png; if they are drawings on a transparent ground, --background"));
    images_done(&images);
    assert_int_equal(open_by("images@4", "icons", &white, DATA_TRAIN, &images, &error), 0);
    assert_null(images.warnings);
    assert_int_equal(images.pixels[0], 255);
    images_done(&images);
}

/* Who no longer wants a large folder doesn't wait for it. */
static void test_cancelled(void **state)
{
    struct images images;
    struct error error;
    atomic_bool cancelled = false;
    const struct data_spec how = {.cancelled = &cancelled};
    put_classes("long", 12, (const char *[]){"one", "two", NULL});
    assert_int_equal(open_by("images@4", "long", &how, DATA_TRAIN, &images, &error), 0);
    images_done(&images);
    atomic_store(&cancelled, true);
    assert_int_equal(open_by("images@4", "long", &how, DATA_TRAIN, &images, &error), -1);
    assert_non_null(strstr(error.text, "/long/one: reading it was cancelled"));
    assert_null(images.pixels);
}

static void test_sets_refused(void **state)
{
    put_even("one/only/1.png", red, 4);
    assert_refused("one", DATA_TRAIN, "/one: has 1 folders with files, one a class; a set needs 2 to 1000");
    assert_refused("nowhere", DATA_TRAIN, "/nowhere: can't be read as a folder");
    assert_int_equal(mkdir(in_folder("one/empty"), 0777), 0);
    assert_refused("one", DATA_TRAIN, "/one: has 1 folders with files");
    put_text("one/other/2.txt", "");
    assert_refused("one", DATA_TRAIN, "/one/other: has no PNG, JPEG, WebP or BMP file");
    put_text("one/other/2.png", "broken");
    assert_refused("one", DATA_TRAIN, "/one: 1 of 2 pictures can't be read: other/2.png: is no PNG");
    put_text("one/a\tb/2.png", "broken");
    assert_refused("one", DATA_TRAIN, "control character or is no UTF-8 (0x09)");

    put_even("lost/train/red/1.png", red, 4);
    put_even("lost/train/blue/1.png", blue, 4);
    put_even("lost/test/green/1.png", blue, 4);
    assert_refused("lost", DATA_TEST, "/lost/test: green is no class of the training part");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_of_parts),      cmocka_unit_test(test_set_that_is_split),
        cmocka_unit_test(test_uneven_classes),    cmocka_unit_test(test_splits_are_nested),
        cmocka_unit_test(test_first_rules),       cmocka_unit_test(test_own_validation_images),
        cmocka_unit_test(test_files_are_counted), cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_constant_images),   cmocka_unit_test(test_sets_refused),
        cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests_name("picture sets", tests, make_folder, remove_folder);
}
