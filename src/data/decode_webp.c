/*
 * decode_webp.c - WebP files by libwebp: lossy, lossless, with and without transparency.  Animations are refused.
 */
#include "config.h"

#ifdef HAVE_PICTURES

#include "data/decoders.h"

#ifdef HAVE_WEBP

#include <stdlib.h>
#include <webp/decode.h>

#include "util/memory.h"

static int damaged(struct error *error)
{
    return error_set(error, "is damaged or cut short (libwebp can't decode it); replace it");
}

static int decode_pixels(const void *bytes, size_t length, bool alpha, const uint8_t background[3],
                         struct picture *picture, struct error *error)
{
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    if (!alpha)
        return WebPDecodeRGBInto(bytes, length, picture->pixels, pixels * 3, picture->width * 3) ? 0 : damaged(error);
    uint8_t *rgba = memory_new(pixels, 4);
    int failed = WebPDecodeRGBAInto(bytes, length, rgba, pixels * 4, picture->width * 4) ? 0 : damaged(error);
    if (!failed)
        picture_flatten(picture, rgba, background);
    free(rgba);
    return failed;
}

int webp_decode(const void *bytes, size_t length, const struct picture_rules *rules, struct picture *picture,
                struct error *error)
{
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(bytes, length, &features) != VP8_STATUS_OK)
        return error_set(error, "is no WebP file that can be read; replace it");
    if (features.has_animation)
        return error_set(error, "is an animation; save one of its pictures");
    if (picture_new(picture, features.width, features.height, length, error))
        return -1;
    int failed = decode_pixels(bytes, length, features.has_alpha, rules->background, picture, error);
    if (failed)
        picture_done(picture);
    return failed;
}

#else

int webp_decode(const void *bytes, size_t length, const struct picture_rules *rules, struct picture *picture,
                struct error *error)
{
    return error_set(error, "is a WebP file, and this program was built without libwebp; install libwebp-dev, then "
                            "configure and build again, or save it as PNG");
}

#endif
#endif
