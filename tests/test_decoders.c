/*
 * test_decoders.c - pictures of every kind against what Pillow reads of them (tests/reference/pillow.py); warnings,
 * colours of ink, and damaged EXIF data.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config.h"
#include "data/decoders.h"
#include "picture_files.h"
#include "util/bug.h"
#include "util/text.h"

static const struct picture_rules over_colour = {.background = {200, 100, 50}}, now, first = {.first = true};

static char *fixture(const char *name)
{
    const char *source = getenv("top_srcdir");
    struct text path = TEXT_EMPTY;
    text_add(&path, "%s/tests/reference/pictures/%s", source ? source : ".", name);
    return text_take(&path);
}

static struct bytes read_fixture(const char *name)
{
    struct bytes bytes;
    struct error error;
    char *path = fixture(name);
    if (file_read(path, 1 << 20, &bytes.data, &bytes.length, &error))
        fail_msg("%s", error.text);
    free(path);
    return bytes;
}

static struct picture decode(struct bytes bytes, const struct picture_rules *rules)
{
    struct picture picture;
    struct error error;
    if (picture_decode(bytes.data, bytes.length, rules, &picture, &error))
        fail_msg("%s", error.text);
    return picture;
}

/* Decoders of one format may round differently in other versions of their library. */
static int tolerance(const char *name)
{
    return strstr(name, ".jpg") ? 2 : !strcmp(name, "plain.webp") ? 2 : 0;
}

static void check_fixture(FILE *expected, const char *name)
{
    int width, height;
    struct bytes bytes = read_fixture(name);
    struct picture picture = decode(bytes, &over_colour);
    assert_int_equal(fscanf(expected, "%d %d", &width, &height), 2);
    if (picture.width != width || picture.height != height)
        fail_msg("%s is %d×%d, not %d×%d", name, picture.width, picture.height, width, height);
    for (int i = 0; i < 3 * width * height; i++) {
        int value;
        assert_int_equal(fscanf(expected, "%d", &value), 1);
        if (abs(picture.pixels[i] - value) > tolerance(name))
            fail_msg("%s: value %d is %d, not %d", name, i, picture.pixels[i], value);
    }
    picture_done(&picture);
    free(bytes.data);
}

static void test_pillow(void **state)
{
    char *path = fixture("expected.txt"), name[64];
    FILE *expected = fopen(path, "r");
    assert_non_null(expected);
    int count = 0;
    for (; fscanf(expected, "%63s", name) == 1; count++) {
#ifndef HAVE_WEBP
        if (strstr(name, ".webp")) {
            assert_int_equal(fscanf(expected, "%*[^\n]"), 0);
            continue;
        }
#endif
        check_fixture(expected, name);
    }
    assert_int_equal(count, 34);
    fclose(expected);
    free(path);
}

/* The first sessions' pictures stay as they were. */
static void test_first_rules(void **state)
{
    struct bytes gamma = read_fixture("gamma.png"), turned = read_fixture("turned-6.png");
    struct picture stored = decode(gamma, &now), converted = decode(gamma, &first), before = decode(turned, &first);
    assert_memory_not_equal(stored.pixels, converted.pixels, 60);
    assert_int_equal(before.width, 3);
    picture_done(&stored);
    picture_done(&converted);
    picture_done(&before);

    struct picture_rules as_stored = {.no_orientation = true};
    struct picture unturned = decode(turned, &as_stored), upright = decode(turned, &now);
    assert_int_equal(unturned.width, 3);
    assert_int_equal(upright.width, 2);
    picture_done(&unturned);
    picture_done(&upright);
    free(gamma.data);
    free(turned.data);
}

static void test_warnings(void **state)
{
    struct bytes bytes = read_fixture("junk.jpg");
    struct picture picture = decode(bytes, &now);
    assert_string_equal(picture.warning, "Corrupt JPEG data: 3 extraneous bytes before marker 0xe0");
    picture_done(&picture);
    free(bytes.data);
    bytes = read_fixture("plain.jpg");
    picture = decode(bytes, &now);
    assert_string_equal(picture.warning, "");
    picture_done(&picture);
    struct error error;
    assert_int_equal(picture_decode(bytes.data, bytes.length - 2, &now, &picture, &error), -1);
    assert_non_null(strstr(error.text, "has no end marker"));
    memmove((char *)bytes.data + bytes.length - 40, (char *)bytes.data + bytes.length - 2, 2); /* pixels are missing */
    assert_int_equal(picture_decode(bytes.data, bytes.length - 38, &now, &picture, &error), -1);
    assert_non_null(strstr(error.text, "is damaged or cut short"));
    free(bytes.data);
}

