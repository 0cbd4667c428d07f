/*
 * decode_jpeg.c - JPEG and BMP files by libjpeg-turbo.
 *
 * libjpeg only warns of damaged files, and of harmless ones: bytes between two segments.  A file whose pixels are
 * missing has no end marker, or the warning says that data ended too early; it is refused.  After any other warning the
 * picture is decoded as it is, and the warning handed on.
 *
 * A progressive JPEG goes over all pixels once for each scan, so scans are counted before anything is decoded.
 *
 * Four channels are CMYK as Adobe writes it: 255 is no ink.
 */
#include "config.h"

#ifdef HAVE_PICTURES

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <turbojpeg.h>
#include <unistd.h>

#include "data/decoders.h"
#include "data/sandbox.h"
#include "util/memory.h"

/* Inside a scan 0xff 0 stands for a byte 0xff, and restarts (0xd0 to 0xd7) belong to the scan. */
size_t jpeg_next_marker(const uint8_t *bytes, size_t length, size_t at)
{
    while (at + 1 < length && (bytes[at] != 0xff || !bytes[at + 1] || bytes[at + 1] == 0xff ||
                               (bytes[at + 1] >= 0xd0 && bytes[at + 1] <= 0xd7)))
        at++;
    return at + 1 < length ? at : length;
}

static int64_t count_scans(const uint8_t *bytes, size_t length, bool *ends)
{
    enum { STANDALONE = 0x01, START = 0xd8, END = 0xd9, SCAN = 0xda };
    int64_t scans = 0;
    *ends = false;
    for (size_t at = jpeg_next_marker(bytes, length, 0); at < length && !*ends;
         at = jpeg_next_marker(bytes, length, at)) {
        uint8_t marker = bytes[at + 1];
        at += 2;
        *ends = marker == END;
        scans += marker == SCAN;
        if (marker != START && marker != STANDALONE && marker != END && at + 1 < length)
            at += (size_t)bytes[at] << 8 | bytes[at + 1];
    }
    return scans;
}

static int check_scans(const void *bytes, size_t length, int64_t pixels, struct error *error)
{
    bool ends;
    int64_t scans = count_scans(bytes, length, &ends);
    if (scans > PICTURE_SCANS_MAX || scans * pixels > PICTURE_WORK_MAX)
        return error_set(error,
                         "has %lld scans of %lld pixels; at most %d scans and %d pixels in all are read: save it "
                         "as a baseline JPEG",
                         (long long)scans, (long long)pixels, PICTURE_SCANS_MAX, PICTURE_WORK_MAX);
    return ends ? 0 : error_set(error, "is damaged or cut short (it has no end marker); replace it");
}

static int refuse(tjhandle handle, struct error *error)
{
    return error_set(error, "is damaged or cut short (%s); replace it", tjGetErrorStr2(handle));
}

/* Decode strictly and, after a warning that may pass, once more. */
static int decompress(tjhandle handle, const void *bytes, size_t length, int format, uint8_t *pixels,
                      struct picture *picture, struct error *error)
{
    const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
    if (!tjDecompress2(handle, bytes, length, pixels, picture->width, 0, picture->height, format,
                       flags | TJFLAG_STOPONWARNING))
        return 0;
    const char *reason = tjGetErrorStr2(handle);
    if (tjGetErrorCode(handle) != TJERR_WARNING || strstr(reason, "remature end"))
        return refuse(handle, error);
    snprintf(picture->warning, sizeof picture->warning, "%s", reason);
    if (!tjDecompress2(handle, bytes, length, pixels, picture->width, 0, picture->height, format, flags) ||
        tjGetErrorCode(handle) == TJERR_WARNING)
        return 0;
    return refuse(handle, error);
}

/* As Pillow computes it. */
static void from_cmyk(const uint8_t *cmyk, struct picture *picture)
{
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (size_t i = 0; i < 3 * pixels; i++) {
        unsigned ink = 255u - cmyk[i / 3 * 4 + i % 3], light = cmyk[i / 3 * 4 + 3], product = ink * light + 128;
        picture->pixels[i] = (uint8_t)(light - ((product + (product >> 8)) >> 8));
    }
}

