/*
 * decode_png.c - PNG files by libpng, which gives every kind of them as RGBA of 8 bits.
 *
 * Of the chunks only IHDR, PLTE, tRNS, IDAT and IEND are looked at: no other one changes stored values, and damage in
 * them is no damage of the picture.  libpng reports a failure by longjmp(), so what must be freed then is in a struct
 * of the caller.
 */
#include "config.h"

#ifdef HAVE_PICTURES

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decoders.h"
#include "util/bug.h"
#include "util/memory.h"

enum { RGBA = 4 };

struct png_reader {
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t length, at;
    uint8_t *pixels; /* RGBA */
    png_bytep *rows;
    jmp_buf failed;
    char reason[128];
};

static void on_error(png_structp png, png_const_charp reason)
{
    struct png_reader *reader = png_get_error_ptr(png);
    snprintf(reader->reason, sizeof reader->reason, "%s", reason);
    longjmp(reader->failed, 1);
}

static void on_warning(png_structp png, png_const_charp reason)
{
}

static void read_bytes(png_structp png, png_bytep to, size_t count)
{
    struct png_reader *reader = png_get_io_ptr(png);
    if (count > reader->length - reader->at)
        png_error(png, "it ends too early");
    memcpy(to, reader->bytes + reader->at, count);
    reader->at += count;
}

static int refuse(const struct png_reader *reader, const struct picture *picture, struct error *error)
{
    return error_set(error,
                     picture->pixels ? "is damaged or cut short (%s); replace it"
                                     : "is no PNG file that can be read (%s); replace it",
                     reader->reason);
}

static int read_all(struct png_reader *reader, struct picture *picture, struct error *error)
{
    png_structp png = reader->png;
    if (setjmp(reader->failed))
        return refuse(reader, picture, error);
    png_set_read_fn(png, reader, read_bytes);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* all but the five */
    png_read_info(png, reader->info);
    uint32_t width = png_get_image_width(png, reader->info), height = png_get_image_height(png, reader->info);
    if (picture_new(picture, width, height, reader->length, error))
        return -1;
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
    png_set_interlace_handling(png);
    png_read_update_info(png, reader->info);
    ASSERT(png_get_rowbytes(png, reader->info) == (size_t)width * RGBA);
    reader->pixels = memory_new((size_t)width * height, RGBA);
    reader->rows = memory_new(height, sizeof *reader->rows);
    for (size_t y = 0; y < height; y++)
        reader->rows[y] = reader->pixels + y * width * RGBA;
    png_read_image(png, reader->rows);
    return 0;
}

static int decode_first(const void *bytes, size_t length, struct picture *picture, struct error *error)
{
    static const png_color black;
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&image, bytes, length))
        return error_set(error, "is no PNG file that can be read (%s); replace it", image.message);
    if (picture_new(picture, image.width, image.height, length, error)) {
        png_image_free(&image);
        return -1;
    }
    image.format = PNG_FORMAT_RGB;
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    return png_image_finish_read(&image, &black, picture->pixels, 0, NULL)
               ? 0
               : error_set(error, "is damaged or cut short (%s); replace it", image.message);
}

static int decode_stored(const void *bytes, size_t length, const uint8_t background[3], struct picture *picture,
                         struct error *error)
{
    struct png_reader reader = {.bytes = bytes, .length = length};
    reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
    reader.info = reader.png ? png_create_info_struct(reader.png) : NULL;
    int failed =
        reader.info
            ? read_all(&reader, picture, error)
            : error_set(error, "can't be read: libpng does not start; install its version " PNG_LIBPNG_VER_STRING);
    if (!failed)
        picture_flatten(picture, reader.pixels, background);
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    free(reader.pixels);
    free(reader.rows);
    return failed;
}

int png_decode(const void *bytes, size_t length, const struct picture_rules *rules, struct picture *picture,
               struct error *error)
{
    int failed = rules->first ? decode_first(bytes, length, picture, error)
                              : decode_stored(bytes, length, rules->background, picture, error);
    if (failed)
        picture_done(picture);
    return failed;
}

#endif
