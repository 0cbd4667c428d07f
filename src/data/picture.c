/*
 * picture.c - libpng and libjpeg-turbo decode; scaling is done here.
 *
 * Scaling is separable, rows first, with the triangle filter: linear interpolation where a picture grows; where it
 * shrinks, a triangle as wide as two new pixels, so that every old pixel counts.  All sums are doubles in one order and
 * rounded once at the end, so that pixels and checksum are the same on every machine.
 *
 * The work of a decoder follows from a file's header, not from its length: a few bytes can claim millions of pixels,
 * and a progressive JPEG goes over all of them once for each scan.  So both are limited before anything is decoded.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/picture.h"
#include "util/file.h"
#include "util/memory.h"

enum { COLOURS = 3, FILE_BYTES_MAX = 1 << 28 };

#ifdef HAVE_PICTURES

#include <png.h>
#include <turbojpeg.h>

static int picture_new(struct picture *picture, int64_t width, int64_t height, size_t length, struct error *error)
{
    if (width < 1 || height < 1 || width > PICTURE_PIXELS_MAX / height)
        return error_set(error, "has %lld × %lld pixels; at most %d are read: scale it down", (long long)width,
                         (long long)height, PICTURE_PIXELS_MAX);
    if ((uint64_t)(width * height) > PICTURE_PIXELS_FLOOR + PICTURE_PIXELS_RATIO * (uint64_t)length)
        return error_set(error, "has %lld × %lld pixels in %zu bytes, more than a picture has: scale it down",
                         (long long)width, (long long)height, length);
    *picture = (struct picture){.width = (int)width, .height = (int)height};
    picture->pixels = memory_new((size_t)width * (size_t)height, COLOURS);
    return 0;
}

static int png_decode(const void *bytes, size_t length, struct picture *picture, struct error *error)
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
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* as cameras and editors write it */
    if (png_image_finish_read(&image, &black, picture->pixels, 0, NULL))
        return 0;
    picture_done(picture);
    return error_set(error, "is damaged or cut short (%s); replace it", image.message);
}

/* The first marker from `at` on, or `length`.  Inside a scan 0xff 0 stands for a byte 0xff, and restarts (0xd0 to 0xd7)
   belong to the scan. */
static size_t next_marker(const uint8_t *bytes, size_t length, size_t at)
{
    while (at + 1 < length && (bytes[at] != 0xff || !bytes[at + 1] || bytes[at + 1] == 0xff ||
                               (bytes[at + 1] >= 0xd0 && bytes[at + 1] <= 0xd7)))
        at++;
    return at + 1 < length ? at : length;
}

static int64_t jpeg_scans(const uint8_t *bytes, size_t length)
{
    enum { STANDALONE = 0x01, START = 0xd8, END = 0xd9, SCAN = 0xda };
    int64_t scans = 0;
    for (size_t at = next_marker(bytes, length, 0); at < length; at = next_marker(bytes, length, at)) {
        uint8_t marker = bytes[at + 1];
        at += 2;
        if (marker == END)
            break;
        scans += marker == SCAN;
        if (marker != START && marker != STANDALONE && at + 1 < length)
            at += (size_t)bytes[at] << 8 | bytes[at + 1];
    }
    return scans;
}

static int check_scans(const void *bytes, size_t length, int64_t pixels, struct error *error)
{
    int64_t scans = jpeg_scans(bytes, length);
    if (scans > PICTURE_SCANS_MAX || scans * pixels > PICTURE_WORK_MAX)
        return error_set(error,
                         "has %lld scans of %lld pixels; at most %d scans and %d pixels in all are read: save it "
                         "as a baseline JPEG",
                         (long long)scans, (long long)pixels, PICTURE_SCANS_MAX, PICTURE_WORK_MAX);
    return 0;
}

/* A warning counts as a failure: libjpeg only warns of damaged files. */
static int jpeg_decode_by(tjhandle handle, const void *bytes, size_t length, struct picture *picture,
                          struct error *error)
{
    int width, height, subsampling, colours;
    if (tjDecompressHeader3(handle, bytes, length, &width, &height, &subsampling, &colours))
        return error_set(error, "is no JPEG file that can be read (%s); replace it", tjGetErrorStr2(handle));
    if (picture_new(picture, width, height, length, error))
        return -1;
    if (check_scans(bytes, length, (int64_t)width * height, error)) {
        picture_done(picture);
        return -1;
    }
    if (!tjDecompress2(handle, bytes, length, picture->pixels, width, 0, height, TJPF_RGB,
                       TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS))
        return 0;
    picture_done(picture);
    return error_set(error, "is damaged or cut short (%s); replace it", tjGetErrorStr2(handle));
}

static int jpeg_decode(const void *bytes, size_t length, struct picture *picture, struct error *error)
{
    tjhandle handle = tjInitDecompress();
    int failed = handle ? jpeg_decode_by(handle, bytes, length, picture, error)
                        : error_set(error, "can't be read: libjpeg-turbo does not start (%s)", tjGetErrorStr2(NULL));
    if (handle)
        tjDestroy(handle);
    return failed;
}

int picture_decode(const void *bytes, size_t length, struct picture *picture, struct error *error)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, jpeg[] = {0xff, 0xd8, 0xff};
    if (length >= sizeof png && !memcmp(bytes, png, sizeof png))
        return png_decode(bytes, length, picture, error);
    if (length >= sizeof jpeg && !memcmp(bytes, jpeg, sizeof jpeg))
        return jpeg_decode(bytes, length, picture, error);
    return error_set(error, "is neither a PNG nor a JPEG file (%zu bytes); replace it or remove it", length);
}

#else

int picture_decode(const void *bytes, size_t length, struct picture *picture, struct error *error)
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
static void add_row(const double *row, int y, const struct filter *filters, int width, int height,
                    double *scaled)
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

int picture_read(const char *path, int width, int height, int channels, uint8_t *planes, struct error *error)
{
    void *bytes;
    size_t length;
    struct picture picture;
    if (file_read(path, FILE_BYTES_MAX, &bytes, &length, error))
        return -1;
    int failed = picture_decode(bytes, length, &picture, error);
    free(bytes);
    if (failed)
        return error_prefix(error, "%s", path);
    picture_fit(&picture, width, height, channels, planes);
    picture_done(&picture);
    return 0;
}
