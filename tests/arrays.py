#!/usr/bin/env python3
"""Makes a file of arrays for tests, by Python alone: images of noise in which each class has a bright part of its own,
or one time in eight that of another class.

    arrays.py FILE HEIGHT WIDTH CHANNELS CLASSES TRAIN VALIDATION TEST
"""
import random
import struct
import sys
import zipfile


def array(kind, shape, values):
    header = ("{'descr': '%s', 'fortran_order': False, 'shape': (%s,), }" % (kind, ", ".join(map(str, shape)))).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + values


def image(label):
    """Class k is bright in stripe k of the columns, in channel k."""
    label = source.randrange(classes) if source.randrange(8) == 0 else label
    return bytes(source.randrange(60) + (150 if c % classes == label and x * classes // width == label else 0)
                 for y in range(height) for x in range(width) for c in range(channels))


path = sys.argv[1]
height, width, channels, classes, *counts = map(int, sys.argv[2:])
source = random.Random(path)
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
    for name, count in zip(("train", "val", "test"), counts):
        labels = [source.randrange(classes) for _ in range(count)]
        if count:
            out.writestr("x_%s.npy" % name, array("|u1", (count, height, width, channels), b"".join(map(image, labels))))
            out.writestr("y_%s.npy" % name, array("<i8", (count,), struct.pack("<%dq" % count, *labels)))
