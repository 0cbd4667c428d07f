/*
 * test_picture.c - PNG and JPEG files: what their own libraries write here is read again; scaling against PyTorch's;
 * and sets of folders.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <turbojpeg.h>
#include <unistd.h>

#include "data/formats.h"
#include "data/picture.h"
#include "test_folder.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

/* What tests/reference/scaling.py has too. */
static uint8_t pixel(int x, int y, int c)
{
    return (uint8_t)(37 * x * x + 101 * y + 59 * x * y + 83 * c);
}

static struct picture formula(int width, int height)
{
    struct picture picture = {width, height, memory_new((size_t)(width * height), 3)};
    for (int i = 0; i < width * height * 3; i++)
        picture.pixels[i] = pixel(i / 3 % width, i / 3 / width, i % 3);
    return picture;
}

static struct picture even(int width, int height, const uint8_t colour[3])
{
    struct picture picture = {width, height, memory_new((size_t)(width * height), 3)};
    for (int i = 0; i < width * height * 3; i++)
        picture.pixels[i] = colour[i % 3];
    return picture;
}

/* --- what the libraries write --- */

struct bytes {
    void *data;
    size_t length;
};

static struct bytes png_of(const void *pixels, int width, int height, uint32_t format)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    image.width = (uint32_t)width;
    image.height = (uint32_t)height;
    image.format = format;
    png_alloc_size_t length = PNG_IMAGE_PNG_SIZE_MAX(image);
    struct bytes bytes = {memory_new(length, 1), 0};
    assert_true(png_image_write_to_memory(&image, bytes.data, &length, 0, pixels, 0, NULL));
    bytes.length = length;
    return bytes;
}

static struct bytes jpeg_with(const struct picture *picture, int flags)
{
    tjhandle handle = tjInitCompress();
    unsigned char *data = NULL;
    unsigned long length = 0;
    assert_int_equal(tjCompress2(handle, picture->pixels, picture->width, 0, picture->height, TJPF_RGB, &data, &length,
                                 TJSAMP_444, 95, TJFLAG_ACCURATEDCT | flags),
                     0);
    struct bytes bytes = {memory_new(length, 1), length};
    memcpy(bytes.data, data, length);
    tjFree(data);
    tjDestroy(handle);
    return bytes;
}

static struct bytes jpeg_of(const struct picture *picture)
{
    return jpeg_with(picture, 0);
}

static struct picture decoded(struct bytes bytes)
{
    struct picture picture;
    struct error error;
    if (picture_decode(bytes.data, bytes.length, &picture, &error))
        fail_msg("%s", error.text);
    return picture;
}

static void test_png(void **state)
{
    struct picture picture = formula(17, 11);
    struct bytes bytes = png_of(picture.pixels, 17, 11, PNG_FORMAT_RGB);
    struct picture again = decoded(bytes);
    assert_int_equal(again.width, 17);
    assert_int_equal(again.height, 11);
    assert_memory_equal(again.pixels, picture.pixels, 17 * 11 * 3);
    picture_done(&again);
    picture_done(&picture);
    free(bytes.data);
}

static void test_png_of_other_kinds(void **state)
{
    const uint8_t grey[] = {0, 100, 200, 255}, clear[] = {250, 100, 50, 255, 250, 100, 50, 0};
    struct bytes bytes = png_of(grey, 2, 2, PNG_FORMAT_GRAY);
    struct picture picture = decoded(bytes);
    for (int i = 0; i < 12; i++)
        assert_int_equal(picture.pixels[i], grey[i / 3]);
    picture_done(&picture);
    free(bytes.data);

    bytes = png_of(clear, 2, 1, PNG_FORMAT_RGBA);
    picture = decoded(bytes);
    const uint8_t on_black[] = {250, 100, 50, 0, 0, 0};
    assert_memory_equal(picture.pixels, on_black, sizeof on_black);
    picture_done(&picture);
    free(bytes.data);
}

static void test_jpeg(void **state)
{
    static const uint8_t colour[3] = {200, 90, 30};
    struct picture picture = even(20, 9, colour);
    struct bytes bytes = jpeg_of(&picture);
    struct picture again = decoded(bytes);
    assert_int_equal(again.width, 20);
    assert_int_equal(again.height, 9);
    for (int i = 0; i < 20 * 9 * 3; i++)
        assert_true(abs(again.pixels[i] - colour[i % 3]) <= 2);
    picture_done(&again);
    picture_done(&picture);
    free(bytes.data);
}

static void assert_refused_bytes(const void *data, size_t length, const char *expected)
{
    struct picture picture;
    struct error error = {""};
    assert_int_equal(picture_decode(data, length, &picture, &error), -1);
    if (!strstr(error.text, expected))
        fail_msg("expected `%s` in: %s", expected, error.text);
}