static int decode_by(tjhandle handle, const void *bytes, size_t length, struct picture *picture, struct error *error)
{
    int width = 0, height = 0, subsampling, colours;
    if (tjDecompressHeader3(handle, bytes, length, &width, &height, &subsampling, &colours) &&
        tjGetErrorCode(handle) != TJERR_WARNING)
        return error_set(error, "is no JPEG file that can be read (%s); replace it", tjGetErrorStr2(handle));
    if (width < 1)
        return error_set(error, "is no JPEG file that can be read (it has no picture); replace it");
    if (picture_new(picture, width, height, length, error) ||
        check_scans(bytes, length, (int64_t)width * height, error))
        return -1;
    if (colours != TJCS_CMYK && colours != TJCS_YCCK)
        return decompress(handle, bytes, length, TJPF_RGB, picture->pixels, picture, error);
    uint8_t *cmyk = memory_new((size_t)width * (size_t)height, 4);
    int failed = decompress(handle, bytes, length, TJPF_CMYK, cmyk, picture, error);
    if (!failed)
        from_cmyk(cmyk, picture);
    free(cmyk);
    return failed;
}

int jpeg_decode(const void *bytes, size_t length, struct picture *picture, struct error *error)
{
    tjhandle handle = tjInitDecompress();
    int failed = handle ? decode_by(handle, bytes, length, picture, error)
                        : error_set(error, "can't be read: libjpeg-turbo does not start (%s)", tjGetErrorStr2(NULL));
    if (failed)
        picture_done(picture);
    if (handle)
        tjDestroy(handle);
    return failed;
}

/* --- BMP --- */

/* The size is signed only in 4 bytes. */
static int64_t little_endian(const uint8_t *bytes, int count)
{
    uint32_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value < 0x80000000u ? (int64_t)value : (int64_t)value - ((int64_t)1 << 32);
}

/* The size that the header claims.  libjpeg-turbo makes room for it before it reads on. */
static int bmp_size(const uint8_t *bytes, size_t length, int64_t *width, int64_t *height)
{
    enum { HEADER = 14, OLD_HEADER = 12, SHORTEST = 26 };
    if (length < SHORTEST)
        return -1;
    int part = little_endian(bytes + HEADER, 4) == OLD_HEADER ? 2 : 4;
    *width = little_endian(bytes + 18, part);
    *height = little_endian(bytes + 18 + part, part);
    return 0;
}

/* libjpeg-turbo opens a file by its name. */
static uint8_t *bmp_load(const void *bytes, size_t length, int *width, int *height, struct error *error)
{
    char path[64];
    int format = TJPF_RGB, file = memfd_create("picture", MFD_CLOEXEC);
    if (file < 0 || sandbox_send(file, bytes, length)) {
        if (file >= 0)
            close(file);
        error_set(error, "can't be read: no file in memory for it; end other programs");
        return NULL;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    uint8_t *pixels = tjLoadImage(path, width, 1, height, &format, 0);
    if (!pixels)
        error_set(error, "is no BMP file that can be read (%s); save it as PNG", tjGetErrorStr2(NULL));
    close(file);
    return pixels;
}

int bmp_decode(const void *bytes, size_t length, struct picture *picture, struct error *error)
{
    int64_t width, height;
    int loaded_width, loaded_height;
    if (bmp_size(bytes, length, &width, &height))
        return error_set(error, "is no BMP file that can be read (%zu bytes); replace it", length);
    if (height < 0)
        return error_set(error, "is a BMP file with its first row on top, which is not read; save it as PNG");
    if (picture_new(picture, width, height, length, error))
        return -1;
    uint8_t *pixels = bmp_load(bytes, length, &loaded_width, &loaded_height, error);
    bool same = pixels && loaded_width == width && loaded_height == height;
    if (same)
        memcpy(picture->pixels, pixels, (size_t)width * (size_t)height * 3);
    else if (pixels)
        error_set(error, "is damaged (its size is not what its header says); replace it");
    if (!same)
        picture_done(picture);
    tjFree(pixels);
    return same ? 0 : -1;
}

#endif
