/*
 * picture.c - from a file to the planes of an image: the format's decoder, EXIF's orientation, scaling.
 *
 * Scaling is separable, rows first, with the triangle filter: linear interpolation where a picture grows; where it
 * shrinks, a triangle as wide as two new pixels, so that every old pixel counts.  All sums are doubles in one order and
 * rounded once at the end, so that pixels and checksum are the same on every machine.
 *
 * The work of a decoder follows from a file's header, not from its length: a few bytes can claim millions of pixels. So
 * they are limited before anything is decoded.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decoders.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

enum { COLOURS = 3, FILE_BYTES_MAX = 1 << 28 };

int picture_background_parse(const char *text, uint8_t background[3], struct error *error)
{
    unsigned red, green, blue;
    int end = 0;
    bool hexadecimal = strspn(text, "#0123456789abcdefABCDEF") == strlen(text);
    if (!strcmp(text, "black") || !strcmp(text, "white")) {
        memset(background, *text == 'b' ? 0 : 255, COLOURS);
        return 0;
    }
    if (!hexadecimal || sscanf(text, "#%2x%2x%2x%n", &red, &green, &blue, &end) != 3 || end != 7 || text[end])
        return error_set(error, "is no colour: black, white or #rrggbb, as #ff8000");
    background[0] = (uint8_t)red;
    background[1] = (uint8_t)green;
    background[2] = (uint8_t)blue;
    return 0;
}

#ifdef HAVE_PICTURES

int picture_new(struct picture *picture, int64_t width, int64_t height, size_t length, struct error *error)
{
    if (width < 1 || height < 1 || width > PICTURE_PIXELS_MAX / height)
        return error_set(error, "has %lld × %lld pixels; at most %d are read: scale it down", (long long)width,
                         (long long)height, PICTURE_PIXELS_MAX);
    if ((uint64_t)(width * height) > PICTURE_PIXELS_FLOOR + PICTURE_PIXELS_RATIO * (uint64_t)length)
        return error_set(error, "has %lld × %lld pixels in %zu bytes, more than a picture has: scale it down",
                         (long long)width, (long long)height, length);
    if (width > PICTURE_SIDES_RATIO * height || height > PICTURE_SIDES_RATIO * width)
        return error_set(error, "has %lld × %lld pixels: a side may be at most %d times the other", (long long)width,
                         (long long)height, PICTURE_SIDES_RATIO);
    *picture = (struct picture){.width = (int)width, .height = (int)height};
    picture->pixels = memory_new((size_t)width * (size_t)height, COLOURS);
    return 0;
}

void picture_flatten(struct picture *picture, const uint8_t *rgba, const uint8_t background[3])
{
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (size_t i = 0; i < pixels; i++, rgba += COLOURS + 1)
        for (int colour = 0; colour < COLOURS; colour++) {
            unsigned alpha = rgba[COLOURS], sum = rgba[colour] * alpha + background[colour] * (255 - alpha) + 128;
            picture->pixels[i * COLOURS + (size_t)colour] = (uint8_t)((sum + (sum >> 8)) >> 8); /* sum / 255, rounded */
        }
}

/* --- orientation --- */

/* Where the pixel (x, y) of a turned picture is in one of width × height. */
static size_t place_before(int orientation, int width, int height, int x, int y)
{
    int right = width - 1, bottom = height - 1, column, row;
    switch (orientation) {
    case 2:
        column = right - x, row = y;
        break;
    case 3:
        column = right - x, row = bottom - y;
        break;
    case 4:
        column = x, row = bottom - y;
        break;
    case 5:
        column = y, row = x;
        break;
    case 6:
        column = y, row = bottom - x;
        break;
    case 7:
        column = right - y, row = bottom - x;
        break;
    case 8:
        column = right - y, row = x;
        break;
    default:
        BUG("an orientation");
    }
    return (size_t)row * (size_t)width + (size_t)column;
}

static void turn(struct picture *picture, int orientation)
{
    int width = picture->width, height = picture->height;
    bool upright = orientation < 5;
    if (orientation == 1)
        return;
    uint8_t *turned = memory_new((size_t)width * (size_t)height, COLOURS), *to = turned;
    picture->width = upright ? width : height;
    picture->height = upright ? height : width;
    for (int y = 0; y < picture->height; y++)
        for (int x = 0; x < picture->width; x++, to += COLOURS)
            memcpy(to, picture->pixels + place_before(orientation, width, height, x, y) * COLOURS, COLOURS);
    free(picture->pixels);
    picture->pixels = turned;
}

/* --- the kinds of files --- */

static bool begins(const void *bytes, size_t length, size_t at, const char *signature, size_t size)
{
    return length >= at + size && !memcmp((const char *)bytes + at, signature, size);
}

