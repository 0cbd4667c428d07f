#!/usr/bin/env python3
"""Makes a folder of small PNG files for tests, by Python alone: a bright square of a colour for each class.

    pictures.py FOLDER COUNT CLASS=RED,GREEN,BLUE...
"""
import os
import random
import struct
import sys
import zlib


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(side, colour, source):
    rows = b""
    left, top = source.randrange(side // 2), source.randrange(side // 2)
    for y in range(side):
        rows += b"\0"
        for x in range(side):
            inside = left <= x < left + side // 2 and top <= y < top + side // 2
            rows += bytes(min(255, source.randrange(40) + (c if inside else 0)) for c in colour)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


folder, count, *classes = sys.argv[1:]
numbers = random.Random(folder)
for word in classes:
    name, colour = word.split("=")
    os.makedirs(os.path.join(folder, name))
    for i in range(int(count)):
        with open(os.path.join(folder, name, "%03d.png" % i), "wb") as out:
            out.write(png(16, [int(c) for c in colour.split(",")], numbers))
