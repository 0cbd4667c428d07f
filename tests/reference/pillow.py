#!/usr/bin/env python3
"""Write tests/reference/pictures/: small pictures as people have them, and what Pillow reads of each.

    pillow.py FOLDER            needs numpy and Pillow

NAME.ENDING is a picture; expected.txt has a line for each: its name, width, height, and the red, green and blue values
row by row, over a background of (200, 100, 50), turned as EXIF says.  Of 16 bits the upper 8 are expected (Pillow clips
16-bit grey at 255); tests/test_decoders.c says how close the values must be.
"""
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
random = np.random.default_rng(17)
lines = []


def path(name):
    return os.path.join(folder, name)


def expect(name, pixels=None):
    if pixels is None:
        image = ImageOps.exif_transpose(Image.open(path(name)))
        if image.mode in ("RGBA", "LA", "P", "PA") or "transparency" in image.info:
            image = Image.alpha_composite(Image.new("RGBA", image.size, (200, 100, 50, 255)), image.convert("RGBA"))
        pixels = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[:2]
    lines.append(" ".join(map(str, [name, width, height, *pixels.reshape(-1).tolist()])))


def save(name, image, pixels=None, **options):
    image.save(path(name), **options)
    expect(name, pixels)


def smooth(width, height):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([40 + 6 * x, 200 - 5 * y, 90 + 2 * x + 2 * y], 2).astype(np.uint8)


def noise(width, height, channels):
    return random.integers(0, 256, (height, width, channels)).astype(np.uint8)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def insert(name, at, what):
    data = open(path(name), "rb").read()
    open(path(name), "wb").write(data[:at] + what + data[at:])


colours = noise(5, 4, 3)
save("plain.png", Image.fromarray(colours))
Image.fromarray(colours).save(path("gamma.png"))
insert("gamma.png", 33, chunk(b"gAMA", struct.pack(">I", 100000)))
expect("gamma.png", colours)
Image.fromarray(colours).save(path("bad-text.png"))  # a chunk that doesn't matter is damaged
insert("bad-text.png", 33, chunk(b"zTXt", b"a\0\0zzzz")[:-4] + b"\0\0\0\0")
expect("bad-text.png", colours)
every = np.zeros((256, 16, 4), np.uint8)  # all values of alpha
every[..., :3] = random.integers(0, 256, (256, 16, 3))
every[..., 3] = np.arange(256)[:, None]
save("alpha.png", Image.fromarray(every[::16, :8]))
save("alpha-all.png", Image.fromarray(every[:, :2]))
save("grey-alpha.png", Image.fromarray(noise(5, 4, 2), "LA"))
palette = Image.fromarray(colours).quantize(6)
save("palette.png", palette)
save("palette-clear.png", palette, transparency=bytes([0, 128, 255, 30, 200, 99]))
save("grey-key.png", Image.fromarray(np.array([[7, 8], [9, 7]], np.uint8)), transparency=7)
save("colour-key.png", Image.fromarray(colours), transparency=tuple(int(v) for v in colours[1, 2]))
save("bits.png", Image.fromarray(noise(9, 3, 1)[..., 0] > 127))
deep = np.array([[0, 255, 256, 511], [32767, 40000, 65279, 65535]], np.uint16)
save("grey-16.png", Image.fromarray(deep), np.repeat((deep >> 8)[..., None], 3, 2))
wide = random.integers(0, 65536, (3, 4, 3)).astype(">u2")  # Pillow writes no 16-bit colours
rows = b"".join(b"\0" + row.tobytes() for row in wide)
open(path("colour-16.png"), "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 3, 16, 2, 0, 0, 0)) +
                                        chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
expect("colour-16.png")

picture = Image.fromarray(smooth(20, 12))
save("plain.jpg", picture, quality=90)
save("grey.jpg", picture.convert("L"), quality=90)
save("progressive.jpg", picture, quality=90, progressive=True)
save("cmyk.jpg", Image.fromarray(np.dstack([255 - smooth(20, 12), np.full((12, 20), 40, np.uint8)]), "CMYK"), quality=95)
picture.save(path("junk.jpg"), quality=90)
insert("junk.jpg", 2, b"\0\0\0")  # Pillow refuses these bytes at this very place, libjpeg and viewers pass them over
expect("junk.jpg", np.asarray(Image.open(path("plain.jpg"))))
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(f"turned-{orientation}.png", Image.fromarray(noise(3, 2, 3)), exif=exif)
exif = Image.Exif()
exif[0x0112] = 6
save("turned.jpg", picture, quality=90, exif=exif)
save("turned.webp", Image.fromarray(noise(3, 2, 3)), lossless=True, exif=exif)
save("plain.webp", picture, quality=90)
save("lossless.webp", Image.fromarray(noise(6, 5, 3)), lossless=True)
save("clear.webp", Image.fromarray(noise(6, 5, 4)), lossless=True, exact=True)
save("plain.bmp", Image.fromarray(noise(5, 4, 3)))
save("grey.bmp", Image.fromarray(noise(5, 4, 1)[..., 0]))
save("palette.bmp", palette)

open(path("expected.txt"), "w").write("\n".join(lines) + "\n")
