/* picture.h - decodes a PNG or JPEG file and scales it to the size of a set's images. */
#ifndef ESPALIER_DATA_PICTURE_H
#define ESPALIER_DATA_PICTURE_H

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
    PICTURE_SCANS_MAX = 100,
    PICTURE_WORK_MAX = 1 << 30
};

struct picture {
    int width, height;
    uint8_t *pixels; /* [y][x][red, green, blue]; the picture's own */
};

/* Decode a PNG or JPEG file, whatever its name is.  Transparent pixels become black.  A file that is damaged or cut short
   is refused, even when a part of it could be decoded.  picture_done() it after success. */
int picture_decode(const void *bytes, size_t length, struct picture *picture, struct error *error);
void picture_done(struct picture *picture);
/* Scale to width × height pixels, whatever the shape was, into `channels` planes: 3 are red, green and blue; 1 is
   grey. */
void picture_fit(const struct picture *picture, int width, int height, int channels, uint8_t *planes);
/* Read a file as one image of a set of pictures is read: decode it and fit it. */
int picture_read(const char *path, int width, int height, int channels, uint8_t *planes, struct error *error);

#endif
