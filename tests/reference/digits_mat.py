#!/usr/bin/env python3
"""Write digits.mat, which tests/test_svhn.c reads: a MATLAB file in SVHN's manner, straight from the format's page
(Level 5, compressed elements), and not by the library that the program reads it with.

    digits_mat.py FILE
"""
import struct
import sys
import zlib

SIDE, COUNT, LABELS = 32, 3, (1, 10, 7)


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(name, sizes, values):
    uint8_class, int8, int32, uint32, uint8 = 9, 1, 5, 6, 2
    flags = element(uint32, struct.pack("<II", uint8_class, 0))
    shape = element(int32, struct.pack(f"<{len(sizes)}i", *sizes))
    body = element(14, flags + shape + element(int8, name.encode()) + element(uint8, values))
    packed = zlib.compress(body, 9)
    return struct.pack("<II", 15, len(packed)) + packed


def pixel(image, channel, y, x):
    return (100 * image + 50 * channel + 3 * y + x) % 256


pixels = bytes(pixel(i, c, y, x) for i in range(COUNT) for c in range(3) for x in range(SIDE) for y in range(SIDE))
with open(sys.argv[1], "wb") as file:
    file.write(b"MATLAB 5.0 MAT-file, three digits for a test".ljust(116) + bytes(8) + struct.pack("<H2s", 0x0100, b"IM"))
    file.write(matrix("X", (SIDE, SIDE, 3, COUNT), pixels))
    file.write(matrix("y", (COUNT, 1), bytes(LABELS)))
