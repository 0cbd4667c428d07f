#!/usr/bin/env python3
"""The safetensors library (pip install safetensors numpy) against src/export/safetensors.c, both ways.

    safetensors_fixture.py write FILE   a small network whose values are numbered, as test_safetensors.c reads it
    safetensors_fixture.py read FILE    print what the library finds in one of this program's files
"""
import sys

import numpy
from safetensors import safe_open
from safetensors.numpy import save_file

ARCH, INPUT = "C(2,3,1) P(2,2) FC(3) SM(2)", "1,4,4"
UNITS = ("gamma", "beta", "mean", "variance")
SHAPES = {
    "conv1.weight": (2, 1, 3, 3), **{f"conv1.{unit}": (2,) for unit in UNITS},
    "fc1.weight": (3, 8), **{f"fc1.{unit}": (3,) for unit in UNITS},
    "classifier.weight": (2, 3), "classifier.bias": (2,),
}


def write(path):
    tensors, start = {}, 0
    for name, shape in SHAPES.items():
        size = int(numpy.prod(shape))
        tensors[name] = numpy.arange(start, start + size, dtype=numpy.float32).reshape(shape)
        start += size
    save_file(tensors, path, metadata={"arch": ARCH, "input": INPUT})


def read(path):
    with safe_open(path, framework="numpy") as file:
        print(file.metadata())
        for name in file.keys():
            tensor = file.get_tensor(name)
            print(name, tensor.dtype, tensor.shape, f"sum {tensor.astype(float).sum():.6g}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("write", "read"):
        sys.exit(__doc__)
    {"write": write, "read": read}[sys.argv[1]](sys.argv[2])