/* libjpeg-turbo writes four channels as YCCK. */
static void test_ycck(void **state)
{
    uint8_t cmyk[16 * 16 * 4];
    for (int i = 0; i < 16 * 16; i++)
        memcpy(cmyk + 4 * i, (const uint8_t[]){250, 130, 20, 200}, 4);
    struct bytes bytes = jpeg_with(cmyk, 16, 16, TJPF_CMYK, 0);
    struct picture picture = decode(bytes, &now);
    const int expected[] = {196, 102, 16}; /* light × (255 - ink) / 255 */
    for (int i = 0; i < 16 * 16 * 3; i++)
        assert_true(abs(picture.pixels[i] - expected[i % 3]) <= 3);
    picture_done(&picture);
    free(bytes.data);
}

static void test_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *expected;
    } cases[] = {
        {"II*\0aaaa", 8, "is a TIFF file, which is not read"},
        {"\0\0\0\x1c"
         "ftypheic",
         12, "is an AVIF or HEIC file, which is not read"},
        {"BM\0\0", 4, "is no BMP file that can be read (4 bytes)"},
        {"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x80\x96\x98\0\x80\x96\x98\0\1\0\x18\0", 30,
         "pixels; at most 67108864"},
        {"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x04\0\0\0\xff\xff\xff\xff\1\0\x18\0", 30, "first row on top"},
        {"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x04\0\0\0\x04\0\0\0\1\0\x18\0", 30,
         "is no BMP file that can be read ("},
        {"RIFF\x04\0\0\0WEBP", 12, "WebP file"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct picture picture;
        struct error error = {""};
        assert_int_equal(picture_decode(cases[i].bytes, cases[i].length, &now, &picture, &error), -1);
        if (!strstr(error.text, cases[i].expected))
            fail_msg("expected `%s` in: %s", cases[i].expected, error.text);
        assert_null(picture.pixels);
    }
}

static void test_exif(void **state)
{
    struct bytes bytes = read_fixture("turned.jpg");
    uint8_t *data = bytes.data;
    assert_int_equal(exif_orientation(data, bytes.length), 6);
    size_t found = 0;
    for (size_t length = 0; length < bytes.length; length++) { /* cut short anywhere */
        uint8_t *part = memory_new(length, 1);
        memcpy(part, data, length);
        int orientation = exif_orientation(part, length);
        assert_true(orientation == 1 || orientation == 6);
        found += orientation == 6;
        free(part);
    }
    assert_in_range(found, 1, bytes.length - 30);
    for (size_t i = 0; i < bytes.length; i++)
        for (int value = 0; value < 256; value += 51) {
            uint8_t before = data[i];
            data[i] = (uint8_t)value;
            assert_in_range(exif_orientation(data, bytes.length), 1, 8);
            data[i] = before;
        }
    free(bytes.data);
}

static void test_background(void **state)
{
    uint8_t colour[3];
    struct error error;
    assert_int_equal(picture_background_parse("#0aFf80", colour, &error), 0);
    assert_memory_equal(colour, ((const uint8_t[]){10, 255, 128}), 3);
    assert_int_equal(picture_background_parse("white", colour, &error), 0);
    assert_memory_equal(colour, ((const uint8_t[]){255, 255, 255}), 3);
    static const char *const bad[] = {"", "red", "#12345", "#1234567", "123456", "# 1 2 3", "#+1+2+3", "#12345g"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(picture_background_parse(bad[i], colour, &error), -1);
        assert_string_equal(error.text, "is no colour: black, white or #rrggbb, as #ff8000");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pillow),     cmocka_unit_test(test_first_rules), cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_ycck),       cmocka_unit_test(test_refused),     cmocka_unit_test(test_exif),
        cmocka_unit_test(test_background),
    };
    return cmocka_run_group_tests_name("decoders", tests, NULL, NULL);
}
