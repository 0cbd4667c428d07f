/*
 * picture.h - decodes a picture (PNG, JPEG, WebP, BMP) and scales it to the size of a set's images.
 *
 * Pixels are the stored values of the file, as Pillow, OpenCV and torchvision read them: no colour profile and no gAMA
 * changes them.  Of 16 bits the upper 8 count.  Transparent pixels are laid over a background as Pillow's
 * alpha_composite() does, to the bit.  CMYK and YCCK become RGB as Pillow's convert() does.  A picture is turned as its
 * EXIF orientation says.  Pure functions but for picture_read(); any thread.
 */
#ifndef ESPALIER_DATA_PICTURE_H
#define ESPALIER_DATA_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/* Limits, so that time and memory are at most linear in a file's length: pixels at all; pixels of a file of N bytes,
   FLOOR + RATIO × N (PNG and baseline JPEG have a few hundred a byte at most); a JPEG's scans, and its pixels in all
   scans. */
enum {
    PICTURE_PIXELS_MAX = 1 << 26,
    PICTURE_PIXELS_FLOOR = 1 << 20,
    PICTURE_PIXELS_RATIO = 1 << 10,
    PICTURE_SIDES_RATIO = 1000, /* scaling takes time for the longer side, whatever the other is */
    PICTURE_SCANS_MAX = 100,
    PICTURE_WORK_MAX = 1 << 30
};

#define PICTURE_TYPES "PNG, JPEG, WebP or BMP"

/* How pictures become pixels; all zero is the default. */
struct picture_rules {
    uint8_t background[3]; /* under transparent pixels */
    bool no_orientation;   /* EXIF's orientation is not applied */
    bool first;            /* as the first sessions read them: libpng converts by gAMA and composites on black in linear
                              light, and no picture is turned; folders are split in their way too (folder.c) */
};
/* "black", "white" or "#rrggbb". */
int picture_background_parse(const char *text, uint8_t background[3], struct error *error);

struct picture {
    int width, height;
    uint8_t *pixels;   /* [y][x][red, green, blue]; the picture's own */
    char warning[160]; /* of the decoder, which decoded it all the same; "" without */
};

/* Decode a picture, whatever its name is.  A file that is damaged or cut short is refused, even when a part of it could
   be decoded.  picture_done() it after success. */
int picture_decode(const void *bytes, size_t length, const struct picture_rules *rules, struct picture *picture,
                   struct error *error);
void picture_done(struct picture *picture);
/* Scale to width × height pixels, whatever the shape was, into `channels` planes: 3 are red, green and blue; 1 is
   grey. */
void picture_fit(const struct picture *picture, int width, int height, int channels, uint8_t *planes);
/* Read a file as one image of a set of pictures is read: decode it and fit it.  `warning` gets the decoder's, or "".
   Training, prediction and evaluation all read pictures with this function. */
int picture_read(const char *path, const struct picture_rules *rules, int width, int height, int channels,
                 uint8_t *planes, struct error *warning, struct error *error);

#endif