static void test_damaged(void **state)
{
    struct picture picture = formula(30, 30);
    struct bytes png = png_of(picture.pixels, 30, 30, PNG_FORMAT_RGB), jpeg = jpeg_of(&picture);
    assert_refused_bytes(png.data, png.length / 2, "is damaged or cut short");
    assert_refused_bytes(png.data, 12, "is no PNG file");
    assert_refused_bytes(jpeg.data, jpeg.length / 2, "is damaged or cut short");
    assert_refused_bytes(jpeg.data, 20, "replace it");
    assert_refused_bytes("GIF89a", 6, "is neither a PNG nor a JPEG file (6 bytes)");
    assert_refused_bytes("", 0, "is neither a PNG nor a JPEG file (0 bytes)");
    free(png.data);
    free(jpeg.data);
    picture_done(&picture);
}

/* A progressive JPEG of 0.35 MB with 1,000 scans took more than a minute. */
static void test_scans_are_limited(void **state)
{
    static const uint8_t colour[3] = {200, 90, 30};
    struct picture picture = even(64, 64, colour);
    struct bytes jpeg = jpeg_with(&picture, TJFLAG_PROGRESSIVE);
    struct picture again = decoded(jpeg); /* its own ten scans are not too many */
    picture_done(&again);
    const char *data = jpeg.data;
    size_t scan = jpeg.length - 1;
    while (memcmp(data + --scan, "\xff\xda", 2))
        continue;
    struct text many = TEXT_EMPTY;
    text_add_bytes(&many, data, scan);
    for (int i = 0; i < 1000; i++)
        text_add_bytes(&many, data + scan, jpeg.length - 2 - scan);
    text_add_bytes(&many, "\xff\xd9", 2);
    assert_refused_bytes(many.bytes, many.length, "scans of 4096 pixels; at most 100 scans");
    text_done(&many);
    picture_done(&picture);
    free(jpeg.data);
}

static void test_pixels_are_limited_by_the_bytes(void **state)
{
    uint8_t *grey = memory_new(4000 * 4000, 1);
    struct bytes png = png_of(grey, 4000, 4000, PNG_FORMAT_GRAY);
    assert_true(png.length < 100000);
    assert_refused_bytes(png.data, 8000, "has 4000 × 4000 pixels in 8000 bytes");
    free(grey);
    free(png.data);
}

/* --- scaling --- */

static void test_scaling(void **state)
{
    const char *source = getenv("top_srcdir");
    char *path = file_join(source ? source : ".", "tests/reference/scaling.txt");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    int width, height, side, cases = 0;
    while (fscanf(file, "%d %d %d", &width, &height, &side) == 3) {
        struct picture picture = formula(width, height);
        uint8_t *planes = memory_new((size_t)(side * side), 3);
        picture_fit(&picture, side, side, 3, planes);
        for (int i = 0; i < side * side * 3; i++) {
            double expected;
            assert_int_equal(fscanf(file, "%lf", &expected), 1);
            if (fabs(planes[i] - expected) > 0.5011)
                fail_msg("%d×%d to %d: value %d is %d, not %.3f", width, height, side, i, planes[i], expected);
        }
        free(planes);
        picture_done(&picture);
        cases++;
    }
    assert_int_equal(cases, 6);
    fclose(file);
    free(path);
}

static void test_grey(void **state)
{
    static const uint8_t colour[3] = {200, 90, 30};
    struct picture picture = even(9, 5, colour);
    uint8_t plane[16];
    picture_fit(&picture, 4, 4, 1, plane);
    for (int i = 0; i < 16; i++)
        assert_int_equal(plane[i], 116); /* 59.8 + 52.83 + 3.42 */
    picture_done(&picture);
}

/* Rows and columns are scaled on their own: the rows of a picture that only changes across have the values of the square. */
static void test_scaling_to_another_shape(void **state)
{
    struct picture picture = {.width = 10, .height = 7, .pixels = memory_new(70, 3)};
    uint8_t square[3 * 64], wide[3 * 8 * 4], tall[3 * 4 * 8];
    for (int i = 0; i < 70 * 3; i++)
        picture.pixels[i] = (uint8_t)(i / 3 % 10 * 25 + i % 3);
    picture_fit(&picture, 8, 8, 3, square);
    picture_fit(&picture, 8, 4, 3, wide);
    for (int channel = 0; channel < 3; channel++)
        for (int y = 0; y < 4; y++)
            assert_memory_equal(wide + 32 * channel + 8 * y, square + 64 * channel, 8);
    for (int i = 0; i < 70 * 3; i++)
        picture.pixels[i] = (uint8_t)(i / 30 * 30 + i % 3);
    picture_fit(&picture, 8, 8, 3, square);
    picture_fit(&picture, 4, 8, 3, tall);
    for (int i = 0; i < 3 * 4 * 8; i++)
        assert_int_equal(tall[i], square[i * 2]);
    picture_done(&picture);
}