/* Kinds that people have, and that are not read. */
static int refuse_kind(const void *bytes, size_t length, struct error *error)
{
    static const struct {
        size_t at;
        const char *signature, *name;
    } kinds[] = {{0, "GIF8", "a GIF"}, {0, "II*\0", "a TIFF"}, {0, "MM\0*", "a TIFF"}, {4, "ftyp", "an AVIF or HEIC"}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (begins(bytes, length, kinds[i].at, kinds[i].signature, 4))
            return error_set(error, "is %s file, which is not read; save it as PNG", kinds[i].name);
    return error_set(error, "is no " PICTURE_TYPES " file (%zu bytes); replace it or remove it", length);
}

static int decode_kind(const void *bytes, size_t length, const struct picture_rules *rules, struct picture *picture,
                       struct error *error)
{
    if (begins(bytes, length, 0, "\x89PNG\r\n\x1a\n", 8))
        return png_decode(bytes, length, rules, picture, error);
    if (begins(bytes, length, 0, "\xff\xd8", 2))
        return jpeg_decode(bytes, length, picture, error);
    if (begins(bytes, length, 0, "RIFF", 4) && begins(bytes, length, 8, "WEBP", 4))
        return webp_decode(bytes, length, rules, picture, error);
    if (begins(bytes, length, 0, "BM", 2))
        return bmp_decode(bytes, length, picture, error);
    return refuse_kind(bytes, length, error);
}

int picture_decode(const void *bytes, size_t length, const struct picture_rules *rules, struct picture *picture,
                   struct error *error)
{
    *picture = (struct picture){.pixels = NULL};
    if (decode_kind(bytes, length, rules, picture, error))
        return -1;
    if (!rules->first && !rules->no_orientation)
        turn(picture, exif_orientation(bytes, length));
    return 0;
}

#else

int picture_decode(const void *bytes, size_t length, const struct picture_rules *rules, struct picture *picture,
                   struct error *error)
{
    return error_set(error,
                     "can't be read: this program was built without libpng and libjpeg-turbo; install libpng-dev "
                     "and libturbojpeg0-dev, then configure and build again");
}

#endif

void picture_done(struct picture *picture)
{
    free(picture->pixels);
    *picture = (struct picture){0};
}

/* The shares that the old pixels from `first` on have in a new one; they add up to 1. */
struct filter {
    int first, count;
    double *share;
};

static struct filter filter_new(int old, int new, int at)
{
    double scale = (double)old / new, reach = scale > 1 ? scale : 1, centre = (at + 0.5) * scale;
    int first = (int)floor(centre - reach), last = (int)ceil(centre + reach);
    first = first < 0 ? 0 : first;
    last = last > old ? old : last;
    struct filter filter = {.first = first, .count = last - first};
    filter.share = memory_new((size_t)filter.count, sizeof *filter.share);
    double sum = 0;
    for (int i = 0; i < filter.count; i++) {
        double distance = fabs(first + i + 0.5 - centre) / reach;
        filter.share[i] = distance < 1 ? 1 - distance : 0;
        sum += filter.share[i];
    }
    for (int i = 0; i < filter.count; i++)
        filter.share[i] /= sum;
    return filter;
}

static struct filter *filters_new(int old, int new)
{
    struct filter *filters = memory_new((size_t) new, sizeof *filters);
    for (int at = 0; at < new; at++)
        filters[at] = filter_new(old, new, at);
    return filters;
}

static void filters_free(struct filter *filters, int new)
{
    for (int at = 0; at < new; at++)
        free(filters[at].share);
    free(filters);
}

static void scale_row(const uint8_t *row, const struct filter *filters, int width, double *scaled)
{
    for (int x = 0; x < width; x++)
        for (int colour = 0; colour < COLOURS; colour++) {
            const uint8_t *value = row + filters[x].first * COLOURS + colour;
            double sum = 0;
            for (int i = 0; i < filters[x].count; i++)
                sum += filters[x].share[i] * value[i * COLOURS];
            *scaled++ = sum;
        }
}

/* Add an old row to every new row in which it has a share. */
static void add_row(const double *row, int y, const struct filter *filters, int width, int height, double *scaled)
{
    int values = width * COLOURS;
    for (int at = 0; at < height; at++) {
        int i = y - filters[at].first;
        if (i < 0 || i >= filters[at].count)
            continue;
        for (int v = 0; v < values; v++)
            scaled[at * values + v] += filters[at].share[i] * row[v];
    }
}

static uint8_t rounded(double value)
{
    return (uint8_t)lround(value < 0 ? 0 : value > 255 ? 255 : value);
}

void picture_fit(const struct picture *picture, int width, int height, int channels, uint8_t *planes)
{
    struct filter *across = filters_new(picture->width, width), *down = filters_new(picture->height, height);
    size_t plane = (size_t)width * (size_t)height;
    double *row = memory_new((size_t)width * COLOURS, sizeof *row),
           *scaled = memory_new(plane * COLOURS, sizeof *scaled);
    for (int y = 0; y < picture->height; y++) {
        scale_row(picture->pixels + (size_t)y * (size_t)picture->width * COLOURS, across, width, row);
        add_row(row, y, down, width, height, scaled);
    }
    for (size_t i = 0; i < plane; i++) {
        const double *colour = scaled + i * COLOURS;
        if (channels == 1)
            planes[i] = rounded(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]); /* ITU-R BT.601 */
        else
            for (int channel = 0; channel < COLOURS; channel++)
                planes[(size_t)channel * plane + i] = rounded(colour[channel]);
    }
    free(row);
    free(scaled);
    filters_free(across, width);
    filters_free(down, height);
}

int picture_read(const char *path, const struct picture_rules *rules, int width, int height, int channels,
                 uint8_t *planes, struct error *warning, struct error *error)
{
    void *bytes;
    size_t length;
    struct picture picture;
    *warning = (struct error){{0}};
    if (file_read(path, FILE_BYTES_MAX, &bytes, &length, error))
        return -1;
    int failed = picture_decode(bytes, length, rules, &picture, error);
    free(bytes);
    if (failed)
        return error_prefix(error, "%s", path);
    if (*picture.warning)
        error_set(warning, "%s: %s", path, picture.warning);
    picture_fit(&picture, width, height, channels, planes);
    picture_done(&picture);
    return 0;
}
