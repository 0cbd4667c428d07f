/*
 * decoders.h - what picture.c and the decoders of single formats share; for src/data/ and its tests.
 *
 * A decoder gets an empty `picture`, and makes its pixels by picture_new(), which checks the limits of picture.h. After
 * a failure the picture has none.  Messages lack the path.
 */
#ifndef ESPALIER_DATA_DECODERS_H
#define ESPALIER_DATA_DECODERS_H

#include "data/picture.h"

int picture_new(struct picture *picture, int64_t width, int64_t height, size_t length, struct error *error);
/* Lay [y][x][red, green, blue, alpha] over a background. */
void picture_flatten(struct picture *picture, const uint8_t *rgba, const uint8_t background[3]);

int png_decode(const void *bytes, size_t length, const struct picture_rules *rules, struct picture *picture,
               struct error *error);
int jpeg_decode(const void *bytes, size_t length, struct picture *picture, struct error *error);
int webp_decode(const void *bytes, size_t length, const struct picture_rules *rules, struct picture *picture,
                struct error *error);
/* Uncompressed, of 8, 24 or 32 bits a pixel. */
int bmp_decode(const void *bytes, size_t length, struct picture *picture, struct error *error);

/* The first marker of a JPEG from `at` on, or `length`. */
size_t jpeg_next_marker(const uint8_t *bytes, size_t length, size_t at);

/* The orientation that the EXIF data of a JPEG, PNG or WebP file name, 1 to 8 (EXIF 2.32, 4.6.4); 1 without. */
int exif_orientation(const uint8_t *bytes, size_t length);

#endif
