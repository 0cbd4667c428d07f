/*
 * test_picture.c - PNG and JPEG files: what their own libraries write here is read again; limits; scaling against
 * PyTorch's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "picture_files.h"
#include "util/bug.h"
#include "util/text.h"

/* What tests/reference/scaling.py has too. */
static uint8_t pixel(int x, int y, int c)
{
    return (uint8_t)(37 * x * x + 101 * y + 59 * x * y + 83 * c);
}

static struct picture formula(int width, int height)
{
    struct picture picture = {width, height, memory_new((size_t)(width * height), 3), ""};
    for (int i = 0; i < width * height * 3; i++)
        picture.pixels[i] = pixel(i / 3 % width, i / 3 / width, i % 3);
    return picture;
}

/* --- what the libraries write --- */

static const struct picture_rules now;

static struct picture decoded(struct bytes bytes)
{
    struct picture picture;
    struct error error;
    if (picture_decode(bytes.data, bytes.length, &now, &picture, &error))
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
    assert_int_equal(picture_decode(data, length, &now, &picture, &error), -1);
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
    assert_refused_bytes("GIF89a", 6, "is a GIF file, which is not read; save it as PNG");
    assert_refused_bytes("", 0, "is no PNG, JPEG, WebP or BMP file (0 bytes)");
    free(png.data);
    free(jpeg.data);
    picture_done(&picture);
}

/* A progressive JPEG of 0.35 MB with 1,000 scans took more than a minute. */
static void test_scans_are_limited(void **state)
{
    static const uint8_t colour[3] = {200, 90, 30};
    struct picture picture = even(64, 64, colour);
    struct bytes jpeg = jpeg_with(picture.pixels, 64, 64, TJPF_RGB, TJFLAG_PROGRESSIVE);
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
    free(png.data);
    png = png_of(grey, 3, 3001, PNG_FORMAT_GRAY);
    assert_refused_bytes(png.data, png.length, "has 3 × 3001 pixels: a side may be at most 1000 times the other");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png),          cmocka_unit_test(test_png_of_other_kinds),
        cmocka_unit_test(test_jpeg),         cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_scans_are_limited),
        cmocka_unit_test(test_pixels_are_limited_by_the_bytes),
        cmocka_unit_test(test_scaling),      cmocka_unit_test(test_scaling_to_another_shape),
        cmocka_unit_test(test_grey),
    };
    return cmocka_run_group_tests_name("pictures", tests, NULL, NULL);
}
