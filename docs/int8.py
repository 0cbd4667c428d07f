#!/usr/bin/env python3
"""Makes an 8-bit network of an exported one, by ONNX Runtime's tools, and tests both: docs/elsewhere.md.

    espalier export SESSION:best --out float.onnx
    docs/int8.py float.onnx int8.onnx /usr/share/datasets/fashion-mnist

The folder is an IDX data set. 1,000 of its training images set the ranges of values; all test images test.
(pip install numpy onnx onnxruntime)
"""
import gzip
import os
import sys
import time

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

BATCH = 100


def idx(folder, name):
    path = os.path.join(folder, name)
    content = gzip.open(path + ".gz").read() if os.path.exists(path + ".gz") else open(path, "rb").read()
    dimensions = np.frombuffer(content[4:4 + 4 * content[3]], ">u4")
    return np.frombuffer(content[4 + 4 * content[3]:], "u1").reshape(dimensions)


def pixels(folder, name):
    """Images as the network takes them: N, channels, rows, columns, from 0 to 255."""
    images = idx(folder, name)
    return (images if images.ndim == 4 else images[:, None]).astype("float32")


class Calibration(CalibrationDataReader):
    def __init__(self, images):
        self.batches = iter([{"image": images[i:i + BATCH]} for i in range(0, len(images), BATCH)])

    def get_next(self):
        return next(self.batches, None)


def test(path, images, labels):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    began = time.process_time()
    classes = np.concatenate([session.run(None, {"image": images[i:i + BATCH]})[0].argmax(1)
                              for i in range(0, len(images), BATCH)])
    print("%-12s accuracy %.2f %%, %d bytes, %.1f s of processor time for %d images"
          % (path, 100 * (classes == labels).mean(), os.path.getsize(path), time.process_time() - began, len(images)))
    return classes


source, target, folder = sys.argv[1:]
quant_pre_process(source, target)  # shapes, and nodes joined
quantize_static(target, target, Calibration(pixels(folder, "train-images-idx3-ubyte")[:1000]), per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv", "Gemm"])
images, labels = pixels(folder, "t10k-images-idx3-ubyte"), idx(folder, "t10k-labels-idx1-ubyte")
same = test(source, images, labels) == test(target, images, labels)
print("the same class for %.2f %% of them" % (100 * same.mean()))
