/*
 * picture_files.h - pictures for tests, written by the libraries that read them.
 */
#ifndef ESPALIER_TESTS_PICTURE_FILES_H
#define ESPALIER_TESTS_PICTURE_FILES_H

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#include "data/picture.h"
#include "test_folder.h"
#include "util/file.h"
#include "util/memory.h"

static inline struct picture even(int width, int height, const uint8_t colour[3])
{
    struct picture picture = {width, height, memory_new((size_t)(width * height), 3), ""};
    for (int i = 0; i < width * height * 3; i++)
        picture.pixels[i] = colour[i % 3];
    return picture;
}

struct bytes {
    void *data;
    size_t length;
};

static inline struct bytes png_of(const void *pixels, int width, int height, uint32_t format)
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

/* Of RGB or CMYK. */
static inline struct bytes jpeg_with(const uint8_t *pixels, int width, int height, int format, int flags)
{
    tjhandle handle = tjInitCompress();
    unsigned char *data = NULL;
    unsigned long length = 0;
    assert_int_equal(tjCompress2(handle, pixels, width, 0, height, format, &data, &length, TJSAMP_444, 95,
                                 TJFLAG_ACCURATEDCT | flags),
                     0);
    struct bytes bytes = {memory_new(length, 1), length};
    memcpy(bytes.data, data, length);
    tjFree(data);
    tjDestroy(handle);
    return bytes;
}

static inline struct bytes jpeg_of(const struct picture *picture)
{
    return jpeg_with(picture->pixels, picture->width, picture->height, TJPF_RGB, 0);
}

/* Write a file in the test's folder, and the folders that lead to it. */
static inline void put(const char *name, struct bytes bytes)
{
    char *path = file_join(folder, name);
    struct error error;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(file_make_folder(path, &error), 0);
    *slash = '/';
    FILE *file = fopen(path, "wb"); /* not file_write(): to sync each of some hundred files takes long */
    assert_true(file && fwrite(bytes.data, 1, bytes.length, file) == bytes.length && !fclose(file));
    free(bytes.data);
    free(path);
}

static inline void put_even(const char *name, const uint8_t colour[3], int side)
{
    struct picture picture = even(side, side + 3, colour);
    put(name, strstr(name, ".png") ? png_of(picture.pixels, side, side + 3, PNG_FORMAT_RGB) : jpeg_of(&picture));
    picture_done(&picture);
}

/* Two colours: not constant, also where it is scaled down to one of 4 × 4. */
static inline void put_two(const char *name, const uint8_t colour[3])
{
    struct picture picture = even(8, 8, colour);
    memset(picture.pixels + 3 * 8 * 4, 100, 3 * 8 * 4);
    put(name, png_of(picture.pixels, 8, 8, PNG_FORMAT_RGB));
    picture_done(&picture);
}

static inline void put_text(const char *name, const char *text)
{
    put(name, (struct bytes){memory_copy_text(text), strlen(text)});
}

#endif