/* --- sets --- */

static const uint8_t red[3] = {255, 0, 0}, blue[3] = {0, 0, 255};

static void put(const char *name, struct bytes bytes)
{
    char *path = file_join(folder, name);
    struct error error;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(file_make_folder(path, &error), 0);
    *slash = '/';
    if (file_write(path, bytes.data, bytes.length, &error))
        fail_msg("%s", error.text);
    free(bytes.data);
    free(path);
}

static void put_even(const char *name, const uint8_t colour[3], int side)
{
    struct picture picture = even(side, side + 3, colour);
    put(name, strstr(name, ".png") ? png_of(picture.pixels, side, side + 3, PNG_FORMAT_RGB) : jpeg_of(&picture));
    picture_done(&picture);
}

static void put_text(const char *name, const char *text)
{
    put(name, (struct bytes){memory_copy_text(text), strlen(text)});
}

static int open_set(const char *name, const char *set, enum data_part part, struct images *images, struct error *error)
{
    char text[256];
    struct data_spec spec;
    snprintf(text, sizeof text, "%s:%s/%s", name, folder, set);
    if (data_spec_parse(text, &spec, error))
        fail_msg("%s", error->text);
    return images_open(&spec, part, images, error);
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

static void test_set_that_is_split(void **state)
{
    enum { EACH = 60 };
    struct images train, test, more;
    struct error error = {""};
    char name[64];
    for (int i = 0; i < 2 * EACH; i++) {
        /* Each picture is another, so that one can be found again. */
        const uint8_t colour[3] = {(uint8_t)i, (uint8_t)(i / EACH), 7};
        snprintf(name, sizeof name, "whole/%s/%03d.png", i < EACH ? "one" : "two", i);
        put_even(name, colour, 4);
    }
    assert_int_equal(open_set("images@4", "whole", DATA_TRAIN, &train, &error), 0);
    assert_int_equal(open_set("images@4", "whole", DATA_TEST, &test, &error), 0);
    assert_int_equal(train.count + test.count, 2 * EACH);
    assert_in_range(test.count, 8, 36); /* 20 expected; the hash is fixed, so this holds or never does */
    bool seen[2 * EACH] = {false};
    for (int i = 0; i < train.count; i++)
        seen[train.pixels[i * 48]] = true;
    for (int i = 0; i < test.count; i++)
        assert_false(seen[test.pixels[i * 48]]);

    /* What is there stays in its part when images are added. */
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "whole/one/new-%03d.png", i);
        put_even(name, red, 4);
    }
    assert_int_equal(open_set("images@4", "whole", DATA_TRAIN, &more, &error), 0);
    int kept = 0;
    for (int i = 0; i < more.count; i++)
        kept += more.pixels[i * 48] < 2 * EACH && seen[more.pixels[i * 48]];
    assert_int_equal(kept, train.count);
    images_done(&train);
    images_done(&test);
    images_done(&more);
}

static void test_sets_refused(void **state)
{
    struct error error;
    char *path = file_join(folder, "one");
    put_even("one/only/1.png", red, 4);
    assert_refused("one", DATA_TRAIN, "/one: has 1 folders, one a class; a set needs 2 to 1000");
    assert_refused("nowhere", DATA_TRAIN, "/nowhere: can't be read as a folder");
    put_text("one/other/2.txt", "");
    assert_refused("one", DATA_TRAIN, "/one/other: has no PNG or JPEG file");
    put_text("one/other/2.png", "broken");
    assert_refused("one", DATA_TRAIN, "/one/other/2.png: is neither a PNG nor a JPEG file (6 bytes)");
    put_text("one/a\tb/2.png", "broken");
    assert_refused("one", DATA_TRAIN, "control character or is no UTF-8 (0x09)");

    put_even("lost/train/red/1.png", red, 4);
    put_even("lost/train/blue/1.png", blue, 4);
    assert_refused("lost", DATA_TRAIN, "/lost: has train/ with folders, but no test/");
    assert_refused("lost", DATA_TEST, "/lost: has train/ with folders, but no test/");
    put_even("lost/test/green/1.png", blue, 4);
    assert_refused("lost", DATA_TEST, "/lost/test: green is no class of the training part");
    assert_int_equal(file_make_folder(path, &error), 0);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png),          cmocka_unit_test(test_png_of_other_kinds),
        cmocka_unit_test(test_jpeg),         cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_scans_are_limited),
        cmocka_unit_test(test_pixels_are_limited_by_the_bytes),
        cmocka_unit_test(test_scaling),      cmocka_unit_test(test_grey),
        cmocka_unit_test(test_scaling_to_another_shape),
        cmocka_unit_test(test_set_of_parts), cmocka_unit_test(test_set_that_is_split),
        cmocka_unit_test(test_sets_refused),
    };
    return cmocka_run_group_tests_name("pictures", tests, make_folder, remove_folder);
}
